"""Which kind of film the fields ask for: of one prompt, or of a storyboard's scenes."""

import math

from lambdas.domain.brief import SCENE_SECONDS, Brief
from lambdas.domain.documents import LONGEST_FILM
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.prompts import material
from lambdas.domain.storyboard import PartialStoryboard, Storyboard, parse_storyboard
from lambdas.intake.fields import Fields

DEFAULT_SECONDS = 4  # OpenAI's, of a film of one prompt
LARGEST_STORYBOARD = 150_000  # bytes of JSON: with 1,000 clips the record fits in DynamoDB's 400 KB

SOURCES = ("prompt", "topic", "storyboard")
_WRITING = ("text_model", "temperature", "top_p", "max_tokens", "context_size")
_SPOKEN = ("voice", "voice_engine", "speech_speed", "sample_rate", "captions", "burn_captions")
OF_SCENES = ("tone", "scenes", "narrate", "language", "stills", "review", *_SPOKEN, *_WRITING)


def brief_of(fields: Fields) -> Brief | None:
    """What the storyboard is to be of; None: the film is of one prompt.

    Raises InvalidRequest where fields are given that don't go together, or too few.
    """
    given = fields.model_fields_set
    sources = [name for name in SOURCES if name in given]
    if not sources:
        allowed = Fields.model_fields["prompt"].description
        raise InvalidRequest(
            f"prompt is required: {allowed}; for a film of several scenes give topic or storyboard instead.",
            param="prompt",
        )
    if sources == ["prompt"]:
        _refuse_scenes(fields)
        return None
    if "prompt" in sources:
        raise InvalidRequest(
            f"prompt must be left out where {sources[1]} is given: a film is of one prompt, or of the scenes "
            "of a topic or a storyboard.",
            param="prompt",
        )
    if "enhance" in given:
        raise InvalidRequest(
            "enhance must be left out where topic or storyboard is given: it is about a prompt.",
            param="enhance",
        )
    brief = _brief(fields, fields.storyboard or PartialStoryboard())
    brief.check()
    _check_narration(fields, brief)
    return brief


def film_seconds(fields: Fields, brief: Brief | None) -> int:
    """How long the film is to be, or about as long as it will be where its narration decides.

    Raises InvalidRequest for a storyboard that is longer than a film may be.
    """
    if fields.seconds is not None:
        return fields.seconds
    if brief is None:
        return DEFAULT_SECONDS
    lengths = (SCENE_SECONDS if length is None else length for length in brief.lengths())
    seconds = math.ceil(sum(lengths))
    if seconds > LONGEST_FILM:
        raise InvalidRequest(
            f"storyboard must have scenes of together at most {LONGEST_FILM:,} seconds; they have "
            f"{seconds:,}.",
            param="storyboard",
        )
    return seconds


def _refuse_scenes(fields: Fields) -> None:
    for name in OF_SCENES:
        if name in fields.model_fields_set:
            raise InvalidRequest(
                f"{name} goes with topic or storyboard, a film of several scenes; leave it out, or give the "
                "prompt as topic.",
                param=name,
            )


def _brief(fields: Fields, given: PartialStoryboard) -> Brief:
    check_size(given)
    return Brief(
        topic=fields.topic or _title(fields, given),
        tone=fields.tone,
        scenes=fields.scenes,
        seconds=fields.seconds,
        narrate=fields.narrate,
        language=fields.language,
        given=given,
    )


def _title(fields: Fields, given: PartialStoryboard) -> str:
    """Of a storyboard that stands for itself: but for narration nothing is written, as nothing says what it
    should be of."""
    try:
        whole = parse_storyboard(given.given())
    except InvalidRequest as error:
        raise InvalidRequest(
            f"{error.message} With topic, what is missing is written.", param=error.param
        ) from error
    if fields.scenes is not None and fields.scenes > len(whole.scenes):
        raise InvalidRequest(
            f"scenes must be {len(whole.scenes)}, as many as the storyboard has, or be left out; "
            f"{fields.scenes} was given. With topic, what is missing is written.",
            param="scenes",
        )
    check_title(whole)
    return whole.title


def check_size(storyboard: PartialStoryboard | Storyboard) -> None:
    """Raises InvalidRequest."""
    size = len(storyboard.model_dump_json(exclude_none=True).encode())
    if size > LARGEST_STORYBOARD:
        raise InvalidRequest(
            f"storyboard must have at most {LARGEST_STORYBOARD:,} bytes; it has {size:,}.", param="storyboard"
        )


def check_title(storyboard: Storyboard) -> None:
    """Raises InvalidRequest."""
    if not material(storyboard.title):
        raise InvalidRequest("title must have characters that can be seen.", param="title")


def _check_narration(fields: Fields, brief: Brief) -> None:
    if brief.narrated:
        return
    for name in _SPOKEN:
        # `captions: false` says of a silent film what is so.
        if name in fields.model_fields_set and getattr(fields, name) is not False:
            raise InvalidRequest(
                f"{name} is of the narration, and the film has none: send narrate=true, give narration in "
                f"the storyboard, or leave {name} out.",
                param=name,
            )

"""Decide which kind of film the fields request: one prompt, or the scenes of a storyboard."""

import math

from lambdas.domain.brief import Brief
from lambdas.domain.documents import LONGEST_FILM
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.prompts import material
from lambdas.domain.pronunciation import Lexicon, merged
from lambdas.domain.storyboard import PartialStoryboard, Storyboard, parse_storyboard
from lambdas.intake.fields import Fields

DEFAULT_SECONDS = 4  # OpenAI's default, for a film of one prompt
LARGEST_STORYBOARD = 150_000  # bytes of JSON: with 1,000 clips the record fits in DynamoDB's 400 KB

SOURCES = ("prompt", "topic", "storyboard")
LOOK = (
    *("caption_position", "caption_size", "caption_colour", "caption_outline", "caption_outline_width"),
    "caption_font",
)
_WRITING = ("text_model", "temperature", "top_p", "max_tokens", "context_size")
_SPOKEN = (
    *("voice", "voice_engine", "speech_speed", "sample_rate", "narration_fit", "lexicon"),
    *("captions", "burn_captions", "caption_style"),
    *LOOK,
)
OF_SCENES = ("tone", "scenes", "narrate", "language", "stills", "review", "cut_on_beats", *_SPOKEN, *_WRITING)


def brief_of(fields: Fields) -> Brief | None:
    """Return what the storyboard must contain, or None for a film of one prompt.

    Raises InvalidRequest if fields conflict or are missing.
    """
    given = fields.model_fields_set
    sources = [name for name in SOURCES if name in given]
    if not sources:
        allowed = Fields.model_fields["prompt"].description
        raise InvalidRequest(
            f"prompt is required: {allowed}; for a film of several scenes send topic or storyboard instead.",
            param="prompt",
        )
    if sources == ["prompt"]:
        _refuse_scenes(fields)
        return None
    if "prompt" in sources:
        raise InvalidRequest(
            f"prompt must be omitted when {sources[1]} is set: a film is made from one prompt, or from the "
            "scenes of a topic or a storyboard.",
            param="prompt",
        )
    if "enhance" in given:
        raise InvalidRequest(
            "enhance must be omitted when topic or storyboard is set: it applies only to prompt.",
            param="enhance",
        )
    if "num_frames" in given:
        raise InvalidRequest(
            f"num_frames must be omitted when {sources[0]} is set: it applies only to prompt. Send seconds.",
            param="num_frames",
        )
    brief = _brief(fields, _with_lexicon(fields.storyboard or PartialStoryboard(), fields.lexicon))
    brief.check()
    _check_narration(fields, brief)
    return brief


def film_seconds(fields: Fields, brief: Brief | None, fps: int) -> int:
    """Return the length of the film, rounded if `num_frames` says it, or an estimate if its narration
    determines the length.

    Raises InvalidRequest if a storyboard is longer than a film may be, or num_frames contradicts seconds.
    """
    if fields.num_frames is not None:
        return _seconds_of(fields.num_frames, fields.seconds, fps)
    if fields.seconds is not None:
        return fields.seconds
    if brief is None:
        return DEFAULT_SECONDS
    seconds = math.ceil(sum(brief.expected()))
    if seconds > LONGEST_FILM:
        raise InvalidRequest(
            f"storyboard scenes must last at most {LONGEST_FILM:,} seconds in total; got {seconds:,}.",
            param="storyboard",
        )
    return seconds


def _seconds_of(frames: int, seconds: int | None, fps: int) -> int:
    if frames > LONGEST_FILM * fps:
        raise InvalidRequest(
            f"num_frames must be at most {LONGEST_FILM * fps:,}, which last {LONGEST_FILM:,} seconds at "
            f"{fps} fps; got {frames:,}.",
            param="num_frames",
        )
    if seconds is not None and abs(frames - seconds * fps) >= fps:
        raise InvalidRequest(
            f"num_frames must be about {seconds * fps:,}, as {seconds} seconds have at {fps} fps; got "
            f"{frames:,}. Omit num_frames or seconds.",
            param="num_frames",
        )
    return max(1, round(frames / fps))


def _refuse_scenes(fields: Fields) -> None:
    for name in OF_SCENES:
        if name in fields.model_fields_set:
            raise InvalidRequest(
                f"{name} is allowed only with topic or storyboard, for a film of several scenes; omit it, or "
                "send the prompt as topic.",
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


def _with_lexicon(given: PartialStoryboard, lexicon: Lexicon) -> PartialStoryboard:
    """Return the storyboard with the film's lexicon in its own, where the user sees and edits it."""
    return given.model_copy(update={"lexicon": merged(given.lexicon, lexicon)}) if lexicon else given


def _title(fields: Fields, given: PartialStoryboard) -> str:
    """Return the title of a storyboard sent without topic. Only its narration may be missing, because nothing
    says what the rest should be about."""
    try:
        whole = parse_storyboard(given.given())
    except InvalidRequest as error:
        raise InvalidRequest(
            f"{error.message} Send topic to have missing parts written.", param=error.param
        ) from error
    if fields.scenes is not None and fields.scenes > len(whole.scenes):
        raise InvalidRequest(
            f"scenes must be {len(whole.scenes)}, as many as the storyboard has, or be omitted; "
            f"got {fields.scenes}. Send topic to have missing parts written.",
            param="scenes",
        )
    check_title(whole)
    return whole.title


def check_size(storyboard: PartialStoryboard | Storyboard) -> None:
    """Raise InvalidRequest if a storyboard is too large."""
    size = len(storyboard.model_dump_json(exclude_none=True).encode())
    if size > LARGEST_STORYBOARD:
        raise InvalidRequest(
            f"storyboard must be at most {LARGEST_STORYBOARD:,} bytes; got {size:,}.", param="storyboard"
        )


def check_title(storyboard: Storyboard) -> None:
    """Raise InvalidRequest if a storyboard's title has no visible characters."""
    if not material(storyboard.title):
        raise InvalidRequest("title is empty or contains only invisible characters.", param="title")


def _check_narration(fields: Fields, brief: Brief) -> None:
    if brief.narrated:
        return
    for name in _SPOKEN:
        # `captions: false` is already true of a silent film.
        if name in fields.model_fields_set and getattr(fields, name) is not False:
            raise InvalidRequest(
                f"{name} requires narration, but the film has none: send narrate=true, add narration to "
                f"the storyboard, or omit {name}.",
                param=name,
            )

"""The storyboard: what is said, shown and moved in each scene of a film. Written by a text model or by the
user, in whole or in part; seen and edited by the user before anything costly is made of it."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from pydantic import Field, StringConstraints, ValidationError

from lambdas.domain.documents import LONGEST_FILM, LONGEST_PROMPT, Document, fingerprint
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.wrong_fields import wrong_fields

MOST_SCENES = 50
LONGEST_TITLE = 200  # characters
# Seconds of silence in a scene: before the narration, between its sentences, and after it.
LEAD, PAUSE, TAIL = 0.4, 0.25, 0.6
LONGEST_NARRATION = 3_000  # characters; Polly's limit of one call is as long

# Control characters other than tab and line ends: no text encoder, voice or caption takes them.
_PLAIN = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"


def text_of(least: int, most: int) -> Any:
    """What a text of so many characters is annotated with."""
    span = f"{least} to {most:,}" if least else f"at most {most:,}"
    return (
        StringConstraints(strip_whitespace=True, min_length=least, max_length=most, pattern=_PLAIN),
        Field(description=f"text of {span} characters without control characters"),
    )


_Title = Annotated[str, *text_of(1, LONGEST_TITLE)]
_Prompt = Annotated[str, *text_of(1, LONGEST_PROMPT)]
_Note = Annotated[str, *text_of(0, LONGEST_PROMPT)]
_Said = Annotated[str, *text_of(1, LONGEST_NARRATION)]
VoiceName = Annotated[
    str, Field(min_length=1, max_length=100, description="the name of a voice, such as Joanna")
]
_Language = Annotated[
    str, Field(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$", description="a language's code, such as en-US or de")
]
Speed = Annotated[
    float, Field(strict=True, ge=0.5, le=2.0, allow_inf_nan=False, description="a number from 0.5 to 2")
]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**32, description=f"a whole number from 0 to {2**32 - 1}")]
_Seconds = Annotated[
    float,
    Field(
        strict=True,
        gt=0,
        le=LONGEST_FILM,
        allow_inf_nan=False,
        description=f"a number of seconds above 0, at most {LONGEST_FILM:,}",
    ),
]

_Continues = Annotated[bool, Field(strict=True, description="true or false")]


class Prompts(Document):
    """What a picture or clip shall show, and what it shall not. `seed` None: `seed_of` gives one; another
    gives another picture of the same words."""

    positive_prompt: _Prompt
    negative_prompt: _Note = ""
    seed: Seed | None = None


class Narration(Document):
    """What is said in a scene. A voice, speed or language of its own stands before the film's."""

    text: _Said
    voice: VoiceName | None = None
    language: _Language | None = None
    speed: Speed | None = None


class Scene(Document):
    """`seconds`: how long it is shown; None: as long as its narration takes, else the film's share.
    `continues`: it goes on from the scene before it, by a cut and with its last picture as its first."""

    narration: Narration | None = None
    image: Prompts
    video: Prompts
    seconds: _Seconds | None = None
    continues: _Continues = False


class Storyboard(Document):
    """`style`: the looks and characters that are the same in every scene."""

    title: _Title
    style: _Note = ""
    scenes: list[Scene] = Field(
        min_length=1, max_length=MOST_SCENES, description=f"a list of 1 to {MOST_SCENES} scenes"
    )

    @property
    def sha256(self) -> str:
        return fingerprint(self.model_dump(mode="json"))

    def timed(self, lengths: Sequence[float | None]) -> "Storyboard":
        """With these seconds of its scenes."""
        scenes = [
            scene.model_copy(update={"seconds": length})
            for scene, length in zip(self.scenes, lengths, strict=True)
        ]
        return self.model_copy(update={"scenes": scenes})

    def continued(self, prompt: str, seconds: float | None) -> "Storyboard":
        """With a scene more that goes on from the last one, of a user's words alone; it is narrated, by the
        same voice, if others are."""
        spoken = [scene.narration for scene in self.scenes if scene.narration]
        said = spoken[-1].model_copy(update={"text": prompt}) if spoken else None
        prompts = Prompts(positive_prompt=prompt)
        scene = Scene(narration=said, image=prompts, video=prompts, seconds=seconds, continues=True)
        return self.model_copy(update={"scenes": [*self.scenes, scene]})


def seed_of(prompts: Sequence[Prompts], scene: int, film: int) -> int:
    """The seed of a scene's picture or clips, of all scenes' prompts and the film's seed: its own, else one
    by its words. So it stays the same where scenes are put before it or taken away, and what was made of it
    is found. Only where the same words came before, its place counts: it is another picture of them."""
    own = prompts[scene]
    if own.seed is not None:
        return own.seed
    repeated = any(one.positive_prompt == own.positive_prompt for one in prompts[:scene])
    return film + int(fingerprint([own.positive_prompt, scene if repeated else 0])[:8], 16)


# --- what a user may give of one; None: not given


class PartialPrompts(Document):
    positive_prompt: _Prompt | None = None
    negative_prompt: _Note | None = None
    seed: Seed | None = None


class PartialNarration(Document):
    text: _Said | None = None
    voice: VoiceName | None = None
    language: _Language | None = None
    speed: Speed | None = None


class PartialScene(Document):
    narration: PartialNarration | None = None
    image: PartialPrompts | None = None
    video: PartialPrompts | None = None
    seconds: _Seconds | None = None
    continues: _Continues | None = None


class PartialStoryboard(Document):
    title: _Title | None = None
    style: _Note | None = None
    scenes: list[PartialScene] = Field(
        default=[], max_length=MOST_SCENES, description=f"a list of at most {MOST_SCENES} scenes"
    )

    def given(self) -> dict[str, Any]:
        """Only what was given."""
        return self.model_dump(exclude_defaults=True)


_Parsed = TypeVar("_Parsed", Storyboard, PartialStoryboard)


def parse_storyboard(value: Any) -> Storyboard:
    """Raises InvalidRequest naming the path of the first wrong field, such as
    `scenes[2].video.positive_prompt`, and what is allowed."""
    return _parse(Storyboard, value)


def parse_partial(value: Any) -> PartialStoryboard:
    """As `parse_storyboard`, of a storyboard in which anything may be missing."""
    return _parse(PartialStoryboard, value)


def _parse(document: type[_Parsed], value: Any) -> _Parsed:
    try:
        storyboard = document.model_validate(value)
    except ValidationError as error:
        first = wrong_fields(document, error, "storyboard")[0]
        raise InvalidRequest(first.message, param=first.path or "storyboard") from None
    if storyboard.scenes and storyboard.scenes[0].continues:
        path = "scenes[0].continues"
        raise InvalidRequest(f"{path} must be false or left out: no scene is before it.", param=path)
    return storyboard


def complete(partial: PartialStoryboard, written: Storyboard) -> Storyboard:
    """What was written, with every field that the user gave in its place.

    Raises ValueError where the user gave more scenes than were written, or of a scene without narration
    only whose voice it is.
    """
    if len(partial.scenes) > len(written.scenes):
        raise ValueError(f"{len(partial.scenes)} scenes are given, {len(written.scenes)} are written")
    return Storyboard.model_validate(_over(written.model_dump(), partial.given()))


def _over(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        return below | {name: _over(below.get(name), value) for name, value in above.items()}
    if isinstance(below, list) and isinstance(above, list):
        return [_over(*pair) for pair in zip(below, above, strict=False)] + below[len(above) :]
    return above

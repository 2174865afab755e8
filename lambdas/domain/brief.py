"""The brief of a film of scenes: what the user gives and what a text model writes."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError

from lambdas.domain.documents import LONGEST_FILM, LONGEST_PROMPT, Document
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.prompts import material
from lambdas.domain.sentences import can_be_spoken
from lambdas.domain.spoken_text import spoken_text
from lambdas.domain.storyboard import (
    MOST_SCENES,
    PartialScene,
    PartialStoryboard,
    Storyboard,
    length_of,
    no_next,
    own_of,
)

DEFAULT_SCENES = 4
SCENE_SECONDS = 8  # length of a scene, if only the film's length is given
SHORTEST_SCENE = 1  # seconds
SHORTEST_NARRATED = 3  # seconds: four words and the silence around them


class Writing(Document):
    """Settings for the text model; None leaves a setting to the model."""

    model: str | None = None  # overrides the deployment's model
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None  # of the answer; None: enough for the question
    context_size: Annotated[int, Field(ge=512)] | None = None  # tokens; for a model on a PC


class Brief(Document):
    """The topic, length and given parts of a storyboard.

    `scenes` None: as many as are given, else derived from `seconds`. `seconds` is the length of the whole
    film; None: each scene has its given length, or lasts as long as its narration.
    """

    topic: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_PROMPT)]
    tone: Annotated[str, StringConstraints(strip_whitespace=True, max_length=LONGEST_PROMPT)] = ""
    scenes: Annotated[int, Field(ge=1, le=MOST_SCENES)] | None = None
    seconds: Annotated[float, Field(gt=0, le=LONGEST_FILM, allow_inf_nan=False)] | None = None
    narrate: bool = True
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")] = "en-US"
    given: PartialStoryboard = PartialStoryboard()

    @property
    def count(self) -> int:
        """The number of scenes."""
        if self.scenes is not None:
            return self.scenes
        if self.given.scenes:
            return len(self.given.scenes)
        if self.seconds is not None:
            return min(max(1, round(self.seconds / SCENE_SECONDS)), MOST_SCENES)
        return DEFAULT_SCENES

    @property
    def narrated(self) -> bool:
        """Whether the film has any narration."""
        given = [scene.narration for scene in self.given.scenes if scene.narration]
        return self.asks_narration or any(
            one.recording is not None or can_be_spoken(spoken_text(one.text or "")) for one in given
        )

    @property
    def asks_narration(self) -> bool:
        """Whether the text model must write any narration."""
        return self.narrate and not all(map(self.narration_given, range(self.count)))

    def scene_given(self, index: int) -> PartialScene:
        """Return the parts of a scene that the user gave."""
        return self.given.scenes[index] if index < len(self.given.scenes) else PartialScene()

    @property
    def unpictured(self) -> list[int]:
        """The scenes that start neither from a picture that the user gave them nor from another scene's, and
        do not show the user's own material."""
        scenes = map(self.scene_given, range(self.count))
        return [
            index
            for index, scene in enumerate(scenes)
            if not (scene.first_frame or scene.continues or own_of(scene))
        ]

    @property
    def own(self) -> list[int]:
        """The scenes that show the user's own material."""
        return [index for index, scene in enumerate(self.given.scenes) if own_of(scene)]

    def narration_given(self, index: int) -> bool:
        narration = self.scene_given(index).narration
        return narration is not None and narration.text is not None

    def lengths(self) -> list[float | None]:
        """Return the seconds of each scene: as given, else an even share, in tenths, of the rest of the film;
        None: as long as its narration."""
        lengths = [self.scene_given(index).seconds for index in range(self.count)]
        if self.seconds is None or None not in lengths:
            return lengths
        sharing = [index for index, length in enumerate(lengths) if length is None]
        share, more = divmod(round(10 * (self.seconds - _total(lengths))), len(sharing))
        for place, index in enumerate(sharing):
            lengths[index] = (share + (place < more)) / 10
        return lengths

    def known_lengths(self) -> list[float | None]:
        """Return the seconds of each scene as far as they are known before its narration is spoken."""
        return [
            length_of(self.scene_given(index)) if length is None else length
            for index, length in enumerate(self.lengths())
        ]

    def expected(self) -> list[float]:
        """Return the seconds that each scene will probably last."""
        return [SCENE_SECONDS if length is None else length for length in self.known_lengths()]

    def check(self) -> None:
        """Raise InvalidRequest if the topic has no visible characters or fields contradict one another."""
        if not material(self.topic):
            raise InvalidRequest("topic is empty or contains only invisible characters.", param="topic")
        given = self.given.scenes
        if len(given) > self.count:
            raise InvalidRequest(
                f"scenes must be at least {len(given)}, the number of scenes in the storyboard; "
                f"got {self.count}.",
                param="scenes",
            )
        lengths = self.lengths()
        all_own = len(given) == self.count and all(scene.seconds for scene in given)
        if self.seconds is not None and all_own and abs(_total(lengths) - self.seconds) >= 0.05:
            raise InvalidRequest(
                f"seconds must be {_total(lengths):g}, the sum of the storyboard's scenes, or omitted; "
                f"got {self.seconds:g}.",
                param="seconds",
            )
        for index, length in enumerate(lengths):
            own = self.scene_given(index).seconds is not None
            written = self.narrate and not self.narration_given(index)
            least = SHORTEST_NARRATED if written else SHORTEST_SCENE
            if length is not None and length < least and (written or not own):
                what = "a scene with narration" if written else "a scene"
                if own:
                    raise InvalidRequest(
                        f"scenes[{index}].seconds must be at least {least} for {what}; got {length:g}.",
                        param=f"scenes[{index}].seconds",
                    )
                raise InvalidRequest(
                    f"seconds is too low: scene {index} would get {length:g} s, but {what} needs at least "
                    f"{least} s; raise seconds or reduce the number of scenes.",
                    param="seconds",
                )
        if len(given) == self.count and given[-1].meets_next:
            raise no_next(len(given) - 1)
        for index, scene in enumerate(given):
            if scene.narration and scene.narration.text is None and not self.narrate:
                path = f"scenes[{index}].narration.text"
                raise InvalidRequest(f"{path} is required when narrate is false.", param=path)

    def whole(self) -> Storyboard | None:
        """Return the storyboard with its scenes' lengths, if the user gave all of it; else None."""
        if len(self.given.scenes) < self.count or self.asks_narration:
            return None
        try:
            given = Storyboard.model_validate(self.given.given())
        except ValidationError:
            return None
        return given.timed(self.lengths())


def _total(lengths: Sequence[float | None]) -> float:
    return sum(length for length in lengths if length is not None)

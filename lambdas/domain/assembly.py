"""How clips are joined: the terms that requests, the storyboard and the media library share."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from lambdas.domain.film_format import Framing


class TransitionKind(StrEnum):
    """The transition between two clips that don't continue one another."""

    NONE = "none"  # a hard cut
    CROSSFADE = "crossfade"
    FADE = "fade"  # through black
    WIPE = "wipe"

    @property
    def overlaps(self) -> bool:
        """Whether both clips are visible at the same time, so that the film is shorter than their sum."""
        return self in (TransitionKind.CROSSFADE, TransitionKind.WIPE)


class ClipSound(StrEnum):
    """How loud the clips' own sound is in the film."""

    KEEP = "keep"  # as loud as speech
    DUCK = "duck"  # so too, but lowered while someone speaks
    DROP = "drop"  # not heard


class Fit(StrEnum):
    """How to scale a picture with another aspect ratio to the film's size."""

    FIT = "fit"  # show all of it, with black bars
    COVER = "cover"  # fill the frame and crop the rest
    BLUR = "blur"  # show all of it; a blurred copy that fills the frame is behind it
    STRETCH = "stretch"  # show all of it, distorted


# How a clip is framed, in the terms of a request.
FITS: Mapping[Framing, Fit] = {Framing.COVER: Fit.COVER, Framing.CONTAIN: Fit.FIT, Framing.BLUR: Fit.BLUR}


@dataclass(frozen=True)
class Transition:
    """A transition between two clips, `frames` long."""

    kind: TransitionKind
    frames: int

    @property
    def overlap(self) -> int:
        """The number of frames the two clips share."""
        return self.frames if self.kind.overlaps else 0

    @property
    def tail(self) -> int:
        """The number of frames it changes at the end of the earlier clip."""
        match self.kind:
            case TransitionKind.NONE:
                return 0
            case TransitionKind.FADE:
                return -(-self.frames // 2)
            case TransitionKind.CROSSFADE | TransitionKind.WIPE:
                return self.frames

    @property
    def head(self) -> int:
        """The number of frames it changes at the start of the later clip."""
        return self.frames - self.tail if self.kind is TransitionKind.FADE else self.tail

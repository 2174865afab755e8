"""How clips are put together: the words that requests, the storyboard and the media library share."""

from dataclasses import dataclass
from enum import StrEnum


class TransitionKind(StrEnum):
    """What lies between two clips that don't go on from one another."""

    NONE = "none"  # a hard cut
    CROSSFADE = "crossfade"
    FADE = "fade"  # through black
    WIPE = "wipe"

    @property
    def overlaps(self) -> bool:
        """Whether the two clips are shown at the same time, so that the film is shorter than their sum."""
        return self in (TransitionKind.CROSSFADE, TransitionKind.WIPE)


class Fit(StrEnum):
    """How a picture of other proportions is brought to the film's size."""

    FIT = "fit"  # all of it, black at its sides
    COVER = "cover"  # as much of it as fills the film's
    STRETCH = "stretch"  # all of it, out of proportion


@dataclass(frozen=True)
class Transition:
    """One between two clips, over that many frames."""

    kind: TransitionKind
    frames: int

    @property
    def overlap(self) -> int:
        """How many frames the two clips share."""
        return self.frames if self.kind.overlaps else 0

    @property
    def tail(self) -> int:
        """How many of the earlier clip's last frames it changes."""
        match self.kind:
            case TransitionKind.NONE:
                return 0
            case TransitionKind.FADE:
                return -(-self.frames // 2)
            case TransitionKind.CROSSFADE | TransitionKind.WIPE:
                return self.frames

    @property
    def head(self) -> int:
        """How many of the later clip's first frames it changes."""
        return self.frames - self.tail if self.kind is TransitionKind.FADE else self.tail

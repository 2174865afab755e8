"""Add transitions between clips, re-encoding only the frames around each joint."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from av.video.frame import VideoFrame

from lambdas.domain.assembly import Transition, TransitionKind
from lambdas.domain.errors import ClipsDiffer, TransitionTooLong
from lambdas.media.mp4.clip import Clip, blame, read_clip
from lambdas.media.mp4.merge import Piece
from lambdas.media.segments import check_decodable, decode, encode_segment, ends, starts
from lambdas.media.source import Source
from lambdas.media.transitions import transition

REVISION = "1"
"""Increment when the same clips and transitions produce other joints."""
_CUT = Transition(TransitionKind.NONE, 0)


def splice(
    pieces: Sequence[Piece],
    transitions: Sequence[Transition | None],
    keep: Callable[[int, Callable[[], bytes]], Source],
) -> list[Piece]:
    """Return the pieces with re-encoded joints between them, for `lay_out` to make the film with its
    transitions. `transitions[i]` is between pieces i and i + 1.

    A joint extends to the next keyframe, so a piece may also start at a frame that is not one.
    `keep(i, make)` returns the stored MP4 of the joint before piece i (the last one: after all pieces),
    calling `make` if it is not stored yet. A joint depends on the pieces on both sides, on its transition and
    the neighbouring ones, and on REVISION. Memory: a few frames and one encoded joint.

    Raises TransitionTooLong, ClipsDiffer and ClipUnreadable with the clip's index before anything is decoded;
    ClipUnreadable also later, for a damaged frame. Raises ValueError unless there is one transition between
    each two pieces.
    """
    between = [_CUT, *(one or _CUT for one in transitions), _CUT]
    if len(between) != len(pieces) + 1:
        raise ValueError(f"{len(pieces)} pieces need one transition between each two; got {len(transitions)}")
    parts = [
        _part(piece, before.head, after.tail)
        for piece, before, after in zip(pieces, between, between[1:], strict=False)
    ]
    joints = [
        _Joint(earlier, one, later, later or parts[-1])
        for earlier, one, later in zip([None, *parts], between, [*parts, None], strict=True)
    ]
    for joint in joints:
        joint.check()
    result: list[Piece] = []
    for index, joint in enumerate(joints):
        if joint.frames:
            result.append(Piece(keep(index, joint.encoded), joint.like.piece.clip, 0, joint.frames))
        if (part := joint.later) and part.copied < part.copied_to:
            result.append(Piece(part.piece.source, part.piece.clip, part.copied, part.copied_to))
    return result


@dataclass(frozen=True)
class _Part:
    """The frames of a piece. Frames from `start` belong to the transition before it, frames from `tail` to
    `stop` to the one after it. Frames from `copied` to `copied_to` are copied; those in between are
    re-encoded because decoding can't begin or end there."""

    piece: Piece
    clip: Clip
    start: int
    copied: int
    copied_to: int
    tail: int
    stop: int

    def decoded(self, start: int, stop: int) -> Iterator[VideoFrame]:
        with blame(self.piece.clip):
            yield from decode(self.piece.source, self.clip, start, stop)


def _part(piece: Piece, of_head: int, of_tail: int) -> _Part:
    with blame(piece.clip):
        clip = read_clip(piece.source)
    start, stop = piece.start, len(clip.shown) if piece.stop is None else piece.stop
    if not 0 <= start < stop <= len(clip.shown):
        raise ValueError(f"clip {piece.clip}: frames {start} to {stop} of {len(clip.shown)}")
    if of_head + of_tail > stop - start:
        raise TransitionTooLong(
            f"clip {piece.clip}: the transitions before and after it need {of_head} and {of_tail} frames; "
            f"together they may take at most its {stop - start}",
            clip=piece.clip,
        )
    head, tail = start + of_head, stop - of_tail
    copied = min((frame for frame in starts(clip) if frame >= head), default=tail)
    copied_to = max((frame for frame in ends(clip) if frame <= tail), default=copied)
    if copied >= copied_to:
        copied = copied_to = tail
    return _Part(piece, clip, start, copied, copied_to, tail, stop)


@dataclass(frozen=True)
class _Joint:
    """The re-encoded frames between two copied parts, with the settings of the part `like`. At either end of
    the film, one of the parts is missing."""

    earlier: _Part | None
    between: Transition
    later: _Part | None
    like: _Part

    @property
    def frames(self) -> int:
        earlier = self.earlier.stop - self.earlier.copied_to if self.earlier else 0
        later = self.later.copied - self.later.start if self.later else 0
        return earlier + later - self.between.overlap

    def check(self) -> None:
        """Raise ClipsDiffer for pictures that can't be encoded, or not together."""
        touched = [part for part in (self.earlier, self.later) if part] if self.frames else []
        for part in touched:
            with blame(part.piece.clip):
                check_decodable(part.clip)
                difference = touched[0].clip.picture.difference(part.clip.picture)
                if difference:
                    what, before, after = difference
                    raise ClipsDiffer(f"its {what} is {after}; that of the clip before it is {before}")

    def encoded(self) -> bytes:
        return encode_segment(self._pictures(), self.like.clip)

    def _pictures(self) -> Iterator[VideoFrame]:
        """Yield the joint's pictures. Each clip is decoded once, over the whole touched range."""
        ending: Iterator[VideoFrame] = iter(())
        beginning: Iterator[VideoFrame] = iter(())
        if self.later:
            beginning = self.later.decoded(self.later.start, self.later.copied)
        if self.earlier:
            ending = self.earlier.decoded(self.earlier.copied_to, self.earlier.stop)
            yield from islice(ending, self.earlier.tail - self.earlier.copied_to)
        yield from transition(self.between, ending, islice(beginning, self.between.head))
        yield from beginning

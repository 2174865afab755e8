"""Let a film's cuts fall on the beats of its music, as far as its scenes can be shorter or longer."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

from lambdas.domain.engines import Engine
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.film_plan import Scene
from lambdas.domain.planning import Shot, clip_lengths, least_frames, overlap_of
from lambdas.domain.video_request import VideoRequest

_MOST_NAMED = 5  # scenes
_NEAR = 4  # beats on either side that are tried


def on_beats(
    shots: Sequence[Shot | Scene], beats: Sequence[float], request: VideoRequest, engine: Engine
) -> tuple[list[Shot | Scene], list[int]]:
    """Return the shots with each cut on the beat nearest to where it would be, and the scenes, counted from
    0, whose end is on none. `beats`: in seconds of the film, in order.

    A scene has a place to be cut if its narration fits and it needs no more clips than before; what an engine
    renders beyond it, the film skips. Each scene keeps about its own length, so that a change of one scene
    moves the others by whole beats. A cut with a transition is in its middle. Scenes whose pictures exist
    already, a clip of the user's own, and those that the next one continues, keep their length.
    """
    overlap = overlap_of(request)
    frames = [round(beat * request.fps) - overlap // 2 for beat in beats]
    made: list[Shot | Scene] = []
    missed: list[int] = []
    start = 0
    for index, (shot, following) in enumerate(zip(shots, [*shots[1:], None], strict=True)):
        is_cut = following is not None and not following.continues
        length = _length(shot, overlap, is_cut=is_cut) if isinstance(shot, Scene) else shot.frames
        if is_cut:
            cut = _nearest(shot, frames, start, length, request, engine, overlap)
            if cut is None:
                missed.append(index)
            elif not isinstance(shot, Scene):
                shot = replace(shot, frames=cut)
                length = cut
        made.append(shot)
        start += length
    return made, missed


def beats_note(missed: Sequence[int], *, found: bool) -> str | None:
    """Return what could not be met, in words. `found`: whether the music has beats at all."""
    if not found:
        return f"{BEATS_NOTE} not on beats: the music has no regular ones."
    if not missed:
        return None
    more = f" and {len(missed) - _MOST_NAMED} more" if len(missed) > _MOST_NAMED else ""
    named = ", ".join(map(str, missed[:_MOST_NAMED])) + more
    return (
        f"{BEATS_NOTE} not on a beat after these scenes, counted from 0: {named}. Their narration or their "
        "clips leave no choice of length: give them other seconds, or fewer words."
    )


BEATS_NOTE = "Cuts are"
"""How the note begins."""


def _length(scene: Scene, overlap: int, *, is_cut: bool) -> int:
    """Return the frames from the start of the scene to the start of the next one."""
    joints = sum(clip.starts_from is None for clip in scene.clips[1:]) + is_cut
    return sum(clip.film_frames for clip in scene.clips) - overlap * joints


def _nearest(
    shot: Shot | Scene,
    cuts: Sequence[int],
    start: int,
    length: int,
    request: VideoRequest,
    engine: Engine,
    overlap: int,
) -> int | None:
    """Return how many frames the scene has up to the cut, from its frame `start` of the film; None if there
    is none."""
    at = bisect_left(cuts, start + length)
    near = sorted(
        (cut - start for cut in cuts[max(0, at - _NEAR) : at + _NEAR]), key=lambda cut: abs(cut - length)
    )
    if isinstance(shot, Scene) or shot.of or shot.sound_of or (shot.own and shot.own.footage):
        return length if length in near else None
    needs = max(shot.least, least_frames(request))
    for frames in near:
        if frames >= needs and _clips(request, engine, frames + overlap) <= _clips(
            request, engine, length + overlap
        ):
            return frames
    return None


def _clips(request: VideoRequest, engine: Engine, frames: int) -> float:
    try:
        return len(clip_lengths(request, engine, frames))
    except InvalidRequest:  # longer than any film
        return float("inf")

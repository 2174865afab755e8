"""A video's place among the clips that wait for an engine, and when it can be expected.

Turns go round the tenants that wait (lambdas/adapters/clip_queue.py): until a tenant has had some number of
turns, each other tenant gets as many, as long as it has clips, and one more if its turn comes earlier. So
the clips before a given one can be counted, if nobody else begins to wait.
"""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from lambdas.domain.engines import CATALOGUE, Renderer
from lambdas.domain.estimate import clip_work, whole_clips
from lambdas.domain.prices import Prices
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipState

_START_SECONDS = 480  # until the first of an endpoint's instances renders (docs/engines.md)
_POLLS = 10  # while it waits
_POLL_SECONDS = (1, 30)


class Line(NamedTuple):
    """What goes to an engine before a video's next clip. `before`: clips of the same tenant. `others`: of
    each other tenant, how many clips wait and whether its turn comes earlier. `clip_seconds`: how long the
    engine takes for its longest clip, as its last one showed; None: it has rendered none."""

    before: int
    others: Sequence[tuple[int, bool]]
    in_flight: int
    instances: int
    clip_seconds: float | None

    def clips_before(self, more: int = 0) -> int:
        """Return how many waiting clips go to the engine before the video's next one, or before the one
        that comes `more` of its clips later."""
        own = self.before + more
        return own + sum(min(waiting, own + earlier) for waiting, earlier in self.others)


class Wait(NamedTuple):
    """`position`: clips that wait before the video's next. `seconds`: until all its clips are rendered, None
    if unknown. `poll_seconds`: when to ask again."""

    position: int
    seconds: int | None
    poll_seconds: float


def waits(video: Video) -> bool:
    """Return whether a video waits for its engine: its clips are being rendered, but none of them now."""
    states = {clip.state for clip in video.clips}
    at_endpoint = CATALOGUE[video.request.engine].renderer is Renderer.ENDPOINT
    return (
        video.stage is Stage.RENDERING
        and at_endpoint
        and ClipState.WAITING in states
        and ClipState.RENDERING not in states
    )


def wait(video: Video, line: Line, prices: Prices) -> Wait:
    """Return how long a video waits, if nobody else begins to: for the clips in flight, those before its
    last one, and that one, each as long as its own."""
    left = [clip for clip in video.clips if clip.state is not ClipState.DONE]
    position = line.clips_before()
    took = _clip_seconds(video, line, prices, sum(clip.seconds for clip in left) / len(left))
    if took is None:
        return Wait(position, None, _bounded(position))
    clips = line.in_flight + line.clips_before(len(left) - 1) + 1
    start = _START_SECONDS if not line.instances and prices.has_instance(video.request.engine) else 0
    seconds = start + ceil(clips / max(1, line.instances)) * took
    return Wait(position, ceil(seconds), _bounded(seconds / _POLLS))


def _clip_seconds(video: Video, line: Line, prices: Prices, film_seconds: float) -> float | None:
    request, engine = video.request, CATALOGUE[video.request.engine]
    length = film_seconds / engine.longest_clip
    if line.clip_seconds is None:
        return clip_work(engine, prices, length, request.speed, request.steps)
    return line.clip_seconds * whole_clips(engine, length, request.speed, request.steps)


def _bounded(seconds: float) -> float:
    least, most = _POLL_SECONDS
    return min(max(least, seconds), most)

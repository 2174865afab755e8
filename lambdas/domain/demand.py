"""Estimate what a film asks of its tenant's quotas, before it is planned."""

from collections.abc import Sequence
from fractions import Fraction

from lambdas.domain.brief import SCENE_SECONDS
from lambdas.domain.engines import Engine, Renderer, Speed
from lambdas.domain.planning import clip_lengths
from lambdas.domain.prices import Prices
from lambdas.domain.quotas import Demand, amount
from lambdas.domain.video_request import OriginKind, VideoRequest

# Seconds that an engine works on its longest clip, on the first instance type of cdk.json (docs/engines.md);
# an engine that is not listed runs on the user's own PC.
_CLIP_SECONDS = {
    "cogvideox-2b": 75,
    "cogvideox-5b": 209,
    "cogvideox-5b-i2v": 209,
    "cogvideox-1.5-5b": 2905,
    "cogvideox-1.5-5b-i2v": 2905,
}
_LESS_COMPUTE = {Speed.EXACT: 1.0, Speed.BALANCED: 1.84, Speed.FAST: 2.48}  # docs/engines.md
_DRAW_SECONDS = 6  # of the function that draws an animatic's clip of 6 s at 1280x720, on two cores of a PC
_DRAW_MB = 3008  # cdk/functions.py
_LETTERS_PER_SECOND = 15  # 2.5 words, with the space after each


def demand_of(request: VideoRequest, engine: Engine, prices: Prices, *, done: int = 0) -> Demand:
    """Return the clips to render and their estimated cost, with voices and stills. What a text model and the
    assembly cost is far less and left out, as is everything whose price is unknown.

    `done`: clips that an earlier attempt has rendered.
    """
    scenes = _scenes(request)
    clips = sum(len(clip_lengths(request, engine, frames)) for frames in scenes)
    rendered = max(0, clips - done)
    costs = [_clip_cost(request, engine, prices, rendered)]
    if request.brief is not None and not done:
        if request.stills is not None:
            costs.append(_times(prices.still(request.stills.quality), len(scenes)))
        if request.brief.narrated:
            letters = _LETTERS_PER_SECOND * sum(scenes) // request.fps
            costs.append(prices.narration(request.voice.engine or "neural", letters))
    return Demand(rendered, amount(sum(cost for cost in costs if cost is not None)))


def _scenes(request: VideoRequest) -> Sequence[int]:
    """Return the frames of each scene that is rendered."""
    origin = request.origin
    if origin is not None and origin.kind is OriginKind.EXTEND and origin.seconds is not None:
        return [origin.seconds * request.fps]
    if origin is not None and origin.frames is not None:
        return [origin.frames]
    if request.brief is None:
        return [request.frames]
    lengths = (SCENE_SECONDS if length is None else length for length in request.brief.lengths())
    return [int(Fraction(str(length)) * request.fps) for length in lengths]


def _clip_cost(request: VideoRequest, engine: Engine, prices: Prices, clips: int) -> float | None:
    if engine.renderer is Renderer.FUNCTION:
        return _times(prices.function_second(_DRAW_MB), clips * _DRAW_SECONDS)
    seconds = _CLIP_SECONDS.get(engine.name, 0) / _LESS_COMPUTE[request.speed or Speed.EXACT]
    if request.steps and engine.steps:
        seconds *= request.steps / engine.steps
    return _times(prices.instance_second(engine.name), clips * seconds)


def _times(price: float | None, count: float) -> float | None:
    return None if price is None else price * count

"""Estimate what a film takes before it is planned: its clips, what each part costs, and how long it takes.

What is left out is small: the description of a character's picture, a storyboard that needs a second
question, failed tries. What a remix, edit or extension reuses costs nothing, and is known once it is planned.
"""

import json
from collections.abc import Collection, Sequence
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from lambdas.domain.assembler import LONGEST_IN_A_FUNCTION, seconds_to_join
from lambdas.domain.assembly import ClipSound, TransitionKind
from lambdas.domain.brief import Brief
from lambdas.domain.engines import CATALOGUE, TURBO_STEPS, Engine, Renderer, Speed
from lambdas.domain.errors import MaxCostExceeded
from lambdas.domain.film_plan import Clip, FilmPlan
from lambdas.domain.opinions import ANSWER_TOKENS, ASKED_TOKENS
from lambdas.domain.planning import clip_lengths
from lambdas.domain.prices import Makers, Prices, of_work, total
from lambdas.domain.prompts import system_prompt
from lambdas.domain.quotas import Demand, amount
from lambdas.domain.second_tries import MOST
from lambdas.domain.storyboard import CARD_SECONDS
from lambdas.domain.storyboard_questions import storyboard_question
from lambdas.domain.video_request import OnWarning, OriginKind, VideoRequest

# Seconds that an engine works on its longest clip, on the first instance type of cdk.json, or the default one
# (docs/engines.md).
_CLIP_SECONDS = {
    "cogvideox-2b": 75,
    "cogvideox-5b": 209,
    "cogvideox-5b-i2v": 209,
    "cogvideox-1.5-5b": 2905,
    "cogvideox-1.5-5b-i2v": 2905,
    "wan2.1-t2v-1.3b": 178,
    "wan2.1-t2v-14b": 1054,
    "wan2.1-i2v-14b-480p": 843,
    "wan2.1-i2v-14b-720p": 1738,
    "wan2.1-flf2v-14b": 1900,
    "wan2.2-ti2v-5b": 325,
    "wan2.2-t2v-a14b": 843,
    "wan2.2-i2v-a14b": 843,
    "ltx-2-19b": 979,
    "ltx-2-19b-distilled": 100,
    "ltx-2.3-22b": 1470,
    "ltx-2.3-22b-distilled": 100,
}
# docs/engines.md; turbo renders 4 steps without guidance instead of 40 or 50 with it.
_LESS_COMPUTE = {Speed.EXACT: 1.0, Speed.BALANCED: 1.84, Speed.FAST: 2.48, Speed.TURBO: 20.0}
_DRAW_SECONDS = 6  # of the function that draws an animatic's clip of 6 s at 1280x720, on two cores of a PC
_DRAW_MB, _ASSEMBLE_MB = 3008, 2048  # cdk/functions.py
_DRAWN_AT_ONCE = 6  # clips of a scene, by the default of the setting `at_once`
_LETTERS_PER_SECOND = 15  # 2.5 words, with the space after each
_LETTERS_PER_TOKEN = 4  # of English, and of the JSON of a tool
_ENHANCED_TOKENS = 250  # of an enhanced prompt: as much as an engine reads
# Seconds of an answer of the text model, of a scene's voice and its still, four scenes at a time; and of all
# steps that take no time worth counting, together.
_STORYBOARD_SECONDS, _PROMPT_SECONDS, _SCENE_SECONDS, _OTHER_SECONDS = 20, 8, 12, 5
_SCENES_AT_ONCE = 4


class Cost(NamedTuple):
    """USD of a part of a film; None: unknown, and `why`. A part that the film doesn't have costs 0."""

    usd: float | None
    why: str | None = None


NOTHING = Cost(0.0)


class Costs(NamedTuple):
    writing: Cost
    narration: Cost
    stills: Cost
    clips: Cost
    vision: Cost
    assembly: Cost

    @property
    def known(self) -> float:
        """USD of the parts whose cost is known."""
        return total(cost.usd for cost in self if cost.usd is not None) or 0.0

    @property
    def unknown(self) -> str | None:
        """The first part whose cost is unknown, and why."""
        return next((f"{name}: {cost.why}" for name, cost in self._asdict().items() if cost.why), None)


class Estimate(NamedTuple):
    """`clips`: for the engine to render. `took`: seconds until it is made, on one instance
    that is ready and has nothing else to do; None: unknown, and `why`."""

    clips: int
    costs: Costs
    took: float | None
    why: str | None
    again: int = 0  # clips that may be rendered once more, because they warn

    @property
    def highest_cost(self) -> float:
        """USD of the parts whose cost is known, if every clip is rendered, and looked at, once more that may
        be."""
        clips = total([self.costs.clips.usd or 0.0, self.costs.vision.usd or 0.0]) or 0.0
        again = clips * self.again / self.clips if self.again else 0.0
        return total([self.costs.known, again]) or 0.0

    @property
    def demand(self) -> Demand:
        """What the film asks of its tenant's quotas at most. What is unknown counts nothing."""
        return Demand(self.clips + self.again, amount(self.highest_cost))


def estimate(request: VideoRequest, engine: Engine, makers: Makers, *, done: int = 0) -> Estimate:
    """Estimate a film. `done`: clips that an earlier attempt has rendered; its texts, voices and stills are
    then reused, too."""
    scenes, own = _scenes(request), _own(request)
    lengths = [
        [frames] if index in own else clip_lengths(request, engine, frames)
        for index, frames in enumerate(scenes)
    ]
    clips = sum(map(len, lengths))
    share = Fraction(max(0, clips - done), clips)
    spoken = sum(frames for index, frames in enumerate(scenes) if index not in own)
    by_engine = [one for index, one in enumerate(lengths) if index not in own]
    rendered = ceil(share * sum(map(len, by_engine)))
    full = share * Fraction(sum(map(sum, by_engine)), engine.longest_clip * request.fps)
    rendering = clip_work(engine, makers.prices, float(full), request.speed, request.steps) if full else 0.0
    drawing = float(share * len(own)) * _DRAW_SECONDS
    joining = _joining(request, engine, scenes, lengths)
    costs = Costs(
        writing=NOTHING if done else _writing(request, engine, makers),
        narration=NOTHING if done else _narration(request, spoken, makers),
        stills=NOTHING if done else _stills(request, makers.prices),
        clips=_clips_cost(engine, makers.prices, rendering, drawing),
        vision=_vision(request, rendered, makers),
        assembly=_priced(assembly_cost(makers.prices, joining), "no price of a function or build is set"),
    )
    took = None
    if rendering is not None:
        side_by_side = _DRAWN_AT_ONCE if engine.renderer is Renderer.FUNCTION and not engine.chained else 1
        at_once = min(side_by_side, max(1, rendered))
        took = (
            rendering / at_once
            + drawing / _DRAWN_AT_ONCE
            + joining
            + _OTHER_SECONDS
            + (0 if done else _preparing(request))
        )
    again = min(rendered, MOST) if request.on_warning is OnWarning.RETRY_ONCE else 0
    return Estimate(rendered, costs, took, None if took is not None else _no_time(engine), again)


def check_cost(request: VideoRequest, estimate: Estimate) -> None:
    """Raise MaxCostExceeded if a film would cost more than it may, or nobody knows. A film made from another
    video may reuse its parts, so it is only stopped once it is planned."""
    if request.max_cost is None:
        return
    costs = estimate.costs
    if costs.unknown:
        raise MaxCostExceeded(
            f"max_cost can't be kept, because a cost is unknown ({costs.unknown}); omit max_cost, or have "
            "the operator set the price (prices in cdk.json).",
            param="max_cost",
        )
    remade = request.origin is not None and request.origin.video is not None
    if not remade and costs.known > request.max_cost:
        parts = ", ".join(f"{name} {cost.usd:.4f}" for name, cost in costs._asdict().items() if cost.usd)
        raise MaxCostExceeded(
            f"max_cost is {request.max_cost:g} USD, but this film costs an estimated {costs.known:.4f} USD "
            f"({parts}); raise max_cost, make the film shorter, or choose another engine.",
            param="max_cost",
        )


def clip_work(
    engine: Engine, prices: Prices, clips: float, speed: Speed | None = None, steps: int | None = None
) -> float | None:
    """Return the seconds of work on that many of the engine's longest clips; None if unknown.

    The known times of engines on endpoints are of instances. An engine whose instance has no price of its own
    in the list runs elsewhere: on a user's PC, say.
    """
    if engine.renderer is Renderer.FUNCTION:
        return clips * _DRAW_SECONDS
    if engine.name not in _CLIP_SECONDS or not prices.has_instance(engine.name):
        return None
    return _CLIP_SECONDS[engine.name] * whole_clips(engine, clips, speed, steps)


def whole_clips(engine: Engine, clips: float, speed: Speed | None, steps: int | None) -> float:
    """Return how many of the engine's longest clips, exact and with its usual steps, are as much work."""
    exact = clips / _LESS_COMPUTE[speed or Speed.EXACT]
    usual = TURBO_STEPS if speed is Speed.TURBO else engine.steps
    return exact * steps / usual if steps and usual else exact


def clip_second(engine: Engine, prices: Prices) -> float | None:
    """Return the cost of a second of work on an engine's clips."""
    if engine.renderer is Renderer.FUNCTION:
        return prices.function_second(_DRAW_MB)
    return prices.instance_second(engine.name)


def share_of_longest(plan: FilmPlan, clip: Clip) -> float:
    """Return how long a clip of a plan is, beside its engine's longest."""
    return clip.film_frames / (CATALOGUE[plan.engine].longest_clip * plan.fps)


def planned_clip_cost(plan: FilmPlan, clip: Clip, prices: Prices) -> float | None:
    """Return the cost of rendering one clip of a plan, in USD; None if unknown."""
    if clip.is_own:
        return of_work(prices.function_second(_DRAW_MB), _DRAW_SECONDS)
    engine, length = CATALOGUE[plan.engine], share_of_longest(plan, clip)
    return of_work(clip_second(engine, prices), clip_work(engine, prices, length, plan.speed, plan.steps))


def assembly_cost(prices: Prices, seconds: float) -> float | None:
    """Return the cost of an assembly that takes a function so many seconds, in USD; None if unknown."""
    in_function = seconds <= LONGEST_IN_A_FUNCTION
    return of_work(prices.function_second(_ASSEMBLE_MB) if in_function else prices.build_second(), seconds)


def _scenes(request: VideoRequest) -> Sequence[int]:
    """Return the frames of each scene that is rendered."""
    origin = request.origin
    if origin is not None and origin.kind is OriginKind.EXTEND and origin.seconds is not None:
        return [origin.seconds * request.fps]
    if origin is not None and origin.frames is not None:
        return [origin.frames]
    ends = _ends(request)
    if request.brief is None:
        return [request.frames, *ends]
    return [*(int(Fraction(str(length)) * request.fps) for length in request.brief.expected()), *ends]


def _ends(request: VideoRequest) -> Sequence[int]:
    """Return the frames of the brand's intro and outro, which a film made from another reuses."""
    if request.brand is None or request.origin is not None:
        return ()
    ends = (one for one in (request.brand.intro, request.brand.outro) if one is not None)
    return [int(Fraction(str(one.seconds or CARD_SECONDS)) * request.fps) for one in ends]


def _own(request: VideoRequest) -> Collection[int]:
    """Return which of the scenes no engine renders, because they show the user's own material."""
    if request.origin is not None:
        return ()
    before = 1 if request.brief is None else request.brief.count
    own = () if request.brief is None else request.brief.own
    return [*own, *range(before, before + len(_ends(request)))]


# --- costs


def _priced(usd: float | None, why: str) -> Cost:
    return Cost(None, why) if usd is None else Cost(usd)


def _writing(request: VideoRequest, engine: Engine, makers: Makers) -> Cost:
    """Return the cost of a storyboard, or of an enhanced prompt."""
    brief = request.brief
    model = makers.text_model
    if brief is not None and _is_written(request, brief):
        question = storyboard_question(brief, engine.prompt_tokens)
        asked = f"{question.system}{question.message}{json.dumps(question.tool.schema)}"
        answered = question.answer_tokens // 2  # it allows twice what English takes
        model = request.writing.model or model
    elif brief is None and request.enhance:
        asked, answered = system_prompt(engine) + request.prompt, _ENHANCED_TOKENS
    else:
        return NOTHING
    usd = makers.prices.text(model, len(asked) // _LETTERS_PER_TOKEN, answered)
    return _priced(usd, f"no price of the text model {model} is set")


def _is_written(request: VideoRequest, brief: Brief) -> bool:
    return request.origin is not None or brief.whole() is None


def _narration(request: VideoRequest, frames: int, makers: Makers) -> Cost:
    """Return the cost of the narration of so many frames. Few of the user's own scenes have some."""
    if request.brief is None or not request.brief.narrated:
        return NOTHING
    engine = request.voice.engine or makers.voice_engine
    spoken = _LETTERS_PER_SECOND * frames // request.fps
    letters = spoken * (2 if request.times_words else 1)  # the times are billed as speech is
    return _priced(makers.prices.narration(engine, letters), f"no price of the voice engine {engine} is set")


def _vision(request: VideoRequest, clips: int, makers: Makers) -> Cost:
    if not request.vision_check:
        return NOTHING
    usd = makers.prices.text(makers.text_model, ASKED_TOKENS, ANSWER_TOKENS)
    return _priced(of_work(usd, clips), f"no price of the text model {makers.text_model} is set")


def _stills(request: VideoRequest, prices: Prices) -> Cost:
    if request.brief is None or request.stills is None:
        return NOTHING
    unpictured, own = request.brief.unpictured, request.brief.own
    opening = next((index for index in range(request.brief.count) if index not in own), None)
    drawn = sum(index != opening or request.image is None for index in unpictured)
    quality = request.stills.quality
    return _priced(of_work(prices.still(quality), drawn), f"no price of a {quality} still is set")


def _clips_cost(engine: Engine, prices: Prices, seconds: float | None, drawing: float) -> Cost:
    """Return the cost of so many seconds of the engine's work, and of `drawing` cards and converting the
    user's clips in a function."""
    drawn = of_work(prices.function_second(_DRAW_MB), drawing) if drawing else 0.0
    if drawn is None:
        return Cost(None, "no price of a function is set")
    if seconds == 0:
        return Cost(drawn)
    second = clip_second(engine, prices)
    if second is None:
        return Cost(None, f"no price of the instance of engine {engine.name} is set")
    rendered = of_work(second, seconds)
    return _priced(None if rendered is None else rendered + drawn, _no_time(engine))


def _no_time(engine: Engine) -> str:
    return f"it is not known how long engine {engine.name} takes for a clip here"


# --- times


def _preparing(request: VideoRequest) -> float:
    if request.brief is None:
        return _PROMPT_SECONDS if request.enhance else 0
    writing = _STORYBOARD_SECONDS if _is_written(request, request.brief) else 0
    made = request.brief.narrated or request.stills is not None
    return writing + (_SCENE_SECONDS * ceil(request.brief.count / _SCENES_AT_ONCE) if made else 0)


def _joining(
    request: VideoRequest, engine: Engine, scenes: Sequence[int], lengths: Sequence[Sequence[int]]
) -> float:
    """Return the seconds that a function takes to assemble the film and its further shapes."""
    clips = sum(map(len, lengths))
    within = clips - len(scenes)  # joints between clips of a scene
    cut = request.transition is TransitionKind.NONE
    encoded = 0 if cut else len(scenes) - 1 + (0 if engine.chained else within)
    continued = within if engine.chained else 0
    logo = request.brand is not None and request.brand.logo is not None
    lettered = sum(scenes) if request.burn_captions or logo else 0
    film = request.width, request.height
    return sum(
        seconds_to_join(
            size,
            request.fps,
            frames=sum(scenes),
            clips=clips,
            joints=encoded + (continued if request.even_out else 0),
            within_joints=0 if cut else encoded * round(request.transition_seconds * request.fps),
            lettered=lettered,
            continued=continued,
            mixed=request.music is not None or (request.brief is not None and request.brief.narrated),
            heard=(engine.sound or bool(_own(request))) and request.clip_sound is not ClipSound.DROP,
            stems=request.stems and not shaped,
            shaped=shaped,
        )
        for size, shaped in ((film, False), *((shape.size(film), True) for shape in request.shapes))
    )

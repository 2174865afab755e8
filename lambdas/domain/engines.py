"""The catalogue of engines: what each supports, so that requests are checked before anything is queued.

Sources: the CogVideoX model cards (sizes, frame rules, fps, prompt tokens); for Wan and LTX-2, those of
containers/diffusion/families/wan.py and ltx.py.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from lambdas.domain import film_format
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.film_format import Size
from lambdas.domain.licences import LicenceName


class Renderer(StrEnum):
    """Where an engine runs."""

    FUNCTION = "function"  # a Lambda task
    ENDPOINT = "endpoint"  # a SageMaker async endpoint


class Speed(StrEnum):
    """How fast an engine renders; only `exact` skips nothing (docs/engines.md)."""

    EXACT = "exact"
    BALANCED = "balanced"
    FAST = "fast"
    TURBO = "turbo"  # a few steps, with an adapter trained for them


TURBO_STEPS = 4

# Those that need no adapter.
SPEEDS = (Speed.EXACT, Speed.BALANCED, Speed.FAST)


class ExactSizes(BaseModel):
    """The only sizes that an engine renders."""

    model_config = ConfigDict(frozen=True)
    kind: Literal["exact"] = "exact"
    sizes: tuple[tuple[int, int], ...]  # (width, height) in pixels, the default first

    @property
    def default(self) -> tuple[int, int]:
        return self.sizes[0]

    def allows(self, width: int, height: int) -> bool:
        return (width, height) in self.sizes

    def near(self, shape: Fraction) -> Iterable[Size]:
        """Return the sizes that may be the nearest to that shape (width ÷ height)."""
        return self.sizes

    def describe(self) -> str:
        return ", ".join(f"{w}x{h}" for w, h in self.sizes)


class SizeRange(BaseModel):
    """Bounds on the sides of the sizes that an engine renders."""

    model_config = ConfigDict(frozen=True)
    kind: Literal["range"] = "range"
    default: tuple[int, int]
    short_side: tuple[int, int]  # inclusive bounds of the shorter side, pixels
    long_side: tuple[int, int]
    multiple: int  # both sides must be multiples of this

    def allows(self, width: int, height: int) -> bool:
        short, long = sorted((width, height))
        return (
            self.short_side[0] <= short <= self.short_side[1]
            and self.long_side[0] <= long <= self.long_side[1]
            and width % self.multiple == 0
            and height % self.multiple == 0
        )

    def near(self, shape: Fraction) -> Iterable[Size]:
        """Yield the sizes that may be the nearest to that shape (width ÷ height)."""
        bounds = (*self.short_side, *self.long_side)
        sides = range(min(bounds), max(bounds) + 1)
        for width in sides[:: self.multiple]:
            below = int(width / shape) // self.multiple * self.multiple
            for height in {below, below + self.multiple, *bounds}:
                if self.allows(width, height):
                    yield width, height

    def describe(self) -> str:
        short = _span(self.short_side)
        long = _span(self.long_side)
        return f"shorter side {short}, longer side {long} pixels, each a multiple of {self.multiple}"


def _takes_image(engine: "Engine") -> bool:
    return engine.image != "none"


def _takes_last_image(engine: "Engine") -> bool:
    return engine.last_image != "none"


def _span(bounds: tuple[int, int]) -> str:
    return str(bounds[0]) if bounds[0] == bounds[1] else f"{bounds[0]} to {bounds[1]}"


# Request fields that a workflow may have no node for.
OPTIONAL = ("negative_prompt", "steps", "guidance")


class Workflow(BaseModel):
    """The inputs of the user's workflow; its JSON is the template's parameter `Workflow`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    revision: str  # changes with the workflow's file
    takes: tuple[str, ...]  # the names in the titles of its nodes (docs/comfyui.md)


class Engine(BaseModel):
    """The inputs, outputs and limits of one engine."""

    model_config = ConfigDict(frozen=True)

    name: str
    revision: str  # part of every clip's content address: a new revision renders every clip again
    renderer: Renderer
    summary: str
    draft: bool = False  # renders a stand-in for the film, for trials and reviews
    # What it renders; a film of another size or frame rate is made from the nearest as the clip is exported.
    sizes: Annotated[ExactSizes | SizeRange, Field(discriminator="kind")]
    fps: tuple[int, ...]  # the default first
    draws_any: bool = False  # it renders every size and frame rate that a film may have
    frame_step: int  # an engine renders frame_step × N + 1 frames (1: any number)
    longest_clip: int  # most seconds of film in one clip
    prompt_tokens: int  # the budget of the engine's text encoder
    image: Literal["none", "optional", "required"]  # a first frame
    last_image: Literal["none", "optional", "required"] = "none"  # a last frame; of scenes, of each one
    audio: Literal["none", "required"] = "none"  # the clip's speech, which the pictures follow
    video: Literal["none", "optional"] = "none"  # pictures whose composition and motion it keeps
    sound: bool = False  # its clips may have sound of their own
    workflow: bool = False  # rendered by a workflow of the user's ComfyUI, so only on a PC
    refuses: tuple[str, ...] = ()  # the fields of OPTIONAL that it ignores
    chained: bool = False  # a scene's next clip starts from the last frame of the previous one
    steps: int | None = None  # the default number of denoising steps
    least_steps: int = 1
    speeds: tuple[Speed, ...] = ()  # the speeds a request may choose; empty: the speed is fixed
    loras: bool = False  # supports the LoRA adapters in its model's folder
    licences: tuple[LicenceName, ...] = ()  # those that must be accepted (lambdas/domain/licences.py)

    def check(
        self,
        *,
        width: int,
        height: int,
        fps: int,
        image: bool,
        offered: frozenset[str],
        workflow: str = "",
        speed: Speed | None = None,
        loras: bool = False,
        last_image: bool = False,
        scenes: bool = False,
        sound: str | None = None,
        steps: int | None = None,
    ) -> None:
        """Check a request against this engine's limits and the film's (lambdas/domain/film_format.py). What
        each of the `scenes` of a film needs is checked by `planning.check_pictures`. `sound` and `steps`:
        the field that asks for sound of clips, and the steps, if given.

        `offered` names the engines of this deployment, `workflow` is its parameter of that name. Raises
        InvalidRequest that names the field and what this engine allows, or an offered engine that supports
        it.
        """
        if not film_format.is_film_size(width, height) and not self.sizes.allows(width, height):
            nearest = film_format.nearest_film_size(width, height)
            raise InvalidRequest(
                f"size must be {film_format.SIZES}, or one that engine {self.name} renders "
                f"({self.sizes.describe()}); got {width}x{height}. "
                f"The nearest is {nearest[0]}x{nearest[1]}.",
                param="size",
            )
        slowest, fastest = film_format.RATE
        if not slowest <= fps <= fastest:
            raise InvalidRequest(
                f"fps must be a whole number from {film_format.RATES}; got {fps}. "
                f"The nearest is {min(max(fps, slowest), fastest)}.",
                param="fps",
            )
        engines = [deployed(name, workflow) for name in CATALOGUE if name in offered]
        for given, taken_by, what, param in (
            (image, _takes_image, "an input image", "input_reference"),
            (last_image, _takes_last_image, "a last frame", "last_frame"),
            (speed is not None, lambda e: speed in e.speeds, f"speed {speed}", "speed"),
            (loras, lambda e: e.loras, "LoRA adapters", "loras"),
            (sound is not None, lambda e: e.sound, "sound of its clips", sound or ""),
        ):
            if given:
                self._require(taken_by, what, param, engines)
        if not image and self.image == "required":
            raise InvalidRequest(
                f"engine {self.name} requires an image; send one as input_reference.",
                param="input_reference",
            )
        if steps is not None and steps < self.least_steps:
            raise InvalidRequest(
                f"steps must be at least {self.least_steps} with engine {self.name}; got {steps}. "
                f"The nearest is {self.least_steps}.",
                param="steps",
            )
        if self.last_image == "required" and not last_image and not scenes:
            raise InvalidRequest(
                f"engine {self.name} requires a last frame; send one as last_frame.", param="last_frame"
            )

    def check_frame(
        self, param: str, *, last: bool, offered: frozenset[str] = frozenset(), workflow: str = ""
    ) -> None:
        """Check that a scene can start from, or end on (`last`), the picture that the field `param` gives.
        Raises InvalidRequest, as `check` does."""
        engines = [deployed(name, workflow) for name in CATALOGUE if name in offered]
        taken_by, what = (_takes_last_image, "a last frame") if last else (_takes_image, "an input image")
        self._require(taken_by, what, param, engines)

    def _require(
        self, taken_by: Callable[["Engine"], bool], what: str, param: str, offered: Iterable["Engine"]
    ) -> None:
        if taken_by(self):
            return
        others = ", ".join(engine.name for engine in offered if taken_by(engine))
        raise InvalidRequest(
            f"engine {self.name} does not support {what}; omit {param}"
            + (f" or choose an engine that does: {others}." if others else "."),
            param=param,
        )

    def size_of_shape(self, shape: Fraction) -> Size:
        """Return the film's size of that shape (width ÷ height) nearest to this engine's usual pixels."""
        if Fraction(*self.sizes.default) == shape:
            return self.sizes.default
        return film_format.size_of_shape(shape, self.sizes.default)

    def rendered_size(self, film: Size) -> Size:
        """Return the size at which it renders a film of that size: the nearest by shape, then by pixels."""
        if self.draws_any or self.sizes.allows(*film):
            return film
        shape, pixels = Fraction(*film), film[0] * film[1]
        cuts = {size: film_format.cut_share(size, shape) for size in self.sizes.near(shape)}
        shown = (1 - min(cuts.values())) * (1 - film_format.SAME_SHAPE)
        return min(
            (size for size, cut in cuts.items() if 1 - cut >= shown),
            key=lambda size: (abs(math.log(size[0] * size[1] / pixels)), cuts[size]),
        )

    def rendered_fps(self, fps: int) -> int:
        """Return the rate at which it renders a film of that rate: half of it if it can, so that every frame
        is shown twice, else the nearest."""
        if self.draws_any or fps in self.fps:
            return fps
        if fps % 2 == 0 and fps // 2 in self.fps:
            return fps // 2
        return min(self.fps, key=lambda rate: (abs(rate - fps), -rate))

    def by(self, workflow: Workflow) -> "Engine":
        """Return the engine with the inputs and revision of that workflow."""
        image = "image" in workflow.takes
        return self.model_copy(
            update={
                "revision": f"{self.revision}-{workflow.revision}",
                "image": "required" if image else "none",
                "last_image": "optional" if "last_image" in workflow.takes else "none",
                "audio": "required" if "audio" in workflow.takes else "none",
                # The sound of a clip that follows speech is that speech, which the film has anyway.
                "sound": "audio" not in workflow.takes,
                "chained": image,
                "refuses": tuple(name for name in OPTIONAL if name not in workflow.takes),
            }
        )

    def frames_to_render(self, frames: int) -> int:
        """Return the smallest number of frames the engine can render that holds `frames` after the first
        one, which a chained clip shares with the previous clip."""
        if self.frame_step == 1:
            return frames
        return math.ceil(frames / self.frame_step) * self.frame_step + 1


_SD = ExactSizes(sizes=((720, 480),))
_NANO = ExactSizes(sizes=((96, 64),))


def _cogvideox(name: str, summary: str, image: Literal["none", "required"], **limits: object) -> Engine:
    """Build a CogVideoX entry.

    CogVideoX 1.0 renders 8N+1 ≤ 49 frames at 8 fps, 1.5 renders 16N+1 ≤ 161 at 16 fps (model cards): 6 and
    10 seconds of film, plus one frame for the join.
    """
    defaults: dict[str, object] = {
        "sizes": _SD,
        "fps": (8,),
        "frame_step": 8,
        "longest_clip": 6,
        "prompt_tokens": 226,
        "steps": 50,
        "speeds": SPEEDS,
        "loras": True,
    }
    return Engine.model_validate(
        {
            "name": name,
            "revision": "1",
            "renderer": Renderer.ENDPOINT,
            "summary": summary,
            "image": image,
            "video": "optional" if image == "none" else "none",
            "chained": image == "required",
            **defaults,
            **limits,
        }
    )


_1_5 = {"fps": (16,), "frame_step": 16, "longest_clip": 10, "prompt_tokens": 224}


_P480: tuple[Size, ...] = ((832, 480), (480, 832), (624, 624))
_P720: tuple[Size, ...] = ((1280, 720), (720, 1280), (960, 960))


def _wan(
    name: str,
    summary: str,
    image: Literal["none", "optional", "required"],
    sizes: tuple[Size, ...],
    *,
    turbo: bool = False,
    **limits: object,
) -> Engine:
    """Build a Wan entry: 4N+1 frames, up to 81 at 16 fps, which are 5 seconds of film and one frame for the
    join."""
    defaults: dict[str, object] = {"fps": (16,), "steps": 50 if image == "none" else 40}
    return Engine.model_validate(
        {
            "name": name,
            "revision": "1",
            "renderer": Renderer.ENDPOINT,
            "summary": summary,
            "sizes": ExactSizes(sizes=sizes),
            "frame_step": 4,
            "longest_clip": 5,
            "prompt_tokens": 512,
            "image": image,
            "chained": image != "none",
            "speeds": (*SPEEDS, Speed.TURBO) if turbo else SPEEDS,
            "loras": True,
            **defaults,
            **limits,
        }
    )


def _ltx(name: str, summary: str, **changes: object) -> Engine:
    """Build an LTX-2 entry: 8N+1 frames at 24 or 25 fps, up to 20 s of film, plus one frame for the join."""
    return Engine.model_validate(
        {
            "name": name,
            "revision": "1",
            "renderer": Renderer.ENDPOINT,
            "summary": summary,
            "sizes": SizeRange(
                default=(1024, 576), short_side=(256, 736), long_side=(256, 1280), multiple=32
            ),
            "fps": (24, 25),
            "frame_step": 8,
            "longest_clip": 20,
            "prompt_tokens": 1024,
            "image": "optional",
            "last_image": "optional",
            "sound": True,
            "chained": True,
            "loras": True,
            "licences": ("ltx-2", "gemma"),
            **changes,
        }
    )


# The distilled models' steps and guidance are fixed.
_DISTILLED = {"steps": 8, "refuses": OPTIONAL}


class Catalogue(Mapping[str, Engine]):
    """Engines by name: Reelworks' own, and those that the deployment adds (lambdas/domain/relays.py), which
    are the same for the whole process."""

    def __init__(self, engines: Iterable[Engine]) -> None:
        self.built_in = {engine.name: engine for engine in engines}
        self._added: dict[str, Engine] = {}

    def add(self, engines: str) -> None:
        """Have these engines, and no others, besides the built-in ones. `engines` is JSON by `added`, or
        empty."""
        self._added = {one.name: one for one in _ADDED.validate_json(engines)} if engines else {}

    def __getitem__(self, name: str) -> Engine:
        """Return the engine. One that the deployment no longer adds has made films, which still need it."""
        return self.built_in.get(name) or self._added.get(name) or _removed(name)

    def __contains__(self, name: object) -> bool:
        return name in self.built_in or name in self._added

    def __iter__(self) -> Iterator[str]:
        yield from self.built_in
        yield from self._added

    def __len__(self) -> int:
        return len(self.built_in) + len(self._added)


_ADDED = TypeAdapter(tuple[Engine, ...])


def added(engines: Iterable[Engine]) -> str:
    """Return the engines as JSON for the template's parameter `AddedEngines`; empty for none."""
    # Without what is usual: a function's variables have 4 KB. `exclude_defaults` would leave out the kind of
    # the sizes, too.
    documents = [
        {
            name: value
            for name, value in engine.model_dump(mode="json").items()
            if getattr(engine, name) != Engine.model_fields[name].default
        }
        for engine in engines
    ]
    return json.dumps(documents, separators=(",", ":")) if documents else ""


def _removed(name: str) -> Engine:
    return Engine(
        name=name,
        revision="removed",
        renderer=Renderer.ENDPOINT,
        summary="An engine that this deployment no longer has",
        sizes=ExactSizes(sizes=((1280, 720),)),
        fps=(24,),
        frame_step=1,
        longest_clip=5,
        prompt_tokens=226,
        image="optional",
    )


CATALOGUE = Catalogue(
    (
        Engine(
            name="animatic",
            revision="6",
            renderer=Renderer.FUNCTION,
            summary="Draft storyboard clips: drawn, moving, titled; no GPU, no weights",
            draft=True,
            sizes=SizeRange(default=(1280, 720), short_side=(64, 1080), long_side=(64, 1920), multiple=2),
            fps=(24, 8, 12, 16, 25, 30),
            draws_any=True,
            frame_step=1,
            longest_clip=6,  # same as CogVideoX, so that a draft is cut like the final film
            prompt_tokens=512,
            image="optional",
        ),
        _cogvideox("cogvideox-2b", "CogVideoX-2b, text to video", "none"),
        _cogvideox("cogvideox-5b", "CogVideoX-5b, text to video", "none"),
        _cogvideox("cogvideox-5b-i2v", "CogVideoX-5b, image to video", "required"),
        _cogvideox(
            "cogvideox-1.5-5b",
            "CogVideoX1.5-5B, text to video",
            "none",
            sizes=ExactSizes(sizes=((1360, 768),)),
            **_1_5,
        ),
        _cogvideox(
            "cogvideox-1.5-5b-i2v",
            "CogVideoX1.5-5B, image to video",
            "required",
            sizes=SizeRange(default=(1360, 768), short_side=(768, 768), long_side=(768, 1360), multiple=16),
            **_1_5,
        ),
        _cogvideox(
            "cogvideox-nano",
            "A tiny CogVideoX for a CPU: films simple moving shapes (models/cogvideox-nano), text to video",
            "none",
            sizes=_NANO,
            longest_clip=1,
            prompt_tokens=200,  # it reads 226 of its own tokens, and an unknown word takes two of them
            steps=20,
        ),
        _cogvideox(
            "cogvideox-nano-i2v",
            "A tiny CogVideoX for tests and trials on a CPU, image to video",
            "required",
            sizes=_NANO,
            steps=2,
        ),
        _wan("wan2.1-t2v-1.3b", "Wan2.1 1.3B, text to video, 480p", "none", _P480, video="optional"),
        _wan(
            "wan2.1-t2v-14b",
            "Wan2.1 14B, text to video",
            "none",
            _P480 + _P720,
            turbo=True,
            video="optional",
        ),
        _wan("wan2.1-i2v-14b-480p", "Wan2.1 14B, image to video, 480p", "required", _P480, turbo=True),
        _wan("wan2.1-i2v-14b-720p", "Wan2.1 14B, image to video, 720p", "required", _P720),
        _wan(
            "wan2.1-flf2v-14b",
            "Wan2.1 14B, from a first to a last frame, 720p",
            "required",
            _P720,
            last_image="required",
            steps=50,
        ),
        _wan(
            "wan2.2-ti2v-5b",
            "Wan2.2 5B, text or image to video, 720p at 24 fps",
            "optional",
            ((1280, 704), (704, 1280), (928, 928), (832, 480), (480, 832)),
            fps=(24,),  # and up to 121 frames
            steps=50,
        ),
        _wan("wan2.2-t2v-a14b", "Wan2.2 A14B, text to video", "none", _P480 + _P720, turbo=True, steps=40),
        _wan(
            "wan2.2-i2v-a14b",
            "Wan2.2 A14B, image to video, with a last frame if wanted",
            "required",
            _P480 + _P720,
            turbo=True,
            last_image="optional",
        ),
        _ltx(
            "ltx-2-19b",
            "LTX-2 19B, text or image to video with sound",
            steps=40,
            least_steps=2,
            speeds=SPEEDS,
        ),
        _ltx(
            "ltx-2.3-22b",
            "LTX-2.3 22B, text or image to video with sound",
            steps=30,
            least_steps=2,
            speeds=SPEEDS,
        ),
        _ltx("ltx-2-19b-distilled", "LTX-2 19B in 8 steps, text or image to video with sound", **_DISTILLED),
        _ltx(
            "ltx-2.3-22b-distilled",
            "LTX-2.3 22B in 8 steps, text or image to video with sound",
            **_DISTILLED,
        ),
        Engine(
            name="comfyui",
            revision="2",  # its server brings a workflow's size to the film's
            renderer=Renderer.ENDPOINT,
            summary="Clips rendered by a workflow of your own ComfyUI (docs/comfyui.md)",
            # Most of ComfyUI's video models support these; its server fits output of another size.
            sizes=SizeRange(default=(832, 480), short_side=(64, 1088), long_side=(64, 1920), multiple=16),
            fps=(24, 16, 8, 12, 25, 30),
            frame_step=8,  # LTX-Video's 8N+1, which is also 4N+1: Wan's and HunyuanVideo's
            longest_clip=5,  # Wan's 81 frames at 16 fps and 121 at 24
            prompt_tokens=256,
            # The workflow determines its image, sound and revision: see `deployed`.
            image="none",
            workflow=True,
        ),
    )
)


def deployed(name: str, workflow: str) -> Engine:
    """Return the engine as deployed, where `workflow` is the deployment's parameter `Workflow`: the JSON of a
    workflow, or empty."""
    engine = CATALOGUE[name]
    if not engine.workflow or not workflow:
        return engine
    return engine.by(Workflow.model_validate_json(workflow))


def engine_named(name: str, offered: frozenset[str], workflow: str) -> Engine:
    """Return the engine as deployed (see `deployed`), if this deployment offers it.

    Raises InvalidRequest (param `model`) that names the offered engines.
    """
    if name not in CATALOGUE or name not in offered:
        names = ", ".join(e for e in CATALOGUE if e in offered)
        raise InvalidRequest(
            f"model {name!r} is not offered by this deployment; allowed: {names}.", param="model"
        )
    return deployed(name, workflow)

"""Wan on tiny checkpoints of each kind: the frames must equal diffusers', and each speed computes what it
says."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline, UniPCMultistepScheduler, WanImageToVideoPipeline
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from containers.diffusion.checkpoint import read_checkpoint
from containers.diffusion.families.wan import WAN
from containers.diffusion.model import Model
from containers.diffusion.request import ClipRequest
from containers.diffusion.source import Source
from containers.diffusion.speed import Speed, computed_steps
from tests.contract import document
from tests.tiny_wan import KINDS, Kind, make_tiny_wan

IMAGE = Image.linear_gradient("L").convert("RGB")
SIZE = (96, 64)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function that loads the tiny checkpoint of a kind, once."""
    models: dict[Kind, tuple[Path, Model]] = {}

    def load(kind: Kind) -> tuple[Path, Model]:
        if kind not in models:
            folder = make_tiny_wan(tmp_path_factory.mktemp(kind), kind)
            models[kind] = folder, Model.load(folder, read_checkpoint(folder), "cpu")
        return models[kind]

    return load


def request(model: Model, **changes: Any) -> ClipRequest:
    wanted = {"width": SIZE[0], "height": SIZE[1], "frames": 5, "fps": 16, "steps": 4}
    return ClipRequest(**document("clip_request.text") | wanted | changes)


def sources(kind: Kind, wanted: ClipRequest) -> Iterator[Source]:
    """Yield what a clip may start from."""
    size = (wanted.width, wanted.height)
    first, last = IMAGE.resize(size), IMAGE.rotate(90).resize(size)
    if kind in ("t2v", "t2v-a14b", "ti2v"):
        yield Source()
    if kind in ("i2v", "i2v-a14b", "ti2v"):
        yield Source(image=first)
    if kind in ("flf2v", "i2v-a14b"):
        yield Source(image=first, last_image=last)


# The flow shift of the published model that each kind is built like, for a small clip, and its guidance.
SHIFT = {"t2v": 5.0, "i2v": 3.0, "flf2v": 16.0, "ti2v": 5.0, "t2v-a14b": 12.0, "i2v-a14b": 5.0}
GUIDANCE = {"t2v-a14b": (4.0, 3.0), "i2v-a14b": (3.5, None)}


def diffusers_frames(kind: Kind, directory: Path, wanted: ClipRequest, source: Source) -> Any:
    """Render as the model cards do."""
    pipeline = DiffusionPipeline.from_pretrained(directory, dtype=torch.float32, local_files_only=True)
    pipeline.scheduler = UniPCMultistepScheduler.from_config(
        pipeline.scheduler.config, flow_shift=SHIFT[kind]
    )
    high, low = GUIDANCE.get(kind, (5.0, None)) if wanted.guidance is None else (wanted.guidance, None)
    inputs: dict[str, Any] = {} if low is None else {"guidance_scale_2": low}
    if source.image:
        inputs |= {"image": source.image, "last_image": source.last_image}
        if kind == "ti2v":
            pipeline = WanImageToVideoPipeline(**pipeline.components, expand_timesteps=True)
    video = pipeline(
        **inputs,
        prompt=wanted.prompt,
        negative_prompt=wanted.negative_prompt,
        width=wanted.width,
        height=wanted.height,
        num_frames=wanted.frames,
        num_inference_steps=wanted.steps,
        guidance_scale=high,
        generator=torch.Generator("cpu").manual_seed(wanted.seed),
        output_type="np",
    ).frames[0]
    return (video * 255).round().astype(np.uint8)


def frames(model: Model, wanted: ClipRequest, source: Source, speed: Speed = Speed.EXACT) -> Any:
    return model.render(wanted, source, speed, lambda: None).frames


@pytest.mark.parametrize("kind", KINDS)
def test_frames_match_diffusers(loaded: Any, kind: Kind) -> None:
    folder, model = loaded(kind)
    wanted = request(model)
    made = []
    for source in sources(kind, wanted):
        made.append(frames(model, wanted, source))
        assert made[-1].shape == (5, SIZE[1], SIZE[0], 3)
        assert np.array_equal(made[-1], diffusers_frames(kind, folder, wanted, source))
        # A guidance in the request is both experts'.
        other = wanted.model_copy(update={"guidance": 2.0})
        assert np.array_equal(
            frames(model, other, source), diffusers_frames(kind, folder, other, source)
        )
    assert all(np.abs(made[0].astype(int) - one).max() > 0 for one in made[1:]), "the images matter"


class Counter:
    """Counts how often each expert's first attention really ran."""

    def __init__(self, model: Model) -> None:
        self.ran = {"transformer": 0, "transformer_2": 0}
        for name in self.ran:
            part = getattr(model._pipeline, name, None)
            if part is not None:
                part.blocks[0].attn1.register_forward_pre_hook(lambda *_, own=name: self._count(own))

    def _count(self, name: str) -> None:
        self.ran[name] += 1


@pytest.mark.parametrize("kind", ["t2v", "ti2v", "t2v-a14b"])
def test_each_speed_computes_the_steps_that_it_reports(tmp_path: Path, kind: Kind) -> None:
    folder = make_tiny_wan(tmp_path, kind)
    model = Model.load(folder, read_checkpoint(folder), "cpu")
    wanted = request(model, steps=20)
    made = {}
    for speed in (Speed.EXACT, Speed.BALANCED, Speed.FAST, Speed.EXACT):
        counter = Counter(model)
        with FlopCounterMode(display=False) as flops:
            rendering = model.render(wanted, Source(), speed, lambda: None)
        # With guidance, each step runs twice.
        assert sum(counter.ran.values()) == 2 * rendering.computed_steps
        if speed in made:
            assert np.array_equal(rendering.frames, made[speed][0]), "the speeds leave nothing behind"
        made[speed] = rendering.frames, rendering.computed_steps, flops.get_total_flops()
    assert made[Speed.EXACT][1] == 20
    if kind != "t2v-a14b":
        assert made[Speed.FAST][1] == computed_steps(Speed.FAST, 20)
    else:
        # Of a schedule shifted by 12, the first expert renders most steps at the threshold 0.875.
        assert made[Speed.FAST][1] == computed_steps(Speed.FAST, 13) + computed_steps(Speed.FAST, 7)
    assert made[Speed.EXACT][2] > made[Speed.BALANCED][2] > made[Speed.FAST][2]
    exact = made[Speed.EXACT][0].astype(int)
    other = np.abs(exact - frames(model, wanted.model_copy(update={"seed": 8}), Source())).mean()
    for speed in (Speed.BALANCED, Speed.FAST):
        assert 0 < np.abs(exact - made[speed][0]).mean() < other / 2, speed


def test_only_models_with_published_adapters_have_a_turbo() -> None:
    from containers.diffusion.families.wan import PUBLISHED

    assert {wan.name for wan in PUBLISHED.values() if wan.turbo} == {
        "wan2.1-t2v-14b", "wan2.1-i2v-14b", "wan2.2-t2v-a14b", "wan2.2-i2v-a14b",
    }  # fmt: skip
    assert WAN.name == "wan"
    assert replace(next(iter(PUBLISHED.values()))).turbo is None

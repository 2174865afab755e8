"""Wan on tiny checkpoints of each kind: the frames must equal diffusers', and each speed computes what it
says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    DiffusionPipeline,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanVideoToVideoPipeline,
)
from PIL import Image
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

from containers.diffusion.checkpoint import read_checkpoint
from containers.diffusion.errors import BadCheckpoint
from containers.diffusion.families.wan import PUBLISHED
from containers.diffusion.model import Model
from containers.diffusion.request import ClipRequest, Lora
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
        assert np.array_equal(frames(model, other, source), diffusers_frames(kind, folder, other, source))
    assert all(np.abs(made[0].astype(int) - one).max() > 0 for one in made[1:]), "the images matter"


VIDEO = [IMAGE.rotate(15 * index).resize(SIZE) for index in range(5)]


@pytest.mark.parametrize(("strength", "guidance"), [(None, None), (0.5, None), (1.0, 1.0)])
def test_frames_made_from_a_video_match_diffusers(
    loaded: Any, strength: float | None, guidance: float | None
) -> None:
    folder, model = loaded("t2v")
    wanted = request(model, strength=strength, guidance=guidance)
    pipeline = WanVideoToVideoPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    pipeline.scheduler = UniPCMultistepScheduler.from_config(
        pipeline.scheduler.config, flow_shift=SHIFT["t2v"]
    )
    expected = pipeline(
        video=VIDEO,
        strength=0.8 if strength is None else strength,
        prompt=wanted.prompt,
        negative_prompt=wanted.negative_prompt,
        width=wanted.width,
        height=wanted.height,
        num_inference_steps=wanted.steps,
        guidance_scale=5.0 if guidance is None else guidance,
        generator=torch.Generator("cpu").manual_seed(wanted.seed),
        output_type="np",
    ).frames[0]
    made = frames(model, wanted, Source(video=VIDEO))
    assert np.array_equal(made, (expected * 255).round().astype(np.uint8))
    assert not np.array_equal(made, frames(model, wanted, Source(video=VIDEO[::-1])))


def test_each_half_of_guidance_skips_its_own_steps_of_a_video(tmp_path: Path) -> None:
    folder = make_tiny_wan(tmp_path, "t2v")
    model = Model.load(folder, read_checkpoint(folder), "cpu")
    wanted, source = request(model, steps=20, strength=0.7), Source(video=VIDEO)
    exact = frames(model, wanted, source)
    counter = Counter(model)
    rendering = model.render(wanted, source, Speed.FAST, lambda: None)
    # Taken for one, the halves would count 28 steps, of which 22 are computed.
    assert counter.ran["transformer"] == 2 * rendering.computed_steps == 2 * computed_steps(Speed.FAST, 14)
    assert not np.array_equal(rendering.frames, exact)
    assert np.array_equal(frames(model, wanted, source), exact), "the speeds leave nothing behind"


def test_an_adapter_works_on_a_video_too(tmp_path: Path) -> None:
    folder = make_tiny_wan(tmp_path, "t2v")
    write_lora(folder / "loras" / "paper" / "transformer.safetensors", seed=0)
    model = Model.load(folder, read_checkpoint(folder), "cpu")
    wanted, source = request(model), Source(video=VIDEO)
    plain = frames(model, wanted, source)
    paper = frames(model, wanted.model_copy(update={"loras": (Lora(name="paper"),)}), source)
    assert not np.array_equal(paper, plain)
    assert np.array_equal(frames(model, wanted, source), plain), "it is gone afterwards"


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
    wanted = request(model, steps=14)
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
    assert made[Speed.EXACT][1] == 14
    if kind != "t2v-a14b":
        assert made[Speed.FAST][1] == computed_steps(Speed.FAST, 14)
    else:
        # Of a schedule shifted by 12, nine of 14 steps have more noise than the threshold 0.875.
        assert made[Speed.FAST][1] == computed_steps(Speed.FAST, 9) + computed_steps(Speed.FAST, 5)
    assert made[Speed.EXACT][2] > made[Speed.BALANCED][2] > made[Speed.FAST][2]
    exact = made[Speed.EXACT][0].astype(int)
    other = np.abs(exact - frames(model, wanted.model_copy(update={"seed": 8}), Source())).mean()
    for speed in (Speed.BALANCED, Speed.FAST):
        assert 0 < np.abs(exact - made[speed][0]).mean() < other / 2, speed


def test_only_models_with_published_adapters_have_a_turbo() -> None:
    assert {wan.name for wan in PUBLISHED.values() if wan.turbo} == {
        "wan2.1-t2v-14b", "wan2.1-i2v-14b", "wan2.2-t2v-a14b", "wan2.2-i2v-a14b",
    }  # fmt: skip


def write_lora(
    file: Path, *, seed: int, prefix: str = "transformer.blocks.{}.attn1.{}", width: int = 32
) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    random = torch.Generator().manual_seed(seed)
    save_file(
        {
            f"{prefix.format(block, layer)}.lora_{matrix}.weight": torch.randn(*shape, generator=random)
            for block in range(2)
            for layer in ("to_q", "to_v")
            for matrix, shape in (("A", (4, width)), ("B", (width, 4)))
        },
        file,
    )


# As LightX2V's files are: the original model's names, scaled by alpha / rank.
ORIGINAL = "diffusion_model.blocks.{}.self_attn.{}"


def write_original_lora(file: Path, *, seed: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    random = torch.Generator().manual_seed(seed)
    weights = {}
    for block in range(2):
        for layer in ("q", "v"):
            name = ORIGINAL.format(block, layer)
            weights[f"{name}.lora_down.weight"] = torch.randn(4, 32, generator=random)
            weights[f"{name}.lora_up.weight"] = torch.randn(32, 4, generator=random)
            weights[f"{name}.alpha"] = torch.tensor(8.0)
    save_file(weights, file)


def test_turbo_renders_four_unguided_steps_with_an_adapter_for_each_expert(tmp_path: Path) -> None:
    folder = make_tiny_wan(tmp_path, "t2v-a14b")
    checkpoint = read_checkpoint(folder)
    for number, part in enumerate(("transformer", "transformer_2")):
        write_original_lora(folder / "turbo" / f"{part}.safetensors", seed=number)
    model = Model.load(folder, checkpoint, "cpu")
    assert Speed.TURBO in model.speeds
    wanted = request(model, steps=None)
    exact = frames(model, wanted.model_copy(update={"steps": 4}), Source())
    counter = Counter(model)
    rendering = model.render(wanted, Source(), Speed.TURBO, lambda: None)
    # The noise of 1000 and 750 of a schedule shifted by 5 is above the threshold, that of 500 and 250 below.
    assert counter.ran == {"transformer": 2, "transformer_2": 2}
    assert (len(rendering.step_seconds), rendering.computed_steps) == (4, 4)
    # UniPC rounds its first-order steps otherwise.
    assert np.abs(rendering.frames.astype(int) - by_hand(folder, wanted)).max() <= 1
    assert np.array_equal(frames(model, wanted.model_copy(update={"steps": 4}), Source()), exact)


def by_hand(folder: Path, wanted: ClipRequest) -> Any:
    """Render as Wan2.2-Lightning does: four steps of Euler's method, without guidance."""
    pipeline = DiffusionPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    pipeline.load_lora_weights(folder / "turbo", weight_name="transformer.safetensors")
    pipeline.load_lora_weights(
        folder / "turbo", weight_name="transformer_2.safetensors", load_into_transformer_2=True
    )
    noise = [5 * part / (1 + 4 * part) for part in (0.999, 0.75, 0.5, 0.25)]
    size = (1, 16, 2, wanted.height // 8, wanted.width // 8)
    latents = torch.randn(size, generator=torch.Generator("cpu").manual_seed(wanted.seed))
    with torch.no_grad():
        words = pipeline.encode_prompt(
            wanted.prompt, do_classifier_free_guidance=False, max_sequence_length=512
        )[0]
        for sigma, next_ in zip(noise, [*noise[1:], 0.0], strict=True):
            expert = pipeline.transformer if sigma >= 0.875 else pipeline.transformer_2
            time = torch.tensor([int(sigma * 1000)])
            flow = expert(latents, time, words, return_dict=False)[0]
            latents = latents + (next_ - sigma) * flow
        config = pipeline.vae.config
        mean, deviation = (
            torch.tensor(values).view(1, -1, 1, 1, 1) for values in (config.latents_mean, config.latents_std)
        )
        video = pipeline.vae.decode(latents * deviation + mean).sample[0]
    return ((video / 2 + 0.5) * 255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 3, 0).numpy()


@pytest.mark.parametrize(
    ("kind", "file", "fields", "reason"),
    [
        (
            "t2v",
            "a.safetensors",
            {"prefix": "transformer.transformer_blocks.{}.attn1.{}"},
            "which this transf",
        ),
        (
            "t2v",
            "a.safetensors",
            {"prefix": "transformer.blocks.{}.attn2.add_{}_proj"},
            "attn2.add_to_q_proj",
        ),
        (
            "t2v-a14b",
            "transformer_2.safetensors",
            {"width": 48},
            "but blocks.0.attn1.to_q of this transformer_2",
        ),
    ],
)
def test_an_adapter_of_another_model_is_refused_at_load(
    tmp_path: Path, kind: Kind, file: str, fields: dict[str, Any], reason: str
) -> None:
    folder = make_tiny_wan(tmp_path, kind)
    write_lora(folder / "loras" / "paper" / file, seed=1, **fields)
    with pytest.raises(BadCheckpoint, match=f"the adapter paper .* is for another model: .*{reason}"):
        Model.load(folder, read_checkpoint(folder), "cpu")


def test_an_adapter_may_change_one_expert(tmp_path: Path) -> None:
    folder = make_tiny_wan(tmp_path, "i2v-a14b")
    write_lora(folder / "loras" / "paper" / "transformer_2.safetensors", seed=1)
    model = Model.load(folder, read_checkpoint(folder), "cpu")
    wanted = request(model, steps=6)
    source = next(sources("i2v-a14b", wanted))
    plain = frames(model, wanted, source)
    paper = frames(model, wanted.model_copy(update={"loras": (Lora(name="paper"),)}), source)
    assert not np.array_equal(paper, plain)
    assert np.array_equal(frames(model, wanted, source), plain)

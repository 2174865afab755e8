"""Memory plans applied to real pipelines: the same frames for every placement of the model."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import CogVideoXPipeline

from containers.diffusion.families.cogvideox import PARTS, tile_size, tiles
from containers.diffusion.memory import LAST_RESORT, OPTIONS, Option, Placement
from containers.diffusion.placement import place, read_device, whole_or_tiled
from tests.tiny_checkpoint import SIZE, make_tiny_checkpoint

FRAMES = 9
WEIGHTS = {name: part for name, part in PARTS.items() if part.stage}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_checkpoint(tmp_path_factory.mktemp("models") / "tiny")


def load(checkpoint: Path, option: Option | None = None, dtype: torch.dtype = torch.float32) -> Any:
    pipeline = CogVideoXPipeline.from_pretrained(checkpoint, dtype=dtype, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    if option is not None:
        place(pipeline, WEIGHTS, option, "cpu", tiles(*SIZE))
    return pipeline


def latents_of(pipeline: Any) -> Any:
    return pipeline(
        prompt="a bee",
        width=SIZE[0],
        height=SIZE[1],
        num_frames=FRAMES,
        num_inference_steps=2,
        generator=torch.Generator("cpu").manual_seed(1),
        output_type="latent",
    ).frames


@torch.no_grad()
def decoded(pipeline: Any, latents: Any) -> Any:
    return whole_or_tiled(pipeline.vae, tiles(*SIZE), lambda: pipeline.decode_latents(latents))


@pytest.fixture(scope="module")
def expected(checkpoint: Path) -> tuple[Any, Any]:
    """The latents and frames of an unmodified pipeline."""
    pipeline = load(checkpoint)
    latents = latents_of(pipeline)
    with torch.no_grad():
        return latents, pipeline.decode_latents(latents)


@pytest.mark.parametrize("option", [option for option in (*OPTIONS, LAST_RESORT) if not option.fp8], ids=str)
def test_the_placement_changes_no_clip(checkpoint: Path, expected: tuple[Any, Any], option: Option) -> None:
    pipeline = load(checkpoint, option)
    latents = latents_of(pipeline)
    assert torch.equal(latents, expected[0])
    frames = decoded(pipeline, latents)
    assert frames.shape == expected[1].shape
    assert torch.equal(frames, expected[1]) != option.tiling


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.fp8], ids=str)
def test_fp8_weights_change_clips_a_little(
    checkpoint: Path, expected: tuple[Any, Any], option: Option
) -> None:
    pipeline = load(checkpoint, option)
    for component in (pipeline.transformer, pipeline.text_encoder):
        kinds = {parameter.dtype for parameter in component.parameters()}
        assert kinds == {torch.float8_e4m3fn, torch.float32}
        assert component.dtype == torch.float32  # the pipeline's input to the embeddings
    latents = latents_of(pipeline)
    difference = (latents - expected[0]).abs().mean()
    assert 0 < difference < 0.1 * expected[0].abs().mean()
    assert decoded(pipeline, latents).shape == expected[1].shape


def test_fp8_weights_work_beside_those_that_t5_keeps_in_float32(checkpoint: Path) -> None:
    """In float16, as CogVideoX-2b is loaded."""
    option = Option(Placement.RESIDENT, tiling=True, fp8=True)
    pipeline = load(checkpoint, option, torch.float16)
    assert torch.isfinite(latents_of(pipeline)).all()


@pytest.mark.parametrize("size", [(96, 64), (64, 96), (80, 48), (200, 144), (144, 96), (400, 256)])
def test_tiles_give_frames_of_the_right_size(checkpoint: Path, size: tuple[int, int]) -> None:
    vae = load(checkpoint).vae
    vae.enable_tiling(**tiles(*size))
    assert (vae.tile_sample_min_width, vae.tile_sample_min_height) == tile_size(*size)
    width, height = size
    calls = []
    handle = vae.decoder.register_forward_pre_hook(lambda _, inputs: calls.append(inputs[0].shape[-2:]))
    with torch.no_grad():
        frames = vae.decode(torch.zeros(1, 16, 1, height // 8, width // 8)).sample
        video = vae.encode(torch.zeros(1, 3, 1, height, width)).latent_dist.mean
    handle.remove()
    assert frames.shape == (1, 3, 1, height, width)
    assert video.shape == (1, 16, 1, height // 8, width // 8)
    assert len(calls) > 1


class Full:
    """Simulate a device without memory for anything larger than a tile, for a number of times."""

    def __init__(self, pipeline: Any, most: int, times: int = 100) -> None:
        self.refused = 0
        self._most, self._times = most, times
        pipeline.vae.decoder.register_forward_pre_hook(self._check)

    def _check(self, _module: Any, inputs: tuple[Any, ...]) -> None:
        if inputs[0].shape[-1] * inputs[0].shape[-2] > self._most and self.refused < self._times:
            self.refused += 1
            raise torch.OutOfMemoryError("CUDA out of memory")


def test_running_out_of_memory_while_decoding_falls_back_to_tiles(
    checkpoint: Path, expected: tuple[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = load(checkpoint)
    latents = expected[0]
    whole = SIZE[0] * SIZE[1] // 64
    full = Full(pipeline, whole - 1)
    frames = decoded(pipeline, latents)
    assert full.refused == 1
    assert frames.shape == expected[1].shape
    assert torch.equal(frames, decoded(load(checkpoint, Option(Placement.RESIDENT, tiling=True)), latents))
    assert [record.message for record in caplog.records] == ["decoding in tiles after running out of memory"]


def test_the_next_clip_is_decoded_whole_again(checkpoint: Path, expected: tuple[Any, Any]) -> None:
    pipeline = load(checkpoint)
    full = Full(pipeline, SIZE[0] * SIZE[1] // 64 - 1, times=1)
    assert not torch.equal(decoded(pipeline, expected[0]), expected[1])
    assert full.refused == 1
    assert torch.equal(decoded(pipeline, expected[0]), expected[1])


def test_running_out_of_memory_for_tiles_too_is_an_error(checkpoint: Path, expected: tuple[Any, Any]) -> None:
    pipeline = load(checkpoint)
    full = Full(pipeline, 0)
    with pytest.raises(torch.OutOfMemoryError):
        decoded(pipeline, expected[0])
    assert full.refused == 2
    assert not pipeline.vae.use_tiling


def test_a_cpu_has_main_memory() -> None:
    device = read_device("cpu")
    assert device.kind == "cpu"
    assert 0 < device.free == device.host_free

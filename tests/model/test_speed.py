"""The speeds on a tiny checkpoint, and the pitfalls of diffusers' accelerations that they avoid."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import CogVideoXDDIMScheduler, CogVideoXTransformer3DModel
from diffusers.hooks import FirstBlockCacheConfig, TaylorSeerCacheConfig
from torch.utils.flop_counter import FlopCounterMode

from containers.diffusion.acceleration import Accelerator, cached
from containers.diffusion.checkpoint import read_checkpoint
from containers.diffusion.family import Checkpoint
from containers.diffusion.model import Model
from containers.diffusion.request import ClipRequest
from containers.diffusion.source import Source
from containers.diffusion.speed import FIRST_STEPS, LAST_STEPS, SKIPPING, Speed, computed_steps
from tests.contract import document
from tests.tiny_checkpoint import make_tiny_checkpoint

STEPS = 20
SPEEDS = (Speed.EXACT, *SKIPPING)


@pytest.fixture(scope="module", params=["ddim", "dpm"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """As CogVideoX-2b, and as CogVideoX-5b-I2V."""
    folder = make_tiny_checkpoint(tmp_path_factory.mktemp("model"), image_to_video=request.param == "dpm")
    checkpoint = read_checkpoint(folder)
    assert checkpoint.variant.scheduler == request.param
    return Model.load(folder, checkpoint, "cpu"), checkpoint


class Broken(Exception):
    """Raised by go_on."""


def clip_request(**changes: Any) -> ClipRequest:
    return ClipRequest(**document("clip_request.text") | {"frames": 9, "steps": STEPS} | changes)


def frames(
    model: tuple[Model, Checkpoint], speed: Speed, go_on: Callable[[], None] = lambda: None, **changes: Any
) -> Any:
    loaded, checkpoint = model
    request = clip_request(**changes)
    source = Source()
    if checkpoint.limits.image == "required":
        from PIL import Image

        source = Source(image=Image.linear_gradient("L").convert("RGB").resize((96, 64)))
    return loaded.render(request, source, speed, go_on).frames


def computed(model: tuple[Model, Checkpoint], speed: Speed, **changes: Any) -> int:
    """Count how often the transformer's first attention really ran."""
    ran: list[None] = []
    attention = model[0]._pipeline.transformer.transformer_blocks[0].attn1
    handle = attention.register_forward_pre_hook(lambda *_: ran.append(None))
    try:
        frames(model, speed, **changes)
    finally:
        handle.remove()
    return len(ran)


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("steps", [1, 4, 5, 7, STEPS])
def test_the_reported_number_of_steps_is_computed(model: Any, speed: Speed, steps: int) -> None:
    assert computed(model, speed, steps=steps) == computed_steps(speed, steps)


def test_each_speed_skips_more_than_the_one_before() -> None:
    for steps in (20, 50, 200):
        exact, balanced, fast = (computed_steps(speed, steps) for speed in SPEEDS)
        assert exact == steps
        assert steps / balanced > 1.5
        assert steps / fast > 1.9
        assert fast < balanced
    assert computed_steps(Speed.FAST, 50) < 50 / 2.3
    assert computed_steps(Speed.FAST, FIRST_STEPS + LAST_STEPS) == FIRST_STEPS + LAST_STEPS


def test_less_work_gives_nearly_the_same_clip(model: Any) -> None:
    exact = frames(model, Speed.EXACT).astype(int)
    other = np.abs(exact - frames(model, Speed.EXACT, seed=8)).mean()
    for speed in SKIPPING:
        difference = np.abs(exact - frames(model, speed)).mean()
        assert 0 < difference < other / 2, speed


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_cancelled_clip_does_not_affect_the_next(model: Any, speed: Speed) -> None:
    expected = frames(model, speed)
    calls = 0

    def break_off() -> None:
        nonlocal calls
        calls += 1
        if calls == STEPS // 2:
            raise Broken

    with pytest.raises(Broken):
        frames(model, speed, break_off, seed=8)
    assert np.array_equal(frames(model, speed), expected)


def test_the_speeds_do_not_disturb_each_other(model: Any) -> None:
    first = {speed: frames(model, speed) for speed in SPEEDS}
    for speed in reversed(SPEEDS):
        assert np.array_equal(frames(model, speed), first[speed])


def test_blocks_can_be_compiled_with_skipped_steps(tmp_path: Path) -> None:
    folder = make_tiny_checkpoint(tmp_path)
    checkpoint = read_checkpoint(folder)
    loaded = Model.load(folder, checkpoint, "cpu")
    plain = {speed: frames((loaded, checkpoint), speed) for speed in SPEEDS}
    graphs: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, _inputs: Any) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    transformer = loaded._pipeline.transformer
    loaded._accelerators = {
        "transformer": Accelerator(
            transformer, transformer.transformer_blocks, compiled=True, backend=backend
        )
    }
    assert np.array_equal(frames((loaded, checkpoint), Speed.EXACT), plain[Speed.EXACT])
    assert graphs == []
    assert np.array_equal(frames((loaded, checkpoint), Speed.FAST), plain[Speed.FAST])
    assert graphs, "the blocks were compiled"
    compiled = len(graphs)
    assert np.array_equal(frames((loaded, checkpoint), Speed.BALANCED), plain[Speed.BALANCED])
    assert len(graphs) == compiled, "once is enough for all speeds and clips"


# The rest describes diffusers 0.42.1 and explains some of our code; a new release may change it.


@pytest.fixture
def transformer(tmp_path: Path) -> CogVideoXTransformer3DModel:
    folder = make_tiny_checkpoint(tmp_path)
    return CogVideoXTransformer3DModel.from_pretrained(folder, subfolder="transformer", local_files_only=True)


def flops(transformer: CogVideoXTransformer3DModel, config: Any = None) -> int:
    """Of ten steps down the noise levels."""
    torch.manual_seed(0)
    scheduler = CogVideoXDDIMScheduler(prediction_type="v_prediction", timestep_spacing="trailing")
    scheduler.set_timesteps(10)
    latents, words = torch.randn(1, 3, 16, 8, 12), torch.randn(1, 226, 32)

    def steps(latents: torch.Tensor) -> None:
        for step in scheduler.timesteps:
            with transformer.cache_context("cond_uncond"):
                output = transformer(latents, words, step[None], return_dict=False)[0]
            latents = scheduler.step(output, step, latents, return_dict=False)[0]

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        if config is None:
            steps(latents)
        else:
            with cached(transformer, config):
                steps(latents)
    return counter.get_total_flops()


def test_taylorseer_s_own_identifiers_match_nothing(transformer: CogVideoXTransformer3DModel) -> None:
    exact = flops(transformer)
    assert flops(transformer, TaylorSeerCacheConfig()) == exact
    named = [r"transformer_blocks\.\d+\.(attn1|ff)"]
    assert flops(transformer, TaylorSeerCacheConfig(cache_identifiers=named)) < exact / 1.5
    assert flops(transformer, TaylorSeerCacheConfig(use_lite_mode=True)) < exact / 1.5


def test_the_first_block_cache_skips_nothing_with_random_weights(
    transformer: CogVideoXTransformer3DModel,
) -> None:
    assert flops(transformer, FirstBlockCacheConfig()) == flops(transformer)


def test_an_attention_backend_is_accepted_and_ignored(transformer: CogVideoXTransformer3DModel) -> None:
    inputs = (torch.randn(1, 3, 16, 8, 12), torch.randn(1, 226, 32), torch.tensor([500]))
    with torch.no_grad():
        before = transformer(*inputs, return_dict=False)[0]
        transformer.set_attention_backend("_native_math")
        assert torch.equal(transformer(*inputs, return_dict=False)[0], before)
    processor = transformer.transformer_blocks[0].attn1.processor
    assert "backend" not in type(processor).__call__.__code__.co_names


def test_compile_repeated_blocks_rejects_this_model(transformer: CogVideoXTransformer3DModel) -> None:
    with pytest.raises(ValueError, match="_repeated_blocks"):
        transformer.compile_repeated_blocks()

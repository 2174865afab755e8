"""benchmarks.gpu on the CPU with small checkpoints, and its arithmetic."""

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import gpu, memory
from benchmarks.engine_clips import gpu_of
from benchmarks.gpu import LOOSEST, Measured, plan_holds
from benchmarks.published_models import MODELS, Published, tokenizer
from benchmarks.random_weights import built_without_values, with_random_weights
from containers.diffusion.limits import SizeRange
from containers.diffusion.memory import GIB, Device
from containers.diffusion.speed import Speed
from tests.tiny_checkpoint import make_tiny_checkpoint
from tests.tiny_checkpoint_files import _scheduler, _text_encoder, _transformer, _vae
from tests.tiny_ltx_files import tiny as tiny_ltx
from tests.tiny_wan_files import tiny as tiny_wan

pytestmark = pytest.mark.filterwarnings("default")  # of the libraries, when models are built without values

SIZE = (96, 64)


def test_a_checkpoint_is_measured_beside_plain_diffusers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_tiny_checkpoint(tmp_path / "tiny")
    with pytest.raises(SystemExit) as end:
        gpu.main([
            str(folder), "--device", "cpu", "--steps", "6", "--frames", "9", "--speed", "exact",
            "--speed", "fast", "--peak-tflops", "0.1", "--json",
        ])  # fmt: skip
    assert end.value.code == 0
    plain, exact, fast = json.loads(capsys.readouterr().out)
    assert (plain["speed"], exact["speed"], fast["speed"]) == (gpu.PLAIN, "exact", "fast")
    assert exact["same_bits"]
    assert not fast["same_bits"]
    assert (exact["computed_steps"], fast["computed_steps"], fast["steps"]) == (6, 5, 6)
    assert exact["ratio"] == pytest.approx(plain["seconds"] / exact["seconds"])
    assert exact["step_tflop"] > 0
    denoised = exact["step_tflop"] * 6 / 0.1
    assert 0 < exact["mfu"] <= denoised / exact["step_seconds"]
    assert exact["plan_holds"] is None  # PyTorch counts no allocations on a CPU


TINY = {
    "cogvideox": Published(
        "CogVideoXPipeline",
        parts={
            "text_encoder": partial(_text_encoder, 300),
            "transformer": partial(_transformer, SIZE, False, "1.0"),
            "vae": partial(_vae, SIZE),
        },
        others={"tokenizer": tokenizer, "scheduler": _scheduler},
    ),
    **{f"wan {kind}": tiny_wan(kind, 300) for kind in ("flf2v", "ti2v", "i2v-a14b")},
    "ltx": tiny_ltx("2.0", 300, distilled=False),
    "ltx 2.3 distilled": tiny_ltx("2.3", 300, distilled=True),
}


@pytest.mark.parametrize("name", TINY)
def test_random_weights_of_a_published_architecture_render(name: str) -> None:
    built = built_without_values(TINY[name])
    sizes = built.sizes("float32")
    assert all(parameter.is_meta for model in built.models.values() for parameter in model.parameters())
    limits = replace(built.checkpoint.limits, sizes=SizeRange(SIZE, (64, 96), (64, 96), 32))
    checkpoint = replace(built.checkpoint, limits=limits)
    subject = gpu.Subject("tiny", checkpoint, sizes, None, "random", partial(with_random_weights, built))
    on = Device("cpu", "the CPU", 8 * GIB, 8 * GIB)
    bench = gpu.Bench(subject, on, frames=limits.frame_step + 1, steps=2)
    assert sum(p.nbytes for m in built.models.values() for p in m.parameters()) == sum(
        weights.total for weights in sizes.weights.values()
    )
    plain, exact = bench.rows([Speed.EXACT], None)
    assert exact.same_bits
    assert exact.step_tflop == plain.step_tflop > 0
    assert bench.served(Speed.EXACT, steps=2).frames.std() > 0


@pytest.mark.parametrize("name", MODELS)
def test_published_models_are_recognized(name: str) -> None:
    checkpoint = memory.checkpoint_of(name)
    assert checkpoint.name == name
    assert checkpoint.pipeline in checkpoint.family.pipelines
    made = memory.built(name)
    weighted = checkpoint.family.parts_of(made.configs.index)
    assert made.models.keys() == weighted.keys()
    for part, model in made.models.items():
        assert type(model).__name__ in weighted[part].classes


@pytest.mark.parametrize("name", ["cogvideox-5b-i2v", "wan2.2-i2v-a14b", "ltx-2.3-22b-distilled"])
def test_random_weights_are_as_large_as_the_memory_plan_says(name: str) -> None:
    built = built_without_values(MODELS[name])
    assert built.sizes(built.checkpoint.recipe.dtype) == memory.sizes_of(name)


def measured(allocated: int, reserved: int) -> Measured:
    return Measured(np.zeros((1, 1, 1, 3), np.uint8), 1.0, [1.0], 1, allocated, reserved)


@pytest.mark.parametrize(
    ("allocated", "reserved", "holds"),
    [
        (100, 110, True),
        (101, 110, False),  # more than planned
        (100, 116, False),  # more than reserved
        (int(100 / LOOSEST) - 1, 110, False),  # planned far too much
    ],
)
def test_a_plan_holds_if_it_covers_what_was_used_closely(allocated: int, reserved: int, holds: bool) -> None:
    assert plan_holds(100, 115, measured(allocated, reserved)) is holds


@pytest.mark.parametrize(
    ("device", "known"),
    [
        ("NVIDIA L4", "L4"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("NVIDIA T4", None),
    ],
)
def test_gpus_are_found_by_their_names(device: str, known: str | None) -> None:
    assert gpu_of(device) == known


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cogvideox-5b"], r"finds no CUDA GPU .* --device cpu"),
        (["--memory", "24", "--device", "cpu"], "--memory must be at most what is free on a GPU"),
    ],
)
def test_what_this_machine_lacks_is_said_with_a_remedy(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match=said):
        gpu.main(arguments)


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ("cogvideox-5b", [], "would take days on a CPU"),
        ("sora", [], "neither a folder with a model_index.json nor a published model; .* cogvideox-2b"),
        ("models/cogvideox-nano", ["--frames", "10"], r"--frames must be one of \[9\] for cogvideox-nano"),
        ("models/cogvideox-nano", ["--speed", "turbo"], "no speed turbo; it offers exact, balanced, fast"),
    ],
)
def test_a_model_that_cannot_be_measured_is_refused(
    model: str, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        gpu.main([model, "--device", "cpu", *options])
    assert end.value.code == 1
    assert re.search(said, capsys.readouterr().err)


def test_running_out_of_memory_names_the_model_and_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(gpu.Bench, "count_step", full)
    with pytest.raises(SystemExit) as end:
        gpu.main(["models/cogvideox-nano", "--device", "cpu"])
    assert end.value.code == 1
    said = capsys.readouterr().err
    assert "cogvideox-nano ran out of the memory of the CPU" in said
    assert "--frames" in said

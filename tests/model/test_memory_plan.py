"""Placement of the published models on devices of known sizes, and which clips are rejected there."""

from pathlib import Path

import pytest

from benchmarks import memory as benchmark
from benchmarks.engine_clips import WORKS
from benchmarks.operations import PASSES, counted
from cdk.instances import INSTANCES
from containers.diffusion.errors import InvalidRequest, OutOfMemory
from containers.diffusion.families.cogvideox import tile_size
from containers.diffusion.family import Demand
from containers.diffusion.limits import Limits
from containers.diffusion.memory import (
    GIB,
    LAST_RESORT,
    OPTIONS,
    Device,
    ModelSizes,
    Option,
    Placement,
    host_need,
    lengths,
    peak,
    plan,
)
from tests.tiny_checkpoint import make_tiny_checkpoint
from tests.tiny_wan import make_tiny_wan

pytestmark = pytest.mark.filterwarnings(
    "default"
)  # warnings of the libraries when models are built on the meta device

DOCS = Path(__file__).parents[2] / "docs" / "engines-memory.md"


def device(free_gib: float, host_gib: float = 64) -> Device:
    return Device("cuda", "a GPU", int(free_gib * GIB), int(host_gib * GIB))


def limits(name: str) -> Limits:
    return benchmark.checkpoint_of(name).limits


def placed(name: str, on: Device) -> Option:
    return plan(benchmark.sizes_of(name), on, limits(name)).option


@pytest.mark.parametrize(
    ("gpu", "main_memory", "wanted"),
    [
        ("RTX 3060", "32 GB", "group offload, tiled decoding"),
        ("RTX 3060", "16 GB", "model offload, fp8 weights, tiled decoding"),
        ("A10G", "32 GB", "model offload"),
        ("A10G", "16 GB", "resident, fp8 weights, tiled decoding"),
        ("L4", "32 GB", "model offload"),
        ("L40S", "64 GB", "resident"),
        ("A100", "", "resident"),
        ("H100", "", "resident"),
    ],
)
def test_where_the_5b_model_goes(gpu: str, main_memory: str, wanted: str) -> None:
    (on,) = (
        known for known in benchmark.DEVICES if known.name.startswith(gpu) and main_memory in known.name[12:]
    )
    assert str(placed("cogvideox-5b", on)) == wanted


def test_the_documented_tables_match_the_plans() -> None:
    page = DOCS.read_text(encoding="utf-8")
    for table in benchmark.tables():
        assert table in page


@pytest.mark.parametrize(
    "name", sorted({name for work in WORKS for name in work.engines} & benchmark.MODELS.keys())
)
def test_the_instances_of_the_table_of_clips_are_those_that_hold_the_model(name: str) -> None:
    works = [work for work in WORKS if name in work.engines]
    wanted = {instance for work in works for instance in work.instances}
    held: dict[str, str] = {}  # the cheapest of those with the same GPU
    for instance, known in INSTANCES.items():
        (gpu, *_) = (on for on in benchmark.DEVICES if on.name.startswith(f"{known.gpu} "))
        on = Device("cuda", instance, gpu.free, known.main_gb * GIB * 9 // 10)
        try:
            made = benchmark.planned(name, on)
            for work in works:
                _, clip, _ = PASSES[work.model, work.clip, work.steps]
                made.check(clip, limits(name))
        except (OutOfMemory, InvalidRequest):
            continue
        if not made.option.fp8:
            held.setdefault(known.gpu, instance)
    assert wanted == set(held.values())


@pytest.mark.parametrize(
    "model", ["CogVideoX-5b, -I2V", "Wan2.1-T2V-1.3B", "Wan2.2-TI2V-5B", "LTX-2 19B distilled"]
)
def test_the_work_of_a_clip_is_what_the_real_class_computes(model: str) -> None:
    work = next(work for work in WORKS if work.model == model)
    assert work.pflop == pytest.approx(counted(*PASSES[work.model, work.clip, work.steps]), rel=0.005)


def test_every_work_of_the_table_can_be_counted() -> None:
    assert [(work.model, work.clip, work.steps) for work in WORKS] == list(PASSES)


def test_every_plan_fits_what_it_was_made_for() -> None:
    for name in benchmark.MODELS:
        for on in benchmark.DEVICES:
            try:
                made = benchmark.planned(name, on)
            except OutOfMemory:
                assert min(on.free, on.host_free) < 32 * GIB
                continue
            assert made.peak <= on.free
            assert host_need(made.model, made.option) <= on.host_free
            made.check(made.demand, limits(name))


def test_more_memory_never_means_shorter_clips_or_a_slower_placement() -> None:
    sizes = benchmark.sizes_of("cogvideox-1.5-5b")
    order = [*OPTIONS, LAST_RESORT]
    longest, place = 0, len(order)
    for free in range(8, 90, 3):
        made = plan(sizes, device(free), limits("cogvideox-1.5-5b"))
        assert made.demand.frames >= longest
        if made.demand.frames == longest:
            assert order.index(made.option) <= place
        longest, place = made.demand.frames, order.index(made.option)
    assert made.option == OPTIONS[0]


def test_a_plan_explains_its_choice() -> None:
    made = plan(benchmark.sizes_of("cogvideox-5b"), device(22), limits("cogvideox-5b"))
    document = made.document()
    assert document["placement"] == "model offload"
    assert document["planned_for"] == "49 frames of 720×480"
    assert document["planned_peak_gib"] < document["free_gib"] == 22.0
    assert document["reason"].startswith("resident needs ")
    assert plan(made.model, device(70), limits("cogvideox-5b")).reason == "everything fits"


def test_a_clip_that_does_not_fit_is_rejected_with_the_longest_that_does() -> None:
    rules = limits("cogvideox-1.5-5b")
    made = plan(benchmark.sizes_of("cogvideox-1.5-5b"), device(10.9, 32), rules)
    longest = made.demand.frames
    assert longest < rules.longest
    with pytest.raises(InvalidRequest) as refusal:
        made.check(Demand(1360, 768, rules.longest), rules)
    assert refusal.value.param == "frames"
    assert str(refusal.value).endswith(f"use at most {longest} frames at this size")
    made.check(Demand(1360, 768, longest), rules)
    # Without guidance, a step needs half the computation.
    made.check(Demand(1360, 768, rules.longest, guided=False), rules)


def test_a_size_that_fits_at_no_length_is_rejected() -> None:
    sizes, rules = benchmark.sizes_of("cogvideox-5b"), limits("cogvideox-5b")
    made = plan(sizes, device(40), rules)
    with pytest.raises(InvalidRequest, match="no length fits at this size"):
        made.check(Demand(4096, 4096, 49), rules)


def test_a_model_that_never_fits_is_rejected_on_load() -> None:
    expected = r"not even 9 frames of 720×480 fit into the 2\.0 GiB free on a GPU"
    with pytest.raises(OutOfMemory, match=expected):
        plan(benchmark.sizes_of("cogvideox-5b"), device(2), limits("cogvideox-5b"))


def test_layers_are_offloaded_sequentially_only_if_nothing_else_fits() -> None:
    sizes, rules = benchmark.sizes_of("cogvideox-5b"), limits("cogvideox-5b")
    tight = peak(sizes, LAST_RESORT, Demand(720, 480, 9)) / GIB
    assert plan(sizes, device(tight + 0.01), rules).option == LAST_RESORT


def test_a_cpu_needs_no_offloading() -> None:
    sizes, rules = benchmark.sizes_of("cogvideox-2b"), limits("cogvideox-2b")
    on = Device("cpu", "the CPU", 64 * GIB, 64 * GIB)
    assert plan(sizes, on, rules).option.placement is Placement.RESIDENT
    with pytest.raises(OutOfMemory):
        plan(sizes, Device("cpu", "the CPU", 8 * GIB, 8 * GIB), rules)


def test_the_sizes_are_read_from_the_files(tmp_path: Path) -> None:
    directory = make_tiny_checkpoint(tmp_path)
    sizes = ModelSizes.read(directory, "float32")
    for component in ("text_encoder", "transformer", "vae"):
        (file,) = (directory / component).glob("*.safetensors")
        header = int.from_bytes(file.read_bytes()[:8], "little")
        assert sizes.weights[component].total == file.stat().st_size - 8 - header
    assert (sizes.work.channels, sizes.work.patch_pixels, sizes.work.patches_in_time) == (32, 16, False)
    halved = ModelSizes.read(directory, "bfloat16")
    assert halved.weights["transformer"].total * 2 == sizes.weights["transformer"].total
    # transformers keeps some of T5 in float32 where the rest is float16.
    assert (
        ModelSizes.read(directory, "float16").weights["text_encoder"].total
        > halved.weights["text_encoder"].total
    )
    assert halved.weights["transformer"].fp8 < halved.weights["transformer"].total


# --- the estimates, compared with what the real classes allocate


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("cogvideox-2b", 49),
        ("cogvideox-1.5-5b-i2v", 161),
        ("wan2.1-t2v-1.3b", 81),
        ("wan2.1-i2v-14b", 81),
        ("wan2.2-ti2v-5b", 121),
    ],
)
def test_the_estimate_of_denoising_covers_what_the_real_class_allocates(name: str, frames: int) -> None:
    demand = Demand(*limits(name).sizes.default, frames)
    estimated, real = benchmark.sizes_of(name).work.denoising(demand), benchmark.meter_denoising(name, demand)
    assert real <= estimated <= 1.16 * real


@pytest.mark.parametrize(
    ("name", "demand", "tiling"),
    [
        ("cogvideox-5b", Demand(720, 480, 17), False),
        ("cogvideox-5b", Demand(480, 288, 17), True),
        ("wan2.1-t2v-14b", Demand(832, 480, 9), False),
        ("wan2.1-t2v-14b", Demand(480, 480, 5), True),
        ("wan2.2-ti2v-5b", Demand(1280, 704, 9), False),
    ],
)
def test_the_estimate_of_decoding_covers_what_the_real_class_allocates(
    name: str, demand: Demand, tiling: bool
) -> None:
    estimated = benchmark.sizes_of(name).work.decoding(demand, tiling=tiling)
    real = benchmark.meter_decoding(name, demand, tiling=tiling)
    assert real <= estimated <= 1.16 * real


def test_both_experts_count_and_the_vae_stays_in_float32(tmp_path: Path) -> None:
    directory = make_tiny_wan(tmp_path, "i2v-a14b")
    sizes, halved = (ModelSizes.read(directory, dtype) for dtype in ("float32", "bfloat16"))
    for part in ("transformer", "transformer_2"):
        # diffusers keeps the time's embedding, the norms and the modulation in float32.
        assert 0.5 < halved.weights[part].total / sizes.weights[part].total < 1
    assert halved.weights["vae"] == sizes.weights["vae"]
    clip = Demand(96, 64, 5)
    resident, offloaded = (
        peak(halved, Option(way), clip) for way in (Placement.RESIDENT, Placement.MODEL_OFFLOAD)
    )
    assert resident - offloaded >= halved.weights["transformer_2"].total


def test_the_estimates_agree_with_what_others_measured() -> None:
    found = [row for row in _published() if not 0.85 <= row[1] / row[2] <= 1.25]
    assert found == []


def _published() -> list[tuple[str, float, float]]:
    clip = Demand(720, 480, 49)
    on_gpu = [
        (f"{name}, {label}", benchmark.estimate(name, option, clip) / GIB, measured)
        for name, label, option, measured in benchmark.MEASURED_ON_GPU
    ]
    documented = [
        (label, peak(benchmark.sizes_of("cogvideox-2b"), option, clip) / GIB, measured)
        for label, option, measured in benchmark.DOCUMENTED
    ]
    return on_gpu + documented


@pytest.mark.parametrize("size", [(720, 480), (1360, 768), (768, 1360), (96, 64), (64, 96), (40, 48)])
def test_tiles_have_sides_that_overlap_in_whole_latents(size: tuple[int, int]) -> None:
    width, height = tile_size(*size)
    assert (width % 40, height % 48) == (0, 0)
    assert width <= max(size[0], 40)
    assert height <= max(size[1], 48)


def test_lengths_follow_the_frame_rule() -> None:
    assert lengths(limits("cogvideox-5b")) == [9, 17, 25, 33, 41, 49]
    assert lengths(limits("cogvideox-1.5-5b"))[-1] == 161

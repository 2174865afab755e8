"""The tables in docs/engines.md follow from their sources, and so do the default instances."""

from itertools import pairwise

import pytest

from benchmarks.engine_clips import (
    LONGEST_SECONDS,
    MEASURED,
    PAGE,
    PEAK_TFLOPS,
    WORKS,
    Work,
    cheapest_instance,
    clip_table,
    clips,
    floor_seconds,
    written,
)
from cdk.instances import INSTANCES, default_instances

ENGINES = sorted({engine for work in WORKS for engine in work.engines})


def test_the_page_has_the_tables_that_follow_from_the_data() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "run python -m benchmarks.engine_clips --write"


def test_every_published_figure_has_its_source_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for run in MEASURED:
        assert f"\n\n{run.figure.removeprefix('published ')} [" in page


@pytest.mark.parametrize("work", WORKS, ids=lambda work: f"{work.model} {work.clip} {work.steps}")
def test_no_figure_is_below_what_the_gpu_can_do(work: Work) -> None:
    for clip in clips(work):
        if clip.gpu in PEAK_TFLOPS:
            assert clip.seconds > floor_seconds(work, clip.gpu)


def test_a_derived_figure_is_the_floor_divided_by_the_share_that_a_published_run_reached() -> None:
    (work,) = (work for work in WORKS if work.model == "CogVideoX-2b")
    found = {clip.gpu: clip for clip in clips(work)}
    # Both by CogVideoX-5b, 33.2 PFLOP: 243 s on an A100, 112 s on an H100.
    assert found["L40S"].seconds == round(12_000 / 362 / (33_200 / 312 / 243))
    assert found["H100"].seconds == round(12_000 / 989 / (33_200 / 989 / 112))
    assert found["L40S"].usd == pytest.approx(found["L40S"].seconds * 2.80 / 3600)
    (wan,) = (work for work in WORKS if work.model == "Wan2.1-T2V-1.3B")
    # By Wan 14B, from an image, 135 PFLOP: 391 s.
    assert {clip.gpu: clip for clip in clips(wan)}["H100"].seconds == round(28.3 / 135 * 391)


def test_clips_that_sagemaker_would_end_are_left_out() -> None:
    rows = [line.split(" | ") for line in clip_table().splitlines()[2:]]
    assert rows
    assert all(int(row[5]) < LONGEST_SECONDS for row in rows)
    assert not [row for row in rows if row[0] == "| CogVideoX1.5-5B, -I2V" and row[3] == "ml.g5.2xlarge"]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_default_instance_is_the_cheapest_that_holds_the_model(engine: str) -> None:
    assert default_instances(engine)[0] == cheapest_instance(engine)


@pytest.mark.parametrize("engine", [*ENGINES, "cogvideox-nano"])
def test_the_fallback_has_the_same_gpu_and_no_less_memory(engine: str) -> None:
    for first, next_ in pairwise(INSTANCES[name] for name in default_instances(engine)):
        assert next_.gpu == first.gpu
        assert next_.main_gb >= first.main_gb

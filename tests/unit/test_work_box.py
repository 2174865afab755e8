"""The box with which an engine says how long it worked: written by the servers, read by the pipeline."""

from fractions import Fraction

import pytest

from containers.serving.work_box import work_box
from lambdas.domain.prices import of_work
from lambdas.media.mp4.work_box import without_work_box
from lambdas.media.probe import probe
from tests.contract import document
from tests.media.clips import clip

EXAMPLE = document("work_box")
BOX = bytes.fromhex(EXAMPLE["hex"])


def test_the_server_writes_the_contract_s_box() -> None:
    assert work_box(EXAMPLE["seconds"]) == BOX


def test_the_pipeline_reads_and_removes_it() -> None:
    assert without_work_box(clip(8) + BOX) == (clip(8), EXAMPLE["seconds"])


@pytest.mark.parametrize("output", [b"", b"short", BOX[1:], clip(8), BOX + b"x"])
def test_an_output_without_it_stays_as_it_is(output: bytes) -> None:
    assert without_work_box(output) == (output, None)


def test_a_clip_with_it_is_still_an_mp4() -> None:
    found = probe(clip(8) + BOX)
    assert (found.frames, found.duration) == (8, Fraction(1))


@pytest.mark.parametrize(
    ("price", "seconds", "cost"),
    [(0.001, 12.5, 0.0125), (0.0, None, 0.0), (0.001, None, None), (None, 1.0, None)],
)
def test_work_costs_its_seconds(price: float | None, seconds: float | None, cost: float | None) -> None:
    assert of_work(price, seconds) == cost

"""The table in docs/engines.md follows from its sources."""

import re
from pathlib import Path

import pytest

from cdk.instances import INSTANCES

PAGE = (Path(__file__).parents[2] / "docs" / "engines.md").read_text(encoding="utf-8")
# Shares of the dense bf16 peak that the two published runs reached, according to the page.
REACHED = {"L4": 0.44, "A10G": 0.44, "L40S": 0.44, "H100": 34 / 112}
PEAK_TFLOPS = {"L4": 121, "A10G": 70, "L40S": 362, "A100": 312, "H100": 989}
WORK_PFLOP = {
    "2b": 12.0,
    "5b": 33.2,
    "1.5-5b, 81 frames": 148,
    "1.5-5b, 161 frames": 463,
    "LTX-2 distilled, 121 frames": 2.7,
    "LTX-2 distilled, 481 frames": 16.0,
    "LTX-2, 121 frames": 25.9,
    "LTX-2, 481 frames": 155.9,
}
WORK_OF = {
    ("CogVideoX-2b", "6 s"): "2b",
    ("CogVideoX-5b", "6 s"): "5b",
    ("CogVideoX1.5-5B", "5 s"): "1.5-5b, 81 frames",
    ("CogVideoX1.5-5B", "10 s"): "1.5-5b, 161 frames",
    ("LTX-2 distilled", "5 s"): "LTX-2 distilled, 121 frames",
    ("LTX-2 distilled", "20 s"): "LTX-2 distilled, 481 frames",
    ("LTX-2", "5 s"): "LTX-2, 121 frames",
    ("LTX-2", "20 s"): "LTX-2, 481 frames",
}


def rows(header: str) -> list[list[str]]:
    table = PAGE[PAGE.index(header) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


CLIPS = rows("| Model | Clip |")
FLOORS = {row[0]: [float(cell.removesuffix(" s")) for cell in row[1:]] for row in rows("| | L4 (121")}


@pytest.mark.parametrize("work", WORK_PFLOP)
def test_floors_are_work_divided_by_peak(work: str) -> None:
    expected = [1000 * WORK_PFLOP[work] / peak for peak in PEAK_TFLOPS.values()]
    assert FLOORS[work] == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("row", CLIPS, ids=lambda row: f"{row[0]} {row[1]} {row[3]}")
def test_seconds_and_costs_follow(row: list[str]) -> None:
    model, clip, instance, gpu, seconds, cost, figure = row
    name, gigabytes = re.fullmatch(r"(\w+), (\d+) GB", gpu).groups()  # type: ignore[union-attr]
    if instance in INSTANCES:
        known = INSTANCES[instance]
        assert (known.gpu, known.gpu_gb) == (name, int(gigabytes))
        price = known.usd_per_hour
        assert cost == ("check" if price is None else f"{int(seconds) * price / 3600:.2f}")
    else:
        assert (instance, cost) == ("—", "—")
    if figure == "derived":
        floor = FLOORS[WORK_OF[model.split(",")[0], clip.split(",")[0]]][list(PEAK_TFLOPS).index(name)]
        assert int(seconds) == round(floor / REACHED[name])
    else:
        assert figure == "published [1]"
    assert int(seconds) < 3600, "SageMaker ends an invocation after an hour"

"""The arithmetic of benchmarks.assembly on given numbers, and how it runs a program."""

import json
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import assembly
from benchmarks.assembly import FILMS, LARGE, LONG, PEERS, SMALL, Bench, Cost, Film, Joiner, Measured, Run
from containers.diffusion.export import mp4
from tests.media.clips import pictures

TINY = Film("tiny", 64, 48, 9, 8, 3)


def run(work: float, whole: float, peak: float = 20) -> Run:
    """Return a measurement whose CPU time is twice its wall time."""
    return Run(Cost(whole, 2 * whole), Cost(work, 2 * work), peak)


@pytest.fixture
def measured() -> Measured:
    """Every peer takes 10 times as long as ours, and 4 times as long as a whole process."""
    found = Measured(size={SMALL: 1_000, LARGE: 5_000, LONG: 83_000})
    for film, ours, peer in PEERS:
        found.pairs[film, peer] = [(run(0.01, 0.1), run(0.1, 0.4))] * 3
        found.runs[film, ours] = [run(0.01, 0.1)] * 3
        found.runs[film, peer] = [run(0.1, 0.4, 90)] * 3
    found.runs[LONG, Joiner.CUTS] = [run(0.83, 1)]
    found.runs[LONG, Joiner.FADES] = [run(1, 1, peak=25)]
    return found


def target(measured: Measured, *words: str) -> dict[str, Any]:
    (found,) = [one for one in assembly.targets(measured) if all(word in one["name"] for word in words)]
    return found


def test_json_has_a_row_for_each_film_and_joiner_and_whether_targets_hold(measured: Measured) -> None:
    found = json.loads(json.dumps(assembly.document(measured)))
    assert set(found) == {"rows", "targets"}
    assert len(found["rows"]) == len(PEERS) + len(FILMS) * 2
    assert all(set(one) == {"name", "goal", "measured", "holds"} for one in found["targets"])
    assert len({one["name"] for one in found["targets"]}) == len(found["targets"])
    peer = next(row for row in found["rows"] if row["joiner"] == Joiner.FFMPEG_CUTS)
    assert peer["film"] == SMALL.name
    assert peer["ratios"] == {"work.wall": 10, "work.cpu": 10, "whole.wall": 4, "whole.cpu": 4}
    assert (peer["work.wall"], peer["whole.cpu"], peer["peak"], peer["runs"]) == (0.1, 0.8, 90, 3)
    ours = next(row for row in found["rows"] if row["joiner"] == Joiner.CUTS)
    assert ours["ratios"] is None


def test_a_ratio_is_the_median_of_the_pairs_not_the_ratio_of_medians(measured: Measured) -> None:
    measured.pairs[SMALL, Joiner.FFMPEG_CUTS] = [
        (run(1, 1), run(5, 5)),
        (run(10, 10), run(20, 20)),
        (run(1, 1), run(30, 30)),
    ]
    assert measured.ratio(SMALL, Joiner.FFMPEG_CUTS, "work.wall") == 5


def test_hard_cuts_are_measured_relative_to_copying(measured: Measured) -> None:
    words = ("CPU of copying", SMALL.name, "the work")
    assert target(measured, *words)["measured"] == 0.1
    assert target(measured, *words)["holds"]
    measured.pairs[SMALL, Joiner.COPY] = [(run(0.03, 0.03), run(0.01, 0.01))]
    assert target(measured, *words) | {"name": ""} == {
        "name": "",
        "goal": "≤ 2×",
        "measured": 3,
        "holds": False,
    }


def test_speed_is_the_wall_time_of_the_named_part(measured: Measured) -> None:
    assert target(measured, "faster than hard cuts: ffmpeg", SMALL.name, "the work")["measured"] == 10
    whole = target(measured, "faster than hard cuts: ffmpeg", SMALL.name, "the whole process")
    assert (whole["measured"], whole["holds"]) == (4, False)
    fades = target(measured, "faster than crossfades: ffmpeg", SMALL.name)
    assert (fades["measured"], fades["goal"], fades["holds"]) == (4, "≥ 4×", True)


@pytest.mark.parametrize(("peak", "holds"), [(40, True), (40.5, False)])
def test_memory_is_the_maximum_over_all_runs(measured: Measured, peak: float, holds: bool) -> None:
    measured.runs[LARGE, Joiner.CUTS].append(replace(run(1, 1), peak=peak))
    found = target(measured, "hard cuts: ours: peak memory")
    assert (found["measured"], found["holds"]) == (peak, holds)


def test_a_thousand_clips_are_compared_with_twelve_in_memory_and_cost(measured: Measured) -> None:
    assert target(measured, "crossfades: ours", "of that for 12")["measured"] == 1.25
    assert target(measured, "CPU a byte")["measured"] == 1.0
    measured.runs[LONG, Joiner.CUTS] = [run(2, 2)]
    assert not target(measured, "CPU a byte")["holds"]


def test_the_table_names_every_joiner_and_every_failed_target(
    measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    found = assembly.document(measured)
    assembly.show(found)
    printed = capsys.readouterr().out
    assert all(joiner in printed for joiner in Joiner)
    assert printed.count("FAILS: ") == sum(not one["holds"] for one in found["targets"]) > 0


def test_xfades_begin_where_two_clips_overlap() -> None:
    assert assembly.xfades(replace(TINY, frames=8)) == (
        "[0:v][1:v]xfade=transition=fade:duration=0.5:offset=0.5[v1];"
        "[v1][2:v]xfade=transition=fade:duration=0.5:offset=1.0[out]"
    )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    clips = tmp_path / TINY.name
    clips.mkdir()
    for number in range(TINY.count):
        frames = np.stack(list(pictures(TINY.frames, seed=number)))
        (clips / f"{number:04}.mp4").write_bytes(mp4(frames, TINY.fps, {}))
    return Bench(tmp_path, "ffmpeg")


@pytest.mark.parametrize("joiner", [Joiner.COPY, Joiner.CUTS])
def test_a_joiner_is_measured_in_its_own_process(bench: Bench, joiner: Joiner) -> None:
    found = bench.run(TINY, joiner)
    assert 0 < found.work.cpu < found.whole.cpu
    assert 0 < found.work.wall < found.whole.wall
    # The interpreter's memory only: this larger process is not counted.
    assert 5 < found.peak < 40


def test_a_film_of_the_wrong_length_ends_the_benchmark(bench: Bench) -> None:
    with pytest.raises(SystemExit, match="27 frames; expected 30"):
        bench.run(replace(TINY, frames=10), Joiner.CUTS)


def test_a_joiner_that_fails_ends_the_benchmark(bench: Bench) -> None:
    with pytest.raises(SystemExit, match="No such file"):
        bench.run(replace(TINY, name="not made"), Joiner.CUTS)


@pytest.mark.skipif(find_spec("moviepy") is not None, reason="MoviePy is installed")
def test_a_missing_peer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["assembly"])
    with pytest.raises(SystemExit, match=r"not installed: moviepy.*docs/benchmarks\.md"):
        assembly.main()

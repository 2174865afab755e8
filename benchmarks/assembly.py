"""Measure the cost of joining clips: our assembly compared with copying bytes, FFmpeg and MoviePy.

    python -m benchmarks.assembly [--json] [--rounds 9] [--seconds 60]

Each way of joining is a separate program. `work` is the cost in a process that is already running, like a
function or a server: for a Python program (copying, ours, MoviePy) without Python's startup and imports; for
FFmpeg its whole process, because it is started for each film. `whole` is the whole process of each. Both have
wall time and CPU time (user and system, including children). A target is for the work's wall time unless it
says otherwise; the whole process's follows if it differs.

Ours and a peer run repeatedly in pairs of alternating order, so that other load on the machine disturbs both;
a ratio is the median of its pairs. Peers encode with their own settings.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.util import find_spec
from itertools import product
from operator import attrgetter
from pathlib import Path
from statistics import median
from typing import Any

from lambdas.media.mp4.tables import read_track
from lambdas.media.source import FileSource

ROOT = Path(__file__).parents[1]
LAUNCHER = ROOT / "benchmarks" / "joiners" / "launch.py"
DISTINCT = 4
"""Number of clips rendered for a film; the others are copies, each in its own file."""
FADE_SECONDS = 0.5


class Joiner(StrEnum):
    COPY = "copying the bytes"
    CUTS = "hard cuts: ours"
    FFMPEG_CUTS = "hard cuts: ffmpeg -c copy"
    MOVIEPY_CUTS = "hard cuts: MoviePy"
    FADES = "crossfades: ours"
    FFMPEG_FADES = "crossfades: ffmpeg xfade"
    MOVIEPY_FADES = "crossfades: MoviePy"


@dataclass(frozen=True)
class Film:
    """`count` clips of `frames` frames each."""

    name: str
    width: int
    height: int
    frames: int
    fps: int
    count: int

    @property
    def fade(self) -> int:
        """Frames of a crossfade."""
        return round(FADE_SECONDS * self.fps)

    def length(self, joiner: Joiner) -> int:
        """Frames of the film."""
        faded = joiner in (Joiner.FADES, Joiner.FFMPEG_FADES, Joiner.MOVIEPY_FADES)
        return self.count * self.frames - (self.count - 1) * self.fade * faded


# CogVideoX's lengths for 6 and 10 seconds: one frame more.
SMALL = Film("12 × 6 s 720×480", 720, 480, 49, 8, 12)
LARGE = Film("12 × 10 s 1360×768", 1360, 768, 161, 16, 12)
LONG = Film("1,000 × 6 s 720×480", 720, 480, 49, 8, 1_000)

FILMS = (SMALL, LARGE, LONG)
PARTS = {"work": "the work", "whole": "the whole process"}
PEERS = [
    *(
        (film, Joiner.CUTS, peer)
        for film in (SMALL, LARGE)
        for peer in (Joiner.COPY, Joiner.FFMPEG_CUTS, Joiner.MOVIEPY_CUTS)
    ),
    *(
        (film, Joiner.FADES, peer)
        for film in (SMALL, LARGE)
        for peer in (Joiner.FFMPEG_FADES, Joiner.MOVIEPY_FADES)
    ),
    *((LONG, Joiner.CUTS, peer) for peer in (Joiner.COPY, Joiner.FFMPEG_CUTS)),
]
"""Comparisons: film, ours, peer. LONG's crossfades have no peer."""


@dataclass(frozen=True)
class Cost:
    """Wall time and CPU time in seconds."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Run:
    """Measurements of one run; `peak` is in MB."""

    whole: Cost
    work: Cost
    peak: float


@dataclass
class Measured:
    """Results: `runs` of each joiner for each film; `pairs` of (ours, a peer) that ran back to back."""

    runs: dict[tuple[Film, Joiner], list[Run]] = field(default_factory=dict)
    pairs: dict[tuple[Film, Joiner], list[tuple[Run, Run]]] = field(default_factory=dict)
    size: dict[Film, int] = field(default_factory=dict)

    def ratio(self, film: Film, peer: Joiner, of: str) -> float:
        """Return how many times as much `work.wall`, `whole.cpu`, … the peer takes as ours."""
        value = attrgetter(of)
        return float(median(value(its) / value(ours) for ours, its in self.pairs[film, peer]))

    def typical(self, film: Film, joiner: Joiner, of: str) -> float:
        return float(median(map(attrgetter(of), self.runs[film, joiner])))

    def peak(self, film: Film, joiner: Joiner) -> float:
        return max(run.peak for run in self.runs[film, joiner])


class Bench:
    """A directory with the clips of each film, and the programs that join them."""

    def __init__(self, directory: Path, ffmpeg: str) -> None:
        self._directory = directory
        self._ffmpeg = ffmpeg

    def make(self, film: Film) -> int:
        """Make the film's clips; return their total bytes."""
        clips = self._clips(film)
        clips.mkdir()
        picture = (film.width, film.height, film.frames, film.fps, DISTINCT)
        self._launch([*_program("clips"), *map(str, picture), str(clips)])
        for number in range(DISTINCT, film.count):
            shutil.copyfile(clips / f"{number % DISTINCT:04}.mp4", clips / f"{number:04}.mp4")
        return sum(path.stat().st_size for path in clips.iterdir())

    def run(self, film: Film, joiner: Joiner) -> Run:
        """Join the film and check its number of frames."""
        with tempfile.TemporaryDirectory(dir=self._directory) as directory:
            output = Path(directory) / "film.mp4"
            run = self._launch(self._command(film, joiner, output))
            if joiner == Joiner.COPY:
                return run
            found, expected = len(read_track(FileSource(output), "video", b"vide").sizes), film.length(joiner)
            # Peers count in seconds, so their rounding may add or drop a frame per clip.
            if abs(found - expected) > (0 if joiner in (Joiner.CUTS, Joiner.FADES) else film.count):
                raise SystemExit(f"{joiner}: {film.name} has {found} frames; expected {expected}")
            return run

    def _clips(self, film: Film) -> Path:
        return self._directory / film.name

    def _command(self, film: Film, joiner: Joiner, output: Path) -> list[str]:
        to = [str(self._clips(film)), str(output)]
        match joiner:
            case Joiner.COPY:
                return [*_program("copying"), *to]
            case Joiner.CUTS:
                return [*_program("cuts"), *to]
            case Joiner.FADES:
                return [*_program("crossfades"), *to, str(film.fade)]
            case Joiner.MOVIEPY_CUTS:
                return [*_program("with_moviepy"), *to]
            case Joiner.MOVIEPY_FADES:
                return [*_program("with_moviepy"), *to, str(FADE_SECONDS)]
            case Joiner.FFMPEG_CUTS:
                listing = output.with_suffix(".txt")
                listing.write_text(
                    "".join(f"file '{path}'\n" for path in sorted(self._clips(film).iterdir()))
                )
                listed = ["-f", "concat", "-safe", "0", "-i", str(listing), "-c", "copy"]
                return [self._ffmpeg, "-v", "error", "-nostdin", *listed, str(output)]
            case Joiner.FFMPEG_FADES:
                clips = sorted(self._clips(film).iterdir())
                inputs = [word for path in clips for word in ("-i", str(path))]
                graph = ["-filter_complex", xfades(film), "-map", "[out]", "-c:v", "libx264"]
                return [self._ffmpeg, "-v", "error", "-nostdin", *inputs, *graph, str(output)]

    def _launch(self, command: Sequence[str]) -> Run:
        launched = subprocess.run(
            [sys.executable, "-I", "-S", str(LAUNCHER), *command], cwd=ROOT, capture_output=True, text=True
        )
        if launched.returncode:
            raise SystemExit(launched.stderr)
        *told, used = (list(map(float, line.split())) for line in launched.stdout.splitlines())
        whole = Cost(*used[:2])
        return Run(whole, Cost(*told[0]) if told else whole, used[2] / 1024)


def _program(name: str) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.joiners.{name}"]


def xfades(film: Film) -> str:
    """Return FFmpeg's filters for a film with a crossfade between consecutive inputs."""
    step = film.frames / film.fps - FADE_SECONDS
    links, before = [], "[0:v]"
    for number in range(1, film.count):
        after = "[out]" if number == film.count - 1 else f"[v{number}]"
        fade = f"xfade=transition=fade:duration={FADE_SECONDS}:offset={number * step}"
        links.append(f"{before}[{number}:v]{fade}{after}")
        before = after
    return ";".join(links)


def measure(bench: Bench, rounds: int, seconds: float) -> Measured:
    """Run each comparison: up to `rounds` pairs, starting no more after `seconds`."""
    measured = Measured()
    for film in FILMS:
        print(f"making the clips: {film.name}", file=sys.stderr)
        measured.size[film] = bench.make(film)
    for film, ours, peer in PEERS:
        print(f"{film.name}: {peer}", file=sys.stderr)
        pairs = measured.pairs.setdefault((film, peer), [])
        started = time.monotonic()
        while len(pairs) < rounds and (not pairs or time.monotonic() - started < seconds):
            turn = (ours, peer) if len(pairs) % 2 else (peer, ours)
            ran = {joiner: bench.run(film, joiner) for joiner in turn}
            pairs.append((ran[ours], ran[peer]))
            for joiner, run in ran.items():
                measured.runs.setdefault((film, joiner), []).append(run)
    print(f"{LONG.name}: {Joiner.FADES}", file=sys.stderr)
    measured.runs[LONG, Joiner.FADES] = [bench.run(LONG, Joiner.FADES)]
    return measured


COSTS = ("work.wall", "work.cpu", "whole.wall", "whole.cpu")


def document(measured: Measured) -> dict[str, Any]:
    """Return {rows: […], targets: […]}; ratios are the row's value divided by ours."""
    rows = [
        row(measured, film, joiner) for film in FILMS for joiner in Joiner if (film, joiner) in measured.runs
    ]
    return {"rows": rows, "targets": list(targets(measured))}


def row(measured: Measured, film: Film, joiner: Joiner) -> dict[str, Any]:
    compared = (film, joiner) in measured.pairs
    return {
        "film": film.name,
        "joiner": joiner,
        "runs": len(measured.runs[film, joiner]),
        "peak": round(measured.peak(film, joiner), 1),
        **{of: round(measured.typical(film, joiner, of), 4) for of in COSTS},
        "ratios": {of: round(measured.ratio(film, joiner, of), 2) for of in COSTS} if compared else None,
    }


def targets(measured: Measured) -> Iterator[dict[str, Any]]:
    """Yield the targets: both parts for hard cuts, which finish before Python has started; the whole process
    for crossfades."""
    both = PARTS.items()
    for film, (part, name) in product(FILMS, both):
        times = 1 / measured.ratio(film, Joiner.COPY, f"{part}.cpu")
        yield at_most(2, f"{Joiner.CUTS}, {film.name}: CPU of {Joiner.COPY}, {name}", times, "×")
    hard = [*((film, Joiner.FFMPEG_CUTS, 5) for film in FILMS)]
    hard += [(SMALL, Joiner.MOVIEPY_CUTS, 200), (LARGE, Joiner.MOVIEPY_CUTS, 800)]
    soft = [(SMALL, Joiner.FFMPEG_FADES, 4), (LARGE, Joiner.FFMPEG_FADES, 7)]
    soft += [(SMALL, Joiner.MOVIEPY_FADES, 6), (LARGE, Joiner.MOVIEPY_FADES, 16)]
    for (film, peer, goal), (part, name) in [
        *product(hard, both),
        *product(soft, [("whole", PARTS["whole"])]),
    ]:
        times = measured.ratio(film, peer, f"{part}.wall")
        yield at_least(goal, f"faster than {peer}, {film.name}, {name}", times, "×")
    for joiner, goal in ((Joiner.CUTS, 40), (Joiner.FADES, 240)):
        most = max(measured.peak(film, joiner) for film in FILMS)
        yield at_most(goal, f"{joiner}: peak memory", most, " MB")
        # Only the index grows in memory, by about 90 bytes per frame.
        times = measured.peak(LONG, joiner) / measured.peak(SMALL, joiner)
        yield at_most(1.5, f"{joiner}: memory for 1,000 clips, of that for 12", times, "×")
    few, many = (
        measured.typical(film, Joiner.CUTS, "work.cpu") / measured.size[film] for film in (SMALL, LONG)
    )
    yield at_most(1.1, f"{Joiner.CUTS}: CPU a byte for 1,000 clips, of that for 12", many / few, "×")


def at_most(goal: float, name: str, measured: float, unit: str) -> dict[str, Any]:
    return {
        "name": name,
        "goal": f"≤ {goal}{unit}",
        "measured": round(measured, 2),
        "holds": measured <= goal,
    }


def at_least(goal: float, name: str, measured: float, unit: str) -> dict[str, Any]:
    return {
        "name": name,
        "goal": f"≥ {goal}{unit}",
        "measured": round(measured, 2),
        "holds": measured >= goal,
    }


def show(found: dict[str, Any]) -> None:
    film = None
    for row in found["rows"]:
        if row["film"] != film:
            film = row["film"]
            print(
                f"\n{film:<28}{'work: s':>9}{'CPU s':>9}{'whole: s':>10}{'CPU s':>9}{'MB':>8}{'runs':>6}",
                end="",
            )
            print("   times ours: work, CPU; whole, CPU")
        print(
            f"  {row['joiner']:<26}{row['work.wall']:>9.3f}{row['work.cpu']:>9.3f}{row['whole.wall']:>10.3f}"
            f"{row['whole.cpu']:>9.3f}{row['peak']:>8.1f}{row['runs']:>6}",
            *(f"{ratio:>8.2f} ×" for ratio in (row["ratios"] or {}).values()),
        )
    print()
    for target in found["targets"]:
        verdict = "holds" if target["holds"] else "FAILS"
        print(f"{verdict}: {target['name']}: {target['measured']} (goal {target['goal']})")


def peers() -> str:
    """Return the path of imageio-ffmpeg's FFmpeg program."""
    if missing := [name for name in ("moviepy", "imageio_ffmpeg") if find_spec(name) is None]:
        raise SystemExit(f"not installed: {', '.join(missing)}; see Assembly in docs/benchmarks.md")
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--rounds", type=int, default=9, help="Most pairs per comparison (default: %(default)s)."
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=60,
        help="Time limit for starting a comparison's pairs (default: %(default)s).",
    )
    options = parser.parse_args()
    ffmpeg = peers()
    print(f"load of the machine: {os.getloadavg()[0]:.1f}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as directory:
        found = document(measure(Bench(Path(directory), ffmpeg), options.rounds, options.seconds))
    print(f"load of the machine: {os.getloadavg()[0]:.1f}", file=sys.stderr)
    if options.json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        show(found)


if __name__ == "__main__":
    main()

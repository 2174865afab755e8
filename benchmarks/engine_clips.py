"""Seconds and cost of a clip by model and instance: the tables of docs/engines.md.

    python -m benchmarks.engine_clips [--write]

It prints the tables, or writes them into the page. A row is data: a model's work in WORKS, and what somebody
measured in MEASURED. Every other figure follows from these, GPUs' peaks and the prices of cdk/instances.py.
"""

import argparse
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cdk.instances import INSTANCES

PAGE = Path(__file__).parents[1] / "docs" / "engines.md"
BEGIN, END = "<!-- python -m benchmarks.engine_clips --write: {} -->", "<!-- end -->"
# SageMaker ends an invocation after an hour. The rest is for what a derived figure leaves out.
LONGEST_SECONDS = 3000

# Dense, with 16-bit numbers and 32-bit sums, without sparsity; from NVIDIA's data sheets and architecture
# papers: https://www.nvidia.com/en-us/data-center/l4, …/l40s, …/a100, …/h100, …/h200, …/hgx;
# https://images.nvidia.com/aem-dam/Solutions/geforce/ada/nvidia-ada-gpu-architecture.pdf (4090, 3090).
# The A10G's, which only AWS has, is that of https://aws.amazon.com/ec2/instance-types/g5/.
PEAK_TFLOPS = {
    "L4": 121.0,
    "A10G": 70.0,
    "L40S": 362.0,
    "A100": 312.0,
    "H100": 989.0,
    "H200": 989.0,
    "B200": 2250.0,
    "RTX 4090": 165.2,
    "RTX 3090": 71.0,
}
_OF_THE_TABLE = ("L4", "A10G", "L40S", "A100", "H100")


_ALL = ("ml.g6.2xlarge", "ml.g5.2xlarge", "ml.g6e.2xlarge", "ml.p5.4xlarge")
_48_GB = ("ml.g6e.2xlarge", "ml.p5.4xlarge")
# With main memory for 60 GB of weights, of which the GPU has a part at a time.
_LARGE = ("ml.g6e.4xlarge", "ml.p5.4xlarge")


@dataclass(frozen=True)
class Work:
    """A clip, and the floating-point operations of its steps at speed `exact`, or `turbo` where it says so:
    counted on the real class (benchmarks/operations.py)."""

    model: str
    clip: str
    steps: str
    pflop: float
    family: str
    engines: tuple[str, ...]
    """Names in the catalogue."""
    instances: tuple[str, ...] = _ALL
    """Those that hold the model."""


_A14B = ("wan2.2-t2v-a14b", "wan2.2-i2v-a14b")

# Of each engine, its default clip first.
WORKS = (
    Work("CogVideoX-2b", "6 s, 720×480", "50, guided", 12.0, "cogvideox", ("cogvideox-2b",)),
    Work(
        "CogVideoX-5b, -I2V", "6 s, 720×480", "50, guided", 33.2,
        "cogvideox", ("cogvideox-5b", "cogvideox-5b-i2v"),
    ),
    Work(
        "CogVideoX1.5-5B, -I2V", "5 s, 1360×768", "50, guided", 148,
        "cogvideox", ("cogvideox-1.5-5b", "cogvideox-1.5-5b-i2v"),
    ),
    Work(
        "CogVideoX1.5-5B, -I2V", "10 s, 1360×768", "50, guided", 463,
        "cogvideox", ("cogvideox-1.5-5b", "cogvideox-1.5-5b-i2v"),
    ),
    Work("Wan2.1-T2V-1.3B", "5 s, 832×480", "50, guided", 28.3, "wan", ("wan2.1-t2v-1.3b",)),
    Work("Wan2.1-T2V-14B", "5 s, 832×480", "50, guided", 168, "wan", ("wan2.1-t2v-14b",), _48_GB),
    Work("Wan2.1-T2V-14B", "5 s, 1280×720", "50, guided", 652, "wan", ("wan2.1-t2v-14b",), _48_GB),
    Work("Wan2.1-I2V-14B-480P", "5 s, 832×480", "40, guided", 135, "wan", ("wan2.1-i2v-14b-480p",), _48_GB),
    Work("Wan2.1-I2V-14B-720P", "5 s, 1280×720", "40, guided", 523, "wan", ("wan2.1-i2v-14b-720p",), _48_GB),
    Work("Wan2.1-FLF2V-14B", "5 s, 1280×720", "50, guided", 656, "wan", ("wan2.1-flf2v-14b",), _48_GB),
    Work("Wan2.2-TI2V-5B", "5 s, 1280×704", "50, guided", 52.1, "wan", ("wan2.2-ti2v-5b",)),
    Work("Wan2.2-T2V-A14B, -I2V", "5 s, 832×480", "40, guided", 134, "wan", _A14B, _LARGE),
    Work("Wan2.2-T2V-A14B, -I2V", "5 s, 1280×720", "40, guided", 522, "wan", _A14B, _LARGE),
    Work("Wan2.2-T2V-A14B, -I2V", "5 s, 832×480", "4, turbo", 6.71, "wan", _A14B, _LARGE),
    Work("Wan2.2-T2V-A14B, -I2V", "5 s, 1280×720", "4, turbo", 26.1, "wan", _A14B, _LARGE),
    Work("LTX-2 19B distilled", "5 s, 1024×576", "8", 2.58, "ltx", ("ltx-2-19b-distilled",), _LARGE),
    Work("LTX-2 19B distilled", "20 s, 1024×576", "8", 15.5, "ltx", ("ltx-2-19b-distilled",), _LARGE),
    Work("LTX-2 19B", "5 s, 1024×576", "40, guided", 25.8, "ltx", ("ltx-2-19b",), _LARGE),
    Work("LTX-2 19B", "20 s, 1024×576", "40, guided", 155, "ltx", ("ltx-2-19b",), _LARGE),
    Work("LTX-2.3 22B", "5 s, 1024×576", "30, guided", 38.5, "ltx", ("ltx-2.3-22b",), _LARGE),
    Work("LTX-2.3 22B", "20 s, 1024×576", "30, guided", 233, "ltx", ("ltx-2.3-22b",), _LARGE),
)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """Seconds for a clip of WORKS on a GPU. `figure` says whose they are: `published [n]`, with the source
    under that number on the page, or `measured` by benchmarks.gpu."""

    model: str
    clip: str
    steps: str
    gpu: str
    gpu_gb: int
    seconds: int
    figure: str


MEASURED = (
    Measured("CogVideoX-5b, -I2V", "6 s, 720×480", "50, guided", "A100", 80, 243, "published [1]"),
    Measured("CogVideoX-5b, -I2V", "6 s, 720×480", "50, guided", "H100", 80, 112, "published [1]"),
    # 9.77 s and 30.50 s a step.
    Measured("Wan2.1-I2V-14B-480P", "5 s, 832×480", "40, guided", "H100", 80, 391, "published [2]"),
    Measured("Wan2.1-I2V-14B-480P", "5 s, 832×480", "40, guided", "RTX 4090D", 24, 1220, "published [2]"),
)

# The GPU whose published run says what share of its peak another reaches.
_LIKE = {"L4": "A100", "A10G": "A100", "L40S": "A100"}


@dataclass(frozen=True)
class Clip:
    """A row of the page's table."""

    model: str
    clip: str
    steps: str
    instance: str | None
    """None: SageMaker has none with one such GPU."""
    gpu: str
    gpu_gb: int
    seconds: int
    figure: str

    @property
    def usd(self) -> float | None:
        price = INSTANCES[self.instance].usd_per_hour if self.instance else None
        return None if price is None else self.seconds * price / 3600

    def __str__(self) -> str:
        unknown = "check" if self.instance else "—"
        cost = unknown if self.usd is None else f"{self.usd:.2f}"
        cells = (
            self.model, self.clip, self.steps, self.instance or "—", f"{self.gpu}, {self.gpu_gb} GB",
            str(self.seconds), cost, self.figure,
        )  # fmt: skip
        return f"| {' | '.join(cells)} |"


def gpu_of(device: str) -> str | None:
    """Return the key of PEAK_TFLOPS for a device as CUDA names it; None if it isn't listed."""
    return next((gpu for gpu in PEAK_TFLOPS if re.search(rf"\b{gpu}\b", device)), None)


def instance_with(gpu: str) -> str | None:
    """Return the first of the catalogue's instance types with that GPU, which is the cheapest."""
    return next((name for name, instance in INSTANCES.items() if instance.gpu == gpu), None)


def floor_seconds(work: Work, gpu: str) -> float:
    """Return the seconds under which no program renders the clip on that GPU."""
    return work.pflop * 1000 / PEAK_TFLOPS[gpu]


def reached(family: str, gpu: str) -> float:
    """Return the share of its peak that a published run on this GPU, or on the one like it, reached; one of
    the same family if there is one."""
    gpu = _LIKE.get(gpu, gpu)
    works = {(work.model, work.clip, work.steps): work for work in WORKS}
    runs = [(works[run.model, run.clip, run.steps], run) for run in MEASURED if run.gpu == gpu]
    work, run = min(runs, key=lambda pair: pair[0].family != family)
    return floor_seconds(work, gpu) / run.seconds


def clips(work: Work) -> Iterator[Clip]:
    """Yield the clip on each instance that holds the model, and on each other GPU on which it was measured:
    as measured, else derived."""
    said = (work.model, work.clip, work.steps)
    runs = {run.gpu: run for run in MEASURED if (run.model, run.clip, run.steps) == said}
    for name in work.instances:
        gpu, gigabytes = INSTANCES[name].gpu, INSTANCES[name].gpu_gb
        if gpu in runs:
            seconds, figure = runs[gpu].seconds, runs.pop(gpu).figure
        else:
            seconds, figure = round(floor_seconds(work, gpu) / reached(work.family, gpu)), "derived"
        yield Clip(*said, name, gpu, gigabytes, seconds, figure)
    for run in runs.values():
        yield Clip(*said, None, run.gpu, run.gpu_gb, run.seconds, run.figure)


def cheapest_instance(engine: str) -> str:
    """Return the instance type on which the engine's default clip costs the least, of those that hold its
    model and render the clip in time; where no price is known, the first of them."""
    work = next(work for work in WORKS if engine in work.engines)
    able = [clip for clip in clips(work) if clip.instance and clip.seconds < LONGEST_SECONDS]
    cheapest = min(able, key=lambda clip: math.inf if clip.usd is None else clip.usd)
    return str(cheapest.instance)


def clip_table() -> str:
    found = [clip for work in WORKS for clip in clips(work)]
    header = "| Model | Clip | Steps | Instance | GPU | Seconds | Cost (USD) | Figure |"
    rows = [str(clip) for clip in found if clip.seconds < LONGEST_SECONDS]
    return "\n".join([header, "| --- | --- | --- | --- | --- | --- | --- | --- |", *rows])


def floor_table() -> str:
    heads = [f"{gpu} ({PEAK_TFLOPS[gpu]:.0f} TFLOPS)" for gpu in _OF_THE_TABLE]
    lines = [f"| Clip | PFLOP | {' | '.join(heads)} |", "| --- | --- |" + " --- |" * len(heads)]
    for work in WORKS:
        floors = " | ".join(f"{floor_seconds(work, gpu):.0f} s" for gpu in _OF_THE_TABLE)
        lines.append(f"| {work.model}, {work.clip}, {work.steps} | {work.pflop:g} | {floors} |")
    return "\n".join(lines)


def written(page: str) -> str:
    """Return the page with the tables between their marks as they follow from this module."""
    for name, table in (("clips", clip_table()), ("floors", floor_table())):
        begin = BEGIN.format(name)
        before, rest = page.split(begin, 1)
        page = f"{before}{begin}\n\n{table}\n\n{END}{rest.split(END, 1)[1]}"
    return page


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(clip_table(), floor_table(), sep="\n\n")


if __name__ == "__main__":
    main()

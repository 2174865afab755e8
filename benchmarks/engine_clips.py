"""Seconds and cost of a clip by model and instance: the tables of docs/engines.md.

    python -m benchmarks.engine_clips [--write]

It prints the tables, or writes them into the page. A row is data: a model's work in WORKS, and what somebody
measured in MEASURED. Every other figure follows from these, GPUs' peaks and the prices of cdk/instances.py.
"""

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cdk.instances import INSTANCES

PAGE = Path(__file__).parents[1] / "docs" / "engines.md"
BEGIN, END = "<!-- python -m benchmarks.engine_clips --write: {} -->", "<!-- end -->"
LONGEST_SECONDS = 3600  # SageMaker ends an invocation after an hour

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


@dataclass(frozen=True)
class Work:
    """A clip, and the floating-point operations of its steps at speed `exact`, counted on the real class
    (benchmarks/memory.py)."""

    model: str
    engines: tuple[str, ...]
    """Names in the catalogue."""
    clip: str
    steps: str
    pflop: float


WORKS = (
    Work("CogVideoX-2b", ("cogvideox-2b",), "6 s, 720×480", "50, guidance", 12.0),
    Work("CogVideoX-5b, -I2V", ("cogvideox-5b", "cogvideox-5b-i2v"), "6 s, 720×480", "50, guidance", 33.2),
    Work(
        "CogVideoX1.5-5B, -I2V", ("cogvideox-1.5-5b", "cogvideox-1.5-5b-i2v"), "5 s, 1360×768",
        "50, guidance", 148,
    ),
    Work(
        "CogVideoX1.5-5B, -I2V", ("cogvideox-1.5-5b", "cogvideox-1.5-5b-i2v"), "10 s, 1360×768",
        "50, guidance", 463,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """Seconds for a clip of WORKS on a GPU. `figure` says whose they are: `published [n]`, with the source
    under that number on the page, or `measured` by benchmarks.gpu."""

    model: str
    clip: str
    gpu: str
    gpu_gb: int
    seconds: int
    figure: str


MEASURED = (
    Measured("CogVideoX-5b, -I2V", "6 s, 720×480", "A100", 80, 243, "published [1]"),
    Measured("CogVideoX-5b, -I2V", "6 s, 720×480", "H100", 80, 112, "published [1]"),
)

# What share of their peak the published runs reached, by the GPU whose share is taken for another's.
_LIKE = {"L4": "A100", "A10G": "A100", "L40S": "A100", "A100": "A100", "H100": "H100"}


@dataclass(frozen=True)
class Clip:
    model: str
    clip: str
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
        """Return the row of the page's table."""
        if self.usd is not None:
            cost = f"{self.usd:.2f}"
        else:
            cost = "check" if self.instance else "—"
        cells = (
            self.model, self.clip, self.instance or "—", f"{self.gpu}, {self.gpu_gb} GB", str(self.seconds),
            cost, self.figure,
        )  # fmt: skip
        return f"| {' | '.join(cells)} |"


def gpu_of(device: str) -> str | None:
    """Return the key of PEAK_TFLOPS for a device as CUDA names it; None if it isn't listed."""
    return next((gpu for gpu in PEAK_TFLOPS if re.search(rf"\b{gpu}\b", device)), None)


def instance_with(gpu: str) -> str | None:
    """Return the cheapest instance type with that GPU."""
    names = (name for name, instance in INSTANCES.items() if instance.gpu == gpu)
    return min(names, key=lambda name: INSTANCES[name].usd_per_hour or 0, default=None)


def floor_seconds(work: Work, gpu: str) -> float:
    """Return the seconds under which no program renders the clip on that GPU."""
    return work.pflop * 1000 / PEAK_TFLOPS[gpu]


def reached(gpu: str) -> float:
    """Return the share of its peak that the published run on this GPU, or on the one like it, reached."""
    run = next(run for run in MEASURED if run.gpu == _LIKE[gpu])
    work = next(work for work in WORKS if (work.model, work.clip) == (run.model, run.clip))
    return floor_seconds(work, run.gpu) / run.seconds


def clips(work: Work) -> Iterator[Clip]:
    """Yield the clip on each GPU: as measured, else derived."""
    runs = {run.gpu: run for run in MEASURED if (run.model, run.clip) == (work.model, work.clip)}
    memory = {instance.gpu: instance.gpu_gb for instance in INSTANCES.values()}
    for gpu in [*memory, *(gpu for gpu in runs if gpu not in memory)]:
        if gpu in runs:
            run = runs[gpu]
            seconds, gigabytes, figure = run.seconds, run.gpu_gb, run.figure
        else:
            seconds, gigabytes = round(floor_seconds(work, gpu) / reached(gpu)), memory[gpu]
            figure = "derived"
        yield Clip(work.model, work.clip, instance_with(gpu), gpu, gigabytes, seconds, figure)


def cheapest_instance(engine: str, holds: set[str]) -> str:
    """Return the instance type, of those in `holds`, on which the engine's clips cost the least; each of its
    clips must end within an hour there."""
    costs: dict[str, float] = {}
    works = [work for work in WORKS if engine in work.engines]
    for name in holds:
        own = [clip for work in works for clip in clips(work) if clip.instance == name]
        if own and all(clip.seconds < LONGEST_SECONDS and clip.usd is not None for clip in own):
            costs[name] = sum(clip.usd or 0 for clip in own)
    return min(costs, key=costs.__getitem__)


def clip_table() -> str:
    found = [clip for work in WORKS for clip in clips(work)]
    header = "| Model | Clip | Instance | GPU | Seconds | Cost (USD) | Figure |"
    rows = [str(clip) for clip in found if clip.seconds < LONGEST_SECONDS]
    return "\n".join([header, "| --- | --- | --- | --- | --- | --- | --- |", *rows])


def floor_table() -> str:
    heads = [f"{gpu} ({PEAK_TFLOPS[gpu]:.0f} TFLOPS)" for gpu in _OF_THE_TABLE]
    lines = [f"| | PFLOP | {' | '.join(heads)} |", "| --- | --- |" + " --- |" * len(heads)]
    for work in WORKS:
        floors = " | ".join(f"{floor_seconds(work, gpu):.0f} s" for gpu in _OF_THE_TABLE)
        lines.append(f"| {work.model}, {work.clip} | {work.pflop:g} | {floors} |")
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

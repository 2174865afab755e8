"""Measure the engine server's models on a GPU, beside plain diffusers, and check the memory plan.

    python -m benchmarks.gpu [MODEL …] [--speed SPEED …] [--frames N] [--steps N] [--memory GIB] [--json]

A MODEL is a checkpoint's folder, or the name of a published model, which is then built with random weights at
full size: nothing is downloaded, and speed and memory are those of the real weights. Without MODEL, all
published models are measured. Each renders one clip as plain diffusers does, then one at each speed; a short
run comes first, so that no figure includes the compilation or the choice of kernels. `--memory` lets PyTorch
use no more than that, so that a large GPU shows what the plan does on a smaller one.
"""

import argparse
import gc
import inspect
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from benchmarks.engine_clips import PEAK_TFLOPS, Clip, gpu_of, instance_with
from benchmarks.published_models import MODELS
from benchmarks.random_weights import built_without_values, with_random_weights
from containers.diffusion.checkpoint import read_checkpoint
from containers.diffusion.errors import BadCheckpoint, EngineFailed, InvalidRequest, OutOfMemory
from containers.diffusion.family import Checkpoint, Demand, Job, Stage
from containers.diffusion.loras import Adapter, find_turbo
from containers.diffusion.memory import (
    GIB,
    RESERVED,
    WORKSPACES,
    Device,
    ModelSizes,
    Plan,
    gib,
    lengths,
    peak,
    plan,
)
from containers.diffusion.model import Model, dtype_on, read_pipeline, use_our_logging
from containers.diffusion.placement import read_device
from containers.diffusion.request import ClipRequest
from containers.diffusion.source import Source
from containers.diffusion.speed import Speed

PLAIN = "plain diffusers"
PROMPT = "A bee lands on a bright yellow flower in a sunny meadow."
SEED = 7
# Steps of a run that isn't measured: LTX-2's schedule, which ends at a given noise level, needs two.
SHORT = 2
# How far the plan may be above what PyTorch has allocated; it must never be below.
LOOSEST = 1.25


class Refused(Exception):
    """It cannot be measured here; the message says why, and what can."""


@dataclass(frozen=True)
class Subject:
    """A model to measure."""

    name: str
    checkpoint: Checkpoint
    sizes: ModelSizes
    turbo: Adapter | None
    weights: str
    """Where they are from: read, random."""
    make: Callable[[Plan], Any]
    """Return diffusers' pipeline."""


@dataclass(frozen=True)
class Row:
    """A clip, and what it took; seconds, bytes."""

    model: str
    weights: str
    clip: str
    device: str
    placement: str
    speed: str
    load_seconds: float
    """Until the model is placed; for random weights, drawing them."""
    steps: int
    computed_steps: int
    step_seconds: float
    """Median of the computed steps."""
    seconds: float
    """Of the whole clip without its MP4."""
    ratio: float
    """`seconds` of plain diffusers divided by these."""
    same_bits: bool
    """Whether the frames are those of plain diffusers, bit for bit."""
    step_tflop: float
    mfu: float | None
    """Share of the GPU's peak that the denoising reached; None if the peak is unknown."""
    peak_bytes: int
    reserved_bytes: int
    planned_bytes: int
    """What the plan expects PyTorch to allocate, without its reserves."""
    allowed_bytes: int
    """What the plan reserves."""
    plan_holds: bool | None
    """None on a CPU, where PyTorch does not count what it allocates."""


def subject_of(model: str, device: str) -> Subject:
    """Return the model: a folder, or a name of MODELS. Raises Refused or BadCheckpoint."""
    folder = Path(model)
    if (folder / "model_index.json").is_file():
        checkpoint = read_checkpoint(folder)
        sizes = ModelSizes.read(folder, dtype_on(device, checkpoint))
        denoising = [name for name, part in sizes.weights.items() if part.stage is Stage.DENOISE]
        return Subject(
            checkpoint.name or folder.name, checkpoint, sizes, find_turbo(folder, denoising), "read",
            lambda _: read_pipeline(folder, checkpoint, device),
        )  # fmt: skip
    if model not in MODELS:
        raise Refused(
            f"{model} is neither a folder with a model_index.json nor a published model; the published "
            f"models are {', '.join(MODELS)}"
        )
    if device == "cpu":
        raise Refused(
            f"{model} would take days on a CPU; name the folder of a small checkpoint, such as "
            "models/cogvideox-nano"
        )
    built = built_without_values(MODELS[model])
    checkpoint = built.checkpoint
    sizes = built.sizes(dtype_on(device, checkpoint))
    return Subject(model, checkpoint, sizes, None, "random", partial(with_random_weights, built))


def device_of(kind: str, memory: float | None) -> Device:
    """Return the device, with `memory` GiB free at most. Raises Refused."""
    if kind == "cuda" and not torch.cuda.is_available():
        raise Refused(
            "PyTorch finds no CUDA GPU on this machine. Use one with an NVIDIA driver and PyTorch for CUDA; "
            "or measure a small checkpoint here: python -m benchmarks.gpu models/cogvideox-nano --device cpu"
        )
    found = read_device(kind)
    if memory is None:
        return found
    if kind == "cpu" or memory * GIB > found.free:
        raise Refused(
            f"--memory must be at most what is free on a GPU; {gib(found.free)} are on {found.name}"
        )
    _, total = torch.cuda.mem_get_info()
    torch.cuda.set_per_process_memory_fraction(memory * GIB / total)
    return Device("cuda", f"{found.name}, {memory:g} GiB of it", int(memory * GIB), found.host_free)


class Bench:
    """One model on the device."""

    def __init__(self, subject: Subject, device: Device, *, frames: int | None, steps: int | None) -> None:
        """Load it. Raises Refused, OutOfMemory, torch.OutOfMemoryError."""
        self._subject, self._device, self._steps = subject, device, steps
        limits, recipe = subject.checkpoint.limits, subject.checkpoint.recipe
        if frames is not None and frames not in lengths(limits):
            raise Refused(f"--frames must be one of {lengths(limits)} for {subject.name}; got {frames}")
        guided = recipe.guidance > 1
        self._plan = plan(subject.sizes, device, limits, guided=guided)
        width, height = limits.sizes.default
        self._demand = Demand(width, height, frames or recipe.frames, guided)
        self._plan.check(self._demand, limits)
        started = time.monotonic()
        self._pipeline = subject.make(self._plan)
        self._model = Model.of(
            self._pipeline, subject.checkpoint, self._plan,
            loras={}, turbo=subject.turbo, compiled=self._on_gpu,
        )  # fmt: skip
        self._synchronize()
        self._load_seconds = time.monotonic() - started
        picture = Image.new("RGB", (width, height), "grey")
        self._source = Source(
            image=picture if limits.image == "required" else None,
            last_image=picture if limits.last_image == "required" else None,
        )

    @property
    def speeds(self) -> tuple[Speed, ...]:
        return self._model.speeds

    def rows(self, speeds: Sequence[Speed], peak_flops: float | None) -> Iterator[Row]:
        """Render, and yield a row for plain diffusers and for each speed."""
        guidances = {self._guided(speed) for speed in (Speed.EXACT, *speeds)}
        flops = {guided: self.count_step(guided=guided) for guided in guidances}

        def row(label: str, speed: Speed, measured: "Measured", plain: "Measured") -> Row:
            guided = self._guided(speed)
            demand = Demand(self._demand.width, self._demand.height, self._demand.frames, guided)
            allowed = peak(self._subject.sizes, self._plan.option, demand)
            planned = int((allowed - WORKSPACES) / RESERVED)
            denoising = sum(measured.step_seconds)
            reached = flops[guided] * measured.computed / denoising
            return Row(
                model=self._subject.name,
                weights=self._subject.weights,
                clip=str(self._demand),
                device=self._device.name,
                placement=str(self._plan.option),
                speed=label,
                load_seconds=self._load_seconds,
                steps=len(measured.step_seconds),
                computed_steps=measured.computed,
                step_seconds=median(sorted(measured.step_seconds)[-measured.computed :]),
                seconds=measured.seconds,
                ratio=plain.seconds / measured.seconds,
                same_bits=bool(np.array_equal(measured.frames, plain.frames)),
                step_tflop=flops[guided] / 1e12,
                mfu=reached / peak_flops if peak_flops else None,
                peak_bytes=measured.allocated,
                reserved_bytes=measured.reserved,
                planned_bytes=planned,
                allowed_bytes=allowed,
                plan_holds=plan_holds(planned, allowed, measured) if self._on_gpu else None,
            )

        self.plain(SHORT)
        plain = self.plain(self._steps_at(Speed.EXACT))
        yield row(PLAIN, Speed.EXACT, plain, plain)
        for speed in speeds:
            self.served(speed, SHORT)
            yield row(speed, speed, self.served(speed, self._steps_at(speed)), plain)

    def served(self, speed: Speed, steps: int) -> "Measured":
        """Render as the engine server does, with nothing kept from another clip."""
        self._model.embeddings.clear()
        self._reset()
        started = time.monotonic()
        made = self._model.render(self._request(steps), self._source, speed, lambda: None)
        seconds = time.monotonic() - started
        return Measured(made.frames, seconds, made.step_seconds, made.computed_steps, *self._memory())

    def plain(self, steps: int) -> "Measured":
        """Call the pipeline as its documentation does, in the same place."""
        request = self._request(steps)
        checkpoint = self._subject.checkpoint
        recipe = checkpoint.recipe
        prompt, negative = (self._model.embeddings[text] for text in (PROMPT, ""))
        job = Job(request, self._source, Speed.EXACT, steps, recipe.guidance, prompt, negative)
        call = checkpoint.call(self._pipeline, job)
        # The text takes the place of what the server has encoded.
        arguments = {name: value for name, value in call.arguments.items() if "prompt" not in name}
        if "max_sequence_length" in inspect.signature(call.pipeline.__call__).parameters:
            arguments["max_sequence_length"] = checkpoint.limits.prompt_tokens
        ticks: list[float] = []

        def tick(*_: Any) -> None:
            self._synchronize()
            ticks.append(time.monotonic())

        def on_step_end(_pipeline: Any, _step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            tick()
            return tensors

        self._reset()
        started = time.monotonic()
        with self._before_denoising(lambda: None if ticks else tick()):
            video = call.pipeline(
                **arguments,
                prompt=request.prompt,
                generator=torch.Generator("cpu").manual_seed(request.seed),
                output_type="np",
                callback_on_step_end=on_step_end,
            ).frames[0]
        seconds = time.monotonic() - started
        steps_took = [end - begin for begin, end in pairwise(ticks)]
        frames = (video * 255).round().astype(np.uint8)
        return Measured(frames, seconds, steps_took, len(steps_took), *self._memory())

    def count_step(self, *, guided: bool) -> int:
        """Return the floating-point operations of one computed step."""
        counted = 0
        with FlopCounterMode(display=False, custom_mapping=_ON_A_CPU) as counter:

            def begin(*_: Any) -> None:
                nonlocal counted
                counted -= counter.get_total_flops()

            def end(*_: Any) -> None:
                nonlocal counted
                counted += counter.get_total_flops()

            with self._before_denoising(begin, end):
                request = self._request(SHORT)
                if not guided:
                    request = request.model_copy(update={"guidance": 1.0})
                self._model.render(request, self._source, Speed.EXACT, lambda: None)
        return counted // SHORT

    @contextmanager
    def _before_denoising(
        self, hook: Callable[..., None], after: Callable[..., None] | None = None
    ) -> Iterator[None]:
        """Call `hook` before each pass of a part that denoises, and `after` after it."""
        handles = []
        for name, weights in self._subject.sizes.weights.items():
            if weights.stage is Stage.DENOISE:
                part = getattr(self._pipeline, name)
                handles.append(part.register_forward_pre_hook(lambda *_: hook()))
                if after is not None:
                    handles.append(part.register_forward_hook(lambda *_: after()))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @property
    def _on_gpu(self) -> bool:
        return self._device.kind == "cuda"

    def _guided(self, speed: Speed) -> bool:
        return self._subject.checkpoint.recipe_at(speed).guidance > 1

    def _steps_at(self, speed: Speed) -> int:
        return self._steps or self._subject.checkpoint.recipe_at(speed).steps

    def _request(self, steps: int) -> ClipRequest:
        return ClipRequest(
            prompt=PROMPT, width=self._demand.width, height=self._demand.height, frames=self._demand.frames,
            skip_frames=0, fps=self._subject.checkpoint.limits.fps[0], seed=SEED, steps=steps,
        )  # fmt: skip

    def _synchronize(self) -> None:
        if self._on_gpu:
            torch.cuda.synchronize()

    def _reset(self) -> None:
        if self._on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def _memory(self) -> tuple[int, int]:
        """Return the most bytes allocated and reserved since `_reset`; 0 on a CPU."""
        if not self._on_gpu:
            return 0, 0
        return torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()


@dataclass(frozen=True)
class Measured:
    frames: NDArray[np.uint8]
    seconds: float
    step_seconds: list[float]
    computed: int
    allocated: int
    reserved: int


def _attention_flops(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))


# PyTorch counts the attention of every device but this.
_ON_A_CPU = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops}


def plan_holds(planned: int, allowed: int, measured: Measured) -> bool:
    """Return whether the plan covers what was allocated and reserved, and by not too much."""
    covers = measured.allocated <= planned and measured.reserved <= allowed
    return covers and planned <= LOOSEST * measured.allocated


def docs_row(row: Row, seconds_of_film: float) -> str:
    """Return the row for docs/engines.md, to be added to benchmarks/engine_clips.py as measured."""
    gpu = gpu_of(row.device) or row.device
    gigabytes = round(torch.cuda.mem_get_info()[1] / 1e9) if torch.cuda.is_available() else 0
    clip = f"{seconds_of_film:.0f} s, {row.clip.split(' of ')[1]}"
    instance = instance_with(gpu)
    steps = f"{row.steps}, {row.speed}"
    return str(Clip(row.model, clip, steps, instance, gpu, gigabytes, round(row.seconds), "measured"))


def show(row: Row) -> None:
    used = "—"
    if row.plan_holds is not None:
        used = f"{row.peak_bytes / GIB:.1f} of {row.planned_bytes / GIB:.1f} planned"
        used += "" if row.plan_holds else " (FAILS)"
    mfu = "—" if row.mfu is None else f"{row.mfu:.1%}"
    cells = (
        row.speed, f"{row.step_seconds:.3f}", f"{row.computed_steps} of {row.steps}", f"{row.seconds:.2f}",
        f"{row.ratio:.2f}×", f"{row.step_tflop:.3f}", mfu, "same" if row.same_bits else "differ", used,
    )  # fmt: skip
    print(_line(cells), flush=True)


_HEADING = ("", "s a step", "computed", "s", "ratio", "TFLOP/step", "MFU", "bits", "peak, GiB")


def _line(cells: Sequence[str]) -> str:
    speed, *figures, bits, used = cells
    return f"{speed:<16}" + "".join(f"{figure:>11}" for figure in figures) + f"  {bits:<8}{used}"


def measure(model: str, options: argparse.Namespace, device: Device) -> list[Row]:
    """Measure one model and print its rows as they come. Raises Refused, BadCheckpoint, OutOfMemory,
    EngineFailed."""
    subject = subject_of(model, device.kind)
    try:
        bench = Bench(subject, device, frames=options.frames, steps=options.steps)
        speeds = options.speed or bench.speeds
        if missing := [speed for speed in speeds if speed not in bench.speeds]:
            raise Refused(f"{subject.name} has no speed {missing[0]}; it offers {', '.join(bench.speeds)}")
        gpu = gpu_of(device.name)
        tflops = options.peak_tflops or (PEAK_TFLOPS[gpu] if gpu else None)
        found = []
        for row in bench.rows(speeds, tflops * 1e12 if tflops else None):
            if not found:
                print(
                    f"{row.model} ({row.weights} weights) on {row.device}: {row.placement}; "
                    f"{row.clip}; loaded in {row.load_seconds:.1f} s\n"
                    f"{_line(_HEADING)}",
                    file=sys.stderr if options.json else sys.stdout,
                )
            found.append(row)
            if not options.json:
                show(row)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemory(
            f"{subject.name} ran out of the memory of {device.name}, which its plan says holds it: report "
            "the figures above; --frames with fewer frames may fit"
        ) from error
    film = (options.frames or subject.checkpoint.recipe.frames) / subject.checkpoint.limits.fps[0]
    if device.kind == "cuda" and options.steps is None and not options.json:
        print("\nfor docs/engines.md:", *(docs_row(row, film) for row in found[1:]), "", sep="\n")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", default=list(MODELS))
    parser.add_argument(
        "--speed", type=Speed, action="append", choices=list(Speed), help="One or more (default: all it has)."
    )
    parser.add_argument("--frames", type=int, help="Frames of the clip (default: the model's).")
    parser.add_argument("--steps", type=int, help="Denoising steps (default: the model's).")
    parser.add_argument("--memory", type=float, metavar="GIB", help="Use no more of the GPU's memory.")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--peak-tflops", type=float, help="The device's, if it is not one of those known.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    use_our_logging()
    rows: list[Row] = []
    failed = False
    try:
        device = device_of(options.device, options.memory)
    except Refused as refusal:
        sys.exit(f"benchmarks.gpu: {refusal}")
    for model in options.models:
        try:
            rows += measure(model, options, device)
        except (Refused, BadCheckpoint, OutOfMemory, InvalidRequest, EngineFailed) as refusal:
            print(f"benchmarks.gpu: {model}: {refusal}", file=sys.stderr)
            failed = True
        gc.collect()
        if device.kind == "cuda":
            torch.cuda.empty_cache()
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False))
    sys.exit(failed or any(row.plan_holds is False for row in rows))


if __name__ == "__main__":
    main()

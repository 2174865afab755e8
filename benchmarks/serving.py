"""Measure what each speed saves and changes, compared with plain diffusers and its other accelerations.

    python -m benchmarks.serving [--json] [--rounds 9] [--steps 50]

One run on one CPU thread, with a checkpoint of random weights that has CogVideoX-2b's architecture and is
large enough for the transformer to do nearly all of the work, as in the real ones. A row is a whole clip:
request, text encoding, steps, decoding, MP4. FLOPs are exact and independent of the machine. Seconds are
processor time, the minimum measured, and vary by a tenth on a busy machine. Random weights show what is
saved and how much a clip changes, not the effect on a meaningful picture.
"""

import argparse
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import av
import numpy as np
import torch
from diffusers import CogVideoXPipeline, CogVideoXTransformer3DModel
from diffusers.hooks import (
    FasterCacheConfig,
    FirstBlockCacheConfig,
    MagCacheConfig,
    PyramidAttentionBroadcastConfig,
    TaylorSeerCacheConfig,
)
from diffusers.utils import logging as diffusers_logging
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from containers.diffusion.acceleration import cached
from containers.diffusion.engine import DiffusionEngine
from containers.diffusion.export import mp4
from containers.diffusion.manifest import make_manifest
from containers.diffusion.speed import SKIPPING, Speed
from tests.tiny_checkpoint import MAX_TEXT_TOKENS, SIZE, make_tiny_checkpoint

LAYERS, HEADS, HEAD_WIDTH = 8, 8, 32
FRAMES, FPS, SEED, GUIDANCE = 9, 8, 7, 6.0
PROMPT = "A bee lands on a bright yellow flower in a sunny meadow."
PLAIN = "plain diffusers"

Render = Callable[[], bytes]


@dataclass
class Row:
    """One way of rendering, and its measurements; `render` returns the MP4."""

    name: str
    render: Render
    seconds: list[float] = field(default_factory=list)
    flops: int = 0
    clip: bytes = b""


def make_checkpoint(directory: Path) -> Path:
    """Write a tiny checkpoint with a larger transformer into `directory`."""
    make_tiny_checkpoint(directory)
    torch.manual_seed(0)
    CogVideoXTransformer3DModel(
        num_attention_heads=HEADS,
        attention_head_dim=HEAD_WIDTH,
        num_layers=LAYERS,
        text_embed_dim=32,
        time_embed_dim=HEADS * HEAD_WIDTH,
        sample_width=SIZE[0] // 8,
        sample_height=SIZE[1] // 8,
        max_text_seq_length=MAX_TEXT_TOKENS,
    ).save_pretrained(directory / "transformer")
    make_manifest(directory, directory.name).write(directory)
    return directory


def plain(pipeline: Any, steps: int) -> bytes:
    """Render as the model card does."""
    frames = pipeline(
        prompt=PROMPT,
        width=SIZE[0],
        height=SIZE[1],
        num_frames=FRAMES,
        num_inference_steps=steps,
        guidance_scale=GUIDANCE,
        generator=torch.Generator("cpu").manual_seed(SEED),
        output_type="np",
    ).frames[0]
    return mp4((frames * 255).round().astype(np.uint8), FPS, {})


def served(engine: DiffusionEngine, speed: Speed, steps: int) -> bytes:
    request = {
        "prompt": PROMPT, "width": SIZE[0], "height": SIZE[1], "frames": FRAMES, "skip_frames": 0, "fps": FPS,
        "seed": SEED, "steps": steps, "guidance": GUIDANCE, "speed": speed,
    }  # fmt: skip
    return engine.render(json.dumps(request).encode(), lambda: None).mp4


def not_chosen(pipeline: Any, steps: int) -> Iterator[tuple[str, Any]]:
    """Yield diffusers' accelerations with the settings of its documentation, or ours if it has none."""
    now = {"current_timestep_callback": lambda: pipeline.current_timestep}
    for every in (2, 3):
        yield (
            f"pyramid attention broadcast, 1 of {every}",
            PyramidAttentionBroadcastConfig(
                spatial_attention_block_skip_range=every,
                spatial_attention_timestep_skip_range=(100, 850),
                **now,
            ),
        )
    yield (
        "FasterCache",
        FasterCacheConfig(attention_weight_callback=lambda _: 0.3, tensor_format="BFCHW", **now),
    )
    # Ratios of 1, a fixed schedule, because none are published for CogVideoX.
    yield (
        "MagCache, 1 of 3",
        MagCacheConfig(mag_ratios=[1.0] * steps, num_inference_steps=steps, max_skip_steps=2),
    )
    yield (
        "TaylorSeer of layers, 1 of 3",
        TaylorSeerCacheConfig(
            cache_interval=3,
            taylor_factors_dtype=torch.float32,
            cache_identifiers=[r"transformer_blocks\.\d+\.(attn1|ff)"],
        ),
    )
    yield "FirstBlockCache", FirstBlockCacheConfig()


@contextmanager
def laid_out(directory: Path, steps: int) -> Iterator[list[Row]]:
    """Yield all rows, plain diffusers first."""
    pipeline = CogVideoXPipeline.from_pretrained(directory, dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    engine = DiffusionEngine(directory, "mid-size", "cpu")
    engine.load()

    def with_cache(config: Any) -> bytes:
        with cached(pipeline.transformer, config):
            return plain(pipeline, steps)

    yield [
        Row(PLAIN, partial(plain, pipeline, steps)),
        *(Row(speed, partial(served, engine, speed, steps)) for speed in (Speed.EXACT, *SKIPPING)),
        *(Row(name, partial(with_cache, config)) for name, config in not_chosen(pipeline, steps)),
        Row("plain diffusers, half the steps", partial(plain, pipeline, steps // 2)),
    ]


def measure(rows: list[Row], rounds: int) -> None:
    """Run every row once counting FLOPs and once timed; then run plain diffusers and exact `rounds` times in
    pairs of alternating order, because a target compares their times."""
    for row in rows:
        print(f"counting: {row.name}", file=sys.stderr)
        with FlopCounterMode(display=False) as counter:
            row.clip = row.render()
        row.flops = counter.get_total_flops()
    for row in rows[2:]:
        print(f"timing: {row.name}", file=sys.stderr)
        clock(row)
    for turn in range(rounds):
        print(f"timing: pair {turn + 1} of {rounds}", file=sys.stderr)
        for row in rows[:2] if turn % 2 else rows[1::-1]:
            clock(row)


def clock(row: Row) -> None:
    started = time.process_time()
    row.render()
    row.seconds.append(time.process_time() - started)


def document(rows: list[Row]) -> dict[str, Any]:
    """Return {rows: […], targets: […]}; ratios are plain diffusers' value divided by the row's."""
    by_name = {row.name: row for row in rows}
    first, exact = by_name[PLAIN], by_name[Speed.EXACT]
    wanted = pictures(first.clip)
    found = [
        {
            "name": row.name,
            "seconds": round(min(row.seconds), 2),
            "time_ratio": round(min(first.seconds) / min(row.seconds), 3),
            "gflop": round(row.flops / 1e9, 1),
            "flop_ratio": round(first.flops / row.flops, 3),
            "mean_difference": round(float(np.abs(pictures(row.clip) - wanted).mean()), 3),
            "psnr": psnr(pictures(row.clip), wanted),
        }
        for row in rows
    ]
    overhead = median(ours / plain for ours, plain in zip(exact.seconds, first.seconds, strict=True))
    same = video_bytes(exact.clip) == video_bytes(first.clip)

    def saves(speed: Speed, goal: float) -> dict[str, Any]:
        ratio = first.flops / by_name[speed].flops
        name = f"{speed}: less compute (FLOPs)"
        return {"name": name, "goal": f"≥ {goal}×", "measured": round(ratio, 3), "holds": ratio >= goal}

    return {
        "rows": found,
        "targets": [
            {"name": "exact: same bits as plain diffusers", "goal": "all", "measured": same, "holds": same},
            {
                "name": "exact: time of plain diffusers",
                "goal": "≤ 1.02",
                "measured": round(overhead, 3),
                "holds": overhead <= 1.02,
            },
            saves(Speed.BALANCED, 1.5),
            saves(Speed.FAST, 2.3),
        ],
    }


def pictures(clip: bytes) -> NDArray[np.float64]:
    with av.open(io.BytesIO(clip)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]).astype(
            float
        )


def video_bytes(clip: bytes) -> bytes:
    """Return the encoded video without the file's metadata."""
    with av.open(io.BytesIO(clip)) as container:
        return b"".join(bytes(packet) for packet in container.demux(video=0))


def psnr(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    """Return the PSNR in dB; None if both are the same."""
    error = float(np.square(one - other).mean())
    return None if error == 0 else round(10 * float(np.log10(255**2 / error)), 1)


def show(found: dict[str, Any]) -> None:
    print(f"{'':<36}{'s':>8}{'time':>8}{'GFLOP':>9}{'compute':>9}{'difference':>12}{'PSNR':>8}")
    for row in found["rows"]:
        quality = "same" if row["psnr"] is None else f"{row['psnr']:.1f}"
        print(
            f"{row['name']:<36}{row['seconds']:>8.2f}{row['time_ratio']:>7.2f}×{row['gflop']:>9.1f}"
            f"{row['flop_ratio']:>8.2f}×{row['mean_difference']:>12.2f}{quality:>8}"
        )
    for target in found["targets"]:
        verdict = "holds" if target["holds"] else "FAILS"
        print(f"{verdict}: {target['name']}: {target['measured']} (goal {target['goal']})")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--rounds",
        type=int,
        default=9,
        help="Runs of the pair whose times are compared (default: %(default)s).",
    )
    parser.add_argument("--steps", type=int, default=50, help="Denoising steps (default: %(default)s).")
    options = parser.parse_args()
    torch.set_num_threads(1)
    diffusers_logging.set_verbosity_error()
    with (
        tempfile.TemporaryDirectory() as directory,
        laid_out(make_checkpoint(Path(directory)), options.steps) as rows,
    ):
        measure(rows, options.rounds)
        found = document(rows)
    if options.json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        show(found)


if __name__ == "__main__":
    main()

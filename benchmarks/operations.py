"""Count the floating-point operations of a clip's steps on diffusers' real classes, without weights.

    python -m benchmarks.operations

The models are built on PyTorch's meta device, which has shapes but no values. The counts are in WORKS of
benchmarks/engine_clips.py.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.engine_clips import WORKS
from benchmarks.memory import denoising_pass
from containers.diffusion.family import Demand


def counted(name: str, demand: Demand, passes: int) -> float:
    """Return the operations of that many passes of a published model's transformer, in PFLOP."""
    one = denoising_pass(name, demand)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        one()
    return counter.get_total_flops() * passes / 1e15


_P480, _P720 = Demand(832, 480, 81), Demand(1280, 720, 81)
_LTX, _LTX_LONG = Demand(1024, 576, 121), Demand(1024, 576, 481)
_DISTILLED, _DISTILLED_LONG = replace(_LTX, guided=False), replace(_LTX_LONG, guided=False)

# By the model, clip and steps of WORKS: the published model, the clip, and how many passes it takes. With
# guidance a step computes twice as much: CogVideoX and LTX-2 in one pass, Wan in two.
PASSES: Mapping[tuple[str, str, str], tuple[str, Demand, int]] = {
    ("CogVideoX-2b", "6 s, 720×480", "50, guided"): ("cogvideox-2b", Demand(720, 480, 49), 50),
    ("CogVideoX-5b, -I2V", "6 s, 720×480", "50, guided"): ("cogvideox-5b", Demand(720, 480, 49), 50),
    ("CogVideoX1.5-5B, -I2V", "5 s, 1360×768", "50, guided"): (
        "cogvideox-1.5-5b", Demand(1360, 768, 81), 50,
    ),
    ("CogVideoX1.5-5B, -I2V", "10 s, 1360×768", "50, guided"): (
        "cogvideox-1.5-5b", Demand(1360, 768, 161), 50,
    ),
    ("Wan2.1-T2V-1.3B", "5 s, 832×480", "50, guided"): ("wan2.1-t2v-1.3b", _P480, 100),
    ("Wan2.1-T2V-14B", "5 s, 832×480", "50, guided"): ("wan2.1-t2v-14b", _P480, 100),
    ("Wan2.1-T2V-14B", "5 s, 1280×720", "50, guided"): ("wan2.1-t2v-14b", _P720, 100),
    ("Wan2.1-I2V-14B-480P", "5 s, 832×480", "40, guided"): ("wan2.1-i2v-14b", _P480, 80),
    ("Wan2.1-I2V-14B-720P", "5 s, 1280×720", "40, guided"): ("wan2.1-i2v-14b", _P720, 80),
    ("Wan2.1-FLF2V-14B", "5 s, 1280×720", "50, guided"): ("wan2.1-flf2v-14b", _P720, 100),
    ("Wan2.2-TI2V-5B", "5 s, 1280×704", "50, guided"): ("wan2.2-ti2v-5b", Demand(1280, 704, 121), 100),
    ("Wan2.2-T2V-A14B, -I2V", "5 s, 832×480", "40, guided"): ("wan2.2-t2v-a14b", _P480, 80),
    ("Wan2.2-T2V-A14B, -I2V", "5 s, 1280×720", "40, guided"): ("wan2.2-t2v-a14b", _P720, 80),
    ("Wan2.2-T2V-A14B, -I2V", "5 s, 832×480", "4, turbo"): ("wan2.2-t2v-a14b", _P480, 4),
    ("Wan2.2-T2V-A14B, -I2V", "5 s, 1280×720", "4, turbo"): ("wan2.2-t2v-a14b", _P720, 4),
    ("LTX-2 19B distilled", "5 s, 1024×576", "8"): ("ltx-2-19b-distilled", _DISTILLED, 8),
    ("LTX-2 19B distilled", "20 s, 1024×576", "8"): ("ltx-2-19b-distilled", _DISTILLED_LONG, 8),
    ("LTX-2 19B", "5 s, 1024×576", "40, guided"): ("ltx-2-19b", _LTX, 40),
    ("LTX-2 19B", "20 s, 1024×576", "40, guided"): ("ltx-2-19b", _LTX_LONG, 40),
    # LTX-2.3's guidance computes each step four times: with the prompt, without it, with a block's attention
    # perturbed, and with picture and sound apart.
    ("LTX-2.3 22B", "5 s, 1024×576", "30, guided"): ("ltx-2.3-22b", _DISTILLED, 120),
    ("LTX-2.3 22B", "20 s, 1024×576", "30, guided"): ("ltx-2.3-22b", _DISTILLED_LONG, 120),
}  # fmt: skip


def main() -> None:
    for work in WORKS:
        name = (work.model, work.clip, work.steps)
        print(
            f"{', '.join(name):<50} {counted(*PASSES[name]):>8.4g} PFLOP, {work.pflop:g} in WORKS", flush=True
        )


if __name__ == "__main__":
    main()

"""Count the floating-point operations of a clip's steps on diffusers' real classes, without weights.

    python -m benchmarks.operations

The models are built on PyTorch's meta device, which has shapes but no values. The counts are in WORKS of
benchmarks/engine_clips.py.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from diffusers import LTX2VideoTransformer3DModel, WanTransformer3DModel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.engine_clips import WORKS
from benchmarks.memory import MODELS, denoising_pass
from containers.diffusion.family import Demand

_BF16 = {"dtype": torch.bfloat16, "device": "meta"}


def counted(make: Callable[[], Callable[[], Any]], passes: int) -> float:
    """Return the operations of that many passes, in PFLOP; `make` returns one on the meta device."""
    one = make()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        one()
    return counter.get_total_flops() * passes / 1e15


def cogvideox(name: str, frames: int) -> Callable[[], Any]:
    """Return a pass for both halves of the guidance."""
    return denoising_pass(name, Demand(*MODELS[name].limits.sizes.default, frames))


# https://huggingface.co/Wan-AI, transformer/config.json of the repositories for diffusers: what differs from
# the class's defaults, which are 14B's.
_WAN_1_3B = {"num_attention_heads": 12, "ffn_dim": 8960, "num_layers": 30}
_WAN_5B = {
    "num_attention_heads": 24, "ffn_dim": 14336, "num_layers": 30, "in_channels": 48, "out_channels": 48,
}  # fmt: skip


def wan(config: Mapping[str, Any], latents: tuple[int, int, int]) -> Callable[[], Any]:
    """Return a pass for latents of that many frames, rows and columns."""
    with torch.device("meta"):
        model = WanTransformer3DModel(**config).to(torch.bfloat16)
    return partial(
        model,
        hidden_states=torch.empty(1, model.config.in_channels, *latents, **_BF16),
        timestep=torch.empty(1, dtype=torch.int64, device="meta"),
        encoder_hidden_states=torch.empty(1, 512, model.config.text_dim, **_BF16),
        return_dict=False,
    )


def ltx(latents: tuple[int, int, int], sound_latents: int) -> Callable[[], Any]:
    """Return a pass of LTX-2 for latents of that many frames, rows and columns, and those of the sound."""
    with torch.device("meta"):
        model = LTX2VideoTransformer3DModel().to(torch.bfloat16)
    frames, rows, columns = latents
    video, config = frames * rows * columns, model.config
    text = torch.empty(1, 1024, config.caption_channels, **_BF16)
    return partial(
        model,
        hidden_states=torch.empty(1, video, config.in_channels, **_BF16),
        audio_hidden_states=torch.empty(1, sound_latents, config.audio_in_channels, **_BF16),
        encoder_hidden_states=text,
        audio_encoder_hidden_states=text,
        timestep=torch.empty(1, video, **_BF16),
        audio_timestep=torch.empty(1, sound_latents, **_BF16),
        num_frames=frames,
        height=rows,
        width=columns,
        fps=24.0,
        audio_num_frames=sound_latents,
        return_dict=False,
    )


# By the model, clip and steps of WORKS: a pass, and how many the clip takes. Guidance takes two a step, which
# CogVideoX computes in one.
PASSES: Mapping[tuple[str, str, str], tuple[Callable[[], Callable[[], Any]], int]] = {
    ("CogVideoX-2b", "6 s, 720×480", "50, guided"): (partial(cogvideox, "cogvideox-2b", 49), 50),
    ("CogVideoX-5b, -I2V", "6 s, 720×480", "50, guided"): (partial(cogvideox, "cogvideox-5b", 49), 50),
    ("CogVideoX1.5-5B, -I2V", "5 s, 1360×768", "50, guided"): (
        partial(cogvideox, "cogvideox-1.5-5b", 81), 50,
    ),
    ("CogVideoX1.5-5B, -I2V", "10 s, 1360×768", "50, guided"): (
        partial(cogvideox, "cogvideox-1.5-5b", 161), 50,
    ),
    # 81 frames are 21 latents of 1/8 of the sides; of 5B, 121 are 31 of 1/16.
    ("Wan2.1-T2V-1.3B", "5 s, 832×480", "50, guided"): (partial(wan, _WAN_1_3B, (21, 60, 104)), 100),
    ("Wan2.1-T2V-14B", "5 s, 832×480", "50, guided"): (partial(wan, {}, (21, 60, 104)), 100),
    ("Wan2.1-T2V-14B", "5 s, 1280×720", "50, guided"): (partial(wan, {}, (21, 90, 160)), 100),
    ("Wan2.1-I2V-14B-480P", "5 s, 832×480", "40, guided"): (partial(wan, {}, (21, 60, 104)), 80),
    ("Wan2.1-I2V-14B-720P", "5 s, 1280×720", "40, guided"): (partial(wan, {}, (21, 90, 160)), 80),
    ("Wan2.2-TI2V-5B", "5 s, 1280×704", "50, guided"): (partial(wan, _WAN_5B, (31, 44, 80)), 100),
    ("Wan2.2-T2V-A14B, -I2V", "5 s, 832×480", "40, guided"): (partial(wan, {}, (21, 60, 104)), 80),
    ("Wan2.2-T2V-A14B, -I2V", "5 s, 1280×720", "40, guided"): (partial(wan, {}, (21, 90, 160)), 80),
    ("Wan2.2-T2V-A14B, -I2V", "5 s, 832×480", "4, turbo"): (partial(wan, {}, (21, 60, 104)), 4),
    ("Wan2.2-T2V-A14B, -I2V", "5 s, 1280×720", "4, turbo"): (partial(wan, {}, (21, 90, 160)), 4),
    # 121 frames are 16 latents of 1/32 of the sides, and 25 of sound a second.
    ("LTX-2 19B distilled", "5 s, 1024×576", "8"): (partial(ltx, (16, 18, 32), 126), 8),
}  # fmt: skip


def main() -> None:
    for work in WORKS:
        name = (work.model, work.clip, work.steps)
        print(
            f"{', '.join(name):<50} {counted(*PASSES[name]):>8.4g} PFLOP, {work.pflop:g} in WORKS", flush=True
        )


if __name__ == "__main__":
    main()

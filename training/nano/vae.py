"""Train the autoencoder: pixels to latents (8 pixels and 4 frames per latent) and back."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from diffusers import AutoencoderKLCogVideoX
from diffusers.models.autoencoders.autoencoder_kl_cogvideox import CogVideoXSpatialNorm3D
from torch import nn
from torch.nn import functional

from training.nano.draw import FRAMES, HEIGHT, WIDTH, Scene, clip
from training.nano.progress import Training

LATENT_CHANNELS = 8
# Single frames first: they teach colours and outlines at a fraction of the cost of clips.
FRAME_STEPS, FRAME_RATE = 800, 3e-3
PART_STEPS, PART_RATE = 300, 2e-3
# The decoder alone, on whole pictures: there, group normalisation sees different values than in parts.
WHOLE_STEPS, WHOLE_RATE = 250, 1e-3
PART = 32  # pixels, square
KL_WEIGHT = 2e-3


def new_vae() -> AutoencoderKLCogVideoX:
    """Return an autoencoder like CogVideoX's, with four blocks (8 pixels and 4 frames per latent), but
    narrow."""
    vae = AutoencoderKLCogVideoX(
        block_out_channels=(16, 16, 32, 64),
        latent_channels=LATENT_CHANNELS,
        layers_per_block=1,
        norm_num_groups=4,
        sample_width=WIDTH,
        sample_height=HEIGHT,
    )
    return _fast(vae)


def load_vae(directory: Path) -> AutoencoderKLCogVideoX:
    return _fast(AutoencoderKLCogVideoX.from_pretrained(directory))


def _fast(vae: AutoencoderKLCogVideoX) -> AutoencoderKLCogVideoX:
    """Lay out the weights in the order in which a CPU multiplies them twice as fast."""
    for module in vae.modules():
        if isinstance(module, nn.Conv3d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last_3d)
    return vae


def train_vae(training: Training, drawn: torch.Tensor, directory: Path) -> None:
    """Train on parts of the frames of `drawn` (drawn_clips), then of its clips; standardise the latents; save
    into `directory`."""
    torch.manual_seed(training.seed)
    rng = random.Random(training.seed)
    vae = new_vae()

    def frames() -> torch.Tensor:
        return _parts(drawn, 24, rng)[:, :, rng.randrange(FRAMES), None]

    _train(training, "vae-frames", vae, FRAME_STEPS, FRAME_RATE, frames, rng)
    _train(training, "vae-clips", vae, PART_STEPS, PART_RATE, lambda: _parts(drawn, 8, rng), rng)
    standardise(vae, drawn[::8])
    vae.save_pretrained(directory)


@torch.no_grad()  # type: ignore[untyped-decorator]
def standardise(vae: AutoencoderKLCogVideoX, sample: torch.Tensor) -> None:
    """Give each latent channel of the clips in `sample` mean 0 and variance 1 by changing the weights at both
    ends of the latents.

    The transformer learns faster from such latents, and a checkpoint has only one scaling factor for all
    channels. Pictures stay the same except at their borders, where the decoder pads latents with zeros.
    """
    latents = torch.cat([encode(vae, clips) for clips in sample.split(8)])
    mean, spread = latents.mean((0, 2, 3, 4)), latents.std((0, 2, 3, 4))

    ends = vae.encoder.conv_out.conv
    ends.weight[:LATENT_CHANNELS] /= spread[:, None, None, None, None]
    ends.bias[:LATENT_CHANNELS] = (ends.bias[:LATENT_CHANNELS] - mean) / spread
    ends.bias[LATENT_CHANNELS:] -= 2 * spread.log()  # the logarithm of the variance

    for module in vae.decoder.modules():
        if isinstance(module, CogVideoXSpatialNorm3D):
            starts = [module.conv_y.conv, module.conv_b.conv]
        elif module is vae.decoder.conv_in:
            starts = [module.conv]
        else:
            continue
        for start in starts:
            start.bias += torch.einsum("oithw,i->o", start.weight, mean)
            start.weight *= spread[None, :, None, None, None]
    vae.register_to_config(scaling_factor=1.0)


@torch.no_grad()  # type: ignore[untyped-decorator]
def encode(vae: AutoencoderKLCogVideoX, clips: torch.Tensor) -> torch.Tensor:
    """Return latents (n, channels, frames, height, width) for clips (n, 3, FRAMES, HEIGHT, WIDTH) from 0 to
    255."""
    video = (clips.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last_3d)
    with torch.autocast("cpu", torch.bfloat16):  # more than twice as fast
        return vae.encode(video).latent_dist.mode().float()


def train_decoder(training: Training, drawn: torch.Tensor, directory: Path, finished: Path) -> None:
    """Continue training only the decoder, from `directory` into `finished`; the latents stay the same."""
    torch.manual_seed(training.seed)
    vae = load_vae(directory)
    vae.encoder.requires_grad_(False)
    _train(
        training, "vae-decoder", vae, WHOLE_STEPS, WHOLE_RATE, lambda: drawn[torch.randint(len(drawn), (2,))]
    )
    vae.save_pretrained(finished)


def drawn_clips(scenes: Sequence[Scene], rng: random.Random) -> torch.Tensor:
    """Draw one clip of each scene: (scenes, 3, frames, height, width), 0 to 255."""
    clips = [torch.from_numpy(clip(scene, rng)) for scene in scenes]
    return torch.stack(clips).permute(0, 4, 1, 2, 3)


def _train(
    training: Training,
    name: str,
    vae: AutoencoderKLCogVideoX,
    steps: int,
    rate: float,
    draw: Callable[[], torch.Tensor],
    rng: random.Random | None = None,
) -> None:
    learning = [parameter for parameter in vae.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(learning, lr=rate, betas=(0.9, 0.98))
    # Of the recipe's length, so that a trial's steps are the recipe's first ones.
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps, pct_start=0.05)
    loop = training.loop(name, steps, {"vae": vae, "optimizer": optimizer, "schedule": schedule}, rng)
    for _ in loop:
        batch = (draw().float() / 127.5 - 1).contiguous(memory_format=torch.channels_last_3d)
        posterior = vae.encode(batch).latent_dist
        back = vae.decode(posterior.sample()).sample
        error = functional.l1_loss(back, batch) + 2 * functional.mse_loss(back, batch)
        kl = posterior.kl().mean() / posterior.mean[0].numel()
        optimizer.zero_grad()
        (error + KL_WEIGHT * kl).backward()
        nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        schedule.step()
        loop.error = error.item()


def _parts(drawn: torch.Tensor, count: int, rng: random.Random) -> torch.Tensor:
    """Return parts of clips at the edge of the shape: most of a clip is plain and soon learned."""
    parts = []
    count = min(count, len(drawn))  # in a trial with few scenes
    for number in torch.randint(len(drawn), (count,)).tolist():
        video = drawn[number]
        where = torch.nonzero((video[:, 4] != video[:, 4, :1, :1]).any(0))
        y, x = where[rng.randrange(len(where))].tolist()
        top = min(max(y - rng.randrange(PART), 0), HEIGHT - PART)
        left = min(max(x - rng.randrange(PART), 0), WIDTH - PART)
        parts.append(video[:, :, top : top + PART, left : left + PART])
    return torch.stack(parts)

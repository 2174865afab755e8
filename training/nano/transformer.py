"""Train the transformer and the text encoder together on the autoencoder's latents."""

import copy
import random
from collections.abc import Callable, Sequence
from functools import partial

import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXDDIMScheduler, CogVideoXTransformer3DModel
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import T5EncoderModel, T5Tokenizer

from training.nano.draw import FRAMES, HEIGHT, WIDTH, Scene, caption
from training.nano.progress import Training
from training.nano.text import MAX_TOKENS, TEXT_WIDTH, new_text_encoder
from training.nano.vae import LATENT_CHANNELS, drawn_clips, encode

# Longest caption. Most of the training reads no more text than this, which makes a step three times as fast;
# the last part reads MAX_TOKENS like the pipeline, nearly all of them padding.
CAPTION_TOKENS = 16
CAPTIONS_PER_SCENE = 32
CLIPS_PER_SCENE = 6
BATCH = 64
# At first all noise levels are equally likely, which teaches colours and backgrounds. The middle levels
# decide what moves where, and training mostly on them learns that twice as fast.
EVEN_STEPS, MIDDLE_STEPS = 2000, 5100
# The last of these steps, over which the learning rate falls to zero.
FALL_STEPS = 2000
LONG_STEPS, LONG_BATCH = 400, 24
LONG_RATE = 0.4  # of RATE, falling to zero
RATE = 1.5e-3
WARM_UP = 200
# Share of captions left out, for guidance.
UNGUIDED = 0.1
EMA = 0.998


def new_scheduler() -> CogVideoXDDIMScheduler:
    """Return CogVideoX's scheduler with the 5b models' noise levels (snr_shift_scale 1)."""
    return CogVideoXDDIMScheduler(
        beta_end=0.012,
        beta_start=0.00085,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        snr_shift_scale=1.0,
        timestep_spacing="trailing",
    )


def new_transformer(text_tokens: int) -> CogVideoXTransformer3DModel:
    """Return a transformer like CogVideoX-2b's (fixed position embeddings), but narrow and shallow."""
    return CogVideoXTransformer3DModel(
        num_attention_heads=4,
        attention_head_dim=32,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        time_embed_dim=64,
        text_embed_dim=TEXT_WIDTH,
        num_layers=6,
        sample_width=WIDTH // 8,
        sample_height=HEIGHT // 8,
        sample_frames=FRAMES,
        max_text_seq_length=text_tokens,
        spatial_interpolation_scale=1.0,
    )


class Both(nn.Module):  # type: ignore[misc]
    """Text encoder and transformer: token ids, noisy latents and time steps in, predicted velocity out."""

    def __init__(self, text_encoder: T5EncoderModel, transformer: CogVideoXTransformer3DModel) -> None:
        super().__init__()
        self.text_encoder = text_encoder
        self.transformer = transformer

    def forward(self, ids: torch.Tensor, noisy: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        # No mask for the padding, as in the pipeline.
        return self.transformer(noisy, self.text_encoder(ids)[0], at, return_dict=False)[0]


def latents_of_drawn(vae: AutoencoderKLCogVideoX, scenes: Sequence[Scene], seed: int) -> torch.Tensor:
    """Return several clips of each scene, fp16: (scenes, clips, frames, channels, height, width)."""
    rng = random.Random(seed)
    rounds = []
    for _ in range(CLIPS_PER_SCENE):
        latents = torch.cat([encode(vae, clips) for clips in drawn_clips(scenes, rng).split(12)])
        rounds.append(latents.permute(0, 2, 1, 3, 4).half())
    return torch.stack(rounds, dim=1)


def caption_ids(scenes: Sequence[Scene], tokenizer: T5Tokenizer, length: int) -> torch.Tensor:
    """Return captions of every scene, the empty one last: (scenes, captions + 1, length)."""
    rng = random.Random(1)
    texts = [[caption(scene, rng) for _ in range(CAPTIONS_PER_SCENE)] + [""] for scene in scenes]
    ids = tokenizer([t for own in texts for t in own], padding="max_length", max_length=length).input_ids
    return torch.tensor(ids).view(len(scenes), CAPTIONS_PER_SCENE + 1, length)


class Batches:
    """Random training batches: token ids, clean latents."""

    def __init__(self, scenes: Sequence[Scene], latents: torch.Tensor, tokenizer: T5Tokenizer) -> None:
        """`latents` is (scenes, clips, frames, channels, height, width), scaled."""
        self.latents = latents
        self.ids = {length: caption_ids(scenes, tokenizer, length) for length in (CAPTION_TOKENS, MAX_TOKENS)}

    def draw(self, count: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        scenes, clips = self.latents.shape[:2]
        scene = torch.randint(scenes, (count,))
        phrasing = torch.randint(CAPTIONS_PER_SCENE, (count,))
        phrasing[torch.rand(count) < UNGUIDED] = CAPTIONS_PER_SCENE
        return self.ids[length][scene, phrasing], self.latents[scene, torch.randint(clips, (count,))].float()


def even_levels(count: int, levels: int) -> torch.Tensor:
    return torch.randint(levels, (count,))


def middle_levels(count: int, levels: int) -> torch.Tensor:
    """Draw mostly levels with two thirds noise, and none with hardly any: 20 steps skip those levels."""
    share = torch.sigmoid(0.6 + 0.9 * torch.randn(count))
    return (30 + share * (levels - 30)).long().clamp(max=levels - 1)


def velocity_loss(
    model: nn.Module, levels: torch.Tensor, at: torch.Tensor, ids: torch.Tensor, clean: torch.Tensor
) -> torch.Tensor:
    """Return the error of each sample; `at` is its index into `levels`, the scheduler's alphas_cumprod."""
    signal = levels[at].sqrt()[:, None, None, None, None].float()
    spread = (1 - levels[at]).sqrt()[:, None, None, None, None].float()
    noise = torch.randn_like(clean)
    # The fastest kernel for the backward pass of short sequences on a CPU.
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        guess = model(ids, signal * clean + spread * noise, at)
    return (guess.float() - (signal * noise - spread * clean)).square().mean((1, 2, 3, 4))


def train_transformer(
    training: Training, scenes: Sequence[Scene], latents: torch.Tensor, tokenizer: T5Tokenizer
) -> Both:
    """Return the average of the last weights.

    `latents` are (scenes, clips, frames, channels, height, width).
    """
    torch.manual_seed(training.seed)
    batches = Batches(scenes, latents, tokenizer)
    model = Both(new_text_encoder(len(tokenizer)), new_transformer(CAPTION_TOKENS))
    short = partial(_train, training, batches=batches, length=CAPTION_TOKENS, count=BATCH)
    model = short(
        "transformer-even", model, EVEN_STEPS, lambda step: min(1.0, (step + 1) / WARM_UP), even_levels
    )
    model = short(
        "transformer-middle",
        model,
        MIDDLE_STEPS,
        lambda step: min(1.0, (MIDDLE_STEPS - step) / FALL_STEPS),
        middle_levels,
    )
    return _train(
        training,
        "transformer-long",
        with_long_text(model),
        LONG_STEPS,
        lambda step: LONG_RATE * (1 - step / LONG_STEPS),
        middle_levels,
        batches=batches,
        length=MAX_TOKENS,
        count=LONG_BATCH,
    )


def with_long_text(model: Both) -> Both:
    """Return the same weights in a transformer for prompts of MAX_TOKENS."""
    transformer = new_transformer(MAX_TOKENS)
    transformer.load_state_dict(model.transformer.state_dict())
    return Both(model.text_encoder, transformer)


def _train(
    training: Training,
    name: str,
    model: Both,
    steps: int,
    rate: Callable[[int], float],
    draw_levels: Callable[[int, int], torch.Tensor],
    *,
    batches: Batches,
    length: int,
    count: int,
) -> Both:
    """Train `model`, with `rate` as a share of RATE. Return the moving average, from which training
    continues."""
    average = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.99), fused=True)
    levels = new_scheduler().alphas_cumprod
    loop = training.loop(name, steps, {"model": model, "average": average, "optimizer": optimizer})
    count = min(count, len(batches.latents))  # in a trial with few scenes
    for step in loop:
        for group in optimizer.param_groups:
            group["lr"] = RATE * rate(step)
        at = draw_levels(count, len(levels))
        loss = velocity_loss(model, levels, at, *batches.draw(count, length)).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        # A young average forgets faster, so that the initial random weights don't linger in it.
        keep = min(EMA, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - keep)
        loop.error += (loss.item() - loop.error) / 50
    return average

"""CogVideoX: limits and defaults of the published checkpoints, and of any other from its configuration.

Sources: the model cards at https://huggingface.co/zai-org, and for the sampler and dynamic guidance
https://github.com/zai-org/CogVideo/blob/main/inference/cli_demo.py.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field

from containers.diffusion.config import Count, PartConfig
from containers.diffusion.errors import BadCheckpoint
from containers.diffusion.family import (
    DTYPE_BYTES,
    Call,
    Checkpoint,
    Configs,
    Decoded,
    Demand,
    Dtype,
    Family,
    Job,
    Part,
    Recipe,
    Stage,
)
from containers.diffusion.limits import Limits, ListedSizes, SizeRange
from containers.diffusion.request import STRENGTH, ClipRequest
from containers.diffusion.speed import Speed

# https://huggingface.co/zai-org/CogVideoX1.5-5B: "16N + 1 where N <= 10 (default 81)", 16 fps, 224 tokens.
# Its config files give 81 frames (the default) and 226 tokens (what the code would accept).
LONGEST_1_5 = 161
PROMPT_TOKENS_1_5 = 224
# Early copies of the 1.5 checkpoints, and the output of diffusers' scripts/convert_cogvideox_to_diffusers.py,
# give the size of the rotary table (300×300 latents) where later ones give the video's.
TABLE_LATENTS_1_5 = 300
SIZE_1_5 = (1360, 768)
# One patch: 8 pixels per latent × 2 latents.
PATCH_PIXELS = 16

# Denoising: number of tensors with one value per token and channel alive at once; the one inside the
# feed-forward counts as four. Metered: 12.9 to 13.1.
HIDDEN_TENSORS = 13.5
# Decoding: number of tensors with one value per pixel and channel (a block's frames at the finest level, and
# the convolutions' caches of the previous and the current piece). Metered: 89.4.
PIXEL_TENSORS = 90
# Copies of the frames while the last piece is decoded, and while they are joined and scaled to 0 … 1.
FRAME_COPIES_WHILE_DECODING, FRAME_COPIES_AFTER = 1.5, 4
# Tile size in pixels. The width must be a multiple of 40 and the height of 48: diffusers overlaps tiles by a
# fifth and a sixth, and only then are these whole latents of 8 pixels; otherwise frames come out larger.
TILE = (360, 240)
TILE_STEP = (40, 48)


class _Transformer(PartConfig):
    """Optional are the values for which CogVideoXTransformer3DModel has a default."""

    sample_width: Count
    sample_height: Count
    sample_frames: Count | None = None
    in_channels: Count
    max_text_seq_length: Count
    num_layers: Count | None = None
    num_attention_heads: Count | None = None
    attention_head_dim: Count | None = None
    patch_size: Count | None = None
    patch_size_t: Count | None = None
    use_rotary_positional_embeddings: Annotated[bool, Field(strict=True)] | None = None


class _Vae(PartConfig):
    block_out_channels: Annotated[list[Count], Field(strict=True, min_length=1, max_length=10)]
    latent_channels: Count


PARTS = {
    # T5 takes its output type from its embeddings, and the type of wo's input from wo.
    "text_encoder": Part(
        "transformers",
        ("T5EncoderModel",),
        Stage.ENCODE,
        kept_16_bit=("shared", "embed_tokens", "relative_attention_bias", "wo", "norm"),
        kept_32_bit={"float16": (".wo.weight",)},  # its _keep_in_fp32_modules
    ),
    "tokenizer": Part("transformers", ("T5Tokenizer", "T5TokenizerFast")),
    "transformer": Part(
        "diffusers",
        ("CogVideoXTransformer3DModel",),
        Stage.DENOISE,
        _Transformer,
        blocks="transformer_blocks",
        kept_16_bit=("patch_embed", "norm", "proj_out"),
    ),
    "scheduler": Part("diffusers", ("CogVideoXDDIMScheduler", "CogVideoXDPMScheduler")),
    "vae": Part("diffusers", ("AutoencoderKLCogVideoX",), Stage.DECODE, _Vae),
}


@dataclass(frozen=True)
class Variant:
    """What distinguishes a checkpoint besides its limits and recipe."""

    scheduler: Literal["ddim", "dpm"]
    """CogVideoXDDIMScheduler or CogVideoXDPMScheduler, both with trailing steps."""
    dynamic_guidance: bool
    """Guidance that changes from step to step."""
    rotary: bool
    """Rotary position embeddings: every published checkpoint except CogVideoX-2b."""
    patches_in_time: bool
    """CogVideoX1.5."""


@dataclass(frozen=True)
class CogVideoX(Checkpoint):
    variant: Variant

    @property
    def family(self) -> Family:
        return COGVIDEOX

    @property
    def pipeline(self) -> str:
        return "CogVideoXImageToVideoPipeline" if self.limits.image == "required" else "CogVideoXPipeline"

    def prepare(self, pipeline: Any) -> None:
        from diffusers import CogVideoXDPMScheduler

        if self.variant.scheduler == "dpm":
            pipeline.scheduler = CogVideoXDPMScheduler.from_config(
                pipeline.scheduler.config, timestep_spacing="trailing"
            )
        if self.variant.patches_in_time:
            _make_rotary_table_square(pipeline.transformer)

    def encode(self, pipeline: Any, text: str) -> Any:
        return pipeline.encode_prompt(
            text, do_classifier_free_guidance=False, max_sequence_length=self.limits.prompt_tokens
        )[0]

    def call(self, pipeline: Any, job: Job) -> Call:
        own, inputs = _start(pipeline, job)
        arguments = inputs | {
            "prompt_embeds": job.prompt,
            "negative_prompt_embeds": job.negative,
            "width": job.request.width,
            "height": job.request.height,
            "num_inference_steps": job.steps,
            "guidance_scale": job.guidance,
            "use_dynamic_cfg": self.variant.dynamic_guidance,
        }
        # Video to video runs only the last steps of the schedule.
        return Call(own, arguments, {"transformer": int(job.steps * inputs.get("strength", 1))})

    def decode(self, pipeline: Any, output: Any, request: ClipRequest) -> Decoded:
        latents = output.frames
        # Surplus latents are in front.
        surplus = latents.shape[1] - _latents(pipeline, request.frames)
        video = pipeline.decode_latents(latents[:, surplus:])
        return Decoded(pipeline.video_processor.postprocess_video(video=video, output_type="pt")[0])

    def cache(self, pipeline: Any, speed: Speed, steps: int) -> Any:
        from diffusers import CogVideoXDPMScheduler

        from containers.diffusion.acceleration import taylorseer

        # The output changes linearly from step to step, unless the scheduler adds new noise at each step, as
        # DPM's does: a line through two outputs would extrapolate the difference of their noise.
        order = 0 if isinstance(pipeline.scheduler, CogVideoXDPMScheduler) else 1
        return taylorseer(speed, steps, order=order)


def _start(pipeline: Any, job: Job) -> tuple[Any, dict[str, Any]]:
    """Return the pipeline for what the clip starts from, and its arguments."""
    from diffusers import CogVideoXVideoToVideoPipeline

    request, source = job.request, job.source
    if source.video is None:
        inputs: dict[str, Any] = {"num_frames": request.frames}
        return pipeline, inputs if source.image is None else inputs | {"image": source.image}
    # As the other pipelines do for CogVideoX1.5: pad latents in front to a whole number of its patches in
    # time. This pipeline needs the frames for them.
    patch = pipeline.transformer.config.patch_size_t or 1
    missing = -_latents(pipeline, request.frames) % patch * pipeline.vae_scale_factor_temporal
    strength = STRENGTH if request.strength is None else request.strength
    video = source.video[:1] * missing + source.video
    # Not cached: it detects where the model is at the moment.
    own = CogVideoXVideoToVideoPipeline(**pipeline.components)
    own.set_progress_bar_config(disable=True)
    return own, {"video": video, "strength": strength}


def _latents(pipeline: Any, frames: int) -> int:
    return int((frames - 1) // pipeline.vae_scale_factor_temporal + 1)


def _make_rotary_table_square(transformer: Any) -> None:
    # CogVideoX1.5 crops its rotary table to the clip's size, and diffusers makes the table as large as the
    # landscape size in the configuration: portrait fails (zai-org/CogVideo#758). A table's values do not
    # depend on its size, so a larger one changes nothing else.
    side = max(transformer.config.sample_width, transformer.config.sample_height)
    transformer.register_to_config(sample_width=side, sample_height=side)


# --- what the published checkpoints are


@dataclass(frozen=True)
class Architecture:
    """Properties that distinguish the published transformers, whatever their folders are called."""

    layers: int
    heads: int
    in_channels: int
    patches_in_time: bool


_2B = Recipe("float16", guidance=6.0, steps=50, frames=49)
_5B = replace(_2B, dtype="bfloat16")
_1_5 = replace(_5B, frames=81)

_FIXED = Variant("ddim", dynamic_guidance=False, rotary=False, patches_in_time=False)
_ROTARY = Variant("dpm", dynamic_guidance=True, rotary=True, patches_in_time=False)
_IN_TIME = replace(_ROTARY, patches_in_time=True)

SD = Limits(
    sizes=ListedSizes(((720, 480),)), frame_step=8, longest=49, fps=(8,), prompt_tokens=226, image="none",
    video="optional",
)  # fmt: skip
SD_IMAGE = replace(SD, image="required", video="none")
# "16N + 1 where N <= 10 (default 81)", 16 fps, 224 tokens.
HD = Limits(
    sizes=ListedSizes((SIZE_1_5,)), frame_step=16, longest=LONGEST_1_5, fps=(16,),
    prompt_tokens=PROMPT_TOKENS_1_5, image="none", video="optional",
)  # fmt: skip
HD_IMAGE = replace(
    HD, sizes=SizeRange(SIZE_1_5, (768, 768), (768, 1360), PATCH_PIXELS), image="required", video="none"
)
# Trained here (training/nano), and not for a GPU: float16 is the type of its files.
NANO = replace(SD, sizes=ListedSizes(((96, 64),)), longest=9)

PUBLISHED: dict[Architecture, CogVideoX] = {
    Architecture(30, 30, 16, patches_in_time=False): CogVideoX("cogvideox-2b", SD, _2B, _FIXED),
    Architecture(42, 48, 16, patches_in_time=False): CogVideoX("cogvideox-5b", SD, _5B, _ROTARY),
    Architecture(42, 48, 32, patches_in_time=False): CogVideoX("cogvideox-5b-i2v", SD_IMAGE, _5B, _ROTARY),
    Architecture(42, 48, 16, patches_in_time=True): CogVideoX("cogvideox-1.5-5b", HD, _1_5, _IN_TIME),
    Architecture(42, 48, 32, patches_in_time=True): CogVideoX(
        "cogvideox-1.5-5b-i2v", HD_IMAGE, _1_5, _IN_TIME
    ),
    Architecture(6, 4, 8, patches_in_time=False): CogVideoX(
        "cogvideox-nano", NANO, replace(_2B, guidance=3.0, steps=20, frames=9), _FIXED
    ),
}


def read(configs: Configs) -> CogVideoX:
    transformer, vae = configs.parts["transformer"], configs.parts["vae"]
    limits = limits_of(transformer, vae)
    rotary = bool(transformer.get("use_rotary_positional_embeddings"))
    architecture = Architecture(
        # The defaults are those of CogVideoXTransformer3DModel.
        transformer.get("num_layers", 30),
        transformer.get("num_attention_heads", 30),
        transformer.get("in_channels", 16),
        patches_in_time=transformer.get("patch_size_t") is not None,
    )
    known = PUBLISHED.get(architecture)
    # A checkpoint fine-tuned for another size or length is not the published one.
    if known is not None and known.limits == limits and known.variant.rotary == rotary:
        return known
    # Models with rotary position embeddings are built like the 5b models.
    if architecture.patches_in_time:
        recipe, variant = _1_5, replace(_IN_TIME, rotary=rotary)
    else:
        recipe, variant = (_5B, _ROTARY) if rotary else (_2B, _FIXED)
    return CogVideoX(None, limits, replace(recipe, frames=min(recipe.frames, limits.longest)), variant)


def limits_of(transformer: Mapping[str, Any], vae: Mapping[str, Any]) -> Limits:
    """Return the limits given by the config.json of a transformer and its VAE.

    Raises KeyError or TypeError if a value is missing or invalid, BadCheckpoint if the two do not match.
    """
    pixels_per_latent = 2 ** (len(vae["block_out_channels"]) - 1)
    latents = (transformer["sample_width"], transformer["sample_height"])
    in_time = transformer.get("patch_size_t") is not None
    takes_image = transformer["in_channels"] == 2 * vae["latent_channels"]
    if not takes_image and transformer["in_channels"] != vae["latent_channels"]:
        raise BadCheckpoint(
            f"the transformer has {transformer['in_channels']} input channels; expected "
            f"{vae['latent_channels']} (text-to-video) or {2 * vae['latent_channels']} (image-to-video)"
        )
    if in_time and latents == (TABLE_LATENTS_1_5, TABLE_LATENTS_1_5):
        width, height = SIZE_1_5
    else:
        width, height = (side * pixels_per_latent for side in latents)
    tokens = transformer["max_text_seq_length"]
    return Limits(
        # The image model of 1.5 fixes the short side alone.
        sizes=SizeRange((width, height), (height, height), (height, width), PATCH_PIXELS)
        if in_time and takes_image
        else ListedSizes(((width, height),)),
        frame_step=16 if in_time else 8,
        longest=LONGEST_1_5 if in_time else transformer["sample_frames"],
        fps=(16,) if in_time else (8,),
        prompt_tokens=min(tokens, PROMPT_TOKENS_1_5) if in_time else tokens,
        image="required" if takes_image else "none",
        video="none" if takes_image else "optional",
    )


# --- memory


@dataclass(frozen=True)
class CogVideoXWork:
    """The coefficients were measured on the real classes (benchmarks/memory.py)."""

    channels: int
    text_tokens: int
    patch_pixels: int
    """Side of a token."""
    patches_in_time: bool
    pixel_channels: int
    """Channels of the VAE's decoder at one value per pixel."""
    value_bytes: int

    def encoding(self) -> int:
        return 0  # 226 tokens: less than the assumptions' error

    def denoising(self, demand: Demand) -> int:
        latents = (demand.frames - 1) // 4 + 1
        depth = -(-latents // 2) if self.patches_in_time else latents
        tokens = depth * demand.width * demand.height // self.patch_pixels**2
        batch = 2 if demand.guided else 1
        return int(HIDDEN_TENSORS * (tokens + self.text_tokens) * self.channels * batch * self.value_bytes)

    def decoding(self, demand: Demand, *, tiling: bool) -> int:
        frame = demand.width * demand.height
        pixels = min(frame, math.prod(tile_size(demand.width, demand.height))) if tiling else frame
        video = 3 * demand.frames * frame * self.value_bytes
        last_piece = PIXEL_TENSORS * self.pixel_channels * pixels * self.value_bytes
        return max(last_piece + int(FRAME_COPIES_WHILE_DECODING * video), FRAME_COPIES_AFTER * video)


def work(configs: Configs, dtype: Dtype) -> CogVideoXWork:
    transformer, finest = configs.parts["transformer"], configs.parts["vae"]["block_out_channels"]
    return CogVideoXWork(
        channels=transformer["num_attention_heads"] * transformer["attention_head_dim"],
        text_tokens=transformer["max_text_seq_length"],
        patch_pixels=transformer["patch_size"] * 2 ** (len(finest) - 1),
        patches_in_time=transformer.get("patch_size_t") is not None,
        pixel_channels=max(finest[:2]),
        value_bytes=DTYPE_BYTES[dtype],
    )


def tile_size(width: int, height: int) -> tuple[int, int]:
    """Return the tiles' width and height in pixels: TILE, or about half the sides of a smaller frame."""
    sides = zip((width, height), TILE, TILE_STEP, strict=True)
    across, down = (min(most, max(step, side // 2 // step * step)) for side, most, step in sides)
    return across, down


def tiles(width: int, height: int) -> dict[str, int]:
    across, down = tile_size(width, height)
    return {"tile_sample_min_width": across, "tile_sample_min_height": down}


COGVIDEOX = Family(
    name="cogvideox",
    title="CogVideoX",
    pipelines=("CogVideoXPipeline", "CogVideoXImageToVideoPipeline", "CogVideoXVideoToVideoPipeline"),
    parts=PARTS,
    read=read,
    work=work,
    tiles=tiles,
)

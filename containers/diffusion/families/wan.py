"""Wan 2.1 and 2.2: limits and defaults of the published checkpoints, and of any other from its configuration.

Sources: wan/configs and generate.py of https://github.com/Wan-Video/Wan2.1 and Wan2.2 (sizes, frames, rates,
steps, guidance, shift, boundary), and for the few steps https://github.com/ModelTC/Wan2.2-Lightning and
ModelTC/LightX2V.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import cycle
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
    Turbo,
)
from containers.diffusion.limits import Limits, ListedSizes, Size, SizeRange
from containers.diffusion.request import STRENGTH, ClipRequest
from containers.diffusion.speed import Speed

PROMPT_TOKENS = 512  # text_len of every model
FRAME_STEP = 4  # frames per latent: "The number should be 4n+1"

# Trained sizes by their area. Of the squares, the image models' code computes the sides from the area.
P480: tuple[Size, ...] = ((832, 480), (480, 832), (624, 624))
P720: tuple[Size, ...] = ((1280, 720), (720, 1280), (960, 960))
# TI2V-5B's latents have 16 pixels and its patches 2 latents.
P704: tuple[Size, ...] = ((1280, 704), (704, 1280), (928, 928))
# More pixels than these are "720P" where the shift depends on it.
PIXELS_480 = 832 * 480

# Denoising: number of tensors with one value per token and channel alive at once: in attention, of which some
# are always float32, and in the feed-forward, beside its two inside. Metered: 7.9 and 1.6, 4.5.
ATTENTION_TENSORS, ATTENTION_FLOATS = 8.1, 1.7
FEED_FORWARD_TENSORS = 4.8
# The latter where every token has its own time (TI2V-5B): six modulations of it. Metered: 11.2 and 6.
TIMED_TENSORS, TIMED_FLOATS = 11.5, 6.2
# Decoding, in float32: number of tensors with one value per pixel and channel (a latent's frames at the
# finest level, and the convolutions' caches), by whether the blocks are residual. Metered: 50.8 and 84.4.
PIXEL_TENSORS = {False: 52, True: 87}
# Copies of the frames: while the last piece is decoded, after it, and while tiles are joined.
FRAME_COPIES_WHILE_DECODING, FRAME_COPIES_AFTER, FRAME_COPIES_OF_TILES = 1.1, 4, 3
# Tiles overlap by a quarter. A multiple of 64, so that this is a whole number of TI2V-5B's latents, too.
TILE, TILE_STEP = 320, 64

_FLOAT_BYTES = 4


_Counts = Annotated[list[Count], Field(strict=True, min_length=1, max_length=10)]


class _Transformer(PartConfig):
    """Optional are the values that some models do without, or that older files leave to the class."""

    num_layers: Count
    num_attention_heads: Count
    attention_head_dim: Count
    in_channels: Count
    out_channels: Count
    ffn_dim: Count
    patch_size: Annotated[list[Count], Field(strict=True, min_length=3, max_length=3)]
    image_dim: Count | None = None
    pos_embed_seq_len: Count | None = None


class _Vae(PartConfig):
    base_dim: Count
    z_dim: Count
    dim_mult: _Counts
    decoder_base_dim: Count | None = None
    patch_size: Count | None = None
    scale_factor_spatial: Count | None = None
    is_residual: Annotated[bool, Field(strict=True)] | None = None


# The modules that the class keeps in float32, whatever the rest is loaded as.
_FLOAT = ("time_embedder", "scale_shift_table", "norm1", "norm2", "norm3")
_TRANSFORMER = Part(
    "diffusers",
    ("WanTransformer3DModel",),
    Stage.DENOISE,
    _Transformer,
    blocks="blocks",
    kept_16_bit=("patch_embedding", "condition_embedder", "norm", "proj_out"),
    kept_32_bit={"bfloat16": _FLOAT, "float16": _FLOAT},
)
PARTS = {
    # As T5: it takes its output type from its embeddings, and the type of wo's input from wo.
    "text_encoder": Part(
        "transformers",
        ("UMT5EncoderModel",),
        Stage.ENCODE,
        kept_16_bit=("shared", "embed_tokens", "relative_attention_bias", "wo", "norm"),
        kept_32_bit={"float16": (".wo.weight",)},
    ),
    "tokenizer": Part("transformers", ("T5TokenizerFast", "T5Tokenizer")),
    # Wan 2.1's image models. The model cards load it, and the VAE, in float32.
    "image_encoder": Part(
        "transformers",
        ("CLIPVisionModelWithProjection", "CLIPVisionModel"),
        Stage.ENCODE,
        optional=True,
        dtype="float32",
    ),
    "image_processor": Part("transformers", ("CLIPImageProcessor", "CLIPProcessor"), optional=True),
    # Wan 2.2 A14B has two: the first for the noisy steps, the second for the rest.
    "transformer": _TRANSFORMER,
    "transformer_2": replace(
        _TRANSFORMER, optional=True, adapter_arguments={"load_into_transformer_2": True}
    ),
    "scheduler": Part("diffusers", ("UniPCMultistepScheduler",)),
    "vae": Part("diffusers", ("AutoencoderKLWan",), Stage.DECODE, _Vae, dtype="float32"),
}

Starts = Literal["text", "image", "both_ends", "text_or_image"]


@dataclass(frozen=True)
class Variant:
    """What distinguishes a checkpoint besides its limits and recipe."""

    starts: Starts
    """What its clips start from."""
    shift: float
    """How much of the schedule is spent on noise (flow_shift)."""
    shift_480: float | None = None
    """The same for clips of at most PIXELS_480, where it differs."""
    boundary: float | None = None
    """Of two experts, the second renders the steps below this share of the noise."""
    low_guidance: float | None = None
    """Guidance of the second expert, if it is not the first one's."""
    few_steps: bool = False
    """Whether adapters for four steps are published for it."""

    def shift_at(self, width: int, height: int) -> float:
        small = width * height <= PIXELS_480
        return self.shift_480 if small and self.shift_480 is not None else self.shift


# Wan2.2-Lightning and LightX2V: four steps of Euler's method, at the noise of 1000, 750, 500 and 250 of a
# schedule shifted by 5.
TURBO, TURBO_SHIFT = Turbo(4), 5.0


@dataclass(frozen=True)
class Wan(Checkpoint):
    variant: Variant

    @property
    def family(self) -> Family:
        return WAN

    @property
    def turbo(self) -> Turbo | None:
        return TURBO if self.variant.few_steps else None

    @property
    def pipeline(self) -> str:
        return "WanImageToVideoPipeline" if self.limits.image == "required" else "WanPipeline"

    def prepare(self, pipeline: Any) -> None:
        """Change nothing: the schedule depends on the clip."""

    def encode(self, pipeline: Any, text: str) -> Any:
        return pipeline.encode_prompt(
            text, do_classifier_free_guidance=False, max_sequence_length=self.limits.prompt_tokens
        )[0]

    def call(self, pipeline: Any, job: Job) -> Call:
        pipeline.scheduler = self._scheduler(pipeline, job)
        own, inputs = self._start(pipeline, job)
        arguments = inputs | {
            "prompt_embeds": job.prompt,
            "negative_prompt_embeds": job.negative,
            "width": job.request.width,
            "height": job.request.height,
            "num_frames": job.request.frames,
            "num_inference_steps": job.steps,
            "guidance_scale": job.guidance,
        }
        low = self.variant.low_guidance
        if low is not None and job.request.guidance is None and job.speed is not Speed.TURBO:
            arguments["guidance_scale_2"] = low
        if job.source.video is not None:
            # It is as long as the video, and runs only the last steps of the schedule.
            del arguments["num_frames"]
            return Call(own, arguments, {"transformer": int(job.steps * inputs["strength"])})
        return Call(own, arguments, self._steps(pipeline, job.steps))

    def decode(self, pipeline: Any, output: Any, request: ClipRequest) -> Decoded:
        import torch

        vae, latents = pipeline.vae, output.frames.to(pipeline.vae.dtype)
        mean, deviation = (
            torch.tensor(values).view(1, vae.config.z_dim, 1, 1, 1).to(latents.device, latents.dtype)
            for values in (vae.config.latents_mean, vae.config.latents_std)
        )
        # As the pipelines do, to the last bit: a product with 1 / deviation rounds differently.
        video = vae.decode(latents / (1.0 / deviation) + mean, return_dict=False)[0]
        return Decoded(pipeline.video_processor.postprocess_video(video, output_type="pt")[0])

    def cache(self, pipeline: Any, speed: Speed, steps: int) -> Any:
        from containers.diffusion.acceleration import taylorseer

        # The output is the flow from noise to the clip, which changes slowly, and UniPC adds no noise.
        return taylorseer(speed, steps, order=1)

    def _scheduler(self, pipeline: Any, job: Job) -> Any:
        """Return the checkpoint's scheduler for this clip's size and speed."""
        from diffusers import UniPCMultistepScheduler

        turbo = job.speed is Speed.TURBO
        shift = TURBO_SHIFT if turbo else self.variant.shift_at(job.request.width, job.request.height)
        return UniPCMultistepScheduler.from_config(
            pipeline.scheduler.config,
            flow_shift=shift,
            # Of order 1 and uncorrected, UniPC is Euler's method. FlowMatchEulerDiscreteScheduler would take
            # its steps at other noise than the adapters were trained for.
            solver_order=1 if turbo else 2,
            disable_corrector=list(range(job.steps)) if turbo else [],
        )

    def _start(self, pipeline: Any, job: Job) -> tuple[Any, dict[str, Any]]:
        """Return the pipeline for what the clip starts from, and its arguments."""
        from diffusers import WanImageToVideoPipeline

        source = job.source
        if source.video is not None:
            return _from_video(pipeline, job)
        if source.image is None:
            return pipeline, {}
        inputs = {"image": source.image, "last_image": source.last_image}
        if self.variant.starts != "text_or_image":
            return pipeline, inputs
        # Not cached: it detects where the model is at the moment.
        own = WanImageToVideoPipeline(**pipeline.components, expand_timesteps=True)
        own.set_progress_bar_config(disable=True)
        return own, inputs

    def _steps(self, pipeline: Any, steps: int) -> dict[str, int]:
        """Return how many of the steps each expert renders."""
        boundary, scheduler = self.variant.boundary, pipeline.scheduler
        if boundary is None:
            return {"transformer": steps}
        scheduler.set_timesteps(steps)
        noisy = int((scheduler.timesteps >= boundary * scheduler.config.num_train_timesteps).sum())
        return {"transformer": noisy, "transformer_2": steps - noisy}


def _from_video(pipeline: Any, job: Job) -> tuple[Any, dict[str, Any]]:
    from diffusers import WanVideoToVideoPipeline

    parts = ("tokenizer", "text_encoder", "transformer", "vae", "scheduler")
    # Not cached: it detects where the model is at the moment.
    own = WanVideoToVideoPipeline(**{name: getattr(pipeline, name) for name in parts})
    own.set_progress_bar_config(disable=True)
    if job.guidance > 1:
        # Its attribute alone: as a part of the pipeline it would have to be a model.
        own.__dict__["transformer"] = _Halves(pipeline.transformer)
    strength = STRENGTH if job.request.strength is None else job.request.strength
    return own, {"video": job.source.video, "strength": strength}


class _Halves:
    """A transformer that tells the halves of guidance apart, of which each call is the next. The other
    pipelines do that themselves; without it, a skipped step would be predicted from the other half's."""

    def __init__(self, transformer: Any) -> None:
        self._transformer = transformer
        self._next = cycle(("cond", "uncond"))

    def __call__(self, **arguments: Any) -> Any:
        with self._transformer.cache_context(next(self._next)):
            return self._transformer(**arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transformer, name)


# --- what the published checkpoints are


@dataclass(frozen=True)
class Architecture:
    """Properties that distinguish the published checkpoints, whatever their folders are called. The two image
    models of 2.1, for 480P and for 720P, have the same."""

    layers: int
    heads: int
    in_channels: int
    experts: int = 1
    pictures: int = 0
    """How many pictures the image encoder reads."""


def _limits(sizes: tuple[Size, ...], **changes: Any) -> Limits:
    defaults: dict[str, Any] = {
        "frame_step": FRAME_STEP, "longest": 81, "fps": (16,), "prompt_tokens": PROMPT_TOKENS,
        "image": "none",
    }  # fmt: skip
    return Limits(ListedSizes(sizes), **defaults | changes)


TEXT = _limits(P480 + P720, video="optional")
TEXT_480 = _limits(P480, video="optional")
# diffusers' pipeline for videos knows one expert.
TEXT_A14B = replace(TEXT, video="none")
IMAGE = _limits(P480 + P720, image="required")
BOTH_ENDS = _limits(P720, image="required", last_image="required")
IMAGE_A14B = replace(IMAGE, last_image="optional")
TEXT_OR_IMAGE = _limits(P704 + P480[:2], longest=121, fps=(24,), image="optional")

_TEXT = Recipe("bfloat16", guidance=5.0, steps=50, frames=81)
_IMAGE = replace(_TEXT, steps=40)

PUBLISHED: dict[Architecture, Wan] = {
    # "We recommend --sample_shift 8 --sample_guide_scale 6."
    Architecture(30, 12, 16): Wan(
        "wan2.1-t2v-1.3b", TEXT_480, replace(_TEXT, guidance=6.0), Variant("text", shift=8.0)
    ),
    Architecture(40, 40, 16): Wan("wan2.1-t2v-14b", TEXT, _TEXT, Variant("text", shift=5.0, few_steps=True)),
    Architecture(40, 40, 36, pictures=1): Wan(
        "wan2.1-i2v-14b", IMAGE, _IMAGE, Variant("image", shift=5.0, shift_480=3.0, few_steps=True)
    ),
    Architecture(40, 40, 36, pictures=2): Wan(
        "wan2.1-flf2v-14b", BOTH_ENDS, _TEXT, Variant("both_ends", shift=16.0)
    ),
    Architecture(30, 24, 48): Wan(
        "wan2.2-ti2v-5b", TEXT_OR_IMAGE, replace(_TEXT, frames=121), Variant("text_or_image", shift=5.0)
    ),
    Architecture(40, 40, 16, experts=2): Wan(
        "wan2.2-t2v-a14b",
        TEXT_A14B,
        replace(_IMAGE, guidance=4.0),
        Variant("text", shift=12.0, boundary=0.875, low_guidance=3.0, few_steps=True),
    ),
    Architecture(40, 40, 36, experts=2): Wan(
        "wan2.2-i2v-a14b",
        IMAGE_A14B,
        replace(_IMAGE, guidance=3.5),
        Variant("image", shift=5.0, boundary=0.9, few_steps=True),
    ),
}


def read(configs: Configs) -> Wan:
    transformer, vae, index = configs.parts["transformer"], configs.parts["vae"], configs.index
    boundary, each_token = index.get("boundary_ratio"), bool(index.get("expand_timesteps"))
    _require_parts(configs)
    architecture = Architecture(
        transformer["num_layers"],
        transformer["num_attention_heads"],
        transformer["in_channels"],
        experts=1 if boundary is None else 2,
        pictures=_pictures(transformer),
    )
    kind = _kind(transformer, vae, architecture, each_token=each_token)
    known = PUBLISHED.get(architecture)
    if known is not None and known.variant.starts == kind.variant.starts:
        return replace(known, variant=replace(known.variant, boundary=boundary))
    # Nothing in its files tells the sizes that it was trained for.
    pixels = _pixels_per_token(transformer, vae)
    sizes = SizeRange(kind.limits.sizes.default, (pixels, 960), (pixels, 1280), pixels)
    return replace(
        kind,
        name=None,
        limits=replace(kind.limits, sizes=sizes),
        variant=replace(kind.variant, boundary=boundary),
    )


def _require_parts(configs: Configs) -> None:
    """Raise BadCheckpoint if an expert or the image encoder is missing, or not wanted."""
    index, transformer = configs.index, configs.parts["transformer"]
    two = "transformer_2" in configs.parts
    boundary = index.get("boundary_ratio")
    if boundary is not None and (isinstance(boundary, bool | str) or not 0 < boundary < 1):
        raise BadCheckpoint(
            f"model_index.json has boundary_ratio {boundary!r}; expected a number from 0 to 1"
        )
    if boundary is not None and not two:
        raise BadCheckpoint(
            "the checkpoint lacks the expert transformer_2, which its boundary_ratio calls for. "
            "Download the model anew"
        )
    if two and boundary is None:
        raise BadCheckpoint(
            "model_index.json has two experts, transformer and transformer_2, but no boundary_ratio between "
            "them"
        )
    if two:
        other = configs.parts["transformer_2"]
        different = [name for name in _Transformer.model_fields if transformer.get(name) != other.get(name)]
        if different:
            raise BadCheckpoint(f"transformer and transformer_2 differ in {', '.join(different)}")
    for name in ("image_encoder", "image_processor"):
        has = not PARTS[name].left_out(index.get(name))
        if transformer.get("image_dim") is not None and not has:
            raise BadCheckpoint(
                f"the checkpoint lacks its {name}: the transformer reads pictures (image_dim). Download the "
                "model anew"
            )


def _pictures(transformer: Mapping[str, Any]) -> int:
    if transformer.get("image_dim") is None:
        return 0
    return 1 if transformer.get("pos_embed_seq_len") is None else 2


def _kind(
    transformer: Mapping[str, Any], vae: Mapping[str, Any], architecture: Architecture, *, each_token: bool
) -> Wan:
    """Return the published checkpoint that is built like this one. Raises BadCheckpoint if none is."""
    latents, channels = vae["z_dim"], transformer["in_channels"]
    # Beside the noise: a mask with a value for each frame of a latent, and the pictures' latents.
    with_pictures = 2 * latents + FRAME_STEP
    if channels not in (latents, with_pictures):
        raise BadCheckpoint(
            f"the transformer has {channels} input channels; expected {latents} (text to video) or "
            f"{with_pictures} (image to video)"
        )
    if each_token:
        found = Architecture(30, 24, 48)
    elif channels == latents:
        found = Architecture(40, 40, 16, architecture.experts)
    elif architecture.experts == 1 and not architecture.pictures:
        raise BadCheckpoint("the transformer turns images into video, but reads no pictures (image_dim)")
    else:
        found = Architecture(40, 40, 36, architecture.experts, architecture.pictures)
    if found not in PUBLISHED:
        raise BadCheckpoint(f"no Wan model has {architecture.experts} experts that read pictures (image_dim)")
    return PUBLISHED[found]


def _pixels_per_token(transformer: Mapping[str, Any], vae: Mapping[str, Any]) -> int:
    pixels: int = (vae.get("scale_factor_spatial") or 8) * transformer["patch_size"][1]
    return pixels


# --- memory


@dataclass(frozen=True)
class WanWork:
    """The coefficients were measured on the real classes (benchmarks/memory.py). Guidance computes a step's
    two halves one after the other, so that it needs no more."""

    channels: int
    feed_forward: int
    """Values per token inside the feed-forward."""
    patch_pixels: int
    """Side of a token."""
    each_token: bool
    """Whether every token has its own time."""
    pixel_channels: int
    """Channels of the VAE's decoder at its finest level."""
    pixels_per_value: int
    """Side of the square of pixels that the finest level computes at once."""
    residual: bool
    """Whether the VAE's blocks are residual: TI2V-5B's."""
    value_bytes: int

    def encoding(self) -> int:
        return 0  # 512 tokens: less than the assumptions' error

    def denoising(self, demand: Demand) -> int:
        latents = (demand.frames - 1) // FRAME_STEP + 1
        tokens = latents * demand.width * demand.height // self.patch_pixels**2
        inside = 2 * self.feed_forward
        if self.each_token:
            peaks = [(inside + TIMED_TENSORS * self.channels, TIMED_FLOATS * self.channels)]
        else:
            peaks = [
                (inside + FEED_FORWARD_TENSORS * self.channels, 0.0),
                (ATTENTION_TENSORS * self.channels, ATTENTION_FLOATS * self.channels),
            ]
        return int(
            tokens * max(values * self.value_bytes + floats * _FLOAT_BYTES for values, floats in peaks)
        )

    def decoding(self, demand: Demand, *, tiling: bool) -> int:
        """It is more than what encoding pictures needs."""
        frame = demand.width * demand.height
        pixels = min(frame, math.prod(tile_size(demand.width, demand.height))) if tiling else frame
        video = 3 * demand.frames * frame * _FLOAT_BYTES
        values = pixels // self.pixels_per_value**2 * self.pixel_channels
        piece = PIXEL_TENSORS[self.residual] * values * _FLOAT_BYTES
        copies = FRAME_COPIES_OF_TILES if tiling else FRAME_COPIES_WHILE_DECODING
        return int(max(piece + copies * video, FRAME_COPIES_AFTER * video))


def work(configs: Configs, dtype: Dtype) -> WanWork:
    transformer, vae = configs.parts["transformer"], configs.parts["vae"]
    return WanWork(
        channels=transformer["num_attention_heads"] * transformer["attention_head_dim"],
        feed_forward=transformer["ffn_dim"],
        patch_pixels=_pixels_per_token(transformer, vae),
        each_token=bool(configs.index.get("expand_timesteps")),
        pixel_channels=(vae.get("decoder_base_dim") or vae["base_dim"]) * vae["dim_mult"][0],
        pixels_per_value=vae.get("patch_size") or 1,
        residual=bool(vae.get("is_residual")),
        value_bytes=DTYPE_BYTES[dtype],
    )


def tile_size(width: int, height: int) -> tuple[int, int]:
    """Return the tiles' width and height in pixels: TILE, or about half the sides of a smaller frame."""
    across, down = (min(TILE, max(TILE_STEP, side // 2 // TILE_STEP * TILE_STEP)) for side in (width, height))
    return across, down


def tiles(width: int, height: int) -> dict[str, int]:
    across, down = tile_size(width, height)
    return {
        "tile_sample_min_width": across,
        "tile_sample_min_height": down,
        "tile_sample_stride_width": across * 3 // 4,
        "tile_sample_stride_height": down * 3 // 4,
    }


WAN = Family(
    name="wan",
    title="Wan",
    pipelines=("WanPipeline", "WanImageToVideoPipeline"),
    parts=PARTS,
    read=read,
    work=work,
    tiles=tiles,
    settings=("boundary_ratio", "expand_timesteps"),
)

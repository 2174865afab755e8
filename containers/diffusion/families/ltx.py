"""LTX-2: video with sound, of the generations 2.0 and 2.3.

Sources: https://github.com/Lightricks/LTX-2 (packages/ltx-pipelines/src/ltx_pipelines/utils/constants.py for
the guidance and the distilled sigmas), and diffusers' documentation of LTX-2 for how it renders 2.0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field

from containers.diffusion.config import Count, PartConfig
from containers.diffusion.errors import BadCheckpoint, InvalidRequest
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
from containers.diffusion.limits import Limits, SizeRange
from containers.diffusion.request import ClipRequest
from containers.diffusion.sound import Sound
from containers.diffusion.source import Source
from containers.diffusion.speed import Speed

# The noise levels that the distilled checkpoints were trained for.
SIGMAS = (1.0, 0.99375, 0.9875, 0.98125, 0.975, 0.909375, 0.725, 0.421875)
PROMPT_TOKENS = 1024  # to which diffusers pads every text
PATCH_PIXELS = 32
FRAMES_PER_LATENT = 8
# The transformer's positions in time are fractions of 20 s (pos_embed_max_pos). At most 505 frames: at 25
# fps, 20 s and the frame that a clip shares with the one before it, rounded up to a latent.
SECONDS = 20
LONGEST = 505
LIMITS = Limits(
    # Any multiple of a patch, around the 768×512 and 960×544 that the published pipelines render in one
    # stage; they render larger frames in two.
    sizes=SizeRange((1024, 576), (256, 736), (256, 1280), PATCH_PIXELS),
    frame_step=FRAMES_PER_LATENT,
    longest=LONGEST,
    fps=(24, 25),
    prompt_tokens=PROMPT_TOKENS,
    image="optional",
    last_image="optional",
)

# 385 MB of Gemma's embeddings for each (1024 tokens × 3840 values × 49 layers × 2 bytes).
KEPT_TEXTS = 4

# Everything that a step may compute in addition to one pass for the prompt.
UNGUIDED: dict[str, float] = {
    "guidance_scale": 1.0,
    "audio_guidance_scale": 1.0,
    "stg_scale": 0.0,
    "audio_stg_scale": 0.0,
    "modality_scale": 1.0,
    "audio_modality_scale": 1.0,
    "guidance_rescale": 0.0,
    "audio_guidance_rescale": 0.0,
}


class _Transformer(PartConfig):
    num_attention_heads: Count
    attention_head_dim: Count
    audio_num_attention_heads: Count
    audio_attention_head_dim: Count
    num_layers: Count
    caption_channels: Count
    gated_attn: Annotated[bool, Field(strict=True)] = False
    """Since generation 2.3."""


class _Vae(PartConfig):
    decoder_block_out_channels: Annotated[list[Count], Field(strict=True, min_length=1, max_length=10)]
    latent_channels: Count
    patch_size: Count
    upsample_residual: bool | list[bool] = True
    timestep_conditioning: Literal[False] = False
    """No published checkpoint has it."""
    spatial_compression_ratio: Literal[32]
    temporal_compression_ratio: Literal[8]


class _Connectors(PartConfig):
    caption_channels: Count
    text_proj_in_factor: Count


class _Scheduler(PartConfig):
    use_dynamic_shifting: Annotated[bool, Field(strict=True)]
    """The distilled checkpoints' noise levels are used as they are."""


PARTS = {
    # In 8 bits: the linear layers of its blocks.
    "text_encoder": Part(
        "transformers",
        ("Gemma3ForConditionalGeneration",),
        Stage.ENCODE,
        kept_16_bit=("embed_tokens", "lm_head", "norm", "vision_tower", "multi_modal_projector"),
    ),
    "tokenizer": Part("transformers", ("GemmaTokenizer", "GemmaTokenizerFast")),
    "connectors": Part("ltx2", ("LTX2TextConnectors",), Stage.ENCODE, _Connectors),
    "transformer": Part(
        "diffusers",
        ("LTX2VideoTransformer3DModel",),
        Stage.DENOISE,
        _Transformer,
        blocks="transformer_blocks",
        kept_16_bit=(
            "proj_in",
            "proj_out",
            "norm",
            "time_embed",
            "adaln",
            "caption_projection",
            "av_cross_attn",
        ),
    ),
    "scheduler": Part(
        "diffusers",
        ("FlowMatchEulerDiscreteScheduler",),
        config=_Scheduler,
        config_file="scheduler_config.json",
    ),
    "vae": Part("diffusers", ("AutoencoderKLLTX2Video",), Stage.DECODE, _Vae),
    "audio_vae": Part("diffusers", ("AutoencoderKLLTX2Audio",), Stage.DECODE),
    "vocoder": Part("ltx2", ("LTX2Vocoder", "LTX2VocoderWithBWE"), Stage.DECODE),
    # For enhancing prompts, which the director does here.
    "processor": Part("transformers", ("Gemma3Processor",), optional=True, loaded=False),
    # Generation 2.5's.
    **{
        name: Part("diffusers", (), optional=True, loaded=False)
        for name in ("audio_scheduler", "prompt_enhancer", "duration_head")
    },
}


@dataclass(frozen=True)
class LTX(Checkpoint):
    generation: Literal["2.0", "2.3"]
    distilled: bool

    @property
    def family(self) -> Family:
        return LTX2

    @property
    def pipeline(self) -> str:
        # Renders from text, too.
        return "LTX2ConditionPipeline"

    @property
    def kept_texts(self) -> int:
        return KEPT_TEXTS

    @property
    def speeds(self) -> tuple[Speed, ...]:
        # Of eight steps, balanced and fast would compute six, and the noise levels are far from even.
        return (Speed.EXACT,) if self.distilled else super().speeds

    def check(self, request: ClipRequest) -> None:
        longest = -(-SECONDS * request.fps // FRAMES_PER_LATENT) * FRAMES_PER_LATENT + 1
        if request.frames > longest:
            raise InvalidRequest(
                "frames",
                f"frames must be at most {longest} at {request.fps} fps ({SECONDS} s); {request.frames} was "
                f"given, the nearest is {longest}",
            )
        if not self.distilled:
            # The schedule's last step begins at a given noise level, the first at 1.
            if request.steps == 1:
                raise InvalidRequest("steps", "steps must be at least 2; 1 was given, the nearest is 2")
            return
        for param, given, trained in (
            ("steps", request.steps, self.recipe.steps),
            ("guidance", request.guidance, self.recipe.guidance),
        ):
            if given not in (None, trained):
                raise InvalidRequest(
                    param,
                    f"{param} must be null or {trained:g}, for which this model was distilled; got "
                    f"{given:g}, the nearest is {trained:g}",
                )

    def prepare(self, pipeline: Any) -> None:
        denormalize, coordinates = pipeline._denormalize_latents, pipeline._prepare_keyframe_coords

        # A pipeline that decodes its latents itself rounds them before this; one that returns them does not.
        def rounded(latents: Any, *statistics: Any) -> Any:
            return denormalize(latents.to(pipeline.vae.dtype), *statistics)

        # diffusers places a last picture at the first frame of the last latent.
        def at_the_end(*, pixel_frame_idx: int, **arguments: Any) -> Any:
            return coordinates(pixel_frame_idx=pixel_frame_idx + FRAMES_PER_LATENT - 1, **arguments)

        pipeline._denormalize_latents = rounded
        pipeline._prepare_keyframe_coords = at_the_end

    def encode(self, pipeline: Any, text: str) -> Any:
        embeddings, mask, *_ = pipeline.encode_prompt(
            text,
            do_classifier_free_guidance=False,
            max_sequence_length=self.limits.prompt_tokens,
            dtype=pipeline.vae.dtype,
        )
        return embeddings.cpu(), mask.cpu()

    def call(self, pipeline: Any, job: Job) -> Call:
        request, device = job.request, pipeline._execution_device
        arguments: dict[str, Any] = {
            "conditions": _conditions(job.source),
            "width": request.width,
            "height": request.height,
            "num_frames": request.frames,
            "frame_rate": float(request.fps),
            "num_inference_steps": job.steps,
            "sigmas": list(SIGMAS[: job.steps]) if self.distilled else None,
            "use_cross_timestep": self.generation == "2.3",
            "max_sequence_length": self.limits.prompt_tokens,
            **self._guidance(job.guidance),
        }
        for name, embedded in (("prompt", job.prompt), ("negative_prompt", job.negative)):
            if embedded is not None:
                embeddings, mask = embedded
                arguments[f"{name}_embeds"] = embeddings.to(device)
                arguments[f"{name}_attention_mask"] = mask.to(device)
        return Call(pipeline, arguments, {"transformer": job.steps})

    def _guidance(self, scale: float) -> dict[str, Any]:
        if scale <= 1:
            return UNGUIDED
        if self.generation == "2.0":
            return UNGUIDED | {"guidance_scale": scale, "audio_guidance_scale": scale}
        return {
            "guidance_scale": scale,
            "audio_guidance_scale": 7.0,
            "stg_scale": 1.0,
            "audio_stg_scale": 1.0,
            "spatio_temporal_guidance_blocks": [28],
            "modality_scale": 3.0,
            "audio_modality_scale": 3.0,
            "guidance_rescale": 0.7,
            "audio_guidance_rescale": 0.7,
        }

    def decode(self, pipeline: Any, output: Any, request: ClipRequest) -> Decoded:
        latents = output.frames.to(pipeline.vae.dtype)
        video = pipeline.vae.decode(latents, None, return_dict=False)[0]
        frames = pipeline.video_processor.postprocess_video(video, output_type="pt")[0]
        spectrogram = pipeline.audio_vae.decode(output.audio.to(pipeline.audio_vae.dtype), return_dict=False)[
            0
        ]
        samples = pipeline.vocoder(spectrogram)[0].detach().float().clamp(-1, 1).cpu().numpy()
        return Decoded(frames, Sound(samples, pipeline.vocoder.config.output_sampling_rate))

    def cache(self, pipeline: Any, speed: Speed, steps: int) -> Any:
        from containers.diffusion.acceleration import taylorseer

        # TaylorSeer's own lite mode predicts the pictures' output alone.
        return replace(
            taylorseer(speed, steps, order=1),
            use_lite_mode=False,
            cache_identifiers=["(audio_)?proj_out"],
            skip_predict_identifiers=[r"transformer_blocks\.\d+"],
        )


def _conditions(source: Source) -> list[Any] | None:
    from diffusers.pipelines.ltx2.pipeline_ltx2_condition import LTX2VideoCondition

    given = ((source.image, 0), (source.last_image, -1))  # the index of a latent
    return [LTX2VideoCondition(picture, index) for picture, index in given if picture] or None


# --- what the published checkpoints are

_DISTILLED = Recipe("bfloat16", guidance=1.0, steps=len(SIGMAS), frames=121)
_FULL = {
    "2.0": replace(_DISTILLED, guidance=4.0, steps=40),
    "2.3": replace(_DISTILLED, guidance=3.0, steps=30),
}
_NAMES = {
    ("2.0", False): "ltx-2-19b",
    ("2.0", True): "ltx-2-19b-distilled",
    ("2.3", False): "ltx-2.3-22b",
    ("2.3", True): "ltx-2.3-22b-distilled",
}
_WIDTHS = {"num_layers": 48, "num_attention_heads": 32, "attention_head_dim": 128}


def read(configs: Configs) -> LTX:
    transformer = configs.parts["transformer"]
    if transformer.get("ff_bias", True) is False:
        raise BadCheckpoint(
            "this is an LTX-2.5 checkpoint, whose text encoder is another one; use LTX-2 or LTX-2.3"
        )
    generation: Literal["2.0", "2.3"] = "2.3" if transformer.get("gated_attn") else "2.0"
    distilled = not configs.parts["scheduler"]["use_dynamic_shifting"]
    known = all(transformer.get(name) == value for name, value in _WIDTHS.items())
    return LTX(
        name=_NAMES[generation, distilled] if known else None,
        limits=LIMITS,
        recipe=_DISTILLED if distilled else _FULL[generation],
        generation=generation,
        distilled=distilled,
    )


# --- memory

# Denoising: number of tensors with one value per token and channel alive at once, most of them the modulation
# of each token by its own noise level. Metered: 41.2 to 41.7 for 2.0, 37.2 to 37.4 for 2.3.
HIDDEN_TENSORS = 42.0
# A text's embeddings while the connectors read them (metered: 7.5 with the given ones), which is more than
# while they are encoded.
TEXT_COPIES = 8
# Decoding: number of tensors with one value per point of the finest level and channel, with upsamplers that
# add their input (2.0) and without (2.3). Metered: 2.65 to 2.83, and 2.26 to 2.37.
PIXEL_TENSORS = {True: 2.85, False: 2.4}
# Copies of the frames while tiles are joined, and while frames are scaled to 0 … 1.
FRAME_COPIES = 4
# Side of a tile in pixels, and how far apart tiles are: whole latents.
TILE, TILE_STRIDE = 512, 448


@dataclass(frozen=True)
class LTXWork:
    """The coefficients were measured on the real classes (benchmarks/memory.py)."""

    channels: int
    text_bytes: int
    """A text's embeddings."""
    patch_size: int
    """Of the VAE: pixels along a side of its finest level's values."""
    pixel_channels: int
    """Channels of the finest level of the VAE's decoder, before they are halved."""
    pixel_tensors: float
    value_bytes: int

    def encoding(self) -> int:
        return TEXT_COPIES * self.text_bytes

    def denoising(self, demand: Demand) -> int:
        latents = (demand.frames - 1) // FRAMES_PER_LATENT + 1
        # A last picture is one more latent.
        tokens = (latents + 1) * demand.width * demand.height // PATCH_PIXELS**2
        batch = 2 if demand.guided else 1
        step = int(HIDDEN_TENSORS * tokens * self.channels * self.value_bytes)
        # The connectors read the texts before the first step. Texts are held, and joined with guidance.
        return batch * max(step + 2 * self.text_bytes, TEXT_COPIES * self.text_bytes)

    def decoding(self, demand: Demand, *, tiling: bool) -> int:
        frame = demand.width * demand.height
        pixels = min(demand.width, TILE) * min(demand.height, TILE) if tiling else frame
        piece = self.pixel_tensors * self.pixel_channels * pixels * demand.frames / self.patch_size**2
        video = 3 * demand.frames * frame * self.value_bytes
        return max(int(piece * self.value_bytes) + video, FRAME_COPIES * video)


def work(configs: Configs, dtype: Dtype) -> LTXWork:
    transformer, vae, text = (configs.parts[name] for name in ("transformer", "vae", "connectors"))
    return LTXWork(
        channels=transformer["num_attention_heads"] * transformer["attention_head_dim"],
        text_bytes=PROMPT_TOKENS
        * text["caption_channels"]
        * text["text_proj_in_factor"]
        * DTYPE_BYTES[dtype],
        patch_size=vae["patch_size"],
        pixel_channels=vae["decoder_block_out_channels"][0],
        pixel_tensors=PIXEL_TENSORS[_residual(vae)],
        value_bytes=DTYPE_BYTES[dtype],
    )


def _residual(vae: Mapping[str, Any]) -> bool:
    found = vae.get("upsample_residual", True)
    return found if isinstance(found, bool) else any(found)


def tiles(width: int, height: int) -> Mapping[str, int]:
    return {
        f"tile_sample_{kind}_{side}": size
        for side in ("width", "height")
        for kind, size in (("min", TILE), ("stride", TILE_STRIDE))
    }


LTX2 = Family(
    name="ltx",
    title="LTX-2",
    pipelines=("LTX2Pipeline", "LTX2ImageToVideoPipeline", "LTX2ConditionPipeline"),
    parts=PARTS,
    read=read,
    work=work,
    tiles=tiles,
)

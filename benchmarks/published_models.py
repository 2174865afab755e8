"""The published models whose memory, operations and speed are computed without their weights.

Each is described once: what makes its parts, as its config.json's say. A model is added here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from diffusers import (
    AutoencoderKLCogVideoX,
    AutoencoderKLLTX2Audio,
    AutoencoderKLLTX2Video,
    AutoencoderKLWan,
    CogVideoXDDIMScheduler,
    CogVideoXDPMScheduler,
    CogVideoXTransformer3DModel,
    FlowMatchEulerDiscreteScheduler,
    LTX2VideoTransformer3DModel,
    UniPCMultistepScheduler,
    WanTransformer3DModel,
)
from diffusers.pipelines.ltx2 import LTX2TextConnectors, LTX2Vocoder
from diffusers.pipelines.ltx2.vocoder import LTX2VocoderWithBWE
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3TextConfig,
    PreTrainedTokenizerFast,
    SiglipVisionConfig,
    T5Config,
    T5EncoderModel,
    UMT5Config,
    UMT5EncoderModel,
)

from containers.diffusion.families import family_of
from containers.diffusion.family import Checkpoint, Configs, Dtype, Family
from containers.diffusion.memory import ModelSizes
from containers.diffusion.weights import Tensor

Make = Callable[[], nn.Module]


@dataclass(frozen=True)
class Published:
    """A published checkpoint: what makes each part of its pipeline."""

    pipeline: str
    """Class of diffusers in model_index.json."""
    parts: Mapping[str, Make]
    """Those with weights."""
    others: Mapping[str, Callable[[], Any]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Plain values in model_index.json."""


@dataclass(frozen=True)
class Built:
    """A published checkpoint as it would be read from its folder; its models have no values."""

    family: Family
    configs: Configs
    models: Mapping[str, nn.Module]
    others: Mapping[str, Any]
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, published: Published, empty: Callable[[Make], nn.Module]) -> "Built":
        """Build it; `empty` makes a model without values."""
        index: dict[str, Any] = {"_class_name": published.pipeline, **published.settings}
        family = family_of(index, Path("model_index.json"))
        models = {name: empty(make) for name, make in published.parts.items()}
        others = {name: make() for name, make in published.others.items()}
        configs = {}
        for name, made in {**models, **others}.items():
            part = family.parts[name]
            index[name] = [part.library, type(made).__name__]
            if part.config is not None:
                configs[name] = dict(made.config)
        return cls(family, Configs(index, configs), models, others, published.settings)

    @property
    def checkpoint(self) -> Checkpoint:
        return self.family.read(self.configs)

    def sizes(self, dtype: Dtype) -> ModelSizes:
        """Return the sizes as ModelSizes.read would find them in the published files."""
        tensors = {
            name: {key: Tensor("BF16", tuple(value.shape)) for key, value in model.named_parameters()}
            for name, model in self.models.items()
        }
        return ModelSizes.of(self.family, self.configs, tensors, dtype)


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer to which every word is unknown, in place of the published ones."""
    made = Tokenizer(models.WordLevel({"<pad>": 0, "</s>": 1, "<unk>": 2}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=1024
    )


# --- CogVideoX: https://huggingface.co/zai-org. Given is what differs from the classes' defaults; the VAE has
# them.

_T5_XXL = partial(
    T5EncoderModel,
    T5Config(
        d_model=4096, d_ff=10240, d_kv=64, num_heads=64, num_layers=24, vocab_size=32128,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False,
    ),
)  # fmt: skip


def _cogvideox(**transformer: Any) -> Published:
    rotary = "use_rotary_positional_embeddings" in transformer
    scheduler = partial(
        CogVideoXDPMScheduler if rotary else CogVideoXDDIMScheduler,
        beta_end=0.012, beta_start=0.00085, prediction_type="v_prediction", rescale_betas_zero_snr=True,
        snr_shift_scale=1.0 if rotary else 3.0, timestep_spacing="trailing",
    )  # fmt: skip
    return Published(
        "CogVideoXImageToVideoPipeline" if "in_channels" in transformer else "CogVideoXPipeline",
        parts={
            "text_encoder": _T5_XXL,
            "transformer": partial(CogVideoXTransformer3DModel, **transformer),
            "vae": AutoencoderKLCogVideoX,
        },
        others={"tokenizer": tokenizer, "scheduler": scheduler},
    )


_5B = {"num_layers": 42, "num_attention_heads": 48, "use_rotary_positional_embeddings": True}
_1_5 = _5B | {
    "patch_size_t": 2, "patch_bias": False, "sample_width": 170, "sample_height": 96, "sample_frames": 81,
}  # fmt: skip
_COGVIDEOX = {
    "cogvideox-2b": _cogvideox(num_layers=30, num_attention_heads=30),
    "cogvideox-5b": _cogvideox(**_5B),
    "cogvideox-5b-i2v": _cogvideox(**_5B, in_channels=32, use_learned_positional_embeddings=True),
    "cogvideox-1.5-5b": _cogvideox(**_1_5),
    "cogvideox-1.5-5b-i2v": _cogvideox(**_1_5, in_channels=32, ofs_embed_dim=512),
}


# --- Wan: https://huggingface.co/Wan-AI, the repositories for diffusers. 2.1's VAE has the class's defaults.

_UMT5_XXL = partial(
    UMT5EncoderModel,
    UMT5Config(
        d_model=4096, d_ff=10240, d_kv=64, num_heads=64, num_layers=24, vocab_size=256384,
        feed_forward_proj="gated-gelu",
    ),
)  # fmt: skip
_CLIP_VIT_H = partial(
    CLIPVisionModelWithProjection,
    CLIPVisionConfig(
        hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=16,
        patch_size=14, projection_dim=1024,
    ),
)  # fmt: skip
# TI2V-5B's; its statistics are left out.
_VAE_2_2 = partial(
    AutoencoderKLWan,
    base_dim=160, decoder_base_dim=256, z_dim=48, is_residual=True, in_channels=12, out_channels=12,
    patch_size=2, scale_factor_spatial=16, latents_mean=[0.0] * 48, latents_std=[1.0] * 48,
)  # fmt: skip


def _wan(
    heads: int,
    layers: int,
    inside: int,
    vae: Make = AutoencoderKLWan,
    settings: Mapping[str, Any] | None = None,
    **own: Any,
) -> Published:
    settings = settings or {}
    transformer = partial(
        WanTransformer3DModel, num_attention_heads=heads, num_layers=layers, ffn_dim=inside, **own
    )
    parts = {"text_encoder": _UMT5_XXL, "transformer": transformer, "vae": vae}
    # Its shift is set for each clip.
    scheduler = partial(
        UniPCMultistepScheduler, prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
    )
    others: dict[str, Callable[[], Any]] = {"tokenizer": tokenizer, "scheduler": scheduler}
    if "boundary_ratio" in settings:
        parts["transformer_2"] = transformer
    if "image_dim" in own:
        parts["image_encoder"] = _CLIP_VIT_H
        others["image_processor"] = CLIPImageProcessorPil
    from_image = own.get("in_channels") == _FROM_IMAGE["in_channels"]
    return Published("WanImageToVideoPipeline" if from_image else "WanPipeline", parts, others, settings)


_FROM_IMAGE = {"in_channels": 36}
_READS_PICTURES = _FROM_IMAGE | {"image_dim": 1280, "added_kv_proj_dim": 5120}
_14B = (40, 40, 13824)
_WAN = {
    "wan2.1-t2v-1.3b": _wan(12, 30, 8960),
    "wan2.1-t2v-14b": _wan(*_14B),
    "wan2.1-i2v-14b": _wan(*_14B, **_READS_PICTURES),
    "wan2.1-flf2v-14b": _wan(*_14B, **_READS_PICTURES, pos_embed_seq_len=514),
    "wan2.2-ti2v-5b": _wan(
        24, 30, 14336, _VAE_2_2, {"expand_timesteps": True}, in_channels=48, out_channels=48
    ),
    "wan2.2-t2v-a14b": _wan(*_14B, settings={"boundary_ratio": 0.875}),
    "wan2.2-i2v-a14b": _wan(*_14B, settings={"boundary_ratio": 0.9}, **_FROM_IMAGE),
}


# --- LTX-2: scripts/convert_ltx2_to_diffusers.py of diffusers, which wrote the published files. Given is what
# differs from the classes' defaults.

# Gemma 3 12B: https://huggingface.co/google/gemma-3-12b-it, config.json.
_GEMMA_3 = partial(
    Gemma3ForConditionalGeneration,
    Gemma3Config(
        text_config=Gemma3TextConfig(
            vocab_size=262208, hidden_size=3840, intermediate_size=15360, num_hidden_layers=48,
            num_attention_heads=16, num_key_value_heads=8, head_dim=256,
        ),
        vision_config=SiglipVisionConfig(
            hidden_size=1152, intermediate_size=4304, num_hidden_layers=27, num_attention_heads=16,
            image_size=896, patch_size=14,
        ),
    ),
)  # fmt: skip


def _ltx(
    transformer: Mapping[str, Any], connectors: Mapping[str, Any], vae: Mapping[str, Any], vocoder: Make
) -> Mapping[str, Make]:
    return {
        "text_encoder": _GEMMA_3,
        "connectors": partial(LTX2TextConnectors, rope_type="split", **connectors),
        "transformer": partial(LTX2VideoTransformer3DModel, rope_type="split", **transformer),
        "vae": partial(
            AutoencoderKLLTX2Video,
            decoder_causal=False, spatial_compression_ratio=32, temporal_compression_ratio=8, **vae,
        ),
        "audio_vae": AutoencoderKLLTX2Audio,
        "vocoder": vocoder,
    }  # fmt: skip


_2_0 = _ltx(transformer={}, connectors={}, vae={}, vocoder=LTX2Vocoder)
_2_3 = _ltx(
    transformer={
        **dict.fromkeys(("gated_attn", "cross_attn_mod", "audio_gated_attn", "audio_cross_attn_mod"), True),
        "use_prompt_embeddings": False,
        "perturbed_attn": True,
    },
    connectors={
        "video_connector_num_attention_heads": 32,
        "video_connector_num_layers": 8,
        "video_gated_attn": True,
        "audio_connector_num_attention_heads": 32,
        "audio_connector_attention_head_dim": 64,
        "audio_connector_num_layers": 8,
        "audio_gated_attn": True,
        "per_modality_projections": True,
        "proj_bias": True,
    },
    vae={
        "block_out_channels": (256, 512, 1024, 1024),
        "decoder_block_out_channels": (256, 512, 512, 1024),
        "layers_per_block": (4, 6, 4, 2, 2),
        "decoder_layers_per_block": (4, 6, 4, 2, 2),
        "spatio_temporal_scaling": (True,) * 4,
        "decoder_spatio_temporal_scaling": (True,) * 4,
        "decoder_inject_noise": (False,) * 5,
        "upsample_type": ("spatiotemporal", "spatiotemporal", "temporal", "spatial"),
        "upsample_residual": (False,) * 4,
        "upsample_factor": (2, 2, 1, 2),
        "decoder_spatial_padding_mode": "zeros",
    },
    vocoder=LTX2VocoderWithBWE,
)


def _with_schedule(parts: Mapping[str, Make], *, distilled: bool) -> Published:
    scheduler = partial(
        FlowMatchEulerDiscreteScheduler,
        use_dynamic_shifting=not distilled, shift_terminal=None if distilled else 0.1,
        base_shift=0.95, max_shift=2.05, base_image_seq_len=1024, max_image_seq_len=4096,
    )  # fmt: skip
    return Published("LTX2Pipeline", parts, {"tokenizer": tokenizer, "scheduler": scheduler})


_LTX = {
    "ltx-2-19b": _with_schedule(_2_0, distilled=False),
    "ltx-2-19b-distilled": _with_schedule(_2_0, distilled=True),
    "ltx-2.3-22b": _with_schedule(_2_3, distilled=False),
    "ltx-2.3-22b-distilled": _with_schedule(_2_3, distilled=True),
}


MODELS: Mapping[str, Published] = _COGVIDEOX | _WAN | _LTX

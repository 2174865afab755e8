"""The published LTX-2 models on PyTorch's meta device, as benchmarks/memory.py has CogVideoX's.

    python -m benchmarks.ltx_models

prints their plans in docs/engines-memory.md.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from diffusers import AutoencoderKLLTX2Audio, AutoencoderKLLTX2Video, LTX2VideoTransformer3DModel
from diffusers.pipelines.ltx2 import LTX2TextConnectors, LTX2Vocoder
from diffusers.pipelines.ltx2.vocoder import LTX2VocoderWithBWE
from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3TextConfig, SiglipVisionConfig

from benchmarks.memory import HEADER, a_device, metered, plan_row
from containers.diffusion.families.ltx import LIMITS, LTX2, tiles
from containers.diffusion.family import Configs, Demand
from containers.diffusion.memory import ModelSizes
from containers.diffusion.weights import Tensor


@dataclass(frozen=True)
class Published:
    """The values in the parts' config.json that differ from the classes' defaults."""

    transformer: dict[str, Any] = field(default_factory=dict)
    connectors: dict[str, Any] = field(default_factory=dict)
    vae: dict[str, Any] = field(default_factory=dict)
    vocoder: Any = LTX2Vocoder


# scripts/convert_ltx2_to_diffusers.py of diffusers, which wrote the published files, has these values.
_2_3 = Published(
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
# A distilled model has the sizes of the full one.
MODELS = {"ltx-2-19b": Published(), "ltx-2.3-22b-distilled": _2_3}


@cache
def transformer_of(name: str) -> Any:
    with torch.device("meta"):
        return LTX2VideoTransformer3DModel(rope_type="split", **MODELS[name].transformer).bfloat16().eval()


@cache
def vae_of(name: str) -> Any:
    ratios = {"spatial_compression_ratio": 32, "temporal_compression_ratio": 8}
    with torch.device("meta"):
        return AutoencoderKLLTX2Video(decoder_causal=False, **ratios, **MODELS[name].vae).bfloat16().eval()


@cache
def _text_encoder() -> Any:
    """Gemma 3 12B: https://huggingface.co/google/gemma-3-12b-it, config.json."""
    text = Gemma3TextConfig(
        vocab_size=262208, hidden_size=3840, intermediate_size=15360, num_hidden_layers=48,
        num_attention_heads=16, num_key_value_heads=8, head_dim=256,
    )  # fmt: skip
    vision = SiglipVisionConfig(
        hidden_size=1152, intermediate_size=4304, num_hidden_layers=27, num_attention_heads=16,
        image_size=896, patch_size=14,
    )  # fmt: skip
    with torch.device("meta"):
        return Gemma3ForConditionalGeneration(Gemma3Config(text_config=text, vision_config=vision))


@cache
def sizes_of(name: str) -> ModelSizes:
    """Return the sizes as ModelSizes.read would find them in the published files."""
    published = MODELS[name]
    with torch.device("meta"):
        connectors = LTX2TextConnectors(rope_type="split", **published.connectors)
        others = {"audio_vae": AutoencoderKLLTX2Audio(), "vocoder": published.vocoder()}
    models = {
        "text_encoder": _text_encoder(),
        "connectors": connectors,
        "transformer": transformer_of(name),
        "vae": vae_of(name),
        **others,
    }
    tensors = {
        part: {key: Tensor("BF16", tuple(value.shape)) for key, value in model.named_parameters()}
        for part, model in models.items()
    }
    configs = Configs({}, {part: models[part].config for part in ("transformer", "vae", "connectors")})
    return ModelSizes.of(LTX2, configs, tensors, "bfloat16")


def meter_denoising(name: str, demand: Demand) -> int:
    """Return the peak bytes of one pass of the transformer."""
    model = transformer_of(name)
    batch = 2 if demand.guided else 1
    latents, sounds = (demand.frames - 1) // 8 + 1, round(demand.frames / 24 * 25)
    tokens = latents * demand.width * demand.height // 32**2
    text = (3840, 3840) if model.config.use_prompt_embeddings else (4096, 2048)

    def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Any:
        return torch.empty(batch, *shape, dtype=dtype, device="meta")

    half, whole = torch.bfloat16, torch.int64
    inputs = {
        "hidden_states": empty(tokens, 128, dtype=half),
        "audio_hidden_states": empty(sounds, 128, dtype=half),
        "encoder_hidden_states": empty(1024, text[0], dtype=half),
        "audio_encoder_hidden_states": empty(1024, text[1], dtype=half),
        "timestep": empty(tokens),
        "audio_timestep": empty(),
        "sigma": empty(),
        "audio_sigma": empty(),
        "encoder_attention_mask": empty(1024, dtype=whole),
        "audio_encoder_attention_mask": empty(1024, dtype=whole),
        "video_coords": empty(3, tokens, 2),
        "audio_coords": empty(1, sounds, 2),
    }
    cross = not model.config.use_prompt_embeddings
    return metered(model, lambda: model(**inputs, use_cross_timestep=cross, return_dict=False))


def meter_decoding(name: str, demand: Demand, *, tiling: bool) -> int:
    """Return the peak bytes of decoding the pictures."""
    vae = vae_of(name)
    latents = torch.empty(
        1, 128, (demand.frames - 1) // 8 + 1, demand.height // 32, demand.width // 32,
        dtype=vae.dtype, device="meta",
    )  # fmt: skip
    if tiling:
        vae.enable_tiling(**tiles(demand.width, demand.height))
    try:
        return metered(vae, lambda: vae.decode(latents, None))
    finally:
        vae.disable_tiling()


# PCs with the main memory that 16-bit weights need, and the smallest instances of AWS that hold a model.
DEVICES = (
    a_device("RTX 4060 8 GB, PC with 64 GB", 8188, 1100, 64),
    a_device("RTX 3060 12 GB, PC with 64 GB", 12288, 1100, 64),
    a_device("RTX 4080 16 GB, PC with 64 GB", 16376, 1100, 64),
    a_device("RTX 4090 24 GB, PC with 96 GB", 24564, 1100, 96),
    a_device("L4 24 GB, ml.g6.2xlarge (32 GB)", 23034, 500, 32),
    a_device("L40S 48 GB, ml.g6e.2xlarge (64 GB)", 46068, 500, 64),
    a_device("L40S 48 GB, ml.g6e.4xlarge (128 GB)", 46068, 500, 128),
    a_device("H100 80 GB, ml.p5.4xlarge (256 GB)", 81559, 500, 256),
    a_device("H200 141 GB", 143771, 500, 256),
)


def table() -> str:
    """Return the plan for each model on each device, as Markdown."""
    return HEADER + "".join(
        plan_row(name, sizes_of(name), LIMITS, device, guided="distilled" not in name)
        for name in MODELS
        for device in DEVICES
    )


if __name__ == "__main__":
    print(table(), end="")

"""Writes the files of the tiny LTX-2 checkpoint (tests/tiny_ltx.py) with the classes that read them."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLLTX2Audio,
    AutoencoderKLLTX2Video,
    FlowMatchEulerDiscreteScheduler,
    LTX2Pipeline,
    LTX2VideoTransformer3DModel,
)
from diffusers.pipelines.ltx2 import LTX2TextConnectors, LTX2Vocoder
from diffusers.pipelines.ltx2.vocoder import LTX2VocoderWithBWE
from tokenizers import Tokenizer, models, normalizers, trainers
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3TextConfig,
    GemmaTokenizer,
    SiglipVisionConfig,
)

from benchmarks.published_models import Published
from benchmarks.published_models import tokenizer as word_tokenizer
from tests.tiny_checkpoint_files import sentences
from tests.tiny_ltx import Generation

TEXT_CHANNELS, TEXT_LAYERS = 16, 2
CHANNELS, AUDIO_CHANNELS = 32, 16
AUDIO_LATENTS = 16


def tiny(generation: Generation, vocabulary: int, *, distilled: bool) -> Published:
    """Return what makes a tiny checkpoint, with a tokenizer to which every word is unknown."""
    return Published(
        "LTX2Pipeline",
        parts={
            "vae": partial(_vae, generation),
            "audio_vae": _audio_vae,
            "text_encoder": partial(_text_encoder, vocabulary),
            "connectors": partial(_connectors, generation),
            "transformer": partial(_transformer, generation),
            "vocoder": partial(_vocoder, generation),
        },
        others={"tokenizer": word_tokenizer, "scheduler": partial(_scheduler, distilled=distilled)},
    )


def write(directory: Path, *, generation: Generation, distilled: bool) -> None:
    """Write all but the manifest, which names the directory."""
    torch.manual_seed(0)
    tokenizer = _tokenizer()
    made = tiny(generation, len(tokenizer), distilled=distilled)
    parts = {name: make() for name, make in (made.parts | made.others).items()}
    pipeline = LTX2Pipeline(**parts | {"tokenizer": tokenizer})
    pipeline.save_pretrained(directory, safe_serialization=True)


def _tokenizer() -> GemmaTokenizer:
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    trainer = trainers.BpeTrainer(
        vocab_size=2000, special_tokens=special, max_token_length=12, show_progress=False
    )
    tokenizer.train_from_iterator((sentence.split(" ") for sentence in sentences()), trainer)
    learnt = json.loads(tokenizer.to_str())["model"]
    return GemmaTokenizer(
        vocab=learnt["vocab"], merges=[tuple(pair) for pair in learnt["merges"]], model_max_length=1024
    )


def _text_encoder(vocabulary: int) -> Gemma3ForConditionalGeneration:
    text = Gemma3TextConfig(
        vocab_size=vocabulary, hidden_size=TEXT_CHANNELS, intermediate_size=32, num_hidden_layers=TEXT_LAYERS,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8, sliding_window=64,
    )  # fmt: skip
    vision = SiglipVisionConfig(
        hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=1, image_size=28,
        patch_size=14,
    )  # fmt: skip
    config = Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=1)
    return Gemma3ForConditionalGeneration(config).eval()


def _connectors(generation: Generation) -> LTX2TextConnectors:
    own: dict[str, Any] = {"video_connector_num_attention_heads": 2, "audio_connector_num_attention_heads": 2}
    if generation == "2.3":
        own = {
            "video_connector_num_attention_heads": CHANNELS // 8,
            "audio_connector_num_attention_heads": AUDIO_CHANNELS // 8,
            "video_hidden_dim": CHANNELS,
            "audio_hidden_dim": AUDIO_CHANNELS,
            "video_gated_attn": True,
            "audio_gated_attn": True,
            "per_modality_projections": True,
            "proj_bias": True,
        }
    return LTX2TextConnectors(
        caption_channels=TEXT_CHANNELS,
        text_proj_in_factor=TEXT_LAYERS + 1,
        video_connector_attention_head_dim=8,
        video_connector_num_layers=1,
        audio_connector_attention_head_dim=8,
        audio_connector_num_layers=1,
        rope_type="split",
        **own,
    ).eval()


def _transformer(generation: Generation) -> LTX2VideoTransformer3DModel:
    new = dict.fromkeys(
        ("gated_attn", "cross_attn_mod", "audio_gated_attn", "audio_cross_attn_mod", "perturbed_attn"),
        generation == "2.3",
    )
    return LTX2VideoTransformer3DModel(
        in_channels=8,
        out_channels=8,
        audio_in_channels=AUDIO_LATENTS,
        audio_out_channels=AUDIO_LATENTS,
        num_attention_heads=2,
        attention_head_dim=CHANNELS // 2,
        cross_attention_dim=CHANNELS,
        audio_num_attention_heads=2,
        audio_attention_head_dim=AUDIO_CHANNELS // 2,
        audio_cross_attention_dim=AUDIO_CHANNELS,
        num_layers=2,
        caption_channels=TEXT_CHANNELS,
        rope_type="split",
        use_prompt_embeddings=generation == "2.0",
        **new,
    ).eval()


def _vae(generation: Generation) -> AutoencoderKLLTX2Video:
    own: dict[str, Any] = {
        "decoder_block_out_channels": (8, 16, 32),
        "decoder_layers_per_block": (1, 1, 1, 1),
    }
    if generation == "2.3":
        own = {
            "decoder_block_out_channels": (8, 16, 16, 32),
            "decoder_layers_per_block": (1, 1, 1, 1, 1),
            "decoder_spatio_temporal_scaling": (True,) * 4,
            "decoder_inject_noise": (False,) * 5,
            "decoder_spatial_padding_mode": "zeros",
            "upsample_type": ("spatiotemporal", "spatiotemporal", "temporal", "spatial"),
            "upsample_residual": (False,) * 4,
            "upsample_factor": (2, 2, 1, 2),
        }
    vae = AutoencoderKLLTX2Video(
        latent_channels=8,
        block_out_channels=(8, 8, 16, 16),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_causal=False,
        spatial_compression_ratio=32,
        temporal_compression_ratio=8,
        **own,
    )
    # As in the published ones, another mean and deviation for each channel.
    vae.latents_mean.copy_(torch.randn(8) / 10)
    vae.latents_std.copy_(1 + torch.rand(8))
    return vae.eval()


def _audio_vae() -> AutoencoderKLLTX2Audio:
    # diffusers takes the base channels for the number of values per latent, here 1 channel of 16.
    vae = AutoencoderKLLTX2Audio(base_channels=AUDIO_LATENTS, latent_channels=1, num_res_blocks=1)
    vae.latents_mean.copy_(torch.randn(vae.latents_mean.shape) / 10)
    vae.latents_std.copy_(1 + torch.rand(vae.latents_std.shape))
    return vae.eval()


def _vocoder(generation: Generation) -> LTX2Vocoder | LTX2VocoderWithBWE:
    small = {"resnet_kernel_sizes": [3], "resnet_dilations": [[1, 3, 5]]}
    if generation == "2.0":
        return LTX2Vocoder(hidden_channels=32, **small).eval()
    bandwidth = {f"bwe_{name}": value for name, value in small.items()}
    return LTX2VocoderWithBWE(hidden_channels=64, bwe_hidden_channels=32, **small, **bandwidth).eval()


def _scheduler(*, distilled: bool) -> FlowMatchEulerDiscreteScheduler:
    # The published scheduler_config.json.
    return FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=not distilled,
        base_shift=0.95,
        max_shift=2.05,
        base_image_seq_len=1024,
        max_image_seq_len=4096,
        shift_terminal=None if distilled else 0.1,
    )

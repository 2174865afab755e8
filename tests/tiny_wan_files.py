"""Writes the files of the tiny Wan checkpoints (tests/tiny_wan.py) with the classes that read them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanTransformer3DModel
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    UMT5Config,
    UMT5EncoderModel,
)

from benchmarks.published_models import Make, Published
from benchmarks.published_models import tokenizer as word_tokenizer
from tests.tiny_checkpoint_files import make_tokenizer
from tests.tiny_wan import Kind

LATENTS = {"t2v": 16, "i2v": 16, "flf2v": 16, "t2v-a14b": 16, "i2v-a14b": 16, "ti2v": 48}
PICTURE_WIDTH = 24  # of the image encoder


def tiny(kind: Kind, vocabulary: int) -> Published:
    """Return what makes a tiny checkpoint, with a tokenizer to which every word is unknown."""
    transformer = partial(_transformer, kind)
    parts: dict[str, Make] = {
        "text_encoder": partial(_text_encoder, vocabulary),
        "vae": partial(_vae, kind),
        "transformer": transformer,
    }
    others: dict[str, Callable[[], Any]] = {"tokenizer": word_tokenizer, "scheduler": _scheduler}
    settings: dict[str, Any] = {}
    if kind in ("i2v", "flf2v"):
        parts["image_encoder"] = _image_encoder
        others["image_processor"] = partial(CLIPImageProcessor, size=28, crop_size=28)
    if kind.endswith("a14b"):
        parts["transformer_2"] = transformer
        settings["boundary_ratio"] = 0.875 if kind == "t2v-a14b" else 0.9
    if kind == "ti2v":
        settings["expand_timesteps"] = True
    takes_image = kind in ("i2v", "flf2v", "i2v-a14b")
    return Published("WanImageToVideoPipeline" if takes_image else "WanPipeline", parts, others, settings)


def write(directory: Path, kind: Kind) -> None:
    """Write all but the manifest, which names the directory."""
    torch.manual_seed(0)
    tokenizer = make_tokenizer(directory / "tokenizer")
    made = tiny(kind, len(tokenizer))
    parts = {name: make() for name, make in (made.parts | made.others).items()}
    pipeline = getattr(diffusers, made.pipeline)(**parts | {"tokenizer": tokenizer}, **made.settings)
    pipeline.save_pretrained(directory, safe_serialization=True)
    # The names that the published checkpoints have; this environment's classes are called otherwise.
    index = directory / "model_index.json"
    text = index.read_text().replace("CLIPImageProcessorPil", "CLIPImageProcessor")
    index.write_text(text.replace('"T5Tokenizer"', '"T5TokenizerFast"'))


def _text_encoder(vocabulary: int) -> UMT5EncoderModel:
    config = UMT5Config(
        vocab_size=vocabulary, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4,
        feed_forward_proj="gated-gelu",
    )  # fmt: skip
    return UMT5EncoderModel(config).eval()


def _image_encoder() -> CLIPVisionModelWithProjection:
    config = CLIPVisionConfig(
        hidden_size=PICTURE_WIDTH, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        image_size=28, patch_size=14, projection_dim=16,
    )  # fmt: skip
    return CLIPVisionModelWithProjection(config).eval()


def _vae(kind: Kind) -> AutoencoderKLWan:
    own: dict[str, Any] = {"base_dim": 4, "num_res_blocks": 1}
    if kind == "ti2v":
        # Narrow: the catalogue's smallest size is 832x480, and a film of it is decoded on a CPU.
        own = {
            "base_dim": 4, "decoder_base_dim": 4, "dim_mult": [1, 1, 1, 1], "z_dim": 48, "is_residual": True,
            "in_channels": 12, "out_channels": 12, "patch_size": 2, "scale_factor_spatial": 16,
            "latents_mean": [0.1] * 48, "latents_std": [0.7] * 48, "num_res_blocks": 0,
        }  # fmt: skip
    vae = AutoencoderKLWan(**own)
    with torch.no_grad():
        # From near grey to a picture with visible motion.
        vae.decoder.conv_out.weight *= 4
    return vae.eval()


def _transformer(kind: Kind) -> WanTransformer3DModel:
    latents = LATENTS[kind]
    own: dict[str, Any] = {"in_channels": latents, "out_channels": latents}
    if kind in ("i2v", "flf2v", "i2v-a14b"):
        own["in_channels"] = 2 * latents + 4
    if kind in ("i2v", "flf2v"):
        own |= {"image_dim": PICTURE_WIDTH, "added_kv_proj_dim": 32}
    if kind == "flf2v":
        own["pos_embed_seq_len"] = 2 * 5  # two pictures of 2 × 2 patches, each with a class token
    transformer = WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=16,
        text_dim=32,
        freq_dim=32,
        ffn_dim=64,
        num_layers=2,
        **own,
    )
    return transformer.eval()


def _scheduler() -> UniPCMultistepScheduler:
    # As in the published scheduler_config.json.
    return UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0, final_sigmas_type="zero"
    )

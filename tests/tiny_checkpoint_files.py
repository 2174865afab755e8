"""Writes the files of the tiny checkpoint (tests/tiny_checkpoint.py) with the classes that read them."""

import io
import json
import textwrap
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import sentencepiece
import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXDDIMScheduler,
    CogVideoXImageToVideoPipeline,
    CogVideoXPipeline,
    CogVideoXTransformer3DModel,
)
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from reelworks.cloud.director.prompts import enhance
from tests.tiny_checkpoint import MAX_TEXT_TOKENS, Generation

# The tokenizer's training text: English from the standard library, and prompts as the director
# writes them, so that a text takes about as many tokens as with T5's own tokenizer.
TOPICS = (
    "a bee",
    "a city at night",
    "the sea in a storm",
    "an old man walks",
    "snow in the forest",
    "a river",
)


def sentences() -> list[str]:
    prompts = [enhance(topic, 100) for topic in TOPICS]
    return textwrap.wrap(" ".join(topics.values()), 400)[:1500] + prompts * 20


def write(directory: Path, *, image_to_video: bool, generation: Generation, size: tuple[int, int]) -> None:
    """Write all but the manifest, which names the directory."""
    torch.manual_seed(0)
    tokenizer = make_tokenizer(directory / "tokenizer")
    pipeline_class = CogVideoXImageToVideoPipeline if image_to_video else CogVideoXPipeline
    pipeline = pipeline_class(
        tokenizer=tokenizer,
        text_encoder=_text_encoder(len(tokenizer)),
        vae=_vae(size),
        transformer=_transformer(size, image_to_video, generation),
        scheduler=_scheduler(),
    )
    pipeline.save_pretrained(directory, safe_serialization=True)
    # Published checkpoints contain only the SentencePiece model: the server must be able to read it.
    (directory / "tokenizer" / "tokenizer.json").unlink()


def make_tokenizer(directory: Path) -> T5Tokenizer:
    directory.mkdir(parents=True, exist_ok=True)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences()),
        model_writer=model,
        vocab_size=4000,
        hard_vocab_limit=False,
        # T5's ids; it has no beginning-of-sentence token.
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    (directory / "spiece.model").write_bytes(model.getvalue())
    settings = {"tokenizer_class": "T5Tokenizer", "extra_ids": 100, "model_max_length": MAX_TEXT_TOKENS}
    (directory / "tokenizer_config.json").write_text(json.dumps(settings))
    return T5Tokenizer.from_pretrained(directory, local_files_only=True)


def _text_encoder(vocabulary: int) -> T5EncoderModel:
    config = T5Config(
        vocab_size=vocabulary, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False,
    )  # fmt: skip
    return T5EncoderModel(config).eval()


def _vae(size: tuple[int, int]) -> AutoencoderKLCogVideoX:
    vae = AutoencoderKLCogVideoX(
        block_out_channels=(8, 8, 8, 8),  # four blocks, like the real one: 8 pixels and 4 frames per latent
        latent_channels=16,
        layers_per_block=1,
        norm_num_groups=2,
        sample_width=size[0],
        sample_height=size[1],
    )
    with torch.no_grad():
        # From near grey to a picture with visible motion.
        vae.decoder.conv_out.conv.weight *= 4
    return vae.eval()


def _transformer(
    size: tuple[int, int], image_to_video: bool, generation: Generation
) -> CogVideoXTransformer3DModel:
    features: dict[str, Any] = {}
    if generation == "1.5":
        features |= {"patch_size_t": 2, "patch_bias": False, "use_rotary_positional_embeddings": True}
        features |= {"sample_frames": 81, "ofs_embed_dim": 32 if image_to_video else None}
    elif image_to_video:
        features |= {"use_rotary_positional_embeddings": True, "use_learned_positional_embeddings": True}
    transformer = CogVideoXTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=16,
        in_channels=32 if image_to_video else 16,
        out_channels=16,
        time_embed_dim=32,
        text_embed_dim=32,
        num_layers=2,
        sample_width=size[0] // 8,
        sample_height=size[1] // 8,
        max_text_seq_length=MAX_TEXT_TOKENS,
        **features,
    )
    return transformer.eval()


def _scheduler() -> CogVideoXDDIMScheduler:
    # The published scheduler_config.json of CogVideoX-2b.
    return CogVideoXDDIMScheduler(
        beta_end=0.012,
        beta_start=0.00085,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        snr_shift_scale=3.0,
        timestep_spacing="trailing",
    )

"""Text side: a SentencePiece vocabulary of the captions' words and a T5 encoder with two layers."""

import io
import json
import random
import string
from pathlib import Path

import sentencepiece
from sentencepiece.sentencepiece_model_pb2 import ModelProto
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from training.nano.draw import TRAINING, caption

TEXT_WIDTH = 64
# Same as CogVideoX-2b, so that the pipeline's prompts fit.
MAX_TOKENS = 226


def new_tokenizer(directory: Path) -> T5Tokenizer:
    """Learn a vocabulary from captions and write it into `directory` in the published checkpoints' format.

    A word that no caption contains is one unknown token, so that long prompts fit.
    """
    rng = random.Random(0)
    captions = [caption(scene, rng) for scene in TRAINING for _ in range(6)]
    words = sorted({word.strip(".,") for text in captions for word in text.split()})
    letters = [" ".join(string.ascii_letters + string.digits + string.punctuation)]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(captions + letters * 20),
        model_writer=model,
        vocab_size=320,
        # By default, the trainer would spell most of so few words in letters.
        user_defined_symbols=[f"\N{LOWER ONE EIGHTH BLOCK}{word}" for word in words],
        hard_vocab_limit=False,
        # T5's ids; it has no beginning-of-sentence token.
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "spiece.model").write_bytes(_without_letters(model.getvalue()))
    settings = {"tokenizer_class": "T5Tokenizer", "extra_ids": 0, "model_max_length": MAX_TOKENS}
    (directory / "tokenizer_config.json").write_text(json.dumps(settings))
    return T5Tokenizer.from_pretrained(directory, local_files_only=True)


_PRIVATE_USE = 0xE000  # start of Unicode's private use area, which occurs in no text


def _without_letters(model: bytes) -> bytes:
    """Return the same vocabulary, with the same ids, in which no word is spelled letter by letter. A piece
    that occurs in no text replaces each letter, because transformers reads pieces whatever their type."""
    vocabulary = ModelProto.FromString(model)
    for place, piece in enumerate(vocabulary.pieces):
        if piece.type == piece.NORMAL and len(piece.piece) == 1 and piece.piece.isalnum():
            piece.piece = chr(_PRIVATE_USE + place)
    return bytes(vocabulary.SerializeToString())


def new_text_encoder(vocabulary: int) -> T5EncoderModel:
    return T5EncoderModel(
        T5Config(
            vocab_size=vocabulary, d_model=TEXT_WIDTH, d_kv=16, d_ff=128, num_layers=2, num_heads=4,
            dropout_rate=0.0, feed_forward_proj="gated-gelu", tie_word_embeddings=False,
        )
    )  # fmt: skip

"""A tiny language model in a real GGUF file. Its words are nonsense: its weights are random, but for a liking
of quotation marks, so that the texts of a JSON answer end soon."""

from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

_WIDTH, _BLOCKS, _HEADS = 64, 2, 4
_SPECIAL = [b"<unk>", b"<s>", b"</s>"]
_BYTES = [f"<0x{value:02X}>".encode() for value in range(256)]
_LETTERS = [b"\xe2\x96\x81", *(bytes([value]) for value in range(33, 127))]  # the first is a space
_TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"


def write_tiny_gguf(file: Path) -> Path:
    """Write a model of the architecture `llama`, 0.4 MB, and return the file."""
    tokens = [*_SPECIAL, *_BYTES, *_LETTERS]
    kinds = [gguf.TokenType.UNKNOWN, *[gguf.TokenType.CONTROL] * 2]
    kinds += [gguf.TokenType.BYTE] * len(_BYTES) + [gguf.TokenType.NORMAL] * len(_LETTERS)
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_context_length(16_384)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_BLOCKS)
    writer.add_feed_forward_length(_WIDTH)
    writer.add_head_count(_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types([int(kind) for kind in kinds])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(_TEMPLATE)
    for name, weights in _weights(tokens).items():
        writer.add_tensor(name, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _weights(tokens: list[bytes]) -> dict[str, npt.NDArray[np.float32]]:
    rng = np.random.default_rng(7)

    def some(*shape: int) -> npt.NDArray[np.float32]:
        return (rng.standard_normal(shape) * 0.02).astype(np.float32)

    read, written = some(len(tokens), _WIDTH), some(len(tokens), _WIDTH)
    read[:, 0] = 1  # the same for each token …
    written[:, 0] = -4
    written[-len(_LETTERS) :, 0] = 0
    written[tokens.index(b'"'), 0] = 0.5  # … and so likely to be followed by this, and never by half a letter
    ones = np.ones(_WIDTH, np.float32)
    weights = {"token_embd.weight": read, "output_norm.weight": ones, "output.weight": written}
    for block in range(_BLOCKS):
        weights |= {f"blk.{block}.{name}.weight": ones for name in ("attn_norm", "ffn_norm")}
        for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
            weights[f"blk.{block}.{name}.weight"] = some(_WIDTH, _WIDTH)
    return weights

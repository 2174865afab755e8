"""Train the nano checkpoint from scratch.

    python -m training.nano.train DIR [--work DIR] [--threads N]

Every stage stores its result in the work directory; a stage whose result exists is skipped.
"""

import argparse
import json
from pathlib import Path

import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXPipeline
from transformers import T5Tokenizer

from containers.diffusion.manifest import make_manifest
from training.nano.text import new_tokenizer
from training.nano.transformer import Both, latents_of_drawn, new_scheduler, train_transformer
from training.nano.vae import load_vae, train_decoder, train_vae


def train(directory: Path, work: Path) -> None:
    """Train the checkpoint and write it into `directory`, in half precision."""
    vae = work / "vae"
    if not vae.exists():
        train_vae(vae)
    latents = work / "latents.pt"
    if not latents.exists():
        torch.save(latents_of_drawn(load_vae(vae)), latents)
    finished = work / "vae_finished"
    if not finished.exists():
        train_decoder(vae, finished)
    tokenizer = new_tokenizer(directory / "tokenizer")
    model = train_transformer(torch.load(latents), tokenizer)
    save(directory, tokenizer, model, load_vae(finished))


def save(directory: Path, tokenizer: T5Tokenizer, model: Both, vae: AutoencoderKLCogVideoX) -> None:
    """Write a checkpoint in the published format; `directory` already holds the tokenizer."""
    pipeline = CogVideoXPipeline(
        tokenizer=tokenizer,
        text_encoder=model.text_encoder.eval(),
        vae=vae.eval(),
        transformer=model.transformer.eval(),
        scheduler=new_scheduler(),
    )
    pipeline.to(torch.float16)
    pipeline.save_pretrained(directory, safe_serialization=True)
    # Published checkpoints contain only the SentencePiece model.
    (directory / "tokenizer" / "tokenizer.json").unlink()
    for config in directory.glob("*/config.json"):
        said = json.loads(config.read_text())
        said.pop("_name_or_path", None)  # a path on the training machine
        config.write_text(json.dumps(said, indent=2) + "\n")
    make_manifest(directory, "cogvideox-nano").write(directory)


def _main() -> None:
    parser = argparse.ArgumentParser(description="Train the nano CogVideoX checkpoint from scratch.")
    parser.add_argument("directory", type=Path)
    parser.add_argument(
        "--work", type=Path, default=Path("build/nano"), help="Work directory (default: %(default)s)."
    )
    parser.add_argument(
        "--threads", type=int, default=2, help="Number of CPU threads (default: %(default)s)."
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    train(options.directory, options.work)


if __name__ == "__main__":
    _main()

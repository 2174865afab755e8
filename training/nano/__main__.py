"""Train the nano checkpoint from scratch, and score it, in one command.

    python -m training.nano DIR [--work DIR] [--threads N] [--steps N] [--scenes N] [--score N]

Nothing but this folder's code is needed. The stages: draw (clips by a script), vae, transformer, score. What
each makes is kept in the work folder, and within a stage every minute: after a kill, the same command goes on
where it was, to the same weights. It ends with status 1 if the weights miss their scores.

A trial takes fewer steps of each loop (`--steps`) and fewer scenes; it shows that every stage hands on to the
next, and what the whole recipe would take. Its weights are no good.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXPipeline
from transformers import T5Tokenizer

from containers.diffusion.manifest import make_manifest
from training.nano.draw import HELD_OUT, TRAINING
from training.nano.progress import Training
from training.nano.score import passes, score
from training.nano.text import new_tokenizer
from training.nano.transformer import Both, latents_of_drawn, new_scheduler, train_transformer
from training.nano.vae import drawn_clips, load_vae, train_decoder, train_vae


class Refused(Exception):
    """It would overwrite something; the message says what to do."""


def train(training: Training, directory: Path, scenes: int) -> None:
    """Train the checkpoint on that many of the training scenes, and write it into `directory`, in half
    precision. Goes on where an earlier call stopped.

    Raises Refused if `directory` exists, or `training.work` belongs to another training.
    """
    _claim(training, directory, scenes)
    if directory.exists():
        return
    chosen = TRAINING[:scenes]
    seed = training.seed

    def draw(file: Path) -> None:
        torch.save(drawn_clips(chosen, random.Random(seed)), file)

    drawn = torch.load(training.make("clips.pt", draw), weights_only=True)
    vae = training.make("vae", lambda folder: train_vae(training, drawn, folder))

    def encode(file: Path) -> None:
        torch.save(latents_of_drawn(load_vae(vae), chosen, seed), file)

    latents = training.make("latents.pt", encode)
    finished = training.make("vae_finished", lambda folder: train_decoder(training, drawn, vae, folder))

    def transformer(folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
        tokenizer = new_tokenizer(folder / "tokenizer")
        model = train_transformer(training, chosen, torch.load(latents, weights_only=True), tokenizer)
        _save(folder, tokenizer, model, load_vae(finished))

    directory.parent.mkdir(parents=True, exist_ok=True)
    # The copy may be to another file system; the rename is not.
    with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
        copy = shutil.copytree(training.make("checkpoint", transformer), Path(scratch) / directory.name)
        copy.rename(directory)


def _claim(training: Training, directory: Path, scenes: int) -> None:
    """Note in the work folder what it belongs to; raise Refused if that is something else."""
    wanted = {
        "directory": str(directory.resolve()),
        "seed": training.seed,
        "steps": training.most_steps,
        "scenes": scenes,
    }
    note = training.work / "training.json"
    if note.exists():
        found = json.loads(note.read_text(encoding="utf-8"))
        if found != wanted:
            raise Refused(f"{training.work} belongs to the training {found}; name another folder as --work")
        return
    if directory.exists():
        raise Refused(f"{directory} exists and would be overwritten; name a new folder")
    training.work.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(wanted), encoding="utf-8")


def _save(directory: Path, tokenizer: T5Tokenizer, model: Both, vae: AutoencoderKLCogVideoX) -> None:
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


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="A new folder for the checkpoint.")
    parser.add_argument(
        "--work", type=Path, help="Folder for what the stages make (default: DIR with .training behind it)."
    )
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument(
        "--threads", type=int, default=2, help="Number of CPU threads (default: %(default)s)."
    )
    parser.add_argument("--steps", type=int, help="For a trial: at most this many steps of each loop.")
    parser.add_argument(
        "--scenes", type=int, default=len(TRAINING), help="Training scenes (default: %(default)s, all)."
    )
    parser.add_argument(
        "--score", type=int, default=len(HELD_OUT), help="Scenes to score (default: %(default)s, all)."
    )
    options = parser.parse_args(arguments)
    for name, low, high in (
        ("steps", 1, None), ("threads", 1, None), ("scenes", 8, len(TRAINING)), ("score", 1, len(HELD_OUT)),
    ):  # fmt: skip
        value = getattr(options, name)
        if value is not None and (value < low or (high is not None and value > high)):
            parser.error(f"--{name} must be at least {low}{f', at most {high}' if high else ''}; got {value}")
    torch.set_num_threads(options.threads)
    work = options.work or options.directory.with_name(f"{options.directory.name}.training")
    training = Training(work, options.seed, options.steps)
    try:
        train(training, options.directory, options.scenes)
    except Refused as refusal:
        sys.exit(f"training.nano: {refusal}")
    if options.steps is not None:
        for name, seconds in training.seconds.items():
            print(f"{name}: {seconds / 60:.0f} min by the recipe")
        print(f"all of them: {sum(training.seconds.values()) / 60:.0f} min")
    good = passes(score(options.directory, options.score, work / "scored.png"))
    trial = options.steps is not None or options.scenes < len(TRAINING)
    if trial:
        print("A trial: its scores mean nothing.")
    elif not good:
        sys.exit(f"training.nano: the weights in {options.directory} miss their scores; try another --seed")


if __name__ == "__main__":
    main()

"""The shipped nano checkpoint as the engine loads it: its clips show what the prompts describe."""

import random
from pathlib import Path

import pytest

from containers.diffusion.checkpoint import read_checkpoint
from containers.diffusion.family import Checkpoint
from containers.diffusion.model import Model
from containers.diffusion.speed import Speed
from containers.diffusion.weights import check_weights
from lambdas.domain.engines import CATALOGUE
from training.nano.draw import FPS, FRAMES, HEIGHT, HELD_OUT, TRAINING, WIDTH, Scene, clip
from training.nano.score import LEAST, MAY_LOSE, held_out_prompts, measure, render, tally

FOLDER = Path(__file__).parents[2] / "models" / "cogvideox-nano"
MEGABYTES = 15
SCENES = 6

Seen = dict[Speed, list[Scene | None]]
ASKED = [scene for scene, _ in held_out_prompts(SCENES)]


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return read_checkpoint(FOLDER)


@pytest.fixture(scope="module")
def seen(checkpoint: Checkpoint) -> Seen:
    """Return what the clips show, by speed and in the order of the prompts."""
    model = Model.load(FOLDER, checkpoint, "cpu")
    prompts = [prompt for _, prompt in held_out_prompts(SCENES)]
    return {speed: [measure(clip) for clip in render(model, prompts, speed)] for speed in checkpoint.speeds}


def score(asked: list[Scene], seen: list[Scene | None]) -> float:
    return tally(list(zip(asked, seen, strict=True)))["mean"]


def test_it_is_whole_and_small_enough_to_ship() -> None:
    assert check_weights(FOLDER).total_bytes < MEGABYTES * 10**6


def test_both_catalogues_describe_it(checkpoint: Checkpoint) -> None:
    engine = CATALOGUE["cogvideox-nano"]
    assert checkpoint.name == engine.name
    limits = checkpoint.limits
    assert (limits.sizes.default, limits.fps, limits.longest) == ((WIDTH, HEIGHT), (FPS,), FRAMES)
    assert engine.sizes.default == (WIDTH, HEIGHT)
    assert engine.fps == (FPS,)
    assert engine.frames_to_render(engine.longest_clip * FPS) == FRAMES
    assert engine.steps == checkpoint.recipe.steps


def test_no_scored_prompt_describes_a_training_scene() -> None:
    assert not set(ASKED) & set(TRAINING)


def test_it_follows_prompts_it_has_never_seen(seen: Seen) -> None:
    assert score(ASKED, seen[Speed.EXACT]) >= LEAST


@pytest.mark.parametrize("speed", [Speed.BALANCED, Speed.FAST])
def test_faster_speeds_lose_little_of_the_prompt(seen: Seen, speed: Speed) -> None:
    assert score(ASKED, seen[speed]) >= score(ASKED, seen[Speed.EXACT]) - MAY_LOSE


def test_it_follows_its_own_prompt_and_no_other(seen: Seen) -> None:
    """A measurement that accepts anything would find as much of another prompt in a clip."""
    others = ASKED[1:] + ASKED[:1]
    assert score(others, seen[Speed.EXACT]) < 0.5


def test_the_measurement_recognizes_drawn_scenes() -> None:
    rng = random.Random(0)
    pairs = [(scene, measure(clip(scene, rng))) for scene in HELD_OUT]
    assert tally(pairs)["all"] == 1.0

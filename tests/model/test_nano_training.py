"""The nano checkpoint's training: a trial of every stage, and how it goes on after a kill."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from containers.diffusion.checkpoint import read_checkpoint
from containers.diffusion.model import Model
from containers.diffusion.speed import Speed
from containers.diffusion.weights import check_weights
from training.nano.__main__ import Refused, main, train
from training.nano.draw import FRAMES, HEIGHT, TRAINING, WIDTH
from training.nano.progress import Training
from training.nano.score import LEAST, MAY_LOSE, passes, render

pytestmark = pytest.mark.filterwarnings("default")  # of the libraries, when weights are written


class Killed(Exception):
    pass


def steps_of(training: Training, weight: nn.Linear, rng: random.Random, *, killed_at: int = 99) -> list[int]:
    """Train `weight` by ten steps, each of which uses both kinds of random numbers."""
    optimizer = torch.optim.Adam(weight.parameters())
    made = []
    for step in training.loop("weight", 10, {"weight": weight, "optimizer": optimizer}, rng):
        if step == killed_at:
            raise Killed
        optimizer.zero_grad()
        (weight(torch.randn(3)) * rng.random()).sum().backward()
        optimizer.step()
        made.append(step)
    return made


@pytest.fixture
def saved_at_every_step(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("training.nano.progress.EVERY_SECONDS", 0.0)
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


@pytest.mark.usefixtures("saved_at_every_step")
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    def fresh() -> tuple[nn.Linear, random.Random]:
        torch.manual_seed(0)
        return nn.Linear(3, 2), random.Random(0)

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for folder in (whole, cut):
        folder.mkdir()
    wanted, rng = fresh()
    assert steps_of(Training(whole), wanted, rng) == list(range(10))
    broken, rng = fresh()
    with pytest.raises(Killed):
        steps_of(Training(cut), broken, rng, killed_at=6)
    resumed, rng = fresh()
    assert steps_of(Training(cut), resumed, rng) == [6, 7, 8, 9]
    assert torch.equal(resumed.weight, wanted.weight)
    assert not torch.equal(broken.weight, wanted.weight)
    assert steps_of(Training(cut), resumed, rng) == []


def test_a_trial_makes_fewer_steps_and_tells_the_time_of_all(tmp_path: Path) -> None:
    training = Training(tmp_path, most_steps=3)
    assert steps_of(training, nn.Linear(3, 2), random.Random(0)) == [0, 1, 2]
    assert training.seconds["weight"] > 0


def test_every_stage_hands_on_to_the_next_and_the_engine_renders_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.nano.transformer.CLIPS_PER_SCENE", 1)
    folder, training = tmp_path / "nano", Training(tmp_path / "work", most_steps=1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        train(training, folder, scenes=8)
        check_weights(folder)
        checkpoint = read_checkpoint(folder)
        assert checkpoint.name == "cogvideox-nano"
        (clip,) = render(Model.load(folder, checkpoint, "cpu"), ["a red circle"], Speed.FAST)
    finally:
        torch.set_num_threads(threads)
    assert clip.shape == (FRAMES, HEIGHT, WIDTH, 3)
    assert list(training.seconds) == [
        "vae-frames", "vae-clips", "vae-decoder",
        "transformer-even", "transformer-middle", "transformer-long",
    ]  # fmt: skip
    # Finished: the same command does nothing, and another one may not touch it.
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    train(training, folder, scenes=8)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    with pytest.raises(Refused, match="belongs to the training"):
        train(training, folder, scenes=9)
    with pytest.raises(Refused, match="would be overwritten"):
        train(Training(tmp_path / "other"), folder, scenes=8)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scenes", "7"], f"--scenes must be at least 8, at most {len(TRAINING)}; got 7"),
        (["--steps", "0"], "--steps must be at least 1; got 0"),
        (["--score", "121"], "--score must be at least 1, at most 120; got 121"),
    ],
)
def test_options_out_of_bounds_are_refused(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path / "new"), *arguments])
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("exact", "fast", "good"),
    [(LEAST, LEAST - MAY_LOSE, True), (LEAST - 0.01, 1.0, False), (0.95, 0.95 - MAY_LOSE - 0.01, False)],
)
def test_weights_pass_by_their_mean_and_what_a_speed_loses(exact: float, fast: float, good: bool) -> None:
    assert passes({Speed.EXACT: {"mean": exact}, Speed.FAST: {"mean": fast}}) is good

"""A training that can be killed at any time and goes on where it was, to the same weights."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

EVERY_SECONDS = 60.0


class Stateful(Protocol):
    def state_dict(self) -> Any: ...
    def load_state_dict(self, state: Any) -> Any: ...


@dataclass
class Training:
    """The state of a training in the folder `work`; the recipe may be cut down for a trial."""

    work: Path
    seed: int = 0
    most_steps: int | None = None
    """Of each loop; None: as many as the recipe has."""
    seconds: dict[str, float] = field(default_factory=dict)
    """What each loop would take from its first to its last step by the recipe, as measured."""

    def loop(
        self, name: str, steps: int, changes: Mapping[str, Stateful], rng: random.Random | None = None
    ) -> "Loop":
        """Return a loop of that many steps by the recipe, over which `changes` change, and random numbers of
        torch and of `rng`."""
        return Loop(self, name, steps, changes, rng)

    def make(self, name: str, make: Callable[[Path], object]) -> Path:
        """Return the file or folder `name`, which `make` writes if it isn't there yet."""
        path = self.work / name
        if not path.exists():
            print(f"{name}: begins", flush=True)
            partial = self.work / f"{name}.partial"
            make(partial)
            partial.rename(path)
        return path


class Loop:
    """Steps of a training: iterate over it once."""

    def __init__(
        self,
        training: Training,
        name: str,
        steps: int,
        changes: Mapping[str, Stateful],
        rng: random.Random | None,
    ) -> None:
        self.by_recipe = steps
        self.steps = min(steps, training.most_steps or steps)
        self.error = 0.0
        """The last step's, to be shown."""
        self._training, self._name, self._changes, self._rng = training, name, changes, rng
        self._file = training.work / f"{name}.steps"

    def __iter__(self) -> Iterator[int]:
        """Yield the numbers of the steps that are still to be made."""
        first = begun = self._load()
        started = saved = time.monotonic()
        for step in range(first, self.steps):
            yield step
            now = time.monotonic()
            last = step + 1 == self.steps
            if last or now - saved >= EVERY_SECONDS:
                self._save(step + 1)
                each = (now - started) / (step + 1 - begun)
                self._training.seconds[self._name] = each * self.by_recipe
                print(
                    f"{self._name}: step {step + 1} of {self.steps}, {each:.2f} s a step, "
                    f"{each * (self.steps - step - 1) / 60:.0f} min left, error {self.error:.4f}",
                    flush=True,
                )
                saved = time.monotonic()
            if step == first and not last:
                started, begun = time.monotonic(), step + 1  # the first step also chooses kernels

    def _load(self) -> int:
        if not self._file.exists():
            return 0
        state = torch.load(self._file, weights_only=True)
        for name, changed in self._changes.items():
            changed.load_state_dict(state["changes"][name])
        torch.set_rng_state(state["torch"])
        if self._rng is not None:
            self._rng.setstate(state["rng"])
        return int(state["step"])

    def _save(self, step: int) -> None:
        state = {
            "step": step,
            "changes": {name: changed.state_dict() for name, changed in self._changes.items()},
            "torch": torch.get_rng_state(),
            "rng": self._rng.getstate() if self._rng is not None else None,
        }
        partial = self._file.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self._file)

"""What fails, one after another, by a seeded plan."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from tests.chaos.backends import MOODS
from tests.chaos.faulty_cloud import Faults
from tests.chaos.site import Site

KINDS = ("kills", "stops", "aws", "events", "receiver", "backends", "engines", "copies")
PAUSE = (4.0, 15.0)  # seconds between two faults
_COPY_SECONDS = 180  # within which a copy's films must have ended


class Injector:
    """`step` begins and ends faults as their time comes."""

    def __init__(self, site: Site, drawing: random.Random, kinds: list[str]) -> None:
        self._site = site
        self._random = drawing
        self._count: Counter[str] = Counter()
        self._next = time.monotonic() + 5
        self._undo: tuple[float, Callable[[], None]] | None = None
        self.problems: list[str] = []
        plans: dict[str, list[Callable[[], None]]] = {
            "kills": [self._kill_cloud, self._kill_function, self._kill_function, self._kill_function],
            "stops": [self._stop_cloud, self._stop_function],
            "aws": [self._some_calls_fail, self._burst],
            "events": [self._unreliable_events],
            "receiver": [self._bad_receiver],
            "backends": [self._bad_backend, self._bad_backend, self._lost_jobs],
            "engines": [self._kill_engine],
            "copies": [self._copy],
        }
        self._plans = [plans[kind] for kind in KINDS if kind in kinds]

    def step(self) -> None:
        now = time.monotonic()
        if self._undo and now >= self._undo[0]:
            self._undo[1]()
            self._undo = None
            self._next = now + self._random.uniform(*PAUSE)
        if self._undo is None and now >= self._next:
            self._random.choice(self._random.choice(self._plans))()
            if self._undo is None:
                self._next = time.monotonic() + self._random.uniform(*PAUSE)

    def end(self) -> None:
        """Undo what still fails."""
        if self._undo:
            self._undo[1]()
            self._undo = None
        self._site.set_faults(Faults())
        self._site.receiver.mood = "good"
        for backend in self._site.backends.named.values():
            backend.become("good")
        self._site.up()
        self._site.log("faults ended")

    def report(self) -> dict[str, int]:
        return dict(sorted(self._count.items()))

    # --- each

    def _begun(self, name: str, seconds: float = 0, undo: Callable[[], None] | None = None) -> None:
        self._count[name] += 1
        self._site.log("fault", name=name, seconds=round(seconds, 1))
        if undo:
            self._undo = time.monotonic() + seconds, undo

    def _kill_cloud(self) -> None:
        if pid := self._site.pid():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self._begun("cloud killed")
            time.sleep(self._random.uniform(0, 3))
            self._site.up()

    def _kill_function(self) -> None:
        if found := self._working():
            name, pid = found
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self._begun(f"function killed: {name.rpartition('-')[2]}")

    def _stop_cloud(self) -> None:
        if pid := self._site.pid():
            self._stopped(pid, "cloud stopped", self._random.uniform(2, 20))

    def _stop_function(self) -> None:
        if found := self._working():
            name, pid = found
            self._stopped(pid, f"function stopped: {name.rpartition('-')[2]}", self._random.uniform(2, 40))

    def _stopped(self, pid: int, name: str, seconds: float) -> None:
        def go_on() -> None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            self._begun(name, seconds, go_on)

    def _working(self) -> tuple[str, int] | None:
        """Return a process that runs a function now, chosen by the plan."""
        until = time.monotonic() + 3
        while time.monotonic() < until:
            report = self._site.functions()
            running = [
                (name, pid) for name in report.get("running", ()) for pid in report["pids"].get(name, ())
            ]
            if running:
                return self._random.choice(sorted(running))
            time.sleep(0.02)
        return None

    def _some_calls_fail(self) -> None:
        self._failing(Faults(throttled=0.1, lost=0.05), "AWS calls fail (15%)", self._random.uniform(10, 40))

    def _burst(self) -> None:
        self._failing(Faults(throttled=1.0), "AWS calls fail (all)", self._random.uniform(3, 15))

    def _unreliable_events(self) -> None:
        faults = Faults(doubled=0.2, late=0.2, dropped=0.2)
        self._failing(faults, "events doubled, late, dropped", self._random.uniform(20, 60))

    def _failing(self, faults: Faults, name: str, seconds: float) -> None:
        self._site.set_faults(faults)
        self._begun(name, seconds, lambda: self._site.set_faults(Faults()))

    def _bad_receiver(self) -> None:
        mood = self._random.choice(["broken", "hangs", "slow", "flaky"])
        self._site.receiver.mood = mood

        def good() -> None:
            self._site.receiver.mood = "good"

        self._begun(f"receiver {mood}", self._random.uniform(10, 40), good)

    def _bad_backend(self) -> None:
        name, mood = self._random.choice(sorted(self._site.backends.named)), self._random.choice(MOODS)
        backend = self._site.backends.named[name]
        backend.become(mood)
        self._begun(f"{name} {mood}", self._random.uniform(10, 40), lambda: backend.become("good"))

    def _lost_jobs(self) -> None:
        """The engine's server forgets jobs that it is rendering, or starts some without an answer."""
        videos = self._site.backends.videos
        lost = self._random.choice(["restarts", "lose_answers"])
        setattr(videos, lost, self._random.randint(1, 3))
        self._begun(f"videos: {lost}", self._random.uniform(10, 30), lambda: setattr(videos, lost, 0))

    def _kill_engine(self) -> None:
        if pids := self._site.engines():
            with suppress(ProcessLookupError):
                os.kill(self._random.choice(pids), signal.SIGKILL)
            self._begun("engine server killed")

    def _copy(self) -> None:
        self._begun("state folder copied, and started")
        self.problems += self._site.copy_lives(patience=_COPY_SECONDS)

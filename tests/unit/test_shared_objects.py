"""What videos share: whatever the order in which they find, make and delete it, no video loses what it uses,
and nothing is left once all are deleted."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.adapters import shared_objects
from lambdas.adapters.objects import Objects
from lambdas.adapters.shared_objects import SharedObjects, Uses
from lambdas.adapters.videos import Videos
from lambdas.domain import keys
from lambdas.domain.errors import ServiceUnavailable, VideoNotFound

TENANT = "acme"
CLIPS = [keys.clip(TENANT, letter * 8) for letter in "ab"]


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Turns:
    """Lets one thread at a time make one call, in an order that the test chooses."""

    def __init__(self, choose: Callable[[int], int]) -> None:
        self._choose = choose
        self._changed = threading.Condition()
        self._waiting: dict[int, threading.Semaphore] = {}  # by actor: released when it may go on

    def run(self, *actors: Callable[[], None]) -> None:
        failures: list[BaseException] = []

        def act(number: int, actor: Callable[[], None]) -> None:
            self._actor.number, self._actor.turn = number, threading.Semaphore(0)
            try:
                self.take()
                actor()
            except BaseException as error:  # noqa: BLE001  told below
                failures.append(error)
            with self._changed:
                running.discard(number)
                self._changed.notify()

        running = set(range(len(actors)))
        threads = [threading.Thread(target=act, args=one, daemon=True) for one in enumerate(actors)]
        for thread in threads:
            thread.start()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: running <= self._waiting.keys())
                if not running:
                    break
                ready = sorted(self._waiting)
                turn = self._waiting.pop(ready[self._choose(len(ready))])
            turn.release()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    _actor = threading.local()

    def take(self) -> None:
        number = getattr(self._actor, "number", None)
        if number is None:  # the test itself
            return
        with self._changed:
            self._waiting[number] = self._actor.turn
            self._changed.notify()
        self._actor.turn.acquire()


@dataclass
class Store:
    """Objects in memory. Each call is a turn."""

    clock: Clock
    turns: Turns
    held: dict[str, datetime] = field(default_factory=dict)

    def put(self, key: str, body: bytes, content_type: str, *, by: str = "", measures: str = "") -> None:
        self.turns.take()
        self.held[key] = self.clock.now

    def exists(self, key: str) -> bool:
        self.turns.take()
        return key in self.held

    def list_written(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        self.turns.take()
        yield from [(key, at) for key, at in self.held.items() if key.startswith(prefix)]

    def list(self, prefix: str) -> Iterator[tuple[str, str]]:
        for key, _ in self.list_written(prefix):
            yield key, "etag"

    def delete_many(self, some: Iterable[str]) -> None:
        for key in some:
            self.turns.take()
            self.held.pop(key, None)


@dataclass
class Record:
    deleting: bool = False


@dataclass
class Records:
    turns: Turns
    held: dict[str, Record] = field(default_factory=dict)

    def outline(self, tenant: str, video_id: str) -> Record:
        self.turns.take()
        if video_id not in self.held:
            raise VideoNotFound(video_id, param="id")
        return Record(self.held[video_id].deleting)


class World:
    def __init__(self, choose: Callable[[int], int], *videos: str) -> None:
        self.clock = Clock()
        self.turns = Turns(choose)
        self.store = Store(self.clock, self.turns)
        self.records = Records(self.turns, {id_: Record() for id_ in videos})
        self.told: dict[str, set[str]] = {id_: set() for id_ in videos}  # what each was told exists

    @property
    def objects(self) -> Objects:
        return cast(Objects, self.store)

    def of(self, video: str) -> SharedObjects:
        records = cast(Videos, self.records)
        return SharedObjects(self.objects, keys.ARTIFACTS_PREFIX, TENANT, video, records)

    def use(self, video: str, *wanted: str) -> None:
        """What a task does."""
        shared = self.of(video)
        try:
            for key in wanted:
                if not shared.find(key):
                    shared.put(key, b"clip", "video/mp4")
                if not self.records.held[video].deleting:
                    self.told[video].add(key)
                    self.check()
        except (VideoNotFound, KeyError):
            return

    def delete(self, video: str) -> None:
        """What a deletion does."""
        self.turns.take()
        self.records.held[video].deleting = True
        self.told[video].clear()
        Uses(self.objects, keys.ARTIFACTS_PREFIX).let_go(TENANT, video)
        self.turns.take()
        del self.records.held[video]
        self.check()

    def check(self) -> None:
        missing = {key for known in self.told.values() for key in known} - self.store.held.keys()
        assert not missing, f"{missing} was deleted while a video uses it"


class Serial:
    """In place of a pool of threads, whose order nobody can choose."""

    def __init__(self, workers: int) -> None:
        pass

    def __enter__(self) -> "Serial":
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def map(self, call: Callable[[Any], Any], some: Iterable[Any]) -> Iterable[Any]:
        return [call(one) for one in some]


@pytest.fixture(autouse=True)
def _serial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_objects, "ThreadPoolExecutor", Serial)
    monkeypatch.setattr(shared_objects, "_LOOKS", 10_000)


def in_world(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(shared_objects, "_now", lambda: world.clock.now)
    monkeypatch.setattr("time.sleep", lambda _: world.turns.take())
    return world


def first(_: int) -> int:
    return 0


@settings(max_examples=300, deadline=None)
@given(order=st.integers(), made=st.booleans(), twice=st.booleans(), more=st.booleans())
def test_nobody_loses_what_it_uses_and_nothing_is_left(
    order: int, made: bool, twice: bool, more: bool
) -> None:
    """`made`: what is deleted while others begin has made it before. `twice`: two are deleted."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        world = in_world(World(Random(order).randrange, "a", "b", "c"), monkeypatch)
        if made:
            world.use("a", *CLIPS)
            if twice:
                world.use("b", *CLIPS)
        actors = [
            lambda: world.use("a", CLIPS[0]),
            lambda: world.delete("a"),
            lambda: world.use("b", *CLIPS),
        ]
        if more:
            actors.append(lambda: world.use("c", *reversed(CLIPS)))
        if twice:
            actors.append(lambda: world.delete("b"))
        world.turns.run(*actors)
        world.check()
        for video in list(world.records.held):
            world.delete(video)
        assert not world.store.held


def test_what_was_made_before_there_were_notes_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    world = in_world(World(first, "a"), monkeypatch)
    world.store.held[CLIPS[0]] = world.clock.now
    world.use("a", *CLIPS)
    world.delete("a")
    assert world.store.held.keys() == {CLIPS[0]}


def test_all_files_of_a_name_are_deleted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    world = in_world(World(first, "a"), monkeypatch)
    hashed = "f" * 8
    world.use("a", keys.film(TENANT, hashed))
    for key in (keys.poster(TENANT, hashed), keys.captions(TENANT, hashed, "vtt")):
        world.store.held[key] = world.clock.now
    other = keys.conformed_clip(TENANT, hashed, "0" * 16)
    world.store.held[other] = world.clock.now
    world.delete("a")
    assert world.store.held.keys() == {other}


def test_a_deletion_that_was_cut_off_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it was cut off."""
    for calls in range(1, 40):
        world = in_world(World(first, "a", "b"), monkeypatch)
        world.use("a", *CLIPS)
        world.use("b", CLIPS[1])
        left = iter(range(calls))

        def dies(left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise SystemExit

        with monkeypatch.context() as killed, suppress(SystemExit):
            killed.setattr(world.turns, "take", dies)
            world.delete("a")
        world.check()
        if "a" in world.records.held:
            world.delete("a")
        world.delete("b")
        # What says that it is deleting stays: whether it was killed, nobody knows.
        assert all("/uses/" in key and key.rpartition("/")[2].startswith("a.") for key in world.store.held)


def test_a_killed_deletion_blocks_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    world = in_world(World(first, "a", "b"), monkeypatch)
    monkeypatch.setattr(shared_objects, "_LOOKS", 3)
    world.use("a", CLIPS[0])
    folder = keys.uses(keys.ARTIFACTS_PREFIX, TENANT, keys.shared_name(CLIPS[0]))
    world.store.held[f"{folder}a.0"] = world.clock.now
    with pytest.raises(ServiceUnavailable, match="is being deleted"):
        world.of("b").find(CLIPS[0])
    world.clock.pass_time(61)
    assert world.of("b").find(CLIPS[0])


def test_a_deletion_that_takes_too_long_deletes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = in_world(World(first, "a"), monkeypatch)
    world.use("a", CLIPS[0])
    times = iter([0.0, 31.0])
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    with pytest.raises(ServiceUnavailable, match="too long"):
        world.delete("a")
    assert CLIPS[0] in world.store.held

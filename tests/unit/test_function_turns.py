import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from reelworks.cloud.server.functions.calls import Call
from reelworks.cloud.server.functions.turns import Turns

SECONDS = 20  # only a failing test waits for so long


def step(owner: str = "a", film: str = "", processors: float = 1.0, function: str = "DrawClip") -> Call:
    return Call(function, awaited=False, processors=processors, owner=owner, film=film)


def request(owner: str = "a", function: str = "Api", is_read: bool = False) -> Call:
    return Call(function, awaited=True, owner=owner, is_read=is_read)


class Machine:
    """Callers in threads. `started` lists their calls in the order of their turns."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.started: list[Call] = []
        self._ends: dict[int, threading.Event] = {}
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()

    def call(self, call: Call, *, runs: bool | None = None) -> None:
        """Make a call, and wait until it runs or waits; `runs` says which is expected."""
        before = self._number()
        thread = threading.Thread(target=self._run, args=(call,))
        self._threads.append(thread)
        thread.start()
        if runs is True:
            self._until(lambda: call in self.started)
        else:
            self._until(lambda: self._number() == before + 1)
        if runs is False:
            assert self.turns.load().waiting[call.function]

    def end(self, call: Call, *, then: Call | None = None) -> None:
        """End a running call; `then` is the call that gets its turn."""
        number = len(self.started)
        self._ends[id(call)].set()
        if then is not None:
            self._until(lambda: len(self.started) > number)
            assert self.started[number] is then
        else:
            self._until(lambda: id(call) not in self._ends)

    def finish(self) -> None:
        """End every call as soon as it runs."""
        while any(thread.is_alive() for thread in self._threads):
            for end in list(self._ends.values()):
                end.set()
            self._threads[-1].join(0.01)
            self._threads = [thread for thread in self._threads if thread.is_alive()] or self._threads[-1:]

    def _run(self, call: Call) -> None:
        with self.turns.turn(call):
            end = self._ends[id(call)] = threading.Event()
            with self._changed:
                self.started.append(call)
                self._changed.notify_all()
            assert end.wait(SECONDS)
        with self._changed:
            del self._ends[id(call)]
            self._changed.notify_all()

    def _number(self) -> int:
        load = self.turns.load()
        return load.waiting.total() + load.running.total()

    def _until(self, happened: Callable[[], bool]) -> None:
        with self._changed:
            for _ in range(SECONDS * 100):
                if happened():
                    return
                self._changed.wait(0.01)
        raise AssertionError("it did not happen")


@pytest.fixture
def machine() -> Iterator[Machine]:
    machine = Machine(Turns(2, 2, lambda _call: True))
    yield machine
    machine.finish()


def test_steps_share_the_processors_and_the_next_waits(machine: Machine) -> None:
    first, second, third = (step(film=str(number)) for number in range(3))
    machine.call(first, runs=True)
    machine.call(second, runs=True)
    machine.call(third, runs=False)
    machine.end(first, then=third)


def test_small_steps_run_together(machine: Machine) -> None:
    for _ in range(6):
        machine.call(step(processors=0.3), runs=True)
    machine.call(step(processors=0.3), runs=False)


def test_a_step_larger_than_the_machine_runs_alone() -> None:
    machine = Machine(Turns(0.5, 2, lambda _call: True))
    large, small = step(), step(processors=0.1)
    machine.call(large, runs=True)
    machine.call(small, runs=False)
    machine.end(large, then=small)
    machine.finish()


def test_small_steps_do_not_keep_a_large_one_waiting_forever(machine: Machine) -> None:
    small, large, late = step(processors=0.9), step(processors=2.0), step(processors=0.1)
    machine.call(small, runs=True)
    machine.call(large, runs=False)
    machine.call(late, runs=False)  # it would fit
    machine.end(small, then=large)
    machine.end(large, then=late)


@pytest.mark.parametrize("function", ["Api", "Authorizer", "Dispatch"])
def test_there_is_always_room_for_those_that_somebody_waits_for(machine: Machine, function: str) -> None:
    for _ in range(50):
        machine.call(step())
    first, second, third = (request(str(number), function) for number in range(3))
    machine.call(first, runs=True)
    machine.call(second, runs=True)
    machine.call(third, runs=False)
    machine.end(second, then=third)
    assert machine.turns.load().running["DrawClip"] == 2


def test_requests_do_not_take_the_steps_processors(machine: Machine) -> None:
    for _ in range(5):
        machine.call(request())
    machine.call(step(), runs=True)


def test_another_tenant_is_not_behind_many_of_the_first(machine: Machine) -> None:
    running = step("a")
    machine.call(running, runs=True)
    machine.call(step("a"), runs=True)
    for _ in range(100):
        machine.call(step("a"), runs=False)
    other = step("b")
    machine.call(other, runs=False)
    machine.end(running, then=other)


def test_tenants_take_turns() -> None:
    machine = Machine(Turns(1, 1, lambda _call: True))
    first = step("a")
    machine.call(first, runs=True)
    waiting = [step(owner) for owner in "aaabbcc"]
    for call in waiting:
        machine.call(call, runs=False)
    running = first
    order = []
    for _ in waiting:
        number = len(machine.started)
        machine._ends[id(running)].set()
        machine._until(lambda number=number: len(machine.started) > number)  # type: ignore[misc]
        running = machine.started[number]
        order.append(running.owner)
    assert "".join(order) == "abcabca"
    machine.finish()


def test_a_newcomer_does_not_overtake_those_who_wait_longer() -> None:
    """A flood of wrong keys, each an owner of its own, does not keep a known one waiting."""
    machine = Machine(Turns(1, 1, lambda _call: True))
    known = request("known", "Authorizer")
    machine.call(known, runs=True)
    machine.end(known)
    running = request("wrong", "Authorizer")
    machine.call(running, runs=True)
    for number in range(20):
        machine.call(request(f"wrong {number}", "Authorizer"), runs=False)
    again = request("known", "Authorizer")
    machine.call(again, runs=False)
    machine.end(running, then=again)
    machine.finish()


def test_a_tenant_s_films_end_one_after_another() -> None:
    machine = Machine(Turns(1, 1, lambda _call: True))
    running = step(film="first")
    machine.call(running, runs=True)
    newer = step(film="second")
    machine.call(newer, runs=False)
    older = step(film="first", function="Assemble")
    machine.call(older, runs=False)
    machine.end(running, then=older)
    machine.end(older, then=newer)
    machine.finish()


def test_reads_come_before_the_tenant_s_own_creates() -> None:
    machine = Machine(Turns(1, 1, lambda _call: True))
    running = request()
    machine.call(running, runs=True)
    machine.call(create := request(), runs=False)
    machine.call(read := request(is_read=True), runs=False)
    machine.end(running, then=read)
    machine.end(read, then=create)
    machine.finish()


def test_without_memory_one_step_runs_and_the_others_wait_for_it() -> None:
    free = [False]
    machine = Machine(Turns(4, 2, lambda _call: free[0]))
    first, second, third = step(), step(), step()
    machine.call(first, runs=True)
    machine.call(second, runs=False)
    machine.call(third, runs=False)
    machine.call(request(), runs=True)
    machine.end(first, then=second)
    free[0] = True
    machine.turns.look_again()
    machine._until(lambda: third in machine.started)
    machine.finish()


def test_a_turn_ends_with_an_error() -> None:
    turns = Turns(1, 1, lambda _call: True)
    for _ in range(3):
        with pytest.raises(KeyError), turns.turn(step()):
            raise KeyError
    with ExitStack() as held:
        held.enter_context(turns.turn(step()))
    assert not turns.load().running


def test_the_load_is_counted_by_function(machine: Machine) -> None:
    for call in (step(), step(), step(), step(function="Narrate"), request()):
        machine.call(call)
    load = machine.turns.load()
    assert load.running == {"DrawClip": 2, "Api": 1}
    assert load.waiting == {"DrawClip": 1, "Narrate": 1}

"""Decide how many functions run at once and which is next.

Calls that somebody waits for (the API, its authorizer, the queue of new requests) have places of their own, a
few for each function. All others, the steps of films and what follows from events, share the processors; a
step waits until its share is free, and the time of its function starts only then.

Turns are fair between owners: the next turn goes to the owner with the fewest running calls, then to the one
whose last turn was longest ago. An owner's own calls run film by film, so that films end one after another
and not all at the end.
"""

import itertools
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from reelworks.cloud.server.functions.calls import Call

_REMEMBERED = 10_000  # owners and films; who is forgotten counts as new
_ROUNDING = 1e-9

_Key = TypeVar("_Key")


@dataclass(frozen=True)
class Load:
    """How many calls run and wait, by function."""

    running: Counter[str]
    waiting: Counter[str]


@dataclass(eq=False)
class _Waiter:
    call: Call
    arrival: int
    film: int  # the place of its film among the films
    admitted: threading.Event = field(default_factory=threading.Event)


class Turns:
    """`processors` is what the steps share; `places` is how many calls that somebody waits for run at once,
    for each function. `has_memory` tells whether a step may start now; while none runs, one always may."""

    def __init__(self, processors: float, places: int, has_memory: Callable[[Call], bool]) -> None:
        self._processors = processors
        self._places = places
        self._has_memory = has_memory
        self._lock = threading.Lock()
        self._waiting: list[_Waiter] = []
        self._running: list[_Waiter] = []
        self._numbers = itertools.count(1)
        self._served: OrderedDict[str, int] = OrderedDict()  # by owner: the number of its last turn
        self._films: OrderedDict[tuple[str, str], int] = OrderedDict()

    @contextmanager
    def turn(self, call: Call) -> Iterator[None]:
        """Wait for the call's turn and hold it."""
        with self._lock:
            number = next(self._numbers)
            waiter = _Waiter(call, number, self._place_of_film(call, number))
            self._waiting.append(waiter)
            self._admit()
        waiter.admitted.wait()
        try:
            yield
        finally:
            with self._lock:
                self._running.remove(waiter)
                self._admit()

    def look_again(self) -> None:
        """Admit who can run now, after something other than the end of a call has changed, for example the
        free memory."""
        with self._lock:
            self._admit()

    def load(self) -> Load:
        with self._lock:
            running, waiting = (
                Counter(waiter.call.function for waiter in waiters)
                for waiters in (self._running, self._waiting)
            )
        return Load(running, waiting)

    def _admit(self) -> None:
        while (waiter := self._next_awaited() or self._next_step()) is not None:
            self._waiting.remove(waiter)
            self._running.append(waiter)
            _remember(self._served, waiter.call.owner, next(self._numbers))
            waiter.admitted.set()

    def _next_awaited(self) -> _Waiter | None:
        busy = Counter(waiter.call.function for waiter in self._running if waiter.call.awaited)
        candidates = [
            waiter
            for waiter in self._waiting
            if waiter.call.awaited and busy[waiter.call.function] < self._places
        ]
        return self._fairest(candidates)

    def _next_step(self) -> _Waiter | None:
        # If the next one does not fit, none is preferred to it: small ones would keep it waiting forever.
        waiter = self._fairest([waiter for waiter in self._waiting if not waiter.call.awaited])
        if waiter is None:
            return None
        used = [other.call.processors for other in self._running if not other.call.awaited]
        fits = sum(used) + waiter.call.processors <= self._processors + _ROUNDING
        return waiter if not used or (fits and self._has_memory(waiter.call)) else None

    def _fairest(self, waiters: list[_Waiter]) -> _Waiter | None:
        running = Counter((waiter.call.awaited, waiter.call.owner) for waiter in self._running)

        def order(waiter: _Waiter) -> tuple[int, int, bool, int, int]:
            call = waiter.call
            return (
                running[call.awaited, call.owner],
                self._served.get(call.owner, waiter.arrival),  # a newcomer does not overtake everybody
                not call.is_read,
                waiter.film,
                waiter.arrival,
            )

        return min(waiters, key=order, default=None)

    def _place_of_film(self, call: Call, number: int) -> int:
        if not call.film:
            return number
        place = self._films.get((call.owner, call.film), number)
        _remember(self._films, (call.owner, call.film), place)
        return place


def _remember(known: OrderedDict[_Key, int], key: _Key, value: int) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > _REMEMBERED:
        known.popitem(last=False)

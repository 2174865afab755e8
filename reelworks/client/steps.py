"""What a call does, step by step, apart from how: the rules of the API are written once, and a client carries
their steps out, blocking (blocking.py) or not (asynchronous.py).

A call is a generator. It yields a step, is sent the step's result or is thrown `Lost`, and returns the call's
result.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

import httpx

T = TypeVar("T")


class Lost(Exception):
    """The connection failed. `sent`: the server may have had the request."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.reason, self.sent = reason, sent


@dataclass(frozen=True)
class Answer:
    """`content` is empty for what was opened."""

    status: int
    headers: httpx.Headers
    content: bytes = b""


@dataclass(frozen=True)
class Form:
    """A form that sends a file. `on_progress` is called with the bytes that have been sent, and with all."""

    fields: Mapping[str, str]
    path: Path
    on_progress: Callable[[int, int], Any] | None


@dataclass(frozen=True)
class Send:
    """Send a request. Its result is an Answer."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | Form = b""


@dataclass(frozen=True)
class Open:
    """GET a URL, and leave the body to Read. Its result is an Answer."""

    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Read:
    """Read some of what was opened last. Its result is bytes, none at the end."""


@dataclass(frozen=True)
class Sleep:
    seconds: float


@dataclass(frozen=True)
class Tell:
    """Call the user's function, which a client that doesn't block may have to wait for."""

    function: Callable[[Any], Any]
    argument: Any


@dataclass(frozen=True)
class Update:
    """Give the user a value, while the call goes on."""

    value: Any


@dataclass(frozen=True)
class Done(Generic[T]):
    result: T


Step: TypeAlias = Send | Open | Read | Sleep | Tell | Update
Flow: TypeAlias = Generator[Step, Any, T]


def advance(flow: Flow[T], result: Any = None, lost: Lost | None = None) -> Step | Done[T]:
    """Return a call's next step, after the result of the last one."""
    try:
        return flow.send(result) if lost is None else flow.throw(lost)
    except StopIteration as stop:
        return Done(stop.value)

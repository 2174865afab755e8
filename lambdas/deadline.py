"""Stop before Lambda does: a function that Lambda stops at its time limit answers nothing."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from aws_lambda_powertools.utilities.typing import LambdaContext

_AGAIN_SECONDS = 1.0  # a library's callback may drop the exception


class OutOfTime(BaseException):
    """The function's time is nearly over. No `Exception`, because code in between must not handle it."""


@contextmanager
def deadline(context: LambdaContext, reserve_ms: int) -> Iterator[None]:
    """Raise OutOfTime in the block `reserve_ms` before the function's time limit."""
    with time_limit((context.get_remaining_time_in_millis() - reserve_ms) / 1000):
        yield


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTime in the block after `seconds`. Limits don't nest.

    It interrupts Python code and waiting, and otherwise comes when a library's call returns: decoders take a
    file in pieces. Signals reach only the main thread, where Lambda calls handlers; the block has no deadline
    in another.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    ended = False

    def stop(number: int, frame: FrameType | None) -> None:
        if not ended:
            raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(0.001, seconds), _AGAIN_SECONDS)
    try:
        yield
    finally:
        ended = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

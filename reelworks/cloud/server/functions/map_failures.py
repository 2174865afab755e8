"""Fail a Map at the first of its iterations that fails, as AWS does: a film whose engine is broken then fails
after one clip, and says why. ministack runs all iterations to their ends first.

What is replaced in ministack 1.5.33, services/stepfunctions.py, each by its name, so that an update that
renames one fails at start:

    _run_map_items          the iterations of a Map, each in a thread
    _run_sub_machine        one iteration, or a branch of a Parallel
    _invoke_with_callback   a task that waits for its token
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ministack.services import stepfunctions

# The error of a task that was waiting; no Retry of the state machine names it.
ABORTED = "Aborted"
_ABORT_AGAIN_SECONDS = 0.2


class _Run:
    """One run of a Map: the tokens that its iterations wait for, also those of Maps within, and its first
    failure."""

    def __init__(self, outer: "_Run | None") -> None:
        self._outer = outer
        self._failure: Exception | None = None
        self._waiting: set[str] = set()
        self._lock = threading.Lock()

    @property
    def failure(self) -> Exception | None:
        """What this run, or one around it, has failed with."""
        return self._failure or (self._outer.failure if self._outer else None)

    def fail(self, failure: Exception) -> Exception:
        """Keep the first failure, and return it once no iteration waits for a token any more."""
        with self._lock:
            self._failure = self._failure or failure
        while tokens := self._tokens():
            for token in tokens:  # again: a token may not be known yet, and a function may take a moment
                stepfunctions._send_task_failure(
                    {"taskToken": token, "error": ABORTED, "cause": "Another iteration failed."}
                )
            time.sleep(_ABORT_AGAIN_SECONDS)
        return self._failure

    @contextmanager
    def waiting(self, token: str) -> Iterator[None]:
        with self._lock:
            self._waiting.add(token)
        try:
            if self._outer is None:
                yield
            else:
                with self._outer.waiting(token):
                    yield
        finally:
            with self._lock:
                self._waiting.discard(token)

    def _tokens(self) -> list[str]:
        with self._lock:
            return list(self._waiting)


_begins: ContextVar[_Run | None] = ContextVar("begins", default=None)  # the run whose iteration begins next
_within: ContextVar[_Run | None] = ContextVar("within", default=None)  # the run of the current iteration


def install() -> None:
    run_items, run_states = stepfunctions._run_map_items, stepfunctions._run_sub_machine
    wait_for_token = stepfunctions._invoke_with_callback

    def in_run(*arguments: Any) -> Any:
        before = _begins.set(_Run(_within.get()))
        try:
            return run_items(*arguments)
        finally:
            _begins.reset(before)

    def iteration(*arguments: Any) -> Any:
        run = _begins.get()  # each iteration has a context of its own
        if run is None:
            return run_states(*arguments)
        _begins.set(None)
        _within.set(run)
        if run.failure is not None:
            raise run.failure
        try:
            return run_states(*arguments)
        except Exception as error:
            raise run.fail(error) from error

    def with_token(resource: str, arguments: Any, token: str, state: dict[str, Any]) -> Any:
        run = _within.get()
        if run is None:
            return wait_for_token(resource, arguments, token, state)
        with run.waiting(token):
            if run.failure is not None:
                raise stepfunctions._ExecutionError(ABORTED, "Another iteration failed.")
            return wait_for_token(resource, arguments, token, state)

    stepfunctions._run_map_items = in_run
    stepfunctions._run_sub_machine = iteration
    stepfunctions._invoke_with_callback = with_token

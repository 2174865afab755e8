"""Run ministack's functions by turns, in a bounded number of processes, and report those that die.

What is replaced in ministack 1.5.33, each by its name, so that an update that renames one fails at start:

    services/lambda_svc.py      _execute_function       each invocation passes here; it waits for its turn
                                _execute_function_warm  runs it in a process
    core/lambda_runtime.py      Worker                  the process; the pool (_workers, acquire_worker,
                                                        release_worker) stays ministack's
    services/stepfunctions.py   _call_lambda            tells steps from other calls
                                _invoke_with_callback   drops the error of a function that a state waits for
                                _invoke_resource_with_timeout   counts a function's wait for its turn

As on AWS, where Step Functions invokes a function with a task token by request and response and the task
fails if the function does (https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html), a state
learns at once that its function died; see docs/decisions/0027.
"""

import math
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any

import psutil
from ministack.core import lambda_runtime
from ministack.services import lambda_svc, stepfunctions

from reelworks.cloud.server.functions import map_failures
from reelworks.cloud.server.functions.calls import MEMORY_OF_ONE_PROCESSOR, Call, call_of
from reelworks.cloud.server.functions.forked import ForkServer
from reelworks.cloud.server.functions.process import FunctionProcess, Outcome
from reelworks.cloud.server.functions.turns import Turns

IDLE_SECONDS = 300.0  # how long a process waits for its next invocation; less while memory is short
LOOK_SECONDS = 2.0  # how often idle processes and free memory are looked at
# What the machine keeps free: no step starts while less is available.
RESERVE = 512 << 20
DISK_RESERVE = 8 << 20  # bytes, enough for the code of a few processes
_SMALLEST_FUNCTION = 512  # MB of memory setting, in cdk/functions.py
# Processes beyond those that run at once: the functions of a film's other steps, so that one step does not
# end the process that the next one needs.
_KEPT_IDLE = 8

_is_step: ContextVar[bool] = ContextVar("is_step", default=False)
_call: ContextVar[Call | None] = ContextVar("call", default=None)  # the one that has its turn
_token: ContextVar[str] = ContextVar("token", default="")


class FunctionRuntime:
    """The processes of the functions. Create one, and `install` it, before the first invocation."""

    def __init__(
        self,
        reserve: Path,
        *,
        processors: int | None = None,
        available: Callable[[], int] | None = None,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """`reserve` is a file on the disk where processes keep their code. `available` returns the bytes of
        memory that new processes may use."""
        self._reserve = DiskReserve(reserve)
        processors = processors or os.cpu_count() or 1
        self._available = available or _available_memory
        self._idle_seconds = idle_seconds
        places = max(2, min(processors, 4))
        self._turns = Turns(processors, places, self._has_memory)
        # Of steps, as many as fit at once; of the API, its authorizer, the studio and Dispatch, their places.
        at_once = math.ceil(processors * MEMORY_OF_ONE_PROCESSOR / _SMALLEST_FUNCTION) + 4 * places
        self._most = at_once + _KEPT_IDLE
        self._fork_server = ForkServer()
        self._stopped = threading.Event()
        self._invoked: Counter[str] = Counter()
        self._counting = threading.Lock()

    def install(self) -> None:
        execute, warm = lambda_svc._execute_function, lambda_svc._execute_function_warm
        call_lambda, wait_for_token = stepfunctions._call_lambda, stepfunctions._invoke_with_callback
        within = stepfunctions._invoke_resource_with_timeout
        assert callable(warm)  # noqa: S101 - it is replaced without being called

        def in_turn(func: dict[str, Any], event: Any) -> dict[str, Any]:
            if _call.get() is not None:  # ministack calls itself again, in the function's account and region
                return dict(execute(func, event))
            call = call_of(func.get("config") or func, event, is_step=_is_step.get())
            with self._counting:
                self._invoked[call.function] += 1
            with self._turns.turn(call), _set(_call, call):
                return dict(execute(func, event))

        def of_step(function: str, event: Any) -> Any:
            with _set(_is_step, True):
                try:
                    return call_lambda(function, event)
                except stepfunctions._ExecutionError as error:
                    if not self._stopped.is_set():  # else the next start resumes the film
                        _fail_task(_token.get(), error)
                    raise

        def with_token(resource: str, arguments: Any, token: str, state: dict[str, Any]) -> Any:
            with _set(_token, token):
                return wait_for_token(resource, arguments, token, state)

        def in_time(resource: str, arguments: Any, seconds: float) -> Any:
            if "lambda" in resource:  # its own timeout starts with its turn
                return stepfunctions._invoke_resource(resource, arguments)
            return within(resource, arguments, seconds)

        self._reserve.take()
        FunctionProcess.on_full_disk = self._reserve.give
        FunctionProcess.fork_server = self._fork_server
        lambda_runtime.Worker = FunctionProcess
        lambda_svc._execute_function = in_turn
        lambda_svc._execute_function_warm = self._run
        stepfunctions._call_lambda = of_step
        stepfunctions._invoke_with_callback = with_token
        stepfunctions._invoke_resource_with_timeout = in_time
        map_failures.install()
        threading.Thread(target=self._look_after, daemon=True, name="function-processes").start()

    def stop(self) -> None:
        """End all processes."""
        self._stopped.set()
        lambda_runtime.reset()
        self._fork_server.stop()

    def report(self) -> dict[str, Any]:
        """Return {"running": {function: calls}, "waiting": {function: calls}, "invoked": {function: calls
        since the cloud started}, "processes": count, "pids": {function: [process id]}, "memory_bytes": bytes
        that the processes hold, apart from what they share}."""
        load = self._turns.load()
        pids: dict[str, list[int]] = {}
        for process in _processes():
            if (pid := process.pid) is not None:
                pids.setdefault(process.func_name, []).append(pid)
        every = list(chain(*pids.values()))
        return {
            "running": dict(load.running),
            "waiting": dict(load.waiting),
            "invoked": dict(self._invoked),
            "processes": len(every),
            "pids": pids,
            "memory_bytes": sum(map(_own_memory, every)),
        }

    # --- one invocation

    def _run(self, func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        """Run an invocation in a process, in the form of ministack's _execute_function_warm."""
        if self._stopped.is_set():
            return _as_ministack(Outcome(error_type="Runtime.ExitError", error="The cloud stops."))
        config = func.get("config") or func
        name, qualifier = config["FunctionName"], config.get("Version", "$LATEST")
        process, _ = lambda_runtime.acquire_worker(name, config, func["code_zip"], qualifier=qualifier)
        try:
            if process.pid is None:
                process.is_awaited = (call := _call.get()) is not None and call.awaited
                self._end_idle(keep=self._most - 1)
            outcome = process.run(
                event,
                request_id,
                trace_id=lambda_svc._xray_trace_id_for_invocation(config),
                depth=lambda_svc._invoke_depth.get(),
                invoked_function_arn=config.get("FunctionArn", ""),
            )
        finally:
            _give_back(process)
        return _as_ministack(outcome)

    # --- processes

    def _has_memory(self, _call: Call) -> bool:
        return self._available() >= RESERVE

    def _look_after(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            short = self._available() < RESERVE
            self._end_idle(keep=0 if short else self._most, unused_for=self._idle_seconds)
            self._turns.look_again()
            self._reserve.take()

    def _end_idle(self, *, keep: int, unused_for: float = math.inf) -> None:
        """End idle processes: those unused for so long, and the longest unused of those above `keep`. The
        last process of a function that somebody waits for stays, so that its next answer is quick."""
        now = time.time()
        ended = []
        with lambda_runtime._lock:
            alive = {
                key: [process for process in entries if process.pid is not None]
                for key, entries in lambda_runtime._workers.items()
            }
            surplus = sum(map(len, alive.values())) - keep
            idle = [
                (one.last_used, key, one) for key, ones in alive.items() for one in ones if not one.in_use
            ]
            for last_used, key, process in sorted(idle, key=itemgetter(0)):
                if surplus <= 0 and now - last_used <= unused_for:
                    break
                if not process.is_awaited or len(alive[key]) > 1:
                    surplus -= 1
                    alive[key].remove(process)
                    lambda_runtime._workers[key].remove(process)
                    ended.append(process)
        lambda_runtime.kill_workers(ended)


class DiskReserve:
    """A file that takes disk space while there is enough, and gives it up for what must run on a full disk:
    the function that records the failure."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()

    def take(self) -> None:
        """Take the space, unless it is taken already or the disk is nearly full."""
        with self._lock, suppress(OSError):
            if not self._file.exists() and shutil.disk_usage(self._file.parent).free > 4 * DISK_RESERVE:
                self._file.write_bytes(bytes(DISK_RESERVE))

    def give(self) -> bool:
        """Give up the space. Return whether there was any."""
        with self._lock, suppress(OSError):
            self._file.unlink()
            return True
        return False


def _as_ministack(outcome: Outcome) -> dict[str, Any]:
    if not outcome.error_type:
        return {"body": outcome.result, "log": outcome.log}
    body = {"errorMessage": outcome.error, "errorType": outcome.error_type}
    return {"body": body, "error": True, "log": outcome.log or outcome.error}


def _fail_task(token: str, error: Any) -> None:
    """Answer a token that the function left unanswered when it failed."""
    waiting = stepfunctions._task_tokens.get(token) if token else None
    if waiting is not None and not waiting["event"].is_set():
        stepfunctions._send_task_failure({"taskToken": token, "error": error.error, "cause": error.cause})


def _processes() -> list[Any]:
    with lambda_runtime._lock:
        return [process for entries in lambda_runtime._workers.values() for process in entries]


def _give_back(process: Any) -> None:
    """Return a process to the pool; drop it if it has ended, so that a running one is taken first."""
    process.last_used = time.time()
    lambda_runtime.release_worker(process)
    if process.pid is None:
        with lambda_runtime._lock:
            for entries in lambda_runtime._workers.values():
                if process in entries:
                    entries.remove(process)
        lambda_runtime.kill_workers([process])  # removes its files


def _available_memory() -> int:
    """Return the bytes that new processes may use; 0 if the system can't say, because no file can be opened:
    then no more than one step starts, until it can."""
    try:
        return int(psutil.virtual_memory().available)
    except OSError:
        return 0


def _own_memory(pid: int) -> int:
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_full_info().uss)
    return 0


@contextmanager
def _set(variable: ContextVar[Any], value: Any) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)

"""One process of a function: starts with its first invocation and serves one after another.

It is ministack's worker (1.5.33: core/lambda_runtime.py, Worker), which unpacks the code and speaks JSON
lines with it, except for what happens around an invocation. ministack ends the process when the handler
raises, so that each wrong API key would cost a new one, and does not say why a process ended. As on AWS, here
the process survives an exception, and its end is reported as Lambda reports it.
"""

import errno
import json
import os
import queue
import select
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar

from ministack.core import lambda_runtime

from lambdas.domain.errors import DiskFull
from lambdas.domain.failures import OUT_OF_DISK

# Steps yield the processors to the API and the cloud itself.
STEP_NICENESS = 5

_GRACE_SECONDS = 2.0  # a process that closed its output is about to end
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_VMSTAT = Path("/proc/vmstat")


@dataclass(frozen=True)
class Outcome:
    """What an invocation returned, or the error as Lambda names it (`error_type` is empty if there is none).
    `log` is what the function wrote meanwhile."""

    result: Any = None
    error_type: str = ""
    error: str = ""
    log: str = ""


class FunctionProcess(lambda_runtime.Worker):  # type: ignore[misc]  # ministack has no types
    is_awaited = False  # Call.awaited; the next process has full priority if somebody waits for it
    on_full_disk: ClassVar[Callable[[], bool]] = lambda: (
        False
    )  # makes room if it can, and tells whether it did
    _proc: Any  # the subprocess.Popen; None before the first invocation and after its end

    def __init__(self, func_name: str, config: dict[str, Any], code_zip: bytes) -> None:
        super().__init__(func_name, _named(config), code_zip)
        self._log = _Log()

    def run(self, event: Any, request_id: str, **context: Any) -> Outcome:
        """Run one invocation. `context` is what the worker script reads beside the event. Never raises for
        what the function or its process does."""
        with self._lock:
            self._cold = False
            kills = _out_of_memory_kills()
            envelope = json.dumps({"event": event, "ctx": {"request_id": request_id, **context}})
            try:
                answers = self._sent(envelope)
            except OSError as error:
                if error.errno in _DISK_FULL:
                    return Outcome(error_type=DiskFull.__name__, error=f"{OUT_OF_DISK}: {error}")
                return Outcome(error_type="Runtime.ExitError", error=f"The process did not start: {error}")
            except RuntimeError as error:  # it ended, or its module could not be imported
                return self._failed_start(request_id, str(error), kills)
            timeout = float(self.config.get("Timeout", 30))
            try:
                answer = answers.get(timeout=timeout)
            except queue.Empty:
                self._end(grace=0)
                return Outcome(
                    error_type="Sandbox.Timedout",
                    error=f"Task timed out after {timeout:.2f} seconds",
                    log=self._log.take(),
                )
            if answer is None:
                return self._died(request_id, kills)
            log = self._log.take()
            if answer["status"] == "ok":
                return Outcome(result=answer.get("result"), log=log)
            message, trace = str(answer.get("error")), str(answer.get("trace") or "")
            return Outcome(
                error_type=_exception(trace, message),
                error=message,
                log="\n".join(filter(None, (log, trace))),
            )

    @property
    def pid(self) -> int | None:
        process = self._proc
        return process.pid if process is not None and process.poll() is None else None

    # --- the process

    def _sent(self, envelope: str) -> "queue.Queue[dict[str, Any] | None]":
        """Send an invocation, to a new process if the idle one has ended. Return where its answer arrives."""
        for process in (self._proc, None):
            if process is None or process.poll() is not None:
                self._start()
            try:
                self._proc.stdin.write(envelope + "\n")
                self._proc.stdin.flush()
                break
            except BrokenPipeError:
                if process is None:
                    raise
        answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=_read_answer, args=(self._proc, answers), daemon=True).start()
        return answers

    def _start(self) -> None:
        self._log = _Log()
        try:
            self._spawn()
        except OSError as error:
            if error.errno not in _DISK_FULL or not type(self).on_full_disk():
                raise
            self._spawn()

    def _read_stderr(self) -> None:
        """ministack starts this in a thread right after the process."""
        if not self.is_awaited:
            own = os.getpriority(os.PRIO_PROCESS, 0)  # a root user's step must not overtake its cloud
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._proc.pid, max(STEP_NICENESS, own))
        self._log.read(self._proc.stderr)

    def _failed_start(self, request_id: str, reason: str, kills: int) -> Outcome:
        if reason.startswith("Worker init failed"):
            self._end()
            return Outcome(error_type="Runtime.ImportModuleError", error=reason, log=self._log.take())
        return self._died(request_id, kills)

    def _died(self, request_id: str, kills: int) -> Outcome:
        """Say how the process ended, in Lambda's words."""
        code = self._end()
        log = self._log.take()
        how = f"signal: {_signal_name(-code)}" if code < 0 else f"exit status {code}"
        by_the_system = code == -signal.SIGKILL and _out_of_memory_kills() > kills
        return Outcome(
            error_type="Runtime.OutOfMemory" if by_the_system else "Runtime.ExitError",
            error=f"RequestId: {request_id} Error: Runtime exited with error: {how}",
            log=log,
        )

    def _end(self, grace: float = _GRACE_SECONDS) -> int:
        """Wait until the process ends, or end it after `grace` seconds. Return its exit code."""
        process, self._proc = self._proc, None
        if process is None:
            return 0
        if grace:
            with suppress(subprocess.TimeoutExpired):
                return int(process.wait(grace))
        process.kill()
        return int(process.wait())


class _Log:
    """What a process wrote to its standard error and nobody has taken yet.

    A function writes its log before its answer, so once the answer is there, the log is in the pipe, and
    nobody has to wait for it; ministack waits 50 ms, after each call of a function that logs nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._written = bytearray()
        self._pipe: int | None = None

    def read(self, stderr: IO[str]) -> None:
        """Read until the process ends, so that it never waits for a reader."""
        os.set_blocking(stderr.fileno(), False)
        self._pipe = stderr.fileno()
        ready = select.poll()
        ready.register(self._pipe, select.POLLIN)
        while self._pipe is not None:
            ready.poll()
            with self._lock:
                self._read_what_is_there()

    def take(self) -> str:
        with self._lock:
            self._read_what_is_there()
            written, self._written = self._written, bytearray()
        return written.decode(errors="replace").rstrip("\n")

    def _read_what_is_there(self) -> None:
        with suppress(BlockingIOError):
            while self._pipe is not None:
                part = os.read(self._pipe, 65_536)
                self._written += part
                if not part:
                    self._pipe = None


def _named(config: dict[str, Any]) -> dict[str, Any]:
    """Return a function's configuration with its name for botocore's user agent (call_counts.py), unless its
    environment has one."""
    variables = {
        "AWS_SDK_UA_APP_ID": config["FunctionName"],
        **config.get("Environment", {}).get("Variables", {}),
    }
    return {**config, "Environment": {**config.get("Environment", {}), "Variables": variables}}


def _read_answer(process: Any, answers: "queue.Queue[dict[str, Any] | None]") -> None:
    """Put the answer into the queue; None if the process ended without one. Lines that are no answer are the
    function's own output."""
    with suppress(OSError, ValueError):
        for line in process.stdout:
            with suppress(ValueError):
                answer = json.loads(line)
                if isinstance(answer, dict) and answer.get("status") in ("ok", "error"):
                    answers.put(answer)
                    return
    answers.put(None)


def _exception(trace: str, message: str) -> str:
    """Return the name of an exception's class, as Lambda reports it. The worker script tells the message and
    the traceback, which ends with `module.Class: message`."""
    last = trace.rstrip().removesuffix(message.rstrip()).rstrip(": ").rpartition("\n")[2]
    name = last.rpartition(".")[2]
    return name if name.isidentifier() else "Runtime.HandlerError"


def _signal_name(number: int) -> str:
    """Return a signal as Lambda's messages name it: "killed", "segmentation fault", ..."""
    return (signal.strsignal(number) or str(number)).lower()


def _out_of_memory_kills() -> int:
    """Return how many processes of this machine Linux has ended for memory; 0 where that is not known."""
    with suppress(OSError, ValueError):
        for line in _VMSTAT.read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0

"""One process of a function: starts with its first invocation and serves one after another.

It takes the place of ministack's worker (1.5.33: core/lambda_runtime.py, Worker) and runs the same program,
which speaks JSON lines. ministack's starts a new interpreter on a new copy of the code each time; here a fork
server starts it (fork_server.py), and the processes share one copy, with its bytecode. ministack ends the
process when the handler raises, so that each wrong API key would cost a new one, and does not say why one
ended. As on AWS, here the process survives an exception, and its end is reported as Lambda reports it.
"""

import errno
import hashlib
import json
import os
import queue
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import uuid
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any, ClassVar

from ministack.core import lambda_runtime

from lambdas.domain.errors import DiskFull
from lambdas.domain.failures import OUT_OF_DISK
from reelworks.cloud.server.functions.forked import ForkServer

# Steps yield the processors to the API and the cloud itself.
STEP_NICENESS = 5

_GRACE_SECONDS = 2.0  # a process that closed its output is about to end
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_VMSTAT = Path("/proc/vmstat")
_PROGRAM = lambda_runtime._PYTHON_WORKER_SCRIPT
_NO_IMPORT = "Worker init failed"


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
    fork_server: ClassVar[ForkServer]
    _proc: Any  # what ForkServer.start returned; None before the first invocation and after its end

    def __init__(self, func_name: str, config: dict[str, Any], code_zip: bytes) -> None:
        super().__init__(func_name, config, code_zip)
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

    def _spawn(self) -> None:
        """Raises OSError if no process starts, and RuntimeError if it ends or can't import its code."""
        code = _CODE.folder(self.code_zip)
        module, _, handler = self.config["Handler"].rpartition(".")
        begin = {"code_dir": str(code), "module": module.replace("/", "."), "handler": handler}
        begin |= {"function_name": self.config["FunctionName"], "memory": self.config.get("MemorySize", 128)}
        self._proc = type(self).fork_server.start(_PROGRAM, code, _environment(self.config, code))
        if not self.is_awaited:
            own = os.getpriority(os.PRIO_PROCESS, 0)  # a root user's step must not overtake its cloud
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._proc.pid, max(STEP_NICENESS, own))
        threading.Thread(target=self._log.read, args=(self._proc.stderr,), daemon=True).start()
        with suppress(BrokenPipeError):
            self._proc.stdin.write(json.dumps(begin) + "\n")
        answer = _next_answer(self._proc)
        if answer is None:
            raise RuntimeError("The process ended at its start.")
        if answer["status"] != "ready":
            raise RuntimeError(f"{_NO_IMPORT}: {answer.get('error')}")

    def _failed_start(self, request_id: str, reason: str, kills: int) -> Outcome:
        if reason.startswith(_NO_IMPORT):
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


class _Code:
    """The code of functions, unpacked once for all of their processes, next to the cloud's other temporary
    files."""

    def __init__(self) -> None:
        self._folders: dict[str, Path] = {}
        self._unpacking = threading.Lock()

    def folder(self, code_zip: bytes) -> Path:
        digest = hashlib.sha256(code_zip).hexdigest()
        with self._unpacking:
            if digest not in self._folders:
                self._folders[digest] = self._unpacked(code_zip)
            return self._folders[digest]

    @staticmethod
    def _unpacked(code_zip: bytes) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="functions-code-"))
        try:
            with zipfile.ZipFile(BytesIO(code_zip)) as archive:
                archive.extractall(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder


_CODE = _Code()


def _environment(config: dict[str, Any], code: Path) -> dict[str, str]:
    """Return the variables of a function's process: as in ministack's Worker._spawn, and the function's name
    for botocore's user agent (call_counts.py), unless its own variables have one."""
    name, arn = config["FunctionName"], config["FunctionArn"]
    region = arn.split(":")[3]
    own = config.get("Environment", {}).get("Variables", {})
    defaults = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ.get('GATEWAY_PORT', '4566')}",
        "AWS_SDK_UA_APP_ID": name,
        "LAMBDA_TASK_ROOT": str(code),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
        "AWS_LAMBDA_FUNCTION_VERSION": config.get("Version", "$LATEST"),
        "AWS_LAMBDA_LOG_STREAM_NAME": str(uuid.uuid4()),
        "_LAMBDA_FUNCTION_ARN": arn,
        "_LAMBDA_TIMEOUT": str(config.get("Timeout", 30)),
    }
    given = {key: value for key, value in own.items() if key not in lambda_runtime._RESERVED_RUNTIME_ENV_VARS}
    fixed = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    credentials: dict[str, str] = lambda_runtime.execution_credentials(config)
    return defaults | dict(os.environ) | given | fixed | credentials


def _read_answer(process: Any, answers: "queue.Queue[dict[str, Any] | None]") -> None:
    """Put the answer into the queue; None if the process ended without one."""
    answers.put(_next_answer(process))


def _next_answer(process: Any) -> dict[str, Any] | None:
    """Return the process's next answer, or None if it ends without one. Lines that are no answer are the
    function's own output."""
    with suppress(OSError, ValueError):
        for line in process.stdout:
            with suppress(ValueError):
                answer = json.loads(line)
                if isinstance(answer, dict) and answer.get("status") in ("ready", "ok", "error"):
                    return answer
    return None


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

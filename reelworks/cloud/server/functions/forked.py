"""Functions' processes, forked from one that has their libraries (fork_server.py), as the cloud sees them."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from reelworks.cloud.server.functions import fork_server

_COMMAND = (sys.executable, "-P", fork_server.__file__)  # -P: without this folder in the module path


class ForkedProcess:
    """What the cloud uses of subprocess.Popen, for a process whose parent is the fork server."""

    def __init__(self, pid: int, streams: tuple[int, int, int], report: int) -> None:
        """`streams` are this side's ends of the process's standard input, output and error; its exit code
        comes from `report`."""
        self.pid = pid
        self.stdin = os.fdopen(streams[0], "w", buffering=1, encoding="utf-8")
        self.stdout = os.fdopen(streams[1], encoding="utf-8")
        self.stderr = os.fdopen(streams[2], encoding="utf-8")
        self.returncode: int | None = None
        self._report = os.fdopen(report, "rb", buffering=0)
        self._reading = threading.Lock()

    def poll(self) -> int | None:
        with self._reading:
            if self.returncode is None and self._is_over(0):
                code = self._report.read(fork_server.NUMBER.size)
                if code:
                    [self.returncode] = fork_server.NUMBER.unpack(code)
                else:  # the fork server has died, and nobody would learn of this process's end
                    self.returncode = -signal.SIGKILL
                    self._signal(signal.SIGKILL)
                self._report.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None and not self._is_over(timeout):
            raise subprocess.TimeoutExpired("a function's process", timeout or 0)
        code = self.poll()
        assert code is not None  # noqa: S101 - it is over
        return code

    def terminate(self) -> None:
        if self.poll() is None:
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        if self.poll() is None:
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def _is_over(self, timeout: float | None) -> bool:
        ready = select.poll()
        with suppress(ValueError):  # another thread has read the code meanwhile
            ready.register(self._report, select.POLLIN)
            return bool(ready.poll(None if timeout is None else timeout * 1000))
        return True


class ForkServer:
    """Starts processes; itself starts with the first of them."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None  # made with the process
        self._using = threading.Lock()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(
        self, program: str, folder: Path, environment: Mapping[str, str]
    ) -> "ForkedProcess | subprocess.Popen[str]":
        """Start a process that runs `program`, Python's source text, in `folder`. Raises OSError."""
        process = _started_alone() if sys.platform == "darwin" else self._forked()
        first = {"program": program, "folder": str(folder), "environment": dict(environment)}
        with suppress(BrokenPipeError):  # it has ended already: whoever waits for its answer will see
            assert process.stdin  # noqa: S101 - it is a pipe
            process.stdin.write(json.dumps(first) + "\n")
        return process

    def stop(self) -> None:
        """End the server. A process that still runs ends when its standard input closes."""
        with self._using:
            if self._process is not None and self._requests is not None:
                self._requests.close()
                self._process.wait()
            self._process = self._requests = None

    def _forked(self) -> ForkedProcess:
        try:
            return self._fork()
        except ConnectionError:  # the server was killed
            self.stop()
            return self._fork()

    def _fork(self) -> ForkedProcess:
        with ExitStack() as ours, ExitStack() as theirs:
            ends = []
            for is_input in (True, False, False, False):
                read, write = os.pipe()
                theirs.callback(os.close, read if is_input else write)
                ours.callback(os.close, write if is_input else read)
                ends.append((write, read) if is_input else (read, write))
            with self._using:
                socket.send_fds(self._connection(), [b"+"], [end for _, end in ends])
            theirs.close()  # so that the server's death closes the report
            stdin, stdout, stderr, report = (end for end, _ in ends)
            answer = os.read(report, fork_server.NUMBER.size)
            if not answer:
                raise ConnectionResetError("the fork server has ended")
            [pid] = fork_server.NUMBER.unpack(answer)
            if pid < 0:
                raise OSError(-pid, os.strerror(-pid))
            ours.pop_all()
            return ForkedProcess(pid, (stdin, stdout, stderr), report)

    def _connection(self) -> socket.socket:
        if self._requests is None:
            requests, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603
                    _COMMAND, stdin=theirs.fileno(), stdout=subprocess.DEVNULL
                )
            self._requests = requests
        return self._requests


def _started_alone() -> "subprocess.Popen[str]":
    return subprocess.Popen(  # noqa: S603
        [*_COMMAND, "once"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )

"""Find out whether the cloud's process is alive, and which process it is.

The process is alive while it holds a lock (flock: the kernel releases it however the process ends). A pid
would not prove that, because the system reuses pids. The locked file contains the process's pid and port.
Neither lock file is ever removed: a lock on a deleted file excludes nobody.
"""

import fcntl
import http.client
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reelworks.cloud.addresses import IDENTITY_PATH, address
from reelworks.cloud.errors import CloudError
from reelworks.cloud.home import Home, read_json
from reelworks.cloud.lifecycle.environment import MARK

CLAIM_SECONDS = 30.0  # a busy PC starts a process slowly; one that ends is noticed at once
STOP_SECONDS = 5.0
ANSWER_SECONDS = 5.0  # while engines use all cores
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Process:
    """The cloud's process and its port on 127.0.0.1."""

    pid: int
    port: int

    @property
    def address(self) -> str:
        return address(self.port)

    def answers(self, seconds: float = ANSWER_SECONDS) -> bool:
        """Return whether this process owns the port and responds on it."""
        return self.functions(seconds) is not None

    def functions(self, seconds: float = ANSWER_SECONDS) -> dict[str, Any] | None:
        """Return what the functions do, as FunctionRuntime.report does; None if this process does not own the
        port or does not respond in time."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request("GET", IDENTITY_PATH)
            answer = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()
        if not isinstance(answer, dict) or answer.get("pid") != self.pid:
            return None
        return dict(answer["functions"])


def running(home: Home) -> Process | None:
    """Return this home's process; None if there is none. Waits for one that was just started."""
    until = time.monotonic() + CLAIM_SECONDS
    while is_held(home.process_lock) and time.monotonic() < until:
        if claimed := read_json(home.process_lock):
            return Process(**claimed)
        time.sleep(POLL_SECONDS)
    return None


def claim(process_lock: int, listener: socket.socket) -> Process:
    """Write this process's pid and port to the lock file. Called by the cloud's process, which inherits both
    descriptors from `up`."""
    for fd in (process_lock, listener.fileno()):
        os.set_inheritable(fd, False)  # a function's process that outlives this one must not hold them
    process = Process(os.getpid(), listener.getsockname()[1])
    os.pwrite(process_lock, json.dumps(asdict(process)).encode(), 0)
    return process


def stop(home: Home, process: Process | None) -> None:
    """Stop the process, if there is one, and leftover processes of it or of a killed one."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process is None or not is_held(home.process_lock):
            break
        os.kill(process.pid, number)
        _wait_until(lambda: not is_held(home.process_lock), STOP_SECONDS)
    for pid in _leftovers(home):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if not _wait_until(lambda: not is_held(home.process_lock), STOP_SECONDS):
        raise CloudError("The cloud's process could not be stopped.")


def last_port(home: Home) -> int | None:
    """Return the port of the last process, alive or not."""
    return read_json(home.process_lock).get("port")


# --- locks


@contextmanager
def changing(home: Home) -> Iterator[None]:
    """Wait until no other process starts or stops the cloud, and keep others from doing so."""
    with _open(home.change_lock) as fd:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield


@contextmanager
def hand_over(home: Home) -> Iterator[int]:
    """Yield the locked descriptor of the process lock, for the process to inherit; the file is empty."""
    with _open(home.process_lock) as fd:
        # Another `status` may hold it briefly, in `is_held`.
        if not _wait_until(lambda: _locked(fd, fcntl.LOCK_EX), CLAIM_SECONDS):
            raise CloudError("Another process of this home folder is running.")
        os.ftruncate(fd, 0)
        yield fd


def is_held(lock: Path) -> bool:
    try:
        fd = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _locked(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)


@contextmanager
def _open(lock: Path) -> Iterator[int]:
    fd = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)


def _locked(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    return met


# --- after a kill -9


def _leftovers(home: Home) -> list[int]:
    """Return the pids of processes with this home's mark: functions that were running when their cloud was
    killed. (Idle ones exit automatically when their standard input closes.) They would keep calling the port,
    where the next cloud may listen. Found in /proc; on systems other than Linux they finish their
    invocation."""
    mark = f"{MARK}={home.folder}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has exited, or belongs to another user
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found

"""Processes that the fork server starts: they begin as a program's own process does, and their exit codes are
told."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from reelworks.cloud.server.functions.forked import ForkServer

SECONDS = 30  # only a failing test waits for so long
SHOW = """
import json, os, signal, sys, threading
others = [number for number in range(3, 64) if os.path.exists(f"/dev/fd/{number}")]
print(json.dumps({
    "folder": os.getcwd(), "environment": dict(os.environ), "threads": threading.active_count(),
    "inherited": others, "name": __name__, "libraries": "boto3" in sys.modules,
    "interrupt": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
    "child": signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL, "line": sys.stdin.readline(),
}))
"""


class Server(ForkServer):
    """Closes the streams of its processes."""

    def __init__(self) -> None:
        super().__init__()
        self._streams = ExitStack()

    def start(self, program: str, folder: Path, environment: Mapping[str, str]) -> Any:
        process = super().start(program, folder, environment)
        for stream in (process.stdin, process.stdout, process.stderr):
            assert stream
            self._streams.enter_context(stream)
        return process

    def stop(self) -> None:
        super().stop()
        self._streams.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with closing_server() as made:
        yield made


@contextmanager
def closing_server() -> Iterator[Server]:
    made = Server()
    try:
        yield made
    finally:
        made.stop()


def output_of(process: Any, line: str = "a line") -> dict[str, Any]:
    process.stdin.write(line + "\n")
    shown: dict[str, Any] = json.loads(process.stdout.readline())
    assert process.wait(SECONDS) == 0
    return shown


@pytest.mark.parametrize("platform", [sys.platform, "darwin"])
def test_a_process_has_its_own_folder_and_environment_and_nothing_of_others(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    """On macOS it is started by itself."""
    monkeypatch.setattr(sys, "platform", platform)
    environment = {"NAME": "wörd", "EMPTY": ""}
    others = [server.start("input()", tmp_path, {}) for _ in range(2)]
    shown = output_of(server.start(SHOW, tmp_path, environment))
    for other in others:
        other.kill()
        assert other.wait(SECONDS) == -signal.SIGKILL
    assert shown == {
        "folder": str(tmp_path),
        "environment": environment,
        "threads": 1,
        "inherited": [],
        "name": "__main__",
        "libraries": platform != "darwin",
        "interrupt": True,
        "child": True,
        "line": "a line\n",
    }


@pytest.mark.skipif(not Path("/proc").exists(), reason="only Linux lists a process's threads as files")
def test_the_server_runs_one_thread_or_a_fork_would_not_be_safe(server: Server, tmp_path: Path) -> None:
    assert server.start("", tmp_path, {}).wait(SECONDS) == 0
    assert len(list(Path(f"/proc/{server.pid}/task").iterdir())) == 1


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("", 0),
        ("import sys; sys.exit(4)", 4),
        ("1 / 0", 1),
        ("import os; os._exit(3)", 3),
        ("import os; os.abort()", -signal.SIGABRT),
    ],
)
def test_its_exit_code_is_told(server: Server, tmp_path: Path, program: str, code: int) -> None:
    process = server.start(program, tmp_path, {})
    assert process.wait(SECONDS) == code
    assert (process.poll(), process.wait(0), process.returncode) == (code, code, code)
    process.kill()  # which is nobody's process by now


@pytest.mark.parametrize(("end", "number"), [("terminate", signal.SIGTERM), ("kill", signal.SIGKILL)])
def test_it_can_be_ended(server: Server, tmp_path: Path, end: str, number: int) -> None:
    process = server.start("import time; print(1, flush=True); time.sleep(600)", tmp_path, {})
    assert process.stdout.readline() == "1\n"
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    getattr(process, end)()
    assert process.wait(SECONDS) == -number


def test_its_streams_are_its_own(server: Server, tmp_path: Path) -> None:
    program = "import sys; print('out', input()); print('error', file=sys.stderr)"
    processes = [server.start(program, tmp_path, {}) for _ in range(2)]
    for number, process in enumerate(processes):
        process.stdin.write(f"{number}\n")
    for number, process in enumerate(processes):
        assert (process.stdout.read(), process.stderr.read()) == (f"out {number}\n", "error\n")
        assert process.wait(SECONDS) == 0


def test_processes_end_with_a_server_that_is_killed_and_the_next_starts_another(tmp_path: Path) -> None:
    with closing_server() as server:
        process = server.start("input()", tmp_path, {})
        assert server.pid
        os.kill(server.pid, signal.SIGKILL)
        assert process.wait(SECONDS) == -signal.SIGKILL
        assert server.start("", tmp_path, {}).wait(SECONDS) == 0


def test_a_process_that_cannot_be_started_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of open files is the likeliest cause."""

    def refused() -> tuple[int, int]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pipe", refused)
    with pytest.raises(OSError, match="Too many open files"):
        ForkServer().start("", tmp_path, {})

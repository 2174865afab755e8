"""Engine servers as processes, as SageMaker and the PC's cloud start them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from lambdas.media.mp4.work_box import without_work_box
from tests.cloud.servers import answers, free_port, wait_until

REPOSITORY = Path(__file__).parents[2]
Document = dict[str, Any]


class Server:
    """A running engine server."""

    def __init__(self, process: subprocess.Popen[bytes], http: httpx.Client, log: Path) -> None:
        self.process = process
        self.url = str(http.base_url)
        self._http = http
        self._log = log

    def ping(self) -> httpx.Response:
        return self._http.get("/ping")

    def invoke(self, request: Document) -> httpx.Response:
        return self._http.post("/invocations", json=request)

    def clip(self, request: Document) -> bytes:
        answer = self.invoke(request)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "video/mp4"
        return without_work_box(answer.content)[0]

    def until(self, *statuses: str) -> httpx.Response:
        wait_until(lambda: self.ping().json()["status"] in statuses, seconds=120)
        return self.ping()

    def engine_pid(self) -> int:
        """Return the process that the server runs its engine in."""
        pid = self.process.pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(child)

    def log_lines(self) -> list[Document]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]


@contextmanager
def running(model: Path, log: Path, *, grace: int = 25) -> Iterator[Server]:
    """Start the server of a checkpoint and wait until it responds."""
    # A tiny model gains nothing from a second thread, and loses much if the cores are shared.
    settings = {"DIFFUSION_MODEL": str(model), "DIFFUSION_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
    # SageMaker adds `serve`.
    command = ["-m", "containers.diffusion", "serve", "--grace", str(grace)]
    with started(command, log, settings) as server:
        yield server


@contextmanager
def scripted(folder: Path, *, grace: int = 25) -> Iterator[Server]:
    """Start a server of tests/scripted_engine.py in `folder` and wait until it responds."""
    command = ["-m", "tests.scripted_server", str(folder), str(grace)]
    with started(command, folder / "log", {}) as server:
        yield server


@contextmanager
def started(command: list[str], log: Path, settings: dict[str, str]) -> Iterator[Server]:
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=REPOSITORY,
            env=os.environ
            | settings
            | {"DIFFUSION_PORT": str(port), "COMFYUI_PORT": str(port), "RELAY_PORT": str(port)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{url}/ping"))
        with httpx.Client(base_url=url, timeout=120, trust_env=False) as http:
            yield Server(process, http, log)
    finally:
        process.terminate()
        process.wait(30)

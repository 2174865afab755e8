"""A PC's cloud with faults, its tenants, and a receiver of webhooks that may fail."""

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import httpx
import psutil

from reelworks.cloud.credentials import read_credentials
from tests.chaos.backends import Backends
from tests.chaos.faulty_cloud import FAULTS_FILE, Faults
from tests.cloud.servers import free_port
from tests.shared import copy_assembly_of_a_pc

REPOSITORY = Path(__file__).parents[2]
_PATIENCE = 10  # seconds; then a client asks again
TENANTS = ("ada", "bob", "eve")


class Receiver:
    """Takes webhooks, and fails as it is told: with 500, by hanging, or not there at all."""

    def __init__(self, seed: int) -> None:
        self.mood = "good"
        self.ids: dict[tuple[str, str], set[str]] = defaultdict(set)  # by type of event and video
        self._random = random.Random(seed)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                receiver.take(self.headers["webhook-id"], body)
                mood = receiver.mood
                if mood == "hangs":
                    time.sleep(20)
                if mood == "slow":
                    time.sleep(receiver._random.uniform(0, 4))
                status = (
                    500 if mood == "broken" or (mood == "flaky" and receiver._random.random() < 0.5) else 204
                )
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def take(self, id_: str, body: dict[str, Any]) -> None:
        self.ids[body["type"], str(body["data"]["id"])].add(id_)


class Site:
    """`with Site(folder, seed)`: the cloud runs, with a home folder of its own."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.home = folder / "home"
        self.log_file = folder / "chaos.jsonl"
        self._faults_file = folder / "faults.json"
        self._port = free_port()
        self.receiver = Receiver(seed)
        self.backends = Backends()
        self.keys: dict[str, str] = {}
        self._began = time.monotonic()

    def __enter__(self) -> "Site":
        self.home.mkdir(parents=True)
        copy_assembly_of_a_pc(self.home / "cdk.out")
        self.backends.set_up(self.home)
        self.set_faults(Faults())
        self.up()
        self.keys = {tenant: self._json("keys", "create", tenant)["api_key"] for tenant in TENANTS}
        return self

    def __exit__(self, *_: object) -> None:
        self.set_faults(Faults())
        self._reel("down")
        self.backends.stop()

    def left_processes(self) -> list[str]:
        """Return the processes of this home folder's cloud; once it is down, none should be there."""
        return [f"process {pid} was left: {command[:200]}" for pid, command in self._processes()]

    def _processes(self) -> Iterator[tuple[int, str]]:
        """Yield the id and command of each process whose command or environment names the home folder."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                command = " ".join(process.cmdline())
                if str(self.home) in " ".join([command, *process.environ().values()]):
                    yield process.pid, command

    # --- the cloud

    def up(self) -> None:
        self._reel("up", "--port", str(self._port))
        self.status = self._json("status")

    def set_faults(self, faults: Faults) -> None:
        faults.write(self._faults_file)

    def pid(self) -> int | None:
        try:
            return int(json.loads((self.home / "cloud.json").read_text())["pid"])
        except (OSError, ValueError, KeyError):
            return None

    def engines(self) -> list[int]:
        """Return the processes of the engine servers."""
        return sorted(pid for pid, command in self._processes() if "-m containers." in command)

    def copy_lives(self, patience: float) -> list[str]:
        """Copy the home folder as it is now, and start a second cloud from the copy, without webhooks. Return
        what is wrong with it: that it doesn't start, or films that don't end."""
        copy = self.home.with_name(f"copy-{time.monotonic_ns()}")
        shutil.copytree(self.home, copy, symlinks=True, ignore=shutil.ignore_patterns("tmp", "*.new"))
        settings = copy / "reelworks.toml"
        settings.write_text(settings.read_text().replace("loopback = true", "loopback = false"))
        try:
            self._reel("up", "--port", str(free_port()), home=copy)
            status = json.loads(self._reel("status", "--json", home=copy).stdout)
            return self._unfinished(status["base_url"], patience)
        except RuntimeError as error:
            return [f"the copy does not start: {error}"]
        finally:
            self._reel("down", home=copy)
            shutil.rmtree(copy, ignore_errors=True)

    def _unfinished(self, base_url: str, patience: float) -> list[str]:
        until = time.monotonic() + patience
        while True:
            working = []
            for key in self.keys.values():
                answer = httpx.get(
                    f"{base_url}/videos?limit=100", headers={"Authorization": f"Bearer {key}"}, timeout=60
                )
                working += [
                    f"{one['id']} of the copy is still {one['stage']}"
                    for one in answer.raise_for_status().json()["data"]
                    if one["status"] in ("queued", "in_progress") and not one["review"]["gate"]
                ]
            if not working or time.monotonic() > until:
                return working
            time.sleep(1)

    def functions(self) -> dict[str, Any]:
        try:
            found = httpx.get(f"{self.status['aws_endpoint_url']}/_reelworks", timeout=5).json()
        except (httpx.HTTPError, ValueError):
            return {}
        return dict(found["functions"])

    def aws(self, service: str) -> Any:
        credentials = read_credentials(Path(self.status["aws_credentials_file"]))
        return boto3.client(
            service,
            endpoint_url=self.status["aws_endpoint_url"],
            region_name=self.status["region"],
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
        )

    def call(self, tenant: str, method: str, path: str, **options: Any) -> httpx.Response | None:
        """Call the REST API. None: it could not be reached, or gave no answer."""
        headers = {"Authorization": f"Bearer {self.keys[tenant]}", **options.pop("headers", {})}
        try:
            return httpx.request(
                method, f"{self.status['base_url']}{path}", headers=headers, timeout=_PATIENCE, **options
            )
        except httpx.HTTPError:
            return None

    def log(self, what: str, **told: Any) -> None:
        line = {"at": round(time.monotonic() - self._began, 1), "what": what, **told}
        with self.log_file.open("a") as file:
            file.write(json.dumps(line) + "\n")

    # --- reel

    def _json(self, *arguments: str) -> Any:
        return json.loads(self._reel(*arguments, "--json").stdout)

    def _reel(self, *arguments: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("REELWORKS_")}
        own = {
            "REELWORKS_HOME": str(home or self.home),
            FAULTS_FILE: str(self._faults_file),
            "PYTHONPATH": str(REPOSITORY),
        }
        done = subprocess.run(
            [sys.executable, "-m", "tests.chaos.reel", *arguments],
            cwd=self.home,
            env=kept | own,
            capture_output=True,
            text=True,
            timeout=400,
        )
        if done.returncode:
            raise RuntimeError(f"reel {' '.join(arguments)}: {done.stdout}\n{done.stderr}")
        return done

"""A PC's cloud of its own for a benchmark, driven by `reel` and watched from outside.

Memory is what the processes hold by themselves (USS), plus what they share, counted once for the largest:
adding their resident sizes would count shared libraries for each.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import boto3
import psutil

from reelworks.cloud.credentials import read_credentials

ROOT = Path(__file__).parents[1]
SAMPLE_SECONDS = 0.5


class Home:
    """`reel` with a home folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def reel(self, *arguments: str) -> Any:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("REELWORKS_")}
        result = subprocess.run(
            [sys.executable, "-m", "reelworks", *arguments, "--json"],
            cwd=self.folder,
            env={**environment, "REELWORKS_HOME": str(self.folder), "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            check=True,
        )
        return json.loads(result.stdout)

    def pid(self) -> int:
        """Return the cloud's process. Raises OSError, ValueError if none is recorded."""
        return int(json.loads((self.folder / "cloud.json").read_text())["pid"])

    def processes(self) -> list[psutil.Process]:
        """Return the cloud's process and all that it started."""
        try:
            cloud = psutil.Process(self.pid())
            return [cloud, *cloud.children(recursive=True)]
        except (OSError, ValueError, psutil.Error):
            return []


def run(
    parser: argparse.ArgumentParser, measure: Callable[[Home, argparse.Namespace], dict[str, Any]]
) -> NoReturn:
    """Measure on a cloud of its own, print what was found, and exit: 0 if all of its `targets` are met."""
    parser.add_argument("--home", type=Path, help="folder to use; it is kept (default: a temporary one)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the cloud is stopped
    with tempfile.TemporaryDirectory() as temporary:
        home = Home(arguments.home or Path(temporary))
        home.folder.mkdir(exist_ok=True)
        try:
            found = measure(home, arguments)
        finally:
            home.reel("down")
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        for name, value in found.items():
            print(f"{name}: {value}")
    raise SystemExit(0 if all(found["targets"].values()) else 1)


def aws(cloud: dict[str, Any], service: str) -> Any:
    """Return a client of the cloud that `reel up` or `reel status` described."""
    credentials = read_credentials(Path(cloud["aws_credentials_file"]))
    return boto3.client(
        service,
        endpoint_url=cloud["aws_endpoint_url"],
        region_name=cloud["region"],
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
    )


@dataclass
class Peak:
    """The most at once: of the cloud's process and all that it started."""

    processes: int = 0
    memory_bytes: float = 0.0


@contextmanager
def watched(home: Home) -> Iterator[Peak]:
    """Watch the cloud's processes while the block runs."""
    peak, ended = Peak(), threading.Event()
    watching = threading.Thread(target=_watch, args=(home, peak, ended))
    watching.start()
    try:
        yield peak
    finally:
        ended.set()
        watching.join()


def _watch(home: Home, peak: Peak, ended: threading.Event) -> None:
    while not ended.wait(SAMPLE_SECONDS):
        own, shared, count = 0, 0, 0
        for process in home.processes():
            with suppress(psutil.Error):
                memory = process.memory_full_info()
                own, shared, count = own + memory.uss, max(shared, memory.rss - memory.uss), count + 1
        peak.processes = max(peak.processes, count)
        peak.memory_bytes = max(peak.memory_bytes, own + shared)

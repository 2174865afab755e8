"""A PC's cloud of its own for the end-to-end tests, started the way a user starts it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from reelworks.client import Client
from reelworks.cloud.credentials import read_credentials
from tests.cloud.servers import free_port, serving
from tests.shared import copy_assembly_of_a_pc
from tests.tiny_checkpoint import make_tiny_checkpoint
from tests.tiny_ltx import make_tiny_ltx
from tests.tiny_wan import make_tiny_wan
from tests.videos_server import VideosServer

REPOSITORY = Path(__file__).parents[2]


class Cloud:
    """`reel` with a home folder of its own."""

    def __init__(self, home: Path, resources: ExitStack) -> None:
        """`resources` closes the clients that are handed out."""
        self.home = home
        self._resources = resources
        self._status: tuple[int, dict[str, Any]] | None = None

    def reel(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("REELWORKS_")}
        result = subprocess.run(
            [sys.executable, "-m", "reelworks", *arguments],
            cwd=self.home,
            env={
                **environment,
                "REELWORKS_HOME": str(self.home),
                "REELWORKS_TEXT_KIND": "rules",  # whatever text model this PC has
                "PYTHONPATH": str(REPOSITORY),
            },
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert not check or result.returncode == 0, f"{arguments}: {result.stdout}\n{result.stderr}"
        return result

    def json(self, *arguments: str, check: bool = True) -> Any:
        return json.loads(self.reel(*arguments, "--json", check=check).stdout)

    @property
    def status(self) -> dict[str, Any]:
        """What `reel status` prints; asked again when the record of the deployment has changed."""
        record = (self.home / "cloud.json").stat().st_mtime_ns
        if self._status is None or self._status[0] != record:
            self._status = record, self.json("status")
        return self._status[1]

    @property
    def outputs(self) -> dict[str, str]:
        outputs: dict[str, str] = self.status["outputs"]
        return outputs

    def client(self, api_key: str | None = None) -> Client:
        status = self.status
        return self._resources.enter_context(Client(status["base_url"], api_key or status["api_key"]))

    def aws(self, service: str) -> Any:
        status = self.status
        credentials = read_credentials(Path(status["aws_credentials_file"]))
        client = boto3.client(
            service,
            endpoint_url=status["aws_endpoint_url"],
            region_name=status["region"],
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
        )
        return self._resources.enter_context(closing(client))

    def pid(self) -> int:
        return int(json.loads((self.home / "cloud.json").read_text())["pid"])


@contextmanager
def running_cloud(home: Path) -> Iterator[Cloud]:
    """Start a cloud with an empty home folder of its own, and stop it."""
    copy_assembly_of_a_pc(home / "cdk.out")
    with ExitStack() as resources:
        cloud = Cloud(home, resources)
        cloud.reel("up", "--port", str(free_port()))  # which is free again after a kill
        yield cloud
        cloud.reel("down")


WAN_KEY = "sk-of-the-server"
SETTINGS = """
[webhooks]
loopback = true

[engines.wan]
videos_url = "{url}/v1"
api_key = "{key}"
model = "{model}"
sizes = ["96x64", "64x96"]
fps = [8]
frame_step = 4
longest_clip = 2
"""


@pytest.fixture(scope="session")
def videos_server() -> VideosServer:
    """The server of engine `wan`."""
    return VideosServer(key=WAN_KEY)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory, videos_server: VideosServer) -> Iterator[Cloud]:
    home = tmp_path_factory.mktemp("home")
    make_tiny_checkpoint(home / "models" / "cogvideox-nano-i2v", image_to_video=True)
    make_tiny_wan(home / "models" / "wan2.2-ti2v-5b", "ti2v")
    make_tiny_ltx(home / "models" / "ltx-2-19b-distilled")
    with serving(videos_server.app) as url:
        settings = SETTINGS.format(url=url, key=WAN_KEY, model=videos_server.model)
        (home / "reelworks.toml").write_text(settings, encoding="utf-8")
        with running_cloud(home) as cloud:
            yield cloud

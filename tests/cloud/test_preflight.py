"""`reel preflight` as a user runs it, against servers on loopback."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from typer.testing import CliRunner

from reelworks.cli import app
from reelworks.cloud import aws
from reelworks.preflight.bootstrap import PARAMETER
from tests.cloud.real_template import ANYBODY
from tests.cloud.servers import local_aws, serving

SECRET = "not-for-the-log"


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("REELWORKS_HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("COLUMNS", "400")
    # ministack takes 15 seconds to refuse a call to a service that it doesn't have.
    for service in ("POLLY", "SERVICE_QUOTAS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", "http://127.0.0.1:9")


@pytest.fixture(scope="module")
def cloud() -> Iterator[str]:
    with local_aws() as url:
        yield url


def preflight(*options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the exit status and the findings by what they are about."""
    done = CliRunner().invoke(app, ["preflight", "--json", *options])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert SECRET not in done.output
    return done.exit_code, {finding["what"]: finding for finding in json.loads(done.stdout)}


def test_the_account_of_a_local_aws(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers for STS, SSM, Lambda and S3. What it doesn't have fails no deployment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud)
    status, findings = preflight()
    assert status == 1
    assert findings["Credentials"]["ok"]
    assert "account 000000000000" in findings["Credentials"]["found"]
    missing = {what for what, finding in findings.items() if finding["needed"] and not finding["ok"]}
    assert missing == {"CDK bootstrap"}

    ssm = aws.client("ssm", cloud, ANYBODY)
    ssm.put_parameter(Name=PARAMETER, Value="30", Type="String")
    status, findings = preflight()
    assert status == 0
    assert findings["CDK bootstrap"]["found"] == "version 30"

    one_engine = json.dumps({"engines": ["animatic", "cogvideox-5b"]})
    status, findings = preflight("--settings", one_engine)
    assert status == 1
    model = findings["Model cogvideox-5b"]
    assert model["found"] == "bucket reelworks-models-000000000000-us-east-1 does not exist"
    assert model["todo"] == "reel models pull cogvideox-5b && reel models push cogvideox-5b"


def test_the_table_says_what_to_do(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud)
    one_engine = json.dumps({"engines": ["animatic", "cogvideox-5b"]})
    done = CliRunner().invoke(app, ["preflight", "--settings", one_engine])
    assert done.exit_code == 1
    (line,) = (line for line in done.output.splitlines() if "Model cogvideox-5b" in line)
    assert "✗" in line
    assert "reel models pull cogvideox-5b && reel models push cogvideox-5b" in line


async def _sign_in_page(_: Request) -> Response:
    return HTMLResponse("<html><body>Sign in to the guest network</body></html>")


def test_a_page_in_place_of_the_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Starlette(routes=[Route("/{path:path}", _sign_in_page, methods=["GET", "POST"])])
    with serving(page) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        status, findings = preflight()
    assert status == 1
    assert (findings["Credentials"]["ok"], findings["Credentials"]["needed"]) == (False, True)
    assert "check the network" in findings["Credentials"]["todo"]


def test_a_page_in_place_of_some_answers(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Starlette(routes=[Route("/{path:path}", _sign_in_page, methods=["GET", "POST"])])
    with serving(page) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", cloud)
        _, findings = preflight("--settings", json.dumps({"engines": ["animatic", "cogvideox-5b"]}))
    assert {what for what, finding in findings.items() if finding["ok"]} == {"npx", "Region", "Credentials"}


def test_a_service_that_takes_a_call_and_never_answers(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    patience = Config(connect_timeout=1, read_timeout=0.1, retries={"total_max_attempts": 1})
    monkeypatch.setattr("reelworks.preflight.credentials.CALLS", patience)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        status, findings = preflight()
    assert status == 1
    assert "Read timeout" in findings["Credentials"]["found"]


@pytest.mark.parametrize("settings", ["[]", '{"engines": ["sora"]}'])
def test_settings_that_do_not_exist(settings: str) -> None:
    done = CliRunner().invoke(app, ["preflight", "--settings", settings])
    assert done.exit_code == 1
    assert "error:" in done.stderr

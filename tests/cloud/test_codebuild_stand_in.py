"""The CodeBuild stand-in, driven by an unmodified boto3 client: ministack's projects, real processes."""

import io
import json
import os
import signal
import sys
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from reelworks.cloud.services.codebuild import CodeBuild
from tests.cloud.servers import local_aws, serving, stopping, wait_until

BUCKET = "assets"
_PROGRAM = """
import json, os, sys
said = {"task": os.environ["TASK"], "kept": os.environ["KEPT"], "python": sys.executable}
print(json.dumps(said), flush=True)
exec(os.environ.get("THEN", ""))
"""


class Passing:
    """Replaces ministack's app in the cloud, and forwards to one in another process."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        async with httpx.AsyncClient(base_url=self._url, timeout=30) as client:
            answer = await client.post(request.url.path, content=await request.body(), headers=headers)
        kind = answer.headers.get("content-type")
        await Response(answer.content, answer.status_code, media_type=kind)(scope, receive, send)


class Bench:
    def __init__(self, client: Any, logs: Path, events: list[Any]) -> None:
        self.client = client
        self.logs = logs
        self.events = events  # emitted: source, detail type, detail

    def start(self, then: str = "", **options: Any) -> str:
        variables = [{"name": "TASK", "value": "given"}, {"name": "THEN", "value": then}]
        started = self.client.start_build(
            projectName="film", environmentVariablesOverride=variables, **options
        )
        return str(started["build"]["id"])

    def build(self, id_: str) -> dict[str, Any]:
        (build,) = self.client.batch_get_builds(ids=[id_])["builds"]
        return dict(build)

    def ended(self, id_: str) -> dict[str, Any]:
        wait_until(lambda: bool(self.build(id_)["buildComplete"]))
        return self.build(id_)

    def said(self, id_: str) -> dict[str, Any]:
        log = self.logs / f"{id_.replace(':', '-')}.log"
        wait_until(lambda: log.exists() and b"\n" in log.read_bytes())
        return dict(json.loads(log.read_text().splitlines()[0]))


@pytest.fixture(scope="module")
def aws() -> Iterator[tuple[str, Callable[[str, str], Any]]]:
    """Return the local AWS's URL, and a function that creates clients by service and URL."""
    with local_aws() as url, ExitStack() as stack:
        session: Any = boto3.Session("test", "test", region_name="us-east-1")

        def client(service: str, at: str) -> Any:
            return stack.enter_context(closing(session.client(service, endpoint_url=at)))

        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as content:
            content.writestr("work/program.py", _PROGRAM)
        client("s3", url).create_bucket(Bucket=BUCKET)
        client("s3", url).put_object(Bucket=BUCKET, Key="code.zip", Body=archive.getvalue())
        yield url, client


@pytest.fixture
def bench(aws: tuple[str, Callable[[str, str], Any]], tmp_path: Path) -> Iterator[Bench]:
    url, client = aws
    events: list[Any] = []
    stand_in = CodeBuild(
        Passing(url),
        projects=client("codebuild", url),
        s3=client("s3", url),
        scratch=tmp_path / "scratch",
        logs=tmp_path / "logs",
        emit=lambda *event: events.append(event),
    )
    with serving(stopping(stand_in)) as own:
        yield Bench(client("codebuild", own), tmp_path / "logs", events)
    assert list((tmp_path / "scratch").glob("*")) == []


@pytest.fixture(autouse=True, scope="module")
def project(aws: tuple[str, Callable[[str, str], Any]]) -> None:
    url, client = aws
    commands = ["test -d work", "python -m work.program"]
    client("codebuild", url).create_project(
        name="film",
        source={
            "type": "S3",
            "location": f"{BUCKET}/code.zip",
            "buildspec": json.dumps({"version": "0.2", "phases": {"build": {"commands": commands}}}),
        },
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "ARM_CONTAINER",
            "image": "any",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{"name": "TASK", "value": "none"}, {"name": "KEPT", "value": "kept"}],
        },
        serviceRole="arn:aws:iam::000000000000:role/any",
    )


def test_a_build_runs_the_project_s_commands_with_its_start_parameters(bench: Bench) -> None:
    id_ = bench.start()
    assert id_.startswith("film:")
    build = bench.ended(id_)
    assert build["buildStatus"] == "SUCCEEDED"
    assert build["arn"].endswith(f":build/{id_}")
    said = bench.said(id_)
    assert (said["task"], said["kept"]) == ("given", "kept")
    assert Path(said["python"]).resolve() == Path(sys.executable).resolve()
    variables = {one["name"]: one["value"] for one in build["environment"]["environmentVariables"]}
    assert variables == {"TASK": "given", "KEPT": "kept", "THEN": ""}


def test_a_program_that_fails_is_a_failed_build(bench: Bench) -> None:
    id_ = bench.start("sys.exit(3)")
    assert bench.ended(id_)["buildStatus"] == "FAILED"
    wait_until(lambda: len(bench.events) == 1)
    [(source, kind, detail)] = bench.events
    assert (source, kind) == ("aws.codebuild", "CodeBuild Build State Change")
    assert (detail["build-status"], detail["project-name"]) == ("FAILED", "film")
    assert detail["build-id"].endswith(f":build/{id_}")


def test_a_program_that_is_killed_is_a_failed_build(bench: Bench) -> None:
    killed = bench.start(f"os.kill(os.getpid(), {signal.SIGKILL:d})")
    assert bench.ended(killed)["buildStatus"] == "FAILED"


def test_a_running_build_is_in_progress(bench: Bench) -> None:
    id_ = bench.start("import time; time.sleep(300)")
    bench.said(id_)
    assert bench.build(id_)["buildStatus"] == "IN_PROGRESS"


def test_a_build_ends_with_the_cloud(aws: tuple[str, Callable[[str, str], Any]], tmp_path: Path) -> None:
    url, client = aws
    stand_in = CodeBuild(
        Passing(url),
        projects=client("codebuild", url),
        s3=client("s3", url),
        scratch=tmp_path / "scratch",
        logs=tmp_path,
        emit=lambda *_: None,
    )
    with serving(stopping(stand_in)) as own:
        bench = Bench(client("codebuild", own), tmp_path, [])
        at = tmp_path / "pid"
        id_ = bench.start(f"open({str(at)!r}, 'w').write(str(os.getpid())); import time; time.sleep(300)")
        bench.said(id_)
        wait_until(lambda: at.exists() and bool(at.read_text()))
    wait_until(lambda: not alive(int(at.read_text())))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_duplicate_start_makes_one_build(bench: Bench) -> None:
    with ThreadPoolExecutor() as pool:  # the second comes while the first is looked at
        starts = [pool.submit(bench.start, idempotencyToken="a" * 64) for _ in range(2)]
    first, again = (start.result() for start in starts)
    assert first == again
    assert bench.start() != first


def test_a_missing_project_is_named(bench: Bench) -> None:
    with pytest.raises(ClientError) as refused:
        bench.client.start_build(projectName="other")
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert "other" in str(refused.value)


def test_unknown_builds_are_named(bench: Bench) -> None:
    assert bench.client.batch_get_builds(ids=["film:1"])["buildsNotFound"] == ["film:1"]


def test_everything_else_goes_to_ministack(bench: Bench) -> None:
    assert bench.client.list_projects()["projects"] == ["film"]

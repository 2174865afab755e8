"""The logs of engine servers, asked for as CloudWatch's."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from starlette.types import Receive, Scope, Send

from reelworks.cloud.services.engine_logs import EngineLogs
from tests.cloud.servers import local_aws, serving
from tests.cloud.test_codebuild_stand_in import Passing

GROUP = "/aws/sagemaker/Endpoints/reelworks-nano"


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Path]]:
    """A client of a cloud, and the folder with the servers' output."""
    folder = tmp_path_factory.mktemp("engines")
    with local_aws() as url:
        app = EngineLogs(Passing(url), folder)

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await app(scope, receive, send)

        session: Any = boto3.Session("test", "test", region_name="us-east-1")
        with serving(serve) as cloud, closing(session.client("logs", endpoint_url=cloud)) as client:
            yield client, folder


def line(second: int, event: str) -> str:
    return json.dumps({"time": f"2026-01-01T00:00:{second:02}.500Z", "event": event})


def read(client: Any, **query: Any) -> list[tuple[str, str]]:
    pages = client.get_paginator("filter_log_events").paginate(logGroupName=GROUP, **query)
    return [(event["logStreamName"], event["message"]) for page in pages for event in page["events"]]


def test_lines_of_all_servers_are_in_order(logs: tuple[Any, Path]) -> None:
    client, folder = logs
    (folder / "reelworks-nano-0.log.1").write_text(line(1, "before"))
    (folder / "reelworks-nano-0.log").write_text(f"{line(3, 'loaded')}\nTraceback\n{line(9, 'late')}\n")
    (folder / "reelworks-nano-1.log").write_text(line(2, "second server"))
    (folder / "reelworks-nano-i2v-0.log").write_text(line(1, "another engine"))
    assert read(client) == [
        ("0", line(1, "before")),
        ("1", line(2, "second server")),
        ("0", line(3, "loaded")),
        ("0", "Traceback"),
        ("0", line(9, "late")),
    ]
    at_ms = 1_767_225_600_000  # 2026-01-01
    assert read(client, startTime=at_ms + 3_000, endTime=at_ms + 9_500) == [
        ("0", line(3, "loaded")),
        ("0", "Traceback"),
    ]
    assert read(client, filterPattern='"second server"') == [("1", line(2, "second server"))]


@pytest.mark.parametrize("name", ["never-ran", "../engines/reelworks-nano", "reelworks-na*"])
def test_an_endpoint_that_never_ran_has_no_log(logs: tuple[Any, Path], name: str) -> None:
    client, folder = logs
    (folder / "reelworks-nano-0.log").write_text(line(1, "here"))
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.filter_log_events(logGroupName=f"/aws/sagemaker/Endpoints/{name}")


def test_other_groups_are_ministack_s(logs: tuple[Any, Path]) -> None:
    client, _ = logs
    client.create_log_group(logGroupName="/aws/lambda/Plan")
    client.create_log_stream(logGroupName="/aws/lambda/Plan", logStreamName="s")
    event = {"timestamp": 1_767_225_600_000, "message": "planned"}
    client.put_log_events(logGroupName="/aws/lambda/Plan", logStreamName="s", logEvents=[event])
    found = client.filter_log_events(logGroupName="/aws/lambda/Plan")["events"]
    assert [one["message"] for one in found] == ["planned"]

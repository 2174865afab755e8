"""A deployment's logs as the operator sees them."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from reelworks.deployment import Deployment, DeploymentError

GROUP = "/aws/lambda/reelworks-Plan"


@pytest.fixture
def logs() -> Iterator[tuple[Deployment, Stubber]]:
    clients = {
        name: boto3.client(name, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        for name in ("logs", "lambda")
    }
    with Stubber(clients["lambda"]) as functions, Stubber(clients["logs"]) as stubbed:
        functions.add_response("get_function_configuration", {"LoggingConfig": {"LogGroup": GROUP}})
        yield Deployment(clients.__getitem__, {"FunctionPlan": "reelworks-Plan"}), stubbed


def read(deployment: Deployment, video_id: str | None = None) -> list[dict[str, Any]]:
    return list(deployment.log_events(video_id=video_id, function=None, minutes=60))


def event(at_ms: int, message: str) -> dict[str, Any]:
    return {"timestamp": at_ms, "message": message + "\n"}


def test_lines_are_in_logging_order(logs: tuple[Deployment, Stubber]) -> None:
    """A function's lines may reach the log together when it ends."""
    deployment, stubbed = logs
    late = '{"timestamp": "1970-01-01 00:00:02,500+0000", "message": "late"}'
    early = '{"timestamp": "1970-01-01 00:00:01,250+0000", "message": "early"}'
    lines = [event(9_000, late), event(9_000, early), event(2_000, "START"), event(9_001, "[1]")]
    stubbed.add_response("filter_log_events", {"events": lines})
    found = [(line["at_ms"], line["message"]) for line in read(deployment)]
    assert [at_ms for at_ms, _ in found] == [1_250, 2_000, 2_500, 9_001]
    assert [found[0][1]["message"], found[1][1], found[3][1]] == ["early", "START", "[1]"]


def test_unreadable_logs_are_an_error_with_the_reason(logs: tuple[Deployment, Stubber]) -> None:
    deployment, stubbed = logs
    stubbed.add_client_error("filter_log_events", "AccessDeniedException", "not yours")
    with pytest.raises(DeploymentError, match="not yours"):
        read(deployment, video_id='a"b')

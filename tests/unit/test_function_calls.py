from typing import Any

import pytest

from reelworks.cloud.server.functions.calls import Call, call_of

CONFIG = {"FunctionName": "reelworks-Plan", "MemorySize": 512}


def call(event: Any, **config: Any) -> Call:
    return call_of({**CONFIG, **config}, event, is_step=False)


def rest(method: str = "GET", tenant: str | None = "acme") -> dict[str, Any]:
    authorizer = {"authorizer": {"tenant": tenant}} if tenant else {}
    return {"httpMethod": method, "path": "/v1/videos", "requestContext": {"requestId": "r", **authorizer}}


def authorize(key: str) -> dict[str, Any]:
    return {"type": "REQUEST", "methodArn": "arn:…", "headers": {"Authorization": key}, "requestContext": {}}


def test_a_step_belongs_to_its_tenant_and_film() -> None:
    found = call_of(CONFIG, {"token": "t", "tenant": "acme", "video_id": "v1", "clip": 3}, is_step=True)
    assert (found.owner, found.film, found.awaited) == ("acme", "v1", False)


def test_a_step_that_looks_like_a_request_is_still_a_step() -> None:
    found = call_of(CONFIG, {**rest(), "tenant": "acme", "video_id": "v1", "methodArn": "a"}, is_step=True)
    assert not found.awaited


@pytest.mark.parametrize(
    ("memory", "processors"), [(512, 512 / 1769), (1769, 1.0), (3008, 1.0), (None, 128 / 1769)]
)
def test_memory_determines_the_share_of_processors(memory: int | None, processors: float) -> None:
    found = call_of({**CONFIG, "MemorySize": memory}, {"tenant": "acme"}, is_step=True)
    assert found.processors == processors


@pytest.mark.parametrize(
    ("method", "is_read"), [("GET", True), ("HEAD", True), ("POST", False), ("DELETE", False)]
)
def test_a_client_waits_for_the_api(method: str, is_read: bool) -> None:
    found = call(rest(method))
    assert found.awaited
    assert (found.owner, found.is_read) == ("acme", is_read)


def test_a_request_without_authorizer_has_no_tenant() -> None:
    assert call(rest(tenant=None)).owner == ""


def test_a_client_waits_for_the_authorizer_and_keys_are_told_apart() -> None:
    first, second = call(authorize("Bearer rk-1")), call(authorize("Bearer rk-2"))
    assert first.awaited
    assert first.owner != second.owner
    assert first == call(authorize("Bearer rk-1"))
    assert "rk-1" not in repr(first)


def test_new_requests_are_awaited_and_other_events_are_not() -> None:
    assert call({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}).awaited
    assert not call({"Records": [{"EventSource": "aws:sns", "Sns": {}}]}).awaited
    assert not call({"detail-type": "Object Created", "source": "aws.s3"}).awaited


def test_a_client_waits_for_the_test_of_a_webhook() -> None:
    assert call({"test": {"tenant": "acme", "endpoint": "we_1"}}).awaited


@pytest.mark.parametrize(
    "event", [None, "text", 7, [], [{}], {}, {"Records": []}, {"Records": ["x"]}, {"headers": None}]
)
def test_any_event_is_a_call(event: Any) -> None:
    assert not call(event).awaited
    assert not call_of(CONFIG, event, is_step=True).awaited

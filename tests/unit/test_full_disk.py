"""A full disk is named, wherever it shows."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from lambdas.adapters.clients import client, translated
from lambdas.adapters.objects import Objects
from lambdas.domain.errors import DiskFull, ServiceUnavailable
from lambdas.production.task_token import answer

FULL = "Failed to persist output/films/a: [Errno 28] No space left on device: '/home/u/s3/a'"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with Stubber(boto3.client("s3", region_name="us-east-1")) as stub:
        yield stub


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (500, "InternalError", FULL, DiskFull),
        (500, "InternalError", "Failed to persist a: [Errno 122] Disk quota exceeded", DiskFull),
        (500, "InternalError", "We encountered an internal error.", ServiceUnavailable),
        (503, "SlowDown", "Please reduce your request rate.", ServiceUnavailable),
    ],
)
def test_a_write_says_why_it_failed(
    s3: Stubber, status: int, code: str, message: str, kind: type[Exception]
) -> None:
    s3.add_client_error("put_object", code, message, http_status_code=status)
    with pytest.raises(kind) as raised:
        Objects(s3.client, "output").put("films/a", b"film", "video/mp4")
    assert message in str(raised.value)


def test_a_key_that_names_a_full_disk_does_not_fill_it(s3: Stubber) -> None:
    s3.add_client_error("get_object", "NoSuchBucket", "No space left on device", http_status_code=404)
    with pytest.raises(Exception, match="NoSuchBucket") as raised, translated("get"):
        s3.client.get_object(Bucket="b", Key="No space left on device")
    assert not isinstance(raised.value, DiskFull)


@pytest.fixture
def step_functions(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client.cache_clear()
    yield client("stepfunctions")
    client.cache_clear()


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (OSError(28, "No space left on device"), "DiskFull"),
        (MemoryError(), "OutOfMemory"),
        (KeyError("x"), "KeyError"),
    ],
)
def test_a_task_answers_with_what_the_machine_ran_short_of(
    step_functions: Any, error: Exception, name: str
) -> None:
    def work() -> None:
        raise error

    with Stubber(step_functions) as stub:
        told: dict[str, str] = {}
        step_functions.meta.events.register(
            "before-parameter-build.sfn.SendTaskFailure", lambda params, **_: told.update(params)
        )
        stub.add_response("send_task_failure", {})
        with pytest.raises(type(error)):
            answer("token", work)
    assert told["error"] == name

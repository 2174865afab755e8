"""What AWS services answer, in place of the network: a client signs and sends as always."""

from collections.abc import Iterator
from functools import cache
from io import BytesIO
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse


@cache
def session() -> Any:
    """Return the tests' session. Each session reads botocore's models of the services again."""
    return boto3.Session("test", "test", region_name="us-east-1")


class _Raw(BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def answers(client: Any, *codes: str | None, body: bytes = b"{}") -> list[AWSPreparedRequest]:
    """Let the service answer each try with a throttling error's code, or (None) with `body`.

    Return the list to which each request is added as it is sent.
    """
    left = list(codes)
    sent: list[AWSPreparedRequest] = []

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        sent.append(request)
        code = left.pop(0)
        headers = {"x-amzn-ErrorType": code} if code else {}
        return AWSResponse(request.url, 429 if code else 200, headers, _Raw(b"{}" if code else body))

    client.meta.events.register("before-send", answer)
    return sent

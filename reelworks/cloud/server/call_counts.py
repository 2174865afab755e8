"""Count the calls that the functions make to AWS services: what AWS would bill and throttle.

A function's calls are known by their user agent, in which botocore writes AWS_SDK_UA_APP_ID as `app/NAME`
(functions/process.py sets it to the function's name). Each try of a call counts, as on AWS.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from reelworks.cloud.server.dispatch import signed_for

_CALLER = re.compile(r"\bapp/(\S+)")
# Operations of the services with paths, by the last part of the path (botocore's models of the services).
_OF_PATHS = {
    "async-invocations": "InvokeEndpointAsync",
    "converse": "Converse",
    "invocations": "Invoke",
    "invoke": "InvokeModel",
    "speech": "SynthesizeSpeech",
}


class _S3Call(NamedTuple):
    method: str
    on_key: bool  # else on a bucket
    with_: str  # a parameter of the query, or a header; "" for neither
    operation: str


# The first that fits (botocore's model of s3, 2006-03-01).
_S3_CALLS = (
    _S3Call("PUT", True, "partNumber", "UploadPart"),
    _S3Call("PUT", True, "x-amz-copy-source", "CopyObject"),
    _S3Call("PUT", True, "", "PutObject"),
    _S3Call("POST", True, "uploads", "CreateMultipartUpload"),
    _S3Call("POST", True, "uploadId", "CompleteMultipartUpload"),
    _S3Call("GET", True, "uploadId", "ListParts"),
    _S3Call("GET", True, "", "GetObject"),
    _S3Call("HEAD", True, "", "HeadObject"),
    _S3Call("DELETE", True, "uploadId", "AbortMultipartUpload"),
    _S3Call("DELETE", True, "", "DeleteObject"),
    _S3Call("GET", False, "list-type", "ListObjectsV2"),
    _S3Call("GET", False, "uploads", "ListMultipartUploads"),
)


class CallCounts:
    """ASGI middleware around the dispatcher."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._counts: Counter[tuple[str, str]] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (service := signed_for(scope)) is not None:
            headers = Headers(scope=scope)
            if caller := _CALLER.search(headers.get("user-agent", "")):
                self._counts[caller[1], f"{service} {_operation(service, scope, headers)}"] += 1
        await self._app(scope, receive, send)

    def report(self) -> dict[str, dict[str, int]]:
        """Return {function: {"service Operation": calls}}, since the cloud started."""
        found: dict[str, dict[str, int]] = {}
        for (caller, call), count in sorted(self._counts.items()):
            found.setdefault(caller, {})[call] = count
        return found


def _operation(service: str, scope: Scope, headers: Mapping[str, str]) -> str:
    """Return the name of the operation; the method where it is not known."""
    method, path = str(scope["method"]), str(scope["path"])
    if target := headers.get("x-amz-target"):
        return target.rpartition(".")[2]
    if service == "s3":
        given = {*parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True), *headers}
        on_key = bool(path.lstrip("/").partition("/")[2])
        for call in _S3_CALLS:
            if (call.method, call.on_key) == (method, on_key) and call.with_ in ("", *given):
                return call.operation
    return _OF_PATHS.get(path.rpartition("/")[2], method)

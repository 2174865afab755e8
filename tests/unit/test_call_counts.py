"""Which function's calls are counted, and as which operation."""

import asyncio
from typing import Any

import pytest

from reelworks.cloud.server.call_counts import CallCounts

PLAN = "Boto3/1.43.106 md/Botocore#1.43.106 cfg/retry-mode#standard app/reelworks-Plan Botocore/1.43.106"


class Inside:
    """The counts around an app that remembers what reaches it."""

    def __init__(self) -> None:
        self.reached: list[Any] = []
        self.counts = CallCounts(self._app)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached.append(scope)

    def ask(
        self, service: str, method: str, path: str, query: str = "", agent: str = PLAN, **headers: str
    ) -> None:
        credential = f"AKIA/20260102/us-east-1/{service}/aws4_request"
        sent = {
            "authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host",
            "user-agent": agent,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        }
        asyncio.run(self.counts(scope, None, None))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("service", "method", "path", "query", "headers", "operation"),
    [
        ("dynamodb", "POST", "/", "", {"x_amz_target": "DynamoDB_20120810.GetItem"}, "GetItem"),
        ("states", "POST", "/", "", {"x_amz_target": "AWSStepFunctions.StartExecution"}, "StartExecution"),
        ("sqs", "POST", "/", "", {"x_amz_target": "AmazonSQS.SendMessage"}, "SendMessage"),
        ("s3", "PUT", "/bucket/a/key", "", {}, "PutObject"),
        ("s3", "PUT", "/bucket/a/key", "", {"x_amz_copy_source": "bucket/b"}, "CopyObject"),
        ("s3", "PUT", "/bucket/key", "partNumber=2&uploadId=u", {}, "UploadPart"),
        ("s3", "POST", "/bucket/key", "uploads", {}, "CreateMultipartUpload"),
        ("s3", "POST", "/bucket/key", "uploadId=u", {}, "CompleteMultipartUpload"),
        ("s3", "GET", "/bucket/key", "", {"range": "bytes=0-1"}, "GetObject"),
        ("s3", "GET", "/bucket/key", "uploadId=u", {}, "ListParts"),
        ("s3", "HEAD", "/bucket/key", "", {}, "HeadObject"),
        ("s3", "DELETE", "/bucket/key", "", {}, "DeleteObject"),
        ("s3", "GET", "/bucket", "list-type=2&prefix=a", {}, "ListObjectsV2"),
        ("s3", "GET", "/bucket/", "uploads&prefix=a", {}, "ListMultipartUploads"),
        ("bedrock", "POST", "/model/a.b-v1:0/converse", "", {}, "Converse"),
        ("bedrock", "POST", "/model/a.b-v1:0/invoke", "", {}, "InvokeModel"),
        ("polly", "POST", "/v1/speech", "", {}, "SynthesizeSpeech"),
        ("sagemaker", "POST", "/endpoints/e/async-invocations", "", {}, "InvokeEndpointAsync"),
        ("lambda", "POST", "/2015-03-31/functions/f/invocations", "", {}, "Invoke"),
        ("sns", "POST", "/", "", {}, "POST"),
    ],
)
def test_a_call_is_counted_by_its_operation(
    service: str, method: str, path: str, query: str, headers: dict[str, str], operation: str
) -> None:
    inside = Inside()
    inside.ask(service, method, path, query, **headers)
    assert inside.counts.report() == {"reelworks-Plan": {f"{service} {operation}": 1}}
    assert len(inside.reached) == 1


def test_each_function_has_its_own_counts() -> None:
    inside = Inside()
    for name in ("one", "two", "two"):
        inside.ask("s3", "GET", "/bucket/key", agent=f"Boto3/1 app/{name}")
    assert inside.counts.report() == {"one": {"s3 GetObject": 1}, "two": {"s3 GetObject": 2}}


def test_calls_of_others_pass_uncounted() -> None:
    """Those of the cloud itself and of users, and requests that are not signed."""
    inside = Inside()
    inside.ask("s3", "GET", "/bucket/key", agent="Boto3/1.43.106")
    asyncio.run(
        inside.counts(
            {"type": "http", "method": "GET", "path": "/v1/videos", "query_string": b"", "headers": []},
            None,  # type: ignore[arg-type]
            None,  # type: ignore[arg-type]
        )
    )
    asyncio.run(inside.counts({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert inside.counts.report() == {}
    assert len(inside.reached) == 3

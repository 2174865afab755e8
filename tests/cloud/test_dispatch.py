import asyncio
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config

from reelworks.cloud.deployment_record import RestApi
from reelworks.cloud.lifecycle.cloud_status import Status
from reelworks.cloud.server.dispatch import Dispatcher, signed_for
from tests.cloud import small_stack

CREDENTIAL = "AKIA/20260102/us-east-1/{}/aws4_request"


def signed(service: str) -> list[tuple[bytes, bytes]]:
    credential = CREDENTIAL.format(service)
    return [(b"authorization", f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host".encode())]


class Named:
    """An app that remembers the scopes it was called with."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)


class Inside:
    """A dispatcher among recording apps."""

    def __init__(self, api: RestApi | None = None) -> None:
        self.ministack, self.sagemaker, self.sent = Named(), Named(), list[Any]()
        self.dispatcher = Dispatcher(self.ministack, {"sagemaker": self.sagemaker}, lambda: api)

    def ask(
        self, path: str, headers: list[tuple[bytes, bytes]] | None = None, query: str = "", **scope: Any
    ) -> None:
        async def send(message: Any) -> None:
            self.sent.append(message)

        scope = {
            "type": "http",
            "path": path,
            "headers": headers or [],
            "query_string": query.encode(),
            **scope,
        }
        asyncio.run(self.dispatcher(scope, None, send))  # type: ignore[arg-type]


def test_a_request_signed_for_a_stand_in_goes_there() -> None:
    inside = Inside()
    inside.ask("/endpoints/e/async-invocations", signed("sagemaker"))
    inside.ask("/x", query="X-Amz-Credential=" + CREDENTIAL.format("sagemaker").replace("/", "%2F"))
    assert (len(inside.sagemaker.scopes), len(inside.ministack.scopes)) == (2, 0)


@pytest.mark.parametrize("headers", [signed("s3"), [], [(b"authorization", b"Bearer sagemaker")]])
def test_everything_else_goes_to_ministack_unchanged(headers: list[tuple[bytes, bytes]]) -> None:
    inside = Inside(RestApi("abc", "live"))
    inside.ask("/bucket/v1/key", headers)
    assert [scope["path"] for scope in inside.ministack.scopes] == ["/bucket/v1/key"]
    assert not inside.sagemaker.scopes


def test_a_bearer_token_that_looks_like_a_signature_is_not_one() -> None:
    inside = Inside()
    inside.ask("/x", [(b"authorization", f"Bearer {CREDENTIAL.format('sagemaker')}".encode())])
    assert not inside.sagemaker.scopes


def test_lifespan_goes_to_ministack() -> None:
    inside = Inside()
    inside.ask("", type="lifespan")
    assert inside.ministack.scopes[0]["type"] == "lifespan"


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/videos"])
def test_v1_is_the_deployed_api(path: str) -> None:
    inside = Inside(RestApi("abc", "live"))
    inside.ask(path, raw_path=path.encode())
    (scope,) = inside.ministack.scopes
    assert scope["path"] == f"/_aws/execute-api/abc/live{path}"
    assert scope["raw_path"] == scope["path"].encode()


def test_the_raw_path_keeps_its_encoding() -> None:
    inside = Inside(RestApi("abc", "live"))
    inside.ask("/v1/videos/a b", raw_path=b"/v1/videos/a%20b")
    assert inside.ministack.scopes[0]["raw_path"] == b"/_aws/execute-api/abc/live/v1/videos/a%20b"


def test_signed_v1_paths_are_not_the_api() -> None:
    """AWS services have operations at /v1 too, AWS Batch for one."""
    inside = Inside(RestApi("abc", "live"))
    inside.ask("/v1/describejobs", signed("batch"))
    assert inside.ministack.scopes[0]["path"] == "/v1/describejobs"


def test_v1_without_a_deployment_returns_an_error_in_openai_s_shape() -> None:
    inside = Inside(api=None)
    inside.ask("/v1/videos")
    assert inside.sent[0]["status"] == 503
    assert b'"code":"not_deployed"' in inside.sent[1]["body"]
    assert not inside.ministack.scopes


@pytest.mark.parametrize(
    ("client", "service"),
    [("sagemaker-runtime", "sagemaker"), ("bedrock-runtime", "bedrock"), ("polly", "polly"), ("s3", "s3")],
)
def test_boto3_signs_with_the_names_we_dispatch_on(client: str, service: str) -> None:
    """Read from a real signed request of each client, which is never sent."""
    made: list[Any] = []
    aws = boto3.client(
        client,  # type: ignore[call-overload]
        "us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        endpoint_url="http://127.0.0.1:1",
        config=Config(retries={"total_max_attempts": 1}),
    )

    def keep(request: Any, **_: Any) -> Any:
        made.append(request)
        return httpx.Response(500)

    aws.meta.events.register("before-send", keep)
    calls = {
        "sagemaker-runtime": lambda: aws.invoke_endpoint_async(EndpointName="e", InputLocation="s3://a/b"),
        "bedrock-runtime": lambda: aws.converse(modelId="m", messages=[]),
        "polly": lambda: aws.describe_voices(),
        "s3": lambda: aws.list_buckets(),
    }
    with pytest.raises(Exception):  # noqa: B017  the kept request got no answer
        calls[client]()
    headers = [(name.lower().encode(), _bytes(value)) for name, value in made[0].headers.items()]
    assert signed_for({"type": "http", "headers": headers, "query_string": b""}) == service


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def test_the_running_cloud_serves_its_api_at_v1(cloud: Status) -> None:
    answer = httpx.get(
        f"{cloud.base_url}/videos", params={"limit": 1}, headers={"Authorization": "Bearer x"}, timeout=30
    ).json()
    assert answer["path"] == "/v1/videos"
    assert answer["headers"]["authorization"] == "Bearer x"


def test_the_running_cloud_answers_for_sagemaker(cloud: Status) -> None:
    """ministack has no SageMaker; the stand-in rejects an endpoint whose model is missing."""
    runtime = small_stack.aws(cloud, "sagemaker-runtime")
    with pytest.raises(runtime.exceptions.ClientError, match="Endpoint small-nothing not found"):
        runtime.invoke_endpoint_async(EndpointName="small-nothing", InputLocation="s3://a/b")

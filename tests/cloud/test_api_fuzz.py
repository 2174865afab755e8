"""What schemathesis makes of the API's document is answered as the document says."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lambdas.api import app, authorizer
from lambdas.domain.names import PUBLIC_PATHS
from tests.api_fuzz import fuzz
from tests.cloud.deployment import Context, Deployment, rest_event
from tests.cloud.servers import serving

# They ask services and functions that only a cloud has.
OF_OTHERS = ("list_voices", "hear_voice", "enhance_prompt", "test_webhook_endpoint")


def authorized_gateway() -> ASGIApp:
    """Call the authorizer and the function as API Gateway does."""

    def answered(event: dict[str, Any]) -> Response:
        if event["path"] not in PUBLIC_PATHS:
            try:
                caller = authorizer.handler(event | {"methodArn": "arn/api/GET/v1"}, Context())
            except Exception:  # noqa: BLE001 - as the gateway, whatever it is
                error = {
                    "message": "No.",
                    "type": "invalid_request_error",
                    "param": None,
                    "code": "invalid_api_key",
                }
                headers = {"content-type": "application/json", "x-request-id": "1"}
                return Response(json.dumps({"error": error}), 401, headers)
            event["requestContext"]["authorizer"] = caller["context"]
        raw = app.handler(event, Context())
        headers = {name: values[0] for name, values in raw["multiValueHeaders"].items()}
        return Response(raw["body"], raw["statusCode"], headers)

    async def answer(request: Request) -> Response:
        body, kind = await request.body(), request.headers.get("content-type", "")
        text = None if kind.startswith("multipart/form-data") else body.decode("utf-8", "replace")
        event = rest_event(
            request.method,
            request.scope["path"],  # its URL leaves control characters out
            body=body if text is None else text or None,
            headers=dict(request.headers),
            query=dict(request.query_params) or None,
        )
        return await run_in_threadpool(answered, event)

    async def app_(scope: Scope, receive: Receive, send: Send) -> None:
        await (await answer(Request(scope, receive)))(scope, receive, send)

    return app_


@pytest.fixture
def origin() -> Iterator[str]:
    with serving(authorized_gateway()) as url:
        yield url


def test_every_answer_is_documented(polly: None, aws: Deployment, origin: str) -> None:
    key = "rk-" + "f" * 40
    aws.api_keys.register(key, "fuzz", "fuzz")
    fuzzed = fuzz(origin, key, examples=7, phases="examples,fuzzing,stateful", without=OF_OTHERS)
    assert fuzzed.passed, fuzzed.output
    assert fuzzed.cases >= 375


def test_without_a_key_everything_is_refused(aws: Deployment, origin: str) -> None:
    fuzzed = fuzz(origin, None, examples=4, phases="fuzzing")
    assert fuzzed.passed, fuzzed.output
    assert fuzzed.cases >= 125

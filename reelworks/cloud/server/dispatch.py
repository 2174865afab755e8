"""Route each request to a stand-in, the deployed REST API, or ministack.

A signed request names its service in the credential scope of AWS Signature Version 4
(docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html), so a function needs no
setting but AWS_ENDPOINT_URL to reach the stand-ins.
"""

import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lambdas.domain.names import COMPRESSED_FROM_BYTES
from reelworks.cloud.deployment_record import RestApi
from reelworks.cloud.server.access import is_api

# Credential=<key id>/<date>/<region>/<service>/aws4_request
_SCOPE = re.compile(r"[^/,\s]+/\d{8}/[^/,\s]+/([^/,\s]+)/aws4_request")


class Dispatcher:
    """Route requests. `stand_ins` are keyed by the service name that their requests are signed for; `api` is
    called for each request to the REST API."""

    def __init__(
        self, ministack: ASGIApp, stand_ins: Mapping[str, ASGIApp], api: Callable[[], RestApi | None]
    ) -> None:
        self._ministack = ministack
        # API Gateway's MinimumCompressionSize, which ministack stores only. Level 6 is zlib's own.
        self._gateway = GZipMiddleware(_lowercase(ministack), COMPRESSED_FROM_BYTES, compresslevel=6)
        self._stand_ins = stand_ins
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service = signed_for(scope) if scope["type"] == "http" else None
        stand_in = self._stand_ins.get(service or "")
        if stand_in:
            await stand_in(scope, receive, send)
        elif service is None and scope["type"] == "http" and is_api(scope["path"]):
            await self._call_api(scope, receive, send)
        else:
            await self._ministack(scope, receive, send)

    async def _call_api(self, scope: Scope, receive: Receive, send: Send) -> None:
        api = self._api()
        if api is None:
            await _not_deployed(scope, receive, send)
            return
        # ministack's path for an API without a host name (ministack/app.py, _parse_execute_api_url)
        prefix = f"/_aws/execute-api/{api.id}/{api.stage}"
        raw_path = scope.get("raw_path") or scope["path"].encode()
        await self._gateway(
            {**scope, "path": prefix + scope["path"], "raw_path": prefix.encode() + raw_path}, receive, send
        )


def signed_for(scope: Scope) -> str | None:
    """Return the service in a request's signature; None if unsigned (Cognito sign-in, the REST API)."""
    authorization = Headers(scope=scope).get("authorization", "")
    if authorization.startswith("AWS4-"):
        credential = authorization
    else:
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        credential = query.get("X-Amz-Credential", [""])[0]
    match = _SCOPE.search(credential)
    return match[1] if match else None


def _lowercase(app: ASGIApp) -> ASGIApp:
    """Write the names of headers as ASGI requires: otherwise middleware adds those that it should replace."""

    async def lowercase(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(name.lower(), value) for name, value in message.get("headers", [])]
                message = {**message, "headers": headers}
            await send(message)

        await app(scope, receive, sending)

    return lowercase


async def _not_deployed(scope: Scope, receive: Receive, send: Send) -> None:
    error = {
        "message": "The cloud is starting: its API is not deployed yet.",
        "type": "server_error",
        "param": None,
        "code": "not_deployed",
    }
    await JSONResponse({"error": error}, 503, {"retry-after": "1"})(scope, receive, send)

"""The server over streamable HTTP, for callers on this PC that know the API key.

Whoever can call it makes films on the key's account and writes files as its user. Other users of the PC can
reach a port on loopback, too, and web pages can by rebinding their name, so both are refused
(reelworks.cloud.server.guard).
"""

import hmac
from pathlib import Path

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from reelworks.client import find_address
from reelworks.cloud.server.guard import LOOPBACK_NAMES, Guard
from reelworks.mcp.server import server

HOST = "127.0.0.1"


def serve(folder: Path, port: int) -> None:
    """Serve until the process is ended. Raises NoAddress."""
    uvicorn.run(app(folder, port, find_address().api_key), host=HOST, port=port, log_level="warning")


def app(folder: Path, port: int, api_key: str) -> ASGIApp:
    hosts = [f"{name}:{port}" for name in LOOPBACK_NAMES]
    security = TransportSecuritySettings(
        allowed_hosts=hosts, allowed_origins=[f"http://{host}" for host in hosts]
    )
    return Guard(_Key(server(folder).streamable_http_app(transport_security=security), api_key), port)


class _Key:
    """ASGI middleware that lets callers with the API key pass."""

    def __init__(self, inner: ASGIApp, api_key: str) -> None:
        self._inner = inner
        self._expected = f"Bearer {api_key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = Headers(scope=scope).get("authorization", "").encode()
            if not hmac.compare_digest(given, self._expected):
                refusal = PlainTextResponse("Send `Authorization: Bearer …` with the API key.\n", 401)
                await refusal(scope, receive, send)
                return
        await self._inner(scope, receive, send)

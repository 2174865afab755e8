"""Keep other machines, and web pages open in this machine's browser, out of the PC's cloud.

The cloud runs any code it receives, so a page that could reach it could run a program here. A page is
recognized by its Origin or Sec-Fetch-Site header; a page that rebound its own DNS name to 127.0.0.1, by the
Host header. A refused request goes no further.
"""

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import unquote

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")

# `none` is the address bar. `same-site` is refused: a page on another port of localhost is same-site.
OWN_FETCHES = frozenset({"same-origin", "none"})

# ministack's routes that reset it, change its settings or read its mail. Functions need none of them:
# they receive their code in-process, and the stack has no custom resource.
ADMIN_SEGMENTS = frozenset({"_ministack", "_localstack"})


class Guard:
    """ASGI middleware in front of everything else. `port` is the port that clients connect to."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._hosts = frozenset(f"{name}:{port}" for name in LOOPBACK_NAMES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            await receive()  # the websocket.connect that the refusal must answer
            await send({"type": "websocket.close", "code": 1008})
        elif reason := self._refusal(scope):
            await PlainTextResponse(f"Refused: {reason}.\n", 403)(scope, receive, send)
        elif is_admin(scope["path"]):
            await PlainTextResponse("Not found.\n", 404)(scope, receive, send)
        else:
            await self._app(scope, receive, _without_cors(send))

    def _refusal(self, scope: Scope) -> str | None:
        client = scope.get("client")
        if client is None or not _is_loopback(client[0]):
            return "the caller is another machine"
        hosts = _values(scope, b"host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return "the Host header is not this cloud's address"
        # The same name, too: who listens on the port at [::1] may be somebody else.
        if any(origin.lower() != f"http://{hosts[0].lower()}" for origin in _values(scope, b"origin")):
            return "the request comes from a web page on another origin"
        if any(site.lower() not in OWN_FETCHES for site in _values(scope, b"sec-fetch-site")):
            return "the request comes from a web page on another site"
        return None


def is_admin(path: str) -> bool:
    """Return whether a path, in any encoding or spelling, leads to ministack's own routes."""
    while (decoded := unquote(path)) != path:
        path = decoded
    segments: list[str] = []
    for segment in re.split(r"[/\\]+", path.casefold()):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment.partition(";")[0].strip())
    return bool(segments) and segments[0] in ADMIN_SEGMENTS


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _values(scope: Scope, name: bytes) -> list[str]:
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return [value.decode("latin-1").strip() for key, value in headers if key == name]


def _without_cors(send: Send) -> Send:
    """Remove the CORS headers: ministack allows every origin, but only our own page may read a response."""

    async def filtered(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message.get("headers", [])
            kept = [pair for pair in headers if not pair[0].lower().startswith(b"access-control-")]
            message = {**message, "headers": kept}
        await send(message)

    return filtered

"""Let only the program that started the server call it.

On a PC, every user of the machine can reach a server's loopback port. The PC's cloud gives each server a
token in its environment, which other users can't read, and sends it with each request. A container on
SageMaker gets none: nothing but SageMaker reaches it.
"""

import hmac
import os

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

TOKEN = "REELWORKS_ENGINE_TOKEN"  # noqa: S105  the name of a variable


class OwnCallerOnly:
    """ASGI middleware that refuses a request without the environment's token, if that has one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode() if (token := os.environ.pop(TOKEN, "")) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._expected is None or self._is_own(scope):
            await self._app(scope, receive, send)
            return
        message = "this server answers only the program that started it"
        error = {"code": "access_denied", "param": None, "message": message}
        await JSONResponse({"error": error}, status_code=403)(scope, receive, send)

    def _is_own(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(given) == 1 and hmac.compare_digest(given[0], self._expected or b"")

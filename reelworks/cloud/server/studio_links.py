"""One-time links into the studio, so that the API key is in no address that a browser keeps.

    POST /studio/link     with the API key (`reel studio`): makes a link, whose fragment has a code
    POST /studio/session  with the code, once, within LINK_SECONDS: gives the studio's page the API key

A fragment is not sent, and the page removes it at once. Codes are kept in memory only, as hashes. The guard
refuses both paths to every page that is not of this origin.

The page has one address, that of the links to films: at http://localhost it could show none of them.
"""

import hashlib
import secrets
import time
from collections import deque
from collections.abc import Callable
from hmac import compare_digest

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lambdas.domain.documents import json_object
from lambdas.domain.names import STUDIO_PATH
from reelworks.cloud.credentials import LOCAL_TENANT
from reelworks.cloud.server import bodies
from reelworks.cloud.server.refusals import api_error
from reelworks.cloud.server.signatures import Refused

LINK_PATH = STUDIO_PATH + "link"
SESSION_PATH = STUDIO_PATH + "session"
LINK_SECONDS = 60.0
MOST_LINKS = 5  # that can be used; with one more, the oldest can't
_CODE_BYTES = 32
_BODY_BYTES = 4096
_TRIES = 30  # wrong ones of both paths, within _TRIES_SECONDS
_TRIES_SECONDS = 60.0

_NEW_LINK = "Run `reel studio` again: it opens a new one."


class StudioLinks:
    """ASGI middleware in front of access control. `api_key` returns the local tenant's key; `base_url` is
    the cloud's address."""

    def __init__(
        self,
        app: ASGIApp,
        api_key: Callable[[], str],
        base_url: str,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._api_key = api_key
        self._base_url = base_url
        self._now = now
        self._codes: deque[tuple[bytes, float]] = deque(maxlen=MOST_LINKS)  # hash, valid until; oldest first
        self._wrong: deque[float] = deque()  # when wrong keys and codes came

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == LINK_PATH:
            answer = self._limited() or self._link(Headers(scope=scope).get("authorization", ""))
        elif scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == SESSION_PATH:
            try:
                body = await bodies.whole(receive, _BODY_BYTES)
            except bodies.ClientGone:
                return
            except Refused:
                answer = api_error(413, "request_too_large", f"A code has at most {_BODY_BYTES:,} bytes.")
            else:
                answer = self._limited() or self._session(json_object(body).get("code"))
        elif self._is_page_elsewhere(scope):
            answer = RedirectResponse(self._base_url + STUDIO_PATH, 307)
        else:
            await self._app(scope, receive, send)
            return
        answer.headers["cache-control"] = "no-store"
        await answer(scope, receive, send)

    def _is_page_elsewhere(self, scope: Scope) -> bool:
        """Return whether the studio's page is asked for under another name of this machine."""
        if scope["type"] != "http" or scope["path"] not in (STUDIO_PATH, STUDIO_PATH.rstrip("/")):
            return False
        return f"http://{Headers(scope=scope).get('host', '')}" != self._base_url

    def _limited(self) -> Response | None:
        """Return the answer if there were too many wrong tries."""
        while self._wrong and self._wrong[0] <= self._now() - _TRIES_SECONDS:
            self._wrong.popleft()
        if len(self._wrong) < _TRIES:
            return None
        refusal = api_error(429, "rate_limit_exceeded", "Too many wrong keys and codes: wait a minute.")
        refusal.headers["retry-after"] = f"{_TRIES_SECONDS:.0f}"
        return refusal

    def _link(self, authorization: str) -> Response:
        if not compare_digest(_hash(authorization), _hash(f"Bearer {self._api_key()}")):
            self._wrong.append(self._now())
            return api_error(401, "invalid_api_key", "Send this PC's API key: Authorization: Bearer KEY.")
        code = secrets.token_urlsafe(_CODE_BYTES)
        self._codes.append((_hash(code), self._now() + LINK_SECONDS))
        url = f"{self._base_url}{STUDIO_PATH}#code={code}"
        return JSONResponse({"url": url, "expires_in": round(LINK_SECONDS)})

    def _session(self, code: object) -> Response:
        sent = _hash(code if isinstance(code, str) else "")
        found = None
        for known in self._codes:  # each, so that the time says nothing
            if compare_digest(known[0], sent):
                found = known
        if found is None:
            self._wrong.append(self._now())
            return api_error(401, "invalid_code", f"This link is unknown or was used already. {_NEW_LINK}")
        self._codes.remove(found)
        if self._now() >= found[1]:
            return api_error(401, "expired_code", f"This link was valid for a minute. {_NEW_LINK}")
        return JSONResponse({"api_key": self._api_key(), "tenant": LOCAL_TENANT})


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()

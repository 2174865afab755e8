"""Let a request in only if its caller may make it: the machine's other users can reach the port, too.

    /v1…, /v1beta/…           the REST API, whose authorizer checks the API key or token
    /openapi.json, /docs      the REST API's document, for anyone
    GET /studio/…             the studio's files, for anyone (its links: studio_links.py)
    GET …/.well-known/…       the user pool's public keys
    sign-in to the user pool  carries a password or what was given for one (sign_in.py)
    an S3 upload form         its policy is signed
    all others                are signed with the cloud's secret (signatures.py)

A body is bounded and, if it is signed, verified before the app acts on it (bodies.py).
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lambdas.domain.documents import json_object
from lambdas.domain.names import GOOGLE_KEY_HEADER, GOOGLE_PATH, PUBLIC_PATHS, STUDIO_PATH
from reelworks.cloud.addresses import API_PATH
from reelworks.cloud.credentials import Credentials
from reelworks.cloud.server import bodies, signatures
from reelworks.cloud.server.refusals import api_error, refusal
from reelworks.cloud.server.sign_in import TARGET, SignIns
from reelworks.cloud.server.signatures import CONTENT_SHA256, UNSIGNED_PAYLOAD, Refused, Signature, Verifier
from reelworks.cloud.services.wire import replayed

MIB = 1024 * 1024
API_BYTES = 10 * MIB  # API Gateway's limit
UNKNOWN_CALLER_BYTES = 64 * 1024  # of the REST API's callers, before it has said that it knows them
UNVERIFIED_BYTES = 256 * MIB  # of all bodies at once whose signatures can't be verified yet
SIGN_IN_BYTES = 64 * 1024
OBJECT_BYTES = 5 * 1024 * MIB  # S3's limit of one PUT; it is passed on as it arrives
FORM_BYTES = 100 * MIB  # of a form whose policy states no limit
CALL_BYTES = 16 * MIB  # DynamoDB's limit, which is the highest of the services with small calls
# Lambda takes 50 MB of code and Bedrock 25 MB of pictures, both in base64.
LARGER_CALLS = {"lambda": 70 * MIB, "bedrock": 40 * MIB}

# S3 reads a form's fields up to its file; 20 KB are its limit for them.
_FORM_FIELDS_BYTES = 20 * 1024
_BUCKET = re.compile(r"/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/?")
_POOL_KEYS = re.compile(r"/[a-z0-9-]+_[A-Za-z0-9]+/\.well-known/(jwks\.json|openid-configuration)")
_SMALL = API_PATH + "/models"
_ERRORS = 400  # statuses from here on
_KNOWN = 403  # of a key that may create videos, but not read
_UNCHANGING = frozenset({"GET", "HEAD", "OPTIONS"})
_CHUNKED = ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
_UNSIGNED = frozenset({UNSIGNED_PAYLOAD, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"})

# Returns (name, file name, headers, value) of each part of a multipart form.
FormParser = Callable[[str, bytes], list[tuple[str, str | None, dict[str, str], bytes]]]


class Access:
    """ASGI middleware in front of the dispatcher. `parse_form` is ministack's own parser: with another one, a
    form could mean one thing here and another there."""

    def __init__(
        self,
        app: ASGIApp,
        credentials: Credentials,
        parse_form: FormParser,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._app = app
        self._credentials = credentials
        self._verifier = Verifier(credentials, now)
        self._parse_form = parse_form
        self._sign_ins = SignIns()
        self._unverified = bodies.Unverified(UNVERIFIED_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        request = None
        try:
            request = signatures.Request(scope)
            await self._admit(request, scope, receive, sending)
        except bodies.ClientGone:
            return
        except Refused as refused:
            if request is None:
                await Response(refused.message, 400)(scope, receive, send)
            elif not started:  # else the connection breaks off, which is all that is left
                await refusal(refused, request)(scope, receive, send)

    async def _admit(self, request: signatures.Request, scope: Scope, receive: Receive, send: Send) -> None:
        if request.in_header or request.in_query:
            await self._signed(request, scope, receive, send)
        elif is_api(scope["path"]):
            await self._api(request, scope, receive, send)
        elif request.method == "GET" and not request.query and _POOL_KEYS.fullmatch(scope["path"]):
            await self._app(_bare(scope), receive, send)
        elif _is_sign_in(request, scope):
            await self._sign_in(request, scope, receive, send)
        elif _is_form(request, scope):
            await self._form(request, scope, receive, send)
        else:
            raise Refused("missing")

    # --- signed

    async def _signed(self, request: signatures.Request, scope: Scope, receive: Receive, send: Send) -> None:
        claimed = self._verifier.claimed(request)
        if request.in_query:
            # A client that the REST API redirects to a link of the same host sends its API key there, too.
            scope = bodies.with_headers(scope, {"authorization": None})
        if claimed is None:
            self._verifier.verify_old_link(request)
            await self._stream(request, scope, receive, send, "s3", None)
            return
        stated = request.header(CONTENT_SHA256) or _parameter(request, CONTENT_SHA256)
        if claimed.service == "s3":
            await self._signed_for_s3(request, claimed, stated, scope, receive, send)
            return
        limit = LARGER_CALLS.get(claimed.service, CALL_BYTES)
        bodies.check_stated_length(request.headers, limit, claimed.service)
        if stated:  # then a wrong signature is refused before its body is read
            self._verifier.verify(request, claimed, stated)
            body = await bodies.whole(receive, limit, claimed.service)
        else:
            body = await self._unverified.whole(receive, limit, claimed.service)
        actual = sha256(body).hexdigest()
        if not stated:
            self._verifier.verify(request, claimed, actual)
        elif stated not in (actual, UNSIGNED_PAYLOAD):
            raise Refused("content", service=claimed.service)
        scope, body = _inflated(request, scope, body, limit, claimed.service)
        if _pool_operation(request):
            send = self._remembering(body, send)
        await self._app(scope, replayed(body, receive), send)

    async def _signed_for_s3(
        self,
        request: signatures.Request,
        claimed: Signature,
        stated: str,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        if not stated and not claimed.is_link:
            raise Refused("malformed", f"Missing required header for this request: {CONTENT_SHA256}", "s3")
        payload = stated or UNSIGNED_PAYLOAD
        seed = self._verifier.verify(request, claimed, payload)
        if payload in _CHUNKED:
            bodies.check_stated_length(request.headers, OBJECT_BYTES, "s3")
            body = await bodies.whole(receive, OBJECT_BYTES, "s3")
            trailer = payload == _CHUNKED[1]
            if not signatures.chunks_are_signed(body, claimed, self._credentials, seed, trailer=trailer):
                raise Refused("mismatch", service="s3")
            await self._app(scope, replayed(body, receive), send)
        elif payload in _UNSIGNED:
            await self._stream(request, scope, receive, send, "s3", None)
        elif re.fullmatch(r"[0-9a-f]{64}", payload):
            await self._stream(request, scope, receive, send, "s3", payload)
        else:
            raise Refused(
                "malformed",
                f"{CONTENT_SHA256} must be {UNSIGNED_PAYLOAD}, STREAMING-… or a valid sha256 value.",
                "s3",
            )

    async def _stream(
        self,
        request: signatures.Request,
        scope: Scope,
        receive: Receive,
        send: Send,
        service: str,
        sha256_hex: str | None,
    ) -> None:
        """Pass on an S3 request whose body is verified as it arrives."""
        if request.in_query:
            _check_link(request)
        bodies.check_stated_length(request.headers, OBJECT_BYTES, service)
        stream = bodies.Stream(receive, OBJECT_BYTES, service, sha256_hex)
        await self._app(scope, stream, send)
        if stream.problem:
            raise stream.problem

    # --- unsigned

    async def _api(self, request: signatures.Request, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on to the REST API's own authorizer. Without a key, its body is not even read: a
        browser sends a form across sites without asking, but never with one of these headers."""
        of_google = scope["path"].startswith(GOOGLE_PATH)
        credential = ", ".join(request.headers.get(GOOGLE_KEY_HEADER if of_google else "authorization", []))
        if request.method not in _UNCHANGING and not credential:
            sends = f"{GOOGLE_KEY_HEADER}: KEY" if of_google else "Authorization: Bearer KEY"
            await api_error(401, "invalid_api_key", f"Send a valid API key or token: {sends}.")(
                scope, receive, send
            )
            return
        too_large = api_error(413, "request_too_large", f"A request may have at most {API_BYTES:,} bytes.")
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            bodies.check_stated_length(request.headers, API_BYTES, None)
            bearer = f"Bearer {credential}" if of_google else credential
            if _may_be_large(request) and await self._api_refuses(scope, bearer, sending):
                return
            stream = bodies.Stream(receive, API_BYTES, "execute-api", None)
            await self._app(scope, stream, sending)
            if stream.problem:
                raise stream.problem
        except Refused:
            if not started:
                await too_large(scope, receive, send)

    async def _api_refuses(self, scope: Scope, authorization: str, send: Send) -> bool:
        """Ask the REST API for something small in the caller's name. If it refuses, so does this, with its
        answer: strangers can't make the cloud hold large bodies."""
        said: list[Message] = []

        async def hearing(message: Message) -> None:
            said.append(message)

        small = {"method": "GET", "path": _SMALL, "raw_path": _SMALL.encode(), "query_string": b""}
        asked = {**_bare(scope, {"authorization": authorization}), **small}
        await self._app(asked, replayed(b"", _nothing_more), hearing)
        if said and (said[0]["status"] < _ERRORS or said[0]["status"] == _KNOWN):
            return False
        for message in said:
            await send(message)
        return True

    async def _sign_in(self, request: signatures.Request, scope: Scope, receive: Receive, send: Send) -> None:
        body = await bodies.whole(receive, SIGN_IN_BYTES)
        document = json_object(body)
        operation = _pool_operation(request)
        if not self._sign_ins.allows(operation, document):
            raise Refused("missing")
        body = json.dumps(document).encode()  # exactly what was checked
        scope = _bare(
            scope,
            {
                "content-type": "application/x-amz-json-1.1",
                "content-length": str(len(body)),
                "x-amz-target": TARGET + operation,
            },
        )
        await self._app(scope, replayed(body, receive), self._remembering(body, send))

    async def _form(self, request: signatures.Request, scope: Scope, receive: Receive, send: Send) -> None:
        """Verify a form's policy by the fields before its file, before the file is read; then the whole form,
        as ministack reads it."""
        content_type = request.header("content-type")
        received = bytearray()
        arriving = bodies.parts(receive)
        limit: int | None = None
        async for part in arriving:
            received += part
            if limit is None and (head := _before_file(received)) is not None:
                limit = self._verified_form(content_type, head, scope["path"]) + _FORM_FIELDS_BYTES
                bodies.check_stated_length(request.headers, limit, "s3")
            if len(received) > (limit if limit is not None else 2 * _FORM_FIELDS_BYTES):
                raise Refused("too large", service="s3")
        body = bytes(received)
        self._verified_form(content_type, body, scope["path"])
        scope = _bare(scope, {"content-type": content_type, "content-length": str(len(body))})
        await self._app(scope, replayed(body, receive), send)

    def _verified_form(self, content_type: str, body: bytes, path: str) -> int:
        """Return how many bytes the form's policy allows. Raises Refused unless it is signed for it."""
        found = self._parse_form(content_type, body)
        fields = {name.lower(): _field(value) for name, _, _, value in found if name != "file"}
        self._verifier.verify_form(fields)
        bucket = _BUCKET.fullmatch(path)
        policy = _policy(fields.get("policy", ""))
        if bucket is None or bucket[1] not in [value for name, value in policy if name == "bucket"]:
            raise Refused("denied", "Invalid according to Policy: it must state the bucket.", "s3")
        allowed = [value for name, value in policy if name == "content-length-range"]
        return min([*allowed, OBJECT_BYTES]) if allowed else FORM_BYTES

    def _remembering(self, body: bytes, send: Send) -> Send:
        """Remember what the pool's answer to the request `body` issues."""
        answer = bytearray()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.body":
                answer.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    self._sign_ins.remember(json_object(body), json_object(bytes(answer)))
            await send(message)

        return sending


def is_api(path: str) -> bool:
    files = STUDIO_PATH.rstrip("/")
    return path in (API_PATH, files, *PUBLIC_PATHS) or path.startswith(
        (API_PATH + "/", GOOGLE_PATH, STUDIO_PATH)
    )


def _may_be_large(request: signatures.Request) -> bool:
    if "transfer-encoding" in request.headers:
        return True
    stated = request.headers.get("content-length", ["0"])[-1]
    return not (stated.isascii() and stated.isdigit() and int(stated) <= UNKNOWN_CALLER_BYTES)


async def _nothing_more() -> Message:
    return bodies.GONE


def _check_link(request: signatures.Request) -> None:
    """Raise Refused for a form sent to a link: ministack would take the body for another service's call."""
    if request.header("content-type").lower().lstrip().startswith("application/x-www-form-urlencoded"):
        raise Refused("denied", "A link takes any Content-Type but application/x-www-form-urlencoded.", "s3")


def _inflated(
    request: signatures.Request, scope: Scope, body: bytes, limit: int, service: str
) -> tuple[Scope, bytes]:
    stated = ",".join(request.headers.get("content-encoding", [])).lower()
    encodings = [one for part in stated.split(",") if (one := part.strip()) not in ("", "identity")]
    if not encodings:
        return scope, body
    body = bodies.inflated(body, encodings, limit, service)
    return bodies.with_headers(scope, {"content-encoding": None, "content-length": str(len(body))}), body


def _parameter(request: signatures.Request, header: str) -> str:
    """Return a header's value that a link states in its query, whose names ignore case."""
    return next((value for name, value in request.query if name.lower() == header), "")


def _is_sign_in(request: signatures.Request, scope: Scope) -> bool:
    # Not a form's content type: a browser asks before it sends this one across sites.
    return (
        request.method == "POST"
        and scope["path"] == "/"
        and not request.query
        and request.header("content-type").startswith("application/x-amz-json-1.1")
        and bool(_pool_operation(request))
    )


def _is_form(request: signatures.Request, scope: Scope) -> bool:
    return (
        request.method == "POST"
        and not request.query
        and _BUCKET.fullmatch(scope["path"]) is not None
        and request.header("content-type").lower().startswith("multipart/form-data")
    )


def _pool_operation(request: signatures.Request) -> str:
    """Return the operation of a call to the user pool; empty if it is none."""
    target = request.header("x-amz-target")
    return target.removeprefix(TARGET) if target.startswith(TARGET) else ""


def _bare(scope: Scope, headers: Mapping[str, str] | None = None) -> Scope:
    """Return the scope with no headers but Host and `headers`, so that no other routes it elsewhere."""
    host = [pair for pair in scope["headers"] if pair[0].lower() == b"host"]
    added = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    return {**scope, "headers": host + added}


def _before_file(form: bytes | bytearray) -> bytes | None:
    """Return the part of a form before its file, closed by the boundary; None until the file begins."""
    boundary, found, _ = bytes(form[: 2 * _FORM_FIELDS_BYTES]).partition(b"\r\n")
    file = re.search(rb'\r\n[^\r\n]*;\s*name="?file"?[;\r]', form)
    if not found or file is None:
        return None
    at = form.rfind(boundary, 0, file.start() + 2)
    return bytes(form[:at]) + boundary + b"--\r\n" if at >= 0 else None


def _policy(encoded: str) -> list[tuple[str, Any]]:
    """Return the exact values that a policy requires, and the largest file that it allows."""
    try:
        policy = json.loads(base64.b64decode(encoded, validate=True))
        conditions = policy["conditions"]
        found: list[tuple[str, Any]] = []
        for condition in conditions:
            if isinstance(condition, dict):
                found += [(name.lower(), value) for name, value in condition.items()]
            elif condition[0] == "eq":
                found.append((condition[1].removeprefix("$").lower(), condition[2]))
            elif condition[0] == "content-length-range":
                found.append((condition[0], int(condition[2])))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        raise Refused("denied", "Invalid according to Policy: it can't be read.", "s3") from None
    return found


def _field(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")

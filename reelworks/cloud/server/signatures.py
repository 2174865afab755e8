"""Verify that a request is signed with the cloud's secret access key, as AWS does.

Three kinds of signature are accepted: AWS Signature Version 4 in the Authorization header, version 4 in the
query (a presigned link), and, for S3 only, the version 2 link that boto3 still makes by default in us-east-1.
botocore's own signer computes what the signature should be.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, NoReturn
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlsplit

from botocore.auth import HmacV1QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest, HTTPHeaders
from botocore.credentials import Credentials as SigningKeys
from starlette.types import Scope

from reelworks.cloud.credentials import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
CONTENT_SHA256 = "x-amz-content-sha256"
# A link that asks for more is refused, as by S3.
LONGEST_LINK = timedelta(days=7)
CLOCK_SKEW = timedelta(minutes=15)

_TIMESTAMP = "%Y%m%dT%H%M%SZ"
_SCOPE = r"(?P<key>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request"
_HEADERS = r"(?P<headers>[a-z0-9;_.-]+)"
_SIGNATURE = r"(?P<signature>[0-9a-f]{64})"
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} +Credential={_SCOPE}\s*,\s*SignedHeaders={_HEADERS}\s*,\s*Signature={_SIGNATURE}"
)
_CREDENTIAL = re.compile(_SCOPE)
_LINK = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
_OLD_LINK = ("AWSAccessKeyId", "Signature", "Expires")


class Refused(Exception):
    """The request is not signed with the cloud's secret. `reason` is one of REASONS in refusals.py."""

    def __init__(self, reason: str, message: str = "", service: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.service = service


@dataclass(frozen=True)
class Signature:
    """A signature of version 4, as the request states it."""

    key_id: str
    timestamp: str
    date: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str
    expires: timedelta | None  # of a link

    @property
    def is_link(self) -> bool:
        return self.expires is not None


class Request:
    """A request's head, decoded once. Raises Refused if its query is not one that a client sends."""

    def __init__(self, scope: Scope) -> None:
        self.method: str = scope["method"]
        self.raw_path: str = (scope.get("raw_path") or quote(scope["path"]).encode()).decode("latin-1")
        self.headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            self.headers.setdefault(name.decode("latin-1").lower(), []).append(_text(value))
        try:
            raw = scope.get("query_string", b"").decode("ascii")
            self.query = parse_qsl(raw, keep_blank_values=True)
        except ValueError:
            raise Refused("malformed", "The query is not a valid one.") from None

    def header(self, name: str) -> str:
        """Return a header's value, empty without it. Raises Refused if it is there more than once."""
        values = self.headers.get(name, [""])
        if len(values) > 1:
            raise Refused("malformed", f"The header {name} may be sent only once.")
        return values[0]

    def parameter(self, name: str) -> str:
        """Return a query parameter's value, empty without it. Raises Refused if it is there twice."""
        values = [value for key, value in self.query if key == name]
        if len(values) > 1:
            raise Refused("malformed", f"The query parameter {name} may be sent only once.")
        return values[0] if values else ""

    @property
    def in_header(self) -> bool:
        """Whether the Authorization header is AWS's, in either version."""
        return any(
            value.lstrip().upper().startswith("AWS") for value in self.headers.get("authorization", [])
        )

    @property
    def in_query(self) -> bool:
        names = {key.lower() for key, _ in self.query}
        return bool(names & {"x-amz-signature", "x-amz-credential", "x-amz-algorithm", "awsaccesskeyid"})


class Verifier:
    """Verify signatures made with `credentials`."""

    def __init__(self, credentials: Credentials, now: Callable[[], datetime]) -> None:
        self._key_id = credentials.access_key_id
        self._keys = SigningKeys(credentials.access_key_id, credentials.secret_access_key)
        self._now = now

    def claimed(self, request: Request) -> Signature | None:
        """Return the signature of version 4 that the request states; None for a link of version 2.

        Checks everything but the signature itself. Raises Refused.
        """
        if request.in_header and request.in_query:
            raise Refused("malformed", "Only one auth mechanism allowed.")
        if request.in_header:
            return self._checked(_in_header(request), request)
        if request.in_query:
            found = _in_query(request)
            return self._checked(found, request) if found else None
        raise Refused("missing")

    def verify(self, request: Request, claimed: Signature, payload: str) -> str:
        """Verify the signature over a body whose hash, or AWS's word for an unsigned one, is `payload`.

        Returns the signature. Raises Refused.
        """
        expected = _Signer(self._keys, claimed).expected(request, payload)
        if not hmac.compare_digest(expected, claimed.signature):
            raise Refused("mismatch", service=claimed.service)
        return expected

    def verify_old_link(self, request: Request) -> None:
        """Verify an S3 link of version 2. Raises Refused.

        Version 2 signs only the query parameters of its list, so all others are refused.
        """
        unsigned = {key for key, _ in request.query} - {*_OLD_LINK, *HmacV1QueryAuth.QSAOfInterest}
        if unsigned or any(name.startswith("x-amz-") for name, _ in request.query):
            raise Refused(
                "malformed",
                "A link of signature version 2 can't have other query parameters; "
                "create the client with Config(signature_version='s3v4').",
                service="s3",
            )
        self._check_key(request.parameter("AWSAccessKeyId"), "s3")
        expires = request.parameter("Expires")
        if not re.fullmatch(r"\d{1,11}", expires) or int(expires) < self._now().timestamp():
            raise Refused("expired", "Request has expired", service="s3")
        headers = HTTPHeaders()
        for name, values in request.headers.items():
            if name != "date":
                for value in values:
                    headers[name] = value
        signer: Any = _OldSigner(self._keys, expires)
        split = urlsplit(_url(request, _s3_path(request)))
        expected: str = signer.get_signature(request.method, split, headers)
        if not _same(expected, request.parameter("Signature")):
            raise Refused("mismatch", service="s3")

    def verify_form(self, fields: Mapping[str, str]) -> None:
        """Verify the policy of an S3 upload form; `fields` have lower-case names. What the policy allows is
        for S3 to check. Raises Refused."""
        policy = fields.get("policy", "")
        if "x-amz-signature" in fields or "x-amz-credential" in fields:
            scope = _CREDENTIAL.fullmatch(fields.get("x-amz-credential", ""))
            timestamp = fields.get("x-amz-date", "")
            if scope is None or scope["service"] != "s3" or fields.get("x-amz-algorithm") != ALGORITHM:
                raise Refused("malformed", "The form's x-amz-credential is not a valid one.", service="s3")
            self._check_key(scope["key"], "s3")
            if timestamp[:8] != scope["date"]:
                raise Refused("mismatch", service="s3")
            request = AWSRequest()
            request.context["timestamp"] = timestamp
            expected = SigV4Auth(self._keys, "s3", scope["region"]).signature(policy, request)
            given = fields.get("x-amz-signature", "")
        elif "signature" in fields:
            self._check_key(fields.get("awsaccesskeyid", ""), "s3")
            signer: Any = HmacV1QueryAuth(self._keys)
            expected, given = signer.sign_string(policy), fields["signature"]
        else:
            raise Refused("missing", service="s3")
        if fields.get("x-amz-security-token"):
            raise Refused("token", service="s3")
        if not policy or not _same(expected, given):
            raise Refused("mismatch", service="s3")

    def _checked(self, claimed: Signature, request: Request) -> Signature:
        service = claimed.service
        self._check_key(claimed.key_id, service)
        if request.header("x-amz-security-token") or request.parameter("X-Amz-Security-Token"):
            raise Refused("token", service=service)
        self._check_time(claimed)
        if "host" not in claimed.headers or list(claimed.headers) != sorted(set(claimed.headers)):
            raise Refused("malformed", "'Host' must be a 'SignedHeader' in the AWS Authorization.", service)
        unsigned = [
            name for name in request.headers if name.startswith("x-amz-") and name not in claimed.headers
        ]
        if unsigned:
            message = f"There were headers present in the request which were not signed: {unsigned[0]}"
            raise Refused("denied", message, service)
        if any(name not in request.headers for name in claimed.headers):
            raise Refused("mismatch", service=service)
        return claimed

    def _check_key(self, key_id: str, service: str) -> None:
        if not _same(key_id, self._key_id):
            raise Refused("unknown key", service=service)

    def _check_time(self, claimed: Signature) -> None:
        try:
            signed = datetime.strptime(claimed.timestamp, _TIMESTAMP).replace(tzinfo=UTC)
        except ValueError:
            raise Refused("malformed", "The request's date must be like 20260131T235959Z.") from None
        if claimed.timestamp[:8] != claimed.date:
            raise Refused("malformed", "The date of the credential is not that of the request.")
        now = self._now()
        if claimed.expires is None:
            if abs(now - signed) > CLOCK_SKEW:
                message = f"The request's date {claimed.timestamp} is more than 15 minutes from the cloud's."
                raise Refused("skewed", message, claimed.service)
            return
        if signed > now + CLOCK_SKEW:
            raise Refused("expired", "Request is not yet valid", claimed.service)
        if now > signed + claimed.expires:
            raise Refused("expired", "Request has expired", claimed.service)


class _Signer(SigV4Auth):
    """botocore's signer, for a request that was received."""

    def __init__(self, keys: SigningKeys, claimed: Signature) -> None:
        super().__init__(keys, claimed.service, claimed.region)
        self._claimed = claimed

    def expected(self, received: Request, payload: str) -> str:
        claimed = self._claimed
        path = _s3_path(received) if claimed.service == "s3" else received.raw_path.replace("#", "%23")
        request = AWSRequest(received.method, _url(received, path, without="X-Amz-Signature"))
        for name in claimed.headers:
            for value in received.headers[name]:
                request.headers[name] = value
        request.context.update(timestamp=claimed.timestamp, payload=payload, names=claimed.headers)
        canonical = self.canonical_request(request)
        expected: str = self.signature(self.string_to_sign(request, canonical), request)
        return expected

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        return request.headers  # all and only those that the signature names

    def payload(self, request: AWSRequest) -> str:
        payload: str = request.context["payload"]
        return payload

    def _normalize_url_path(self, path: str) -> str:
        # S3's path is signed as it is sent. botocore resolves dots in others; a path with dots is one that no
        # client sends, and ministack does not resolve them.
        return path if self._claimed.service == "s3" else quote(path, safe="/~")


class _OldSigner(HmacV1QueryAuth):
    def __init__(self, keys: SigningKeys, expires: str) -> None:
        super().__init__(keys)
        self._stated = expires

    def _get_date(self) -> str:
        return self._stated


def chunks_are_signed(
    body: bytes, claimed: Signature, credentials: Credentials, seed: str, *, trailer: bool
) -> bool:
    """Return whether each chunk of an `aws-chunked` body has the signature that its predecessor implies.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html (and -trailers)
    """
    key = signing_key(credentials, claimed)
    scope = f"{claimed.date}/{claimed.region}/{claimed.service}/aws4_request"

    def follows(kind: str, previous: str, *hashed: bytes) -> str:
        hashes = [sha256(part).hexdigest() for part in hashed]
        text = "\n".join([f"{ALGORITHM}-{kind}", claimed.timestamp, scope, previous, *hashes])
        return hmac.new(key, text.encode(), sha256).hexdigest()

    previous, at = seed, 0
    while (end := body.find(b"\r\n", at)) >= 0:
        head = re.fullmatch(rb"([0-9a-fA-F]{1,16});chunk-signature=([0-9a-f]{64})", body[at:end])
        if head is None:
            return False
        size = int(head[1], 16)
        chunk, at = body[end + 2 : end + 2 + size], end + 2 + size
        previous = follows("PAYLOAD", previous, b"", chunk)
        if len(chunk) != size or not hmac.compare_digest(previous, head[2].decode()):
            return False
        if size == 0:
            return _trailer_is_signed(body[at:], previous, follows) if trailer else body[at:] == b"\r\n"
        if body[at : at + 2] != b"\r\n":
            return False
        at += 2
    return False


def _trailer_is_signed(rest: bytes, previous: str, follows: Callable[..., str]) -> bool:
    content, found, signature = rest.partition(b"x-amz-trailer-signature:")
    hashed = content.replace(b"\r\n", b"\n")
    expected = follows("TRAILER", previous, hashed)
    return bool(found) and hmac.compare_digest(expected.encode(), signature.strip())


def signing_key(credentials: Credentials, claimed: Signature) -> bytes:
    """Return the key that is derived from the secret for a day, region and service."""
    key = f"AWS4{credentials.secret_access_key}".encode()
    for part in (claimed.date, claimed.region, claimed.service, "aws4_request"):
        key = hmac.new(key, part.encode(), sha256).digest()
    return key


def _in_header(request: Request) -> Signature:
    authorization = request.header("authorization")
    found = _AUTHORIZATION.fullmatch(authorization.strip())
    if found is None:
        if authorization.lstrip().upper().startswith("AWS "):
            _refuse_old_header()
        raise Refused("malformed", "The Authorization header is not one of AWS Signature Version 4.")
    return Signature(
        key_id=found["key"],
        timestamp=request.header("x-amz-date"),
        date=found["date"],
        region=found["region"],
        service=found["service"],
        headers=tuple(found["headers"].split(";")),
        signature=found["signature"],
        expires=None,
    )


def _refuse_old_header() -> NoReturn:
    raise Refused(
        "malformed",
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        service="s3",
    )


def _in_query(request: Request) -> Signature | None:
    names = [key for key, _ in request.query]
    spelled = {f"x-amz-{name}".lower(): f"X-Amz-{name}" for name in (*_LINK, "Security-Token")}
    if any(key.lower() in spelled and key != spelled[key.lower()] for key in names):
        raise Refused("malformed", "A signature's query parameters are spelled like X-Amz-Signature.")
    if "AWSAccessKeyId" in names:
        return None
    stated = {name: request.parameter(f"X-Amz-{name}") for name in _LINK}
    scope = _CREDENTIAL.fullmatch(stated["Credential"])
    if (
        scope is None
        or stated["Algorithm"] != ALGORITHM
        or not re.fullmatch(_HEADERS, stated["SignedHeaders"])
        or not re.fullmatch(_SIGNATURE, stated["Signature"])
    ):
        raise Refused("malformed", "The query's signature is not one of AWS Signature Version 4.")
    if not re.fullmatch(r"\d{1,6}", stated["Expires"]):
        raise Refused("malformed", "X-Amz-Expires must be a number of seconds.", scope["service"])
    expires = timedelta(seconds=int(stated["Expires"]))
    if not timedelta(0) < expires <= LONGEST_LINK:
        raise Refused("malformed", "X-Amz-Expires must be from 1 to 604800 seconds.", scope["service"])
    return Signature(
        key_id=scope["key"],
        timestamp=stated["Date"],
        date=scope["date"],
        region=scope["region"],
        service=scope["service"],
        headers=tuple(stated["SignedHeaders"].split(";")),
        signature=stated["Signature"],
        expires=expires,
    )


def _url(request: Request, path: str, *, without: str = "") -> str:
    """Return a URL with the query as it is signed: each name and value decoded, encoded again and sorted."""
    pairs = sorted(
        (quote(key, safe="-_.~"), quote(value, safe="-_.~")) for key, value in request.query if key != without
    )
    return f"http://{request.header('host')}{path}?" + "&".join(f"{key}={value}" for key, value in pairs)


def _s3_path(request: Request) -> str:
    """Return the path as clients of S3 sign it, whatever characters they left unencoded."""
    return quote(unquote_to_bytes(request.raw_path.encode("latin-1")), safe="/-_.~")


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())

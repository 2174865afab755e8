"""Who may call the PC's cloud: requests as boto3 signs them, and everything that is almost one."""

import asyncio
import base64
import gzip
import hmac
import json
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as Keys
from ministack.services.s3 import _parse_multipart_form as parse_form

from reelworks.cloud.credentials import Credentials
from reelworks.cloud.server import access, bodies
from reelworks.cloud.server.access import Access
from reelworks.cloud.server.sign_in import SignIns
from reelworks.cloud.server.signatures import (
    Refused,
    Request,
    Signature,
    Verifier,
    chunks_are_signed,
    signing_key,
)

HOST = "127.0.0.1:4566"
URL = f"http://{HOST}"
NOW = datetime.now(UTC)  # when this module signs its requests, however late a test runs


@pytest.fixture(autouse=True)
def _signed_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: NOW)


OURS = Credentials("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


@dataclass(frozen=True)
class Sent:
    """A request on the wire."""

    method: str = "GET"
    target: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def having(self, **changed: str | None) -> "Sent":
        """With headers changed, added or (None) removed; a name's `_` stands for `-`."""
        names = {name.replace("_", "-"): value for name, value in changed.items()}
        kept = [pair for pair in self.headers if pair[0].lower() not in names]
        return replace(self, headers=(*kept, *((n, v) for n, v in names.items() if v is not None)))

    def and_also(self, name: str, value: str) -> "Sent":
        return replace(self, headers=(*self.headers, (name, value)))

    def without_of(self, name: str) -> str:
        return next(value for key, value in self.headers if key.lower() == name)


@dataclass
class Inside:
    """What is behind the access control. It answers with `answer`."""

    answer: bytes = b"inside"
    got: list[tuple[Any, bytes]] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            body = await bodies.whole(receive, 1 << 40)
        except bodies.ClientGone:
            return  # as ministack does
        self.got.append((scope, body))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": self.answer})


class Cloud:
    def __init__(self, answer: bytes = b"inside") -> None:
        self.inside = Inside(answer)
        self.access = Access(self.inside, OURS, parse_form, lambda: NOW)

    def ask(
        self, sent: Sent, parts: Iterable[bytes] | None = None, reads: list[bytes] | None = None
    ) -> tuple[int, str]:
        """Return the status and the body of the answer. `reads` gets the parts that were read."""
        path, _, query = sent.target.partition("?")
        scope = {
            "type": "http",
            "method": sent.method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in sent.headers],
            "client": ("127.0.0.1", 5),
        }
        coming = list([sent.body] if parts is None else parts)
        said: list[Any] = []

        async def receive() -> Any:
            if not coming:
                return {"type": "http.disconnect"}
            part = coming.pop(0)
            if reads is not None:
                reads.append(part)
            return {"type": "http.request", "body": part, "more_body": bool(coming)}

        async def send(message: Any) -> None:
            said.append(message)

        asyncio.run(self.access(scope, receive, send))
        if not said:
            return 0, ""
        return said[0]["status"], b"".join(part.get("body", b"") for part in said[1:]).decode()


def signed(
    service: str = "s3",
    method: str = "GET",
    target: str = "/films/a/film.mp4",
    body: bytes = b"",
    keys: Credentials = OURS,
    region: str = "us-east-1",
    **headers: str,
) -> Sent:
    """A request as botocore signs it now."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = AWSRequest(method, URL + target, named, body)
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(Keys(keys.access_key_id, keys.secret_access_key), service, region).add_auth(request)
    kept = [(name, value) for name, value in request.headers.items()]
    return Sent(method, target, (("host", HOST), *kept, ("content-length", str(len(body)))), body)


def client(service: str, **config: Any) -> Any:
    return boto3.client(
        service,
        "us-east-1",
        endpoint_url=URL,
        aws_access_key_id=OURS.access_key_id,
        aws_secret_access_key=OURS.secret_access_key,
        config=Config(s3={"addressing_style": "path"}, **config),
    )


def linked(method: str = "get_object", version: str = "s3v4", **parameters: Any) -> Sent:
    named = {"Bucket": "films", "Key": "a/film.mp4", **parameters}
    link = client("s3", signature_version=version).generate_presigned_url(method, named, ExpiresIn=600)
    parts = urlsplit(link)
    verbs = {"get_object": "GET", "put_object": "PUT", "head_object": "HEAD"}
    return Sent(verbs[method], f"{parts.path}?{parts.query}", (("host", HOST),))


CALL = signed("dynamodb", "POST", "/", b'{"TableName":"videos"}', x_amz_target="DynamoDB_20120810.Scan")
PUT = signed(method="PUT", body=b"film", x_amz_meta_title="A bee")


@pytest.mark.parametrize(
    "sent",
    [
        signed(),
        signed(target="/"),
        signed(target="/films?list-type=2&prefix=a%2Fb&delimiter=%2F"),
        signed(target="/films/a%20b%2Bc/%C3%A9t%C3%A9~%28%29.mp4"),
        signed(target="/films/100%25"),
        signed(target="/films?tagging"),
        PUT,
        CALL,
        signed(
            "lambda",
            "POST",
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A0%3Aa/invocations",
            b"{}",
        ),
        signed("bedrock", "POST", "/model/a.b-v1%3A0/converse", b"{}", region="us-west-2"),
        signed("sns", "POST", "/", b"Action=ListTopics", content_type="application/x-www-form-urlencoded"),
        linked(),
        linked("put_object"),
        linked("head_object"),
        linked(ResponseContentDisposition='attachment; filename="a b.mp4"'),
        linked(Key="ein Schaf & ein Ä.mp4"),
        linked(version="s3"),
        linked("put_object", version="s3"),
        linked(version="s3", ResponseContentType="video/mp4"),
        Sent("PUT", linked("put_object").target, (("host", HOST), ("content-type", "video/mp4")), b"film"),
    ],
)
def test_what_boto3_signs_comes_in_unchanged(sent: Sent) -> None:
    cloud = Cloud()
    assert cloud.ask(sent) == (200, "inside")
    ((scope, body),) = cloud.inside.got
    assert body == sent.body
    assert scope["headers"] == [(name.lower().encode(), value.encode()) for name, value in sent.headers]


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_link_may_come_with_the_api_s_key(version: str) -> None:
    """OpenAI's client keeps the key when it follows the API to a link of the same host."""
    cloud = Cloud()
    assert cloud.ask(linked(version=version).having(authorization="Bearer rk-x"))[0] == 200
    assert b"authorization" not in dict(cloud.inside.got[0][0]["headers"])


OTHER = Credentials("another-secret")
FAR = "20200101T000000Z"


def turned(sent: Sent, old: str, new: str) -> Sent:
    """With `old` replaced in the target and in the Authorization header."""
    changed = (
        sent.having(authorization=sent.without_of("authorization").replace(old, new))
        if any(name.lower() == "authorization" for name, _ in sent.headers)
        else sent
    )
    return replace(changed, target=changed.target.replace(old, new))


LINK = linked()
PUT_LINK = linked("put_object")
OLD_LINK = linked(version="s3")

TRICKS: dict[str, tuple[Sent, str]] = {
    "unsigned": (Sent(target="/films/a/film.mp4", headers=(("host", HOST),)), "AccessDenied"),
    "unsigned list": (Sent(headers=(("host", HOST),)), "AccessDenied"),
    "unsigned delete": (Sent("DELETE", "/films/a", (("host", HOST),)), "AccessDenied"),
    "wrong secret": (signed(keys=OTHER), "SignatureDoesNotMatch"),
    "ministack's secret": (signed(keys=Credentials("test")), "SignatureDoesNotMatch"),
    "empty signature": (turned(signed(), "Signature=", "Signature=0000"), "AuthorizationHeaderMalformed"),
    "unknown key": (signed(keys=replace(OURS, access_key_id="AKIAIOSFODNN7EXAMPLE")), "InvalidAccessKeyId"),
    "ministack's key": (signed(keys=Credentials("test", "test")), "InvalidAccessKeyId"),
    "key id with the cloud's in it": (
        signed(keys=replace(OURS, access_key_id="0000000000000")),
        "InvalidAccessKeyId",
    ),
    "another path": (replace(signed(), target="/films/b/film.mp4"), "SignatureDoesNotMatch"),
    "dots in the path": (replace(signed(), target="/x/../films/a/film.mp4"), "SignatureDoesNotMatch"),
    "encoded dots": (replace(signed(), target="/x/%2e%2e/films/a/film.mp4"), "SignatureDoesNotMatch"),
    "another query": (replace(signed(), target="/films/a/film.mp4?acl"), "SignatureDoesNotMatch"),
    "another method": (replace(signed(), method="DELETE"), "SignatureDoesNotMatch"),
    "another header": (PUT.having(x_amz_meta_title="A wasp"), "SignatureDoesNotMatch"),
    "an added header": (PUT.having(x_amz_acl="public-read"), "AccessDenied"),
    "a header twice": (PUT.and_also("x-amz-meta-title", "A wasp"), "SignatureDoesNotMatch"),
    "a missing header": (PUT.having(x_amz_meta_title=None), "SignatureDoesNotMatch"),
    "another host": (signed().having(host="127.0.0.1:9"), "SignatureDoesNotMatch"),
    "another body": (replace(PUT, body=b"evil"), "XAmzContentSHA256Mismatch"),
    "another hash": (
        PUT.having(x_amz_content_sha256=sha256(b"evil").hexdigest()),
        "SignatureDoesNotMatch",
    ),
    "an unsigned body instead": (
        PUT.having(x_amz_content_sha256="UNSIGNED-PAYLOAD"),
        "SignatureDoesNotMatch",
    ),
    "no hash": (signed().having(x_amz_content_sha256=None), "SignatureDoesNotMatch"),
    "another region": (turned(signed(), "/us-east-1/", "/eu-west-1/"), "SignatureDoesNotMatch"),
    "another service": (turned(signed(), "/s3/", "/sqs/"), "InvalidSignatureException"),
    "another day": (
        turned(signed(), datetime.now(UTC).strftime("%Y%m%d"), "20200101"),
        "AuthorizationHeader",
    ),
    "two authorizations": (signed().and_also("authorization", "Bearer x"), "AuthorizationHeaderMalformed"),
    "two dates": (signed().and_also("x-amz-date", FAR), "AuthorizationHeaderMalformed"),
    "header and link": (replace(signed(), target=LINK.target), "Malformed"),
    "bearer and a changed link": (
        turned(LINK, "film.mp4", "other.mp4").having(authorization="Bearer x"),
        "SignatureDoesNotMatch",
    ),
    "version 2 header": (
        Sent(headers=(("host", HOST), ("authorization", "AWS 000000000000:abc="))),
        "AWS4-HMAC-SHA256",
    ),
    "elliptic curves": (
        signed().having(authorization="AWS4-ECDSA-P256-SHA256 Credential=a/b/c"),
        "AuthorizationHeaderMalformed",
    ),
    "host unsigned": (turned(signed(), "SignedHeaders=host;", "SignedHeaders="), "AuthorizationHeader"),
    "a token": (signed().having(x_amz_security_token="x"), "InvalidToken"),
    "a signed token": (signed(x_amz_security_token="x"), "InvalidToken"),
    "a link's other method": (replace(LINK, method="DELETE"), "SignatureDoesNotMatch"),
    "a link to read, to write": (replace(LINK, method="PUT", body=b"evil"), "SignatureDoesNotMatch"),
    "a link to write, to read": (replace(PUT_LINK, method="GET"), "SignatureDoesNotMatch"),
    "a link's other path": (turned(LINK, "film.mp4", "other.mp4"), "SignatureDoesNotMatch"),
    "a longer link": (turned(LINK, "X-Amz-Expires=600", "X-Amz-Expires=604800"), "SignatureDoesNotMatch"),
    "an endless link": (turned(LINK, "X-Amz-Expires=600", "X-Amz-Expires=604801"), "604800"),
    "a link with a parameter": (replace(LINK, target=LINK.target + "&versionId=1"), "SignatureDoesNotMatch"),
    "a link with another call": (
        LINK.having(x_amz_target="DynamoDB_20120810.Scan"),
        "AccessDenied",
    ),
    "a link with an action": (
        replace(LINK, target=LINK.target + "&Action=ListQueues"),
        "SignatureDoesNotMatch",
    ),
    "a link with a form": (
        replace(PUT_LINK, body=b"Action=ListQueues").having(content_type="application/x-www-form-urlencoded"),
        "AccessDenied",
    ),
    "a link with two signatures": (
        replace(LINK, target=LINK.target + "&X-Amz-Signature=" + "0" * 64),
        "AuthorizationHeaderMalformed",
    ),
    "a link in small letters": (turned(LINK, "X-Amz-Signature", "x-amz-signature"), "spelled"),
    "a link without a signature": (
        replace(LINK, target=LINK.target.partition("&X-Amz-Signature")[0]),
        "AuthorizationHeaderMalformed",
    ),
    "an old link's other path": (turned(OLD_LINK, "film.mp4", "other.mp4"), "SignatureDoesNotMatch"),
    "an old link's other method": (replace(OLD_LINK, method="DELETE"), "SignatureDoesNotMatch"),
    "an old link with an action": (
        replace(OLD_LINK, target=OLD_LINK.target + "&Action=ListQueues"),
        "s3v4",
    ),
    "an old link with another call": (
        OLD_LINK.having(x_amz_target="DynamoDB_20120810.Scan"),
        "SignatureDoesNotMatch",
    ),
    "an old link with another key": (turned(OLD_LINK, "000000000000", "test"), "InvalidAccessKeyId"),
    "an unsigned call": (CALL.having(authorization=None), "MissingAuthenticationTokenException"),
    "a call with a wrong secret": (
        signed("dynamodb", "POST", "/", b"{}", OTHER, x_amz_target="DynamoDB_20120810.Scan"),
        "InvalidSignatureException",
    ),
    "a call's other body": (replace(CALL, body=b'{"TableName":"secret"}'), "InvalidSignatureException"),
    "a call's other operation": (
        CALL.having(x_amz_target="DynamoDB_20120810.DeleteTable"),
        "InvalidSignatureException",
    ),
    "a call with an unknown key": (
        signed("dynamodb", "POST", "/", b"{}", replace(OURS, access_key_id="AKIA"), x_amz_target="D.Scan"),
        "UnrecognizedClientException",
    ),
    "an unsigned query": (
        Sent(
            "POST", "/", (("host", HOST), ("content-type", "application/x-www-form-urlencoded")), b"Action=a"
        ),
        "<Code>MissingAuthenticationToken</Code>",
    ),
    "a query with a wrong secret": (
        signed("sns", "POST", "/", b"Action=ListTopics", OTHER),
        "<Type>Sender</Type><Code>SignatureDoesNotMatch</Code>",
    ),
    "an unsigned function": (
        Sent("POST", "/2015-03-31/functions/f/invocations", (("host", HOST),), b"{}"),
        "MissingAuthenticationTokenException",
    ),
    "the API's inner path": (
        Sent(target="/_aws/execute-api/a/live/v1", headers=(("host", HOST),)),
        "AccessDenied",
    ),
    "a function's URL": (Sent(target="/_aws/lambda-url/abc/", headers=(("host", HOST),)), "AccessDenied"),
    "the API's path, signed for a service": (
        Sent(
            target="/v1/videos?X-Amz-Credential=a%2F20260101%2Fx%2Fsagemaker%2Faws4_request",
            headers=(("host", HOST), ("authorization", "Bearer x")),
        ),
        "AuthorizationHeaderMalformed",
    ),
    "the API's path, signed with a wrong secret": (
        signed("sagemaker", "POST", "/v1/endpoints", b"{}", OTHER),
        "InvalidSignatureException",
    ),
    "a preflight": (Sent("OPTIONS", "/films", (("host", HOST),)), "AccessDenied"),
    "keys of no pool": (
        Sent(target="/films/.well-known/jwks.json", headers=(("host", HOST),)),
        "AccessDenied",
    ),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_tricks_are_refused_in_aws_s_words(trick: str) -> None:
    sent, code = TRICKS[trick]
    cloud = Cloud()
    status, answer = cloud.ask(sent)
    assert code in answer
    assert status == (400 if code == "XAmzContentSHA256Mismatch" else 403)
    assert cloud.inside.got == []
    assert OURS.secret_access_key not in answer


# --- time


def at(minutes: float) -> Verifier:
    return Verifier(OURS, lambda: NOW + timedelta(minutes=minutes))


def checked(verifier: Verifier, sent: Sent) -> None:
    path, _, query = sent.target.partition("?")
    headers = [(name.lower().encode(), value.encode()) for name, value in sent.headers]
    request = Request(
        {
            "method": sent.method,
            "raw_path": path.encode(),
            "path": path,
            "query_string": query.encode(),
            "headers": headers,
        }
    )
    if claimed := verifier.claimed(request):
        verifier.verify(request, claimed, "UNSIGNED-PAYLOAD" if claimed.is_link else sha256(b"").hexdigest())
    else:
        verifier.verify_old_link(request)


@pytest.mark.parametrize(
    ("sent", "minutes"),
    [(signed(), 14), (signed(), -14), (LINK, 9), (LINK, -14), (OLD_LINK, 9)],
)
def test_a_signature_is_valid_for_its_time(sent: Sent, minutes: float) -> None:
    checked(at(minutes), sent)


@pytest.mark.parametrize(
    ("sent", "minutes", "reason"),
    [
        (signed(), 16, "skewed"),
        (signed(), -16, "skewed"),
        (LINK, 11, "expired"),
        (LINK, -16, "expired"),
        (OLD_LINK, 11, "expired"),
    ],
)
def test_a_signature_expires(sent: Sent, minutes: float, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        checked(at(minutes), sent)
    assert refused.value.reason == reason


# --- bodies


def test_a_body_in_parts_is_verified_and_passed_on() -> None:
    cloud = Cloud()
    assert cloud.ask(PUT, [b"fi", b"", b"lm"])[0] == 200
    assert cloud.inside.got[0][1] == b"film"


def test_a_body_that_ends_early_reaches_nobody() -> None:
    cloud = Cloud()

    async def half() -> Any:
        return {"type": "http.disconnect"}

    with pytest.raises(bodies.ClientGone):
        asyncio.run(bodies.whole(half, 10))
    status, _ = cloud.ask(CALL, [])
    assert (status, cloud.inside.got) == (0, [])


@pytest.mark.parametrize("stated", ["", "74000000"])
def test_a_call_s_body_is_bounded(stated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not stated:
        monkeypatch.setattr(access, "CALL_BYTES", 10)
    cloud = Cloud()
    sent = CALL.having(content_length=stated or None)
    status, answer = cloud.ask(sent)
    assert (status, cloud.inside.got) == (413, [])
    assert "RequestEntityTooLargeException" in answer
    assert "bytes" in answer


def test_a_function_s_code_is_larger_than_other_calls() -> None:
    body = b"0" * (access.CALL_BYTES + 1)
    assert Cloud().ask(signed("lambda", "POST", "/2015-03-31/functions", body))[0] == 200
    assert Cloud().ask(signed("sqs", "POST", "/", body))[0] == 413


def test_a_body_is_not_read_for_a_wrong_signature_over_its_hash() -> None:
    for method, service in (("PUT", "s3"), ("POST", "lambda")):
        wrong = signed(
            service, method, body=b"film", keys=OTHER, x_amz_content_sha256=sha256(b"film").hexdigest()
        )
        cloud, reads = Cloud(), list[bytes]()
        assert cloud.ask(wrong, [b"film"], reads)[0] == 403
        assert reads == []


def test_an_object_is_bounded_while_it_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "OBJECT_BYTES", 3)
    cloud = Cloud()
    status, answer = cloud.ask(PUT.having(content_length=None), [b"fi", b"lm"])
    assert (status, cloud.inside.got) == (413, [])
    assert "EntityTooLarge" in answer


def test_a_request_to_the_api_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "API_BYTES", 10)
    headers = (("host", HOST), ("authorization", "Bearer x"))
    cloud = Cloud()
    for sent in (
        Sent("POST", "/v1/videos", headers, b"x" * 11),
        Sent("POST", "/v1/videos", (*headers, ("content-length", "11"))),
    ):
        status, answer = cloud.ask(sent)
        assert (status, json.loads(answer)["error"]["code"]) == (413, "request_too_large")
    assert cloud.inside.got == []
    assert cloud.ask(Sent("POST", "/v1/videos", headers, b"x" * 10))[0] == 200


async def _an_api(scope: Any, receive: Any, send: Any) -> None:
    """An API that knows one key, and asks for it once it has read the body."""
    body = await bodies.whole(receive, 1 << 40)
    known = (b"authorization", b"Bearer known") in scope["headers"]
    await send({"type": "http.response.start", "status": 200 if known else 401, "headers": []})
    await send({"type": "http.response.body", "body": f"{scope['path']} {len(body)}".encode()})


@pytest.mark.parametrize("head", [("content-length", "100000"), ("transfer-encoding", "chunked")])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_stranger_s_large_body_is_not_read(method: str, head: tuple[str, str]) -> None:
    cloud = Cloud()
    cloud.access = Access(_an_api, OURS, parse_form, lambda: NOW)
    reads: list[bytes] = []
    headers = (("host", HOST), ("authorization", "Bearer other"), head)
    assert cloud.ask(Sent(method, "/v1/videos", headers, b"x" * 100_000), reads=reads) == (
        401,
        "/v1/models 0",
    )
    assert reads == []
    known = (("host", HOST), ("authorization", "Bearer known"), head)
    answer = cloud.ask(Sent(method, "/v1/videos", known, b"x" * 100_000), reads=reads)
    assert answer == (200, "/v1/videos 100000")
    assert reads != []


def test_a_key_that_may_not_read_may_send_a_large_body() -> None:
    async def api(scope: Any, receive: Any, send: Any) -> None:
        """An API whose caller has a key with the scope `create` alone."""
        body = await bodies.whole(receive, 1 << 40)
        status = 200 if scope["method"] == "POST" else 403
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": str(len(body)).encode()})

    cloud = Cloud()
    cloud.access = Access(api, OURS, parse_form, lambda: NOW)
    headers = (("host", HOST), ("authorization", "Bearer x"), ("content-length", "100000"))
    assert cloud.ask(Sent("POST", "/v1/videos", headers, b"x" * 100_000)) == (200, "100000")


def test_a_small_body_costs_no_other_request() -> None:
    cloud = Cloud()
    headers = (("host", HOST), ("authorization", "Bearer x"), ("content-length", "2"))
    assert cloud.ask(Sent("POST", "/v1/videos", headers, b"{}"))[0] == 200
    assert [scope["path"] for scope, _ in cloud.inside.got] == ["/v1/videos"]


def read_together(most: int, *all_parts: list[bytes]) -> list[object]:
    """Read bodies at the same time, a part of each in turn; one without a last part (`.`) never ends."""
    unverified = bodies.Unverified(most)

    async def one(parts: list[bytes]) -> object:
        coming = list(parts)

        async def receive() -> Any:
            await asyncio.sleep(0)
            if not coming:
                await asyncio.Event().wait()  # it never comes
            part = coming.pop(0)
            return {"type": "http.request", "body": part, "more_body": part != b"."}

        try:
            return await unverified.whole(receive, 100, "lambda")
        except Refused as refused:
            return refused.reason

    async def all_of_them() -> list[object]:
        return list(await asyncio.gather(*(one(parts) for parts in all_parts)))

    return asyncio.run(asyncio.wait_for(all_of_them(), 20))


def test_the_body_begun_first_is_given_up_for_room() -> None:
    assert read_together(100, [b"s" * 40], [b"n" * 70, b"."]) == ["busy", b"n" * 70 + b"."]


def test_bodies_within_the_room_are_read() -> None:
    parts = [b"a" * 10, b"b" * 10, b"."]
    assert read_together(100, parts, parts, parts) == [b"".join(parts)] * 3


def compressed(content: bytes, encoding: str = "gzip") -> Sent:
    target = {"x_amz_target": "GraniteServiceVersion20100801.PutMetricData"}
    return signed("monitoring", "POST", "/", content, content_encoding=encoding, **target)


def test_a_compressed_call_is_inflated() -> None:
    cloud = Cloud()
    assert cloud.ask(compressed(gzip.compress(b'{"a":1}')))[0] == 200
    ((scope, body),) = cloud.inside.got
    headers = dict(scope["headers"])
    assert (body, headers[b"content-length"]) == (b'{"a":1}', b"7")
    assert b"content-encoding" not in headers


@pytest.mark.parametrize(
    ("content", "encoding", "status"),
    [
        (gzip.compress(b"0" * 2000), "gzip", 413),
        (gzip.compress(b"0" * 2000), "GZip", 413),
        (gzip.compress(gzip.compress(b"0")), "gzip, gzip", 415),
        (zlib.compress(b"0"), "deflate", 415),
        (b"x", "br", 415),
        (b"x", "zstd", 415),
        (b"not gzip", "gzip", 415),
        (gzip.compress(b"cut short")[:-4], "gzip", 415),
        (gzip.compress(b"one") + gzip.compress(b"two"), "gzip", 415),
    ],
    ids=["bomb", "shouted", "twice", "deflate", "brotli", "zstd", "damaged", "cut", "two"],
)
def test_a_bomb_or_an_unknown_encoding_is_refused(
    content: bytes, encoding: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "CALL_BYTES", 1000)
    cloud = Cloud()
    assert cloud.ask(compressed(content, encoding))[0] == status
    assert cloud.inside.got == []


def test_an_object_keeps_its_encoding() -> None:
    cloud = Cloud()
    content = gzip.compress(b"film")
    assert cloud.ask(signed(method="PUT", body=content, content_encoding="gzip"))[0] == 200
    assert cloud.inside.got[0][1] == content


# --- chunked bodies


def in_chunks(parts: list[bytes], trailer: bytes = b"", keys: Credentials = OURS) -> Sent:
    """A body whose chunks are signed one by one, written after AWS's description of it."""
    kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if trailer else "")
    head = {"x-amz-content-sha256": kind, "x-amz-decoded-content-length": str(sum(map(len, parts)))}
    request = AWSRequest("PUT", f"{URL}/films/a", head)

    class Streaming(SigV4Auth):
        def _normalize_url_path(self, path: str) -> str:
            return path

    Streaming(Keys(keys.access_key_id, keys.secret_access_key), "s3", "us-east-1").add_auth(request)
    sent = Sent("PUT", "/films/a", (("host", HOST), *request.headers.items()))
    path, headers = b"/films/a", [(n.lower().encode(), v.encode()) for n, v in sent.headers]
    read = Request({"method": "PUT", "raw_path": path, "path": "/films/a", "headers": headers})
    claimed = Verifier(keys, lambda: NOW).claimed(read)
    assert claimed
    scope = f"{claimed.date}/us-east-1/s3/aws4_request"
    previous, body = claimed.signature, b""

    def follow(kind: str, *hashed: bytes) -> str:
        text = "\n".join(
            [
                f"AWS4-HMAC-SHA256-{kind}",
                claimed.timestamp,
                scope,
                previous,
                *(sha256(part).hexdigest() for part in hashed),
            ]
        )
        return hmac.new(signing_key(keys, claimed), text.encode(), sha256).hexdigest()

    for part in [*parts, b""]:
        previous = follow("PAYLOAD", b"", part)
        body += f"{len(part):x};chunk-signature={previous}\r\n".encode() + part + (b"\r\n" if part else b"")
    if trailer:
        end = follow("TRAILER", trailer + b"\n").encode()
        body += trailer + b"\r\nx-amz-trailer-signature:" + end + b"\r\n"
    return replace(sent, body=body + b"\r\n")


@pytest.mark.parametrize("trailer", [b"", b"x-amz-checksum-crc32:AAAAAA=="])
def test_signed_chunks_come_in(trailer: bytes) -> None:
    cloud = Cloud()
    sent = in_chunks([b"a" * 70000, b"b"], trailer)
    assert cloud.ask(sent)[0] == 200
    assert cloud.inside.got[0][1] == sent.body


CHUNKED = in_chunks([b"aaaa", b"bbbb"])
TRAILED = in_chunks([b"aaaa"], b"x-amz-checksum-crc32:AAAAAA==")


@pytest.mark.parametrize(
    "sent",
    [
        replace(CHUNKED, body=CHUNKED.body.replace(b"aaaa", b"cccc")),
        replace(CHUNKED, body=CHUNKED.body.replace(b"bbbb", b"bbbc")),
        replace(CHUNKED, body=b"4\r\naaaa\r\n0\r\n\r\n"),
        replace(CHUNKED, body=CHUNKED.body[: CHUNKED.body.index(b"\r\n4;")]),
        replace(CHUNKED, body=CHUNKED.body + b"more"),
        replace(CHUNKED, body=b"aaaa"),
        replace(CHUNKED, body=b""),
        replace(TRAILED, body=TRAILED.body.replace(b"AAAAAA", b"AAAAAB")),
        replace(TRAILED, body=TRAILED.body[: TRAILED.body.index(b"x-amz-trailer-signature")] + b"\r\n"),
        in_chunks([b"aaaa"], keys=OTHER),
    ],
)
def test_other_chunks_are_refused(sent: Sent) -> None:
    cloud = Cloud()
    assert cloud.ask(sent)[0] == 403
    assert cloud.inside.got == []


def test_unsigned_chunks_with_a_trailer_come_in() -> None:
    """As newer clients send them; what they hold is said in a checksum that S3 compares."""
    head = {"x_amz_content_sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
    request = AWSRequest("PUT", f"{URL}/films/a", {"x-amz-content-sha256": head["x_amz_content_sha256"]})

    class Streaming(SigV4Auth):
        def _normalize_url_path(self, path: str) -> str:
            return path

    Streaming(Keys(OURS.access_key_id, OURS.secret_access_key), "s3", "us-east-1").add_auth(request)
    sent = Sent("PUT", "/films/a", (("host", HOST), *request.headers.items()), b"1\r\na\r\n0\r\n\r\n")
    assert Cloud().ask(sent)[0] == 200


# --- forms


def form(
    version: str = "s3v4",
    *,
    path: str = "/films",
    extra: Iterable[tuple[str, str]] = (),
    after: Iterable[tuple[str, str]] = (),
    conditions: list[Any] | None = None,
    file: bytes = b"film",
    change: Callable[[dict[str, str]], None] = lambda fields: None,
) -> Sent:
    made = client("s3", signature_version=version).generate_presigned_post(
        "films", "a/film.mp4", Conditions=conditions
    )
    fields = dict(made["fields"])
    change(fields)
    parts = [(name, value.encode()) for name, value in [*fields.items(), *extra]]
    parts += [("file", file)] + [(name, value.encode()) for name, value in after]
    body = b"".join(
        b'--b0\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
        % (name.encode(), b'; filename="f"' if name == "file" else b"", value)
        for name, value in parts
    )
    body += b"--b0--\r\n"
    headers = (("host", HOST), ("content-type", "multipart/form-data; boundary=b0"))
    return Sent("POST", path, (*headers, ("content-length", str(len(body)))), body)


@pytest.mark.parametrize("version", ["s3v4", "s3"])
@pytest.mark.parametrize("size", [1, 100_000])
def test_a_signed_form_comes_in(version: str, size: int) -> None:
    cloud = Cloud()
    sent = form(version, file=b"f" * size)
    pieces = [sent.body[at : at + 1000] for at in range(0, len(sent.body), 1000)]
    assert cloud.ask(sent, pieces)[0] == 200
    ((scope, body),) = cloud.inside.got
    assert body == sent.body
    assert {name for name, _ in scope["headers"]} == {b"host", b"content-type", b"content-length"}


def _set(**changed: str) -> Callable[[dict[str, str]], None]:
    return lambda fields: fields.update({name.replace("_", "-"): value for name, value in changed.items()})


_LARGER = base64.b64encode(
    b'{"expiration":"2099-01-01T00:00:00Z","conditions":[{"bucket":"films"}]}'
).decode()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (form(change=lambda fields: fields.clear()), 403),
        (form(change=_set(x_amz_signature="0" * 64)), 403),
        (form(change=_set(policy=_LARGER)), 403),
        (form(change=_set(policy="")), 403),
        (form("s3", change=_set(signature="AAAA")), 403),
        (form("s3", change=_set(policy=_LARGER)), 403),
        (form("s3", change=_set(AWSAccessKeyId="test")), 403),
        (form(change=_set(x_amz_credential="test/20260101/us-east-1/s3/aws4_request")), 403),
        (form(change=_set(x_amz_security_token="x")), 403),
        (form(extra=[("policy", _LARGER)]), 403),
        (form(after=[("policy", _LARGER)]), 403),  # ministack reads what follows the file, too
        (form(after=[("x-amz-signature", "0" * 64)]), 403),
        (form(path="/other"), 403),
        (form(path="/login"), 403),
        (form(path="/films/a"), 403),
        (form(conditions=[["content-length-range", 1, 10]], file=b"f" * 100_000), 413),
        (replace(form(), body=b"x" * 100_000), 413),
        (replace(form(), body=b"nothing"), 403),
        (form(path="/films?uploads"), 403),
    ],
)
def test_other_forms_are_refused(sent: Sent, status: int) -> None:
    cloud = Cloud()
    assert cloud.ask(sent, [sent.body[at : at + 1000] for at in range(0, len(sent.body), 1000)])[0] == status
    assert cloud.inside.got == []


def test_a_form_carries_no_header_inside() -> None:
    """With one, ministack would take it for another service's call."""
    cloud = Cloud()
    assert cloud.ask(form().and_also("x-amz-target", "DynamoDB_20120810.Scan"))[0] == 200
    assert b"x-amz-target" not in dict(cloud.inside.got[0][0]["headers"])


# --- the REST API


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/plain", ""]
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_change_without_a_key_goes_no_further(method: str, content_type: str) -> None:
    """As a form of a page elsewhere would be sent, by a browser that states no Origin."""
    cloud = Cloud()
    headers = (("host", HOST), ("content-type", content_type))
    status, answer = cloud.ask(Sent(method, "/v1/videos", headers, b"prompt=x"))
    assert (status, json.loads(answer)["error"]["code"]) == (401, "invalid_api_key")
    assert cloud.inside.got == []


@pytest.mark.parametrize(
    "sent",
    [
        Sent("GET", "/v1/videos", (("host", HOST),)),
        Sent("POST", "/v1/videos", (("host", HOST), ("authorization", "Bearer rw_x")), b"{}"),
        Sent("OPTIONS", "/v1/videos", (("host", HOST),)),
    ],
)
def test_the_api_authorizes_its_own_callers(sent: Sent) -> None:
    assert Cloud().ask(sent)[0] == 200


# --- sign-in to the user pool

POOL = "AWSCognitoIdentityProviderService."


def pool_call(operation: str, **document: Any) -> Sent:
    headers = (
        ("host", HOST),
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", POOL + operation),
    )
    return Sent("POST", "/", headers, json.dumps(document).encode())


PASSWORD = pool_call(
    "InitiateAuth",
    ClientId="c",
    AuthFlow="USER_PASSWORD_AUTH",
    AuthParameters={"USERNAME": "ann", "PASSWORD": "p"},
)
REFRESH = pool_call(
    "InitiateAuth", ClientId="c", AuthFlow="REFRESH_TOKEN_AUTH", AuthParameters={"REFRESH_TOKEN": "r"}
)


def answered(
    name: str = "NEW_PASSWORD_REQUIRED", session: str = "s", user: str = "ann", client: str = "c"
) -> Sent:
    responses = {"USERNAME": user, "NEW_PASSWORD": "n"}
    return pool_call(
        "RespondToAuthChallenge",
        ClientId=client,
        ChallengeName=name,
        Session=session,
        ChallengeResponses=responses,
    )


def test_a_password_signs_in_and_nothing_else_is_passed_on() -> None:
    cloud = Cloud()
    sent = PASSWORD.and_also("x-amz-request-route", "x").and_also("content-encoding", "gzip")
    assert cloud.ask(sent)[0] == 200
    ((scope, body),) = cloud.inside.got
    assert {name for name, _ in scope["headers"]} == {
        b"host",
        b"content-type",
        b"content-length",
        b"x-amz-target",
    }
    assert json.loads(body) == json.loads(PASSWORD.body)


@pytest.mark.parametrize(
    "operation",
    [
        "AdminInitiateAuth",
        "AdminCreateUser",
        "ListUserPools",
        "SignUp",
        "ConfirmSignUp",
        "ForgotPassword",
        "ConfirmForgotPassword",
        "GetUser",
        "ChangePassword",
        "UpdateUserAttributes",
        "",
    ],
)
def test_other_operations_of_the_pool_must_be_signed(operation: str) -> None:
    """ministack does not check what they would prove themselves with on AWS: codes and access tokens."""
    cloud = Cloud()
    assert cloud.ask(pool_call(operation, ClientId="c", Username="ann", Password="n"))[0] == 403
    assert cloud.inside.got == []


@pytest.mark.parametrize(
    "sent", [REFRESH, answered(), pool_call("GetTokensFromRefreshToken", RefreshToken="r")]
)
def test_what_the_cloud_has_not_issued_does_not_sign_in(sent: Sent) -> None:
    assert Cloud().ask(sent)[0] == 403


def test_a_refresh_token_that_the_cloud_issued_signs_in() -> None:
    cloud = Cloud(json.dumps({"AuthenticationResult": {"RefreshToken": "r"}}).encode())
    cloud.ask(PASSWORD)
    assert cloud.ask(REFRESH)[0] == 200
    assert cloud.ask(pool_call("GetTokensFromRefreshToken", ClientId="c", RefreshToken="r"))[0] == 200
    assert cloud.ask(pool_call("GetTokensFromRefreshToken", ClientId="c", RefreshToken="q"))[0] == 403


def test_a_token_issued_to_a_signed_call_signs_in() -> None:
    cloud = Cloud(json.dumps({"AuthenticationResult": {"RefreshToken": "r"}}).encode())
    target = {"x_amz_target": POOL + "AdminInitiateAuth"}
    assert cloud.ask(signed("cognito-idp", "POST", "/", b"{}", **target))[0] == 200
    assert cloud.ask(REFRESH)[0] == 200


ASKED = {
    "ChallengeName": "NEW_PASSWORD_REQUIRED",
    "Session": "s",
    "ChallengeParameters": {"USER_ID_FOR_SRP": "u1"},
}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (answered(), 200),
        (answered(user="u1"), 200),
        (answered(user="bob"), 403),
        (answered(session="t"), 403),
        (answered(client="d"), 403),
        (answered("SOFTWARE_TOKEN_MFA"), 403),
        (answered("MFA_SETUP"), 403),
        (answered("CUSTOM_CHALLENGE"), 403),
    ],
)
def test_a_challenge_is_answered_by_whom_it_was_put_to(sent: Sent, status: int) -> None:
    cloud = Cloud(json.dumps(ASKED).encode())
    cloud.ask(PASSWORD)
    assert cloud.ask(sent)[0] == status


def test_an_answered_or_old_challenge_is_over() -> None:
    now = [0.0]
    sign_ins = SignIns(lambda: now[0])
    asked, answer = json.loads(PASSWORD.body), json.loads(answered().body)
    sign_ins.remember(asked, ASKED)
    assert sign_ins.allows("RespondToAuthChallenge", answer)
    now[0] = 901
    assert not sign_ins.allows("RespondToAuthChallenge", answer)
    now[0] = 0
    sign_ins.remember(answer, {"AuthenticationResult": {"RefreshToken": "r"}})
    assert not sign_ins.allows("RespondToAuthChallenge", answer)


@pytest.mark.parametrize(
    "sent",
    [
        replace(PASSWORD, target="/2015-03-31/functions/f/invocations"),
        replace(PASSWORD, target="/?Action=ListQueues"),
        replace(PASSWORD, method="PUT"),
        PASSWORD.having(content_type="text/plain"),
        replace(PASSWORD, body=b"[]"),
        replace(PASSWORD, body=b"\xff"),
        replace(PASSWORD, body=b'{"AuthFlow":"CUSTOM_AUTH"}'),
        PASSWORD.and_also("x-amz-target", "DynamoDB_20120810.Scan"),
    ],
)
def test_what_only_resembles_a_sign_in_is_refused(sent: Sent) -> None:
    cloud = Cloud()
    assert cloud.ask(sent)[0] == 403
    assert cloud.inside.got == []


def test_a_sign_in_is_bounded() -> None:
    assert Cloud().ask(replace(PASSWORD, body=b" " * 70_000 + PASSWORD.body))[0] == 413


def test_the_pool_s_public_keys_are_public() -> None:
    assert (
        Cloud().ask(Sent(target="/us-east-1_Ab1/.well-known/jwks.json", headers=(("host", HOST),)))[0] == 200
    )


def test_an_incomplete_body_of_signed_chunks_is_not_one() -> None:
    claimed = Verifier(OURS, lambda: NOW).claimed(
        Request(
            {
                "method": "PUT",
                "raw_path": b"/films/a",
                "path": "/films/a",
                "headers": [(n.lower().encode(), v.encode()) for n, v in CHUNKED.headers],
            }
        )
    )
    assert claimed
    assert chunks_are_signed(CHUNKED.body, claimed, OURS, claimed.signature, trailer=False)
    for cut in range(len(CHUNKED.body)):
        assert not chunks_are_signed(CHUNKED.body[:cut], claimed, OURS, claimed.signature, trailer=False)


def test_aws_s_own_example_of_signed_chunks() -> None:
    """docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html, with its keys and signatures."""
    example = Credentials("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AKIAIOSFODNN7EXAMPLE")
    seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    claimed = Signature(
        example.access_key_id, "20130524T000000Z", "20130524", "us-east-1", "s3", ("host",), seed, None
    )
    signatures = (
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    )
    body = b"".join(
        b"%x;chunk-signature=%s\r\n%s\r\n" % (size, signature.encode(), b"a" * size)
        for size, signature in zip((65536, 1024, 0), signatures, strict=True)
    )
    assert chunks_are_signed(body, claimed, example, seed, trailer=False)

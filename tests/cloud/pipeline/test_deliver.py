"""Deliver: from an event of the bus to the receiver, with everything that may go wrong in between."""

import json
import ssl
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from openai import OpenAI
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.receiver import Sender
from lambdas.adapters.videos import now_ms
from lambdas.adapters.webhooks import Webhooks
from lambdas.domain import keys
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from lambdas.domain.webhook_address import receiver
from lambdas.domain.webhooks import (
    OF_REQUESTS,
    Delivery,
    DeliveryState,
    DueTry,
    Endpoint,
    EventType,
    RequestedWebhook,
    new_endpoint,
    sample_event,
)
from lambdas.settings import DeliverSettings
from lambdas.webhooks import deliver
from tests.cloud.deployment import Context
from tests.cloud.pipeline.bench import Bench
from tests.cloud.servers import serving
from tests.factories import a_request

NOBODY = "http://127.0.0.1:9/"  # the discard service's port, on which nothing listens


class Receiver:
    """A tenant's server. It answers with `statuses` in order, then with 204."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.app = Starlette(routes=[Route("/{path:path}", self._take, methods=["GET", "POST"])])
        self.url = ""

    async def _take(self, request: Request) -> Response:
        self.requests.append((dict(request.headers) | {"path": request.url.path}, await request.body()))
        status, headers = self.answers.pop(0) if self.answers else (204, {})
        return Response(status_code=status, headers=headers)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.requests]


@pytest.fixture
def to() -> Iterator[Receiver]:
    made = Receiver()
    with serving(made.app) as url:
        made.url = f"{url}/hook?token=secret"
        yield made


class Post:
    """A tenant with webhooks, and its deliveries as the queue hands them to Deliver."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.tenant = f"t-{uuid.uuid4().hex[:12]}"
        self.settings = DeliverSettings.from_env()
        self.webhooks: Webhooks = stores.webhooks(self.settings)
        self.clear()

    def clear(self) -> None:
        for queue in (self.settings.webhooks_queue_url, self.settings.webhooks_dead_letters_url):
            client("sqs").purge_queue(QueueUrl=queue)

    def video(self, webhook: RequestedWebhook | None = None, **changes: Any) -> Video:
        made = Video(
            id=f"video_{uuid.uuid4().hex}",
            tenant=self.tenant,
            request=a_request(webhook=webhook),
            created_ms=now_ms(),
            updated_ms=now_ms(),
            expires_ms=2**41,
            stage=Stage.COMPLETED,
            **changes,
        )
        return self.bench.videos.create(made)[0]

    def endpoint(self, url: str, *types: EventType, **changes: Any) -> Endpoint:
        made = new_endpoint(url, "mine", types or tuple(EventType), now_ms()).model_copy(update=changes)
        self.write(made)
        return made

    def write(self, endpoint: Endpoint) -> None:
        assert self.webhooks.replace(self.webhooks.endpoints(self.tenant).with_endpoint(endpoint))

    def event(self, video: Video, type_: str = "video.completed", **detail: Any) -> None:
        told = {"id": video.id, "tenant": video.tenant, "attempt": 1, "at_ms": now_ms(), "data": {}, **detail}
        self.message({"source": "reelworks", "detail-type": type_, "detail": told})

    def message(self, body: dict[str, Any]) -> None:
        deliver.handler({"Records": [{"body": json.dumps(body)}]}, Context())

    def arrives(self) -> list[dict[str, Any]]:
        """Take the messages that the queue has now, and those that wait for their delay too."""
        return self.take(self.settings.webhooks_queue_url)

    def take(self, queue: str) -> list[dict[str, Any]]:
        found = []
        while batch := client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in batch:
                client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(message["Body"]))
        return found

    def delayed(self) -> int:
        name = "ApproximateNumberOfMessagesDelayed"
        found = client("sqs").get_queue_attributes(
            QueueUrl=self.settings.webhooks_queue_url, AttributeNames=[name]
        )
        return int(found["Attributes"][name])

    def run(self) -> None:
        """Deliver what the queue has now."""
        for message in self.arrives():
            self.message(message)

    def log(self, endpoint: str) -> list[Delivery]:
        return self.webhooks.deliveries(self.tenant, endpoint, after=None, limit=50)[0]

    def only(self, endpoint: str) -> Delivery:
        [found] = self.log(endpoint)
        return found

    def try_again(self, endpoint: str) -> Delivery:
        """Let the next try be due now."""
        due = DueTry.of(self.only(endpoint)).model_copy(update={"due_ms": 0})
        self.message(due.model_dump())
        return self.only(endpoint)


@pytest.fixture
def post(bench: Bench) -> Post:
    return Post(bench)


# --- what arrives


def test_an_event_reaches_the_endpoints_that_take_it(post: Post, to: Receiver) -> None:
    mine = post.endpoint(to.url, EventType.VIDEO_COMPLETED)
    other = post.endpoint(f"{to.url}&other", EventType.VIDEO_FAILED)
    video = post.video()
    post.event(video)
    post.run()
    [(headers, body)] = to.requests
    assert headers["path"] == "/hook"
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"] == "Reelworks-Webhooks"
    assert json.loads(body)["data"] == {"id": video.id}
    secret = mine.secrets[0].text
    assert Webhook(secret).verify(body, headers)["type"] == "video.completed"
    event = OpenAI(api_key="x", webhook_secret=secret).webhooks.unwrap(body, headers)
    assert (event.id, event.type) == (headers["webhook-id"], "video.completed")
    delivered = post.only(mine.id)
    assert (delivered.state, delivered.made, delivered.tries[0].status) == (DeliveryState.DELIVERED, 1, 204)
    assert post.log(other.id) == []


def test_the_url_of_a_request_is_signed_with_the_tenant_s_secret(post: Post, to: Receiver) -> None:
    video = post.video(RequestedWebhook(url=to.url, event_types=(EventType.VIDEO_REVIEW,)))
    post.event(video, "video.review", data={"gate": "previews", "until": 5})
    post.event(video, "video.completed")
    post.run()
    [(headers, body)] = to.requests
    own = post.webhooks.endpoints(post.tenant).of_requests
    assert own is not None
    assert Webhook(own.secrets[0].text).verify(body, headers)["data"] == {
        "id": video.id,
        "gate": "previews",
        "until": 5,
    }
    assert post.only(OF_REQUESTS).state is DeliveryState.DELIVERED
    post.event(post.video(RequestedWebhook(url=to.url)))
    post.run()
    assert Webhook(own.secrets[0].text).verify(to.requests[1][1], to.requests[1][0]), "the same secret"


def test_after_a_rotation_receivers_with_either_secret_verify(post: Post, to: Receiver) -> None:
    before = post.endpoint(to.url)
    after = before.rotated(now_ms(), keep_old=True)
    post.write(after)
    post.event(post.video())
    post.run()
    [(headers, body)] = to.requests
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (before.secrets[0].text, after.secrets[0].text):
        assert Webhook(secret).verify(body, headers)
        assert OpenAI(api_key="x", webhook_secret=secret).webhooks.unwrap(body, headers).id


def test_another_tenant_s_endpoint_is_told_nothing(post: Post, to: Receiver, bench: Bench) -> None:
    Post(bench).endpoint(to.url)
    post.event(post.video())
    post.run()
    assert to.requests == []


# --- retries


def test_each_try_has_the_same_id_and_body(post: Post, to: Receiver) -> None:
    mine = post.endpoint(to.url)
    to.answers = [(500, {}), (429, {"Retry-After": "120"}), (302, {"Location": to.url})]
    post.event(post.video())
    post.run()
    first = post.only(mine.id)
    assert (first.state, first.made, first.tries[0].reason) == (DeliveryState.PENDING, 1, "answered 500")
    assert post.delayed() == 1
    second = post.try_again(mine.id)
    assert second.next_ms is not None
    assert second.next_ms - now_ms() > 100_000, "the receiver asked for 120 s"
    third = post.try_again(mine.id)
    assert third.tries[-1].reason == "answered 302, a redirect, which is not followed"
    assert post.try_again(mine.id).state is DeliveryState.DELIVERED
    assert len(to.requests) == 4, "the redirect was not followed"
    assert len({(headers["webhook-id"], body) for headers, body in to.requests}) == 1


def test_a_receiver_that_is_down_is_tried_again(post: Post) -> None:
    mine = post.endpoint(NOBODY)
    post.event(post.video())
    post.run()
    delivery = post.only(mine.id)
    assert (delivery.state, delivery.tries[0].status) == (DeliveryState.PENDING, None)
    assert "refused" in delivery.tries[0].reason


def test_after_a_day_it_ends_in_the_dead_letter_queue_and_can_be_sent_again(post: Post, to: Receiver) -> None:
    mine = post.endpoint(to.url)
    to.answers = [(500, {}), (500, {})]
    post.event(post.video())
    post.run()
    before = post.only(mine.id)
    aged = before.model_copy(update={"began_ms": now_ms() - 86_400_000})
    assert post.webhooks.note(aged, before=before)
    assert post.try_again(mine.id).state is DeliveryState.FAILED
    [letter] = post.take(post.settings.webhooks_dead_letters_url)
    post.message(letter)  # as an operator's redrive does
    assert post.only(mine.id).round == 2
    post.run()
    assert post.only(mine.id).state is DeliveryState.DELIVERED
    post.message(letter)
    assert len(to.requests) == 3, "it is not sent again once it was delivered"
    assert len({headers["webhook-id"] for headers, _ in to.requests}) == 1


def test_an_early_message_is_put_off(post: Post, to: Receiver) -> None:
    mine = post.endpoint(to.url)
    to.answers = [(500, {})]
    post.event(post.video())
    post.run()
    post.clear()
    due = DueTry.of(post.only(mine.id)).model_copy(update={"due_ms": now_ms() + 3 * 3_600_000})
    post.message(due.model_dump())
    assert post.delayed() == 1
    assert len(to.requests) == 1


def test_gone_disables_the_endpoint(post: Post, to: Receiver) -> None:
    mine = post.endpoint(to.url)
    to.answers = [(410, {})]
    post.event(post.video())
    post.run()
    delivery = post.only(mine.id)
    assert (delivery.state, delivery.next_ms) == (DeliveryState.FAILED, None)
    assert post.take(post.settings.webhooks_dead_letters_url) == []
    disabled = post.webhooks.endpoints(post.tenant).find(mine.id)
    assert disabled is not None
    assert disabled.disabled_ms is not None
    post.event(post.video())
    post.run()
    assert len(to.requests) == 1


def test_gone_ends_only_the_delivery_of_a_request_s_url(post: Post, to: Receiver) -> None:
    to.answers = [(410, {})]
    post.event(post.video(RequestedWebhook(url=to.url)))
    post.run()
    assert post.only(OF_REQUESTS).state is DeliveryState.FAILED
    post.event(post.video(RequestedWebhook(url=to.url)))
    post.run()
    assert len(to.requests) == 2


# --- messages that come twice, and functions that die


def test_a_doubled_event_is_delivered_once(post: Post, to: Receiver) -> None:
    post.endpoint(to.url)
    video = post.video()
    for _ in range(2):
        post.event(video)
        post.run()
    assert len(to.requests) == 1


def test_an_event_whose_function_died_before_it_queued_the_try(post: Post, to: Receiver) -> None:
    post.endpoint(to.url)
    video = post.video()
    post.event(video)
    post.clear()  # as if nothing was queued
    post.event(video)
    post.run()
    assert len(to.requests) == 1


def test_a_doubled_message_makes_no_second_try_but_queues_the_next(post: Post, to: Receiver) -> None:
    mine = post.endpoint(to.url)
    to.answers = [(500, {})]
    post.event(post.video())
    [message] = post.arrives()
    post.message(message)
    post.clear()  # as if the function had died before it queued the next
    post.message(message)
    assert len(to.requests) == 1
    assert post.delayed() == 1
    assert post.try_again(mine.id).state is DeliveryState.DELIVERED
    post.message(message)
    assert len(to.requests) == 2, "a message of an earlier try is dropped"


def test_a_message_of_an_earlier_round_is_dropped(post: Post, to: Receiver) -> None:
    mine = post.endpoint(to.url)
    post.event(post.video())
    [message] = post.arrives()
    before = post.only(mine.id)
    assert post.webhooks.note(before.begun_again(now_ms()), before=before)
    post.message(message)
    assert to.requests == []


# --- what ends deliveries


@pytest.mark.parametrize("gone", ["video", "endpoint", "disabled"])
def test_nothing_is_sent_after_a_deletion(post: Post, to: Receiver, gone: str) -> None:
    mine = post.endpoint(to.url)
    video = post.video()
    post.event(video)
    if gone == "video":
        post.bench.videos.delete(video.tenant, video.id)
    elif gone == "endpoint":
        endpoints = post.webhooks.endpoints(post.tenant)
        assert post.webhooks.replace(endpoints.without(mine.id))
    else:
        post.write(mine.model_copy(update={"disabled_ms": now_ms()}))
    post.run()
    assert to.requests == []
    delivery = post.only(mine.id)
    assert delivery.state is DeliveryState.CANCELLED
    assert ("video" if gone == "video" else "endpoint") in delivery.reason


def test_an_event_of_a_deleted_video_is_no_delivery(post: Post, to: Receiver) -> None:
    mine = post.endpoint(to.url)
    video = post.video()
    post.bench.videos.delete(video.tenant, video.id)
    post.event(video)
    assert post.log(mine.id) == []
    assert post.arrives() == []


# --- secrets and addresses


def test_logs_have_no_secret_and_no_token(post: Post, to: Receiver, log: StringIO) -> None:
    mine = post.endpoint(to.url)
    to.answers = [(500, {})]
    post.event(post.video())
    post.run()
    post.try_again(mine.id)
    lines = [json.loads(line) for line in log.getvalue().splitlines() if "delivery tried" in line]
    assert [line["state"] for line in lines] == ["pending", "delivered"]
    assert lines[0]["tenant"] == post.tenant
    assert "token" not in log.getvalue()
    assert "whsec_" not in log.getvalue()


def test_the_loopback_is_refused_without_the_setting(
    post: Post, to: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = post.endpoint(to.url)
    monkeypatch.setenv("REELWORKS_WEBHOOKS_TO_LOOPBACK", "false")
    post.event(post.video())
    post.run()
    assert to.requests == []
    assert post.only(mine.id).tries[0].reason == "its URL is not allowed"


def test_the_journal_restores_endpoints_but_nothing_older(post: Post, to: Receiver) -> None:
    mine = post.endpoint(to.url)
    item = {"pk": {"S": keys.webhooks_item(post.tenant)[0]}, "sk": {"S": "webhooks"}}
    client("dynamodb").delete_item(TableName=post.settings.webhooks_table, Key=item)
    assert post.webhooks.endpoints(post.tenant).endpoints == ()
    post.webhooks.restore_all()
    assert post.webhooks.endpoints(post.tenant).endpoints == (mine,)
    journal = stores.outputs(post.settings).get(keys.webhooks_record(post.tenant))
    post.write(mine.model_copy(update={"name": "newer"}))
    stores.outputs(post.settings).put(keys.webhooks_record(post.tenant), journal, "application/json")
    post.webhooks.restore_all()
    assert post.webhooks.endpoints(post.tenant).endpoints[0].name == "newer"


def test_a_sample_is_sent_at_once(post: Post, to: Receiver) -> None:
    mine = post.endpoint(to.url, EventType.VIDEO_FAILED)
    event = sample_event(EventType.VIDEO_COMPLETED, now_ms())
    test = {"tenant": post.tenant, "endpoint": mine.id, "event": event.model_dump(mode="json")}
    to.answers = [(418, {})]
    result = deliver.handler({"test": test}, Context())
    assert result
    assert result["status"] == 418
    assert Webhook(mine.secrets[0].text).verify(to.requests[0][1], to.requests[0][0])["id"] == event.id


# --- TLS


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return chain, secret


def test_tls_verifies_the_name_though_the_connection_goes_to_an_address(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "receiver.test")
    taken = Receiver()
    with serving(taken.app, ssl_certfile=chain, ssl_keyfile=key) as url:
        port = int(url.rpartition(":")[2])
        trusting = ssl.create_default_context(cafile=str(chain))

        def send(name: str, context: ssl.SSLContext | None = trusting) -> str:
            sender = Sender(loopback=True, resolve=lambda *_: ["127.0.0.1"], context=context)
            return sender.post(
                receiver(f"https://{name}:{port}/", loopback=True, param="url"), b"{}", {}
            ).problem

        assert send("receiver.test") == ""
        assert taken.requests[0][0]["host"] == f"receiver.test:{port}"
        assert "TLS failed" in send("other.test")
        assert "TLS failed" in send("receiver.test", None)
        assert len(taken.requests) == 1


class Dripping(StreamRequestHandler):
    """Answers a byte at a time, so that no read of the connection times out."""

    def handle(self) -> None:
        with suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
            while True:
                self.wfile.write(b"x")
                time.sleep(0.02)


def test_an_answer_that_never_ends_is_cut_off() -> None:
    with ThreadingTCPServer(("127.0.0.1", 0), Dripping) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            to = receiver(f"http://127.0.0.1:{server.server_address[1]}", loopback=True, param="url")
            answer = Sender(loopback=True, limit_seconds=0.5).post(to, b"{}", {})
        finally:
            server.shutdown()
            thread.join()
    assert answer.problem == "no answer within 0.5 s"

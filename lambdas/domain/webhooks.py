"""Webhooks: the events that are sent, who receives them, and each delivery with its tries.

Bodies and headers follow OpenAI's webhooks and Standard Webhooks
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
"""

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Self

from lambdas.domain import names
from lambdas.domain.documents import Document, fingerprint

MOST_ENDPOINTS = 10  # of a tenant
LONGEST_ENDPOINT_NAME = 100
ROTATION_MS = 24 * 3_600_000  # for which the previous secret signs too
WINDOW_MS = 24 * 3_600_000  # from the first try to the last
LOG_SECONDS = 30 * 24 * 3_600  # for which a delivery is kept
OF_REQUESTS = "default"  # the endpoint that stands for the URLs given in requests

# The pause after a try: 5 s, 20 s, 80 s … and at most 6 h: 11 tries in 24 h.
_FIRST_PAUSE_MS = 5_000
_PAUSE_GROWS = 4
_LONGEST_PAUSE_MS = 6 * 3_600_000
_SECRET_BYTES = 32  # Standard Webhooks: 24 to 64
_KEPT_SECRETS = 5
_KEPT_TRIES = 20


class EventType(StrEnum):
    VIDEO_COMPLETED = names.VIDEO_COMPLETED
    VIDEO_FAILED = names.VIDEO_FAILED
    VIDEO_REVIEW = names.VIDEO_REVIEW
    CLIP_COMPLETED = names.CLIP_COMPLETED


# Of a film, so that a film of 1,000 clips sends as many events as one of a single clip.
DEFAULT_EVENT_TYPES = (EventType.VIDEO_COMPLETED, EventType.VIDEO_FAILED, EventType.VIDEO_REVIEW)


class RequestedWebhook(Document):
    """Where a request wants its video's events sent."""

    url: str
    event_types: tuple[EventType, ...] = DEFAULT_EVENT_TYPES


# --- events


class WebhookEvent(Document):
    """An event as it is sent. `created_at`: seconds since the epoch."""

    id: str
    type: EventType
    created_at: int
    data: dict[str, Any]  # `id`: the video's

    @classmethod
    def of(cls, type_: str, detail: Mapping[str, Any]) -> Self:
        """Return the webhook of an event of the bus (lambdas.adapters.events).

        The id is derived from what happened, so an event that arrives twice has one id.
        """
        data = {"id": detail["id"], **detail["data"]}
        what = [detail["tenant"], type_, detail["attempt"], data]
        return cls(
            id=f"evt_{fingerprint(what)[:32]}",
            type=EventType(type_),
            created_at=detail["at_ms"] // 1000,
            data=data,
        )

    @property
    def body(self) -> str:
        """The text that is signed and sent, the same in each try."""
        return json.dumps({"object": "event", **self.model_dump(mode="json")}, separators=(",", ":"))


def sample_event(type_: EventType, now_ms: int) -> WebhookEvent:
    """Return an event about a video that does not exist."""
    data: dict[str, Any] = {"id": f"video_{'0' * 32}"}
    if type_ is EventType.VIDEO_REVIEW:
        data |= {"gate": "storyboard", "until": now_ms // 1000}
    elif type_ is EventType.CLIP_COMPLETED:
        data |= {"clip": 0, "clips": 1}
    return WebhookEvent(id=f"evt_{secrets.token_hex(16)}", type=type_, created_at=now_ms // 1000, data=data)


# --- receivers


class SigningSecret(Document):
    """A secret in Standard Webhooks' form. `until_ms`: when it stops signing; None for the current one."""

    text: str
    until_ms: int | None = None


def new_secret() -> SigningSecret:
    return SigningSecret(text="whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode())


class Endpoint(Document):
    """A tenant's receiver; or, with the id OF_REQUESTS and no URL, what signs for the URLs of requests."""

    id: str
    url: str
    name: str
    event_types: tuple[EventType, ...]
    secrets: tuple[SigningSecret, ...]  # the current one first
    created_ms: int
    updated_ms: int
    disabled_ms: int | None = None  # since its owner disabled it, or the receiver answered 410 Gone

    def signing(self, now_ms: int) -> list[str]:
        """Return the secrets that sign now, the current one first."""
        return [one.text for one in self.secrets if one.until_ms is None or one.until_ms > now_ms]

    def rotated(self, now_ms: int, *, keep_old: bool) -> Self:
        """Return the endpoint with a new secret. `keep_old`: those before sign for 24 hours more."""
        old = [
            one.model_copy(update={"until_ms": one.until_ms or now_ms + ROTATION_MS})
            for one in self.secrets
            if keep_old and one.text in self.signing(now_ms)
        ]
        kept = (new_secret(), *old[: _KEPT_SECRETS - 1])
        return self.model_copy(update={"secrets": kept, "updated_ms": now_ms})

    def takes(self, type_: EventType) -> bool:
        return self.disabled_ms is None and type_ in self.event_types


def new_endpoint(url: str, name: str, event_types: Sequence[EventType], now_ms: int) -> Endpoint:
    return Endpoint(
        id=f"we_{secrets.token_hex(16)}",
        url=url,
        name=name,
        event_types=tuple(event_types),
        secrets=(new_secret(),),
        created_ms=now_ms,
        updated_ms=now_ms,
    )


class Endpoints(Document):
    """A tenant's endpoints, in one item, so that their number is bounded and a delivery reads one item."""

    tenant: str
    version: int = 0  # increases with each change; 0: there is no item yet
    endpoints: tuple[Endpoint, ...] = ()  # the newest last
    of_requests: Endpoint | None = None  # made with the first rotation or delivery

    def find(self, id_: str) -> Endpoint | None:
        if id_ == OF_REQUESTS:
            return self.of_requests
        return next((one for one in self.endpoints if one.id == id_), None)

    def with_endpoint(self, endpoint: Endpoint) -> Self:
        """Return the endpoints with one added, or replaced by its id."""
        if endpoint.id == OF_REQUESTS:
            return self.model_copy(update={"of_requests": endpoint})
        if self.find(endpoint.id) is None:
            return self.model_copy(update={"endpoints": (*self.endpoints, endpoint)})
        replaced = tuple(endpoint if one.id == endpoint.id else one for one in self.endpoints)
        return self.model_copy(update={"endpoints": replaced})

    def without(self, id_: str) -> Self:
        return self.model_copy(update={"endpoints": tuple(one for one in self.endpoints if one.id != id_)})


def endpoint_of_requests(now_ms: int) -> Endpoint:
    return new_endpoint("", "webhook_url of requests", tuple(EventType), now_ms).model_copy(
        update={"id": OF_REQUESTS}
    )


# --- deliveries


class DeliveryState(StrEnum):
    PENDING = "pending"  # more tries follow
    DELIVERED = "delivered"
    FAILED = "failed"  # no more tries, unless it is asked for again
    CANCELLED = "cancelled"  # its video or its endpoint is gone


class Answer(Document):
    """What became of a POST. `status` None: there was no answer. `problem`: why it failed; empty if it was
    taken. `retry_after_ms`: for how long the receiver asks to wait."""

    status: int | None = None
    problem: str = ""
    retry_after_ms: int = 0


class SampleEvent(Document):
    """What Api invokes Deliver with, to test an endpoint."""

    tenant: str
    endpoint: str
    event: WebhookEvent


class Try(Document):
    """One POST. `status` None: no answer. `reason`: why it failed; empty if it didn't."""

    at_ms: int
    took_ms: int
    status: int | None
    reason: str = ""


class Delivery(Document):
    """An event on its way to an endpoint. A round of tries begins with the event, and when it is asked for
    again."""

    id: str
    tenant: str
    endpoint: str  # id
    event: WebhookEvent
    created_ms: int
    state: DeliveryState = DeliveryState.PENDING
    round: int = 1
    began_ms: int  # of the round
    made: int = 0  # tries of the round
    tries: tuple[Try, ...] = ()  # the latest
    next_ms: int | None = None  # when the next try is due
    reason: str = ""  # why it was cancelled

    def begun_again(self, now_ms: int) -> Self:
        changes = {
            "state": DeliveryState.PENDING,
            "round": self.round + 1,
            "began_ms": now_ms,
            "made": 0,
            "next_ms": now_ms,
            "reason": "",
        }
        return self.model_copy(update=changes)

    def cancelled(self, reason: str) -> Self:
        changes = {"state": DeliveryState.CANCELLED, "reason": reason, "next_ms": None}
        return self.model_copy(update=changes)

    def tried(self, tried: Try, *, jitter: float, retry_after_ms: int = 0, gone: bool = False) -> Self:
        """Return the delivery after a try. `jitter`: from 0.9 to 1.1, by which the pause is multiplied.
        `gone`: the receiver wants no more."""
        made = self.made + 1
        next_ms = None
        state = DeliveryState.DELIVERED
        if tried.reason:
            ended_ms = tried.at_ms + tried.took_ms
            next_ms = None if gone else self._next_ms(made, ended_ms, jitter, retry_after_ms)
            state = DeliveryState.FAILED if next_ms is None else DeliveryState.PENDING
        tries = (*self.tries, tried)[-_KEPT_TRIES:]
        return self.model_copy(update={"state": state, "made": made, "tries": tries, "next_ms": next_ms})

    def _next_ms(self, made: int, now_ms: int, jitter: float, retry_after_ms: int) -> int | None:
        last_ms = self.began_ms + WINDOW_MS
        if now_ms >= last_ms:
            return None
        pause: int = min(_FIRST_PAUSE_MS * _PAUSE_GROWS ** (made - 1), _LONGEST_PAUSE_MS)
        return min(now_ms + max(round(pause * jitter), retry_after_ms), last_ms)


def new_delivery(tenant: str, endpoint: str, event: WebhookEvent, now_ms: int) -> Delivery:
    """Return the delivery of an event; the same for an event that arrives twice."""
    return Delivery(
        id=f"wd_{fingerprint([tenant, endpoint, event.id])[:32]}",
        tenant=tenant,
        endpoint=endpoint,
        event=event,
        created_ms=now_ms,
        began_ms=now_ms,
        next_ms=now_ms,
    )


class DueTry(Document):
    """A message of the queue: the next try of a delivery. `made`: how many tries of the round came before it,
    so that a message that arrives twice is known. `again`: begin a new round."""

    tenant: str
    endpoint: str
    delivery: str
    round: int
    made: int
    due_ms: int
    again: bool = False

    @classmethod
    def of(cls, delivery: Delivery, *, again: bool = False) -> Self:
        return cls(
            tenant=delivery.tenant,
            endpoint=delivery.endpoint,
            delivery=delivery.id,
            round=delivery.round,
            made=delivery.made,
            due_ms=delivery.next_ms or 0,
            again=again,
        )

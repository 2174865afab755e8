"""A tenant's webhook endpoints: create, change, rotate, test and delete them; look at deliveries."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.deliveries_queue import DeliveriesQueue
from lambdas.adapters.functions import Functions
from lambdas.adapters.videos import now_ms
from lambdas.domain.control_characters import NAME
from lambdas.domain.documents import Document
from lambdas.domain.errors import InvalidRequest, NotReady, ReceiverFailed, WebhookNotFound
from lambdas.domain.webhook_address import LONGEST_URL, receiver
from lambdas.domain.webhooks import (
    DEFAULT_EVENT_TYPES,
    LONGEST_ENDPOINT_NAME,
    MOST_ENDPOINTS,
    OF_REQUESTS,
    Answer,
    Delivery,
    DueTry,
    Endpoint,
    Endpoints,
    EventType,
    SampleEvent,
    endpoint_of_requests,
    new_endpoint,
    sample_event,
)
from lambdas.intake.fields import EventTypes, parse_form
from lambdas.settings import ApiSettings

_RETRY_MS = 15 * 60_000  # within which a client repeats a create whose answer it did not get

_URL = f"an https:// URL of at most {LONGEST_URL:,} characters"
_NAME = f"1 to {LONGEST_ENDPOINT_NAME} characters without control characters"
_EVENT_TYPES = f"a list of {', '.join(EventType)}, each at most once"
_Name = Annotated[str, Field(min_length=1, max_length=LONGEST_ENDPOINT_NAME, pattern=NAME)]


def _is_bool(value: Any) -> Any:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")
    return value


_Bool = Annotated[bool, BeforeValidator(_is_bool)]


class CreateFields(Document):
    """A receiver of events."""

    url: str = Field(description=_URL)
    """Where events are sent."""
    name: _Name | None = Field(default=None, description=_NAME)
    """What you call it; the URL's host if you don't."""
    event_types: EventTypes = Field(default=DEFAULT_EVENT_TYPES, description=_EVENT_TYPES)
    """The events to send; all but `clip.completed` if you don't say."""


class UpdateFields(Document):
    """What changes of a webhook endpoint."""

    url: str | None = Field(default=None, description=_URL)
    name: _Name | None = Field(default=None, description=_NAME)
    event_types: EventTypes | None = Field(default=None, description=_EVENT_TYPES)
    enabled: _Bool | None = Field(default=None, description="true or false")


class RotateFields(Document):
    """How to rotate a secret."""

    keep_old_secret_active_for_24_hours: _Bool = Field(default=False, description="true or false")


class TestFields(Document):
    """Which event to send as a test."""

    __test__ = False  # not a test of pytest's

    event_type: EventType = Field(description=f"one of {', '.join(EventType)}")


class WebhookEndpoints:
    def __init__(self, settings: ApiSettings) -> None:
        self._loopback = settings.to_loopback
        self._function = settings.deliver_function
        self._functions = Functions(client("lambda"))
        self._webhooks = stores.webhooks(settings)
        self._videos = stores.videos(settings)
        self._queue = DeliveriesQueue(client("sqs"), settings.webhooks_queue_url)

    # --- endpoints

    def create(self, tenant: str, fields: Mapping[str, Any], *, retry: bool) -> Endpoint:
        """Return a new endpoint. Raises InvalidRequest.

        `retry`: the client repeats a create whose answer it did not get. The endpoint of its first try then
        gets a new secret, because nobody has seen the old one.
        """
        parsed = parse_form(CreateFields, fields)
        to = receiver(parsed.url, loopback=self._loopback, param="url")
        made = new_endpoint(to.url, parsed.name or to.host, parsed.event_types, now_ms())

        def change(endpoints: Endpoints) -> Endpoint:
            same = next((one for one in endpoints.endpoints if one.url == made.url), None)
            if same is not None and retry and same.created_ms > now_ms() - _RETRY_MS:
                return same.rotated(now_ms(), keep_old=False)
            _check_unused(same)
            if len(endpoints.endpoints) >= MOST_ENDPOINTS:
                raise InvalidRequest(
                    f"A tenant has at most {MOST_ENDPOINTS} webhook endpoints; delete one first.", param="url"
                )
            return made

        return self._changed(tenant, change)

    def page(self, tenant: str, *, after: str | None, limit: int) -> tuple[list[Endpoint], bool]:
        """Return a page of endpoints, the newest first, and whether there are more."""
        every = [*reversed(self._webhooks.endpoints(tenant).endpoints)]
        if after is not None:
            ids = [one.id for one in every]
            if after not in ids:
                raise InvalidRequest(
                    f"after must be the id of one of your webhook endpoints; got {after[:80]!r}.",
                    param="after",
                )
            every = every[ids.index(after) + 1 :]
        return every[:limit], len(every) > limit

    def find(self, tenant: str, id_: str) -> Endpoint:
        """Raises WebhookNotFound."""
        return _found(self._webhooks.endpoints(tenant), id_)

    def update(self, tenant: str, id_: str, fields: Mapping[str, Any]) -> Endpoint:
        """Raises InvalidRequest, WebhookNotFound."""
        _refuse_of_requests(id_, "changed")
        parsed = parse_form(UpdateFields, fields)
        given = {name: getattr(parsed, name) for name in ("name", "event_types")}
        changes = {name: value for name, value in given.items() if value is not None}
        if parsed.url is not None:
            changes["url"] = receiver(parsed.url, loopback=self._loopback, param="url").url
        if parsed.enabled is not None or parsed.url is not None:
            changes["disabled_ms"] = now_ms() if parsed.enabled is False else None

        def change(endpoints: Endpoints) -> Endpoint:
            before = _found(endpoints, id_)
            others = (one for one in endpoints.endpoints if one.id != id_)
            _check_unused(next((one for one in others if one.url == changes.get("url")), None))
            after = before.model_copy(update=changes)
            return before if after == before else after.model_copy(update={"updated_ms": now_ms()})

        return self._changed(tenant, change)

    def rotate(self, tenant: str, id_: str, fields: Mapping[str, Any]) -> Endpoint:
        """Return the endpoint with a new secret. Raises InvalidRequest, WebhookNotFound."""
        keep_old = parse_form(RotateFields, fields).keep_old_secret_active_for_24_hours

        def change(endpoints: Endpoints) -> Endpoint:
            if id_ == OF_REQUESTS and endpoints.of_requests is None:
                return endpoint_of_requests(now_ms())
            return _found(endpoints, id_).rotated(now_ms(), keep_old=keep_old)

        return self._changed(tenant, change)

    def delete(self, tenant: str, id_: str, *, retry: bool) -> None:
        """`retry`: the client repeats a call whose answer it did not get, so the endpoint may be gone.

        Raises InvalidRequest, WebhookNotFound.
        """
        _refuse_of_requests(id_, "deleted")
        while True:
            endpoints = self._webhooks.endpoints(tenant)
            if retry and endpoints.find(id_) is None:
                return
            _found(endpoints, id_)
            if self._webhooks.replace(endpoints.without(id_)):
                return

    def test(self, tenant: str, id_: str, fields: Mapping[str, Any]) -> tuple[EventType, int]:
        """Send a sample event. Return its type and the status that the receiver answered.

        Raises InvalidRequest, WebhookNotFound; ReceiverFailed if there was no answer.
        """
        _refuse_of_requests(id_, "tested")
        type_ = parse_form(TestFields, fields).event_type
        self.find(tenant, id_)
        sample = SampleEvent(tenant=tenant, endpoint=id_, event=sample_event(type_, now_ms()))
        answer = Answer.model_validate(
            self._functions.call(self._function, {"test": sample.model_dump(mode="json")})
        )
        if answer.status is None:
            raise ReceiverFailed(f"The receiver can't be reached: {answer.problem}.", param="url")
        return type_, answer.status

    def _changed(self, tenant: str, change: Callable[[Endpoints], Endpoint]) -> Endpoint:
        """Write the endpoint that `change` returns; it is asked again if another change was faster."""
        while True:
            endpoints = self._webhooks.endpoints(tenant)
            endpoint = change(endpoints)
            if endpoints.find(endpoint.id) == endpoint:
                return endpoint
            if self._webhooks.replace(endpoints.with_endpoint(endpoint)):
                return endpoint

    # --- deliveries

    def deliveries(
        self, tenant: str, id_: str, *, after: str | None, limit: int
    ) -> tuple[list[Delivery], bool]:
        """Return a page of an endpoint's deliveries, the newest first, and whether there are more.

        Raises InvalidRequest, WebhookNotFound.
        """
        self._check_endpoint(tenant, id_)
        last = None if after is None else self._webhooks.delivery(tenant, id_, after)
        if after is not None and last is None:
            raise InvalidRequest(
                f"after must be the id of a delivery to this endpoint; got {after[:80]!r}.", param="after"
            )
        return self._webhooks.deliveries(tenant, id_, after=last, limit=limit)

    def redeliver(self, tenant: str, id_: str, delivery_id: str) -> Delivery:
        """Begin a new round of tries at once. Raises NotReady, VideoNotFound, WebhookNotFound."""
        endpoint = self._check_endpoint(tenant, id_)
        if endpoint is not None and endpoint.disabled_ms is not None:
            raise NotReady(f"Webhook endpoint {id_} is disabled; enable it first.", param="id")
        while True:
            before = self._webhooks.delivery(tenant, id_, delivery_id)
            if before is None:
                raise WebhookNotFound(f"There is no delivery {delivery_id[:100]!r}.", param="id")
            self._videos.outline(tenant, before.event.data["id"])
            after = before.begun_again(now_ms())
            if self._webhooks.note(after, before=before):
                self._queue.send(DueTry.of(after), now_ms())
                return after

    def _check_endpoint(self, tenant: str, id_: str) -> Endpoint | None:
        """Return the endpoint; None for the URLs of requests, which may have no secret yet."""
        return None if id_ == OF_REQUESTS else self.find(tenant, id_)


def _found(endpoints: Endpoints, id_: str) -> Endpoint:
    endpoint = endpoints.find(id_)
    if endpoint is None and id_ == OF_REQUESTS:
        raise WebhookNotFound(
            "There is no secret yet for the webhook_url of requests; make it with "
            f"POST /v1/webhook_endpoints/{OF_REQUESTS}/rotate_secret.",
            param="id",
        )
    if endpoint is None:
        raise WebhookNotFound(f"There is no webhook endpoint {id_[:100]!r}.", param="id")
    return endpoint


def _check_unused(same: Endpoint | None) -> None:
    if same is not None:
        raise InvalidRequest(
            f"url is already that of webhook endpoint {same.id}; change that one.", param="url"
        )


def _refuse_of_requests(id_: str, done: str) -> None:
    if id_ == OF_REQUESTS:
        raise InvalidRequest(
            f"{OF_REQUESTS} stands for the webhook_url of requests and can't be {done}; only its secret can "
            "be rotated.",
            param="id",
        )

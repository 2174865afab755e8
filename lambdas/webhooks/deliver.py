"""Deliver events to webhooks, one message of the queue at a time.

    an event of the bus     note a delivery for each endpoint that takes it, and queue the first try of each
    a try that is due       POST it, note the outcome, and queue the next try if it was not taken
    {"test": …}             POST a sample at once, and return the receiver's status; Api invokes this

A try is noted before the next is queued. A function that is killed in between gets the same message again,
finds the try noted, and queues the next; one that is killed before the note makes the try again, with the
same webhook-id. So nothing is lost, and a receiver that remembers the ids it has seen takes nothing twice.
"""

import json
import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from standardwebhooks import Webhook

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.deliveries_queue import DeliveriesQueue
from lambdas.adapters.receiver import Sender
from lambdas.adapters.videos import now_ms
from lambdas.domain import names
from lambdas.domain.errors import InvalidRequest, VideoNotFound
from lambdas.domain.webhook_address import receiver
from lambdas.domain.webhooks import (
    OF_REQUESTS,
    Answer,
    Delivery,
    DeliveryState,
    DueTry,
    Endpoint,
    Endpoints,
    RequestedWebhook,
    SampleEvent,
    Try,
    WebhookEvent,
    endpoint_of_requests,
    new_delivery,
)
from lambdas.settings import DeliverSettings
from lambdas.telemetry import count, logger

_GONE = 410  # the receiver wants no more events (Standard Webhooks)
_EARLY_MS = 500  # SQS's delays are whole seconds
_JITTER = (0.9, 1.1)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any] | None:
    settings = DeliverSettings.from_env()
    deliver = Deliver(settings, Sender(loopback=settings.to_loopback))
    if "test" in event:
        return deliver.sample(SampleEvent.model_validate(event["test"])).model_dump()
    for record in event["Records"]:
        message = json.loads(record["body"])
        if "detail-type" in message:
            deliver.event(message["detail-type"], message["detail"])
        else:
            deliver.due(DueTry.model_validate(message))
    return None


class NoReceiver(Exception):
    """A delivery has nowhere to go any more; the message says why."""


class Deliver:
    def __init__(self, settings: DeliverSettings, sender: Sender) -> None:
        self._sender = sender
        self._loopback = settings.to_loopback
        self._webhooks = stores.webhooks(settings)
        self._videos = stores.videos(settings)
        self._queue = DeliveriesQueue(client("sqs"), settings.webhooks_queue_url)
        self._dead_letters = DeliveriesQueue(client("sqs"), settings.webhooks_dead_letters_url)

    def event(self, type_: str, detail: Mapping[str, Any]) -> None:
        """Queue a delivery of an event to each endpoint that takes it."""
        tenant = detail["tenant"]
        event = WebhookEvent.of(type_, detail)
        _log_for(tenant, event)
        try:
            requested = self._requested(tenant, event)
        except VideoNotFound:
            return
        receivers = [one.id for one in self._webhooks.endpoints(tenant).endpoints if one.takes(event.type)]
        if requested is not None and event.type in requested.event_types:
            receivers.append(OF_REQUESTS)
        for endpoint in receivers:
            delivery = self._webhooks.begin(new_delivery(tenant, endpoint, event, now_ms()))
            # Also one that is noted already: the function may have died before it was queued.
            if delivery.state is DeliveryState.PENDING and delivery.made == 0:
                self._queue.send(DueTry.of(delivery), now_ms())

    def due(self, due: DueTry) -> None:
        """Make a try, unless the message is early, late or arrives again."""
        delivery = self._webhooks.delivery(due.tenant, due.endpoint, due.delivery)
        if delivery is None:
            return
        _log_for(due.tenant, delivery.event, endpoint=due.endpoint)
        if due.again:
            self._begin_again(delivery)
        elif delivery.state is not DeliveryState.PENDING or delivery.round != due.round:
            logger.info("try dropped", extra={"state": delivery.state})
        elif due.due_ms > now_ms() + _EARLY_MS:
            self._queue.send(due, now_ms())
        elif delivery.made == due.made:
            self._try(delivery)
        elif (
            delivery.made == due.made + 1
        ):  # noted, but the function may have died before the next was queued
            self._queue.send(DueTry.of(delivery), now_ms())

    def sample(self, sample: SampleEvent) -> Answer:
        """Send a sample event to an endpoint, once."""
        _log_for(sample.tenant, sample.event, endpoint=sample.endpoint)
        endpoint = self._webhooks.endpoints(sample.tenant).find(sample.endpoint)
        if endpoint is None:
            return Answer(problem="the endpoint is deleted")
        return self._post(endpoint, endpoint.url, sample.event)

    def _begin_again(self, delivery: Delivery) -> None:
        """Begin a new round for a delivery that an operator moved out of the dead-letter queue."""
        if delivery.state is DeliveryState.FAILED:
            again = delivery.begun_again(now_ms())
            if self._webhooks.note(again, before=delivery):
                delivery = again
        if delivery.state is DeliveryState.PENDING:
            self._queue.send(DueTry.of(delivery), now_ms())

    def _try(self, delivery: Delivery) -> None:
        try:
            endpoint, url = self._receiver(delivery)
        except NoReceiver as error:
            self._webhooks.note(delivery.cancelled(str(error)), before=delivery)
            logger.info("delivery cancelled", extra={"reason": str(error)})
            return
        at_ms, began = now_ms(), time.monotonic()
        answer = self._post(endpoint, url, delivery.event)
        took_ms = round((time.monotonic() - began) * 1000)
        gone = answer.status == _GONE
        after = delivery.tried(
            Try(at_ms=at_ms, took_ms=took_ms, status=answer.status, reason=answer.problem),
            jitter=random.uniform(*_JITTER),  # noqa: S311
            retry_after_ms=answer.retry_after_ms,
            gone=gone,
        )
        told = {"state": after.state, "made": after.made, "status": answer.status, "took_ms": took_ms}
        logger.info("delivery tried", extra={**told, "reason": answer.problem})
        count(names.METRIC_WEBHOOK_TRIES, outcome=_outcome(after))
        if gone:
            self._disable(delivery)
        elif after.state is DeliveryState.FAILED:
            # First, so that one that is noted as failed is surely there.
            self._dead_letters.send(DueTry.of(after, again=True), now_ms())
        # Otherwise it was asked for again meanwhile, or this message came twice.
        if self._webhooks.note(after, before=delivery) and after.state is DeliveryState.PENDING:
            self._queue.send(DueTry.of(after), now_ms())

    def _receiver(self, delivery: Delivery) -> tuple[Endpoint, str]:
        """Return who signs, and the URL, as of now. Raises NoReceiver."""
        try:
            requested = self._requested(delivery.tenant, delivery.event)
        except VideoNotFound as error:
            raise NoReceiver("the video was deleted") from error
        if delivery.endpoint == OF_REQUESTS:
            if requested is None:
                raise NoReceiver("the video's request names no webhook")
            return self._of_requests(delivery.tenant), requested.url
        endpoint = self._webhooks.endpoints(delivery.tenant).find(delivery.endpoint)
        if endpoint is None:
            raise NoReceiver("the endpoint was deleted")
        if endpoint.disabled_ms is not None:
            raise NoReceiver("the endpoint is disabled")
        return endpoint, endpoint.url

    def _requested(self, tenant: str, event: WebhookEvent) -> RequestedWebhook | None:
        """Return where the video's request wants its events sent. Raises VideoNotFound."""
        return self._videos.outline(tenant, event.data["id"]).request.webhook

    def _of_requests(self, tenant: str) -> Endpoint:
        """Return what signs for the URLs of requests. It is made with the first delivery."""
        while True:
            endpoints = self._webhooks.endpoints(tenant)
            if endpoints.of_requests is not None:
                return endpoints.of_requests
            self._webhooks.replace(endpoints.with_endpoint(endpoint_of_requests(now_ms())))

    def _post(self, endpoint: Endpoint, url: str, event: WebhookEvent) -> Answer:
        try:
            found = receiver(url, loopback=self._loopback, param="url")
        except InvalidRequest:  # it was accepted while the setting allowed it
            return Answer(problem="its URL is not allowed")
        now = datetime.now(UTC)
        body = event.body
        signatures = (
            Webhook(secret).sign(event.id, now, body)
            for secret in endpoint.signing(int(now.timestamp() * 1000))
        )
        headers = {
            "Content-Type": "application/json",
            "User-Agent": names.WEBHOOK_USER_AGENT,
            "webhook-id": event.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
        return self._sender.post(found, body.encode(), headers)

    def _disable(self, delivery: Delivery) -> None:
        """Send nothing more to an endpoint that is gone, until its owner changes it."""
        while True:
            endpoints: Endpoints = self._webhooks.endpoints(delivery.tenant)
            endpoint = endpoints.find(delivery.endpoint)
            if endpoint is None or endpoint.id == OF_REQUESTS or endpoint.disabled_ms is not None:
                return
            disabled = endpoint.model_copy(update={"disabled_ms": now_ms(), "updated_ms": now_ms()})
            if self._webhooks.replace(endpoints.with_endpoint(disabled)):
                logger.info("endpoint disabled")
                return


def _outcome(after: Delivery) -> str:
    """Return how a try ended, for the metric: taken, to be tried again, or given up."""
    return {DeliveryState.DELIVERED: "delivered", DeliveryState.PENDING: "retried"}.get(after.state, "failed")


def _log_for(tenant: str, event: WebhookEvent, **others: str) -> None:
    logger.append_keys(tenant=tenant, video_id=event.data["id"], event=event.id, type=event.type, **others)

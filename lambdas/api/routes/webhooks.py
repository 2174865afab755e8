"""Routes of webhooks: a tenant's endpoints, as in OpenAI's API, and their deliveries."""

from typing import Any

from pydantic import Field

from lambdas.api import webhook_format
from lambdas.api.answers import (
    EventTypeList,
    WebhookDelivery,
    WebhookDeliveryList,
    WebhookEndpoint,
    WebhookEndpointDeletion,
    WebhookEndpointList,
    WebhookTest,
)
from lambdas.api.operations import RETRY_COUNT, Body, Routes
from lambdas.api.request import Query, has_body, json_body, query, retry_count, settings, tenant
from lambdas.api.response import Response, answer
from lambdas.api.webhook_endpoints import (
    CreateFields,
    RotateFields,
    TestFields,
    UpdateFields,
    WebhookEndpoints,
)
from lambdas.domain.errors import NotReady, ReceiverFailed, VideoNotFound, WebhookNotFound
from lambdas.telemetry import logger

routes = Routes("Webhooks", "Be told what happens to your videos, instead of asking.")

_ENDPOINT = {"url": "https://example.com/hooks/reelworks", "name": "Film desk"}


class WebhookPage(Query):
    """Which to list, the newest first."""

    after: str | None = Field(default=None, max_length=200, description="the id of the last one before")
    """The last one of the page before."""
    limit: int = Field(default=20, ge=1, le=100, description="a whole number from 1 to 100")
    """The most to return."""


@routes.get("/v1/webhook_event_types", answer=EventTypeList)
def list_webhook_event_types() -> Response:
    """List the types of events"""
    return answer(webhook_format.event_type_list())


@routes.post(
    "/v1/webhook_endpoints",
    body=Body(CreateFields, examples={"All events but those of clips": _ENDPOINT}),
    headers=(RETRY_COUNT,),
    answer=WebhookEndpoint,
)
def create_webhook_endpoint() -> Response:
    """Create a webhook endpoint

    Returns it with its `signing_secret`, which is shown once. A tenant has at most 10.
    """
    endpoint = _endpoints().create(tenant(), _fields(), retry=retry_count() > 0)
    logger.info("webhook endpoint created", extra={"endpoint": endpoint.id})
    return answer(webhook_format.endpoint_object(endpoint, secret=True))


@routes.get("/v1/webhook_endpoints", query=WebhookPage, answer=WebhookEndpointList)
def list_webhook_endpoints() -> Response:
    """List your webhook endpoints"""
    page = query(WebhookPage)
    found = _endpoints().page(tenant(), after=page.after, limit=page.limit)
    return answer(webhook_format.endpoint_list(*found))


@routes.get("/v1/webhook_endpoints/<endpoint_id>", answer=WebhookEndpoint, errors=(WebhookNotFound,))
def retrieve_webhook_endpoint(endpoint_id: str) -> Response:
    """Retrieve a webhook endpoint"""
    return answer(webhook_format.endpoint_object(_endpoints().find(tenant(), endpoint_id)))


@routes.post(
    "/v1/webhook_endpoints/<endpoint_id>",
    body=Body(UpdateFields, examples={"No more events": {"enabled": False}}),
    answer=WebhookEndpoint,
    errors=(WebhookNotFound,),
)
def update_webhook_endpoint(endpoint_id: str) -> Response:
    """Change a webhook endpoint

    Changes the fields that you send.
    """
    endpoint = _endpoints().update(tenant(), endpoint_id, _fields())
    logger.info("webhook endpoint changed", extra={"endpoint": endpoint.id})
    return answer(webhook_format.endpoint_object(endpoint))


@routes.delete(
    "/v1/webhook_endpoints/<endpoint_id>",
    headers=(RETRY_COUNT,),
    answer=WebhookEndpointDeletion,
    errors=(WebhookNotFound,),
)
def delete_webhook_endpoint(endpoint_id: str) -> Response:
    """Delete a webhook endpoint

    What is still to be delivered to it is cancelled.
    """
    _endpoints().delete(tenant(), endpoint_id, retry=retry_count() > 0)
    logger.info("webhook endpoint deleted", extra={"endpoint": endpoint_id})
    return answer(webhook_format.endpoint_deletion(endpoint_id))


@routes.post(
    "/v1/webhook_endpoints/<endpoint_id>/rotate_secret",
    body=Body(RotateFields, examples={"Both for a day": {"keep_old_secret_active_for_24_hours": True}}),
    answer=WebhookEndpoint,
    errors=(WebhookNotFound,),
)
def rotate_webhook_secret(endpoint_id: str) -> Response:
    """Rotate a webhook's secret

    Makes a new secret and shows it once. Events are signed with both for a day, if you ask for it.
    """
    endpoint = _endpoints().rotate(tenant(), endpoint_id, _fields())
    logger.info("webhook secret rotated", extra={"endpoint": endpoint.id})
    return answer(webhook_format.endpoint_object(endpoint, secret=True))


@routes.post(
    "/v1/webhook_endpoints/<endpoint_id>/test",
    body=Body(TestFields, examples={"A completed film": {"event_type": "video.completed"}}),
    answer=WebhookTest,
    errors=(WebhookNotFound, ReceiverFailed),
)
def test_webhook_endpoint(endpoint_id: str) -> Response:
    """Test a webhook endpoint

    Sends a sample event at once and returns what the receiver answered.
    """
    tested = _endpoints().test(tenant(), endpoint_id, _fields())
    return answer(webhook_format.test_result(endpoint_id, *tested))


@routes.get(
    "/v1/webhook_endpoints/<endpoint_id>/deliveries",
    query=WebhookPage,
    answer=WebhookDeliveryList,
    errors=(WebhookNotFound,),
)
def list_webhook_deliveries(endpoint_id: str) -> Response:
    """List an endpoint's deliveries

    The newest first, each with its attempts.
    """
    page = query(WebhookPage)
    found = _endpoints().deliveries(tenant(), endpoint_id, after=page.after, limit=page.limit)
    return answer(webhook_format.delivery_list(*found))


@routes.post(
    "/v1/webhook_endpoints/<endpoint_id>/deliveries/<delivery_id>/redeliver",
    answer=WebhookDelivery,
    errors=(WebhookNotFound, VideoNotFound, NotReady),
)
def redeliver_webhook(endpoint_id: str, delivery_id: str) -> Response:
    """Deliver an event again

    With the same id, at once, and again for a day if that fails.
    """
    delivery = _endpoints().redeliver(tenant(), endpoint_id, delivery_id)
    logger.info("delivery asked for again", extra={"endpoint": endpoint_id, "event": delivery.event.id})
    return answer(webhook_format.delivery_object(delivery))


def _endpoints() -> WebhookEndpoints:
    return WebhookEndpoints(settings())


def _fields() -> dict[str, Any]:
    """Return the body's fields; no body counts as none."""
    return json_body() if has_body() else {}

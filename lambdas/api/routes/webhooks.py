"""Routes of webhooks: a tenant's endpoints, as in OpenAI's API, and their deliveries."""

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from lambdas.api import webhook_format
from lambdas.api.request import header, limit, query, retry_count, settings, tenant
from lambdas.api.request_body import parse_json
from lambdas.api.response import answer
from lambdas.api.webhook_endpoints import WebhookEndpoints
from lambdas.telemetry import logger

router = Router()  # type: ignore[no-untyped-call]


@router.get("/v1/webhook_event_types")
def list_event_types() -> Response[str]:
    return answer(webhook_format.event_type_list())


@router.post("/v1/webhook_endpoints")
def create_endpoint() -> Response[str]:
    endpoint = _endpoints().create(tenant(), _fields(), retry=retry_count() > 0)
    logger.info("webhook endpoint created", extra={"endpoint": endpoint.id})
    return answer(webhook_format.endpoint_object(endpoint, secret=True))


@router.get("/v1/webhook_endpoints")
def list_endpoints() -> Response[str]:
    found = _endpoints().page(tenant(), after=query("after", None), limit=limit())
    return answer(webhook_format.endpoint_list(*found))


@router.get("/v1/webhook_endpoints/<endpoint_id>")
def retrieve_endpoint(endpoint_id: str) -> Response[str]:
    return answer(webhook_format.endpoint_object(_endpoints().find(tenant(), endpoint_id)))


@router.post("/v1/webhook_endpoints/<endpoint_id>")
def update_endpoint(endpoint_id: str) -> Response[str]:
    endpoint = _endpoints().update(tenant(), endpoint_id, _fields())
    logger.info("webhook endpoint changed", extra={"endpoint": endpoint.id})
    return answer(webhook_format.endpoint_object(endpoint))


@router.delete("/v1/webhook_endpoints/<endpoint_id>")
def delete_endpoint(endpoint_id: str) -> Response[str]:
    _endpoints().delete(tenant(), endpoint_id, retry=retry_count() > 0)
    logger.info("webhook endpoint deleted", extra={"endpoint": endpoint_id})
    return answer(webhook_format.endpoint_deletion(endpoint_id))


@router.post("/v1/webhook_endpoints/<endpoint_id>/rotate_secret")
def rotate_secret(endpoint_id: str) -> Response[str]:
    endpoint = _endpoints().rotate(tenant(), endpoint_id, _fields())
    logger.info("webhook secret rotated", extra={"endpoint": endpoint.id})
    return answer(webhook_format.endpoint_object(endpoint, secret=True))


@router.post("/v1/webhook_endpoints/<endpoint_id>/test")
def test_endpoint(endpoint_id: str) -> Response[str]:
    tested = _endpoints().test(tenant(), endpoint_id, _fields())
    return answer(webhook_format.test_result(endpoint_id, *tested))


@router.get("/v1/webhook_endpoints/<endpoint_id>/deliveries")
def list_deliveries(endpoint_id: str) -> Response[str]:
    found = _endpoints().deliveries(tenant(), endpoint_id, after=query("after", None), limit=limit())
    return answer(webhook_format.delivery_list(*found))


@router.post("/v1/webhook_endpoints/<endpoint_id>/deliveries/<delivery_id>/redeliver")
def redeliver(endpoint_id: str, delivery_id: str) -> Response[str]:
    delivery = _endpoints().redeliver(tenant(), endpoint_id, delivery_id)
    logger.info("delivery asked for again", extra={"endpoint": endpoint_id, "event": delivery.event.id})
    return answer(webhook_format.delivery_object(delivery))


def _endpoints() -> WebhookEndpoints:
    return WebhookEndpoints(settings())


def _fields() -> dict[str, Any]:
    """Return the body's fields; no body counts as none."""
    event = router.current_event.raw_event
    return parse_json(event, header("content-type")) if event.get("body") else {}

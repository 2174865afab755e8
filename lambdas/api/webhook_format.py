"""Build the documents of webhooks (answers.py): endpoints in OpenAI's wire format, and their deliveries,
which OpenAI's API doesn't show.

Source: openai-python 3.57 (types/webhooks).
"""

from collections.abc import Sequence
from typing import Any

from lambdas.api.answers import (
    DeliveryAttempt,
    EventTypeList,
    WebhookDelivery,
    WebhookDeliveryList,
    WebhookEndpoint,
    WebhookEndpointDeletion,
    WebhookEndpointList,
    WebhookTest,
)
from lambdas.domain.webhooks import Delivery, Endpoint, EventType, Try

_SHOWN = 4  # last characters of a secret


def endpoint_object(endpoint: Endpoint, *, secret: bool = False) -> WebhookEndpoint:
    """`secret`: show the current secret, which is done once."""
    current = endpoint.secrets[0].text
    shown: WebhookEndpoint = {
        "id": endpoint.id,
        "object": "webhook_endpoint",
        "created_at": endpoint.created_ms // 1000,
        "updated_at": endpoint.updated_ms // 1000,
        "name": endpoint.name,
        "url": endpoint.url,
        "event_types": list(endpoint.event_types),
        "signing_secret_hint": f"whsec_…{current[-_SHOWN:]}",
        "enabled": endpoint.disabled_ms is None,
    }
    if secret:
        shown["signing_secret"] = current
    return shown


def endpoint_list(endpoints: Sequence[Endpoint], has_more: bool) -> WebhookEndpointList:
    page: WebhookEndpointList = _page([endpoint_object(one) for one in endpoints], has_more)
    return page


def endpoint_deletion(endpoint_id: str) -> WebhookEndpointDeletion:
    return {"id": endpoint_id, "object": "webhook_endpoint.deleted", "deleted": True}


def test_result(endpoint_id: str, type_: EventType, status: int) -> WebhookTest:
    return {
        "object": "webhook_endpoint.test",
        "webhook_endpoint_id": endpoint_id,
        "event_type": type_,
        "status_code": status,
        "success": True,
    }


def event_type_list() -> EventTypeList:
    return {"object": "list", "data": list(EventType)}


def delivery_object(delivery: Delivery) -> WebhookDelivery:
    """`attempts`: the latest, the oldest of them first."""
    return {
        "id": delivery.id,
        "object": "webhook_delivery",
        "created_at": delivery.created_ms // 1000,
        "event": {
            "object": "event",
            "id": delivery.event.id,
            "type": delivery.event.type,
            "created_at": delivery.event.created_at,
            "data": delivery.event.data,
        },
        "state": delivery.state,
        "reason": delivery.reason or None,
        "attempts": [_attempt(one) for one in delivery.tries],
        "next_attempt_at": None if delivery.next_ms is None else delivery.next_ms // 1000,
    }


def delivery_list(deliveries: Sequence[Delivery], has_more: bool) -> WebhookDeliveryList:
    page: WebhookDeliveryList = _page([delivery_object(one) for one in deliveries], has_more)
    return page


def _attempt(one: Try) -> DeliveryAttempt:
    """`took`: seconds."""
    return {
        "at": one.at_ms // 1000,
        "took": one.took_ms / 1000,
        "status_code": one.status,
        "reason": one.reason or None,
    }


def _page(objects: Sequence[Any], has_more: bool) -> Any:
    return {
        "object": "list",
        "data": [*objects],
        "first_id": objects[0]["id"] if objects else None,
        "last_id": objects[-1]["id"] if objects else None,
        "has_more": has_more,
    }

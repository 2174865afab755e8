"""Routes of a tenant's API keys. Another function than the other routes' serves them (cdk/functions.py)."""

import re
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError

from lambdas.adapters.api_keys import ApiKeys, UsedKey, new_key
from lambdas.adapters.clients import client
from lambdas.adapters.objects import Objects
from lambdas.api.answers import ApiKey, ApiKeyDeletion, ApiKeyList
from lambdas.api.operations import Body, Routes
from lambdas.api.request import granted_scopes, json_body, keys_settings, tenant
from lambdas.api.response import Response, answer
from lambdas.domain.documents import Document
from lambdas.domain.errors import ApiKeyNotFound, Forbidden, InvalidRequest
from lambdas.domain.scopes import DEFAULT, OF_A_TENANT, TenantScope
from lambdas.domain.wrong_fields import wrong_fields
from lambdas.telemetry import logger

MOST_KEYS = 100  # of a tenant
_ID = re.compile(r"key_([0-9a-f]{64})")

routes = Routes("API keys", "Keys of your tenant. They need the scope `admin`.")


class NewKey(Document):
    """A key to create."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)] = Field(
        description="1 to 100 characters"
    )
    """What the key is for."""
    scopes: Annotated[tuple[TenantScope, ...], Field(min_length=1, max_length=len(OF_A_TENANT))] = Field(
        default=DEFAULT, description=f"a list of one or more of {', '.join(OF_A_TENANT)}"
    )
    """What it may do: look at videos, make them, manage keys."""


@routes.post(
    "/v1/api_keys",
    body=Body(NewKey, examples={"A key that only looks": {"name": "Dashboard", "scopes": ["read"]}}),
    answer=ApiKey,
)
def create_api_key() -> Response:
    """Create an API key

    Returns it with its `value`, the secret, which is shown once. A key can't grant scopes that it lacks.
    """
    asked = _parse(json_body())
    beyond = [scope for scope in asked.scopes if scope not in granted_scopes()]
    if beyond:
        raise Forbidden(
            f"scopes must be among those of your own key: {', '.join(granted_scopes())}; got "
            f"{', '.join(beyond)}.",
            param="scopes",
        )
    if len(_keys().list(tenant())) >= MOST_KEYS:
        raise InvalidRequest(
            f"A tenant can have at most {MOST_KEYS} API keys; revoke one first.", param="name"
        )
    secret = new_key()
    made = _keys().register(secret, tenant(), asked.name, sorted(set(asked.scopes), key=OF_A_TENANT.index))
    logger.info("key created", extra={"key": made.hash[:16], "scopes": made.scopes})
    shown = key_object(UsedKey(made, None))
    shown["value"] = secret
    return answer(shown, headers={"Cache-Control": "no-store"})


@routes.get("/v1/api_keys", answer=ApiKeyList)
def list_api_keys() -> Response:
    """List your API keys"""
    found = [key_object(one) for one in _keys().list(tenant())]
    return answer({"object": "list", "data": found, "has_more": False})


@routes.get("/v1/api_keys/<key_id>", answer=ApiKey, errors=(ApiKeyNotFound,))
def retrieve_api_key(key_id: str) -> Response:
    """Retrieve an API key"""
    return answer(key_object(_find(key_id)))


@routes.delete("/v1/api_keys/<key_id>", answer=ApiKeyDeletion, errors=(ApiKeyNotFound,))
def revoke_api_key(key_id: str) -> Response:
    """Revoke an API key

    It stops working within five minutes, because the gateway remembers what it may do.
    """
    found = _find(key_id)
    _keys().revoke(found.key.hash)
    logger.info("key revoked", extra={"key": found.key.hash[:16]})
    return answer({"id": key_id, "object": "api_key.deleted", "deleted": True})


def key_object(found: UsedKey) -> ApiKey:
    """Return a key as clients see it, without its secret."""
    key = found.key
    return {
        "id": f"key_{key.hash}",
        "object": "api_key",
        "name": key.name,
        "redacted_value": f"{key.shown or 'rk-'}…",
        "scopes": list(key.scopes),
        "created_at": key.created,
        "last_used_at": found.used,
    }


def _keys() -> ApiKeys:
    settings = keys_settings()
    journal = Objects(client("s3"), settings.output_bucket)
    return ApiKeys(client("dynamodb"), settings.api_keys_table, journal)


def _parse(document: dict[str, Any]) -> NewKey:
    try:
        return NewKey.model_validate(document)
    except ValidationError as error:
        first = wrong_fields(NewKey, error, "the body")[0]
        raise InvalidRequest(first.message, param=first.path or None) from None


def _find(key_id: str) -> UsedKey:
    """Return the tenant's key of that id. Raises ApiKeyNotFound, also for another tenant's."""
    named = _ID.fullmatch(key_id)
    found = _keys().get(tenant(), named[1]) if named else None
    if found is None:
        raise ApiKeyNotFound(f"There is no API key {key_id[:100]!r}.", param="id")
    return found

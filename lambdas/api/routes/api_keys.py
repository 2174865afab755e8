"""Routes of a tenant's API keys. Another function than the other routes' serves them (cdk/functions.py)."""

import re
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from pydantic import Field, StringConstraints, ValidationError

from lambdas.adapters.api_keys import ApiKeys, UsedKey, new_key
from lambdas.adapters.clients import client
from lambdas.adapters.objects import Objects
from lambdas.api.request import granted_scopes, header, keys_settings, tenant
from lambdas.api.request_body import parse_json
from lambdas.api.response import answer, error_answer
from lambdas.domain import scopes
from lambdas.domain.documents import Document
from lambdas.domain.errors import Forbidden, InvalidRequest
from lambdas.domain.scopes import Scope
from lambdas.domain.wrong_fields import wrong_fields
from lambdas.telemetry import logger

MOST_KEYS = 100  # of a tenant
_ID = re.compile(r"key_([0-9a-f]{64})")

router = Router()  # type: ignore[no-untyped-call]


class NewKey(Document):
    """A key to create."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)] = Field(
        description="1 to 100 characters"
    )
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=len(Scope))] = Field(
        default=scopes.DEFAULT, description=f"a list of one or more of {', '.join(Scope)}"
    )


@router.post("/v1/api_keys")
def create_key() -> Response[str]:
    asked = _parse(parse_json(router.current_event.raw_event, header("content-type")))
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
    made = _keys().register(secret, tenant(), asked.name, sorted(set(asked.scopes), key=scopes.ALL.index))
    logger.info("key created", extra={"key": made.hash[:16], "scopes": made.scopes})
    shown = key_object(UsedKey(made, None)) | {"value": secret}
    return answer(shown, headers={"Cache-Control": "no-store"})


@router.get("/v1/api_keys")
def list_keys() -> Response[str]:
    found = [key_object(one) for one in _keys().list(tenant())]
    return answer({"object": "list", "data": found, "has_more": False})


@router.get("/v1/api_keys/<key_id>")
def retrieve_key(key_id: str) -> Response[str]:
    found = _find(key_id)
    return _unknown(key_id) if found is None else answer(key_object(found))


@router.delete("/v1/api_keys/<key_id>")
def revoke_key(key_id: str) -> Response[str]:
    found = _find(key_id)
    if found is None:
        return _unknown(key_id)
    _keys().revoke(found.key.hash)
    logger.info("key revoked", extra={"key": found.key.hash[:16]})
    return answer({"id": key_id, "object": "api_key.deleted", "deleted": True})


def key_object(found: UsedKey) -> dict[str, Any]:
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


def _find(key_id: str) -> UsedKey | None:
    """Return the tenant's key of that id; None also for another tenant's."""
    named = _ID.fullmatch(key_id)
    return _keys().get(tenant(), named[1]) if named else None


def _unknown(key_id: str) -> Response[str]:
    return error_answer(
        HTTPStatus.NOT_FOUND, f"There is no API key {key_id[:100]!r}.", code="not_found", param="id"
    )

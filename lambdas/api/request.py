"""Read the current request: its tenant, video, headers, query parameters and body."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from lambdas.adapters import stores
from lambdas.api.request_body import parse_body, parse_json
from lambdas.domain import names
from lambdas.domain.errors import InvalidRequest, VideoNotFound
from lambdas.domain.scopes import Scope
from lambdas.domain.video import VIDEO_ID, Video
from lambdas.intake.fields import parse_form
from lambdas.intake.files import File
from lambdas.settings import ApiKeysSettings, ApiSettings, OperationsSettings
from lambdas.telemetry import logger


class Query(BaseModel):
    """The parameters of a query; any others are ignored. Its validator is built when first used."""

    model_config = ConfigDict(defer_build=True)


_Query = TypeVar("_Query", bound=Query)
_KEY_TEXT = re.compile(r"[\x20-\x7e]{1,255}")

_event: ContextVar[dict[str, Any]] = ContextVar("event")  # API Gateway's


@contextmanager
def current(event: dict[str, Any]) -> Iterator[None]:
    """Make the request of an event the current one in the block."""
    before = _event.set(event)
    try:
        yield
    finally:
        _event.reset(before)


@cache
def settings() -> ApiSettings:
    return ApiSettings.from_env()


@cache
def keys_settings() -> ApiKeysSettings:
    return ApiKeysSettings.from_env()


@cache
def operations_settings() -> OperationsSettings:
    return OperationsSettings.from_env()


def granted_scopes() -> tuple[Scope, ...]:
    """Return the scopes of the caller, which the authorizer determined too."""
    granted = str(_event.get()["requestContext"]["authorizer"]["scopes"]).split()
    return tuple(scope for scope in Scope if scope in granted)


def tenant() -> str:
    """Return the tenant that the authorizer determined; the client can't influence it."""
    return str(_event.get()["requestContext"]["authorizer"]["tenant"])


def method() -> str:
    return str(_event.get()["httpMethod"])


def path() -> str:
    return str(_event.get()["path"])


def is_video_id(text: str) -> bool:
    return re.fullmatch(VIDEO_ID, text) is not None


def checked_id(video_id: str) -> str:
    if not is_video_id(video_id):
        raise VideoNotFound(f"There is no video {video_id[:100]!r}.", param="id")
    logger.append_keys(video_id=video_id)
    return video_id


def checked_index(text: str, name: str, count: int) -> int:
    """Return the index, from 0, of one of `count` that a URL names. Raises InvalidRequest naming the valid
    indexes; `name`: the path's parameter."""
    last = count - 1
    if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text) <= last):
        allowed = f"a whole number from 0 to {last}" if last else f"0, the only {name}"
        raise InvalidRequest(f"{name} must be {allowed}; got {text[:80]!r}.", param=name)
    return int(text)


def video_of(video_id: str) -> Video:
    return stores.videos(settings()).get(tenant(), checked_id(video_id))


def header(name: str) -> str | None:
    """Return a header's value; names differ in case only by mistake."""
    headers: dict[str, str] = _event.get().get("headers") or {}
    return next((value for given, value in headers.items() if given.lower() == name.lower()), None)


def query(parameters: type[_Query]) -> _Query:
    """Return the query's parameters; any others are ignored. Raises InvalidRequest naming the wrong one."""
    given = _event.get().get("queryStringParameters") or {}
    sent = {name: field.alias or name for name, field in parameters.model_fields.items()}
    return parse_form(parameters, {name: given.get(sent[name]) for name in sent}, sent)


def body(*, files: Collection[str]) -> tuple[dict[str, Any], dict[str, File]]:
    """Return the body's fields, and its files by field; `files` names the fields that may be files.

    Raises InvalidRequest naming what is malformed.
    """
    return parse_body(_event.get(), header("content-type"), files)


def has_body() -> bool:
    return bool(_event.get().get("body"))


def json_body() -> dict[str, Any]:
    """Return the body's JSON object. Raises InvalidRequest naming what is malformed."""
    return parse_json(_event.get(), header("content-type"))


def idempotency_key() -> str | None:
    key = header(names.IDEMPOTENCY_HEADER)
    if key is not None and not _KEY_TEXT.fullmatch(key):
        raise InvalidRequest(
            "Idempotency-Key must be 1 to 255 printable ASCII characters.", param=names.IDEMPOTENCY_HEADER
        )
    return key


def retry_count() -> int:
    count = header(names.RETRY_COUNT_HEADER) or ""
    return int(count) if re.fullmatch("[0-9]{1,4}", count) else 0

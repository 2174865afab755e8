"""Read a request: its tenant, video, headers and query parameters."""

import re
from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import Router

from lambdas.adapters import stores
from lambdas.domain import names
from lambdas.domain.errors import InvalidRequest, VideoNotFound
from lambdas.domain.scopes import Scope
from lambdas.domain.video import Video
from lambdas.settings import ApiKeysSettings, ApiSettings
from lambdas.telemetry import logger

VIDEO_ID = re.compile(r"video_[0-9a-f]{32}")
_KEY_TEXT = re.compile(r"[\x20-\x7e]{1,255}")

router = Router()  # type: ignore[no-untyped-call]  # for the current event


@cache
def settings() -> ApiSettings:
    return ApiSettings.from_env()


@cache
def keys_settings() -> ApiKeysSettings:
    return ApiKeysSettings.from_env()


def granted_scopes() -> tuple[Scope, ...]:
    """Return the scopes of the caller, which the authorizer determined too."""
    granted = str(router.current_event["requestContext"]["authorizer"]["scopes"]).split()
    return tuple(scope for scope in Scope if scope in granted)


def tenant() -> str:
    """Return the tenant that the authorizer determined; the client can't influence it."""
    return str(router.current_event["requestContext"]["authorizer"]["tenant"])


def checked_id(video_id: str) -> str:
    if not VIDEO_ID.fullmatch(video_id):
        raise VideoNotFound(f"There is no video {video_id[:100]!r}.", param="id")
    logger.append_keys(video_id=video_id)
    return video_id


def video_of(video_id: str) -> Video:
    return stores.videos(settings()).get(tenant(), checked_id(video_id))


def header(name: str) -> str | None:
    return router.current_event.headers.get(name)


def query(name: str, default: Any) -> Any:
    return router.current_event.query_string_parameters.get(name, default)


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


def limit() -> int:
    text = query("limit", "20")
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= 100:
        raise InvalidRequest(f"limit must be a whole number from 1 to 100; got {text[:80]!r}.", param="limit")
    return int(text)

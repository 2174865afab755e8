"""Build the routes' responses: JSON, a redirect to a link, or an error in OpenAI's format."""

import json
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response

from lambdas.adapters import stores
from lambdas.api import openai_format
from lambdas.api.request import query, router, settings
from lambdas.domain.content_variants import VARIANTS
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.video import Video

_LINKS = ("redirect", "json")


def link_answer(key: str, file_name: str, media_type: str) -> Response[str]:
    """Redirect to a link to an object, or return it as JSON if the query parameter `link` asks for that: a
    `<video>` can't send the header that a redirect would require of it."""
    kind = query("link", "redirect")
    if kind not in _LINKS:
        raise InvalidRequest(f"link must be {' or '.join(_LINKS)}; got {kind[:80]!r}.", param="link")
    head = router.current_event.http_method == "HEAD" and kind == "redirect"
    link = _link(key, file_name, media_type, head=head)
    if kind == "json":
        expires_at = int(time.time()) + settings().link_seconds
        return answer(
            openai_format.content_link(link, media_type, expires_at), headers={"Cache-Control": "no-store"}
        )
    headers = {"Location": link, "Cache-Control": "no-store"}  # a cached redirect could outlive the link
    return Response(HTTPStatus.FOUND, content_type="text/plain", body="", headers=headers)


def video_answer(video: Video, headers: Mapping[str, str] | None = None) -> Response[str]:
    return answer(openai_format.video_object(video, film_link(video)), headers=headers)


def film_link(video: Video) -> str | None:
    """Return a link to a video's film; None if it has none yet."""
    film = VARIANTS["video"]
    return _link(video.film, f"{video.id}.{film.extension}", film.media_type) if video.film else None


def _link(key: str, file_name: str, media_type: str, *, head: bool = False) -> str:
    return stores.outputs(settings()).link(
        key, settings().link_seconds, file_name=file_name, content_type=media_type, head=head
    )


def answer(
    body: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response[str]:
    return Response(
        status, content_type="application/json", body=json.dumps(body), headers=dict(headers or {})
    )


def error_answer(
    status: HTTPStatus,
    message: str,
    *,
    code: str,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[str]:
    return answer(openai_format.error_object(status, message, code=code, param=param), status, headers)

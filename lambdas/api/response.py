"""The answers of the routes: JSON, a redirect to a link, or an error in OpenAI's format (below /v1beta in
Google's)."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

from pydantic import Field

from lambdas.adapters import stores
from lambdas.adapters.objects import Objects
from lambdas.api import google_format, openai_format
from lambdas.api.openai_format import FilmLinks
from lambdas.api.request import Query, method, path, query, settings
from lambdas.domain import names
from lambdas.domain.content_variants import VARIANTS
from lambdas.domain.errors import NotReady, VideoNotFound
from lambdas.domain.line import Wait
from lambdas.domain.video import Video


@dataclass(frozen=True)
class Response:
    status: HTTPStatus
    content_type: str
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def event(self) -> dict[str, Any]:
        """Return it as API Gateway expects it of a function."""
        headers = {"Content-Type": self.content_type, **self.headers}
        return {
            "statusCode": self.status.value,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "body": self.body,
            "isBase64Encoded": False,
        }


class LinkForm(Query):
    """How to answer with a link."""

    link: Literal["redirect", "json"] = Field(default="redirect", description="redirect or json")
    """`json` returns the link instead of redirecting to it: a `<video>` can't send the key that a redirect
    needs."""


def film_answer(video: Video, variant: str, attempt: int | None = None) -> Response:
    """Answer with a link to one of a finished video's files. `attempt`: that made the film; None: the one
    that waits for its review, else the latest. Raises NotReady; VideoNotFound if the video has no such film
    or file."""
    wanted = VARIANTS[variant]
    if attempt is None and (key := _key_to_review(video, variant)) is not None:
        return link_answer(key, f"{video.id}.{wanted.extension}", wanted.media_type)
    if video.film is None:
        raise NotReady(f"The {variant} is not ready: video {video.id} is {video.stage}.", param="id")
    key = _key_of(video, variant) if attempt is None else _key_in(video, variant, attempt)
    if key is None:
        raise VideoNotFound(f"Video {video.id} was made without {variant}.", param="variant")
    return link_answer(key, _file_name(video, variant, attempt), wanted.media_type)


def _key_to_review(video: Video, variant: str) -> str | None:
    """Return the key of a file of the film that waits for its review; None if it has none yet."""
    waits, wanted = video.film_to_review, VARIANTS[variant]
    if waits is None or waits.content is None or wanted.artifact is None or wanted.shape is not None:
        return None
    silent = variant.startswith("captions") and not (video.request.captions and video.narrations)
    without = silent or (variant == "stems" and not video.request.stems)
    return None if without else wanted.artifact(video.tenant, waits.content)


def _key_of(video: Video, variant: str) -> str | None:
    """Return the key of a file of the latest film; None if it has no such file."""
    wanted = VARIANTS[variant]
    if wanted.field is not None:
        key: str | None = getattr(video, wanted.field)
        return key
    return _key_in(video, variant, video.films[-1].attempt) if video.films else None


def _key_in(video: Video, variant: str, attempt: int) -> str | None:
    films = {film.attempt: film for film in video.films}
    if attempt not in films:
        made = ", ".join(map(str, films)) or "none"
        raise VideoNotFound(
            f"Attempt {attempt} of video {video.id} made no film; attempts with a film: {made}.",
            param="attempt",
        )
    delivered = VARIANTS[variant].delivered(video.tenant, video.id, attempt)
    return delivered if variant in films[attempt].variants else None


def film_list_answer(video: Video) -> Response:
    """Answer with a list of a video's films."""

    def link(attempt: int, variant: str) -> str:
        wanted = VARIANTS[variant]
        key = wanted.delivered(video.tenant, video.id, attempt)
        return _link(key, _file_name(video, variant, attempt), wanted.media_type)

    return answer(openai_format.film_list(video, link))


def link_answer(key: str, file_name: str, media_type: str, store: Objects | None = None) -> Response:
    """Redirect to a link to an object, or return it, as the query asks. `store`: that has the object; None:
    the output bucket."""
    if query(LinkForm).link == "json":
        return link_document(key, file_name, media_type, store)
    link = _link(key, file_name, media_type, store, head=method() == "HEAD")
    headers = {"Location": link, "Cache-Control": "no-store"}  # a cached redirect could outlive the link
    return Response(HTTPStatus.FOUND, "text/plain", "", headers)


def link_document(key: str, file_name: str, media_type: str, store: Objects | None = None) -> Response:
    """Return a link to an object."""
    link, expires_at = _link(key, file_name, media_type, store), int(time.time()) + settings().link_seconds
    return answer(
        openai_format.content_link(link, media_type, expires_at), headers={"Cache-Control": "no-store"}
    )


def video_answer(
    video: Video, headers: Mapping[str, str] | None = None, wait: Wait | None = None
) -> Response:
    return answer(openai_format.video_object(video, film_links(video), wait), headers=headers)


def film_links(video: Video) -> FilmLinks:
    """Return links to a video's film, its further shapes and their posters, as far as it has them yet."""
    others = {name: _link_to(video, name) for name, variant in VARIANTS.items() if variant.shape}
    return FilmLinks(
        film=_link_to(video, "video"),
        thumbnail=_link_to(video, "thumbnail"),
        others={name: link for name, link in others.items() if link},
    )


def _link_to(video: Video, variant: str) -> str | None:
    wanted, key = VARIANTS[variant], _key_of(video, variant)
    return _link(key, _file_name(video, variant), wanted.media_type) if key else None


def _file_name(video: Video, variant: str, attempt: int | None = None) -> str:
    """Return the name under which a browser saves a file of a film."""
    wanted = VARIANTS[variant]
    parts = [video.id, *([] if attempt is None else [str(attempt)])]
    parts += [wanted.shape.variant] if wanted.shape else []
    return f"{'-'.join(parts)}.{wanted.extension}"


def _link(
    key: str, file_name: str, media_type: str, store: Objects | None = None, *, head: bool = False
) -> str:
    return (store or stores.outputs(settings())).link(
        key, settings().link_seconds, file_name=file_name, content_type=media_type, head=head
    )


def answer(
    body: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(status, "application/json", json.dumps(body), headers or {})


def error_answer(
    status: HTTPStatus,
    message: str,
    *,
    code: str,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    if path().startswith(names.GOOGLE_PATH):
        return answer(google_format.error_object(status, message, param), status, headers)
    return answer(openai_format.error_object(status, message, code=code, param=param), status, headers)

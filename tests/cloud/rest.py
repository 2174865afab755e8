"""The REST API for tests: called with API Gateway's events, or over HTTP as clients do."""

import json
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lambdas.adapters import stores
from lambdas.api import app
from lambdas.api.request import settings
from lambdas.domain.content_variants import VARIANTS
from lambdas.domain.stages import Stage
from lambdas.domain.video_parts import DeliveredFilm
from tests.api_document import check_answer
from tests.cloud.deployment import Context, rest_event


class Answer:
    def __init__(self, raw: dict[str, Any]) -> None:
        self.status = raw["statusCode"]
        self.headers = {name.lower(): values[0] for name, values in raw["multiValueHeaders"].items()}
        self.text = raw["body"]

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> dict[str, Any]:
        assert set(self.json) == {"error"}
        error = self.json["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert isinstance(error, dict)
        return error


def call(method: str, path: str, **details: Any) -> Answer:
    event = rest_event(method, path, **details)
    answer = Answer(app.handler(event, Context()))
    assert answer.headers["x-request-id"] == event["requestContext"]["requestId"]
    check_answer(method, path, answer.status, answer.headers, answer.text)
    return answer


def create(tenant: str = "acme", headers: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    answer = call("POST", "/v1/videos", body={"prompt": "A bee"} | fields, tenant=tenant, headers=headers)
    assert answer.status == 200, answer.text
    video: dict[str, Any] = answer.json
    return video


def complete(id_: str, tenant: str = "acme", **fields: Any) -> None:
    """Complete the video as the pipeline does."""
    videos, outputs = stores.videos(settings()), stores.outputs(settings())
    video = videos.get(tenant, id_)
    files = {"video": b"film", "thumbnail": b"thumbnail", "spritesheet": b"spritesheet", "manifest": b"{}"}
    delivered = {}
    for name, body in files.items():
        variant = VARIANTS[name]
        delivered[variant.field] = variant.delivered(tenant, id_, video.attempt)
        outputs.put(delivered[variant.field], body, variant.media_type)
    for stage in (Stage.PLANNING, Stage.RENDERING, Stage.ASSEMBLING, Stage.PUBLISHING):
        videos.advance(tenant, id_, stage)
    film = DeliveredFilm(attempt=video.attempt, seconds=6.0, bytes=len(files["video"]), variants=tuple(files))
    fields = {**delivered, "films": (*video.films, film), **fields}
    videos.advance(tenant, id_, Stage.COMPLETED, **fields)


def gateway(tenant: str = "openai") -> Starlette:
    """Convert HTTP to API Gateway's event."""

    async def answer(request: Request) -> Response:
        body, kind = await request.body(), request.headers.get("content-type", "")
        event = rest_event(
            request.method,
            request.url.path,
            body=body if kind.startswith("multipart/form-data") else body.decode() or None,
            headers=dict(request.headers),
            query=dict(request.query_params) or None,
            tenant=tenant,
        )
        raw = await run_in_threadpool(app.handler, event, Context())
        headers = {name: values[0] for name, values in raw["multiValueHeaders"].items()}
        return Response(raw["body"], raw["statusCode"], headers)

    return Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST", "PUT", "DELETE"])])

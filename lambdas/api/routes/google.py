"""Routes of Google's Gemini API for videos, in front of the same rules (docs/decisions/0054)."""

from typing import Literal

from pydantic import Field

from lambdas.api import google_format
from lambdas.api.google_format import GoogleOperation
from lambdas.api.google_request import in_googles_terms, translate
from lambdas.api.operations import Routes
from lambdas.api.request import Query, idempotency_key, json_body, query, settings, tenant, video_of
from lambdas.api.response import Response, answer, film_answer
from lambdas.intake.accept import Intake

routes = Routes("Google", "Google's Gemini API for videos. Its own documents describe it.")


class Media(Query):
    """How Google's client asks for a file's content."""

    alt: Literal["media"] = Field(description="media")


@routes.post(
    "/v1beta/models/<model>:predictLongRunning",
    answer=GoogleOperation,
)
def generate_videos(model: str) -> Response:
    """Create a video as Google's client does"""
    fields, files = translate(model, json_body())
    intake = Intake(settings())
    with in_googles_terms():
        video = intake.accept(tenant(), fields, files, nonce=idempotency_key())
    return answer(google_format.operation(model, video), headers=intake.quota_headers)


@routes.get(
    "/v1beta/models/<model>/operations/<operation>",
    answer=GoogleOperation,
)
def get_operation(model: str, operation: str) -> Response:
    """Retrieve the operation that makes a video"""
    return answer(google_format.operation(model, video_of(operation)))


@routes.operation(
    ["GET", "HEAD"],
    "/v1beta/files/<file>:download",
    query=Media,
    redirects=["video/mp4"],
)
def download_file(file: str) -> Response:
    """Download a film as Google's client does"""
    query(Media)
    return film_answer(video_of(google_format.video_of_file(file)), "video")

"""Routes of videos: create, derive, list, retrieve, download, cancel, delete."""

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from lambdas.adapters import stores
from lambdas.api import openai_format
from lambdas.api.cancel_delete import Ending
from lambdas.api.request import (
    VIDEO_ID,
    checked_id,
    header,
    idempotency_key,
    limit,
    query,
    retry_count,
    settings,
    tenant,
    video_of,
)
from lambdas.api.request_body import parse_body
from lambdas.api.response import answer, link_answer
from lambdas.domain import names
from lambdas.domain.content_variants import VARIANTS
from lambdas.domain.errors import InvalidRequest, NotReady, VideoNotFound
from lambdas.intake.accept import Intake
from lambdas.intake.derived_videos import Remake
from lambdas.intake.files import VIDEO
from lambdas.telemetry import logger

_POLL_AFTER_MS = 2_000

router = Router()  # type: ignore[no-untyped-call]


@router.post("/v1/videos")
def create() -> Response[str]:
    fields, files = parse_body(router.current_event.raw_event, header("content-type"))
    intake = Intake(settings())
    video = intake.accept(tenant(), fields, files, nonce=idempotency_key(), retry=retry_count() > 0)
    return answer(openai_format.video_object(video), headers=intake.quota_headers)


@router.post("/v1/videos/edits")
def edit() -> Response[str]:
    fields, files = parse_body(router.current_event.raw_event, header("content-type"), (VIDEO,))
    remake = Remake(settings())
    video = remake.edit(tenant(), fields, files, nonce=idempotency_key(), retry=retry_count() > 0)
    return answer(openai_format.video_object(video), headers=remake.intake.quota_headers)


@router.post("/v1/videos/extensions")
def extend() -> Response[str]:
    fields, files = parse_body(router.current_event.raw_event, header("content-type"), (VIDEO,))
    remake = Remake(settings())
    video = remake.extend(tenant(), fields, files, nonce=idempotency_key(), retry=retry_count() > 0)
    return answer(openai_format.video_object(video), headers=remake.intake.quota_headers)


@router.post("/v1/videos/<video_id>/remix")
def remix(video_id: str) -> Response[str]:
    fields, _ = parse_body(router.current_event.raw_event, header("content-type"), ())
    remake = Remake(settings())
    video = remake.remix(
        tenant(), checked_id(video_id), fields, nonce=idempotency_key(), retry=retry_count() > 0
    )
    return answer(openai_format.video_object(video), headers=remake.intake.quota_headers)


@router.get("/v1/videos")
def list_videos() -> Response[str]:
    after = query("after", None)
    order = query("order", "desc")
    if order not in ("asc", "desc"):
        raise InvalidRequest(f"order must be asc or desc; got {order[:80]!r}.", param="order")
    if after is not None and not VIDEO_ID.fullmatch(after):
        raise unknown_after(after)
    try:
        videos, has_more = stores.videos(settings()).list(
            tenant(), after=after, limit=limit(), newest_first=order == "desc"
        )
    except VideoNotFound as error:
        raise unknown_after(str(after)) from error
    return answer(openai_format.video_list(videos, has_more))


@router.get("/v1/videos/<video_id>")
def retrieve(video_id: str) -> Response[str]:
    video = video_of(video_id)
    headers = {} if video.closed else {names.POLL_AFTER_HEADER: str(_POLL_AFTER_MS)}
    return answer(openai_format.video_object(video), headers=headers)


@router.delete("/v1/videos/<video_id>")
def delete(video_id: str) -> Response[str]:
    Ending(settings()).delete(tenant(), checked_id(video_id), retry=retry_count() > 0)
    logger.info("video deleted")
    return answer(openai_format.deletion(video_id))


@router.route("/v1/videos/<video_id>/content", method=["GET", "HEAD"])
def content(video_id: str) -> Response[str]:
    variant = query("variant", "video")
    if variant not in VARIANTS:
        raise InvalidRequest(
            f"variant must be one of {', '.join(VARIANTS)}; got {variant[:80]!r}.", param="variant"
        )
    wanted = VARIANTS[variant]
    video = video_of(video_id)
    key = getattr(video, wanted.field)
    if video.film is None:
        raise NotReady(f"The {variant} is not ready: video {video_id} is {video.stage}.", param="id")
    if key is None:
        raise VideoNotFound(f"Video {video_id} was made without {variant}.", param="variant")
    return link_answer(key, f"{video_id}.{wanted.extension}", wanted.media_type)


@router.post("/v1/videos/<video_id>/cancel")
def cancel(video_id: str) -> Response[str]:
    video = Ending(settings()).cancel(tenant(), checked_id(video_id), retry=retry_count() > 0)
    logger.info("video cancelled")
    return answer(openai_format.video_object(video))


def unknown_after(after: str) -> InvalidRequest:
    return InvalidRequest(f"after must be the id of one of your videos; got {after[:80]!r}.", param="after")

"""Routes of films of scenes: storyboard, previews, approval, retry."""

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from lambdas.api.request import (
    checked_id,
    header,
    query,
    settings,
    tenant,
    video_of,
)
from lambdas.api.request_body import parse_json
from lambdas.api.response import answer, link_answer, video_answer
from lambdas.api.review_actions import Editing, Preview, etag
from lambdas.api.storyboard_edits import parse_regeneration
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.storyboard import Storyboard
from lambdas.domain.video import Video
from lambdas.domain.video_request import Gate
from lambdas.telemetry import logger

_PREVIEWS = {Preview.NARRATION: ("m4a", "audio/mp4"), Preview.STILL: ("png", "image/png")}

router = Router()  # type: ignore[no-untyped-call]


@router.get("/v1/videos/<video_id>/storyboard")
def storyboard(video_id: str) -> Response[str]:
    video = video_of(video_id)
    return _storyboard(video, Editing(settings()).storyboard(video))


@router.put("/v1/videos/<video_id>/storyboard")
def replace_storyboard(video_id: str) -> Response[str]:
    document = parse_json(router.current_event.raw_event, header("content-type"))
    replaced = Editing(settings()).replace(tenant(), checked_id(video_id), document, header("if-match"))
    logger.info("storyboard replaced")
    return _storyboard(*replaced)


@router.post("/v1/videos/<video_id>/approve")
def approve(video_id: str) -> Response[str]:
    gate = query("gate", None)
    if gate is not None and gate not in list(Gate):
        raise InvalidRequest(
            f"gate must be one of {', '.join(Gate)}, or omitted; got {gate[:80]!r}.", param="gate"
        )
    video = Editing(settings()).approve(
        tenant(), checked_id(video_id), gate=gate and Gate(gate), if_match=header("if-match")
    )
    logger.info("video approved")
    return video_answer(video)


@router.post("/v1/videos/<video_id>/retry")
def retry(video_id: str) -> Response[str]:
    video = Editing(settings()).retry(tenant(), checked_id(video_id))
    logger.info("video retried", extra={"attempt": video.attempt})
    return video_answer(video)


@router.post("/v1/videos/<video_id>/scenes/<scene>/regenerate")
def regenerate(video_id: str, scene: str) -> Response[str]:
    asked = parse_regeneration(parse_json(router.current_event.raw_event, header("content-type")))
    video = Editing(settings()).regenerate(tenant(), checked_id(video_id), scene, asked)
    logger.info("scene regenerated", extra={"part": asked.part})
    return video_answer(video)


@router.route("/v1/videos/<video_id>/scenes/<scene>/narration", method=["GET", "HEAD"])
def narration(video_id: str, scene: str) -> Response[str]:
    return _preview(video_id, scene, Preview.NARRATION)


@router.route("/v1/videos/<video_id>/scenes/<scene>/still", method=["GET", "HEAD"])
def still(video_id: str, scene: str) -> Response[str]:
    return _preview(video_id, scene, Preview.STILL)


def _storyboard(video: Video, storyboard: Storyboard) -> Response[str]:
    return answer(storyboard.model_dump(exclude_none=True), headers={"ETag": etag(video)})


def _preview(video_id: str, scene: str, preview: Preview) -> Response[str]:
    key = Editing(settings()).preview(video_of(video_id), scene, preview)
    extension, media_type = _PREVIEWS[preview]
    return link_answer(key, f"{video_id}-{scene}.{extension}", media_type)

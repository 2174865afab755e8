"""Routes of films of scenes: storyboard, previews, approval, retry."""

from pydantic import Field

from lambdas.api.answers import ContentLink, VideoObject
from lambdas.api.operations import ETAG, IF_MATCH, Body, Routes
from lambdas.api.request import Query, checked_id, header, json_body, query, settings, tenant, video_of
from lambdas.api.response import LinkForm, Response, answer, link_answer, video_answer
from lambdas.api.review_actions import Editing, Preview, etag
from lambdas.api.storyboard_edits import Regeneration, parse_regeneration
from lambdas.domain.errors import ContentRefused, InvalidRequest, NotReady, PreconditionFailed, VideoNotFound
from lambdas.domain.storyboard import Storyboard
from lambdas.domain.video import Video
from lambdas.domain.video_request import Gate
from lambdas.intake.fields import MAX_COST, MaxCost
from lambdas.telemetry import logger

_PREVIEWS = {Preview.NARRATION: ("m4a", "audio/mp4"), Preview.STILL: ("png", "image/png")}

routes = Routes(
    "Review and edit",
    "Wait for an approval, see what was written, spoken and drawn, and change it: for films of scenes.",
)

_KITES = {
    "title": "How kites fly",
    "style": "Soft watercolour; a girl of eight with a red scarf; low evening sun.",
    "scenes": [
        {
            "narration": {
                "text": "A kite leans on the wind.",
                "voice": "Amy",
                "language": "en-GB",
                "speed": 0.9,
            },
            "image": {"positive_prompt": "A girl holds a kite on a hill.", "negative_prompt": "people"},
            "video": {"positive_prompt": "The kite rises from her hands; the camera follows it."},
            "seconds": 6.5,
        }
    ],
}


class Retry(Query):
    """What may change with another attempt."""

    max_cost: MaxCost | None = Field(default=None, description=MAX_COST)
    """What all attempts may cost from now on. By default as before."""


class Approval(Retry):
    """Which gate to approve, and what may change with it."""

    gate: Gate | None = Field(default=None, description=f"one of {', '.join(Gate)}, or omitted")
    """The gate that you mean, so that an approval that is sent twice can't approve the next one."""


@routes.get(
    "/v1/videos/<video_id>/storyboard", answer=Storyboard, sends=(ETAG,), errors=(VideoNotFound, NotReady)
)
def retrieve_storyboard(video_id: str) -> Response:
    """Retrieve a storyboard

    Returns what is said and shown in each scene, once it is written. A film of one prompt has none.
    """
    video = video_of(video_id)
    return _storyboard(video, Editing(settings()).storyboard(video))


@routes.put(
    "/v1/videos/<video_id>/storyboard",
    body=Body(Storyboard, examples={"A storyboard of one scene": _KITES}),
    headers=(IF_MATCH,),
    answer=Storyboard,
    sends=(ETAG,),
    errors=(ContentRefused, VideoNotFound, NotReady, PreconditionFailed),
)
def replace_storyboard(video_id: str) -> Response:
    """Replace a storyboard

    Takes a complete one, while the film waits for you or after it has ended. Only what changed is made again.
    """
    replaced = Editing(settings()).replace(tenant(), checked_id(video_id), json_body(), header("if-match"))
    logger.info("storyboard replaced")
    return _storyboard(*replaced)


@routes.post(
    "/v1/videos/<video_id>/approve",
    query=Approval,
    headers=(IF_MATCH,),
    answer=VideoObject,
    errors=(VideoNotFound, NotReady, PreconditionFailed),
)
def approve_video(video_id: str) -> Response:
    """Approve a film

    Lets a waiting film continue, or films an edited storyboard.
    """
    video = Editing(settings()).approve(
        tenant(),
        checked_id(video_id),
        gate=query(Approval).gate,
        if_match=header("if-match"),
        max_cost=query(Approval).max_cost,
    )
    logger.info("video approved")
    return video_answer(video)


@routes.post("/v1/videos/<video_id>/retry", query=Retry, answer=VideoObject, errors=(VideoNotFound, NotReady))
def retry_video(video_id: str) -> Response:
    """Retry a video

    Starts another attempt at a failed or cancelled video. What was made is reused.
    """
    video = Editing(settings()).retry(tenant(), checked_id(video_id), max_cost=query(Retry).max_cost)
    logger.info("video retried", extra={"attempt": video.attempt})
    return video_answer(video)


@routes.post(
    "/v1/videos/<video_id>/scenes/<scene>/regenerate",
    body=Body(
        Regeneration,
        examples={
            "Other words": {"part": "text", "note": "Let it rain."},
            "Another narrator": {"part": "voice", "voice": "Amy", "speed": 0.9},
            "Another picture": {"part": "still", "seed": 7},
        },
    ),
    answer=VideoObject,
    errors=(ContentRefused, VideoNotFound, NotReady),
)
def regenerate_scene(video_id: str, scene: str) -> Response:
    """Regenerate one scene's text, voice or still

    Rewrites it as a note says, speaks it in another voice or at another speed, or draws it from another seed.
    """
    asked = parse_regeneration(json_body())
    video = Editing(settings()).regenerate(tenant(), checked_id(video_id), scene, asked)
    logger.info("scene regenerated", extra={"part": asked.part})
    return video_answer(video)


@routes.operation(
    ["GET", "HEAD"],
    "/v1/videos/<video_id>/scenes/<scene>/narration",
    query=LinkForm,
    redirects=("audio/mp4",),
    answer=ContentLink,
    errors=(InvalidRequest, VideoNotFound, NotReady),
)
def download_narration(video_id: str, scene: str) -> Response:
    """Download a scene's narration

    Redirects to a link to it, once it is spoken.
    """
    return _preview(video_id, scene, Preview.NARRATION)


@routes.operation(
    ["GET", "HEAD"],
    "/v1/videos/<video_id>/scenes/<scene>/still",
    query=LinkForm,
    redirects=("image/png",),
    answer=ContentLink,
    errors=(InvalidRequest, VideoNotFound, NotReady),
)
def download_still(video_id: str, scene: str) -> Response:
    """Download a scene's still

    Redirects to a link to the scene's first picture, once it is drawn.
    """
    return _preview(video_id, scene, Preview.STILL)


def _storyboard(video: Video, storyboard: Storyboard) -> Response:
    return answer(storyboard.model_dump(exclude_none=True), headers={"ETag": etag(video)})


def _preview(video_id: str, scene: str, preview: Preview) -> Response:
    key = Editing(settings()).preview(video_of(video_id), scene, preview)
    extension, media_type = _PREVIEWS[preview]
    return link_answer(key, f"{video_id}-{scene}.{extension}", media_type)

"""Routes of videos: create, derive, list, retrieve, download, cancel, delete."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from lambdas.adapters import stores
from lambdas.api import openai_format
from lambdas.api.answers import (
    ClipList,
    ContentLink,
    Deletion,
    EventList,
    FilmList,
    VideoEstimate,
    VideoList,
    VideoObject,
)
from lambdas.api.cancel_delete import Ending
from lambdas.api.operations import (
    IDEMPOTENCY_KEY,
    POLL_AFTER,
    QUOTA_HEADERS,
    RETRY_COUNT,
    Body,
    Routes,
)
from lambdas.api.request import (
    Query,
    body,
    checked_id,
    checked_index,
    idempotency_key,
    query,
    retry_count,
    settings,
    tenant,
    video_of,
)
from lambdas.api.response import (
    LinkForm,
    Response,
    answer,
    film_answer,
    film_links,
    film_list_answer,
    link_answer,
    video_answer,
)
from lambdas.api.review_actions import Editing
from lambdas.domain import keys, names
from lambdas.domain.content_variants import VARIANTS
from lambdas.domain.errors import (
    ContentRefused,
    IdempotencyConflict,
    ImageRejected,
    InvalidRequest,
    MaxCostExceeded,
    MusicRejected,
    NotReady,
    VideoNotFound,
)
from lambdas.domain.film_plan import FilmPlan
from lambdas.domain.line import Wait, wait, waits
from lambdas.domain.uploads import SOUND_TYPES
from lambdas.domain.video import VIDEO_ID, Video
from lambdas.domain.video_events import video_events
from lambdas.domain.video_parts import ClipState
from lambdas.intake.accept import Intake
from lambdas.intake.derived_videos import OF_FILE, Remake
from lambdas.intake.fields import (
    EditFields,
    ExtendFields,
    Fields,
    RemixFields,
    ShapesFields,
    parse_form,
)
from lambdas.intake.files import FILES, VIDEO
from lambdas.production.plans import find_plan
from lambdas.telemetry import logger

_POLL_AFTER_MS = 2_000

routes = Routes("Videos", "Create, follow, download and delete videos.")

_FOX = {"prompt": "A fox in the snow", "seconds": 12, "seed": 7}
_KITES = {"topic": "How kites fly", "tone": "calm and curious", "scenes": 4, "captions": True}
_PORTRAIT = {"prompt": "A fox in the snow", "aspect": "9:16", "fit": "blur", "fps": 24}
_SHAPES = {"prompt": "A fox in the snow", "shapes": ["9:16", "1:1"], "focal_point": "left"}
_VIDEO = {"id": "video_0123456789abcdef0123456789abcdef"}


class Page(Query):
    """Which of your videos to list."""

    after: Annotated[str, StringConstraints(pattern=f"^{VIDEO_ID}$")] | None = Field(
        default=None, description="the id of one of your videos"
    )
    """The last video of the page before. It may have been deleted since."""
    limit: int = Field(default=20, ge=1, le=100, description="a whole number from 1 to 100")
    """The most videos to return."""
    order: Literal["asc", "desc"] = Field(default="desc", description="asc or desc")
    """Oldest or newest first."""


class Creation(Query):
    """Whether to create anything."""

    dry_run: bool = Field(default=False, description="true or false")
    """`true` answers what the film would take, and creates, queues, counts and stores nothing."""


class Content(LinkForm):
    """Which file of a finished video to download."""

    variant: str = Field(
        default="video", pattern=f"^({'|'.join(VARIANTS)})$", description=f"one of {', '.join(VARIANTS)}"
    )
    """The MP4, WebP, JPEG, WebVTT, SubRip or JSON file. `storyboard` is the one that was filmed; `manifest`
    lists everything that the film was made of."""
    attempt: int | None = Field(default=None, ge=1, description="a whole number from 1")
    """The attempt that made the film, as the list of films has it. By default the latest film."""


@routes.post(
    "/v1/videos",
    body=Body(
        Fields,
        form=True,
        files=tuple(FILES),
        other_names=True,
        examples={
            "A prompt": _FOX,
            "A film of scenes": _KITES,
            "Another shape and rate": _PORTRAIT,
            "Several shapes": _SHAPES,
        },
    ),
    query=Creation,
    headers=(IDEMPOTENCY_KEY, RETRY_COUNT),
    answer=VideoObject | VideoEstimate,
    sends=QUOTA_HEADERS,
    errors=(ImageRejected, MusicRejected, ContentRefused, MaxCostExceeded, IdempotencyConflict),
)
def create_video() -> Response:
    """Create a video

    Takes a `prompt`; or, for a film of several narrated scenes, a `topic`, a `storyboard` or both. Everything
    else is optional. Numbers and booleans may be text, as forms send them. An unknown field is refused.

    With `dry_run=true` it answers what the film would take (clips, cost by part, time) and what would refuse
    it.
    """
    fields, files = body(files=tuple(FILES))
    intake = Intake(settings())
    if query(Creation).dry_run:
        return answer(openai_format.video_estimate(intake.dry_run(tenant(), fields, files)))
    video = intake.accept(tenant(), fields, files, nonce=idempotency_key(), retry=retry_count() > 0)
    return video_answer(video, intake.quota_headers)


@routes.post(
    "/v1/videos/edits",
    body=Body(
        EditFields,
        form=True,
        files=(VIDEO,),
        with_file=OF_FILE,
        examples={"One of your videos": {"video": _VIDEO, "prompt": "Make it a night scene"}},
    ),
    headers=(IDEMPOTENCY_KEY, RETRY_COUNT),
    sends=QUOTA_HEADERS,
    answer=VideoObject,
    errors=(VideoNotFound, NotReady, ContentRefused, MaxCostExceeded, IdempotencyConflict),
)
def edit_video() -> Response:
    """Edit a video

    Creates a video from the pictures of another one, or of an MP4 file in a form, with a change that keeps
    its motion if the engine takes videos. With a file, the fields of a create that say how it is rendered are
    allowed, too.
    """
    fields, files = body(files=(VIDEO,))
    remake = Remake(settings())
    video = remake.edit(tenant(), fields, files, nonce=idempotency_key(), retry=retry_count() > 0)
    return video_answer(video, remake.intake.quota_headers)


@routes.post(
    "/v1/videos/extensions",
    body=Body(
        ExtendFields,
        form=True,
        files=(VIDEO,),
        with_file=OF_FILE,
        examples={"One of your videos": {"video": _VIDEO, "prompt": "The fox falls asleep", "seconds": 4}},
    ),
    headers=(IDEMPOTENCY_KEY, RETRY_COUNT),
    sends=QUOTA_HEADERS,
    answer=VideoObject,
    errors=(VideoNotFound, NotReady, ContentRefused, MaxCostExceeded, IdempotencyConflict),
)
def extend_video() -> Response:
    """Extend a video

    Creates a video of another one, or of an MP4 file in a form, and a scene that continues it. With a file,
    the fields of a create that say how it is rendered are allowed, too.
    """
    fields, files = body(files=(VIDEO,))
    remake = Remake(settings())
    video = remake.extend(tenant(), fields, files, nonce=idempotency_key(), retry=retry_count() > 0)
    return video_answer(video, remake.intake.quota_headers)


@routes.post(
    "/v1/videos/<video_id>/remix",
    body=Body(RemixFields, form=True, examples={"A change": {"prompt": "Make it a night scene"}}),
    headers=(IDEMPOTENCY_KEY, RETRY_COUNT),
    sends=QUOTA_HEADERS,
    answer=VideoObject,
    errors=(VideoNotFound, NotReady, ContentRefused, MaxCostExceeded, IdempotencyConflict),
)
def remix_video(video_id: str) -> Response:
    """Remix a video

    Creates a video from a completed one with a change. It is made like its source; unchanged parts are reused
    and cost nothing.
    """
    fields, _ = body(files=())
    remake = Remake(settings())
    video = remake.remix(
        tenant(), checked_id(video_id), fields, nonce=idempotency_key(), retry=retry_count() > 0
    )
    return video_answer(video, remake.intake.quota_headers)


@routes.post(
    "/v1/videos/<video_id>/shapes",
    body=Body(ShapesFields, form=True, examples={"For phones and feeds": {"shapes": ["9:16", "1:1"]}}),
    answer=VideoObject,
    errors=(VideoNotFound, NotReady),
)
def add_shapes(video_id: str) -> Response:
    """Add shapes to a video

    Of a completed video, another attempt delivers its film in these shapes, too: it renders nothing. One that
    is being made gets them with its film.
    """
    fields, _ = body(files=())
    asked = parse_form(ShapesFields, fields)
    return video_answer(Editing(settings()).reshape(tenant(), checked_id(video_id), asked.shapes))


@routes.get("/v1/videos", query=Page, answer=VideoList)
def list_videos() -> Response:
    """List your videos

    Returns a page of them. A new video is listed within about a second. A page of very long videos ends
    before `limit`, with `has_more`.
    """
    page = query(Page)
    try:
        videos, has_more = stores.videos(settings()).list(
            tenant(), after=page.after, limit=page.limit, newest_first=page.order == "desc"
        )
    except VideoNotFound as error:
        raise InvalidRequest(
            f"after must be the id of one of your videos; got {page.after!r}.", param="after"
        ) from error
    return answer(openai_format.video_list(videos, has_more, film_links))


@routes.get("/v1/videos/<video_id>", answer=VideoObject, sends=(POLL_AFTER,), errors=(VideoNotFound,))
def retrieve_video(video_id: str) -> Response:
    """Retrieve a video"""
    video = video_of(video_id)
    if video.closed:
        return video_answer(video)
    queued = _wait(video) if waits(video) else None
    poll_ms = round(1000 * queued.poll_seconds) if queued else _POLL_AFTER_MS
    return video_answer(video, {names.POLL_AFTER_HEADER: str(poll_ms)}, queued)


def _wait(video: Video) -> Wait | None:
    line = stores.clip_queue(settings()).line(video.request.engine, video.tenant, video.id)
    return line and wait(video, line, settings().price_list)


@routes.get("/v1/videos/<video_id>/events", answer=EventList, errors=(VideoNotFound,))
def list_events(video_id: str) -> Response:
    """List what happened to a video

    The oldest event first: the video's stages, and each narration, still and clip with the failures of its
    tries. Of earlier attempts, stages and failures are listed.
    """
    video = video_of(video_id)
    tries = stores.videos(settings()).failed_tries(tenant(), video_id)
    # An earlier attempt's plan may have fewer clips.
    plan = find_plan(stores.outputs(settings()), tenant(), video_id) if video.clips else None
    scenes = {clip.index: scene.index for scene in plan.scenes for clip in scene.clips} if plan else {}
    return answer(openai_format.event_list(video_events(video, tries, scenes)))


@routes.delete("/v1/videos/<video_id>", headers=(RETRY_COUNT,), answer=Deletion, errors=(VideoNotFound,))
def delete_video(video_id: str) -> Response:
    """Delete a video

    Deletes it with its film, and every clip, voice, still and upload that no other video of yours uses. A
    video that is being made is cancelled first.
    """
    Ending(settings()).delete(tenant(), checked_id(video_id), retry=retry_count() > 0)
    logger.info("video deleted")
    return answer(openai_format.deletion(video_id))


@routes.operation(
    ["GET", "HEAD"],
    "/v1/videos/<video_id>/content",
    query=Content,
    redirects=sorted({variant.media_type for variant in VARIANTS.values()}),
    answer=ContentLink,
    errors=(VideoNotFound, NotReady),
)
def download_content(video_id: str) -> Response:
    """Download a film

    Redirects to a link to one of its files, which is valid for an hour, or returns the link.
    """
    return film_answer(video_of(video_id), query(Content).variant, query(Content).attempt)


@routes.get("/v1/videos/<video_id>/films", answer=FilmList, errors=(VideoNotFound,))
def list_films(video_id: str) -> Response:
    """List the films of a video

    The latest first: one for each attempt that was completed, for example before and after you edited the
    storyboard. They are kept until the video is deleted or expires.
    """
    return film_list_answer(video_of(video_id))


@routes.get("/v1/videos/<video_id>/clips", answer=ClipList, errors=(VideoNotFound, NotReady))
def list_clips(video_id: str) -> Response:
    """List the clips that a film is made of

    In order, with the scene of each, once the film is planned. How far each is, `clips` of the video says.
    """
    return answer(openai_format.clip_list(_plan(video_of(video_id))))


@routes.operation(
    ["GET", "HEAD"],
    "/v1/videos/<video_id>/clips/<clip>",
    query=LinkForm,
    redirects=("video/mp4",),
    answer=ContentLink,
    errors=(InvalidRequest, VideoNotFound, NotReady),
)
def download_clip(video_id: str, clip: str) -> Response:
    """Download a clip

    Redirects to a link to it, once it is rendered: as the engine made it, with its own sound if the engine
    gives some, before it is joined into the film. It may begin with a few frames that the film leaves out.
    """
    video = video_of(video_id)
    clips = _plan(video).clips
    index = checked_index(clip, "clip", len(clips))
    # Another attempt's plan is stored before its record is, which may have fewer clips.
    if index >= len(video.clips) or video.clips[index].state is not ClipState.DONE:
        raise NotReady(f"Clip {index} is not ready: video {video.id} is {video.stage}.", param="clip")
    return link_answer(
        keys.clip(tenant(), clips[index].key_hash), f"{video_id}-clip-{index}.mp4", "video/mp4"
    )


@routes.operation(
    ["GET", "HEAD"],
    "/v1/videos/<video_id>/music",
    query=LinkForm,
    redirects=sorted(SOUND_TYPES.values()),
    answer=ContentLink,
    errors=(VideoNotFound,),
)
def download_music(video_id: str) -> Response:
    """Download the music of a film

    Redirects to a link to the file that the film was created with.
    """
    music = video_of(video_id).request.music
    if music is None or music.key is None:
        raise VideoNotFound(f"Video {video_id} was made without music of yours.", param="id")
    uploads = stores.inputs(settings())
    if not uploads.exists(music.key):
        raise VideoNotFound(f"The music of video {video_id} has expired.", param="id")
    kind = music.key.rpartition(".")[2]
    return link_answer(music.key, f"{video_id}-music.{kind}", SOUND_TYPES[kind], uploads)


def _plan(video: Video) -> FilmPlan:
    """Return a film's plan. Raises NotReady until its clips are planned."""
    plan = find_plan(stores.outputs(settings()), video.tenant, video.id) if video.clips else None
    if plan is None:
        raise NotReady(f"Video {video.id} is {video.stage}: its clips are not planned yet.", param="id")
    return plan


@routes.post(
    "/v1/videos/<video_id>/cancel",
    headers=(RETRY_COUNT,),
    answer=VideoObject,
    errors=(VideoNotFound, NotReady),
)
def cancel_video(video_id: str) -> Response:
    """Cancel a video that is being made

    A clip that an engine is rendering stops within seconds on a PC, and is rendered to its end on AWS.
    """
    video = Ending(settings()).cancel(tenant(), checked_id(video_id), retry=retry_count() > 0)
    logger.info("video cancelled")
    return video_answer(video)

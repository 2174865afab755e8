"""Delivers a film: under the video's folder, beside a dropped object, and as an event."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.events import Events
from lambdas.adapters.objects import Objects
from lambdas.adapters.videos import Videos
from lambdas.domain import keys, names
from lambdas.domain.documents import Document
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.errors import VideoClosed, VideoNotFound
from lambdas.domain.film_plan import film_hash
from lambdas.domain.video import Stage, Video
from lambdas.intake.drop_error import clear_drop_error
from lambdas.settings import PublishSettings
from lambdas.tasks.clips import load_plan
from lambdas.tasks.task import VideoTask, task
from lambdas.telemetry import count, logger

# By the record's field: extension and media type.
_CAPTIONS = {"captions": ("vtt", "text/vtt"), "captions_srt": ("srt", "application/x-subrip")}


class Published(Document):
    film: str  # key in the output bucket


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = VideoTask.model_validate(event)
    settings = PublishSettings.from_env()
    events = Events(client("events"), settings.event_bus)
    published = publish(
        request.tenant, request.video_id, stores.videos(settings), stores.outputs(settings), events
    )
    return published.model_dump()


def publish(tenant: str, video_id: str, videos: Videos, outputs: Objects, events: Events) -> Published:
    """Raises ArtifactMissing; VideoClosed, VideoNotFound for a video that was ended by a request, of which
    nothing stays delivered.

    The event comes after the record, so whoever hears it finds the film; a crash between the two repeats
    this step, which then only emits. So an event may come twice, and who listens goes by the video's id.
    """
    film = keys.delivered_film(tenant, video_id)
    video = videos.get(tenant, video_id)
    if video.stage is not Stage.COMPLETED:
        video = videos.advance(tenant, video_id, Stage.PUBLISHING)
        captions = _deliver(video, outputs)
        try:
            video = videos.advance(
                tenant,
                video_id,
                Stage.COMPLETED,
                film=film,
                thumbnail=keys.delivered_thumbnail(tenant, video_id),
                spritesheet=keys.delivered_spritesheet(tenant, video_id),
                **captions,
                film_bytes=outputs.size(film),
                draft=CATALOGUE[video.request.engine].draft,
            )
        except (VideoClosed, VideoNotFound):
            if not _is_completed(video, videos):
                # The request that ended it took away what was delivered by then, and this came after.
                _take_back(video, outputs)
            raise
        logger.info("video completed", extra={"bytes": video.film_bytes})
        count(names.METRIC_VIDEOS_COMPLETED)
    if video.source is not None:
        clear_drop_error(outputs, video.source.key)  # of an attempt before
    events.video_ended(video, names.VIDEO_COMPLETED)
    return Published(film=film)


def _deliver(video: Video, outputs: Objects) -> dict[str, str]:
    """The keys of the captions, by the record's field."""
    plan = load_plan(outputs, video.tenant, video.id)
    content = film_hash(plan)
    for artifact, key, media_type in (
        (keys.poster, keys.delivered_thumbnail, "image/webp"),
        (keys.spritesheet, keys.delivered_spritesheet, "image/jpeg"),
    ):
        outputs.copy(artifact(video.tenant, content), key(video.tenant, video.id), media_type)
    for film in _films(video):
        outputs.copy(keys.film(video.tenant, content), film, "video/mp4")
    if not plan.captions or not any(scene.narration for scene in plan.scenes):
        return {}
    for extension, media_type in _CAPTIONS.values():
        outputs.copy(
            keys.captions(video.tenant, content, extension),
            keys.delivered_captions(video.tenant, video.id, extension),
            media_type,
        )
    return {
        field: keys.delivered_captions(video.tenant, video.id, extension)
        for field, (extension, _) in _CAPTIONS.items()
    }


def _take_back(video: Video, outputs: Objects) -> None:
    pictures = (keys.delivered_thumbnail, keys.delivered_spritesheet)
    captions = [keys.delivered_captions(video.tenant, video.id, end) for end, _ in _CAPTIONS.values()]
    for key in (*(picture(video.tenant, video.id) for picture in pictures), *captions, *_films(video)):
        outputs.delete(key)


def _films(video: Video) -> list[str]:
    """Where the film is put."""
    beside = [keys.drop_result(video.source.key, "mp4")] if video.source else []
    return [keys.delivered_film(video.tenant, video.id), *beside]


def _is_completed(video: Video, videos: Videos) -> bool:
    """By another try of this step, which had timed out and went on."""
    try:
        return videos.get(video.tenant, video.id).stage is Stage.COMPLETED
    except VideoNotFound:
        return False

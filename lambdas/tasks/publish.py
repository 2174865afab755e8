"""Deliver a film: to the video's folder, beside a dropped object, and as an event."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.events import Events
from lambdas.adapters.objects import Objects
from lambdas.adapters.signing_key import SigningKey, find_signing_key
from lambdas.adapters.videos import Videos
from lambdas.domain import keys, names
from lambdas.domain.content_variants import VARIANTS
from lambdas.domain.documents import Document
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.errors import VideoClosed, VideoNotFound
from lambdas.domain.film_plan import FilmPlan, film_hash
from lambdas.domain.manifest import artifact_keys, make_manifest
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video, seconds_worked
from lambdas.intake.drop_error import clear_drop_error
from lambdas.production.plans import load_plan
from lambdas.production.signing import deliver_signed
from lambdas.production.task_token import VideoTask, task
from lambdas.settings import PublishSettings
from lambdas.telemetry import count, logger, measure, rate


class Published(Document):
    film: str  # key in the output bucket


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = VideoTask.model_validate(event)
    settings = PublishSettings.from_env()
    published = publish(
        request.tenant,
        request.video_id,
        stores.videos(settings),
        stores.inputs(settings),
        stores.outputs(settings),
        stores.events(settings),
        find_signing_key(client("secretsmanager"), client("kms"), settings.signing_secret),
    )
    return published.model_dump()


def publish(
    tenant: str,
    video_id: str,
    videos: Videos,
    inputs: Objects,
    outputs: Objects,
    events: Events,
    key: SigningKey | None,
) -> Published:
    """Deliver a film, complete the record and emit the event. `key`: what the film is signed with.

    The event is emitted after the record is written, so listeners always find the film. A crash between the
    two repeats this step, which then only emits. Events may therefore arrive twice; listeners deduplicate by
    video id.

    Raises ArtifactMissing, NotSigned. Raises VideoClosed or VideoNotFound if a request ended the video;
    everything delivered is then deleted again.
    """
    film = keys.delivered_film(tenant, video_id)
    video = videos.get(tenant, video_id)
    if video.stage is not Stage.COMPLETED:
        video = videos.advance(tenant, video_id, Stage.PUBLISHING)
        delivered = _deliver(video, inputs, outputs, key)
        try:
            video = videos.advance(
                tenant,
                video_id,
                Stage.COMPLETED,
                **delivered,
                film_bytes=outputs.size(film),
                filmed=video.storyboard,
                signed_by=key and key.name,
                draft=CATALOGUE[video.request.engine].draft,
            )
        except (VideoClosed, VideoNotFound):
            # The request that ended the video deleted what was delivered by then; delete what came after.
            _take_back(video, _standing(video, videos), outputs)
            raise
        logger.info("video completed", extra={"bytes": video.film_bytes})
        count(names.METRIC_VIDEOS_COMPLETED)
        rate(names.METRIC_FAILURE_RATE, None)
        measure(names.METRIC_FILM_SECONDS, seconds_worked(video))
        if video.cost is not None:
            measure(names.METRIC_FILM_COST, video.cost)
    if video.source is not None:
        clear_drop_error(outputs, video.source.key)  # from an earlier attempt
    events.video_ended(video, names.VIDEO_COMPLETED)
    return Published(film=film)


def _deliver(
    video: Video, inputs: Objects, outputs: Objects, key: SigningKey | None
) -> dict[str, str | None]:
    """Copy everything to be delivered, and sign the film. Return the keys by record field; None where the
    film has no such file."""
    plan = load_plan(outputs, video.tenant, video.id)
    content = film_hash(plan)
    delivered: dict[str, str] = {}
    for name, variant in VARIANTS.items():
        if variant.artifact is not None and _has(plan, name):
            made, delivered[name] = (
                variant.artifact(video.tenant, content),
                variant.delivered(video.tenant, video.id),
            )
            if name == "video" and key is not None:
                deliver_signed(video, plan, made, delivered[name], key, inputs=inputs, outputs=outputs)
            else:
                outputs.copy(made, delivered[name], variant.media_type)
    if video.storyboard is not None:
        delivered["storyboard"] = keys.delivered_storyboard(video.tenant, video.id)
        kept = keys.storyboard(video.tenant, video.id, video.storyboard)
        outputs.copy(kept, delivered["storyboard"], VARIANTS["storyboard"].media_type)
    if video.source is not None:
        dropped = keys.drop_result(video.source.key, "mp4")
        outputs.copy(delivered["video"], dropped, VARIANTS["video"].media_type)
    manifest = make_manifest(
        video,
        plan,
        {key: outputs.size(key) for key in artifact_keys(video, plan)},
        {name: outputs.size(key) or 0 for name, key in delivered.items()},
    )
    delivered["manifest"] = keys.delivered_manifest(video.tenant, video.id)
    body = manifest.model_dump_json(indent=1).encode()
    outputs.put(delivered["manifest"], body, VARIANTS["manifest"].media_type)
    return {variant.field: delivered.get(name) for name, variant in VARIANTS.items()}


def _has(plan: FilmPlan, variant: str) -> bool:
    """Return whether the film has the variant. Captions need narration, and must be requested."""
    return not variant.startswith("captions") or (plan.captions and bool(plan.narration))


def _take_back(video: Video, standing: Video | None, outputs: Objects) -> None:
    """Delete what was delivered, except what the current record names (None: the record was deleted). A
    record names a film if another try of this step, which timed out but kept running, completed the video, or
    if an earlier attempt produced one."""
    for variant in VARIANTS.values():
        key = variant.delivered(video.tenant, video.id)
        if standing is None or getattr(standing, variant.field) != key:
            outputs.delete(key)
    if video.source is not None and (standing is None or standing.film is None):
        outputs.delete(keys.drop_result(video.source.key, "mp4"))


def _standing(video: Video, videos: Videos) -> Video | None:
    try:
        return videos.get(video.tenant, video.id)
    except VideoNotFound:
        return None

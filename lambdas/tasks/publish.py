"""Deliver a film: to the video's folder, beside a dropped object, and as an event."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

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
from lambdas.domain.errors import ArtifactMissing, VideoClosed, VideoNotFound
from lambdas.domain.film_plan import FilmPlan, film_hash
from lambdas.domain.manifest import Manifest, artifact_keys, make_manifest, new_scenes
from lambdas.domain.shapes import Aspect
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video, seconds_worked
from lambdas.domain.video_parts import DeliveredFilm
from lambdas.intake.drop_error import clear_drop_error
from lambdas.production.plans import load_plan
from lambdas.production.signing import deliver_signed
from lambdas.production.task_token import VideoTask, task
from lambdas.settings import PublishSettings
from lambdas.telemetry import count, logger, measure, rate

# What is delivered beside a dropped object, by the extension that it gets.
_DROPPED = {"video": "mp4"} | {aspect.variant: f"{aspect.variant}.mp4" for aspect in Aspect}


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
    video = videos.get(tenant, video_id)
    if video.stage is not Stage.COMPLETED:
        video = videos.advance(tenant, video_id, Stage.PUBLISHING)
        film = _deliver(video, inputs, outputs, key)
        try:
            video = videos.advance(
                tenant,
                video_id,
                Stage.COMPLETED,
                of_attempt=video.attempt,  # this try may have timed out but kept running, and another begun
                **{
                    variant.field: _key_of(video, film, name)
                    for name, variant in VARIANTS.items()
                    if variant.field
                },
                films=(*video.films, film),
                film_bytes=film.bytes,
                filmed=video.storyboard,
                signed_by=film.signed_by,
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
    return Published(film=keys.delivered_film(tenant, video_id, video.attempt))


def _key_of(video: Video, film: DeliveredFilm, variant: str) -> str | None:
    """Return the key of one of the film's files; None if it has no such file."""
    if variant not in film.variants:
        return None
    return VARIANTS[variant].delivered(video.tenant, video.id, film.attempt)


def _deliver(video: Video, inputs: Objects, outputs: Objects, key: SigningKey | None) -> DeliveredFilm:
    """Copy everything to be delivered, and sign the film in each of its shapes."""
    plan = load_plan(outputs, video.tenant, video.id)
    contents = {shape.aspect: film_hash(plan.in_shape(shape)) for shape in video.shapes}
    delivered: dict[str, str] = {}
    for name, variant in VARIANTS.items():
        content = film_hash(plan) if variant.shape is None else contents.get(variant.shape)
        if variant.artifact is not None and content is not None and _has(plan, name):
            made, delivered[name] = (
                variant.artifact(video.tenant, content),
                variant.delivered(video.tenant, video.id, video.attempt),
            )
            if variant.media_type == "video/mp4" and key is not None:
                deliver_signed(video, plan, made, delivered[name], key, inputs=inputs, outputs=outputs)
            else:
                outputs.copy(made, delivered[name], variant.media_type)
    if video.storyboard is not None:
        delivered["storyboard"] = keys.delivered_storyboard(video.tenant, video.id, video.attempt)
        kept = keys.storyboard(video.tenant, video.id, video.storyboard)
        outputs.copy(kept, delivered["storyboard"], VARIANTS["storyboard"].media_type)
    if video.source is not None:
        for name, extension in _DROPPED.items():
            if name in delivered:
                dropped = keys.drop_result(video.source.key, extension)
                outputs.copy(delivered[name], dropped, VARIANTS[name].media_type)
    manifest = make_manifest(
        video,
        plan,
        {key: outputs.size(key) for key in artifact_keys(video, plan)},
        {name: outputs.size(key) or 0 for name, key in delivered.items()},
    )
    delivered["manifest"] = keys.delivered_manifest(video.tenant, video.id, video.attempt)
    body = manifest.model_dump_json(indent=1).encode()
    outputs.put(delivered["manifest"], body, VARIANTS["manifest"].media_type)
    before = _manifest_before(video, outputs)
    return DeliveredFilm(
        attempt=video.attempt,
        seconds=manifest.seconds,
        bytes=next(one.bytes for one in manifest.delivered if one.variant == "video"),
        cost=manifest.cost,
        signed_by=key and key.name,
        warnings=video.assembly and video.assembly.warnings,
        variants=tuple(delivered),
        new_scenes=before and new_scenes(manifest, before),
    )


def _manifest_before(video: Video, outputs: Objects) -> Manifest | None:
    """Return the manifest of the latest film; None if there is none."""
    if not video.films:
        return None
    key = keys.delivered_manifest(video.tenant, video.id, video.films[-1].attempt)
    try:
        return Manifest.model_validate_json(outputs.get(key))
    except (ArtifactMissing, ValidationError):  # of another version of Reelworks
        return None


def _has(plan: FilmPlan, variant: str) -> bool:
    """Return whether the film has the variant. Captions need narration; they and stems must be requested."""
    if variant == "stems":
        return plan.stems
    return not variant.startswith("captions") or (plan.captions and any(scene.said for scene in plan.scenes))


def _take_back(video: Video, standing: Video | None, outputs: Objects) -> None:
    """Delete what was delivered, unless the current record (None: it was deleted) has this attempt's film:
    another try of this step, which timed out but kept running, has completed the video."""
    if standing is None or video.attempt not in (film.attempt for film in standing.films):
        for variant in VARIANTS.values():
            outputs.delete(variant.delivered(video.tenant, video.id, video.attempt))
    if video.source is not None and (standing is None or standing.film is None):
        for extension in _DROPPED.values():
            outputs.delete(keys.drop_result(video.source.key, extension))


def _standing(video: Video, videos: Videos) -> Video | None:
    try:
        return videos.get(video.tenant, video.id)
    except VideoNotFound:
        return None

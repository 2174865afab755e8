"""Join the clips of a video into its film, streaming from S3 to S3."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from lambdas.adapters import stores
from lambdas.adapters.objects import Objects
from lambdas.adapters.shared_objects import SharedObjects, artifacts
from lambdas.adapters.upload import FileContent
from lambdas.adapters.videos import Videos, now_ms
from lambdas.domain import keys
from lambdas.domain.content_variants import VARIANTS
from lambdas.domain.documents import Document
from lambdas.domain.errors import ArtifactMissing, ClipUnreadable
from lambdas.domain.film_plan import FilmPlan, film_hash
from lambdas.domain.prices import of_time
from lambdas.domain.quality import QualityReport, with_opinions
from lambdas.domain.shapes import Shape
from lambdas.domain.stages import Stage
from lambdas.domain.video_parts import AssemblyProgress, ShapeMade
from lambdas.domain.video_request import CaptionStyle
from lambdas.media.ass import ass
from lambdas.media.captions import srt, vtt
from lambdas.media.frames import poster
from lambdas.media.spritesheet import spritesheet
from lambdas.production.film_layout import Film, captions_design, cues, forget_broken_clip, quality_report
from lambdas.production.opinions import read_opinions
from lambdas.production.plans import load_plan
from lambdas.production.task_token import VideoTask, require_open, task
from lambdas.settings import PricedSettings
from lambdas.telemetry import logger

# Percent of the stage: the record of a video with 1,000 clips is 0.1 MB, so it is rewritten rarely.
_PROGRESS_STEP = 20


class FilmMade(Document):
    """The task's result for the state machine."""

    film: str  # key in the output bucket
    reused: bool
    review: bool  # whether it waits for the user before it is delivered


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = VideoTask.model_validate(event)
    settings = PricedSettings.from_env()
    usd_per_second = settings.price_list.function_second(int(context.memory_limit_in_mb))
    videos, inputs, outputs = stores.videos(settings), stores.inputs(settings), stores.outputs(settings)
    made = assemble(request.tenant, request.video_id, usd_per_second, videos, inputs, outputs)
    return made.model_dump()


def assemble(
    tenant: str,
    video_id: str,
    usd_per_second: float | None,
    videos: Videos,
    inputs: Objects,
    outputs: Objects,
) -> FilmMade:
    """Assemble the film and its further shapes, resuming from whatever an earlier attempt left. Two
    concurrent runs duplicate work but do no harm. `usd_per_second` is the price of the function or build that
    this runs in. If it fails, the record says which shape was being made, if any.

    Raises ArtifactMissing, CaptionsRefused, ClipMismatch, NarrationTooLong, SoundUnreadable, VideoClosed;
    ClipUnreadable, ClipsDiffer with a clip's index.
    """
    started_ms = now_ms()
    video = videos.advance(tenant, video_id, Stage.ASSEMBLING, assembled=0, assembly=None, shaping=None)
    plan = load_plan(outputs, tenant, video_id)
    film = keys.film(tenant, film_hash(plan))
    parts = artifacts(outputs, tenant, video_id, videos)
    reused = parts.find(film) and (not plan.stems or outputs.exists(keys.stems(tenant, film_hash(plan))))
    report = _read_report(plan, outputs) if reused else _make(film, plan, inputs, outputs, parts, videos)
    if video.request.vision_check:
        why_not = video.looked.note if video.looked else None
        report = with_opinions(report, plan, read_opinions(tenant, video_id, outputs), why_not)
        _write_report(report, plan, outputs)
    _make_pictures(film, plan, outputs)
    _write_captions(plan, inputs, outputs)
    parts.require_video(film, made=not reused)  # the pictures and captions have the film's name
    reshaping = _Reshaping(plan, videos, inputs, outputs, parts)
    made = [reshaping.make(shape) for shape in video.shapes]
    finished_ms = now_ms()
    done = AssemblyProgress(
        reused=reused,
        cost=_cost(usd_per_second, started_ms, finished_ms, reused=reused, shapes=made),
        warnings=report.warnings,
        content=film_hash(plan),
        storyboard=video.storyboard,
        started_ms=started_ms,
        finished_ms=finished_ms,
        shapes=tuple(made),
    )
    video = videos.advance(tenant, video_id, Stage.ASSEMBLING, assembly=done, shaping=None)
    logger.info("film reused" if reused else "film assembled", extra={"film": film, "shapes": len(made)})
    return FilmMade(film=film, reused=reused, review=video.awaits_review)


def _make(
    film: str, plan: FilmPlan, inputs: Objects, outputs: Objects, parts: SharedObjects, videos: Videos
) -> QualityReport:
    progress = Progress(plan, videos)
    try:
        with TemporaryDirectory() as scratch:
            making = Film(plan, inputs, outputs, parts, Path(scratch), progress.part_encoded)
            layout = making.layout()
            if making.steps:
                videos.advance(plan.tenant, plan.video_id, Stage.ASSEMBLING, steps=making.steps)

            report = making.report()

            def write() -> None:
                # First: whoever finds the film finds them.
                _write_report(report, plan, outputs)
                if making.stems is not None:
                    _write_stems(making.stems, plan, outputs)
                outputs.put_streamed(
                    film, layout, "video/mp4", sent=lambda size: progress.uploaded(size, layout.size)
                )

            parts.write(film, write)
            return report
    except ClipUnreadable as error:
        forget_broken_clip(plan, outputs, error)
        raise


def _cost(
    usd_per_second: float | None, started_ms: int, ended_ms: int, *, reused: bool, shapes: list[ShapeMade]
) -> float | None:
    """Return the cost of what was made: nothing of what was found, a film as it was."""
    if all([reused, *(one.reused for one in shapes)]):
        return 0.0
    since_ms = min(one.started_ms for one in shapes) if reused else started_ms
    return of_time(usd_per_second, since_ms, ended_ms)


class _Reshaping:
    """Makes the film's further shapes from its clips, each as a film of its own with the same sound."""

    def __init__(
        self, plan: FilmPlan, videos: Videos, inputs: Objects, outputs: Objects, parts: SharedObjects
    ) -> None:
        self._plan = plan
        self._videos = videos
        self._inputs = inputs
        self._outputs = outputs
        self._parts = parts

    def make(self, shape: Shape) -> ShapeMade:
        """Make a shape, unless it is there. Raises what `assemble` does."""
        started_ms = now_ms()
        plan = self._plan.in_shape(shape)
        film = keys.film(plan.tenant, film_hash(plan))
        self._videos.advance(plan.tenant, plan.video_id, Stage.ASSEMBLING, shaping=shape.aspect)
        if not (reused := self._parts.find(film)):
            with TemporaryDirectory() as scratch:
                making = Film(plan, self._inputs, self._outputs, self._parts, Path(scratch), self._go_on)
                layout = making.layout()
                self._parts.write(
                    film,
                    lambda: self._outputs.put_streamed(
                        film, layout, "video/mp4", sent=lambda _: self._go_on()
                    ),
                )
        _make_poster(film, plan, self._outputs)
        self._parts.require_video(film, made=not reused)
        return ShapeMade(aspect=shape.aspect, reused=reused, started_ms=started_ms, finished_ms=now_ms())

    def _go_on(self) -> None:
        require_open(self._videos, self._plan.tenant, self._plan.video_id)


def _read_report(plan: FilmPlan, outputs: Objects) -> QualityReport:
    """Return the report of a film that was made before: by a version without reports, or with other ones, one
    in which nothing is measured."""
    try:
        return QualityReport.model_validate_json(outputs.get(keys.quality(plan.tenant, film_hash(plan))))
    except (ArtifactMissing, ValidationError):
        report = quality_report(plan, [None] * len(plan.clips), None)
        _write_report(report, plan, outputs)
        return report


def _write_report(report: QualityReport, plan: FilmPlan, outputs: Objects) -> None:
    body = report.model_dump_json(indent=1, exclude_none=True).encode()
    outputs.put(keys.quality(plan.tenant, film_hash(plan)), body, VARIANTS["quality"].media_type)


def _write_stems(stems: Path, plan: FilmPlan, outputs: Objects) -> None:
    key = keys.stems(plan.tenant, film_hash(plan))
    outputs.put_streamed(key, FileContent(stems), VARIANTS["stems"].media_type, sent=lambda _: None)


def _make_pictures(film: str, plan: FilmPlan, outputs: Objects) -> None:
    _make_poster(film, plan, outputs)
    sheet = keys.spritesheet(plan.tenant, film_hash(plan))
    if not outputs.exists(sheet):
        outputs.put(sheet, spritesheet(outputs.source(film)).jpeg, "image/jpeg")


def _make_poster(film: str, plan: FilmPlan, outputs: Objects) -> None:
    thumbnail = keys.poster(plan.tenant, film_hash(plan))
    if not outputs.exists(thumbnail):
        outputs.put(thumbnail, poster(outputs.source(film)), "image/webp")


def _write_captions(plan: FilmPlan, inputs: Objects, outputs: Objects) -> None:
    said = cues(plan) if plan.captions else []
    if not said:
        return
    content = film_hash(plan)
    styled = ass(said, captions_design(plan, inputs), (plan.width, plan.height))
    web = vtt(said, timed=plan.caption_style is not CaptionStyle.PLAIN)
    for variant, text in (("captions", web), ("captions_srt", srt(said)), ("captions_ass", styled)):
        extension, media_type = VARIANTS[variant].extension, VARIANTS[variant].media_type
        outputs.put(keys.captions(plan.tenant, content, extension), text.encode(), media_type)


class Progress:
    """Report the stage's progress to the record in a few steps. Re-encoding parts, if any, is the first half
    and uploading the film the rest. Raises VideoClosed at each part and each write, so that work on a
    cancelled video stops."""

    def __init__(self, plan: FilmPlan, videos: Videos) -> None:
        self._plan = plan
        self._videos = videos
        self._parts = plan.parts_to_encode
        self._encoded = 0
        self._told = 0

    def part_encoded(self) -> None:
        require_open(self._videos, self._plan.tenant, self._plan.video_id)
        self._encoded += 1
        self._tell(min(50, 50 * self._encoded // self._parts))

    def uploaded(self, size: int, of: int) -> None:
        begun = 50 if self._parts else 0
        self._tell(begun + (100 - begun) * size // of)

    def _tell(self, done: int) -> None:
        if done >= self._told + _PROGRESS_STEP:
            self._told = done
            plan = self._plan
            self._videos.advance(plan.tenant, plan.video_id, Stage.ASSEMBLING, assembled=done)

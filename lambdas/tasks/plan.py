"""Plan a video's film from its storyboard, its prompt or the text model's version of that prompt."""

import time
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.adapters.clients import writing_client
from lambdas.adapters.objects import Objects
from lambdas.adapters.storyboards import Storyboards
from lambdas.adapters.text_model import TextModel
from lambdas.adapters.videos import Videos
from lambdas.domain.beat_cuts import BEATS_NOTE, beats_note, on_beats
from lambdas.domain.characters import CastMember
from lambdas.domain.documents import fingerprint
from lambdas.domain.engines import Engine, deployed
from lambdas.domain.errors import TextModelFailed, TextModelUnavailable
from lambdas.domain.film_plan import FilmPlan, Scene
from lambdas.domain.origin import Idea, ideas_of, prompt_shots, written
from lambdas.domain.planning import Shot, make_plan
from lambdas.domain.prices import Prices, total
from lambdas.domain.stages import Stage
from lambdas.domain.video import TEXT_MODEL, Video
from lambdas.domain.video_parts import ClipProgress, Enhancement
from lambdas.domain.video_request import OnWarning
from lambdas.production.clips_to_make import ClipsToMake, clips_to_make
from lambdas.production.cost_limit import check_plan
from lambdas.production.enhancement import enhance
from lambdas.production.plans import find_plan, source_plan, store_plan
from lambdas.production.scene_shots import between_ends, shots
from lambdas.production.task_token import VideoTask, task
from lambdas.settings import PlanSettings
from lambdas.telemetry import logger

# No question is asked later than this: the longest answer (420 s) ends within the function's 900 s.
_ASKING_SECONDS = 400
_A_BEAT = 2  # seconds by which a cut may come later, at most
_PLAIN_CAPTIONS = "The captions are plain"


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = VideoTask.model_validate(event)
    settings = PlanSettings.from_env()
    model = TextModel(writing_client(settings.answer_seconds), settings.text_model, settings.price_list)
    planned = plan(
        request.tenant,
        request.video_id,
        stores.videos(settings),
        stores.inputs(settings),
        stores.outputs(settings),
        model,
        settings.workflow,
        settings.price_list,
    )
    return planned.model_dump(mode="json")


def plan(
    tenant: str,
    video_id: str,
    videos: Videos,
    uploads: Objects,
    outputs: Objects,
    model: TextModel,
    workflow: str,
    prices: Prices,
) -> ClipsToMake:
    """Plan a video once. A stored plan is reused, so that a later attempt makes the same clips and the text
    model isn't asked twice, unless the storyboard, a voice, a still or the engine has changed since.
    `uploads` hold the music, and `workflow` is the setting of that name.

    Raises ArtifactMissing, MaxCostReached, NarrationTooLong, SoundUnreadable, VideoClosed, VideoNotFound.
    """
    video = videos.get(tenant, video_id)
    # The stage is rendering if this task timed out while its first try continued.
    if video.stage not in (Stage.PREPARING, Stage.RENDERING):
        video = videos.advance(tenant, video_id, Stage.PLANNING)
    engine = deployed(video.request.engine, workflow)
    inputs = _inputs(video, engine)
    plan = find_plan(outputs, tenant, video_id)
    if plan is None or plan.inputs != inputs:
        if video.request.brief is not None:
            storyboard = Storyboards(outputs).get(video)
            scenes, note = _cut(video, engine, shots(video, engine, storyboard, outputs), uploads)
            plan = make_plan(video, engine, storyboard.title, scenes, inputs)
            plan = plan.model_copy(update={"beats_note": note})
        else:
            source = source_plan(outputs, video)
            video = _enhanced(video, engine, source, videos, model)
            filmed = between_ends(video, prompt_shots(video, engine, source))
            plan = make_plan(video, engine, video.request.prompt, filmed, inputs)
        store_plan(outputs, plan)
        logger.info("video planned", extra={"clips": len(plan.clips)})
    check_plan(video, plan, prices, outputs)
    waiting = [ClipProgress(seconds=seconds) for seconds in plan.clip_seconds]
    videos.advance(
        tenant,
        video_id,
        Stage.RENDERING,
        clips=waiting,
        cast=_placed(video.cast, plan),
        notes=_noted(video, plan),
    )
    return clips_to_make(
        plan,
        video.shapes,
        look=video.request.vision_check,
        check=video.request.on_warning is OnWarning.RETRY_ONCE,
    )


def _cut(
    video: Video, engine: Engine, scenes: Sequence[Shot | Scene], uploads: Objects
) -> tuple[Sequence[Shot | Scene], str | None]:
    """Return the scenes cut on the music's beats, if that is asked for, and what could not be met."""
    request = video.request
    if not request.cut_on_beats or request.music is None:
        return scenes, None
    from lambdas.production.film_music import beats_of  # with the media libraries, which few films need here

    frames = sum(
        sum(clip.film_frames for clip in one.clips) if isinstance(one, Scene) else one.frames
        for one in scenes
    )
    beats = beats_of(request.music, uploads, Fraction(frames, request.fps) + _A_BEAT * len(scenes))
    cut, missed = on_beats(scenes, beats, request, engine)
    return cut, beats_note(missed, found=bool(beats))


def _inputs(video: Video, engine: Engine) -> str:
    """Return the SHA-256 of everything that may change between two attempts at a video."""
    made = [part.artifact for part in [*video.narrations, *video.stills]]
    cast = [[one.appearance.sha256, one.everywhere] for one in video.cast]
    return fingerprint([video.storyboard, made, engine.revision, *([cast] if cast else [])])


def _noted(video: Video, plan: FilmPlan) -> tuple[str, ...]:
    """Return the record's notes with those on cuts that are not on beats, and on captions that are plain, if
    another style was asked for."""
    style = video.request.caption_style
    others = tuple(note for note in video.notes if not note.startswith((_PLAIN_CAPTIONS, BEATS_NOTE)))
    others += (plan.beats_note,) if plan.beats_note else ()
    if plan.caption_style is style:
        return others
    voices = sorted({part.by for part in video.narrations if part.by})
    return (
        *others,
        f"{_PLAIN_CAPTIONS}: caption_style {style} needs the time of each word, which not every voice of "
        f"this film says ({', '.join(voices)}). Choose another voice, for example one of Amazon Polly's.",
    )


def _placed(cast: Sequence[CastMember], plan: FilmPlan) -> tuple[CastMember, ...]:
    """Return the characters with the scenes that each appears in."""
    scenes = {
        one.id: tuple(scene.index for scene in plan.scenes if one.appearance in scene.characters)
        for one in cast
    }
    return tuple(one.model_copy(update={"scenes": scenes[one.id]}) for one in cast)


def _enhanced(
    video: Video, engine: Engine, source: FilmPlan | None, videos: Videos, model: TextModel
) -> Video:
    if not video.request.enhance or video.enhancement is not None:
        return video
    # Recorded before the plan is stored, because the plan doesn't say who wrote its prompts.
    ideas = ideas_of(video.request, engine.prompt_tokens, source)
    video = videos.advance(video.tenant, video.id, Stage.PLANNING, waits_for=TEXT_MODEL)
    made = _all_enhanced(ideas, engine, video.cast, model)
    enhancement = made[-1].model_copy(
        update={
            "prompt": written([one.prompt for one in made]),
            "note": " ".join(dict.fromkeys(one.note for one in made if one.note)) or None,
            "cost": total([one.cost for one in made]),
        }
    )
    return videos.advance(video.tenant, video.id, Stage.PLANNING, enhancement=enhancement)


def _all_enhanced(
    ideas: Sequence[Idea], engine: Engine, cast: Sequence[CastMember], model: TextModel
) -> list[Enhancement]:
    """Return each idea's prompt. Once the text model has not answered, or has taken _ASKING_SECONDS for the
    ideas so far, the others are filmed as they are."""
    made: list[Enhancement] = []
    note: str | None = None
    started = time.monotonic()
    for idea in ideas:
        if note is None and time.monotonic() - started > _ASKING_SECONDS:
            note = f"The text model wrote {len(made)} of {len(ideas)} paragraphs in {_ASKING_SECONDS} s."
        if note is None:
            try:
                made.append(enhance(idea, engine, model, cast))
                continue
            except (TextModelFailed, TextModelUnavailable) as error:
                logger.warning("text model failed", extra={"reason": error.message})
                note = f"{error.message}. {error.advice}"
        made.append(Enhancement(prompt=idea.plain, note=note, cost=0.0))
    return made

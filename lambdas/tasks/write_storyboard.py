"""Write a video's storyboard, or rewrite one of its scenes, with the text model."""

from collections.abc import Callable, Sequence
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.adapters.clients import writing_client
from lambdas.adapters.objects import Objects
from lambdas.adapters.storyboards import Storyboards
from lambdas.adapters.text_model import TextModel, ToolAnswer
from lambdas.adapters.videos import Videos
from lambdas.domain.brief import Brief, Writing
from lambdas.domain.characters import CastMember, characters_json
from lambdas.domain.documents import Document
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.errors import StoryboardRejected, VideoClosed
from lambdas.domain.prices import total
from lambdas.domain.stages import Stage
from lambdas.domain.storyboard import Storyboard
from lambdas.domain.storyboard_answers import (
    Accepted,
    AnswerRejected,
    accept_changes,
    accept_scene,
    accept_storyboard,
)
from lambdas.domain.storyboard_questions import (
    Question,
    SceneField,
    changes_question,
    repair_message,
    scene_question,
    storyboard_question,
)
from lambdas.domain.video import TEXT_MODEL, Video, unchanged_parts
from lambdas.domain.video_parts import ClipState, Part, PartProgress, Rewrite, Writer
from lambdas.domain.video_request import Gate, OriginKind
from lambdas.production.casting import described
from lambdas.production.task_token import VideoTask, task
from lambdas.settings import PlanSettings
from lambdas.telemetry import logger


class SceneToPrepare(Document):
    """What to make for a scene before its clips."""

    index: int
    narrate: bool
    still: bool


class StoryboardWritten(Document):
    """The task's result for the state machine. It lists only scenes that need something made, since an
    execution is limited to 25,000 events. A film made from one prompt has nothing to prepare or review."""

    tenant: str
    video_id: str
    scenes: list[SceneToPrepare] = []
    review: list[Gate] = []  # gates still to wait at


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = VideoTask.model_validate(event)
    settings = PlanSettings.from_env()
    model = TextModel(writing_client(settings.answer_seconds), settings.text_model, settings.price_list)
    inputs = stores.inputs(settings)
    written = write_storyboard(request, stores.videos(settings), inputs, stores.outputs(settings), model)
    return written.model_dump(mode="json")


def write_storyboard(
    request: VideoTask, videos: Videos, inputs: Objects, outputs: Objects, model: TextModel
) -> StoryboardWritten:
    """Write a video's storyboard once, and describe its characters first. A later attempt reuses the existing
    one, which the user may have seen, and rewrites only what the user asks for. Runs again after the
    storyboard's gate and after each change at a gate; what the attempt has made so far stays, except for what
    was changed.

    Raises StoryboardRejected, TextModelFailed, TextModelUnavailable, VideoClosed, VideoNotFound.
    """
    video = videos.get(request.tenant, request.video_id)
    from_gate = video.review is not None
    # After the storyboard's gate the stage is preparing and the decision is in the record. Otherwise this
    # task was retried although its first try finished.
    done = video.stage is Stage.PREPARING and not from_gate
    if video.stage is not Stage.PREPARING:
        video = videos.advance(request.tenant, request.video_id, Stage.PLANNING)
    video = described(video, videos, inputs, model)
    brief = video.request.brief
    if brief is None:
        return StoryboardWritten(tenant=video.tenant, video_id=video.id)
    storyboards = Storyboards(outputs)
    if _asks(video, brief):
        # Without effect on the film: if the record has changed, the write after the answer finds that out.
        video = videos.amend(video, waits_for=TEXT_MODEL) or video
    if video.rewrite is not None:
        video = _rewritten(video, video.rewrite, brief, videos, storyboards, model)
    if video.storyboard is not None:
        storyboard = storyboards.get(video)
    else:
        budget = CATALOGUE[video.request.engine].prompt_tokens
        written = _first(video, brief, budget, storyboards, model)
        storyboard = written.storyboard
        writer = Writer(by=written.by, note=written.note, cost=written.cost)
        kept = storyboards.put(video, storyboard)
        video = _planned(videos, video, Stage.PLANNING, storyboard=kept, writer=writer)
    indexes = range(len(storyboard.scenes))
    spoken = [index for index in indexes if storyboard.scenes[index].is_spoken]
    drawn = [index for index in indexes if video.request.draws_still(index, storyboard)]
    begun = from_gate or done  # this attempt already has parts
    narrations = _parts(spoken, video.narrations if begun else [])
    stills = _parts(drawn, video.stills if begun else [])
    if not done:
        stage = Stage.PLANNING if Gate.STORYBOARD in video.gates else Stage.PREPARING
        video = _planned(videos, video, stage, narrations=narrations, stills=stills, review=None)
    said, seen = _due(narrations), _due(stills)
    scenes = [SceneToPrepare(index=i, narrate=i in said, still=i in seen) for i in sorted(said | seen)]
    return StoryboardWritten(tenant=video.tenant, video_id=video.id, scenes=scenes, review=video.gates)


def _asks(video: Video, brief: Brief) -> bool:
    """Return whether the text model has something to write."""
    if video.rewrite is not None:
        return True
    if video.storyboard is not None:
        return False
    origin = video.request.origin
    return (origin is not None and origin.storyboard is not None) or brief.whole() is None


def _parts(scenes: Sequence[int], before: Sequence[PartProgress]) -> list[PartProgress]:
    """Return a part for each scene: the previous one if it is made, otherwise a new one."""
    made = {part.scene: part for part in before if part.state is ClipState.DONE}
    return [made.get(scene, PartProgress(scene=scene)) for scene in scenes]


def _due(parts: Sequence[PartProgress]) -> set[int]:
    """Return the scenes whose part is not yet made."""
    return {part.scene for part in parts if part.state is not ClipState.DONE}


def _rewritten(
    video: Video, wish: Rewrite, brief: Brief, videos: Videos, storyboards: Storyboards, model: TextModel
) -> Video:
    """Apply the rewrite that the user asked for. If the text model fails, keep the storyboard and record why,
    so that the user sees it at a gate or asks again."""
    before = storyboards.get(video)
    try:
        written = rewrite(
            before,
            wish.scene,
            wish.note,
            part=wish.part,
            language=brief.language,
            budget=CATALOGUE[video.request.engine].prompt_tokens,
            model=model,
            writing=video.request.writing,
            cast=video.cast,
        )
    except StoryboardRejected as error:
        note = f"scenes[{wish.scene}] could not be rewritten: {error.message}"
        writer = (video.writer or Writer()).model_copy(update={"note": note})
        return _planned(videos, video, Stage.PLANNING, writer=writer, rewrite=None)
    changes: dict[str, Any] = unchanged_parts(video, before, written.storyboard)
    changes["storyboard"] = storyboards.put(video, written.storyboard)
    paid = video.writer.cost if video.writer else 0.0
    writer = Writer(by=written.by, note=written.note, cost=total([paid, written.cost]))
    return _planned(videos, video, Stage.PLANNING, writer=writer, rewrite=None, **changes)


def _planned(videos: Videos, video: Video, stage: Stage, **changes: Any) -> Video:
    """Update the record, conditional on it being as read. While the text model wrote, the user may have ended
    this attempt, edited the storyboard and started another, or a later try of this task may have finished and
    the film may be waiting at a gate."""
    changed = videos.advance_from(video, stage, **changes)
    if changed is None:
        raise VideoClosed(f"video {video.id} changed while its storyboard was being written")
    return changed


class Written(Document):
    """A storyboard and who wrote it. `by` is the model, or None if the user provided all of it; `note` says
    what was changed, and what to know about the model; `cost` is the total paid for all questions, in USD."""

    storyboard: Storyboard
    by: str | None = None
    note: str | None = None
    cost: float | None = 0.0


def write(
    brief: Brief, budget: int, model: TextModel, writing: Writing, cast: Sequence[CastMember] = ()
) -> Written:
    """Write the storyboard of a brief for an engine that reads `budget` tokens. A brief that holds a complete
    storyboard needs no model. Raises StoryboardRejected, TextModelFailed, TextModelUnavailable."""
    if given := brief.whole():
        return Written(storyboard=given)
    question = storyboard_question(brief, budget, characters_json(cast))
    return _asked(question, lambda answer: accept_storyboard(answer, brief, budget), model, writing)


def _first(video: Video, brief: Brief, budget: int, storyboards: Storyboards, model: TextModel) -> Written:
    """Write the first storyboard. A video made from another takes over its storyboard, changed or
    extended."""
    writing, origin = video.request.writing, video.request.origin
    if origin is None or origin.storyboard is None:
        written, brand = write(brief, budget, model, writing, video.cast), video.request.brand
        if brand is None:
            return written
        return written.model_copy(update={"storyboard": brand.around(written.storyboard)})
    before = storyboards.of(video, origin.storyboard)
    if origin.kind is not OriginKind.EXTEND:
        return change(before, origin.prompt, brief.language, budget, model, writing, video.cast)
    end = len(before.scenes) - (video.request.has_outro and before.scenes[-1].own is not None)
    return rewrite(
        before.continued(origin.prompt, origin.seconds, end),
        end,
        origin.prompt,
        part=Part.TEXT,
        language=brief.language,
        budget=budget,
        model=model,
        writing=writing,
        cast=video.cast,
    )


def change(
    storyboard: Storyboard,
    wish: str,
    language: str,
    budget: int,
    model: TextModel,
    writing: Writing,
    cast: Sequence[CastMember] = (),
) -> Written:
    """Rewrite the scenes that the user's wish is about. Raises the same errors as `write`."""
    question = changes_question(storyboard, wish, language, budget, characters_json(cast))
    return _asked(
        question,
        lambda answer: accept_changes(answer, storyboard, wish, language, budget),
        model,
        writing,
    )


_FIELDS: dict[Part, tuple[SceneField, ...]] = {
    Part.TEXT: ("narration", "image", "video"),
    Part.VOICE: ("narration",),
    Part.STILL: ("image",),
}


def rewrite(
    storyboard: Storyboard,
    scene: int,
    note: str,
    *,
    part: Part = Part.TEXT,
    language: str,
    budget: int,
    model: TextModel,
    writing: Writing,
    cast: Sequence[CastMember] = (),
) -> Written:
    """Rewrite a part of one scene (its index) as the user's note says; the rest stays identical. Raises the
    same errors as `write`."""
    spoken = storyboard.scenes[scene].has_text_to_say
    fields = [field for field in _FIELDS[part] if field != "narration" or spoken]
    question = scene_question(storyboard, scene, note, fields, language, budget, characters_json(cast))
    return _asked(
        question,
        lambda answer: accept_scene(answer, storyboard, scene, note, fields, language, budget),
        model,
        writing,
    )


_STOPPED_BY_POLICY = frozenset({"guardrail_intervened", "content_filtered"})
_STOPPED_SHORT = frozenset({"max_tokens", "model_context_window_exceeded"})
_MOST_TOLD = 3  # problems listed in a failure's reason


def _asked(
    question: Question, accept: Callable[[object], Accepted], model: TextModel, writing: Writing
) -> Written:
    """Ask once and, if the answer is unusable, once more with a list of its problems."""
    answer = _fill(question, question.message, model, writing)
    costs = [answer.cost]
    try:
        accepted = _judged(answer, accept)
    except AnswerRejected as first:
        logger.warning("storyboard rejected", extra={"by": answer.by, "problems": first.problems})
        message = repair_message(question.message, answer.input, first.problems)
        answer = _fill(question, message, model, writing)
        costs.append(answer.cost)
        try:
            accepted = _judged(answer, accept)
        except AnswerRejected as second:
            raise _rejected(answer, second.problems) from second
    note = " ".join(filter(None, [accepted.note, answer.note])) or None
    logger.info("storyboard written", extra={"by": answer.by, "note": note})
    return Written(storyboard=accepted.storyboard, by=answer.by, note=note, cost=total(costs))


def _fill(question: Question, message: str, model: TextModel, writing: Writing) -> ToolAnswer:
    answer = model.fill(
        system=question.system,
        message=message,
        tool=question.tool,
        max_tokens=question.answer_tokens,
        writing=writing,
    )
    if answer.stop_reason in _STOPPED_BY_POLICY:
        raise StoryboardRejected(
            f"The content filter of text model {answer.by} stopped the answer.",
            advice="Change the topic, choose another text model, or send your own storyboard with the "
            "request.",
        )
    return answer


def _judged(answer: ToolAnswer, accept: Callable[[object], Accepted]) -> Accepted:
    if answer.stop_reason in _STOPPED_SHORT:
        raise AnswerRejected(["The answer was cut off before its end: write less in every field."])
    if answer.input is None:
        raise AnswerRejected(["The answer did not use the tool: it must be one JSON object by its schema."])
    return accept(answer.input)


def _rejected(answer: ToolAnswer, problems: list[str]) -> StoryboardRejected:
    told = " ".join(problems[:_MOST_TOLD])
    more = f" And {len(problems) - _MOST_TOLD} more." if len(problems) > _MOST_TOLD else ""
    advice = None
    if answer.stop_reason in _STOPPED_SHORT:
        advice = (
            "Request fewer scenes, raise the model's limit (max_tokens; on a PC also context_size), "
            "choose another text model, or send your own storyboard with the request."
        )
    return StoryboardRejected(
        f"Text model {answer.by} wrote no usable storyboard, even when asked to repair it. {told}{more}",
        advice=advice,
    )

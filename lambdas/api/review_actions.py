"""Review a film, while it waits for the user and after it has ended: edit its storyboard,
regenerate parts of it, approve, retry.

Each change applies to the record as it was read, so of two concurrent changes the later one sees what the
earlier one did. Its consequences (answering the state machine, queueing the new attempt) happen however often
the call is repeated.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.executions import Machine
from lambdas.adapters.requests_queue import RequestsQueue
from lambdas.adapters.shared_objects import uploads
from lambdas.adapters.storyboards import Storyboards
from lambdas.api.storyboard_edits import Regeneration, regenerated, replacement, scene_index
from lambdas.domain import keys
from lambdas.domain.characters import CastMember, named_in
from lambdas.domain.engine_notes import shape_note_start, shape_notes
from lambdas.domain.engines import deployed
from lambdas.domain.errors import NotReady, PreconditionFailed, VideoNotFound
from lambdas.domain.shapes import Shape
from lambdas.domain.stages import Stage
from lambdas.domain.storyboard import Storyboard
from lambdas.domain.video import Video, execution_name, unchanged_parts
from lambdas.domain.video_parts import ClipState, Decision, Rewrite, part_of
from lambdas.domain.video_request import Gate
from lambdas.intake.card_letters import check_card_letters
from lambdas.intake.characters import Casting
from lambdas.intake.content_filter import ContentFilter, texts_of_storyboard
from lambdas.intake.film_size import check_shapes
from lambdas.intake.scene_frames import SceneFrames
from lambdas.intake.tenant_quotas import TenantQuotas
from lambdas.intake.voices import check_names, check_voices
from lambdas.settings import ApiSettings


class Preview(StrEnum):
    """Parts of a scene that are available before the film is made."""

    NARRATION = "narration"
    STILL = "still"


class Editing:
    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self._videos = stores.videos(settings)
        self._inputs = stores.inputs(settings)
        self._storyboards = Storyboards(stores.outputs(settings))
        self._reviews = stores.reviews(settings)
        self._machine = Machine(client("stepfunctions"), settings.state_machine_arn)
        self._queue = RequestsQueue(client("sqs"), settings.requests_queue_url)
        self._quotas = TenantQuotas(settings)
        self._filter = ContentFilter(settings)

    def storyboard(self, video: Video) -> Storyboard:
        """Return the current storyboard.

        Raises NotReady until there is one; VideoNotFound for a film of one prompt.
        """
        _check_scenes(video)
        if video.storyboard is None:
            raise NotReady(f"The storyboard is not ready: video {video.id} is {video.stage}.", param="id")
        return self._storyboards.get(video)

    def replace(
        self, tenant: str, video_id: str, document: Mapping[str, Any], if_match: str | None
    ) -> tuple[Video, Storyboard]:
        """Replace the current storyboard, provided that it matches `if_match` (an If-Match header).

        Raises InvalidRequest, NotReady, PreconditionFailed, VideoNotFound.
        """

        def act(video: Video) -> Video | None:
            before = self._editable(video)
            _check_match(video, if_match)
            casting, frames = Casting(tenant, self._inputs, video.cast), SceneFrames(tenant, self._inputs)
            engine = deployed(video.request.engine, self._settings.workflow)
            after = replacement(casting.storyboard(frames.storyboard(document)), video.request, engine)
            check_card_letters(after.scenes, video.lettered, frames.font)
            frames.keep(uploads(self._inputs, tenant, video.id, self._videos))
            cast = self._cast(video, casting, before, after)
            if after == before and cast == video.cast:
                return video
            check_voices(after, video.request.voice, cast, self._settings)
            known = set(texts_of_storyboard(before).values())
            new = {path: text for path, text in texts_of_storyboard(after).items() if text not in known}
            self._filter.check(new)
            return self._edit(video, before, after, cast=cast, rewrite=None)

        video = self._settled(tenant, video_id, act)
        return video, self._storyboards.get(video)

    def regenerate(self, tenant: str, video_id: str, scene: str, asked: Regeneration) -> Video:
        """Regenerate a part of a scene. Raises InvalidRequest, NotReady, VideoNotFound."""

        def act(video: Video) -> Video | None:
            before = self._editable(video)
            index = scene_index(scene, before)
            after = regenerated(before, index, asked, video.request)
            check_names({"voice": asked.voice} if asked.voice else {})
            if asked.note:
                self._filter.check({"note": asked.note})
                casting = Casting(tenant, self._inputs, video.cast)
                note = casting.text(asked.note, "note")
                rewrite = Rewrite(scene=index, part=asked.part, note=note)
                cast = self._cast(video, casting, before, after)
                return self._edit(video, before, after, cast=cast, rewrite=rewrite)
            return video if after == before else self._edit(video, before, after)

        return self._settled(tenant, video_id, act)

    def approve(
        self,
        tenant: str,
        video_id: str,
        *,
        gate: Gate | None = None,
        if_match: str | None = None,
        max_cost: float | None = None,
    ) -> Video:
        """Continue the film past its gate, or start a new attempt if it was edited or has failed.

        `gate`: the gate meant, so that a repeated approval can't approve the next gate. `if_match`: the
        storyboard that was seen, as in `replace`. `max_cost`: from now on; None: as before. Raises
        NotReady, PreconditionFailed, VideoNotFound.
        """

        def act(video: Video) -> Video | None:
            if video.review is None:  # else a film of one prompt waits, too
                _check_scenes(video)
            if video.review and video.stage is Stage.REVIEWING:
                if gate in video.approved:
                    return video  # a repeated approval
                if gate not in (None, video.review.gate):
                    raise NotReady(
                        f"Video {video.id} is waiting at gate {video.review.gate}, not at gate {gate}.",
                        param="gate",
                    )
                _check_match(video, if_match)
                if video.film_to_review and _edited(video):
                    return self._film_anew(video, **_limit(max_cost))
                stage = Stage.PUBLISHING if video.film_to_review else Stage.PREPARING
                return self._decide(video, Decision.APPROVED, stage, **_limit(max_cost))
            if video.closed:
                _check_match(video, if_match)
                return self._film_anew(video, **_limit(max_cost))
            if video.approved:
                return video  # a repeated approval
            raise NotReady(
                f"There is nothing to approve: video {video.id} is {video.stage}. A video waits for "
                "approval while its stage is reviewing.",
                param="id",
            )

        return self._settled(tenant, video_id, act)

    def retry(self, tenant: str, video_id: str, *, max_cost: float | None = None) -> Video:
        """Start a new attempt at a video that failed or was cancelled. `max_cost` also changes that of a
        video that is being made. Raises NotReady, QuotaExceeded, VideoNotFound."""

        def act(video: Video) -> Video | None:
            if video.stage is Stage.COMPLETED:
                edited = " Approve it to render its edited storyboard." if _edited(video) else ""
                raise NotReady(
                    f"Video {video.id} is completed: there is nothing to retry.{edited}", param="id"
                )
            if video.closed:
                return self._again(video, **_limit(max_cost))
            return (
                video if max_cost in (None, video.max_cost) else self._videos.amend(video, max_cost=max_cost)
            )

        return self._settled(tenant, video_id, act)

    def reshape(self, tenant: str, video_id: str, shapes: Sequence[Shape]) -> Video:
        """Add further shapes to a film. One that is completed starts a new attempt, which makes nothing but
        the shapes. Raises InvalidRequest, NotReady, QuotaExceeded, VideoNotFound."""

        def act(video: Video) -> Video | None:
            check_shapes(shapes, (video.request.width, video.request.height))
            if all(shape in video.shapes for shape in shapes):
                return video  # a repeated call
            if video.stage in (Stage.ASSEMBLING, Stage.PUBLISHING):
                raise NotReady(
                    f"Video {video.id} is {video.stage}: it gets no more shapes until it is completed. Wait.",
                    param="id",
                )
            changes = {
                "more_shapes": (*video.more_shapes, *shapes),
                "notes": _with_shape_notes(video, shapes),
            }
            if video.stage is not Stage.COMPLETED:
                return self._videos.amend(video, **changes)
            if _edited(video):
                raise NotReady(
                    f"The edited storyboard of {video.id} would be filmed, too. Approve it first.",
                    param="id",
                )
            return self._again(video, **changes)

        return self._settled(tenant, video_id, act)

    def preview(self, video: Video, scene: str, preview: Preview) -> str:
        """Return the key of a scene's narration or still.

        Raises InvalidRequest if the scene does not exist; NotReady until the part is made; VideoNotFound if
        the scene has none.
        """
        storyboard = self.storyboard(video)
        index = scene_index(scene, storyboard)
        if preview is Preview.NARRATION:
            has, parts = storyboard.scenes[index].is_spoken, video.narrations
        else:
            has, parts = video.request.draws_still(index, storyboard), video.stills
        if not has:
            raise VideoNotFound(f"Scene {index} of video {video.id} has no {preview}.", param="scene")
        part = part_of(parts, index)
        if part is None or part.artifact is None or part.state is not ClipState.DONE:
            raise NotReady(
                f"The {preview} of scene {index} is not ready: video {video.id} is {video.stage}.",
                param="scene",
            )
        if preview is Preview.STILL:
            return part.artifact
        return keys.narration_preview(video.tenant, PurePosixPath(part.artifact).stem)

    # --- the record

    def _settled(self, tenant: str, video_id: str, act: Callable[[Video], Video | None]) -> Video:
        """Apply `act` to the record, and again to the new record if another change came first (None)."""
        while (video := act(self._videos.get(tenant, video_id))) is None:
            pass
        if video.stage is Stage.QUEUED:
            if Stage.REVIEWING in (entry.stage for entry in video.history[-2:-1]):
                self._machine.stop(execution_name(video.id, video.attempt - 1), "the video was changed")
            self._queue.send(video)
        self._reviews.answer(video)
        return video

    def _editable(self, video: Video) -> Storyboard:
        """Return the current storyboard. Raises NotReady while something is being made from it."""
        _check_scenes(video)
        if video.stage is not Stage.REVIEWING and not video.closed:
            raise NotReady(
                f"Video {video.id} is {video.stage}: its storyboard can be edited only while it waits "
                "for review or after the video has ended. Wait, or cancel the video.",
                param="id",
            )
        if video.storyboard is None:
            raise NotReady(
                f"Video {video.id} is {video.stage} and has no storyboard yet; retry it.", param="id"
            )
        return self._storyboards.get(video)

    def _cast(
        self, video: Video, casting: Casting, before: Storyboard, after: Storyboard
    ) -> tuple[CastMember, ...]:
        """Return a film's characters after an edit, and keep the pictures of new ones."""
        casting.keep(uploads(self._inputs, video.tenant, video.id, self._videos))
        return _cast(video, casting, before, after)

    def _edit(self, video: Video, before: Storyboard, after: Storyboard, **changes: Any) -> Video | None:
        """Store an edit until it is approved. But what a note asks for is written immediately, and what the
        second gate shows is made immediately. A film that waits to be delivered is edited like one that has
        ended, except that it goes on waiting."""
        changes |= {"storyboard": self._storyboards.put(video, after)}
        changes |= unchanged_parts(video, before, after, changes.get("cast"))
        noted = changes.get("rewrite") is not None
        filmed = video.closed or video.film_to_review is not None
        if filmed and noted:
            return self._again(video, approved=(), **changes)
        if filmed:
            review = None if video.closed else video.review
            return self._videos.amend(video, review=review, approved=(), **changes)
        if not noted and video.review and video.review.gate is Gate.STORYBOARD:
            return self._videos.amend(video, **changes)
        return self._decide(video, Decision.CHANGED, Stage.PLANNING, **changes)

    def _decide(self, video: Video, decision: Decision, stage: Stage, **changes: Any) -> Video | None:
        """Record a decision at the gate where the video waits."""
        assert video.review is not None  # noqa: S101 - a reviewing video has one
        if decision is Decision.APPROVED:
            changes["approved"] = _gates(video, video.review.gate)
        review = video.review.model_copy(update={"decision": decision})
        return self._videos.advance_from(video, stage, review=review, **changes)

    def _film_anew(self, video: Video, **changes: Any) -> Video | None:
        """Start a new attempt at a video that has ended or waits to be delivered, with its current storyboard
        approved and also, if it ended while waiting for approval, the gate where it waited."""
        if video.storyboard is None and video.request.brief is not None:
            raise NotReady(
                f"There is nothing to approve: video {video.id} is {video.stage} and has no storyboard yet; "
                "retry it.",
                param="id",
            )
        if video.stage is Stage.COMPLETED and not _edited(video):
            raise NotReady(
                f"There is nothing to re-render: video {video.id} is completed, and its film already matches "
                "the current storyboard.",
                param="id",
            )
        ended_waiting = video.closed and video.review and video.review.decision is None
        waited_at = [video.review.gate] if ended_waiting and video.review else []
        written = [] if video.storyboard is None else [Gate.STORYBOARD]
        approved = _gates(video, *written, *waited_at)
        return self._again(video, rewrite=None, approved=approved, **changes)

    def _again(self, video: Video, **changes: Any) -> Video | None:
        """Start a new attempt at a video that has ended, which counts like a new film, or that waits to be
        delivered. Raises QuotaExceeded."""
        admission = self._quotas.admit_again(video) if video.closed else None
        return self._videos.requeue(video, admission, **changes)


def _cast(video: Video, casting: Casting, before: Storyboard, after: Storyboard) -> tuple[CastMember, ...]:
    """Return a film's characters after an edit. One whose name the edit takes out of every scene is no longer
    in the film."""
    same = {one.model_copy(update={"everywhere": False}).role: one for one in video.cast}
    cast = []
    for role in casting.roles:
        one = same.get(role.model_copy(update={"everywhere": False})) or CastMember(**role.model_dump())
        dropped = named_in("\n".join(before.scene_texts), [one]) and not named_in(
            "\n".join(after.scene_texts), [one]
        )
        cast.append(one.model_copy(update={"everywhere": one.everywhere and not dropped}))
    return tuple(cast)


def _with_shape_notes(video: Video, shapes: Sequence[Shape]) -> tuple[str, ...]:
    """Return the record's notes with those on shapes that are asked for, or asked for otherwise."""
    outdated = tuple(shape_note_start(shape) for shape in shapes)
    kept = (note for note in video.notes if not note.startswith(outdated))
    return (*kept, *shape_notes(shapes, video.request))


def _limit(max_cost: float | None) -> dict[str, float]:
    """Return the change of a video's `max_cost`, if any."""
    return {} if max_cost is None else {"max_cost": max_cost}


def _gates(video: Video, *more: Gate) -> tuple[Gate, ...]:
    """Return the gates already approved, plus `more`, in order."""
    return tuple(gate for gate in Gate if gate in video.approved or gate in more)


def _edited(video: Video) -> bool:
    """Return whether the current storyboard, or a character of it, differs from what was filmed: for the film
    that waits to be delivered, else for the latest one."""
    waits = video.film_to_review
    filmed = waits.storyboard if waits else video.filmed
    return video.storyboard != filmed or any(one.scenes is None for one in video.cast)


def _check_scenes(video: Video) -> None:
    if video.request.brief is None:
        raise VideoNotFound(f"Video {video.id} is a film of one prompt and has no storyboard.", param="id")


def _check_match(video: Video, if_match: str | None) -> None:
    """Raise PreconditionFailed if an If-Match header does not name the current storyboard.

    A weak tag never matches. Source: RFC 9110, 13.1.1.
    """
    if if_match is None:
        return
    tags = [tag.strip() for tag in if_match.split(",")]
    if "*" not in tags and etag(video) not in tags:
        raise PreconditionFailed(
            f"If-Match does not match the current storyboard's ETag, {etag(video)}; get that storyboard and "
            "try again.",
            param="if-match",
        )


def etag(video: Video) -> str:
    """Return the ETag of the current storyboard."""
    return f'"{video.storyboard}"'

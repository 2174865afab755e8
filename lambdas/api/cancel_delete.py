"""End a video: cancel or delete it."""

from datetime import UTC, datetime, timedelta

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.engine_calls import CallState
from lambdas.adapters.executions import Machine
from lambdas.adapters.shared_objects import Uses, note_all
from lambdas.domain import keys
from lambdas.domain.errors import ArtifactMissing, NotReady, VideoClosed, VideoNotFound
from lambdas.domain.film_plan import FilmPlan
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video, execution_name
from lambdas.intake.drop_error import DropError, write_drop_error
from lambdas.settings import ApiSettings

_CREATED_WITHIN = timedelta(seconds=60)  # the API's function ends after 29 s


class Ending:
    def __init__(self, settings: ApiSettings) -> None:
        self._videos = stores.videos(settings)
        self._inferences = stores.inferences(settings)
        self._queue = stores.clip_queue(settings)
        self._inputs = stores.inputs(settings)
        self._outputs = stores.outputs(settings)
        self._artifacts = Uses(self._outputs, keys.ARTIFACTS_PREFIX)
        self._uploads = Uses(self._inputs, keys.UPLOADS_PREFIX)
        self._machine = Machine(client("stepfunctions"), settings.state_machine_arn)

    def cancel(self, tenant: str, video_id: str, *, retry: bool = False) -> Video:
        """Cancel a video. Raises VideoNotFound; NotReady if the video has ended.

        `retry`: the client repeats a call whose answer it did not get, so a cancelled video is what it asked
        for. Everything is halted again in any case, since an earlier call may have been cut off.
        """
        try:
            video = self._videos.advance(tenant, video_id, Stage.CANCELLED)
        except VideoClosed as error:
            video = self._videos.get(tenant, video_id)
            if video.stage is Stage.CANCELLED:
                self._cancelled(video)
            if video.stage is Stage.CANCELLED and retry:
                return video
            raise NotReady(
                f"Video {video_id} is {video.stage}; only a video that has not ended can be cancelled.",
                param="id",
            ) from error
        self._cancelled(video)
        return video

    def _cancelled(self, video: Video) -> None:
        self._halt(video)
        if video.film is None:  # otherwise keep the film of an earlier attempt
            self._tell_dropper(video, "cancelled")

    def delete(self, tenant: str, video_id: str, *, retry: bool = False) -> None:
        """Delete a video with all that only it uses (docs/decisions/0051-what-a-deletion-deletes.md), its
        record last, so that the next call can finish an interrupted deletion.

        `retry`: as for `cancel`. Raises VideoNotFound, ServiceUnavailable.
        """
        try:
            video = self._videos.get(tenant, video_id)
        except VideoNotFound:
            if retry and self._videos.was_deleted(tenant, video_id):
                return
            raise
        video = self._closed(video)
        self._halt(video)
        self._hand_over(video)
        self._artifacts.let_go(tenant, video_id)
        self._uploads.let_go(tenant, video_id)
        self._outputs.delete_all(keys.video_folder(tenant, video_id))
        for folder in (keys.ENGINE_OUTPUT_PREFIX, keys.ENGINE_FAILURE_PREFIX):
            self._outputs.delete_all(folder + keys.inferences_of(video_id, None))
        self._outputs.delete_all(keys.heirs(tenant, video_id))
        origin = video.request.origin
        if origin is not None and origin.video is not None:
            self._outputs.delete(keys.heir(tenant, origin.video, video_id))
        self._tell_dropper(video, "deleted")
        self._videos.delete(tenant, video_id)

    def _closed(self, video: Video) -> Video:
        """Cancel a video unless it has ended, and record that its deletion has begun: from then on no other
        is made from it, and a task that still works on it deletes what it makes."""
        while True:
            if not video.closed:
                changed = self._videos.advance_from(video, Stage.CANCELLED, deleting=True)
            else:
                changed = video if video.deleting else self._videos.amend(video, deleting=True)
            if changed is not None:
                return changed
            video = self._videos.get(video.tenant, video.id)

    def _hand_over(self, video: Video) -> None:
        """Note that the videos made from this one use what they may take over from its plan. Until now the
        video's own notes have kept it."""
        folder = keys.heirs(video.tenant, video.id)
        for key, since in self._outputs.list_written(folder):
            heir = key.removeprefix(folder)
            try:
                plan = self._outputs.get(keys.origin_plan(video.tenant, heir))
            except ArtifactMissing:  # it was deleted
                continue
            taken = FilmPlan.model_validate_json(plan)
            for uses, parts in ((self._artifacts, taken.artifacts), (self._uploads, taken.uploads)):
                note_all(uses, video.tenant, heir, set(map(keys.shared_name, parts)))
            if self._is_gone(video.tenant, heir, since):
                self._artifacts.let_go(video.tenant, heir)
                self._uploads.let_go(video.tenant, heir)

    def _is_gone(self, tenant: str, heir: str, since: datetime) -> bool:
        try:
            return self._videos.outline(tenant, heir).deleting
        except VideoNotFound:  # or its create has not recorded it yet
            return since + _CREATED_WITHIN < datetime.now(UTC)

    def _halt(self, video: Video) -> None:
        """Stop everything that still runs for the video. A clip that waits leaves its engine's queue. Without
        its request object, an engine call that waits at the endpoint fails at once. One in progress stops
        within seconds on a PC; SageMaker can't stop it, so on AWS the clip is rendered to its end and nothing
        after it (docs/decisions/0032-what-a-cancel-reaches.md)."""
        self._machine.stop(execution_name(video.id, video.attempt), f"video {video.stage}")
        calls = self._inferences.of_video(video.id)
        self._inputs.delete_many({call.request for call in calls})
        for call in calls:
            if call.state is CallState.WAITING:  # few of 1,000: no more than `at_once` allows
                self._queue.withdraw(call)

    def _tell_dropper(self, video: Video, ended: str) -> None:
        """Replace a dropped object's film with an error file that says why there is none."""
        if video.source is None:
            return
        self._outputs.delete(keys.drop_result(video.source.key, "mp4"))
        error = DropError(object=video.source.key, code=ended, reason=f"Video {video.id} was {ended}.")
        write_drop_error(self._outputs, error)

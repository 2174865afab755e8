"""End a video: cancel or delete it."""

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.executions import Machine
from lambdas.domain import keys
from lambdas.domain.errors import NotReady, VideoClosed
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video, execution_name
from lambdas.intake.drop_error import DropError, write_drop_error
from lambdas.settings import ApiSettings


class Ending:
    def __init__(self, settings: ApiSettings) -> None:
        self._videos = stores.videos(settings)
        self._inferences = stores.inferences(settings)
        self._inputs = stores.inputs(settings)
        self._outputs = stores.outputs(settings)
        self._machine = Machine(client("stepfunctions"), settings.state_machine_arn)

    def cancel(self, tenant: str, video_id: str) -> Video:
        """Cancel a video. Raises VideoNotFound; NotReady if the video has ended."""
        try:
            video = self._videos.advance(tenant, video_id, Stage.CANCELLED)
        except VideoClosed as error:
            video = self._videos.get(tenant, video_id)
            raise NotReady(
                f"Video {video_id} is {video.stage}; only a video that has not ended can be cancelled.",
                param="id",
            ) from error
        self._halt(video)
        if video.film is None:  # otherwise keep the film of an earlier attempt
            self._tell_dropper(video, "cancelled")
        return video

    def delete(self, tenant: str, video_id: str) -> None:
        """Delete a video, its record last, so that the next call can finish an interrupted deletion.

        Raises VideoNotFound.
        """
        video = self._videos.get(tenant, video_id)
        if not video.closed:
            try:
                video = self._videos.advance(tenant, video_id, Stage.CANCELLED)
            except VideoClosed:  # it has just ended
                video = self._videos.get(tenant, video_id)
        self._halt(video)
        self._outputs.delete_all(keys.video_folder(tenant, video_id))
        self._tell_dropper(video, "deleted")
        self._videos.delete(tenant, video_id)

    def _halt(self, video: Video) -> None:
        """Stop everything that still runs for the video. An engine call that waits in the endpoint's queue
        fails at once when its request object is gone; one in progress finishes, and its result is ignored."""
        self._machine.stop(execution_name(video.id, video.attempt), f"video {video.stage}")
        for inference in self._inferences.of_video(video.id):
            self._inputs.delete(keys.engine_request(inference.id))

    def _tell_dropper(self, video: Video, ended: str) -> None:
        """Replace a dropped object's film with an error file that says why there is none."""
        if video.source is None:
            return
        self._outputs.delete(keys.drop_result(video.source.key, "mp4"))
        error = DropError(object=video.source.key, code=ended, reason=f"Video {video.id} was {ended}.")
        write_drop_error(self._outputs, error)

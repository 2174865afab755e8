"""All storyboards of a video, in S3; the record names the current one."""

from lambdas.adapters.objects import Objects
from lambdas.domain import keys
from lambdas.domain.errors import ArtifactMissing
from lambdas.domain.storyboard import Storyboard
from lambdas.domain.video import Video


class Storyboards:
    def __init__(self, outputs: Objects) -> None:
        self._outputs = outputs

    def put(self, video: Video, storyboard: Storyboard) -> str:
        """Store a storyboard and return its SHA-256; it becomes current once the record has that hash."""
        sha256 = storyboard.sha256
        body = storyboard.model_dump_json(exclude_none=True).encode()
        self._outputs.put(keys.storyboard(video.tenant, video.id, sha256), body, "application/json")
        return sha256

    def get(self, video: Video) -> Storyboard:
        """Return the current storyboard. Raises ArtifactMissing if it is gone or not written yet."""
        if video.storyboard is None:
            raise ArtifactMissing(f"video {video.id} has no storyboard yet")
        return self.of(video, video.storyboard)

    def of(self, video: Video, sha256: str) -> Storyboard:
        """Return any storyboard of the video, including its source video's. Raises ArtifactMissing if it does
        not exist."""
        return Storyboard.model_validate_json(
            self._outputs.get(keys.storyboard(video.tenant, video.id, sha256))
        )

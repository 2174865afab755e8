"""The storyboards that a video has had, in S3; the record names the one that stands."""

from lambdas.adapters.objects import Objects
from lambdas.domain import keys
from lambdas.domain.errors import ArtifactMissing
from lambdas.domain.storyboard import Storyboard
from lambdas.domain.video import Video


class Storyboards:
    def __init__(self, outputs: Objects) -> None:
        self._outputs = outputs

    def put(self, video: Video, storyboard: Storyboard) -> str:
        """Keeps it and returns its SHA-256, which stands once it is in the record."""
        sha256 = storyboard.sha256
        body = storyboard.model_dump_json(exclude_none=True).encode()
        self._outputs.put(keys.storyboard(video.tenant, video.id, sha256), body, "application/json")
        return sha256

    def get(self, video: Video) -> Storyboard:
        """The one that stands. Raises ArtifactMissing, also where none is written yet."""
        if video.storyboard is None:
            raise ArtifactMissing(f"video {video.id} has no storyboard yet")
        return self.of(video, video.storyboard)

    def of(self, video: Video, sha256: str) -> Storyboard:
        """Any that the video has, also that of the video it is made of. Raises ArtifactMissing."""
        return Storyboard.model_validate_json(
            self._outputs.get(keys.storyboard(video.tenant, video.id, sha256))
        )

"""The records of a deployment's videos, of every tenant. Those since a time are read from the journal in S3:
listing it costs the table nothing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from pydantic import ValidationError

from lambdas.adapters.objects import Objects
from lambdas.adapters.videos import OpenVideo, Videos
from lambdas.domain import keys
from lambdas.domain.errors import ArtifactMissing
from lambdas.domain.video import Video
from reelworks.deployment import Deployment, DeploymentError

_READERS = 16  # boto3's pool has ten connections; a few more keep them busy
_PAGE = 100


def open_videos(videos: Videos) -> Iterator[OpenVideo]:
    """Yield the videos that are being made: those that have not ended and don't wait for their user."""
    after: str | None = None
    while True:
        page, after = videos.open_page(after, _PAGE)
        yield from page
        if after is None:
            return


def records_since(deployment: Deployment, since: datetime, *, tenant: str | None = None) -> Iterator[Video]:
    """Yield the record of each video, of one tenant or of all, that has changed since then.

    S3 lists a thousand records a call, however old they are. Raises DeploymentError if one can't be read.
    """
    journal = Objects(deployment.client("s3"), deployment.outputs["OutputBucket"])
    prefix = keys.VIDEO_RECORDS_PREFIX + (f"{tenant}/" if tenant else "")

    def read(key: str) -> Video | None:
        try:
            return Video.model_validate_json(journal.get(key))
        except ArtifactMissing:  # deleted meanwhile
            return None
        except ValidationError as error:
            raise DeploymentError(
                f"cannot read {key}: {error}; use the version of Reelworks that is deployed"
            ) from error

    with ThreadPoolExecutor(_READERS) as readers:
        changed = (key for key, _ in journal.list(prefix, after=since.astimezone(UTC)))
        yield from (video for video in readers.map(read, changed) if video is not None)

"""Objects that videos of a tenant share, because they are stored by content: which videos use them, so that
what is only one video's is deleted with it (docs/decisions/0051-what-a-deletion-deletes.md).

Everything is noted beside the objects, in empty ones, so it is as durable as they are and expires with them:

    {prefix}{tenant}/uses/{name}/{video}         the video uses what has the name (keys.shared_name)
    {prefix}{tenant}/uses/{name}/{video}.{mark}  a deletion of the video is deleting it
    {prefix}{tenant}/uses/{name}/made            it was made by a version that notes its uses
    {prefix}{tenant}/users/{video}/{name}        the same use, to find it by video

S3 answers each call as of its moment, and lists what was written before. So, of two calls in any order:

    a user notes its use, then looks whether anybody is deleting; if so it waits, and notes it again
    a deletion says that it is deleting, then looks whether anybody else uses it; if not it deletes it

either the user sees the deletion or the deletion sees the user. What a user was told exists stays.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice

from lambdas.adapters.clients import AT_ONCE
from lambdas.adapters.objects import Objects
from lambdas.adapters.videos import Videos
from lambdas.domain import keys
from lambdas.domain.errors import ServiceUnavailable, VideoNotFound

_MADE = "made"
# A deletion that was killed blocks nobody for longer. It deletes nothing in the second half of this time.
_LEASE = timedelta(seconds=60)
_LOOKS, _PAUSE_SECONDS = 40, 0.25  # a deletion takes a second
_TOGETHER = 100  # names let go of together


class Uses:
    """Which videos use the objects under a prefix of a bucket."""

    def __init__(self, objects: Objects, prefix: str) -> None:
        """`prefix`: keys.ARTIFACTS_PREFIX in the output bucket, keys.UPLOADS_PREFIX in the input bucket."""
        self._objects = objects
        self._prefix = prefix

    def note(self, tenant: str, video_id: str, name: str) -> None:
        """Note that a video uses what has the name, before it looks whether it exists: from then on it is
        deleted only with the video. Raises ServiceUnavailable if a deletion of it takes too long."""
        folder = keys.uses(self._prefix, tenant, name)
        for _ in range(_LOOKS):
            # First in the list, in which the video's own deletion finds it.
            self._write(keys.used_by(self._prefix, tenant, video_id) + name)
            self._write(folder + video_id)
            if not _deleting(self._listed(folder)):
                return
            time.sleep(_PAUSE_SECONDS)
        raise ServiceUnavailable(f"{name} is being deleted")

    def note_made(self, tenant: str, name: str) -> None:
        """Note, before it is written, that all who use what has the name have noted it. What was made before
        there were notes is never deleted: an older video may use it."""
        self._write(keys.uses(self._prefix, tenant, name) + _MADE)

    def let_go(self, tenant: str, video_id: str, *more: str) -> None:
        """Delete what only this video uses, and the notes of its uses. `more`: names of what it may have
        written although its note is gone.

        Repeat it if it is interrupted. Raises ServiceUnavailable.
        """
        listed = keys.used_by(self._prefix, tenant, video_id)
        found = (key.removeprefix(listed) for key, _ in self._objects.list(listed))
        deleting = f"{video_id}.{uuid.uuid4().hex}"  # a task may do this at the same time as the API
        names = iter(dict.fromkeys([*found, *more]))
        while some := list(islice(names, _TOGETHER)):
            began = time.monotonic()
            with ThreadPoolExecutor(AT_ONCE) as callers:
                unused = list(callers.map(lambda name: self._unused(tenant, deleting, name), some))
            if time.monotonic() - began > _LEASE.total_seconds() / 2:
                raise ServiceUnavailable("the deletion took too long")
            self._objects.delete_many(key for files in unused for key in files or ())
            folders = [keys.uses(self._prefix, tenant, name) for name in some]
            made = [
                folder + _MADE for folder, files in zip(folders, unused, strict=True) if files is not None
            ]
            self._objects.delete_many([*made, *(folder + video_id for folder in folders)])
            # Last: until then nobody begins to use what is being deleted, and it can be repeated.
            self._objects.delete_many(folder + deleting for folder in folders)
            self._objects.delete_many(listed + name for name in some)

    def _unused(self, tenant: str, deleting: str, name: str) -> Sequence[str] | None:
        """Say that what has the name is being deleted. Return its keys; None if others may use it."""
        folder = keys.uses(self._prefix, tenant, name)
        self._write(folder + deleting)
        noted = self._listed(folder)
        users = {name for name in noted if "." not in name} - {_MADE}
        if _MADE not in noted or users - _deleting(noted):
            return None
        return [key for key, _ in self._objects.list(keys.shared_files(self._prefix, tenant, name))]

    def _listed(self, folder: str) -> dict[str, datetime]:
        """Return the notes in a folder, each with the time when it was written."""
        return {key.removeprefix(folder): at for key, at in self._objects.list_written(folder)}

    def _write(self, key: str) -> None:
        self._objects.put(key, b"", "application/octet-stream")


def _deleting(noted: dict[str, datetime]) -> set[str]:
    """Return the videos that are deleting what the notes are about. A deletion that was killed is none of
    them after a while, and its video counts as a user until it is deleted again."""
    since = _now() - _LEASE
    return {name.partition(".")[0] for name, at in noted.items() if "." in name and at > since}


def _now() -> datetime:
    return datetime.now(UTC)


class SharedObjects:
    """The shared objects as one video finds and makes them. Everything that is stored by content is looked up
    and written here, so that its use is noted."""

    def __init__(
        self, objects: Objects, prefix: str, tenant: str, video_id: str, videos: Videos | None
    ) -> None:
        """`videos`: None for a video that is not recorded yet."""
        self._objects = objects
        self._uses = Uses(objects, prefix)
        self._tenant = tenant
        self._video_id = video_id
        self._videos = videos

    def find(self, key: str) -> bool:
        """Return whether the object exists; if so it stays for as long as the video.

        Raises VideoNotFound, ServiceUnavailable.
        """
        self._uses.note(self._tenant, self._video_id, keys.shared_name(key))
        self.require_video(key)
        return self._objects.exists(key)

    def write(self, key: str, write: Callable[[], None]) -> None:
        """Write an object that was not found, and perhaps more of its name. Raises VideoNotFound if the video
        was deleted meanwhile; then all of that name is deleted again."""
        self._uses.note_made(self._tenant, keys.shared_name(key))
        write()
        self.require_video(key, made=True)

    def put(self, key: str, body: bytes, content_type: str, *, by: str = "", measures: str = "") -> None:
        """Write an object as `write` does. `by`, `measures`: as for Objects.put."""
        self.write(key, lambda: self._objects.put(key, body, content_type, by=by, measures=measures))

    def require_video(self, key: str, *, made: bool = False) -> None:
        """Raise VideoNotFound if the video was deleted meanwhile; then what has the key's name is deleted
        again. A deletion looks at the notes after the record says that it has begun, so it finds whatever was
        noted and written by those who read the record before. `made`: this video wrote it."""
        if self._videos is None:
            return
        try:
            if not self._videos.outline(self._tenant, self._video_id).deleting:
                return
        except VideoNotFound:
            pass
        name = keys.shared_name(key)
        if made:  # the deletion may have deleted this note between it and the object
            self._uses.note_made(self._tenant, name)
        self._uses.let_go(self._tenant, self._video_id, name)
        raise VideoNotFound(f"Video {self._video_id} was deleted.", param="id")


def artifacts(outputs: Objects, tenant: str, video_id: str, videos: Videos) -> SharedObjects:
    """Return the artifacts as a video finds and makes them."""
    return SharedObjects(outputs, keys.ARTIFACTS_PREFIX, tenant, video_id, videos)


def uploads(inputs: Objects, tenant: str, video_id: str, videos: Videos | None) -> SharedObjects:
    """Return the uploads as a video finds and stores them. `videos`: as for SharedObjects."""
    return SharedObjects(inputs, keys.UPLOADS_PREFIX, tenant, video_id, videos)


def note_all(uses: Uses, tenant: str, video_id: str, names: Iterable[str]) -> None:
    """Note that a video uses what has each of the names."""
    with ThreadPoolExecutor(AT_ONCE) as callers:
        list(callers.map(lambda name: uses.note(tenant, video_id, name), names))

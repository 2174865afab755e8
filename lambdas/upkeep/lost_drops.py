"""Invoke Intake again for drop-folder objects whose event was lost."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.functions import Functions
from lambdas.domain import keys
from lambdas.domain.errors import VideoNotFound
from lambdas.domain.video import video_id
from lambdas.intake.drop_folder import Dropped
from lambdas.settings import UpkeepSettings
from lambdas.telemetry import logger

_ASKING = ("txt", "json")  # an image alone requests no video
_MOST = 100  # objects per run; the next run takes the rest


class Drops:
    def __init__(self, settings: UpkeepSettings, grace: timedelta, looked_at: timedelta) -> None:
        """Check objects older than `grace` and younger than `looked_at`."""
        self._grace = grace
        self._looked_at = looked_at
        self._function = settings.intake_function
        self._functions = Functions(client("lambda"))
        self._videos = stores.videos(settings)
        self._inputs = stores.inputs(settings)
        self._outputs = stores.outputs(settings)

    def ask_again(self, time_left: Callable[[], bool]) -> int:
        """Invoke Intake for each lost object. Return how many there were in this run."""
        asked = 0
        for dropped in self._forgotten():
            if asked == _MOST or not time_left():
                break
            logger.info("drop event repeated", extra={"key": dropped.key})
            self._functions.send(self._function, self._event(dropped))
            asked += 1
        return asked

    def _forgotten(self) -> Iterator[Dropped]:
        now = datetime.now(UTC)
        young = now - min(self._looked_at, now - datetime.min.replace(tzinfo=UTC))
        for key, etag in self._inputs.list(keys.DROP_PREFIX, after=young, before=now - self._grace):
            dropped = Dropped(key, etag)
            if dropped.extension in _ASKING and not (self._answered(dropped) or self._taken(dropped)):
                yield dropped

    def lost(self, dropped: Dropped) -> bool:
        """Return whether an object is still there and has neither a result nor a video."""
        there = self._inputs.written(dropped.key) is not None
        return there and not (self._answered(dropped) or self._taken(dropped))

    def _answered(self, dropped: Dropped) -> bool:
        """Return whether there is a result younger than the object.

        An older result belongs to an earlier object at that key. One from the same second may belong to
        either, and invoking Intake again does no harm.
        """
        since = self._inputs.written(dropped.key)
        results = (keys.drop_result(dropped.key, extension) for extension in ("error.json", "mp4"))
        return any(since and at and at > since for at in map(self._outputs.written, results))

    def _taken(self, dropped: Dropped) -> bool:
        try:
            id_ = video_id(dropped.tenant, dropped.nonce(self._inputs.bucket))
            self._videos.outline(dropped.tenant, id_)
        except VideoNotFound:
            return False
        return True

    def _event(self, dropped: Dropped) -> dict[str, object]:
        """Return the parts of EventBridge's "Object Created" that Intake reads."""
        return {
            "detail": {
                "bucket": {"name": self._inputs.bucket},
                "object": {"key": dropped.key, "etag": dropped.etag},
            }
        }

"""Restore the table's records from the journal in S3, after a PC's cloud lost all but its buckets."""

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.recent_creates import Creates
from lambdas.domain.video import Video
from lambdas.settings import StoreSettings
from lambdas.telemetry import logger


def restore(settings: StoreSettings) -> list[Video]:
    """Restore videos and the notes of their creates that are missing from the table.

    Return the videos that were restored.
    """
    videos = stores.videos(settings)
    restored: list[Video] = []
    for key in videos.journal():
        try:
            if video := videos.restore(key):
                restored.append(video)
        except Exception:  # noqa: BLE001  (one unreadable record must not block the others)
            logger.exception("record not restored", extra={"key": key})
    Creates(client("dynamodb"), settings.videos_table).restore(restored)
    logger.info("journal restored", extra={"videos": len(restored)})
    return restored

"""Puts the table's records back from the journal in S3, after a PC's cloud lost all but its buckets."""

from lambdas.adapters import stores
from lambdas.settings import StoreSettings
from lambdas.telemetry import logger


def restore(settings: StoreSettings) -> int:
    """Restores API keys and videos where the table has none of them; returns how many videos."""
    stores.api_keys(settings).restore_all()
    videos = stores.videos(settings)
    restored = 0
    for key in videos.journal():
        try:
            restored += videos.restore(key)
        except Exception:  # noqa: BLE001  (one unreadable record must not keep the others away)
            logger.exception("record not restored", extra={"key": key})
    logger.info("journal restored", extra={"videos": restored})
    return restored

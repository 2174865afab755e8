"""Events of AWS services that this cloud answers itself, on ministack's default event bus.

PutEvents refuses sources that begin with `aws.`; ministack's own services pass them with `allow_aws_source`
(1.5.33: services/eventbridge.py, _put_events).
"""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from ministack.services import eventbridge

logger = logging.getLogger(__name__)

Emit = Callable[[str, str, Mapping[str, Any]], None]  # source, detail type, detail


def emit(source: str, detail_type: str, detail: Mapping[str, Any]) -> None:
    """Emit an event. As on AWS, delivery is best effort: a failure is logged."""
    entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail)}
    try:
        eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
    except Exception:  # whatever ministack raises, the build has ended
        logger.exception("event not emitted", extra={"detail_type": detail_type})

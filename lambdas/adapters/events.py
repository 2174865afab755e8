"""EventBridge events about the end of a video."""

import json
from typing import Any

from lambdas.adapters.clients import translated
from lambdas.domain import names
from lambdas.domain.errors import ServiceUnavailable
from lambdas.domain.failures import fault_of
from lambdas.domain.video import Video, execution_name


class Events:
    def __init__(self, eventbridge: Any, bus: str) -> None:
        self._eventbridge = eventbridge
        self._bus = bus

    def video_ended(self, video: Video, event: str) -> None:
        """Emit `event`, one of names.VIDEO_*. A failure's has the record's failure and whose fault it is."""
        detail: dict[str, Any] = {
            "id": video.id,
            "tenant": video.tenant,
            "stage": video.stage,
            "attempt": video.attempt,
            "execution": execution_name(video.id, video.attempt),
        }
        if video.failure is not None:
            detail |= {"failure": video.failure.model_dump(), "fault": fault_of(video.failure)}
        with translated(f"emit {event}"):
            answer = self._eventbridge.put_events(
                Entries=[
                    {
                        "EventBusName": self._bus,
                        "Source": names.EVENT_SOURCE,
                        "DetailType": event,
                        "Detail": json.dumps(detail),
                    }
                ]
            )
        if answer.get("FailedEntryCount"):
            raise ServiceUnavailable(f"emit {event}: {answer['Entries'][0].get('ErrorMessage')}")

"""EventBridge events about a video: its end, its waits for the user, and its clips.

Operators' rules and the webhooks (lambdas/webhooks) read them. Each step emits its event after the record is
written, and a step that is repeated emits it again, the same; so none is lost with a function that dies.
"""

import json
from typing import Any

from lambdas.adapters.clients import translated
from lambdas.domain import names
from lambdas.domain.errors import ServiceUnavailable
from lambdas.domain.failures import fault_of
from lambdas.domain.video import Video, execution_name
from lambdas.domain.video_parts import ClipProgress, Review


class Events:
    def __init__(self, eventbridge: Any, bus: str) -> None:
        self._eventbridge = eventbridge
        self._bus = bus

    def video_ended(self, video: Video, event: str) -> None:
        """Emit `event`, names.VIDEO_COMPLETED or names.VIDEO_FAILED. A failure's has the record's failure and
        whose fault it is."""
        failed: dict[str, Any] = {}
        if video.failure is not None:
            failed = {"failure": video.failure.model_dump(), "fault": fault_of(video.failure)}
        self._emit(video, event, video.in_stage_since_ms, {}, **failed)

    def review_awaited(self, video: Video, review: Review) -> None:
        """Emit names.VIDEO_REVIEW: the film waits at a gate."""
        data = {"gate": review.gate, "until": review.until_ms // 1000}
        self._emit(video, names.VIDEO_REVIEW, video.updated_ms, data)

    def clip_completed(self, video: Video, index: int, clip: ClipProgress) -> None:
        """Emit names.CLIP_COMPLETED, unless the video has ended meanwhile: a request ended it."""
        if not video.closed:
            data = {"clip": index, "clips": len(video.clips)}
            self._emit(video, names.CLIP_COMPLETED, clip.finished_ms or video.updated_ms, data)

    def _emit(self, video: Video, event: str, at_ms: int, data: dict[str, Any], **others: Any) -> None:
        """`data`: what the webhook tells besides the video's id."""
        detail = {
            "id": video.id,
            "tenant": video.tenant,
            "stage": video.stage,
            "attempt": video.attempt,
            "execution": execution_name(video.id, video.attempt),
            "at_ms": at_ms,
            "data": data,
            **others,
        }
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

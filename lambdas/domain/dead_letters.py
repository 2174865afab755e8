"""What the messages of a dead-letter queue are, and which function failed on them.

What Lambda puts there, for a function invoked by an event, has the form of a destination record (Lambda's
guide, "Retaining records of asynchronous invocations"). EventBridge puts the event there, and the target in
the message's attributes (EventBridge's guide, "Using dead-letter queues"). SNS puts its notification there
(SNS's guide, "Dead-letter queues"). A message of another queue is as it was there.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from lambdas.domain import keys
from lambdas.domain.documents import Document, json_object

_TARGET, _REASON = "TARGET_ARN", "ERROR_MESSAGE"  # EventBridge's attributes
_OUTPUTS = (keys.ENGINE_OUTPUT_PREFIX, keys.ENGINE_FAILURE_PREFIX)


class Origin(StrEnum):
    """Who put the message into the queue."""

    FUNCTION = "function"  # Lambda, after its retries
    RULE = "rule"  # EventBridge could not reach the function
    TOPIC = "topic"  # SNS could not reach the function
    QUEUE = "queue"  # SQS: it was received too often. Or somebody put it there.


class DeadLetter(Document):
    origin: Origin
    function: str | None = (
        None  # ARN of the function, or the queue, that failed; None: of `topic`'s subscription
    )
    topic: str | None = None
    event: dict[str, Any] = {}  # what to invoke the function with again, or the message of another queue
    error: str = ""

    @property
    def about(self) -> str:
        """The id of the video, or the key of the dropped object, that it is about; empty if it names none."""
        if found := dropped(self.event):
            return found[0]
        videos = [inference_id.split(".")[0] for inference_id in inference_ids(self.event)]
        detail = self.event.get("detail")
        named = self.event.get("video_id") or (detail.get("id") if isinstance(detail, dict) else None)
        return next(iter(videos), named if isinstance(named, str) else "")


def read_dead_letter(body: str, attributes: Mapping[str, str]) -> DeadLetter:
    """Return what a message is. `attributes`: its message attributes' texts. Never raises."""
    document = json_object(body)
    if _TARGET in attributes:
        return DeadLetter(
            origin=Origin.RULE,
            function=attributes[_TARGET],
            event=document,
            error=attributes.get(_REASON, ""),
        )
    context, payload = document.get("requestContext"), document.get("requestPayload")
    if (
        isinstance(context, dict)
        and isinstance(payload, dict)
        and isinstance(context.get("functionArn"), str)
    ):
        return DeadLetter(
            origin=Origin.FUNCTION,
            function=context["functionArn"],
            event=payload,
            error=_error(document.get("responsePayload")) or str(context.get("condition") or ""),
        )
    if document.get("Type") == "Notification" and isinstance(document.get("TopicArn"), str):
        return DeadLetter(
            origin=Origin.TOPIC,
            topic=document["TopicArn"],
            event={"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": document}]},
        )
    return DeadLetter(origin=Origin.QUEUE, event=document)


def inference_ids(event: Mapping[str, Any]) -> list[str]:
    """Return the engine calls that an event tells about: a notice of SNS, or an engine's output in S3."""
    if (found := _object_of(event)) and found[0].startswith(_OUTPUTS):
        return [keys.inference_of_output(found[0])]
    records = event.get("Records")
    notices = [
        json_object(str(record.get("Sns", {}).get("Message", "")))
        for record in (records if isinstance(records, list) else [])
        if isinstance(record, dict) and isinstance(record.get("Sns", {}), dict)
    ]
    return [found for notice in notices if isinstance(found := notice.get("inferenceId"), str)]


def dropped(event: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the key and ETag of the dropped object that an event of EventBridge tells about."""
    found = _object_of(event)
    return found if found and found[0].startswith(keys.DROP_PREFIX) else None


def _object_of(event: Mapping[str, Any]) -> tuple[str, str] | None:
    detail = event.get("detail")
    told = detail.get("object") if isinstance(detail, dict) else None
    if isinstance(told, dict) and isinstance(told.get("key"), str) and isinstance(told.get("etag"), str):
        return told["key"], told["etag"]
    return None


def _error(payload: Any) -> str:
    if not isinstance(payload, dict):
        return ""
    return ": ".join(str(payload[name]) for name in ("errorType", "errorMessage") if payload.get(name))

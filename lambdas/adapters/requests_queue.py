"""The queue of requests: each message names a video."""

import os
from typing import Any

from lambdas.adapters.clients import translated
from lambdas.domain.documents import Document
from lambdas.domain.video import Video


class QueuedRequest(Document):
    tenant: str
    video_id: str


class RequestsQueue:
    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self._url = url

    def send(self, video: Video) -> None:
        body = QueuedRequest(tenant=video.tenant, video_id=video.id).model_dump_json()
        # The trace goes on with the message: a queue's consumer starts a trace of its own.
        trace = os.environ.get("_X_AMZN_TRACE_ID")  # of the running invocation (Lambda's documentation)
        header = {"AWSTraceHeader": {"DataType": "String", "StringValue": trace}}
        traced = {"MessageSystemAttributes": header} if trace else {}
        with translated("queue request"):
            # The group makes the queue fair: a tenant that sends a great many doesn't keep the others waiting
            # (Amazon SQS fair queues, for standard queues).
            self._sqs.send_message(
                QueueUrl=self._url, MessageBody=body, MessageGroupId=video.tenant, **traced
            )

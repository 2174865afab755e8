"""The queue of requests: each message names a video."""

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
        with translated("queue request"):
            self._sqs.send_message(QueueUrl=self._url, MessageBody=body)

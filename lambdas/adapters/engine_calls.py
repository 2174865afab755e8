"""Engine calls: each clip requested from an engine's endpoint, with the task token for its answer.

SageMaker's CustomAttributes hold 1,024 characters and a task token has up to 2,048, so the token is stored in
the table of clips under the inference id. clip_queue.py moves a call from WAITING to IN_FLIGHT.
"""

import time
from enum import StrEnum
from typing import Any, Self

from lambdas.adapters.clients import translated
from lambdas.adapters.items import item_key
from lambdas.domain import keys
from lambdas.domain.documents import Document

_KEPT_SECONDS = 7 * 24 * 3600  # after the answer, longer than a notice is late


class CallState(StrEnum):
    WAITING = "waiting"  # in the engine's queue
    IN_FLIGHT = "in_flight"  # handed to the endpoint, or about to be
    SETTLED = "settled"  # answered or withdrawn


class Inference(Document):
    id: str
    token: str
    tenant: str
    video_id: str
    clip: int
    key_hash: str  # of the requested clip: the plan may change before the answer arrives
    engine: str
    request: str  # key of the request object in the input bucket
    seconds: float  # the clip's in the film, for its progress
    requested_ms: int
    asked_before: int = 0  # how many earlier requests for it expired
    # Attributes of the stored call, not of its document.
    state: CallState = CallState.WAITING
    started_ms: int | None = None  # when it left the queue
    sent_ms: int | None = None  # when the endpoint accepted it

    @property
    def settled(self) -> bool:
        return self.state is CallState.SETTLED

    def again(self) -> Self:
        """Return the call that follows this one if its request expired; always the same one."""
        number = self.asked_before + 1
        return self.model_copy(
            update={
                "id": keys.inference_asked_again(self.id, number),
                "asked_before": number,
                "state": CallState.WAITING,
                "started_ms": None,
                "sent_ms": None,
            }
        )


_ATTRIBUTES = {"state", "started_ms", "sent_ms"}


class Inferences:
    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def get(self, inference_id: str) -> Inference | None:
        with translated("get inference"):
            response = self._dynamodb.get_item(
                TableName=self._table,
                Key=item_key(*keys.inference_item(inference_id)),
                ConsistentRead=True,
            )
        return read_inference(response["Item"]) if "Item" in response else None

    def sent(self, inference_id: str, sent_ms: int) -> None:
        """Note that the endpoint accepted the call."""
        self._set(inference_id, "sent_ms = :ms", {":ms": {"N": str(sent_ms)}})

    def settle(self, inference_id: str) -> None:
        """Mark the call as settled. Call it only after the token is answered: answering twice is harmless,
        never is not."""
        self._set(
            inference_id,
            "#state = :settled, expires = :expires",
            {":settled": {"S": CallState.SETTLED}, ":expires": expiry()},
            {"#state": "state"},
        )

    def of_video(self, video_id: str, clip: int | None = None) -> list[Inference]:
        """Return the calls of a video, or of one of its clips: with their tokens, those of 1,000 clips are
        megabytes."""
        items: list[dict[str, Any]] = []
        with translated("inferences of video"):
            for page in self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :calls)",
                ExpressionAttributeValues={
                    ":pk": {"S": keys.inference_partition(video_id)},
                    ":calls": {"S": keys.inferences_of(video_id, clip)},
                },
                ConsistentRead=True,
            ):
                items += page["Items"]
        return [read_inference(item) for item in items]

    def _set(
        self,
        inference_id: str,
        assignments: str,
        values: dict[str, Any],
        names: dict[str, str] | None = None,
    ) -> None:
        with translated("update inference"):
            self._dynamodb.update_item(
                TableName=self._table,
                Key=item_key(*keys.inference_item(inference_id)),
                UpdateExpression=f"SET {assignments}",
                ExpressionAttributeValues=values,
                **({"ExpressionAttributeNames": names} if names else {}),
            )


def expiry() -> dict[str, str]:
    """Return the time, in DynamoDB's format, until which a settled call is kept."""
    return {"N": str(int(time.time()) + _KEPT_SECONDS)}


def new_item(inference: Inference) -> dict[str, Any]:
    """Return the item of a call that waits. It expires only once it is settled: a clip waits as long as the
    clips before it take."""
    return {
        **item_key(*keys.inference_item(inference.id)),
        "document": {"S": inference.model_dump_json(exclude=_ATTRIBUTES)},
        "state": {"S": CallState.WAITING},
    }


def read_inference(item: dict[str, Any]) -> Inference:
    inference = Inference.model_validate_json(item["document"]["S"])
    stored: dict[str, Any] = {"state": CallState(item["state"]["S"])}
    for name in ("started_ms", "sent_ms"):
        if name in item:
            stored[name] = int(item[name]["N"])
    return inference.model_copy(update=stored)

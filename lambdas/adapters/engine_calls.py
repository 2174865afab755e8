"""Engine calls in progress, each with the task token for its answer.

SageMaker's CustomAttributes hold 1,024 characters and a task token has up to 2,048, so the token is stored in
the table under the inference id.
"""

import time
from typing import Any

from lambdas.adapters.clients import translated
from lambdas.adapters.conditional_writes import ConditionalWrites
from lambdas.adapters.items import item_key
from lambdas.domain import keys
from lambdas.domain.documents import Document

_KEPT_SECONDS = 7 * 24 * 3600  # longer than any execution waits


class Inference(Document):
    id: str
    token: str
    tenant: str
    video_id: str
    clip: int
    engine: str = ""  # empty only in items of an earlier version
    key_hash: str  # of the requested clip: the plan may change before the answer arrives
    requested_ms: int
    settled: bool = False


class Inferences:
    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._writes = ConditionalWrites(dynamodb, table)

    def park(self, inference: Inference) -> bool:
        """Store the token before the engine is called. Return False if this call is already stored."""
        pk, sk = keys.inference_item(inference.id)
        item = {
            **item_key(pk, sk),
            "document": {"S": inference.model_dump_json(exclude={"settled"})},
            "settled": {"BOOL": False},
            "expires": {"N": str(int(time.time()) + _KEPT_SECONDS)},
        }
        return self._writes.put("park inference", item, "attribute_not_exists(pk)")

    def get(self, inference_id: str) -> Inference | None:
        pk, sk = keys.inference_item(inference_id)
        with translated("get inference"):
            response = self._dynamodb.get_item(
                TableName=self._table, Key=item_key(pk, sk), ConsistentRead=True
            )
        return _inference(response["Item"]) if "Item" in response else None

    def settle(self, inference_id: str) -> None:
        """Mark the token as answered. Call it only after the answer: answering twice is harmless, never is
        not."""
        pk, sk = keys.inference_item(inference_id)
        with translated("settle inference"):
            self._dynamodb.update_item(
                TableName=self._table,
                Key=item_key(pk, sk),
                UpdateExpression="SET settled = :yes",
                ExpressionAttributeValues={":yes": {"BOOL": True}},
            )

    def of_video(self, video_id: str) -> list[Inference]:
        items: list[dict[str, Any]] = []
        with translated("inferences of video"):
            for page in self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": keys.inference_partition(video_id)}},
                ConsistentRead=True,
            ):
                items += page["Items"]
        return [_inference(item) for item in items]


def _inference(item: dict[str, Any]) -> Inference:
    inference = Inference.model_validate_json(item["document"]["S"])
    return inference.model_copy(update={"settled": item["settled"]["BOOL"]})

"""Films that wait for their user: each with the task token that the decision goes to.

A video has one parked token, that of its last wait. It never goes into the record, which the journal follows.
"""

from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.clients import error_code, translated
from lambdas.adapters.executions import Machine
from lambdas.adapters.items import CONDITION_FAILED, item_key
from lambdas.domain import keys
from lambdas.domain.video import Video
from lambdas.domain.video_parts import Review

_KEPT_SECONDS = 24 * 3600  # beyond its time: a wait that was tried again ends a little later


class Reviews:
    def __init__(self, dynamodb: Any, table: str, machine: Machine) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._machine = machine

    def park(self, video: Video, review: Review, token: str) -> bool:
        """Keeps the token before the record says that the film waits. False where this wait was decided, or
        the film waits elsewhere by now: then the message that asks for it is an old one."""
        with translated("park review"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item={
                        **item_key(*keys.review_item(video.id)),
                        **_wait(video, review),
                        "token": {"S": token},
                        "settled": {"BOOL": False},
                        "expires": {"N": str(review.until_ms // 1000 + _KEPT_SECONDS)},
                    },
                    ConditionExpression="attribute_not_exists(pk) OR attempt < :attempt OR "
                    "(attempt = :attempt AND until_ms < :until_ms) OR "
                    "(attempt = :attempt AND until_ms = :until_ms AND settled = :no)",
                    ExpressionAttributeValues={
                        ":attempt": {"N": str(video.attempt)},
                        ":until_ms": {"N": str(review.until_ms)},
                        ":no": {"BOOL": False},
                    },
                )
            except ClientError as error:
                if error_code(error) == CONDITION_FAILED:
                    return False
                raise
        return True

    def answer(self, video: Video) -> bool:
        """Sends the decision of the record to the token that waits for it; False where none does. May be
        called any number of times: a token of another attempt, gate or time gets none."""
        review = video.review
        if review is None or review.decision is None:
            return False
        with translated("get review"):
            response = self._dynamodb.get_item(
                TableName=self._table, Key=item_key(*keys.review_item(video.id)), ConsistentRead=True
            )
        parked = response.get("Item", {})
        wait = _wait(video, review)
        if {name: parked.get(name) for name in wait} != wait or parked["settled"]["BOOL"]:
            return False
        answered = self._machine.succeed(parked["token"]["S"], {"decision": review.decision})
        self._settle(video, wait)
        return answered

    def _settle(self, video: Video, wait: dict[str, Any]) -> None:
        """Only after the answer: one given twice is harmless, none is not. And only this wait: the next may
        have begun."""
        with translated("settle review"):
            try:
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=item_key(*keys.review_item(video.id)),
                    UpdateExpression="SET settled = :yes",
                    ConditionExpression="attempt = :attempt AND until_ms = :until_ms",
                    ExpressionAttributeValues={
                        ":yes": {"BOOL": True},
                        ":attempt": wait["attempt"],
                        ":until_ms": wait["until_ms"],
                    },
                )
            except ClientError as error:
                if error_code(error) != CONDITION_FAILED:
                    raise


def _wait(video: Video, review: Review) -> dict[str, Any]:
    """What tells one wait of a video from the others."""
    return {
        "attempt": {"N": str(video.attempt)},
        "gate": {"S": review.gate},
        "until_ms": {"N": str(review.until_ms)},
    }

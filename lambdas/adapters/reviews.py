"""Films that wait for their user, each with the task token for the decision.

A video has one stored token, that of its latest wait. It is never part of the record, because the journal
copies the record.
"""

from typing import Any

from lambdas.adapters.clients import translated
from lambdas.adapters.conditional_writes import ConditionalWrites
from lambdas.adapters.executions import Machine
from lambdas.adapters.items import item_key
from lambdas.domain import keys
from lambdas.domain.video import Video
from lambdas.domain.video_parts import Review

_KEPT_SECONDS = 24 * 3600  # beyond its deadline: a retried wait ends a little later


class Reviews:
    def __init__(self, dynamodb: Any, table: str, machine: Machine) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._writes = ConditionalWrites(dynamodb, table)
        self._machine = machine

    def park(self, video: Video, review: Review, token: str) -> bool:
        """Store the token before the record says that the film waits. Return False if this wait was already
        decided or the film now waits elsewhere: then the message that asks for it is outdated."""
        item = {
            **item_key(*keys.review_item(video.id)),
            **_wait(video, review),
            "token": {"S": token},
            "settled": {"BOOL": False},
            "expires": {"N": str(review.until_ms // 1000 + _KEPT_SECONDS)},
        }
        return self._writes.put(
            "park review",
            item,
            "attribute_not_exists(pk) OR attempt < :attempt OR "
            "(attempt = :attempt AND until_ms < :until_ms) OR "
            "(attempt = :attempt AND until_ms = :until_ms AND settled = :no)",
            values={
                ":attempt": item["attempt"],
                ":until_ms": item["until_ms"],
                ":no": item["settled"],
            },
        )

    def answer(self, video: Video) -> bool:
        """Send the record's decision to the token that waits for it. Return False if none waits.

        May be called any number of times: a token of another attempt, gate or time gets no answer.
        """
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
        """Mark the wait as answered, only after the answer: answering twice is harmless, never is not. Mark
        only this wait: the next may have started."""
        self._writes.update(
            "settle review",
            item_key(*keys.review_item(video.id)),
            {"settled": {"BOOL": True}},
            "attempt = :attempt AND until_ms = :until_ms",
            values={":attempt": wait["attempt"], ":until_ms": wait["until_ms"]},
            mark="settled_by",  # not the mark of `park`, which may be sent again after this
        )


def _wait(video: Video, review: Review) -> dict[str, Any]:
    """Return the attributes that identify one wait of a video."""
    return {
        "attempt": {"N": str(video.attempt)},
        "gate": {"S": review.gate},
        "until_ms": {"N": str(review.until_ms)},
    }

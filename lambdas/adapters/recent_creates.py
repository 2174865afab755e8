"""Let a client's retry of a create without an Idempotency-Key find the video of its first attempt.

OpenAI's SDK sends no key by default; only the header `x-stainless-retry-count` distinguishes its retry from a
new create. So each first attempt leaves a note under its request's fingerprint before its video is created. A
retry may even overtake its first attempt (the connection is cut while the first one still starts): then the
retry leaves the note, and the first attempt joins it.
"""

import time
from collections.abc import Iterable
from typing import Any

from lambdas.adapters.clients import translated
from lambdas.adapters.conditional_writes import ConditionalWrites
from lambdas.adapters.items import item_key
from lambdas.adapters.transactions import Item
from lambdas.domain import keys
from lambdas.domain.video import Video

_RETRY_SECONDS = 15 * 60  # OpenAI's SDK: 10 min timeout and two retries, in practice seconds
_FIRST_TRY_SECONDS = 30  # API Gateway ends a call after 29 s, so no first attempt starts later than that


class Creates:
    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._writes = ConditionalWrites(dynamodb, table)

    def claim(self, tenant: str, fingerprint: str, video_id: str, *, retry: bool) -> str:
        """Return the id for the video: `video_id`, or the one that another attempt at this create noted."""
        joined = self._joined_by_retry if retry else self._joined_by_first_try
        while True:
            if self._note(tenant, fingerprint, video_id, retry=retry):
                return video_id
            if (noted := joined(tenant, fingerprint)) is not None:
                return noted

    def note(self, tenant: str, fingerprint: str, video_id: str) -> Item:
        """Return the write of a first try's note, for the transaction that creates its video. Its condition
        is false if a retry is ahead."""
        item, condition = _note(tenant, fingerprint, video_id, retry=False)
        return {"Put": {"TableName": self._table, "Item": item, **condition}}

    def restore(self, videos: Iterable[Video]) -> None:
        """Restore the notes after the table was lost, because a client whose create was cut off by a kill
        retries. This includes videos created with a key, which a retry without one doesn't know about."""
        since = time.time() - _RETRY_SECONDS
        for video in sorted(videos, key=lambda video: video.created_ms):  # the latest create's note stays
            if video.created_ms > since * 1000:
                self._note(video.tenant, video.request.fingerprint(), video.id, retry=False)

    def _note(self, tenant: str, fingerprint: str, video_id: str, *, retry: bool) -> bool:
        item, condition = _note(tenant, fingerprint, video_id, retry=retry)
        return self._writes.put(
            "note create",
            item,
            condition["ConditionExpression"],
            names=condition["ExpressionAttributeNames"],
            values=condition["ExpressionAttributeValues"],
        )

    def _joined_by_retry(self, tenant: str, fingerprint: str) -> str | None:
        with translated("find create"):
            response = self._dynamodb.get_item(
                TableName=self._table, Key=_key(tenant, fingerprint), ConsistentRead=True
            )
        return str(response["Item"]["video_id"]["S"]) if "Item" in response else None

    def _joined_by_first_try(self, tenant: str, fingerprint: str) -> str | None:
        """Join a retry's note, only once: the next create of the same request is a new one."""
        joined = self._writes.update(
            "join create",
            _key(tenant, fingerprint),
            {},
            "attribute_exists(#first_try_until)",
            remove=("first_try_until",),
            mark="joined_by",  # the next create of the same request replaces the note, and with it this mark
        )
        return str(joined["video_id"]["S"]) if joined else None


def _note(
    tenant: str, fingerprint: str, video_id: str, *, retry: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a note, and the condition that there is none to respect. A retry leaves a note only if there is
    none. A first attempt replaces the note of an earlier create, but not that of a retry that waits for its
    first attempt."""
    now = int(time.time())
    item = {
        **_key(tenant, fingerprint),
        "video_id": {"S": video_id},
        "expires": {"N": str(now + _RETRY_SECONDS)},
    }
    if retry:
        item["first_try_until"] = {"N": str(now + _FIRST_TRY_SECONDS)}
    condition = {
        "ConditionExpression": "attribute_not_exists(#timer) OR #timer < :now",
        "ExpressionAttributeNames": {"#timer": "expires" if retry else "first_try_until"},
        "ExpressionAttributeValues": {":now": {"N": str(now)}},
    }
    return item, condition


def _key(tenant: str, fingerprint: str) -> dict[str, Any]:
    return item_key(*keys.create_item(tenant, fingerprint))

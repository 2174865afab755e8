"""Creates without an Idempotency-Key: how a client's retry finds the video of its first try.

OpenAI's SDK sends no key of its own accord; all that tells its retry from a new create is the header
`x-stainless-retry-count`. So each first try leaves a note under its request's fingerprint, before its video
is made. A retry may even overtake its first try (a connection cut while the first still starts): then the
retry leaves the note, and the first try joins it.
"""

import time
from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.clients import error_code, translated
from lambdas.adapters.items import CONDITION_FAILED, item_key
from lambdas.domain import keys
from lambdas.domain.video import Video

_RETRY_SECONDS = 15 * 60  # OpenAI's SDK: 10 min timeout and two retries, in practice seconds
_FIRST_TRY_SECONDS = 30  # API Gateway ends a call after 29 s, so no first try starts later than that


class Creates:
    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def claim(self, tenant: str, fingerprint: str, video_id: str, *, retry: bool) -> str:
        """The id to make the video under: `video_id`, or the one that another try of this create noted."""
        joined = self._joined_by_retry if retry else self._joined_by_first_try
        while True:
            if self._note(tenant, fingerprint, video_id, retry=retry):
                return video_id
            if (noted := joined(tenant, fingerprint)) is not None:
                return noted

    def restore(self, videos: Iterable[Video]) -> None:
        """Leaves the notes anew after the table was lost: a client whose create a kill cut off tries again.
        For a video that was made with a key as well, of which a retry without one knows nothing."""
        since = time.time() - _RETRY_SECONDS
        for video in sorted(videos, key=lambda video: video.created_ms):  # the latest create's note stays
            if video.created_ms > since * 1000:
                self._note(video.tenant, video.request.fingerprint(), video.id, retry=False)

    def _note(self, tenant: str, fingerprint: str, video_id: str, *, retry: bool) -> bool:
        """A retry leaves a note only where there is none. A first try replaces the note of an earlier
        create, but not that of a retry that waits for its first try."""
        now = int(time.time())
        item = {
            **_key(tenant, fingerprint),
            "video_id": {"S": video_id},
            "expires": {"N": str(now + _RETRY_SECONDS)},
        }
        if retry:
            item["first_try_until"] = {"N": str(now + _FIRST_TRY_SECONDS)}
        timer = "expires" if retry else "first_try_until"
        with translated("note create"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(#timer) OR #timer < :now",
                    ExpressionAttributeNames={"#timer": timer},
                    ExpressionAttributeValues={":now": {"N": str(now)}},
                )
            except ClientError as error:
                if error_code(error) == CONDITION_FAILED:
                    return False
                raise
        return True

    def _joined_by_retry(self, tenant: str, fingerprint: str) -> str | None:
        with translated("find create"):
            response = self._dynamodb.get_item(
                TableName=self._table, Key=_key(tenant, fingerprint), ConsistentRead=True
            )
        return str(response["Item"]["video_id"]["S"]) if "Item" in response else None

    def _joined_by_first_try(self, tenant: str, fingerprint: str) -> str | None:
        """Once: the next create of the same request is another one."""
        with translated("join create"):
            try:
                response = self._dynamodb.update_item(
                    TableName=self._table,
                    Key=_key(tenant, fingerprint),
                    UpdateExpression="REMOVE first_try_until",
                    ConditionExpression="attribute_exists(first_try_until)",
                    ReturnValues="ALL_NEW",
                )
            except ClientError as error:
                if error_code(error) == CONDITION_FAILED:
                    return None
                raise
        return str(response["Attributes"]["video_id"]["S"])


def _key(tenant: str, fingerprint: str) -> dict[str, Any]:
    return item_key(*keys.create_item(tenant, fingerprint))

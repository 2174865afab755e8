"""What the clips of a film that were allowed to begin may cost, for a film with a `max_cost`.

One item for each attempt beside the video's record: an amount in USD for each clip, and a version, so that of
clips that begin at the same time each sees those before it. An amount stays when its clip is done; then what
the clip has cost counts instead.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from lambdas.adapters.clients import error_code, translated
from lambdas.adapters.items import CONDITION_FAILED, item_key
from lambdas.domain import keys
from lambdas.domain.quotas import amount
from lambdas.domain.video import Video

_CLIP = "clip_"


class Held(NamedTuple):
    """The USD that each clip may cost, by its index, as of a version of the item."""

    clips: Mapping[int, Decimal]
    version: int


class ClipBudget:
    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def held(self, video: Video) -> Held:
        """Return what the current attempt's clips may cost."""
        with translated("get clip budget"):
            found = self._dynamodb.get_item(TableName=self._table, Key=_key(video), ConsistentRead=True)
        item = found.get("Item", {})
        clips = {
            int(name.removeprefix(_CLIP)): Decimal(value["N"])
            for name, value in item.items()
            if name.startswith(_CLIP)
        }
        return Held(clips, int(item["version"]["N"]) if item else 0)

    def hold(self, video: Video, clip: int, usd: float, seen: Held) -> bool:
        """Let a clip cost so much. Return False if others were let since `seen`."""
        with translated("hold clip budget"):
            try:
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=_key(video),
                    UpdateExpression="SET #clip = :usd, #version = :next, expires = :expires",
                    ConditionExpression="#version = :seen" if seen.version else "attribute_not_exists(pk)",
                    ExpressionAttributeNames={"#clip": f"{_CLIP}{clip}", "#version": "version"},
                    ExpressionAttributeValues={
                        ":usd": {"N": f"{amount(usd):f}"},
                        ":next": {"N": str(seen.version + 1)},
                        ":expires": {"N": str(video.expires_ms // 1000)},
                        **({":seen": {"N": str(seen.version)}} if seen.version else {}),
                    },
                )
            except ClientError as error:
                if error_code(error) == CONDITION_FAILED:
                    return False
                raise
        return True


def _key(video: Video) -> dict[str, Any]:
    return item_key(*keys.clip_budget_item(video.tenant, video.id, video.attempt))

"""What all adapters over the table share: an item's key, and the answer to a condition that does not hold."""

from typing import Any

CONDITION_FAILED = "ConditionalCheckFailedException"


def item_key(pk: str, sk: str) -> dict[str, Any]:
    """The key in DynamoDB's wire format."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}

"""Shared by all adapters over the table: an item's key and the error code of a failed condition."""

from typing import Any

CONDITION_FAILED = "ConditionalCheckFailedException"


def item_key(pk: str, sk: str) -> dict[str, Any]:
    """Return the key in DynamoDB's wire format."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}

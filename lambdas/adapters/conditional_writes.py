"""Conditional writes to the table that recognize themselves.

boto3 sends a call again if its answer is lost (a broken connection, a timeout, a 5xx). If the first try took
effect, the second finds the condition false because of its own write. So each write leaves a random mark in
the item, the same for all tries, and a false condition is a success if the item has this mark.

DynamoDB's own way, a transaction with a ClientRequestToken, costs twice as much for each write. Where several
items change together it is used anyway (transactions).
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.clients import error_code, translated
from lambdas.adapters.items import CONDITION_FAILED
from lambdas.adapters.transactions import undisturbed

MARK = "write"  # attribute with the mark of the item's latest conditional write

Item = dict[str, Any]  # in DynamoDB's wire format


class ConditionalWrites:
    """Conditional writes to one table."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def put(
        self,
        what: str,
        item: Item,
        condition: str,
        *,
        names: Mapping[str, str] | None = None,
        values: Item | None = None,
        mark: str = MARK,
    ) -> bool:
        """Write an item. Return False if the condition is false. `what` names the call in errors.

        Raises ServiceUnavailable if no try was answered.
        """
        token = _new_mark()
        arguments: dict[str, Any] = {"Item": {**item, mark: token}, "ConditionExpression": condition}
        if names:
            arguments["ExpressionAttributeNames"] = dict(names)
        if values:
            arguments["ExpressionAttributeValues"] = values
        return self._sent(what, "put_item", arguments, mark, token) is not None

    def update(
        self,
        what: str,
        key: Item,
        attributes: Item,
        condition: str,
        *,
        remove: Sequence[str] = (),
        values: Item | None = None,
        mark: str = MARK,
    ) -> Item | None:
        """Set attributes of an item and remove others. Return the item; None if the condition is false.

        In the condition, `#name` stands for an attribute that is set or removed, `:name` for its new value or
        one of `values`. Raises ServiceUnavailable if no try was answered.
        """
        token = _new_mark()
        arguments = update_arguments(
            key, {**attributes, mark: token}, condition, remove=remove, values=values
        ) | {"ReturnValues": "ALL_NEW"}
        return self._sent(what, "update_item", arguments, mark, token)

    def _sent(self, what: str, call: str, arguments: dict[str, Any], mark: str, token: Item) -> Item | None:
        with translated(what):
            try:
                answer = undisturbed(
                    lambda: getattr(self._dynamodb, call)(
                        TableName=self._table, ReturnValuesOnConditionCheckFailure="ALL_OLD", **arguments
                    )
                )
            except ClientError as error:
                if error_code(error) != CONDITION_FAILED:
                    raise
                # The modelled part of the error; absent if the item does not exist.
                item: Item = error.response.get("Item", {})  # type: ignore[assignment]
                return item if item.get(mark) == token else None
        written: Item = answer.get("Attributes", {})
        return written


def update_arguments(
    key: Item, attributes: Item, condition: str, *, remove: Sequence[str] = (), values: Item | None = None
) -> Item:
    """Return the arguments of an update that sets attributes of an item and removes others. For the
    condition see ConditionalWrites.update."""
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in attributes)
    if remove:
        expression += " REMOVE " + ", ".join(f"#{name}" for name in remove)
    return {
        "Key": key,
        "UpdateExpression": expression,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {f"#{name}": name for name in [*attributes, *remove]},
        "ExpressionAttributeValues": {f":{name}": value for name, value in attributes.items()}
        | (values or {}),
    }


def _new_mark() -> Item:
    return {"S": uuid.uuid4().hex}

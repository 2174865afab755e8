"""DynamoDB's bill: the size of items and the units that calls cost, by its published rules.

A write costs a unit for each started KB of the larger of the item before and after, conditional or not, and
again for each index entry that it makes, changes or removes; in a transaction the item costs twice. A
strongly consistent read costs one for each started 4 KB of what it reads.
Source: docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3

from lambdas.adapters.clients import client

Item = dict[str, Any]

# Their keys, and what else they hold.
_INDEXES = {"by_created": (("tenant", "created"), ("parts",)), "open": (("open", "updated_ms"), ())}
_NUMBER_OVERHEAD = 1  # a number takes a byte, and one for two digits


def size_of(item: Item) -> int:
    """Return the bytes that DynamoDB bills for an item, without the overhead that indexes don't have."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return _NUMBER_OVERHEAD + (len(content) + 1) // 2
        case "BOOL":
            return 1
    raise ValueError(f"no size is known for an attribute of type {kind}")


@dataclass
class Units:
    """What the process's calls cost on one table while `counting`."""

    calls: Counter[str] = field(default_factory=Counter)
    write: int = 0
    index: int = 0  # writes to the indexes
    read: int = 0

    def __sub__(self, other: "Units") -> "Units":
        return Units(
            self.calls - other.calls,
            self.write - other.write,
            self.index - other.index,
            self.read - other.read,
        )

    def copy(self) -> "Units":
        return Units(self.calls.copy(), self.write, self.index, self.read)


def items_of(table: str, partition: str) -> list[Item]:
    """Return what a partition holds, in the order of the sort keys."""
    pages = (
        boto3.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": partition}},
            ConsistentRead=True,
        )
    )
    return [item for page in pages for item in page["Items"]]


@contextmanager
def counting(table: str) -> Iterator[Units]:
    units = Units()
    apart = boto3.client("dynamodb")  # whose calls are not counted
    before: dict[str, Item] = {}
    in_transaction: list[Item] = []
    olds: list[Item] = []

    def stored(key: Item) -> Item:
        return dict(apart.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {}))

    def key_in(params: Item) -> Item:
        of = params.get("Key") or params["Item"]
        return {"pk": of["pk"], "sk": of["sk"]}

    def asked(params: Item, model: Any, **_: Any) -> None:
        units.calls[model.name] += 1
        if model.name in ("PutItem", "UpdateItem", "DeleteItem"):
            before["item"], before["key"] = stored(key_in(params)), key_in(params)
        elif model.name == "TransactWriteItems":
            in_transaction[:] = [key_in(of) for action in params["TransactItems"] for of in action.values()]
            olds[:] = map(stored, in_transaction)
        elif model.name == "BatchWriteItem":
            for request in params["RequestItems"][table]:
                _written(units, stored(request["DeleteRequest"]["Key"]), {})

    def answered(parsed: Item, model: Any, **_: Any) -> None:
        match model.name:
            case "PutItem" | "UpdateItem" | "DeleteItem":
                _written(units, before["item"], stored(before["key"]))
            case "TransactWriteItems":
                for key, old in zip(in_transaction, olds, strict=True):
                    _written(units, old, stored(key), times=2)
            case "GetItem":
                units.read += _started(size_of(parsed.get("Item", {})), 4096)
            case "BatchGetItem":
                found = parsed["Responses"].get(table, [])
                units.read += sum(_started(size_of(item), 4096) for item in found)
            case "Query":
                units.read += _started(sum(map(size_of, parsed["Items"])), 4096)

    events = client("dynamodb").meta.events
    events.register("provide-client-params.dynamodb", asked, "units-asked")
    events.register("after-call.dynamodb", answered, "units-answered")
    try:
        yield units
    finally:
        events.unregister("provide-client-params.dynamodb", unique_id="units-asked")
        events.unregister("after-call.dynamodb", unique_id="units-answered")


def _written(units: Units, old: Item, new: Item, times: int = 1) -> None:
    units.write += times * _started(max(size_of(old), size_of(new)), 1024)
    for attributes, more in _INDEXES.values():
        entries = [[item.get(name) for name in attributes] for item in (old, new)]
        was, now = (None not in entry for entry in entries)
        if entries[0] != entries[1]:
            units.index += was + now
        elif was and any(old.get(name) != new.get(name) for name in more):
            units.index += _started(
                max(_size_in(old, attributes, more), _size_in(new, attributes, more)), 1024
            )


def _size_in(item: Item, attributes: tuple[str, ...], more: tuple[str, ...]) -> int:
    """Return the size of an item's entry in an index."""
    return size_of({name: item[name] for name in ("pk", "sk", *attributes, *more) if name in item})


def _started(size: int, step: int) -> int:
    return max(1, -(-size // step))

"""Clips that wait for an engine, a queue for each engine, fair between tenants.

Items of the table of clips (keys in lambdas/domain/keys.py):

    the engine              `flights`: the calls in flight, {inference id: since when}; `turns`: turns given;
                            `clip_seconds`: how long its longest clip takes, as its last one showed
    a tenant that waits     in the engine's partition; `turn`: its place in the round; `waiting`: its clips
    a clip that waits       in the tenant's own partition, by the time of its request
    the call (engine_calls) its document and state

A tenant has one place in the round, however many clips wait. Each turn goes to the tenant whose last turn was
longest ago, who then goes to the end. A change of several items is one transaction, so a kill leaves no clip
lost or counted twice (transactions.py).
"""

from collections.abc import Iterator
from typing import Any

from lambdas.adapters.clients import translated
from lambdas.adapters.engine_calls import CallState, Inference, expiry, new_item, read_inference
from lambdas.adapters.items import item_key
from lambdas.adapters.transactions import Item, tries, write_all
from lambdas.domain import keys
from lambdas.domain.documents import Document
from lambdas.domain.line import Line
from lambdas.domain.names import TenantClass

BY_TURN = "by_turn"  # local index of the engine's partition: the tenants that wait, by their turn


class EngineCalls(Document):
    """An engine's calls in flight, by inference id: since when (ms); how many turns it has given; and the
    number of its endpoint's instances, as of `instances_ms`."""

    flights: dict[str, int] = {}
    turns: int = 0
    instances: int = 0
    instances_ms: int = 0


class WaitingClips(Document):
    """How many clips wait for an engine, by tenant, and since when (ms) the oldest of each tenant's next
    clips waits."""

    by_tenant: dict[str, int] = {}
    since_ms: int | None = None

    @property
    def clips(self) -> int:
        return sum(self.by_tenant.values())

    @property
    def largest(self) -> str | None:
        """The tenant with the most clips that wait."""
        return max(self.by_tenant, key=self.by_tenant.__getitem__, default=None)

    @property
    def by_class(self) -> dict[TenantClass, int]:
        """The clips of each class of tenant."""
        largest = self.by_tenant[self.largest] if self.largest else 0
        return {TenantClass.LARGEST: largest, TenantClass.OTHERS: self.clips - largest}


class ClipQueue:
    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    # --- move a clip

    def enqueue(self, inference: Inference) -> bool:
        """Let a clip wait for its engine. Return False if this call is stored already, in whatever state."""
        for _ in tries("enqueue clip"):
            turns = self.engine(inference.engine).turns
            done = self._transact(
                "enqueue clip",
                self._put(new_item(inference), "attribute_not_exists(pk)"),
                self._put({**self._place(inference), "inference": {"S": inference.id}}),
                self._update(
                    item_key(*keys.waiting_tenant_item(inference.engine, inference.tenant)),
                    # At the end of the round: after all who wait, since none of them has a later turn.
                    "SET turn = if_not_exists(turn, :turn) ADD waiting :one",
                    values={":turn": _number(turns), ":one": _number(1)},
                ),
            )
            if done:
                return True
            if self._call(inference.id) is not None:
                return False
        raise AssertionError  # `tries` never ends

    def admit(self, engine: str, most: int, now_ms: int) -> Inference | None:
        """Move the next clip in flight and return it. Return None if none waits, or `most` are in flight."""
        for _ in tries("admit clip"):
            calls = self.engine(engine)
            if len(calls.flights) >= most:
                return None
            if (tenant := self._next_tenant(engine)) is None:
                return None
            if (clip := self._next_clip(engine, tenant["sk"]["S"])) is None:
                continue  # it was taken meanwhile, and its tenant had no other
            inference_id = clip["inference"]["S"]
            turns = _number(calls.turns + 1)
            seen = {":seen": tenant["waiting"]}
            key = {name: tenant[name] for name in ("pk", "sk")}
            done = self._transact(
                "admit clip",
                self._update(
                    item_key(*keys.engine_item(engine)),
                    "SET flights.#id = :now, turns = :turns",
                    "turns = :before AND size(flights) < :most",
                    names={"#id": inference_id},
                    values={
                        ":now": _number(now_ms),
                        ":turns": turns,
                        ":before": _number(calls.turns),
                        ":most": _number(most),
                    },
                ),
                self._delete({name: clip[name] for name in ("pk", "sk")}, "attribute_exists(pk)"),
                self._update(
                    key,
                    "SET waiting = waiting - :one, turn = :turn",
                    "waiting = :seen",
                    values={**seen, ":one": _number(1), ":turn": turns},
                )
                if int(tenant["waiting"]["N"]) > 1
                else self._delete(key, "waiting = :seen", seen),
                self._update(
                    item_key(*keys.inference_item(inference_id)),
                    "SET #state = :flying, started_ms = :now",
                    "#state = :waiting",
                    names={"#state": "state"},
                    values={
                        ":flying": {"S": CallState.IN_FLIGHT},
                        ":waiting": {"S": CallState.WAITING},
                        ":now": _number(now_ms),
                    },
                ),
            )
            if done:
                return self._call(inference_id)
        raise AssertionError

    def release(self, engine: str, inference_id: str, clip_seconds: float | None = None) -> None:
        """Free the place of a call in flight. It may be called any number of times. `clip_seconds`: for how
        long the engine would have worked on its longest clip, as this one shows."""
        worked = {":seconds": {"N": f"{clip_seconds:.3f}"}} if clip_seconds else None
        with translated("release clip"):
            self._dynamodb.update_item(
                TableName=self._table,
                Key=item_key(*keys.engine_item(engine)),
                UpdateExpression=("SET clip_seconds = :seconds " if worked else "") + "REMOVE flights.#id",
                ExpressionAttributeNames={"#id": inference_id},
                **({"ExpressionAttributeValues": worked} if worked else {}),
            )

    def withdraw(self, inference: Inference) -> bool:
        """Take a clip that waits out of the queue. Return False if it doesn't wait."""
        for _ in tries("withdraw clip"):
            found = self._call(inference.id)
            if found is None or found.state is not CallState.WAITING:
                return False
            key = item_key(*keys.waiting_tenant_item(inference.engine, inference.tenant))
            with translated("withdraw clip"):
                tenant = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True)
            if "Item" not in tenant:
                continue
            seen = {":seen": tenant["Item"]["waiting"]}
            done = self._transact(
                "withdraw clip",
                self._update(
                    item_key(*keys.inference_item(inference.id)),
                    "SET #state = :settled, expires = :expires",
                    "#state = :waiting",
                    names={"#state": "state"},
                    values={
                        ":settled": {"S": CallState.SETTLED},
                        ":waiting": {"S": CallState.WAITING},
                        ":expires": expiry(),
                    },
                ),
                self._delete({name: self._place(inference)[name] for name in ("pk", "sk")}),
                self._update(
                    key,
                    "SET waiting = waiting - :one",
                    "waiting = :seen",
                    values={**seen, ":one": _number(1)},
                )
                if int(seen[":seen"]["N"]) > 1
                else self._delete(key, "waiting = :seen", seen),
            )
            if done:
                return True
        raise AssertionError

    # --- look

    def engine(self, engine: str) -> EngineCalls:
        """Return an engine's calls. Its item is created if there is none."""
        if (calls := self.look(engine)) is not None:
            return calls
        with translated("get engine"):
            found = self._dynamodb.update_item(
                TableName=self._table,
                Key=item_key(*keys.engine_item(engine)),
                UpdateExpression="SET flights = if_not_exists(flights, :none), "
                "turns = if_not_exists(turns, :zero)",
                ExpressionAttributeValues={":none": {"M": {}}, ":zero": _number(0)},
                ReturnValues="ALL_NEW",
            )
        return _calls(found["Attributes"])

    def look(self, engine: str) -> EngineCalls | None:
        """Return an engine's calls; None if it never had any."""
        with translated("get engine"):
            found = self._dynamodb.get_item(
                TableName=self._table, Key=item_key(*keys.engine_item(engine)), ConsistentRead=True
            )
        return _calls(found["Item"]) if "Item" in found else None

    def note_instances(self, engine: str, instances: int, now_ms: int) -> None:
        """Store how many instances the engine's endpoint has, for all who admit clips."""
        with translated("note instances"):
            self._dynamodb.update_item(
                TableName=self._table,
                Key=item_key(*keys.engine_item(engine)),
                UpdateExpression="SET instances = :instances, instances_ms = :now",
                ExpressionAttributeValues={":instances": _number(instances), ":now": _number(now_ms)},
            )

    def waiting(self, engine: str, most: int = 100) -> WaitingClips:
        """Return what waits for an engine, of at most `most` tenants, those whose turn is next first."""
        tenants = self._tenants(engine, most)
        since = [
            int(clip["requested_ms"]["N"])
            for tenant in tenants
            if (clip := self._next_clip(engine, tenant["sk"]["S"]))
        ]
        counts = {keys.tenant_of(tenant["sk"]["S"]): int(tenant["waiting"]["N"]) for tenant in tenants}
        return WaitingClips(by_tenant=counts, since_ms=min(since, default=None))

    def line(self, engine: str, tenant: str, video_id: str) -> Line | None:
        """Return what goes to the engine before a video's next clip; None if none of its clips waits. Two
        reads, which may be a moment old."""
        before = 0
        for clip in self._read_all(keys.waiting_partition(engine, tenant), "inference"):
            if clip["inference"]["S"].startswith(keys.inferences_of(video_id, None)):
                break
            before += 1
        else:
            return None
        found = {item["sk"]["S"]: item for item in self._read_all(keys.engine_partition(engine))}
        state = found.pop(keys.engine_item(engine)[1], {})
        own = found.pop(keys.waiting_tenant_item(engine, tenant)[1], None)
        if own is None:  # its last clip was taken meanwhile
            return None
        others = [(int(item["waiting"]["N"]), _turn(item) < _turn(own)) for item in found.values()]
        return Line(
            before=before,
            others=others,
            in_flight=len(state.get("flights", {}).get("M", {})),
            instances=int(state.get("instances", {}).get("N", 0)),
            clip_seconds=float(state["clip_seconds"]["N"]) if "clip_seconds" in state else None,
        )

    def _read_all(self, partition: str, attributes: str | None = None) -> Iterator[Item]:
        with translated("read queue"):
            for page in self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": partition}},
                **({"ProjectionExpression": attributes} if attributes else {}),
            ):
                yield from page["Items"]

    def page(self) -> str | None:
        """Return where upkeep's next page of videos begins."""
        with translated("get page"):
            found = self._dynamodb.get_item(TableName=self._table, Key=item_key(*keys.upkeep_page_item()))
        after: str | None = found.get("Item", {}).get("after", {}).get("S")
        return after

    def note_page(self, after: str | None) -> None:
        item = item_key(*keys.upkeep_page_item())
        with translated("note page"):
            self._dynamodb.put_item(
                TableName=self._table, Item={**item, **({"after": {"S": after}} if after else {})}
            )

    def _call(self, inference_id: str) -> Inference | None:
        with translated("get inference"):
            found = self._dynamodb.get_item(
                TableName=self._table,
                Key=item_key(*keys.inference_item(inference_id)),
                ConsistentRead=True,
            )
        return read_inference(found["Item"]) if "Item" in found else None

    def _next_tenant(self, engine: str) -> Item | None:
        return next(iter(self._tenants(engine, 1)), None)

    def _tenants(self, engine: str, most: int) -> list[Item]:
        with translated("next tenant"):
            found = self._dynamodb.query(
                TableName=self._table,
                IndexName=BY_TURN,
                KeyConditionExpression="pk = :engine",
                ExpressionAttributeValues={":engine": {"S": keys.engine_partition(engine)}},
                ConsistentRead=True,
                Limit=most,
            )
        items: list[Item] = found["Items"]
        return items

    def _next_clip(self, engine: str, tenant_key: str) -> Item | None:
        with translated("next clip"):
            found = self._dynamodb.query(
                TableName=self._table,
                KeyConditionExpression="pk = :waiting",
                ExpressionAttributeValues={
                    ":waiting": {"S": keys.waiting_partition(engine, keys.tenant_of(tenant_key))}
                },
                ConsistentRead=True,
                Limit=1,
            )
        item: Item | None = next(iter(found["Items"]), None)
        return item

    def _place(self, inference: Inference) -> Item:
        place = keys.waiting_clip_item(
            inference.engine, inference.tenant, inference.requested_ms, inference.clip, inference.id
        )
        return {**item_key(*place), "requested_ms": _number(inference.requested_ms)}

    # --- write

    def _transact(self, what: str, *actions: Item) -> bool:
        """Write all or nothing. Return False if another writer was faster; the next try sees its change."""
        return write_all(self._dynamodb, what, actions) is None

    def _put(self, item: Item, condition: str = "") -> Item:
        return {"Put": {"TableName": self._table, "Item": item, **_condition(condition)}}

    def _delete(self, key: Item, condition: str = "", values: Item | None = None) -> Item:
        given = {"ExpressionAttributeValues": values} if values else {}
        return {"Delete": {"TableName": self._table, "Key": key, **_condition(condition), **given}}

    def _update(
        self,
        key: Item,
        expression: str,
        condition: str = "",
        *,
        names: dict[str, str] | None = None,
        values: Item,
    ) -> Item:
        return {
            "Update": {
                "TableName": self._table,
                "Key": key,
                "UpdateExpression": expression,
                "ExpressionAttributeValues": values,
                **_condition(condition),
                **({"ExpressionAttributeNames": names} if names else {}),
            }
        }


def _calls(item: Item) -> EngineCalls:
    numbers = ("turns", "instances", "instances_ms")
    return EngineCalls(
        flights={id_: int(since["N"]) for id_, since in item["flights"]["M"].items()},
        **{name: int(item[name]["N"]) for name in numbers if name in item},
    )


def _turn(tenant: Item) -> tuple[int, str]:
    """Return a tenant's place in the order of turns; several may have the same turn."""
    return int(tenant["turn"]["N"]), tenant["sk"]["S"]


def _condition(condition: str) -> Item:
    return {"ConditionExpression": condition} if condition else {}


def _number(value: int) -> Item:
    return {"N": str(value)}

"""The table of webhooks: each tenant's endpoints with their secrets, and the log of deliveries.

Only Api and Deliver can read it. The endpoints are also written to the journal in S3, from which `reel up`
restores the table on a PC; no function can read them there.
"""

import time
from typing import Any

from lambdas.adapters.clients import translated
from lambdas.adapters.conditional_writes import ConditionalWrites
from lambdas.adapters.items import item_key
from lambdas.adapters.objects import Objects
from lambdas.domain import keys
from lambdas.domain.webhooks import LOG_SECONDS, Delivery, Endpoints

BY_CREATED = "by_created"  # local index of an endpoint's partition: its deliveries by age

Item = dict[str, Any]  # in DynamoDB's wire format


class Webhooks:
    def __init__(self, dynamodb: Any, table: str, journal: Objects) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._writes = ConditionalWrites(dynamodb, table)
        self._journal = journal

    # --- endpoints

    def endpoints(self, tenant: str) -> Endpoints:
        item = self._item(*keys.webhooks_item(tenant))
        return Endpoints.model_validate_json(item["document"]["S"]) if item else Endpoints(tenant=tenant)

    def replace(self, changed: Endpoints) -> Endpoints | None:
        """Write a tenant's endpoints as changed since they were read. Return them as written; None and write
        nothing if somebody else has changed them since."""
        written = changed.model_copy(update={"version": changed.version + 1})
        if not self._put(written, "attribute_not_exists(pk) OR #version = :before", changed.version):
            return None
        self._write_journal(written)
        return written

    def _put(self, endpoints: Endpoints, condition: str, before: int) -> bool:
        return self._writes.put(
            "write webhooks",
            {
                **item_key(*keys.webhooks_item(endpoints.tenant)),
                "document": {"S": endpoints.model_dump_json()},
                "version": {"N": str(endpoints.version)},
            },
            condition,
            names={"#version": "version"},
            values={":before": {"N": str(before)}},
        )

    def _write_journal(self, endpoints: Endpoints) -> None:
        """As for videos: a writer that reaches S3 too early or late writes again, until the journal has what
        the table has."""
        while True:
            body = endpoints.model_dump_json().encode()
            self._journal.put(keys.webhooks_record(endpoints.tenant), body, "application/json")
            latest = self.endpoints(endpoints.tenant)
            if latest.version == endpoints.version:
                return
            endpoints = latest

    def restore_all(self) -> int:
        """Restore endpoints of the journal that are newer than the table's. Return of how many tenants."""
        count = 0
        for key, _ in self._journal.list(keys.WEBHOOK_RECORDS_PREFIX):
            found = Endpoints.model_validate_json(self._journal.get(key))
            count += self._put(found, "attribute_not_exists(pk) OR #version < :before", found.version)
        return count

    # --- deliveries

    def begin(self, delivery: Delivery) -> Delivery:
        """Note a new delivery. Return it, or the one that is noted already."""
        item = self._delivery_item(delivery)
        if self._writes.put("note delivery", item, "attribute_not_exists(pk)"):
            return delivery
        return self.delivery(delivery.tenant, delivery.endpoint, delivery.id) or delivery

    def note(self, delivery: Delivery, *, before: Delivery) -> bool:
        """Write what became of a delivery. Return False if somebody else has written it since `before`."""
        return self._writes.put(
            "note delivery",
            self._delivery_item(delivery),
            "#round = :round AND #made = :made AND #state = :state",
            names={"#round": "round", "#made": "made", "#state": "state"},
            values={
                ":round": {"N": str(before.round)},
                ":made": {"N": str(before.made)},
                ":state": {"S": before.state},
            },
        )

    def delivery(self, tenant: str, endpoint: str, id_: str) -> Delivery | None:
        item = self._item(*keys.delivery_item(tenant, endpoint, id_))
        return _delivery(item) if item else None

    def deliveries(
        self, tenant: str, endpoint: str, *, after: Delivery | None, limit: int
    ) -> tuple[list[Delivery], bool]:
        """Return a page of an endpoint's deliveries, the newest first, and whether there are more."""
        start = {"ExclusiveStartKey": self._place(after)} if after else {}
        with translated("list deliveries"):
            found = self._dynamodb.query(
                TableName=self._table,
                IndexName=BY_CREATED,
                KeyConditionExpression="pk = :endpoint",
                ExpressionAttributeValues={":endpoint": {"S": keys.deliveries_partition(tenant, endpoint)}},
                ScanIndexForward=False,
                ConsistentRead=True,
                Limit=limit + 1,
                **start,
            )
        deliveries = [_delivery(item) for item in found["Items"]]
        return deliveries[:limit], len(deliveries) > limit

    def _delivery_item(self, delivery: Delivery) -> Item:
        return {
            **self._place(delivery),
            "document": {"S": delivery.model_dump_json()},
            "round": {"N": str(delivery.round)},
            "made": {"N": str(delivery.made)},
            "state": {"S": delivery.state},
            "expires": {"N": str(int(time.time()) + LOG_SECONDS)},
        }

    def _place(self, delivery: Delivery) -> Item:
        key = keys.delivery_item(delivery.tenant, delivery.endpoint, delivery.id)
        return {**item_key(*key), "created": {"N": str(delivery.created_ms)}}

    def _item(self, pk: str, sk: str) -> Item | None:
        with translated("get webhooks"):
            response = self._dynamodb.get_item(
                TableName=self._table, Key=item_key(pk, sk), ConsistentRead=True
            )
        item: Item | None = response.get("Item")
        return item


def _delivery(item: Item) -> Delivery:
    return Delivery.model_validate_json(item["document"]["S"])

"""The quotas that tenants have of their own, in the table of API keys: only operators write them."""

from collections.abc import Iterator
from typing import Any

from lambdas.adapters.clients import translated
from lambdas.adapters.items import item_key
from lambdas.adapters.objects import Objects
from lambdas.domain import keys
from lambdas.domain.quotas import Quotas


def own_quotas(dynamodb: Any, table: str, tenant: str) -> Quotas | None:
    """Return a tenant's own quotas; None if all of its quotas are the deployment's."""
    with translated("get tenant"):
        found = dynamodb.get_item(TableName=table, Key=item_key(*keys.tenant_quotas_item(tenant)))
    return Quotas.model_validate_json(found["Item"]["document"]["S"]) if "Item" in found else None


class Tenants:
    """Set tenants' quotas, in the table and the journal."""

    def __init__(self, dynamodb: Any, table: str, journal: Objects) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._journal = journal

    def own_quotas(self, tenant: str) -> Quotas | None:
        return own_quotas(self._dynamodb, self._table, tenant)

    def set(self, tenant: str, own: Quotas) -> None:
        """Replace a tenant's own quotas. Those that are unset are the deployment's."""
        document = own.model_dump_json(exclude_unset=True)
        self._put(tenant, document)
        self._journal.put(keys.tenant_record(tenant), document.encode(), "application/json")

    def unset(self, tenant: str) -> None:
        """Give a tenant the deployment's quotas."""
        self._journal.delete(keys.tenant_record(tenant))
        with translated("unset tenant"):
            self._dynamodb.delete_item(TableName=self._table, Key=item_key(*keys.tenant_quotas_item(tenant)))

    def all(self) -> Iterator[tuple[str, Quotas]]:
        """Yield the tenants that have quotas of their own, and these."""
        for key, _ in self._journal.list(keys.TENANT_RECORDS_PREFIX):
            tenant = key.removeprefix(keys.TENANT_RECORDS_PREFIX).removesuffix(".json")
            yield tenant, Quotas.model_validate_json(self._journal.get(key))

    def restore_all(self) -> int:
        """Restore all tenants' quotas from the journal. Return how many tenants have some."""
        count = 0
        for tenant, own in self.all():
            self._put(tenant, own.model_dump_json(exclude_unset=True))
            count += 1
        return count

    def _put(self, tenant: str, document: str) -> None:
        item = {**item_key(*keys.tenant_quotas_item(tenant)), "document": {"S": document}}
        with translated("set tenant"):
            self._dynamodb.put_item(TableName=self._table, Item=item)

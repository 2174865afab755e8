"""API keys: 256 random bits each; only their SHA-256 is stored (a fast hash is safe for random keys).

They have a table of their own, which only operators write: a function that is taken over can make no key.
"""

import hashlib
import secrets
import time
from typing import Any

from lambdas.adapters.clients import translated
from lambdas.adapters.items import item_key
from lambdas.adapters.objects import Objects
from lambdas.domain import keys
from lambdas.domain.documents import Document
from lambdas.domain.video_request import Tenant

PREFIX = "rk-"


class ApiKey(Document):
    """The stored record of a key."""

    hash: str
    tenant: Tenant
    name: str
    created: int  # seconds since the epoch


def new_key() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def find(dynamodb: Any, table: str, key: str) -> ApiKey | None:
    """Return the record of a key; None if it never existed or was revoked."""
    pk, sk = keys.api_key_item(hash_of(key))
    with translated("find key"):
        response = dynamodb.get_item(TableName=table, Key=item_key(pk, sk))
    item = response.get("Item")
    return ApiKey.model_validate_json(item["document"]["S"]) if item else None


class ApiKeys:
    """Register and revoke keys in the table and the journal."""

    def __init__(self, dynamodb: Any, table: str, journal: Objects) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._journal = journal

    def register(self, key: str, tenant: str, name: str) -> ApiKey:
        """Make a key valid for a tenant. Registering it again changes nothing else."""
        api_key = ApiKey(hash=hash_of(key), tenant=tenant, name=name, created=int(time.time()))
        self.restore(api_key)
        record = api_key.model_dump_json().encode()
        self._journal.put(keys.key_record(api_key.hash), record, "application/json")
        return api_key

    def restore(self, api_key: ApiKey) -> None:
        pk, sk = keys.api_key_item(api_key.hash)
        with translated("register key"):
            self._dynamodb.put_item(
                TableName=self._table,
                Item={**item_key(pk, sk), "document": {"S": api_key.model_dump_json()}},
            )

    def revoke(self, key_hash: str) -> bool:
        """Revoke a key. Return whether it existed before the call: the answer to the deletion itself can't
        say that, because the deletion may be sent twice."""
        self._journal.delete(keys.key_record(key_hash))
        key = item_key(*keys.api_key_item(key_hash))
        with translated("revoke key"):
            found = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True)
            self._dynamodb.delete_item(TableName=self._table, Key=key)
        return "Item" in found

    def restore_all(self) -> int:
        """Restore every key of the journal to the table. Return how many."""
        count = 0
        for object_key, _ in self._journal.list(keys.KEY_RECORDS_PREFIX):
            self.restore(ApiKey.model_validate_json(self._journal.get(object_key)))
            count += 1
        return count

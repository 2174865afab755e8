"""API keys: 256 random bits each; only their SHA-256 is stored (a fast hash is safe for random keys).

They have a table of their own. Operators write it, and the function of the routes /v1/api_keys, which does
nothing else: a function that is taken over while it reads a file or a film can make no key.
"""

import hashlib
import secrets
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from lambdas.adapters.clients import error_code, translated
from lambdas.adapters.items import CONDITION_FAILED, item_key
from lambdas.adapters.objects import Objects
from lambdas.domain import keys, scopes
from lambdas.domain.documents import Document
from lambdas.domain.errors import ServiceUnavailable
from lambdas.domain.scopes import Scope
from lambdas.domain.video_request import Tenant
from lambdas.telemetry import logger

PREFIX = "rk-"
BY_TENANT = "by_tenant"  # index: tenant, created
_SHOWN = len(PREFIX) + 6  # first characters of a key that are stored and shown: 36 of its 256 bits
_USE_NOTED_SECONDS = 3600  # a key's use is noted at most once in this time


class ApiKey(Document):
    """The stored record of a key."""

    hash: str
    tenant: Tenant
    name: str
    created: int  # seconds since the epoch
    scopes: tuple[Scope, ...] = scopes.OF_A_TENANT  # those of keys made before there were scopes
    shown: str | None = None  # its first characters


class UsedKey(NamedTuple):
    """A key, and when it was last used, in seconds since the epoch and to the hour."""

    key: ApiKey
    used: int | None


def new_key() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def find(dynamodb: Any, table: str, key: str) -> UsedKey | None:
    """Return a key; None if it never existed or was revoked."""
    pk, sk = keys.api_key_item(hash_of(key))
    with translated("find key"):
        response = dynamodb.get_item(TableName=table, Key=item_key(pk, sk))
    item = response.get("Item")
    return _read(item) if item else None


def note_use(dynamodb: Any, table: str, found: UsedKey) -> None:
    """Note that a key is used, unless that was noted within the hour. A failure is only logged: whoever has a
    valid key must be let in."""
    now = int(time.time())
    if found.used is not None and now < found.used + _USE_NOTED_SECONDS:
        return
    try:
        with translated("note use"):
            dynamodb.update_item(
                TableName=table,
                Key=item_key(*keys.api_key_item(found.key.hash)),
                UpdateExpression="SET used = :now",
                ConditionExpression="attribute_exists(pk)",  # it may have been revoked meanwhile
                ExpressionAttributeValues={":now": {"N": str(now)}},
            )
    except (ClientError, ServiceUnavailable) as error:
        if not isinstance(error, ClientError) or error_code(error) != CONDITION_FAILED:
            logger.warning("use not noted", extra={"reason": str(error)})


class ApiKeys:
    """Register, list and revoke keys in the table and the journal."""

    def __init__(self, dynamodb: Any, table: str, journal: Objects) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._journal = journal

    def register(
        self, key: str, tenant: str, name: str, granted: Sequence[Scope] = scopes.OF_A_TENANT
    ) -> ApiKey:
        """Make a key valid for a tenant. Registering it again changes nothing else."""
        api_key = ApiKey(
            hash=hash_of(key),
            tenant=tenant,
            name=name,
            created=int(time.time()),
            scopes=tuple(granted),
            shown=key[:_SHOWN],
        )
        self.restore(api_key)
        record = api_key.model_dump_json().encode()
        self._journal.put(keys.key_record(api_key.hash), record, "application/json")
        return api_key

    def restore(self, api_key: ApiKey) -> None:
        pk, sk = keys.api_key_item(api_key.hash)
        values = {
            "document": {"S": api_key.model_dump_json()},
            "tenant": {"S": api_key.tenant},
            "created": {"N": str(api_key.created)},
        }
        with translated("register key"):
            self._dynamodb.update_item(  # it keeps when the key was last used
                TableName=self._table,
                Key=item_key(pk, sk),
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
                ExpressionAttributeNames={f"#{name}": name for name in values},
                ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
            )

    def get(self, tenant: str, key_hash: str) -> UsedKey | None:
        """Return a tenant's key; None if it has no such key."""
        with translated("get key"):
            found = self._dynamodb.get_item(
                TableName=self._table, Key=item_key(*keys.api_key_item(key_hash)), ConsistentRead=True
            )
        key = _read(found["Item"]) if "Item" in found else None
        return key if key and key.key.tenant == tenant else None

    def list(self, tenant: str) -> list[UsedKey]:
        """Return a tenant's keys, the newest first. The index may be a moment behind."""
        with translated("list keys"):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                IndexName=BY_TENANT,
                KeyConditionExpression="#tenant = :tenant",
                ExpressionAttributeNames={"#tenant": "tenant"},
                ExpressionAttributeValues={":tenant": {"S": tenant}},
                ScanIndexForward=False,
            )
            return [_read(item) for page in pages for item in page["Items"]]

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


def _read(item: dict[str, Any]) -> UsedKey:
    used = item.get("used")
    return UsedKey(ApiKey.model_validate_json(item["document"]["S"]), int(used["N"]) if used else None)

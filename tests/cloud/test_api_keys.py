"""API keys by API, over a local AWS: created, listed, used and revoked, and what their scopes allow."""

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from lambdas.adapters import api_keys
from lambdas.adapters.clients import client
from lambdas.adapters.items import item_key
from lambdas.api import authorizer
from lambdas.api.request import keys_settings
from lambdas.api.routes.api_keys import MOST_KEYS
from lambdas.domain import keys
from lambdas.domain.names import lane_of
from lambdas.domain.scopes import Scope, scope_of
from tests.cloud.deployment import Context, Deployment, event
from tests.cloud.rest import call

KEYS = "/v1/api_keys"


@pytest.fixture(autouse=True)
def _settings(aws: Deployment) -> Iterator[None]:
    for cached in (keys_settings, authorizer._settings):
        cached.cache_clear()
    yield
    for cached in (keys_settings, authorizer._settings):
        cached.cache_clear()


@pytest.fixture
def tenant() -> str:
    return f"tenant-{uuid4().hex[:8]}"


def create(tenant: str, **fields: Any) -> dict[str, Any]:
    answer = call("POST", KEYS, body={"name": "ci"} | fields, tenant=tenant)
    assert answer.status == 200, answer.text
    made: dict[str, Any] = answer.json
    return made


def listed(tenant: str) -> list[dict[str, Any]]:
    return list(call("GET", KEYS, tenant=tenant).json["data"])


def context_of(key: str) -> dict[str, Any]:
    asked = event("authorize")
    asked["headers"]["authorization"] = f"Bearer {key}"
    context: dict[str, Any] = authorizer.handler(asked, Context())["context"]
    return context


def test_a_key_is_shown_once_and_works(tenant: str) -> None:
    made = create(tenant, name=" ci ", scopes=["create", "read", "read"])
    secret = made.pop("value")
    assert secret.startswith("rk-")
    assert secret.startswith(made["redacted_value"].removesuffix("…"))
    assert (made["object"], made["name"], made["scopes"]) == ("api_key", "ci", ["read", "create"])
    assert made["last_used_at"] is None
    assert listed(tenant) == [made]
    assert call("GET", f"{KEYS}/{made['id']}", tenant=tenant).json == made
    assert secret not in json.dumps(listed(tenant))
    context = context_of(secret)
    assert (context["tenant"], context["scopes"]) == (tenant, "read create")


def test_the_last_use_is_noted_at_most_once_an_hour(tenant: str, aws: Deployment) -> None:
    made = create(tenant)
    context_of(made["value"])
    used = listed(tenant)[0]["last_used_at"]
    assert abs(used - time.time()) < 60
    writes: list[str] = []
    events = client("dynamodb").meta.events
    events.register("before-call.dynamodb.UpdateItem", lambda **_: writes.append("write"), "counted")
    try:
        context_of(made["value"])
        assert writes == []
        item = item_key(*keys.api_key_item(api_keys.hash_of(made["value"])))
        an_hour_ago = {":used": {"N": str(used - 3600)}}
        client("dynamodb").update_item(
            TableName="api-keys",
            Key=item,
            UpdateExpression="SET used = :used",
            ExpressionAttributeValues=an_hour_ago,
        )
        context_of(made["value"])
        assert len(writes) == 2
    finally:
        events.unregister("before-call.dynamodb.UpdateItem", unique_id="counted")
    assert aws.api_keys.restore_all() > 0
    assert listed(tenant)[0]["last_used_at"] >= used, "restored keys keep it"


def test_a_revoked_key_is_gone(tenant: str, aws: Deployment) -> None:
    made = create(tenant)
    path = f"{KEYS}/{made['id']}"
    assert call("DELETE", path, tenant=tenant).json == {
        "id": made["id"],
        "object": "api_key.deleted",
        "deleted": True,
    }
    assert call("DELETE", path, tenant=tenant).status == 404
    assert listed(tenant) == []
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        context_of(made["value"])
    aws.api_keys.restore_all()
    assert listed(tenant) == []
    found = api_keys.UsedKey(api_keys.ApiKey(hash=made["id"][4:], tenant=tenant, name="", created=0), None)
    api_keys.note_use(client("dynamodb"), "api-keys", found)
    assert listed(tenant) == [], "noting a use does not bring it back"


def test_another_tenants_keys_are_neither_seen_nor_revoked(tenant: str) -> None:
    made = create(tenant)
    for method in ("GET", "DELETE"):
        answer = call(method, f"{KEYS}/{made['id']}", tenant="other")
        assert (answer.status, answer.error["code"]) == (404, "not_found")
    assert made["id"] not in {key["id"] for key in listed("other")}
    assert len(listed(tenant)) == 1


@pytest.mark.parametrize("key_id", ["key_", "key_x", "rk-secret", "key_" + 64 * "G", 300 * "a"])
def test_an_id_that_names_no_key(tenant: str, key_id: str) -> None:
    assert call("GET", f"{KEYS}/{key_id}", tenant=tenant).status == 404


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": 1}, "name"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["all"]}, "scopes[0]"),
        ({"name": "x", "scopes": ["operate"]}, "scopes[0]"),
        ({"name": "x", "scopes": "read"}, "scopes"),
        ({"name": "x", "tenant": "other"}, "tenant"),
    ],
)
def test_a_wrong_key_is_refused(tenant: str, body: dict[str, Any], param: str) -> None:
    answer = call("POST", KEYS, body=body, tenant=tenant)
    assert (answer.status, answer.error["param"]) == (400, param), answer.text
    assert listed(tenant) == []


def test_a_key_grants_no_scope_that_it_has_not(tenant: str) -> None:
    answer = call("POST", KEYS, body={"name": "x", "scopes": ["create"]}, tenant=tenant, scopes="admin")
    assert (answer.status, answer.error["code"], answer.error["param"]) == (
        403,
        "insufficient_scope",
        "scopes",
    )
    allowed = call("POST", KEYS, body={"name": "x", "scopes": ["admin"]}, tenant=tenant, scopes="admin")
    assert allowed.json["scopes"] == ["admin"]


def test_a_tenant_has_a_limited_number_of_keys(tenant: str, aws: Deployment) -> None:
    for number in range(MOST_KEYS):
        item = item_key(*keys.api_key_item(f"{number:064x}-{tenant}"))
        key = api_keys.ApiKey(hash=f"{number:064x}", tenant=tenant, name="x", created=number)
        client("dynamodb").put_item(
            TableName="api-keys",
            Item={
                **item,
                "document": {"S": key.model_dump_json()},
                "tenant": {"S": tenant},
                "created": {"N": str(number)},
            },
        )
    answer = call("POST", KEYS, body={"name": "x"}, tenant=tenant)
    assert (answer.status, answer.error["message"]) == (
        400,
        f"A tenant can have at most {MOST_KEYS} API keys; revoke one first.",
    )


def test_a_caller_hears_what_it_may_do(tenant: str, aws: Deployment) -> None:
    answer = call("GET", "/v1/caller", tenant=tenant, scopes="read")
    assert answer.json == {"object": "caller", "tenant": tenant, "scopes": ["read"]}


def test_keys_made_before_there_were_scopes_have_all(tenant: str, aws: Deployment) -> None:
    secret = api_keys.new_key()
    old = {"hash": api_keys.hash_of(secret), "tenant": tenant, "name": "old", "created": 1}
    item = item_key(*keys.api_key_item(old["hash"]))
    client("dynamodb").put_item(TableName="api-keys", Item={**item, "document": {"S": json.dumps(old)}})
    assert context_of(secret)["scopes"] == "read create admin"


# --- scopes


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/v1/videos", Scope.READ),
        ("HEAD", "/v1/videos/video_0/content", Scope.READ),
        ("GET", "/v1/usage", Scope.READ),
        ("POST", "/v1/videos", Scope.CREATE),
        ("PUT", "/v1/videos/video_0/storyboard", Scope.CREATE),
        ("DELETE", "/v1/videos/video_0", Scope.CREATE),
        ("GET", KEYS, Scope.ADMIN),
        ("DELETE", f"{KEYS}/key_0", Scope.ADMIN),
        ("GET", "/v1/operations", Scope.OPERATE),
    ],
)
def test_each_request_needs_one_scope(tenant: str, method: str, path: str, scope: Scope) -> None:
    assert scope_of(method, path) is scope
    others = " ".join(one for one in Scope if one is not scope)
    refused = call(method, path, tenant=tenant, scopes=others)
    assert (refused.status, refused.error["code"]) == (403, "insufficient_scope")
    assert f"scope {scope}" in refused.error["message"]
    assert call(method, path, tenant=tenant, scopes=scope).status != 403


def test_the_authorizer_names_the_tenants_lane_of_the_usage_plan(
    tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = event("authorize")
    asked["headers"]["authorization"] = f"Bearer {create(tenant)['value']}"
    assert "usageIdentifierKey" not in authorizer.handler(asked, Context())
    monkeypatch.setenv("REELWORKS_USAGE_PLAN", "reelworks")
    authorizer._settings.cache_clear()
    assert authorizer.handler(asked, Context())["usageIdentifierKey"] == lane_of("reelworks", tenant)

"""The routes of webhooks, called with API Gateway's events and by OpenAI's client."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from typing import Any

import openai
import pytest

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.videos import now_ms
from lambdas.api.request import settings
from lambdas.domain import keys
from lambdas.domain.webhooks import (
    MOST_ENDPOINTS,
    OF_REQUESTS,
    DeliveryState,
    EventType,
    Try,
    WebhookEvent,
    new_delivery,
)
from tests.cloud.deployment import Deployment
from tests.cloud.rest import Answer, call, create, gateway
from tests.cloud.servers import serving

PATH = "/v1/webhook_endpoints"
URL = "https://example.com/hook?token=secret"


@pytest.fixture
def tenant(aws: Deployment) -> str:
    return f"t-{uuid.uuid4().hex[:12]}"


def register(tenant: str, **fields: Any) -> dict[str, Any]:
    answer = call("POST", PATH, body={"url": URL, **fields}, tenant=tenant)
    assert answer.status == 200, answer.text
    made: dict[str, Any] = answer.json
    return made


def rejected(answer: Answer, param: str, status: int = 400) -> str:
    assert (answer.status, answer.error["param"]) == (status, param), answer.text
    return str(answer.error["message"])


# --- OpenAI's client


def test_openai_s_client_manages_endpoints(tenant: str) -> None:
    with serving(gateway(tenant)) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="x") as api:
        assert "video.completed" in api.webhooks.event_types.list().data
        made = api.webhooks.create(url=URL, name="films", event_types=["video.completed", "video.failed"])
        assert made.signing_secret.startswith("whsec_")
        assert made.signing_secret_hint
        assert made.signing_secret.endswith(made.signing_secret_hint[-4:])
        found = api.webhooks.retrieve(made.id)
        assert (found.name, found.url, found.event_types) == (
            "films",
            URL,
            ["video.completed", "video.failed"],
        )
        assert "signing_secret" not in found.to_dict()
        second = api.webhooks.create(url=f"{URL}&b", name="b", event_types=["video.failed"])
        assert [one.id for one in api.webhooks.list(limit=1)] == [second.id, made.id], "the newest first"
        changed = api.webhooks.update(made.id, name="renamed", event_types=["video.failed"])
        assert (changed.name, changed.url, changed.event_types) == ("renamed", URL, ["video.failed"])
        rotated = api.webhooks.rotate_secret(made.id, keep_old_secret_active_for_24_hours=True)
        assert rotated.signing_secret != made.signing_secret
        signing = stores.webhooks(settings()).endpoints(tenant).endpoints[0].signing(now_ms())
        assert signing == [rotated.signing_secret, made.signing_secret]
        leaked = api.webhooks.rotate_secret(made.id)
        signing = stores.webhooks(settings()).endpoints(tenant).endpoints[0].signing(now_ms())
        assert signing == [leaked.signing_secret]
        own = api.webhooks.rotate_secret(OF_REQUESTS)
        assert own.id == OF_REQUESTS
        assert api.webhooks.delete(made.id).deleted
        with pytest.raises(openai.NotFoundError):
            api.webhooks.retrieve(made.id)


# --- rules


def test_a_secret_is_shown_once(tenant: str) -> None:
    made = register(tenant)
    for answer in (
        call("GET", PATH, tenant=tenant),
        call("GET", f"{PATH}/{made['id']}", tenant=tenant),
        call("POST", f"{PATH}/{made['id']}", body={"name": "x"}, tenant=tenant),
    ):
        assert answer.status == 200
        assert made["signing_secret"] not in answer.text


def test_other_tenants_see_nothing(tenant: str) -> None:
    made = register(tenant)
    assert call("GET", PATH, tenant="other").json["data"] == []
    for method, path in (
        ("GET", ""),
        ("POST", ""),
        ("DELETE", ""),
        ("POST", "/rotate_secret"),
        ("GET", "/deliveries"),
        ("POST", "/deliveries/wd_1/redeliver"),
    ):
        answer = call(method, f"{PATH}/{made['id']}{path}", body={}, tenant="other")
        rejected(answer, "id", 404)


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"url": "http://example.com/"}, "url", "must be an https:// URL"),
        ({"url": "https://127.0.0.1/"}, "url", "its host is not public"),
        ({"url": None}, "url", "url is required"),
        ({"url": 7}, "url", "must be an https:// URL"),
        ({"name": ""}, "name", "1 to 100 characters"),
        ({"name": "x" * 101}, "name", "1 to 100 characters"),
        ({"name": "a\nb"}, "name", "control characters"),
        ({"event_types": []}, "event_types", "must be a list of video.completed"),
        ({"event_types": ["batch.completed"]}, "event_types", "must be a list of video.completed"),
        ({"event_types": "video.completed,video.completed"}, "event_types", "each at most once"),
        ({"secret": "mine"}, "secret", "allowed: url, name, event_types"),
    ],
)
def test_wrong_fields(tenant: str, fields: dict[str, Any], param: str, message: str) -> None:
    assert message in rejected(call("POST", PATH, body={"url": URL, **fields}, tenant=tenant), param)


def test_defaults_and_a_url_only_once(tenant: str) -> None:
    made = register(tenant)
    assert made["name"] == "example.com"
    assert made["event_types"] == ["video.completed", "video.failed", "video.review"]
    assert made["enabled"] is True
    again = call("POST", PATH, body={"url": "HTTPS://EXAMPLE.com:443/hook?token=secret"}, tenant=tenant)
    assert made["id"] in rejected(again, "url")
    other = register(tenant, url=f"{URL}&other")
    moved = call("POST", f"{PATH}/{other['id']}", body={"url": URL}, tenant=tenant)
    assert made["id"] in rejected(moved, "url")


def test_a_create_whose_answer_was_lost_makes_one_endpoint(tenant: str) -> None:
    lost = register(tenant)
    retry = call(
        "POST",
        PATH,
        body={"url": URL},
        tenant=tenant,
        headers={"x-stainless-retry-count": "1"},
    )
    assert retry.json["id"] == lost["id"]
    assert retry.json["signing_secret"] != lost["signing_secret"], "nobody has seen the first"
    assert len(call("GET", PATH, tenant=tenant).json["data"]) == 1


def test_a_delete_whose_answer_was_lost(tenant: str) -> None:
    made = register(tenant)
    path = f"{PATH}/{made['id']}"
    assert call("DELETE", path, tenant=tenant).json["deleted"] is True
    assert call("DELETE", path, tenant=tenant).status == 404
    retry = call("DELETE", path, tenant=tenant, headers={"x-stainless-retry-count": "1"})
    assert retry.json["deleted"] is True


def test_the_number_of_endpoints_is_bounded_however_many_are_made_at_once(tenant: str) -> None:
    def one(number: int) -> int:
        return call("POST", PATH, body={"url": f"{URL}&{number}"}, tenant=tenant).status

    with ThreadPoolExecutor(4) as clients:
        statuses = [*clients.map(one, range(MOST_ENDPOINTS + 2))]
    assert sorted(statuses) == MOST_ENDPOINTS * [200] + 2 * [400]
    journal = json.loads(stores.outputs(settings()).get(keys.webhooks_record(tenant)))
    assert len(journal["endpoints"]) == MOST_ENDPOINTS, "the journal has the latest"


def test_an_endpoint_is_disabled_and_enabled(tenant: str) -> None:
    path = f"{PATH}/{register(tenant)['id']}"
    assert call("POST", path, body={"enabled": False}, tenant=tenant).json["enabled"] is False
    assert call("POST", path, body={"name": "x"}, tenant=tenant).json["enabled"] is False
    assert call("POST", path, body={"enabled": True}, tenant=tenant).json["enabled"] is True
    assert "true or false" in rejected(call("POST", path, body={"enabled": "no"}, tenant=tenant), "enabled")


def test_an_update_without_change_changes_nothing(tenant: str) -> None:
    made = register(tenant)
    before = stores.webhooks(settings()).endpoints(tenant)
    assert call("POST", f"{PATH}/{made['id']}", body={"name": made["name"]}, tenant=tenant).status == 200
    assert stores.webhooks(settings()).endpoints(tenant) == before


def test_what_stands_for_requests_has_a_secret_and_nothing_else(tenant: str) -> None:
    path = f"{PATH}/{OF_REQUESTS}"
    assert "rotate_secret" in rejected(call("GET", path, tenant=tenant), "id", 404)
    first = call("POST", f"{path}/rotate_secret", tenant=tenant).json
    assert (first["id"], first["url"]) == (OF_REQUESTS, "")
    second = call("POST", f"{path}/rotate_secret", body={}, tenant=tenant).json
    assert second["signing_secret"] != first["signing_secret"]
    assert call("GET", path, tenant=tenant).status == 200
    assert call("GET", PATH, tenant=tenant).json["data"] == []
    for method, part in (("POST", ""), ("DELETE", ""), ("POST", "/test")):
        answer = call(method, path + part, body={"name": "x"}, tenant=tenant)
        assert "only its secret can be rotated" in rejected(answer, "id")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (PATH, "GET, POST"),
        (f"{PATH}/we_1", "GET, POST, DELETE"),
        (f"{PATH}/we_1/rotate_secret", "POST"),
        (f"{PATH}/we_1/deliveries", "GET"),
        ("/v1/webhook_event_types", "GET"),
    ],
)
def test_other_methods(tenant: str, path: str, allowed: str) -> None:
    answer = call("PATCH", path, tenant=tenant)
    assert (answer.status, answer.headers["allow"]) == (405, allowed)


def test_after_must_be_an_endpoint(tenant: str) -> None:
    rejected(call("GET", PATH, query={"after": "we_1"}, tenant=tenant), "after")
    rejected(call("GET", PATH, query={"limit": "0"}, tenant=tenant), "limit")


# --- a request's webhook


def test_a_request_s_webhook_is_shown_and_kept(queue: Deployment, tenant: str) -> None:
    made = create(tenant, webhook_url=URL, webhook_event_types=["video.failed"])
    assert made["webhook"] == {"url": URL, "event_types": ["video.failed"]}
    assert call("GET", f"/v1/videos/{made['id']}", tenant=tenant).json["webhook"] == made["webhook"]
    assert create(tenant)["webhook"] is None


def test_a_wrong_webhook_creates_nothing(queue: Deployment, tenant: str) -> None:
    body = {"prompt": "A bee", "webhook_url": "https://169.254.169.254/"}
    assert "not public" in rejected(call("POST", "/v1/videos", body=body, tenant=tenant), "webhook_url")
    assert call("GET", "/v1/videos", tenant=tenant).json["data"] == []


# --- deliveries


def deliver(tenant: str, endpoint: str, video: str, count: int = 1) -> list[str]:
    """Note deliveries that failed, the newest last."""
    webhooks, ids = stores.webhooks(settings()), []
    for number in range(count):
        event = WebhookEvent(
            id=f"evt_{uuid.uuid4().hex}", type=EventType.VIDEO_COMPLETED, created_at=1, data={"id": video}
        )
        made = webhooks.begin(new_delivery(tenant, endpoint, event, now_ms() + number))
        failed = Try(at_ms=1_790_000_000_000, took_ms=250, status=500, reason="answered 500")
        assert webhooks.note(made.tried(failed, jitter=1, gone=True), before=made)
        ids.append(made.id)
    return ids


def test_the_log_of_deliveries(tenant: str) -> None:
    endpoint = register(tenant)["id"]
    ids = deliver(tenant, endpoint, "video_1", count=3)
    path = f"{PATH}/{endpoint}/deliveries"
    page = call("GET", path, query={"limit": "2"}, tenant=tenant).json
    assert [one["id"] for one in page["data"]] == [ids[2], ids[1]]
    assert page["has_more"] is True
    rest = call("GET", path, query={"limit": "2", "after": page["last_id"]}, tenant=tenant).json
    assert [one["id"] for one in rest["data"]] == [ids[0]]
    assert rest["has_more"] is False
    [delivery] = rest["data"]
    assert delivery["object"] == "webhook_delivery"
    assert (delivery["state"], delivery["next_attempt_at"]) == ("failed", None)
    assert delivery["event"]["type"] == "video.completed"
    assert delivery["attempts"] == [
        {"at": 1_790_000_000, "took": 0.25, "status_code": 500, "reason": "answered 500"}
    ]
    rejected(call("GET", path, query={"after": "wd_1"}, tenant=tenant), "after")
    assert call("GET", f"{PATH}/{OF_REQUESTS}/deliveries", tenant=tenant).json["data"] == []


def test_a_delivery_is_sent_again_on_request(queue: Deployment, tenant: str) -> None:
    endpoint = register(tenant)["id"]
    [id_] = deliver(tenant, endpoint, create(tenant)["id"])
    path = f"{PATH}/{endpoint}/deliveries"
    answer = call("POST", f"{path}/{id_}/redeliver", tenant=tenant)
    assert answer.json["state"] == "pending"
    kept = stores.webhooks(settings()).delivery(tenant, endpoint, id_)
    assert kept
    assert (kept.state, kept.round) == (DeliveryState.PENDING, 2)
    url = settings().webhooks_queue_url
    [message] = client("sqs").receive_message(QueueUrl=url)["Messages"]
    client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert json.loads(message["Body"])["delivery"] == id_
    rejected(call("POST", f"{path}/wd_1/redeliver", tenant=tenant), "id", 404)
    call("POST", f"{PATH}/{endpoint}", body={"enabled": False}, tenant=tenant)
    assert "enable it" in rejected(call("POST", f"{path}/{id_}/redeliver", tenant=tenant), "id", 409)


def test_a_delivery_of_a_deleted_video_is_not_sent_again(tenant: str) -> None:
    endpoint = register(tenant)["id"]
    [id_] = deliver(tenant, endpoint, "video_1")
    rejected(call("POST", f"{PATH}/{endpoint}/deliveries/{id_}/redeliver", tenant=tenant), "id", 404)


def test_logs_have_no_secret_and_no_token(tenant: str, log: StringIO) -> None:
    made = register(tenant)
    call("POST", f"{PATH}/{made['id']}/rotate_secret", tenant=tenant)
    call("POST", PATH, body={"url": "https://10.0.0.1/?token=secret"}, tenant=tenant)
    assert made["id"] in log.getvalue()
    assert "token" not in log.getvalue()
    assert "whsec_" not in log.getvalue()

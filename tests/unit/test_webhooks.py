"""Events, secrets and the schedule of deliveries."""

import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from openai import InvalidWebhookSignatureError, OpenAI
from standardwebhooks import Webhook

from lambdas.domain.errors import InvalidRequest
from lambdas.domain.webhooks import (
    DEFAULT_EVENT_TYPES,
    LOG_SECONDS,
    OF_REQUESTS,
    ROTATION_MS,
    WINDOW_MS,
    Delivery,
    DeliveryState,
    DueTry,
    Endpoint,
    Endpoints,
    EventType,
    Try,
    WebhookEvent,
    endpoint_of_requests,
    new_delivery,
    new_endpoint,
    sample_event,
)
from lambdas.intake.fields import EditFields, ExtendFields, RemixFields, parse, parse_form, requested_webhook

NOW_MS = 1_790_000_000_000
VIDEO = f"video_{'1' * 32}"
URL = "https://example.com/hook?token=secret"


def a_detail(**changes: Any) -> dict[str, Any]:
    return {"id": VIDEO, "tenant": "acme", "attempt": 1, "at_ms": NOW_MS, "data": {}, **changes}


def an_event(type_: str = "video.completed", **changes: Any) -> WebhookEvent:
    return WebhookEvent.of(type_, a_detail(**changes))


def a_delivery() -> Delivery:
    return new_delivery("acme", "we_1", an_event(), NOW_MS)


def an_endpoint() -> Endpoint:
    return new_endpoint(URL, "mine", DEFAULT_EVENT_TYPES, NOW_MS)


def a_try(reason: str = "answered 500", at_ms: int = NOW_MS) -> Try:
    return Try(at_ms=at_ms, took_ms=0, status=None if reason else 200, reason=reason)


# --- events


@pytest.mark.parametrize("type_", ["video.completed", "video.failed"])
def test_bodies_are_openai_s(type_: str) -> None:
    event = an_event(type_)
    assert json.loads(event.body) == {
        "id": event.id,
        "object": "event",
        "type": type_,
        "created_at": NOW_MS // 1000,
        "data": {"id": VIDEO},
    }
    assert event.id.startswith("evt_")


def test_our_events_tell_where_the_film_waits_and_which_clip_is_done() -> None:
    waits = an_event("video.review", data={"gate": "previews", "until": 5})
    assert json.loads(waits.body)["data"] == {"id": VIDEO, "gate": "previews", "until": 5}
    clip = an_event("clip.completed", data={"clip": 2, "clips": 8})
    assert json.loads(clip.body)["data"] == {"id": VIDEO, "clip": 2, "clips": 8}


def test_an_event_that_arrives_twice_has_one_id_and_one_delivery() -> None:
    late = an_event(at_ms=NOW_MS + 5000)
    assert late.id == an_event().id
    assert new_delivery("acme", "we_1", late, NOW_MS + 1).id == a_delivery().id


@pytest.mark.parametrize(
    "other",
    [{"id": "video_2"}, {"tenant": "other"}, {"attempt": 2}, {"data": {"gate": "storyboard"}}],
)
def test_other_events_have_other_ids(other: dict[str, Any]) -> None:
    assert an_event(**other).id != an_event().id
    assert an_event("video.failed").id != an_event().id


def test_each_endpoint_has_a_delivery_of_its_own() -> None:
    assert new_delivery("acme", "we_2", an_event(), NOW_MS).id != a_delivery().id


@pytest.mark.parametrize("type_", list(EventType))
def test_samples_have_the_fields_of_real_events(type_: EventType) -> None:
    real = {
        EventType.VIDEO_REVIEW: {"id", "gate", "until"},
        EventType.CLIP_COMPLETED: {"id", "clip", "clips"},
    }
    assert set(sample_event(type_, NOW_MS).data) == real.get(type_, {"id"})


# --- secrets


def test_a_sample_is_of_no_video_and_of_now() -> None:
    samples = {type_: sample_event(type_, NOW_MS) for type_ in EventType}
    none = {"id": "video_" + 32 * "0"}
    for type_, sample in samples.items():
        assert (sample.type, sample.created_at, len(sample.id)) == (type_, NOW_MS // 1000, 36)
        assert sample.id.startswith("evt_")
    assert samples[EventType.VIDEO_REVIEW].data == {**none, "gate": "storyboard", "until": NOW_MS // 1000}
    assert samples[EventType.CLIP_COMPLETED].data == {**none, "clip": 0, "clips": 1}
    assert samples[EventType.VIDEO_COMPLETED].data == none


def test_a_secret_has_the_standard_s_form_and_is_new() -> None:
    first, second = an_endpoint().secrets[0].text, an_endpoint().secrets[0].text
    assert first.startswith("whsec_")
    assert first != second
    Webhook(first)


def test_after_a_rotation_both_secrets_sign_for_a_day() -> None:
    before = an_endpoint()
    after = before.rotated(NOW_MS, keep_old=True)
    [old], new = before.signing(NOW_MS), after.signing(NOW_MS)
    assert new[1:] == [old]
    assert after.signing(NOW_MS + ROTATION_MS - 1) == new
    assert after.signing(NOW_MS + ROTATION_MS) == new[:1]


def test_a_rotation_after_a_leak_ends_the_old_secret_at_once() -> None:
    after = an_endpoint().rotated(NOW_MS, keep_old=True).rotated(NOW_MS, keep_old=False)
    assert len(after.secrets) == len(after.signing(NOW_MS)) == 1


def test_a_second_rotation_does_not_prolong_the_first_secret() -> None:
    later = NOW_MS + ROTATION_MS // 2
    twice = an_endpoint().rotated(NOW_MS, keep_old=True).rotated(later, keep_old=True)
    assert len(twice.signing(later)) == 3
    assert len(twice.signing(NOW_MS + ROTATION_MS)) == 2


def test_many_rotations_keep_few_secrets() -> None:
    endpoint = an_endpoint()
    for _ in range(20):
        endpoint = endpoint.rotated(NOW_MS, keep_old=True)
    assert len(endpoint.secrets) == 5


def test_endpoints_are_replaced_added_and_removed_by_id() -> None:
    one, two = an_endpoint(), an_endpoint()
    both = Endpoints(tenant="acme").with_endpoint(one).with_endpoint(two)
    renamed = both.with_endpoint(one.model_copy(update={"name": "renamed"}))
    assert [found.name for found in renamed.endpoints] == ["renamed", "mine"]
    assert renamed.without(one.id).endpoints == (two,)
    own = renamed.with_endpoint(endpoint_of_requests(NOW_MS))
    assert own.endpoints == renamed.endpoints
    assert own.find(OF_REQUESTS) == own.of_requests


def test_a_disabled_endpoint_takes_nothing() -> None:
    endpoint = an_endpoint()
    assert endpoint.takes(EventType.VIDEO_FAILED)
    assert not endpoint.takes(EventType.CLIP_COMPLETED)
    assert not endpoint.model_copy(update={"disabled_ms": NOW_MS}).takes(EventType.VIDEO_FAILED)


# --- the schedule


def schedule(jitter: float = 1.0, took_ms: int = 0) -> list[int]:
    """When the tries of a delivery are made that always fails, in ms after the first."""
    delivery, at_ms, times = a_delivery(), NOW_MS, [0]
    while True:
        one = Try(at_ms=at_ms, took_ms=took_ms, status=500, reason="answered 500")
        delivery = delivery.tried(one, jitter=jitter)
        if delivery.next_ms is None:
            assert delivery.state is DeliveryState.FAILED
            return times
        at_ms = delivery.next_ms
        times.append(at_ms - NOW_MS)


def test_pauses_grow_over_a_day() -> None:
    times = schedule()
    assert [time // 1000 for time in times[:6]] == [0, 5, 25, 105, 425, 1705]
    assert times[-1] == WINDOW_MS
    assert len(times) == 11
    assert max(b - a for a, b in pairwise(times)) == 6 * 3_600_000


@pytest.mark.parametrize("jitter", [0.9, 1.1])
@pytest.mark.parametrize("took_ms", [0, 15_000])
def test_jitter_and_slow_answers_stay_within_the_day(jitter: float, took_ms: int) -> None:
    times = schedule(jitter, took_ms)
    assert times[-1] == WINDOW_MS
    assert 10 <= len(times) <= 13
    assert all(a < b for a, b in pairwise(times))


def test_a_taken_event_is_delivered() -> None:
    after = a_delivery().tried(a_try(reason=""), jitter=1)
    assert (after.state, after.next_ms, after.made) == (DeliveryState.DELIVERED, None, 1)


def test_a_receiver_may_ask_for_a_longer_pause_but_not_beyond_the_day() -> None:
    waits = a_delivery().tried(a_try(), jitter=1, retry_after_ms=120_000)
    assert waits.next_ms == NOW_MS + 120_000
    assert a_delivery().tried(a_try(), jitter=1, retry_after_ms=1000).next_ms == NOW_MS + 5000
    assert a_delivery().tried(a_try(), jitter=1, retry_after_ms=10**9).next_ms == NOW_MS + WINDOW_MS


def test_a_receiver_that_is_gone_gets_no_more() -> None:
    after = a_delivery().tried(a_try(), jitter=1, gone=True)
    assert (after.state, after.next_ms) == (DeliveryState.FAILED, None)


def test_a_new_round_begins_at_once_and_lasts_a_day() -> None:
    later = NOW_MS + 3 * WINDOW_MS
    again = a_delivery().tried(a_try(), jitter=1, gone=True).begun_again(later)
    assert (again.state, again.round, again.made, again.next_ms) == (DeliveryState.PENDING, 2, 0, later)
    assert again.tried(a_try(at_ms=later), jitter=1).state is DeliveryState.PENDING
    assert len(again.tries) == 1, "the log keeps the tries of earlier rounds"


def test_a_new_round_forgets_why_it_was_cancelled() -> None:
    cancelled = a_delivery().cancelled("its endpoint was deleted")
    assert (cancelled.state, cancelled.next_ms) == (DeliveryState.CANCELLED, None)
    assert cancelled.reason == "its endpoint was deleted"
    again = cancelled.begun_again(NOW_MS + 1)
    assert (again.reason, again.began_ms, again.round) == ("", NOW_MS + 1, cancelled.round + 1)


def test_a_message_says_which_try_it_is() -> None:
    delivery = a_delivery().tried(a_try(), jitter=1).model_copy(update={"round": 3})
    told = {"tenant": delivery.tenant, "endpoint": delivery.endpoint, "delivery": delivery.id, "round": 3}
    due = DueTry.of(delivery)
    assert due.model_dump() == {**told, "made": 1, "due_ms": delivery.next_ms, "again": False}
    assert DueTry.of(delivery.cancelled("gone"), again=True).model_dump() == {
        **told,
        "made": 1,
        "due_ms": 0,
        "again": True,
    }


def test_the_log_keeps_the_latest_tries() -> None:
    delivery = a_delivery()
    for number in range(30):
        delivery = delivery.tried(a_try(at_ms=NOW_MS + number), jitter=1)
    assert len(delivery.tries) == 20
    assert delivery.tries[-1].at_ms == NOW_MS + 29


def test_the_log_outlives_the_tries() -> None:
    assert LOG_SECONDS * 1000 > 2 * WINDOW_MS


# --- the fields of a request


def test_fields_of_a_webhook() -> None:
    assert requested_webhook(parse({"prompt": "x"}), loopback=False) is None
    found = requested_webhook(parse({"prompt": "x", "webhook_url": URL}), loopback=False)
    assert found is not None
    assert (found.url, found.event_types) == (URL, DEFAULT_EVENT_TYPES)


@pytest.mark.parametrize(
    "types",
    [["clip.completed", "video.failed"], "clip.completed, video.failed", '["clip.completed","video.failed"]'],
)
def test_event_types_are_a_list_or_its_text(types: Any) -> None:
    fields = parse({"prompt": "x", "webhook_url": URL, "webhook_event_types": types})
    found = requested_webhook(fields, loopback=False)
    assert found
    assert list(found.event_types) == ["clip.completed", "video.failed"]


@pytest.mark.parametrize("form", [RemixFields, EditFields, ExtendFields])
def test_derived_videos_have_webhooks_too(form: type[RemixFields]) -> None:
    given = {"prompt": "x", "webhook_url": URL} | ({"seconds": 4} if form is ExtendFields else {})
    found = requested_webhook(parse_form(form, given), loopback=False)
    assert found
    assert found.url == URL


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"webhook_url": "http://example.com/"}, "webhook_url must be an https:// URL"),
        ({"webhook_url": 7}, "webhook_url must be an https:// URL"),
        ({"webhook_url": "https://10.0.0.1/"}, "its host is not public"),
        ({"webhook_event_types": ["video.failed"]}, "must be omitted without webhook_url"),
        ({"webhook_url": URL, "webhook_event_types": []}, "webhook_event_types must be a list of"),
        ({"webhook_url": URL, "webhook_event_types": ["video.started"]}, "got "),
        ({"webhook_url": URL, "webhook_event_types": 2 * ["video.failed"]}, "each at most once"),
    ],
)
def test_wrong_fields_of_a_webhook(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as refused:
        requested_webhook(parse({"prompt": "x", **fields}), loopback=False)
    assert refused.value.param in fields


# --- other people's libraries agree with the bodies (the end-to-end tests verify deliveries)


def test_openai_s_client_refuses_a_changed_body() -> None:
    event, secret, now = an_event(), an_endpoint().secrets[0].text, datetime.now(UTC)
    headers = {
        "webhook-id": event.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(event.id, now, event.body),
    }
    client = OpenAI(api_key="x", webhook_secret=secret)
    assert client.webhooks.unwrap(event.body, headers).id == event.id
    with pytest.raises(InvalidWebhookSignatureError):
        client.webhooks.unwrap(event.body.replace("1", "2"), headers)

"""Quotas and usage over a local AWS: what is counted, exactly once, whatever happens to a film."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import uuid4

import openai
import pytest

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.items import item_key
from lambdas.adapters.videos import Videos, now_ms
from lambdas.api.request import settings
from lambdas.domain import keys
from lambdas.domain.errors import QuotaExceeded, VideoClosed
from lambdas.domain.quotas import Counters, Quotas, day_of, month_of
from lambdas.domain.stages import Stage
from lambdas.domain.usage import Usage, total
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipProgress, ClipState, Failure
from lambdas.intake.accept import Intake
from lambdas.intake.drop_folder import DropFolder
from tests.cloud.deployment import Deployment
from tests.cloud.rest import Answer, call, create, gateway
from tests.cloud.servers import serving

FAILURE = Failure(step="RenderClip", code="EngineFailed", reason="It crashed.", advice="Retry.")


@pytest.fixture
def tenant(aws: Deployment) -> Iterator[str]:
    """A tenant of the test's own; the queue is emptied behind it."""
    yield f"tenant-{uuid4().hex[:8]}"
    aws.messages()


def videos() -> Videos:
    return stores.videos(settings())


def counters(tenant: str) -> Counters:
    return videos().counters.now(tenant, now_ms())


def used(tenant: str) -> Usage:
    return total(one.usage for one in videos().counters.usage([month_of(now_ms())], tenant))


def post(tenant: str, path: str = "/v1/videos", **fields: Any) -> Answer:
    return call("POST", path, body={"prompt": "A bee", "seconds": "12", **fields}, tenant=tenant)


def made(tenant: str, **fields: Any) -> str:
    return str(create(tenant, seconds="12", **fields)["id"])  # two clips


def rendered(tenant: str, id_: str, *costs: float | None) -> None:
    """Render the film's clips as its tasks do, each at a cost; None: it is reused."""
    videos().advance(tenant, id_, Stage.PLANNING)
    waiting = [ClipProgress(seconds=6) for _ in costs]
    videos().advance(tenant, id_, Stage.RENDERING, clips=waiting)
    for index, cost in enumerate(costs):
        done = ClipProgress(
            seconds=6, state=ClipState.DONE, reused=cost is None, cost=cost or 0.0, finished_ms=now_ms()
        )
        videos().update_entry(tenant, id_, "clips", index, done)


def completed(tenant: str, id_: str) -> Video:
    for stage in (Stage.ASSEMBLING, Stage.PUBLISHING, Stage.COMPLETED):
        video = videos().advance(tenant, id_, stage)
    return video


# --- what a quota refuses


def test_of_50_creates_at_once_exactly_as_many_are_accepted_as_may_be_in_flight(
    aws: Deployment, tenant: str
) -> None:
    aws.tenants.set(tenant, Quotas(videos_in_flight=10))

    def one(number: int) -> str | None:
        try:
            return Intake(settings()).accept(tenant, {"prompt": f"Bee {number}"}).id
        except QuotaExceeded:
            return None

    with ThreadPoolExecutor(50) as clients:
        accepted = {id_ for id_ in clients.map(one, range(50)) if id_}
    assert len(accepted) == 10
    assert {message["video_id"] for message in aws.messages()} == accepted, "nothing refused was queued"
    assert counters(tenant).videos_in_flight == 10


def test_a_refusal_names_the_quota_and_says_when_to_come_back(aws: Deployment, tenant: str) -> None:
    aws.tenants.set(tenant, Quotas(videos_per_minute=2, videos_in_flight=5))
    first = post(tenant)
    assert first.headers["x-ratelimit-remaining-videos-per-minute"] == "1"
    assert first.headers["x-ratelimit-remaining-videos-in-flight"] == "4"
    assert post(tenant).status == 200
    refused = post(tenant)
    assert refused.status == 429
    error = refused.error
    assert (error["code"], error["param"]) == ("rate_limit_exceeded", "videos_per_minute")
    assert error["type"] == "rate_limit_error"
    assert 0 < int(refused.headers["retry-after"]) <= 30
    assert refused.headers["x-ratelimit-remaining-videos-per-minute"] == "0"
    assert "x-should-retry" not in refused.headers
    assert len(aws.messages()) == 2
    assert counters(tenant).videos_in_flight == 2


def test_a_film_that_does_not_fit_into_the_day_is_refused_and_no_file_of_it_is_kept(
    aws: Deployment, tenant: str
) -> None:
    aws.tenants.set(tenant, Quotas(clips_per_day=3))
    assert post(tenant).status == 200
    refused = post(tenant)
    assert (refused.status, refused.error["code"], refused.error["param"]) == (
        429,
        "quota_exceeded",
        "clips_per_day",
    )
    assert refused.headers["x-should-retry"] == "false"
    assert int(refused.headers["retry-after"]) <= 86_400
    assert post(tenant, seconds="6").status == 200
    assert counters(tenant).clips == 3
    assert aws.keys("input", f"uploads/{tenant}/") == set()


def test_money_is_estimated_at_first_and_then_what_it_was(aws: Deployment, tenant: str) -> None:
    aws.tenants.set(tenant, Quotas(usd_per_month=0.01))
    id_ = made(tenant)
    estimated = counters(tenant).usd
    assert 0 < estimated < Decimal("0.01")
    rendered(tenant, id_, 0.004, 0.0035)
    completed(tenant, id_)
    assert counters(tenant).usd == Decimal("0.0075")
    refused = post(tenant, seconds="120")
    assert (refused.status, refused.error["param"]) == (429, "usd_per_month")
    assert "0.0025 USD are left" in refused.error["message"]


def test_the_deployments_quotas_apply_to_tenants_without_their_own(aws: Deployment, tenant: str) -> None:
    limited = aws.settings.model_copy(update={"quotas": '{"videos_in_flight": 1}'})
    Intake(limited).accept(tenant, {"prompt": "A bee"})
    with pytest.raises(QuotaExceeded):
        Intake(limited).accept(tenant, {"prompt": "A bee"})
    aws.tenants.set(tenant, Quotas(videos_in_flight=2))
    Intake(limited).accept(tenant, {"prompt": "A bee"})
    aws.tenants.unset(tenant)
    with pytest.raises(QuotaExceeded):
        Intake(limited).accept(tenant, {"prompt": "A bee"})


@pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
def test_openais_client_waits_for_a_rate_but_not_for_a_day(aws: Deployment, tenant: str) -> None:
    aws.tenants.set(tenant, Quotas(videos_per_minute=60, clips_per_day=4))
    with serving(gateway(tenant)) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="x") as api:
        waited = api.with_options(max_retries=1)
        full = now_ms() + 60_000
        item = item_key(*keys.in_flight_item(tenant))
        client("dynamodb").put_item(
            TableName="videos", Item={**item, "in_flight": {"N": "0"}, "full_ms": {"N": str(full)}}
        )
        assert waited.videos.create(prompt="A bee", model="animatic").status == "queued"  # a second later
        with pytest.raises(openai.RateLimitError) as refused:
            waited.videos.create(prompt="A bee", model="animatic", extra_body={"seconds": "60"})
    assert refused.value.code == "quota_exceeded"
    assert refused.value.response.request.headers["x-stainless-retry-count"] == "0"


def test_a_dropped_prompt_over_quota_gets_its_error_file(aws: Deployment, tenant: str) -> None:
    aws.tenants.set(tenant, Quotas(videos_in_flight=0))
    key = f"drop/{tenant}/bee.txt"
    etag = client("s3").put_object(Bucket="input", Key=key, Body=b"A bee")["ETag"].strip('"')
    DropFolder(aws.settings, pair_seconds=0).take(key, etag)
    error = json.loads(stores.outputs(aws.settings).get(keys.drop_result(key, "error.json")))
    assert (error["code"], error["field"]) == ("quota_exceeded", "videos_in_flight")
    assert aws.messages() == []


# --- what is counted, once


def test_a_repeated_create_counts_once_and_is_answered_over_quota(aws: Deployment, tenant: str) -> None:
    aws.tenants.set(tenant, Quotas(videos_in_flight=1, videos_per_minute=1))
    key = {"idempotency-key": "k1"}
    first = create(tenant, headers=key)
    assert create(tenant, headers=key) == first
    with ThreadPoolExecutor(8) as clients:
        repeat = {"prompt": "A bee"}
        again = clients.map(lambda _: Intake(settings()).accept(tenant, repeat, nonce="k1"), range(8))
        assert {video.id for video in again} == {first["id"]}
    assert counters(tenant).videos_in_flight == 1


def test_the_same_new_create_sent_twice_at_once_counts_once(aws: Deployment, tenant: str) -> None:
    aws.tenants.set(tenant, Quotas(videos_in_flight=1))
    with ThreadPoolExecutor(8) as clients:
        both = clients.map(lambda _: Intake(settings()).accept(tenant, {"prompt": "A"}, nonce="k2"), range(8))
        assert len({video.id for video in both}) == 1
    assert counters(tenant).videos_in_flight == 1


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled", "deleted"])
def test_every_end_frees_the_place_once(aws: Deployment, tenant: str, end: str) -> None:
    id_ = made(tenant)
    before = counters(tenant)
    assert (before.videos_in_flight, before.clips) == (1, 2)
    rendered(tenant, id_, 0.5, None)
    match end:
        case "completed":
            completed(tenant, id_)
        case "failed":
            videos().advance(tenant, id_, Stage.FAILED, failure=FAILURE)
        case "cancelled":
            assert call("POST", f"/v1/videos/{id_}/cancel", tenant=tenant).status == 200
            assert call("POST", f"/v1/videos/{id_}/cancel", tenant=tenant).status == 409
        case "deleted":
            assert call("DELETE", f"/v1/videos/{id_}", tenant=tenant).status == 200
    after = counters(tenant)
    assert (after.videos_in_flight, after.clips, after.usd) == (0, 1, Decimal("0.5"))
    done = end == "completed"
    assert used(tenant) == Usage(
        films=int(done), failed=int(not done), clips=1, seconds=12 * done, usd=Decimal("0.5")
    )
    assert call("DELETE", f"/v1/videos/{id_}", tenant=tenant).status == (404 if end == "deleted" else 200)
    assert (counters(tenant), used(tenant).films) == (after, int(done))


def test_two_who_end_a_film_at_once_free_its_place_once(aws: Deployment, tenant: str) -> None:
    id_ = made(tenant)

    def cancels(_: int) -> bool:
        try:
            videos().advance(tenant, id_, Stage.CANCELLED)
        except VideoClosed:
            return False
        return True

    with ThreadPoolExecutor(8) as ends:
        assert sum(ends.map(cancels, range(8))) == 1
    assert counters(tenant)._replace(full_ms=0) == Counters()
    assert used(tenant).failed == 1


def test_a_retry_counts_again_with_the_clips_that_are_missing(aws: Deployment, tenant: str) -> None:
    aws.tenants.set(tenant, Quotas(videos_in_flight=1, clips_per_day=9))
    id_ = made(tenant)
    rendered(tenant, id_, 0.5, None)
    half = videos().get(tenant, id_)
    videos().amend(half, clips=[half.clips[0], ClipProgress(seconds=6)])
    videos().advance(tenant, id_, Stage.FAILED, failure=FAILURE)
    assert counters(tenant).clips == 1
    assert call("POST", f"/v1/videos/{id_}/retry", tenant=tenant).status == 200
    assert (counters(tenant).videos_in_flight, counters(tenant).clips) == (1, 2)
    assert call("POST", f"/v1/videos/{id_}/retry", tenant=tenant).status == 200, "a repeated call"
    assert counters(tenant).videos_in_flight == 1
    refused = post(tenant)
    assert refused.error["param"] == "videos_in_flight"
    rendered(tenant, id_, None, 0.25)
    completed(tenant, id_)
    assert used(tenant) == Usage(films=1, failed=1, clips=2, seconds=12, usd=Decimal("0.75"))
    assert (counters(tenant).clips, counters(tenant).usd) == (2, Decimal("0.75"))


def test_a_retry_over_quota_is_refused_and_leaves_the_film_as_it_is(aws: Deployment, tenant: str) -> None:
    id_ = made(tenant)
    videos().advance(tenant, id_, Stage.FAILED, failure=FAILURE)
    aws.tenants.set(tenant, Quotas(videos_in_flight=0))
    refused = call("POST", f"/v1/videos/{id_}/retry", tenant=tenant)
    assert (refused.status, refused.error["param"]) == (429, "videos_in_flight")
    assert call("GET", f"/v1/videos/{id_}", tenant=tenant).json["stage"] == "failed"


def test_a_lost_attempt_keeps_its_place_and_its_cost_is_counted(aws: Deployment, tenant: str) -> None:
    id_ = made(tenant)
    rendered(tenant, id_, 0.5, None)
    assert videos().requeue(videos().get(tenant, id_)) is not None
    assert (counters(tenant).videos_in_flight, used(tenant)) == (1, Usage(clips=1, usd=Decimal("0.5")))
    rendered(tenant, id_, None, 0.25)
    completed(tenant, id_)
    assert counters(tenant).videos_in_flight == 0
    assert counters(tenant).usd == used(tenant).usd == Decimal("0.75")


def test_upkeeps_stamp_counts_nothing(aws: Deployment, tenant: str) -> None:
    id_ = made(tenant)
    before = counters(tenant)
    assert videos().amend(videos().get(tenant, id_)) is not None
    assert (counters(tenant), used(tenant)) == (before, Usage())


def test_counters_that_were_lost_are_restored_with_the_records(aws: Deployment, tenant: str) -> None:
    ended, open_ = made(tenant), made(tenant)
    rendered(tenant, ended, 0.5, None)
    completed(tenant, ended)
    before = counters(tenant), used(tenant)
    day = day_of(now_ms())
    lost = [
        keys.video_item(tenant, ended),
        keys.video_item(tenant, open_),
        keys.in_flight_item(tenant),
        keys.month_item(tenant, day[:7]),
        keys.usage_item(tenant, day, "animatic"),
    ]
    for item in lost:
        client("dynamodb").delete_item(TableName="videos", Key=item_key(*item))
    assert counters(tenant) == Counters()
    for id_ in (ended, open_):
        assert videos().restore(keys.video_record(tenant, id_)) is not None
        assert videos().restore(keys.video_record(tenant, id_)) is None
    assert (counters(tenant), used(tenant)) == before


def test_a_film_accepted_before_quotas_were_counted_ends_without_freeing_a_place(
    aws: Deployment, tenant: str
) -> None:
    id_ = made(tenant)
    old = videos().get(tenant, id_).model_copy(update={"reserved": None, "id": "video_" + uuid4().hex})
    videos().create(old)
    videos().advance(tenant, old.id, Stage.CANCELLED)
    assert counters(tenant).videos_in_flight == 1
    assert used(tenant).failed == 1


def test_a_record_expires_only_once_it_has_ended(aws: Deployment, tenant: str) -> None:
    id_ = made(tenant)

    def item() -> dict[str, Any]:
        key = item_key(*keys.video_item(tenant, id_))
        return dict(client("dynamodb").get_item(TableName="videos", Key=key)["Item"])

    assert "expires" not in item()
    videos().advance(tenant, id_, Stage.CANCELLED)
    assert int(item()["expires"]["N"]) > now_ms() // 1000
    videos().requeue(videos().get(tenant, id_))
    assert "expires" not in item()


# --- usage


def usage(tenant: str, **query: str) -> Answer:
    return call("GET", "/v1/usage", query=query, tenant=tenant)


def counted(tenant: str, day: str, engine: str, usd: str, films: int = 1) -> None:
    """Write usage as it was counted on a day."""
    item = item_key(*keys.usage_item(tenant, day, engine))
    sums = {"films": {"N": str(films)}, "clips": {"N": "2"}, "seconds": {"N": "12"}, "usd": {"N": usd}}
    client("dynamodb").put_item(TableName="videos", Item={**item, **sums})


def test_usage_adds_up_to_what_the_records_cost(aws: Deployment, tenant: str) -> None:
    aws.tenants.set(tenant, Quotas(videos_in_flight=4))
    films = [made(tenant), made(tenant, model="cogvideox-2b"), made(tenant)]
    rendered(tenant, films[0], 0.1, 0.2)
    completed(tenant, films[0])
    rendered(tenant, films[1], 0.4, None)
    videos().advance(tenant, films[1], Stage.FAILED, failure=FAILURE)
    rendered(tenant, films[2], None, None)  # it is still being made
    cost = sum(call("GET", f"/v1/videos/{id_}", tenant=tenant).json["cost"] for id_ in films)
    answer = usage(tenant)
    today = day_of(now_ms())
    assert answer.json["data"] == [
        {
            "id": f"{today}/animatic", "object": "usage", "day": today, "engine": "animatic",
            "films": 1, "failed": 0, "clips": 2, "seconds": 12, "unknown": 0, "cost": 0.3,
        },
        {
            "id": f"{today}/cogvideox-2b", "object": "usage", "day": today, "engine": "cogvideox-2b",
            "films": 0, "failed": 1, "clips": 1, "seconds": 0, "unknown": 0, "cost": 0.4,
        },
    ]  # fmt: skip
    assert answer.json["total"]["cost"] == pytest.approx(cost) == pytest.approx(0.7)
    assert (answer.json["first_day"], answer.json["last_day"]) == (today[:8] + "01", today)
    assert answer.json["quotas"] == [
        {"quota": "videos_in_flight", "limit": 4, "remaining": 3, "resets_at": None}
    ]


def test_usage_of_some_days_by_group_and_page(aws: Deployment, tenant: str) -> None:
    for day in ("2025-12-31", "2026-01-01", "2026-01-02"):
        counted(tenant, day, "animatic", "0.1")
        counted(tenant, day, "cogvideox-2b", "0.2", films=2)
    counted(tenant, "2026-01-03", "animatic", "9")
    counted(f"{tenant}-2", "2026-01-01", "animatic", "9")
    days = {"from": "2025-12-31", "to": "2026-01-02"}
    by_engine = usage(tenant, **days, group_by="engine").json
    assert [(row["id"], row["films"], row["cost"]) for row in by_engine["data"]] == [
        ("animatic", 3, 0.3),
        ("cogvideox-2b", 6, 0.6),
    ]
    (of_tenant,) = usage(tenant, **days, group_by="tenant").json["data"]
    assert (of_tenant["tenant"], of_tenant["cost"]) == (tenant, 0.9)
    rows: list[str] = []
    more: dict[str, str] = {}
    while True:
        page = usage(tenant, **days, limit="4", **more).json
        assert page["total"]["cost"] == 0.9, "of all pages"
        rows += [row["id"] for row in page["data"]]
        if not page["has_more"]:
            break
        more = {"after": page["last_id"]}
    assert len(rows) == 6
    assert rows == sorted(set(rows))
    assert usage(tenant, **{"from": "2024-01-01", "to": "2024-01-31"}).json["data"] == []


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-02-30"}, "to"),
        ({"to": "2026-1-1"}, "to"),
        ({"from": "2026-02-01", "to": "2026-01-01"}, "from"),
        ({"from": "2024-01-01", "to": "2026-01-01"}, "from"),
        ({"group_by": "model"}, "group_by"),
        ({"group_by": ""}, "group_by"),
        ({"limit": "0"}, "limit"),
    ],
)
def test_a_wrong_question_about_usage(
    aws: Deployment, tenant: str, query: dict[str, str], param: str
) -> None:
    answer = usage(tenant, **query)
    assert (answer.status, answer.error["param"]) == (400, param)

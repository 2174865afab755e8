"""What quotas allow, and what a film is estimated to ask of them."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from lambdas.domain.errors import QuotaExceeded
from lambdas.domain.quotas import (
    Counters,
    Demand,
    Quotas,
    Reservation,
    amount,
    check,
    headers,
    interval_ms,
    latest_full_ms,
    states,
)

NOW = int(datetime(2026, 11, 30, 23, 59, 30, tzinfo=UTC).timestamp() * 1000)
FILM = Demand(clips=3, usd=Decimal("0.5"))


def refused(quotas: Quotas, counters: Counters, demand: Demand = FILM) -> QuotaExceeded:
    with pytest.raises(QuotaExceeded) as refusal:
        check(quotas, counters, demand, NOW)
    assert refusal.value.status == 429
    return refusal.value


def test_without_quotas_everything_is_allowed() -> None:
    check(Quotas(), Counters(10**9, NOW * 2, 10**9, Decimal(10**9)), FILM, NOW)
    assert headers(Quotas(), Counters(), NOW) == {}


@pytest.mark.parametrize("rate", [1, 7, 60, 10_000])
def test_as_many_requests_as_in_a_minute_may_come_at_once_and_then_one_per_interval(rate: int) -> None:
    full, accepted = 0, 0
    while full <= latest_full_ms(rate, NOW):
        check(Quotas(videos_per_minute=rate), Counters(full_ms=full), FILM, NOW)
        full = max(full, NOW) + interval_ms(rate)
        accepted += 1
    assert accepted == rate
    error = refused(Quotas(videos_per_minute=rate), Counters(full_ms=full))
    assert (error.code, error.param, error.should_retry) == ("rate_limit_exceeded", "videos_per_minute", True)
    assert error.retry_after == -(-interval_ms(rate) // 1000) <= 60
    assert error.headers["x-ratelimit-remaining-videos-per-minute"] == "0"
    check(Quotas(videos_per_minute=rate), Counters(full_ms=full), FILM, NOW + interval_ms(rate))


def test_films_in_flight_are_limited() -> None:
    quotas = Quotas(videos_in_flight=2)
    check(quotas, Counters(videos_in_flight=1), FILM, NOW)
    error = refused(quotas, Counters(videos_in_flight=2))
    assert (error.code, error.param, error.should_retry) == ("quota_exceeded", "videos_in_flight", True)
    assert 0 < error.retry_after <= 60  # OpenAI's client waits at most that long as told
    assert "cancel one" in error.message


@pytest.mark.parametrize(
    ("quotas", "last", "full", "reset"),
    [
        (Quotas(clips_per_day=10), Counters(clips=7), Counters(clips=8), "2026-12-01T00:00:00Z"),
        (
            Quotas(usd_per_month=2),
            Counters(usd=Decimal("1.5")),
            Counters(usd=Decimal("1.500000001")),
            "2026-12-01T00:00:00Z",
        ),
    ],
)
def test_a_film_must_fit_into_what_is_left(
    quotas: Quotas, last: Counters, full: Counters, reset: str
) -> None:
    check(quotas, last, FILM, NOW)
    error = refused(quotas, full)
    assert error.code == "quota_exceeded"
    assert reset in error.message
    assert error.should_retry is False
    assert error.retry_after == 30


def test_a_quota_of_nothing_allows_nothing() -> None:
    assert refused(Quotas(videos_in_flight=0), Counters()).param == "videos_in_flight"
    assert refused(Quotas(clips_per_day=0), Counters()).param == "clips_per_day"
    assert refused(Quotas(usd_per_month=0), Counters()).param == "usd_per_month"
    check(Quotas(usd_per_month=0), Counters(), Demand(1, Decimal(0)), NOW)  # a film that costs nothing


def test_headers_say_what_is_left_and_when_it_resets() -> None:
    quotas = Quotas(videos_per_minute=60, videos_in_flight=3, clips_per_day=100, usd_per_month=2.5)
    counters = Counters(1, NOW + 1500, 40, Decimal("1.25"))
    assert headers(quotas, counters, NOW) == {
        "x-ratelimit-limit-videos-per-minute": "60",
        "x-ratelimit-remaining-videos-per-minute": "58",
        "x-ratelimit-reset-videos-per-minute": "1.5s",
        "x-ratelimit-limit-videos-in-flight": "3",
        "x-ratelimit-remaining-videos-in-flight": "2",
        "x-ratelimit-limit-clips-per-day": "100",
        "x-ratelimit-remaining-clips-per-day": "60",
        "x-ratelimit-reset-clips-per-day": "30s",
        "x-ratelimit-limit-usd-per-month": "2.5",
        "x-ratelimit-remaining-usd-per-month": "1.25",
        "x-ratelimit-reset-usd-per-month": "30s",
    }


@pytest.mark.parametrize(
    ("now", "reset"), [((2026, 12, 31, 22, 0), "2h0m0s"), ((2028, 2, 29, 0, 0), "24h0m0s")]
)
def test_days_and_months_end_at_midnight_in_utc(now: tuple[int, ...], reset: str) -> None:
    at = int(datetime(*now, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type,misc]
    found = headers(Quotas(clips_per_day=1, usd_per_month=1), Counters(), at)
    assert found["x-ratelimit-reset-clips-per-day"] == reset
    assert found["x-ratelimit-reset-usd-per-month"] == reset


def test_more_than_the_quota_was_used_leaves_nothing() -> None:
    quotas = Quotas(videos_in_flight=1, clips_per_day=1, usd_per_month=1)
    used = Counters(5, 0, 5, Decimal(5))
    assert [state.remaining for state in states(quotas, used, NOW)] == [0, 0, 0]


def test_a_tenants_own_quotas_override_the_deployments_one_by_one() -> None:
    deployment = Quotas(videos_in_flight=5, clips_per_day=100)
    own = Quotas.model_validate_json('{"clips_per_day": null, "videos_per_minute": 3}')
    assert deployment.with_own(own) == Quotas(videos_per_minute=3, videos_in_flight=5)
    assert deployment.with_own(None) == deployment


def test_a_reservation_survives_the_record() -> None:
    held = Reservation(at_ms=NOW, clips=3, usd=amount(0.1 + 0.2))
    assert held.usd == Decimal("0.3")
    assert Reservation.model_validate_json(held.model_dump_json()) == held
    assert (held.day, held.month) == ("2026-11-30", "2026-11")

"""A tenant's quotas: how many videos it may request, and what is counted for each.

| quota | counted | freed |
| --- | --- | --- |
| `videos_per_minute` | requests that start a film; as many at once as in a minute, then evenly | with time |
| `videos_in_flight` | films that have been accepted and have not ended | when the film ends |
| `clips_per_day` | clips: as planned while a film is made, then as rendered | at midnight, UTC |
| `usd_per_month` | cost by list prices: as estimated, then as it was | on the first of the month, UTC |

A film counts on the day and in the month in which it was accepted.
"""

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field

from lambdas.domain.documents import Document
from lambdas.domain.errors import QuotaExceeded

_MINUTE_MS = 60_000
_IN_FLIGHT_RETRY_SECONDS = 20  # films end at any time; OpenAI's client waits at most 60 s as told
_PLACES = Decimal("1e-9")  # of amounts in USD


class Quota(StrEnum):
    """The quotas by name, in the settings, errors and headers."""

    VIDEOS_PER_MINUTE = "videos_per_minute"
    VIDEOS_IN_FLIGHT = "videos_in_flight"
    CLIPS_PER_DAY = "clips_per_day"
    USD_PER_MONTH = "usd_per_month"


class Quotas(BaseModel):
    """A tenant's quotas; None: unlimited."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    videos_per_minute: Annotated[int, Field(ge=1, le=10_000)] | None = None
    videos_in_flight: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    clips_per_day: Annotated[int, Field(ge=0, le=10_000_000)] | None = None
    usd_per_month: Annotated[float, Field(ge=0, le=10_000_000, allow_inf_nan=False)] | None = None

    def with_own(self, own: "Quotas | None") -> Self:
        """Return these quotas with those that a tenant has of its own."""
        given = {} if own is None else own.model_dump(exclude_unset=True)
        return self.model_copy(update=given)


class Demand(NamedTuple):
    """What a film asks of its tenant's quotas: an estimate."""

    clips: int
    usd: Decimal


class Reservation(Document):
    """What a film that is being made holds of its tenant's quotas."""

    at_ms: int  # when it was accepted
    clips: int
    usd: Decimal

    @property
    def day(self) -> str:
        return day_of(self.at_ms)

    @property
    def month(self) -> str:
        return month_of(self.at_ms)


class Counters(NamedTuple):
    """What a tenant has used. `full_ms`: when its requests of a minute are all free again."""

    videos_in_flight: int = 0
    full_ms: int = 0
    clips: int = 0
    usd: Decimal = Decimal(0)


class State(NamedTuple):
    """How far a quota is used up. `reset_ms`: when it is whole again; None: when films end."""

    quota: Quota
    limit: int | float
    remaining: int | float
    reset_ms: int | None


def day_of(at_ms: int) -> str:
    """Return the day in UTC, as 2026-11-30."""
    return _utc(at_ms).date().isoformat()


def month_of(at_ms: int) -> str:
    """Return the month in UTC, as 2026-11."""
    return day_of(at_ms)[:7]


def amount(usd: float | Decimal) -> Decimal:
    """Return an amount in USD, exact to nine places."""
    return Decimal(str(usd)).quantize(_PLACES).normalize()


def interval_ms(videos_per_minute: int) -> int:
    return math.ceil(_MINUTE_MS / videos_per_minute)


def latest_full_ms(videos_per_minute: int, now_ms: int) -> int:
    """Return the latest `full_ms` of a tenant that may send one more request now.

    The generic cell rate algorithm: each request moves `full_ms` on by an interval, and a tenant may be a
    minute's requests ahead.
    """
    return now_ms + (videos_per_minute - 1) * interval_ms(videos_per_minute)


def states(quotas: Quotas, counters: Counters, now_ms: int) -> list[State]:
    """Return the state of each quota that limits the tenant."""
    found: list[State] = []
    if (rate := quotas.videos_per_minute) is not None:
        ahead = max(0, counters.full_ms - now_ms)
        remaining = max(0, rate - math.ceil(ahead / interval_ms(rate)))
        found.append(State(Quota.VIDEOS_PER_MINUTE, rate, remaining, now_ms + ahead))
    if (most := quotas.videos_in_flight) is not None:
        remaining = max(0, most - counters.videos_in_flight)
        found.append(State(Quota.VIDEOS_IN_FLIGHT, most, remaining, None))
    if (clips := quotas.clips_per_day) is not None:
        found.append(State(Quota.CLIPS_PER_DAY, clips, max(0, clips - counters.clips), _tomorrow_ms(now_ms)))
    if (usd := quotas.usd_per_month) is not None:
        left = max(Decimal(0), amount(usd) - counters.usd)
        found.append(State(Quota.USD_PER_MONTH, usd, float(left), _next_month_ms(now_ms)))
    return found


def check(quotas: Quotas, counters: Counters, demand: Demand, now_ms: int) -> None:
    """Raise QuotaExceeded, which names the quota, if a film doesn't fit into what is left."""
    try:
        _check(quotas, counters, demand, now_ms)
    except QuotaExceeded as error:
        error.headers = headers(quotas, counters, now_ms)
        raise


def _check(quotas: Quotas, counters: Counters, demand: Demand, now_ms: int) -> None:
    # The quota to wait for the longest comes first.
    for state in reversed(states(quotas, counters, now_ms)):
        match state.quota:
            case Quota.VIDEOS_PER_MINUTE if counters.full_ms > latest_full_ms(int(state.limit), now_ms):
                wait_ms = counters.full_ms - latest_full_ms(int(state.limit), now_ms)
                raise QuotaExceeded(
                    f"{state.quota} is {state.limit:,} for this tenant, and they are used up; try again in "
                    f"{math.ceil(wait_ms / 1000)} s.",
                    param=state.quota,
                    code="rate_limit_exceeded",
                    retry_after=math.ceil(wait_ms / 1000),
                )
            case Quota.VIDEOS_IN_FLIGHT if state.remaining < 1:
                raise QuotaExceeded(
                    f"{state.quota} is {state.limit:,} for this tenant, and {counters.videos_in_flight:,} "
                    "are in flight; wait until one ends, or cancel one.",
                    param=state.quota,
                    retry_after=_IN_FLIGHT_RETRY_SECONDS,
                )
            case Quota.CLIPS_PER_DAY if demand.clips > state.remaining:
                raise _used_up(state, f"needs {demand.clips:,} clips", f"{state.remaining:,}", now_ms)
            case Quota.USD_PER_MONTH if not _affords(state, counters, demand):
                needs = f"costs an estimated {demand.usd:.4f} USD"
                raise _used_up(state, needs, f"{state.remaining:.4f} USD", now_ms)


def _affords(state: State, counters: Counters, demand: Demand) -> bool:
    return counters.usd + demand.usd <= amount(state.limit)


def _used_up(state: State, needs: str, left: str, now_ms: int) -> QuotaExceeded:
    assert state.reset_ms is not None  # noqa: S101 - a day and a month have an end
    return QuotaExceeded(
        f"{state.quota} is {state.limit:,} for this tenant: this film {needs}, and {left} are left until "
        f"{_utc(state.reset_ms):%Y-%m-%dT%H:%M:%SZ}; make it shorter, or wait until then.",
        param=state.quota,
        retry_after=math.ceil((state.reset_ms - now_ms) / 1000),
        should_retry=False,
    )


def headers(quotas: Quotas, counters: Counters, now_ms: int) -> dict[str, str]:
    """Return the headers that tell a client how much is left, named as OpenAI's."""
    found: dict[str, str] = {}
    for state in states(quotas, counters, now_ms):
        name = state.quota.replace("_", "-")
        found[f"x-ratelimit-limit-{name}"] = f"{state.limit:g}" if state.limit % 1 else str(int(state.limit))
        found[f"x-ratelimit-remaining-{name}"] = f"{state.remaining:.6f}".rstrip("0").rstrip(".")
        if state.reset_ms is not None:
            found[f"x-ratelimit-reset-{name}"] = _duration(max(0, state.reset_ms - now_ms))
    return found


def _duration(ms: int) -> str:
    """Return a time as OpenAI's headers have it: 6m0s, 1.5s, 12ms."""
    if ms < 1000:
        return f"{ms}ms"
    minutes, rest = divmod(ms, _MINUTE_MS)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest / 1000:g}s"
    return f"{hours}h{minutes}m{seconds}" if hours else f"{minutes}m{seconds}" if minutes else seconds


def _tomorrow_ms(now_ms: int) -> int:
    return _ms(_utc(now_ms).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1))


def _next_month_ms(now_ms: int) -> int:
    first = _utc(now_ms).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return _ms((first + timedelta(days=32)).replace(day=1))


def _utc(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)

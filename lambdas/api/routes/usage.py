"""Route of a tenant's usage and quotas."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from pydantic import ConfigDict, Field

from lambdas.adapters import stores
from lambdas.api.answers import QuotaState, UsageAnswer
from lambdas.api.openai_format import usage_sums
from lambdas.api.operations import Routes
from lambdas.api.request import Query, query, settings, tenant
from lambdas.api.response import Response, answer
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.quotas import State
from lambdas.domain.usage import By, Usage, grouped, months_of, total
from lambdas.intake.tenant_quotas import TenantQuotas

_LONGEST_DAYS = 366
_SEPARATOR = "/"

routes = Routes("Usage", "What your tenant has used, and what is left of its quotas.")


class UsageQuery(Query):
    """Which days, and how to add up."""

    model_config = ConfigDict(populate_by_name=True, loc_by_alias=False)

    first: str | None = Field(
        default=None, alias="from", max_length=100, description="a day in UTC, for example 2026-11-30"
    )
    """The first day: by default, the first of the month."""
    to: str | None = Field(default=None, max_length=100, description="a day in UTC, for example 2026-11-30")
    """The last day: by default, today."""
    group_by: str = Field(
        default=f"{By.DAY},{By.ENGINE}",
        max_length=100,
        description=f"one or more of {', '.join(By)}, separated by commas",
    )
    after: str | None = Field(default=None, max_length=200, description="the id of a row")
    """The last row of the page before."""
    limit: int = Field(default=20, ge=1, le=100, description="a whole number from 1 to 100")
    """The most rows to return."""


@routes.get("/v1/usage", query=UsageQuery, answer=UsageAnswer)
def retrieve_usage() -> Response:
    """Retrieve your usage

    Counts films when they end, exactly once. A day's figures may still grow until it is over.
    """
    asked = query(UsageQuery)
    first, last = _days(asked)
    groups = _groups(asked.group_by)
    counters = stores.videos(settings()).counters
    within = [
        one
        for one in counters.usage(months_of(first, last), tenant())
        if first.isoformat() <= one.day <= last.isoformat()
    ]
    rows = grouped(within, groups)
    shown, has_more = _page(rows, asked)
    found: UsageAnswer = {
        "object": "list",
        "tenant": tenant(),
        "first_day": first.isoformat(),
        "last_day": last.isoformat(),
        "group_by": list(groups),
        "data": [_row(groups, key, rows[key]) for key in shown],
        "first_id": _id(shown[0]) if shown else None,
        "last_id": _id(shown[-1]) if shown else None,
        "has_more": has_more,
        "total": usage_sums(total(rows.values())),
        "quotas": [_quota(state) for state in TenantQuotas(settings()).states(tenant())],
    }
    return answer(found)


def _days(asked: UsageQuery) -> tuple[date, date]:
    """Return the first and the last day asked for: by default, from the first of the month to today."""
    today = datetime.now(UTC).date()
    last = _day("to", asked.to, today)
    first = _day("from", asked.first, last.replace(day=1))
    if not first <= last:
        raise InvalidRequest(f"from must not be after to, {last}; got {first}.", param="from")
    if (last - first).days >= _LONGEST_DAYS:
        raise InvalidRequest(
            f"from and to must be at most {_LONGEST_DAYS} days apart; got {first} and {last}.", param="from"
        )
    return first, last


def _day(name: str, text: str | None, default: date) -> date:
    if text is None:
        return default
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise InvalidRequest(
            f"{name} must be a day in UTC, for example 2026-11-30; got {text[:80]!r}.", param=name
        ) from None
    if len(text) != len("2026-11-30"):
        raise InvalidRequest(
            f"{name} must be a day in UTC, for example 2026-11-30; got {text[:80]!r}.", param=name
        )
    return day


def _groups(text: str) -> tuple[By, ...]:
    named = [name.strip() for name in text.split(",")]
    if not set(named) <= set(By):
        raise InvalidRequest(
            f"group_by must be one or more of {', '.join(By)}, separated by commas; got {text[:80]!r}.",
            param="group_by",
        )
    return tuple(by for by in By if by in named)


def _page(rows: Mapping[tuple[str, ...], Usage], asked: UsageQuery) -> tuple[Sequence[tuple[str, ...]], bool]:
    """Return the keys of the rows on the page, and whether there are more."""
    after = asked.after
    left = [key for key in rows if after is None or key > tuple(after.split(_SEPARATOR))]
    return left[: asked.limit], len(left) > asked.limit


def _id(key: tuple[str, ...]) -> str:
    return _SEPARATOR.join(key)


def _row(groups: tuple[By, ...], key: tuple[str, ...], sums: Usage) -> Any:
    return {"id": _id(key), "object": "usage", **dict(zip(groups, key, strict=True)), **usage_sums(sums)}


def _quota(state: State) -> QuotaState:
    """`resets_at`: seconds since the epoch; None: when films end."""
    return {
        "quota": state.quota,
        "limit": state.limit,
        "remaining": state.remaining,
        "resets_at": None if state.reset_ms is None else -(-state.reset_ms // 1000),
    }

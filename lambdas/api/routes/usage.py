"""Route of a tenant's usage and quotas."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from lambdas.adapters import stores
from lambdas.api.request import limit, query, settings, tenant
from lambdas.api.response import answer
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.quotas import State
from lambdas.domain.usage import By, Usage, grouped, months_of, total
from lambdas.intake.tenant_quotas import TenantQuotas

_LONGEST_DAYS = 366
_SEPARATOR = "/"

router = Router()  # type: ignore[no-untyped-call]


@router.get("/v1/usage")
def usage() -> Response[str]:
    first, last = _days()
    groups = _groups()
    counters = stores.videos(settings()).counters
    within = [
        one
        for one in counters.usage(months_of(first, last), tenant())
        if first.isoformat() <= one.day <= last.isoformat()
    ]
    rows = grouped(within, groups)
    shown, has_more = _page(rows)
    return answer(
        {
            "object": "list",
            "tenant": tenant(),
            "from": first.isoformat(),
            "to": last.isoformat(),
            "group_by": list(groups),
            "data": [_row(groups, key, rows[key]) for key in shown],
            "first_id": _id(shown[0]) if shown else None,
            "last_id": _id(shown[-1]) if shown else None,
            "has_more": has_more,
            "total": _sums(total(rows.values())),
            "quotas": [_quota(state) for state in TenantQuotas(settings()).states(tenant())],
        }
    )


def _days() -> tuple[date, date]:
    """Return the first and the last day asked for: by default, from the first of the month to today."""
    today = datetime.now(UTC).date()
    last = _day("to", today)
    first = _day("from", last.replace(day=1))
    if not first <= last:
        raise InvalidRequest(f"from must not be after to, {last}; got {first}.", param="from")
    if (last - first).days >= _LONGEST_DAYS:
        raise InvalidRequest(
            f"from and to must be at most {_LONGEST_DAYS} days apart; got {first} and {last}.", param="from"
        )
    return first, last


def _day(name: str, default: date) -> date:
    text = query(name, None)
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


def _groups() -> tuple[By, ...]:
    text = query("group_by", f"{By.DAY},{By.ENGINE}")
    named = [name.strip() for name in text.split(",")]
    if not set(named) <= set(By):
        raise InvalidRequest(
            f"group_by must be one or more of {', '.join(By)}, separated by commas; got {text[:80]!r}.",
            param="group_by",
        )
    return tuple(by for by in By if by in named)


def _page(rows: Mapping[tuple[str, ...], Usage]) -> tuple[Sequence[tuple[str, ...]], bool]:
    """Return the keys of the rows on the page, and whether there are more."""
    after = query("after", None)
    left = [key for key in rows if after is None or key > tuple(after.split(_SEPARATOR))]
    return left[: limit()], len(left) > limit()


def _id(key: tuple[str, ...]) -> str:
    return _SEPARATOR.join(key)


def _row(groups: tuple[By, ...], key: tuple[str, ...], sums: Usage) -> dict[str, Any]:
    return {"id": _id(key), "object": "usage", **dict(zip(groups, key, strict=True)), **_sums(sums)}


def _sums(sums: Usage) -> dict[str, Any]:
    named = sums._asdict()
    return {**{name: named[name] for name in named if name != "usd"}, "cost": float(sums.usd)}


def _quota(state: State) -> dict[str, Any]:
    """`resets_at`: seconds since the epoch; None: when films end."""
    return {
        "quota": state.quota,
        "limit": state.limit,
        "remaining": state.remaining,
        "resets_at": None if state.reset_ms is None else -(-state.reset_ms // 1000),
    }

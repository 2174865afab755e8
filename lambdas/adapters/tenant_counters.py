"""What a tenant has in flight and has used, counted in the transactions that change its videos' records.

A record says what its film holds of the quotas (`reserved`), so a counter changes exactly when a record does:
neither a kill nor a repeated call can count a film twice, or leave it counted.

    tenant's partition   quota              `in_flight`: its films; `full_ms`: see domain.quotas.Counters
                         quota#2026-11      `usd` of the month; `clips_30`: the clips of a day
    usage#2026-11        acme#2026-11-30#animatic   what the films that ended have used

A film counts in the month in which it was accepted; its usage, on the day when it ended.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from lambdas.adapters.clients import translated
from lambdas.adapters.items import item_key
from lambdas.adapters.transactions import Item
from lambdas.domain import keys, quotas
from lambdas.domain.quotas import Counters, Demand, Quotas, Reservation
from lambdas.domain.usage import DailyUsage, Usage, of_attempt
from lambdas.domain.video import Video

_DAY = 86_400  # seconds
_MONTH_KEPT = 62 * _DAY  # from a film's acceptance; films end within weeks
_USAGE_KEPT = 800 * _DAY  # two years, and what is left of a third month


class TenantCounters:
    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    # --- look

    def now(self, tenant: str, now_ms: int) -> Counters:
        """Return what a tenant has in flight, and has used this day and month."""
        with translated("get quotas"):
            found = self._dynamodb.query(
                TableName=self._table,
                KeyConditionExpression="pk = :tenant AND begins_with(sk, :quota)",
                ExpressionAttributeValues={
                    ":tenant": {"S": keys.tenant_partition(tenant)},
                    ":quota": {"S": keys.QUOTA},
                },
                ConsistentRead=True,
            )
        items = {item["sk"]["S"]: item for item in found["Items"]}
        flight = items.get(keys.in_flight_item(tenant)[1], {})
        month = items.get(keys.month_item(tenant, quotas.month_of(now_ms))[1], {})
        return Counters(
            videos_in_flight=int(_read(flight, "in_flight")),
            full_ms=int(_read(flight, "full_ms")),
            clips=int(_read(month, _clips_of(quotas.day_of(now_ms)))),
            usd=_read(month, "usd"),
        )

    def usage(self, months: list[str], tenant: str | None = None) -> Iterator[DailyUsage]:
        """Yield the usage of a tenant, or of all, in these months, in the order of month, tenant and day."""
        for month in months:
            values = {":month": {"S": keys.usage_partition(month)}}
            condition = "pk = :month"
            if tenant is not None:
                condition += " AND begins_with(sk, :tenant)"
                values[":tenant"] = {"S": f"{tenant}#"}
            with translated("get usage"):
                pages = self._dynamodb.get_paginator("query").paginate(
                    TableName=self._table,
                    KeyConditionExpression=condition,
                    ExpressionAttributeValues=values,
                    ConsistentRead=True,
                )
                for page in pages:
                    for item in page["Items"]:
                        names = keys.usage_in(item["sk"]["S"])
                        read = {name: _read(item, name) for name in Usage._fields}
                        whole = {name: int(value) for name, value in read.items() if name != "usd"}
                        yield DailyUsage(*names, Usage(**whole, usd=read["usd"]))

    # --- change: actions of a transaction that writes the video's record, too

    def reserve(self, video: Video, limits: Quotas, seen: Counters) -> list[Item]:
        """Return the actions by which a film takes its place, on condition that the quotas allow it.

        `seen`: the counters as they were read, which must allow it. The condition fails if others were
        faster.
        """
        held = video.reserved
        if held is None:
            return []
        flight = _Update(keys.in_flight_item(video.tenant))
        flight.add("in_flight", 1)
        if limits.videos_in_flight is not None:
            flight.at_most("in_flight", limits.videos_in_flight - 1)
        if (rate := limits.videos_per_minute) is not None:
            if seen.full_ms > held.at_ms:
                flight.add("full_ms", quotas.interval_ms(rate))
                flight.at_most("full_ms", quotas.latest_full_ms(rate, held.at_ms))
            else:
                flight.set("full_ms", held.at_ms + quotas.interval_ms(rate))
                flight.at_most("full_ms", held.at_ms)
        month = self._month(video.tenant, held, held.clips, held.usd)
        if limits.clips_per_day is not None:
            month.at_most(_clips_of(held.day), limits.clips_per_day - held.clips)
        if limits.usd_per_month is not None:
            month.at_most("usd", quotas.amount(limits.usd_per_month) - held.usd)
        return [flight.action(self._table), month.action(self._table)]

    def end(self, video: Video, held: Reservation | None, ended_ms: int, *, releases: bool) -> list[Item]:
        """Return the actions that count what a film's attempt has used.

        `held`: None for a film that was accepted before quotas were counted. `releases`: what it held is
        free again; otherwise another attempt goes on with it.
        """
        used = of_attempt(video)
        usage = _Update(keys.usage_item(video.tenant, quotas.day_of(ended_ms), video.request.engine))
        for name, value in used._asdict().items():
            usage.add(name, value)
        usage.set("expires", ended_ms // 1000 + _USAGE_KEPT)
        actions = [usage.action(self._table)]
        if held is None:
            return actions
        clips, usd = used.clips, used.usd
        if releases:
            clips, usd = clips - held.clips, usd - held.usd
            flight = _Update(keys.in_flight_item(video.tenant))
            flight.add("in_flight", -1)
            actions.append(flight.action(self._table))
        return [*actions, self._month(video.tenant, held, clips, usd).action(self._table)]

    def _month(self, tenant: str, held: Reservation, clips: int, usd: Decimal) -> "_Update":
        month = _Update(keys.month_item(tenant, held.month))
        month.add(_clips_of(held.day), clips)
        month.add("usd", usd)
        month.set("expires", held.at_ms // 1000 + _MONTH_KEPT)
        return month


def _clips_of(day: str) -> str:
    """Return the attribute that counts the clips of a day of its month."""
    return f"clips_{day[-2:]}"


def _read(item: Item, name: str) -> Decimal:
    return Decimal(item[name]["N"]) if name in item else Decimal(0)


class _Update:
    """An update of an item's numbers."""

    def __init__(self, key: tuple[str, str]) -> None:
        self._key = item_key(*key)
        self._set: dict[str, int | Decimal] = {}
        self._added: dict[str, int | Decimal] = {}
        self._most: dict[str, int | Decimal] = {}

    def set(self, name: str, value: int | Decimal) -> None:
        self._set[name] = value

    def add(self, name: str, value: int | Decimal) -> None:
        self._added[name] = value

    def at_most(self, name: str, value: int | Decimal) -> None:
        """Require that a number, before it is written, is at most `value`; one that is absent is 0."""
        self._most[name] = value

    def action(self, table: str) -> Item:
        expression = ""
        if self._set:
            expression += "SET " + ", ".join(f"#{name} = :{name}" for name in self._set)
        if self._added:
            expression += " ADD " + ", ".join(f"#{name} :{name}" for name in self._added)
        conditions = [f"(attribute_not_exists(#{name}) OR #{name} <= :most_{name})" for name in self._most]
        update: Item = {
            "TableName": table,
            "Key": self._key,
            "UpdateExpression": expression.strip(),
            "ExpressionAttributeNames": {f"#{name}": name for name in {**self._set, **self._added}},
            "ExpressionAttributeValues": {
                **{f":{name}": _number(value) for name, value in {**self._set, **self._added}.items()},
                **{f":most_{name}": _number(value) for name, value in self._most.items()},
            },
        }
        if conditions:
            update["ConditionExpression"] = " AND ".join(conditions)
        return {"Update": update}


def _number(value: int | Decimal) -> Item:
    return {"N": f"{value:f}" if isinstance(value, Decimal) else str(value)}


class Admission:
    """A film's way past its tenant's quotas: what it holds, and the counters that allowed it.

    Raises QuotaExceeded, when it is made and by `actions`.
    """

    def __init__(
        self, counters: TenantCounters, tenant: str, limits: Quotas, demand: Demand, now_ms: int
    ) -> None:
        self._counters = counters
        self._tenant = tenant
        self._limits = limits
        self.reservation = Reservation(at_ms=now_ms, clips=demand.clips, usd=demand.usd)
        self._seen = Counters()
        self._tried = False
        self._look()

    def _look(self) -> None:
        held = self.reservation
        if self._limits != Quotas():
            self._seen = self._counters.now(self._tenant, held.at_ms)
            quotas.check(self._limits, self._seen, Demand(held.clips, held.usd), held.at_ms)

    def actions(self, video: Video) -> list[Item]:
        """Return the actions of TenantCounters.reserve; called again, what the tenant has used since
        counts."""
        if self._tried:
            self._look()
        self._tried = True
        return self._counters.reserve(video, self._limits, self._seen)

    @property
    def headers(self) -> dict[str, str]:
        """What is left of the quotas once the film is accepted."""
        held, seen = self.reservation, self._seen
        full_ms = seen.full_ms
        if (rate := self._limits.videos_per_minute) is not None:
            full_ms = max(full_ms, held.at_ms) + quotas.interval_ms(rate)
        after = Counters(seen.videos_in_flight + 1, full_ms, seen.clips + held.clips, seen.usd + held.usd)
        return quotas.headers(self._limits, after, held.at_ms)

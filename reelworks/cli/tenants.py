"""`reel tenants`: show and set tenants' quotas."""

import time
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from reelworks.cli.operating import operating
from reelworks.cli.terminal import Json, fail, out, print_json

tenants_app = typer.Typer(help="Show and set tenants' quotas.", no_args_is_help=True)

_UNLIMITED = "unlimited"
TenantName = Annotated[str, typer.Argument(help="Tenant: a-z, 0-9 and hyphens.")]
_LIMIT = f"A number or {_UNLIMITED}."


@tenants_app.command("list")
def list_tenants(as_json: Json = False) -> None:
    """List the deployment's quotas and the tenants that have quotas of their own."""
    with operating() as deployment:
        default, own = deployment.default_quotas, dict(deployment.tenants().all())
    if as_json:
        print_json(
            {
                "default": default.model_dump(),
                "tenants": {name: of.model_dump(exclude_unset=True) for name, of in own.items()},
            }
        )
        return
    names = list(type(default).model_fields)
    table = Table("tenant", *names)
    table.add_row("(all others)", *(_shown(getattr(default, name)) for name in names))
    for tenant, of in sorted(own.items()):
        values = (_shown(getattr(of, name)) if name in of.model_fields_set else "" for name in names)
        table.add_row(escape(tenant), *values)
    out.print(table)


@tenants_app.command("show")
def show_tenant(tenant: TenantName, as_json: Json = False) -> None:
    """Show a tenant's quotas, what it has used of them and which are its own."""
    from lambdas.domain import quotas
    from reelworks.deployment import check_tenant

    now = time.time_ns() // 1_000_000
    with operating() as deployment:
        check_tenant(tenant)
        own = deployment.tenants().own_quotas(tenant)
        limits = deployment.default_quotas.with_own(own)
        used = deployment.counters().now(tenant, now)
    states = {state.quota: state for state in quotas.states(limits, used, now)}
    counted = {
        quotas.Quota.VIDEOS_IN_FLIGHT: used.videos_in_flight,
        quotas.Quota.CLIPS_PER_DAY: used.clips,
        quotas.Quota.USD_PER_MONTH: float(used.usd),
    }
    rows: list[dict[str, Any]] = [
        {
            "quota": quota.value,
            "limit": getattr(limits, quota),
            "used": counted.get(quota),
            "remaining": states[quota].remaining if quota in states else None,
            "own": own is not None and quota in own.model_fields_set,
        }
        for quota in quotas.Quota
    ]
    if as_json:
        print_json({"tenant": tenant, "quotas": rows})
        return
    table = Table("quota", "limit", "used", "set by")
    for row in rows:
        by = "tenant" if row["own"] else "deployment"
        table.add_row(
            row["quota"], _shown(row["limit"]), "" if row["used"] is None else f"{row['used']:,}", by
        )
    out.print(table)


@tenants_app.command("set")
def set_quotas(
    tenant: TenantName,
    videos_per_minute: Annotated[str | None, typer.Option(help=f"Films started a minute. {_LIMIT}")] = None,
    videos_in_flight: Annotated[
        str | None, typer.Option(help=f"Films made at the same time. {_LIMIT}")
    ] = None,
    clips_per_day: Annotated[str | None, typer.Option(help=f"Clips a day, in UTC. {_LIMIT}")] = None,
    usd_per_month: Annotated[
        str | None, typer.Option(help=f"USD a month, in UTC, by list prices. {_LIMIT}")
    ] = None,
    as_json: Json = False,
) -> None:
    """Give a tenant quotas of its own; those not named stay as they are. They apply to its next request."""
    from pydantic import ValidationError

    from lambdas.domain.quotas import Quotas
    from reelworks.deployment import check_tenant

    given = {
        "videos_per_minute": videos_per_minute,
        "videos_in_flight": videos_in_flight,
        "clips_per_day": clips_per_day,
        "usd_per_month": usd_per_month,
    }
    named = {name: None if text == _UNLIMITED else text for name, text in given.items() if text is not None}
    if not named:
        fail(f"a quota is required: {', '.join(_option(name) for name in given)}")
    try:
        Quotas.model_validate(named)
    except ValidationError as error:
        first = error.errors()[0]
        fail(f"{_option(str(first['loc'][0]))}: {first['msg']}, or {_UNLIMITED}; got {first['input']!r}")
    with operating() as deployment:
        check_tenant(tenant)
        before = deployment.tenants().own_quotas(tenant)
        kept = {} if before is None else before.model_dump(exclude_unset=True)
        own = Quotas.model_validate({**kept, **named})
        deployment.tenants().set(tenant, own)
    _tell(tenant, own.model_dump(exclude_unset=True), as_json)


@tenants_app.command("unset")
def unset_quotas(
    tenant: TenantName,
    quota: Annotated[list[str] | None, typer.Argument(help="Quotas to unset. Default: all.")] = None,
    as_json: Json = False,
) -> None:
    """Give a tenant the deployment's quotas again."""
    from lambdas.domain.quotas import Quota, Quotas
    from reelworks.deployment import check_tenant

    names = {name.replace("-", "_") for name in quota or list(Quota)}
    if not names <= set(Quota):
        fail(f"quota must be one of: {', '.join(Quota)}; got {', '.join(sorted(names - set(Quota)))}")
    with operating() as deployment:
        check_tenant(tenant)
        before = deployment.tenants().own_quotas(tenant) or Quotas()
        kept = {
            name: value for name, value in before.model_dump(exclude_unset=True).items() if name not in names
        }
        if kept:
            deployment.tenants().set(tenant, Quotas.model_validate(kept))
        else:
            deployment.tenants().unset(tenant)
    _tell(tenant, kept, as_json)


def _tell(tenant: str, own: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json({"tenant": tenant, "own": own})
        return
    told = ", ".join(f"{name} {_shown(value)}" for name, value in own.items())
    out.print(escape(f"{tenant}: {told or 'the quotas of the deployment'}"))


def _shown(limit: float | None) -> str:
    return _UNLIMITED if limit is None else f"{limit:,}"


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")

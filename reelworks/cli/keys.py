"""`reel keys`: create, list, revoke and restore API keys."""

import time
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from reelworks.cli.terminal import Json, fail, out, print_json

keys_app = typer.Typer(help="Create, list, revoke and restore tenants' API keys.", no_args_is_help=True)


@keys_app.command("create")
def create_key(
    tenant: Annotated[
        str, typer.Argument(help="Tenant whose videos the key can access: a-z, 0-9 and hyphens.")
    ],
    name: Annotated[str, typer.Option(help="What the key is for.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="What it may do: read, create, admin; operate sees all tenants. Default: all but operate."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Create an API key for a tenant. The key is shown once; only its hash is stored."""
    from lambdas.domain.scopes import OF_A_TENANT, Scope
    from reelworks.deployment import Deployment, DeploymentError

    granted = scope or OF_A_TENANT
    if not set(granted) <= set(Scope):
        fail(f"--scope must be {', '.join(Scope)}; got {', '.join(granted)}")
    try:
        key = Deployment.find().create_key(tenant, name, [one for one in Scope if one in granted])
    except DeploymentError as error:
        fail(str(error))
    print_json({"api_key": key, "tenant": tenant}) if as_json else out.print(key)


@keys_app.command("list")
def list_keys(
    tenant: Annotated[str, typer.Argument(help="Tenant whose keys to list.")], as_json: Json = False
) -> None:
    """List a tenant's API keys, the newest first. `reel keys revoke` takes the SHA-256."""
    from reelworks.deployment import Deployment, DeploymentError

    try:
        found = Deployment.find().list_keys(tenant)
    except DeploymentError as error:
        fail(str(error))
    if as_json:
        print_json([used.key.model_dump(mode="json") | {"last_used": used.used} for used in found])
        return
    table = Table("key", "name", "scopes", "created", "last used")
    table.add_column("SHA-256", overflow="fold", min_width=64)
    for key, used in found:
        shown, days = (
            f"{key.shown}…" if key.shown else "",
            [_day(key.created), _day(used) if used else "never"],
        )
        table.add_row(*map(escape, (shown, key.name, ", ".join(key.scopes), *days, key.hash)))
    out.print(table)


def _day(seconds: int) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(seconds))


@keys_app.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="The key itself or its SHA-256.")], as_json: Json = False
) -> None:
    """Revoke an API key. Takes up to five minutes, because the authorizer caches its answers."""
    from reelworks.deployment import Deployment, DeploymentError

    try:
        Deployment.find().revoke_key(key)
    except DeploymentError as error:
        fail(str(error))
    print_json({"revoked": True}) if as_json else out.print("revoked")


@keys_app.command("restore")
def restore_keys(as_json: Json = False) -> None:
    """Restore all API keys that are in the output bucket, for example after their table was lost."""
    from reelworks.deployment import Deployment, DeploymentError

    try:
        count = Deployment.find().restore_keys()
    except DeploymentError as error:
        fail(str(error))
    print_json({"restored": count}) if as_json else out.print(f"{count} restored")

"""`reel keys`: API keys and their tenants."""

from typing import Annotated

import typer

from reelworks.cli.terminal import Json, fail, out, print_json

keys_app = typer.Typer(help="API keys and their tenants.", no_args_is_help=True)


@keys_app.command("create")
def create_key(
    tenant: Annotated[str, typer.Argument(help="Whose videos the key opens: a-z, 0-9 and hyphens.")],
    name: Annotated[str, typer.Option(help="What the key is for.")] = "",
    as_json: Json = False,
) -> None:
    """Make an API key for a tenant. It is shown once and only its hash is stored."""
    from reelworks.deployment import Deployment, DeploymentError

    try:
        key = Deployment.find().create_key(tenant, name)
    except DeploymentError as error:
        fail(str(error))
    print_json({"api_key": key, "tenant": tenant}) if as_json else out.print(key)


@keys_app.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="The key itself, or its SHA-256.")], as_json: Json = False
) -> None:
    """Make an API key invalid (within five minutes: the authorizer's answers are cached that long)."""
    from reelworks.deployment import Deployment, DeploymentError

    try:
        Deployment.find().revoke_key(key)
    except DeploymentError as error:
        fail(str(error))
    print_json({"revoked": True}) if as_json else out.print("revoked")

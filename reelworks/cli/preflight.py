"""`reel preflight`: check the AWS account before a deployment."""

from typing import Annotated

import typer

from reelworks.cli import findings
from reelworks.cli.terminal import Json, fail

app = typer.Typer()

Settings = Annotated[
    str, typer.Option(help="Deployment settings, as JSON, that override those of cdk.json for this run.")
]


@app.command()
def preflight(settings: Settings = "{}", as_json: Json = False) -> None:
    """Check what the AWS account of your credentials needs for a deployment, and show how to get it.

    Asks each text model and the voice once, for less than a cent. The exit status is 1 if the deployment
    would fail.
    """
    from cdk.settings import DeploymentSettings, SettingsError
    from reelworks.preflight import examine

    try:
        chosen = DeploymentSettings.of_checkout(given=settings)
    except SettingsError as error:
        fail(str(error))
    findings.show(examine(chosen), as_json=as_json)

"""`reel models`: download and check models of engines and writers, and upload the engines'."""

import os
from dataclasses import asdict, replace
from typing import Annotated, Literal

import typer
from rich.table import Table

from reelworks.cli.terminal import Json, err, fail, out, print_json

models_app = typer.Typer(
    help="Download and check models of engines and writers, and upload the engines'.", no_args_is_help=True
)

ModelName = Annotated[
    str, typer.Argument(help="Name of an engine or a writer, for example cogvideox-5b or qwen3-4b.")
]
Accepted = Annotated[
    list[str] | None,
    typer.Option(
        "--accept-licence",
        help="Name of a licence of the model that you accept; repeat it for several. Without it, the command "
        "shows those that must be accepted.",
    ),
]


@models_app.command("list")
def list_local_models(as_json: Json = False) -> None:
    """List the models and whether they are on this PC. Does not read the files; see verify."""
    from reelworks.cloud.home import Home
    from reelworks.models import list_models

    found = list_models(Home.locate().models)
    if as_json:
        print_json([asdict(model) for model in found])
        return
    table = Table("Name", "Model", "Size", "From")
    for model in found:
        size = f"{model.bytes / 1e9:.1f} GB" if model.bytes else ""
        origin = f"{model.repository} {(model.revision or '')[:12]}" if model.repository else ""
        table.add_row(model.name, model.state, size, origin)
    out.print(table)


@models_app.command("pull")
def pull_model(name: ModelName, accept_licence: Accepted = None, as_json: Json = False) -> None:
    """Download and verify a model's pinned revision from the hub, with a manifest. Resumes if interrupted."""
    _model("pull", name, accept_licence, as_json=as_json)


@models_app.command("verify")
def verify_model(name: ModelName, as_json: Json = False) -> None:
    """Check every file of a model against its manifest, as its engine does before loading it."""
    _model("verify", name, as_json=as_json)


@models_app.command("trust")
def trust_model(name: ModelName, accept_licence: Accepted = None, as_json: Json = False) -> None:
    """Write the manifest of a model folder that you filled, or added files to, yourself."""
    _model("trust", name, accept_licence, as_json=as_json)


@models_app.command("push")
def push_model(
    name: ModelName,
    bucket: Annotated[str | None, typer.Option(help="Bucket to use instead of the deployment's.")] = None,
    prefix: Annotated[
        str | None, typer.Option(help="Folder in the bucket to use instead of the deployment's.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Upload a model to the bucket the deployment's engines read (see cdk.json). Resumes if interrupted."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    from cdk.settings import SettingsError
    from reelworks import models
    from reelworks.cloud.home import Home

    home = Home.locate()
    try:
        session = boto3.Session()
        target = models.Target.of_deployment(session)
        if bucket is not None:
            target = replace(target, bucket=bucket, own=True)
        if prefix is not None:
            target = replace(target, prefix=prefix)
        address, sent = models.push(home.models, name, target, session, err.print)
    except (models.ModelError, SettingsError, BotoCoreError, ClientError) as error:
        fail(str(error))
    if as_json:
        print_json({"model": name, "address": address, "sent": sent})
    else:
        out.print(f"{address} ({sent} files uploaded)", soft_wrap=True)


def _model(
    verb: Literal["pull", "verify", "trust"], name: str, accepted: list[str] | None = None, *, as_json: bool
) -> None:
    from reelworks import models
    from reelworks.cloud.errors import CloudError
    from reelworks.cloud.home import Home
    from reelworks.cloud.settings import Settings

    home = Home.locate()
    folder = home.models
    try:
        if verb == "verify":
            manifest = models.verify(folder, name)
        else:
            accepted = [*(accepted or []), *Settings.load(home, os.environ).models.accepted_licences]
            manifest = (
                models.pull(folder, name, err.print, accepted)
                if verb == "pull"
                else models.trust(folder, name, accepted)
            )
    except (models.ModelError, CloudError) as error:
        fail(str(error))
    if as_json:
        print_json(
            {
                "model": name,
                "path": str(folder / name),
                "bytes": manifest.total_bytes,
                "revision": manifest.identity,
            }
        )
    else:
        size = f"{len(manifest.files)} files, {manifest.total_bytes / 1e9:.1f} GB"
        out.print(f"{folder / name}: complete, {size}, {manifest.identity}", soft_wrap=True)

"""`reel verify` and `reel credentials`: the content credentials of films."""

from pathlib import Path
from typing import Annotated

import typer

from reelworks.cli.terminal import Json, fail, out, print_json

app = typer.Typer()
credentials_app = typer.Typer(help="Manage the certificate and key that sign films.", no_args_is_help=True)


@app.command()
def verify(
    film: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    trust: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            readable=True,
            help="Certificates of the authorities to trust, in PEM.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a film's content credentials (C2PA): who signed it, what made it, that no byte has changed."""
    from lambdas.media.content_credentials import Untrustworthy
    from lambdas.media.content_credentials import verify as verified

    try:
        found = verified(film, trust.read_text() if trust else None)
    except (Untrustworthy, ValueError, OSError) as error:
        fail(f"{film.name} can't be trusted: {error}.")
    if found.trusted is False:
        fail(
            f"{film.name} can't be trusted: none of the authorities in {trust} issued the certificate of "
            f"{found.signed_by} ({found.organization})."
        )
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    made = found.made_by
    lines = {
        "signed by": f"{found.signed_by} ({found.organization})",
        "generated": f"{found.when:%Y-%m-%d %H:%M:%S} UTC, {found.source_type.rpartition('/')[2]}",
        "engine": f"{made.engine}, revision {made.engine_revision}: {made.summary}",
        "text": made.text_model,
        "stills": ", ".join(made.image_models),
        "voices": ", ".join(made.voices),
        "from": ", ".join(found.ingredients),
        "video": made.video,
    }
    out.print(f"{film.name} is unchanged since it was signed.", markup=False)
    for name, value in lines.items():
        if value:
            out.print(f"{name:10} {value}", markup=False)
    if found.development:
        out.print("The certificate was made by a PC for itself: it proves nothing about who made the film.")


@credentials_app.command("set")
def set_credentials(
    certificates: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    key: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, readable=True, help="The private key, in PEM: ECDSA on P-256."
        ),
    ] = None,
    kms_key: Annotated[
        str | None, typer.Option(help="Instead: ARN of the KMS key that has it (setting signing_key).")
    ] = None,
) -> None:
    """Sign films with this certificate. CERTIFICATES has the chain in PEM, the signing certificate first."""
    from reelworks.deployment import Deployment, DeploymentError
    from reelworks.signing import CredentialsError, set_signing_key

    if (key is None) == (kms_key is None):
        fail("--key or --kms-key is required, and not both.")
    try:
        name = set_signing_key(
            Deployment.find(), certificates.read_text(), key.read_text() if key else None, kms_key
        )
    except (DeploymentError, CredentialsError, ValueError) as error:
        fail(str(error))
    out.print(f"Films are signed by {name}.", markup=False)


@credentials_app.command("remove")
def remove_credentials() -> None:
    """Stop signing films. On a PC, the next start makes a development certificate again."""
    from reelworks.deployment import Deployment, DeploymentError
    from reelworks.signing import remove_signing_key

    try:
        removed = remove_signing_key(Deployment.find())
    except DeploymentError as error:
        fail(str(error))
    out.print("Films are no longer signed." if removed else "Films were not signed.")

"""`reel up`, `down`, `status` and `doctor`: run and check the PC's cloud."""

import asyncio
import time
from typing import Annotated, Any

import typer

from reelworks.cli import findings
from reelworks.cli.terminal import Json, fail, out, print_json

app = typer.Typer()


@app.command()
def up(
    port: Annotated[int | None, typer.Option(help="Port to use. Default: 4566, or a free one.")] = None,
    as_json: Json = False,
) -> None:
    """Start the PC's cloud, deploy the pipeline and resume unfinished videos."""
    from reelworks.cloud import errors, home
    from reelworks.cloud.lifecycle import start_stop

    began = time.monotonic()
    try:
        status = start_stop.up(home.Home.locate(), port=port)
    except errors.CloudError as error:
        fail(f"{error.message} {error.advice}")
    text_model = _text_model()
    if as_json:
        print_json(status.document() | {"text_model": text_model})
    else:
        out.print(f"up at {status.base_url} ({time.monotonic() - began:.1f} s)")
        out.print(f"text model: {text_model}", soft_wrap=True, markup=False, highlight=False)


@app.command()
def down(as_json: Json = False) -> None:
    """Stop the PC's cloud. Unfinished videos resume with the next `reel up`."""
    from reelworks.cloud import errors, home
    from reelworks.cloud.lifecycle import start_stop

    try:
        start_stop.down(home.Home.locate())
    except errors.CloudError as error:
        fail(f"{error.message} {error.advice}")
    if as_json:
        print_json({"state": "down"})
    else:
        out.print("down")


@app.command()
def status(as_json: Json = False) -> None:
    """Show the state, URL, API key and AWS credentials file of the PC's cloud, and what its functions do."""
    from reelworks.cloud import home
    from reelworks.cloud.lifecycle import cloud_status

    found = cloud_status.status(home.Home.locate())
    if as_json:
        print_json(found.document() | {"text_model": _text_model()})
    elif found.state == "up":
        lines = (
            f"up at {found.base_url}",
            f"OPENAI_BASE_URL={found.base_url}",
            f"OPENAI_API_KEY={found.api_key}",
            f"AWS_ENDPOINT_URL={found.aws_endpoint_url}",
            f"AWS_SHARED_CREDENTIALS_FILE={found.aws_credentials_file}",
            f"AWS_REGION={found.region}",
            f"text model: {_text_model()}",
        )
        out.print("\n".join(lines), soft_wrap=True, markup=False, highlight=False)
        out.print(_functions(found.functions), soft_wrap=True)
    else:
        out.print("down")


def _text_model() -> str:
    """Return which text model writes, in words; it takes half a second at most if a server hangs."""
    from reelworks.cloud import errors, home
    from reelworks.cloud.services.text_models import describe_text_model

    try:
        return asyncio.run(describe_text_model(home.Home.locate()))
    except errors.CloudError as error:
        return f"the settings are invalid: {error.message}"


def _functions(report: dict[str, Any] | None) -> str:
    """Return a line on what the functions do, as FunctionRuntime.report returns it."""
    if report is None:
        return "functions: the cloud is too busy to say; it is working"
    parts = []
    for state in ("running", "waiting"):
        counts = sorted(report[state].items(), key=lambda pair: (-pair[1], pair[0]))
        names = ", ".join(f"{count} {name.rpartition('-')[2]}" for name, count in counts)
        parts.append(f"{sum(report[state].values())} {state}" + (f" ({names})" if names else ""))
    processes = report["processes"]
    held = f"{processes} {'process holds' if processes == 1 else 'processes hold'}"
    return f"functions: {', '.join(parts)}; {held} {report['memory_bytes'] / 1e6:,.0f} MB"


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check this PC for missing software and models, and show how to install them."""
    from reelworks.doctor import examine

    findings.show(examine(), as_json=as_json)

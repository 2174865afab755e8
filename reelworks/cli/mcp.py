"""`reel mcp`: let AI assistants make films."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from reelworks.cli.terminal import err, fail
from reelworks.cloud.home import install_command

app = typer.Typer()


@app.command()
def mcp(
    http: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=1,
            max=65535,
            help="Serve streamable HTTP on this port of 127.0.0.1, instead of standard input and output.",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Folder that films are saved in. Default: Videos/Reelworks in your home folder.",
            file_okay=False,
        ),
    ] = None,
) -> None:
    """Serve the Model Context Protocol, so that AI assistants make films (docs/mcp.md)."""
    if find_spec("mcp") is None:
        fail(f"reel mcp needs the MCP SDK; install it with: {install_command('mcp')}")
    films = (folder or Path.home() / "Videos" / "Reelworks").resolve()
    if http is None:
        from reelworks.mcp.server import server

        server(films).run("stdio")
        return
    from reelworks.client import NoAddress
    from reelworks.mcp.http import HOST, serve

    err.print(f"serving http://{HOST}:{http}/mcp to callers that send the API key")
    try:
        serve(films, http)
    except NoAddress as error:
        fail(error.message)

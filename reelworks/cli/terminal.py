"""What all `reel` commands share: output, errors and the connection to the API."""

import json
import os
import sys
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from reelworks.client import Address, ApiError, Client

# Programs that read from a pipe need whole lines, so do not wrap at 80 characters.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 10_000)
err = Console(stderr=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]


def interactive() -> bool:
    """Return whether a person is at the terminal to answer questions."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def print_json(document: Any) -> None:
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def fail(message: str) -> NoReturn:
    err.print(f"[red]error:[/red] {escape(message)}", soft_wrap=True)
    raise typer.Exit(1)


def said(error: ApiError) -> str:
    """Return the API's message, followed by the field if the message does not name it."""
    param = error.param
    told = param in (None, "id") or str(param) in error.message
    return error.message if told else f"{error.message} (field: {param})"


class Session:
    """A client whose errors end the command with the API's message."""

    def __enter__(self) -> Client:
        self._client = Client(_address())
        return self._client

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._client.__exit__(None, None, None)
        if isinstance(error, ApiError):
            fail(said(error))


def _address() -> Address:
    """Return the API from the environment, or else the PC's cloud."""
    base_url, api_key = os.environ.get("REELWORKS_BASE_URL"), os.environ.get("REELWORKS_API_KEY")
    if base_url or api_key:
        if not (base_url and api_key):
            fail("set both REELWORKS_BASE_URL and REELWORKS_API_KEY, or neither to use the PC's cloud")
        if not api_key.isascii():
            fail("REELWORKS_API_KEY is invalid: it contains non-ASCII characters")
        return Address(base_url, api_key)
    from reelworks.cloud import home
    from reelworks.cloud.lifecycle import start_stop

    found = start_stop.status(home.Home.locate())
    if found.base_url is None or found.api_key is None:
        fail("the PC's cloud is down; start it with `reel up`")
    return Address(found.base_url, found.api_key)

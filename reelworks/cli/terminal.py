"""What the commands of `reel` share: where they print, how they fail, and the API that they speak to."""

import json
import os
import sys
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from reelworks.client import Address, ApiError, Client

# What reads a pipe wants whole lines: they are as long as they get, not 80 characters.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 10_000)
err = Console(stderr=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]


def interactive() -> bool:
    """Whether somebody is there who can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def print_json(document: Any) -> None:
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def fail(message: str) -> NoReturn:
    err.print(f"[red]error:[/red] {escape(message)}", soft_wrap=True)
    raise typer.Exit(1)


def said(error: ApiError) -> str:
    """The API's own words, with the field that they are about, where they don't name it."""
    param = error.param
    told = param in (None, "id") or str(param) in error.message
    return error.message if told else f"{error.message} (field: {param})"


class Session:
    """A client whose errors end the command with the API's own words."""

    def __enter__(self) -> Client:
        self._client = Client(_address())
        return self._client

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._client.__exit__(None, None, None)
        if isinstance(error, ApiError):
            fail(said(error))


def _address() -> Address:
    """The API that is meant: of the environment, else the PC's cloud."""
    base_url, api_key = os.environ.get("REELWORKS_BASE_URL"), os.environ.get("REELWORKS_API_KEY")
    if base_url or api_key:
        if not (base_url and api_key):
            fail("set both REELWORKS_BASE_URL and REELWORKS_API_KEY, or neither for the PC's cloud")
        if not api_key.isascii():
            fail("REELWORKS_API_KEY has characters that no key has")
        return Address(base_url, api_key)
    from reelworks.cloud import home
    from reelworks.cloud.lifecycle import start_stop

    found = start_stop.status(home.Home.locate())
    if found.base_url is None or found.api_key is None:
        fail("the PC's cloud is down: start it with `reel up`")
    return Address(found.base_url, found.api_key)

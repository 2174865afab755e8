"""What all `reel` commands share: output, errors and the connection to the API."""

import json
import os
import re
import sys
from collections.abc import Iterable
from io import TextIOWrapper
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment

from lambdas.domain.control_characters import visible
from reelworks.client import Address, ApiError, Client


class SafeConsole(Console):
    """A console that shows the control characters of what it prints as escapes. Its own, for colours and
    progress bars, are segments of another kind."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else visible(text, lines=True), style, control)


# Programs that read from a pipe need whole lines, so do not wrap at 80 characters.
out = SafeConsole(highlight=False, width=None if sys.stdout.isatty() else 10_000)
err = SafeConsole(stderr=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]


def interactive() -> bool:
    """Return whether a person is at the terminal to answer questions."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def prepare_streams() -> None:
    """Write a replacement for each character that the output's encoding doesn't have: a terminal or a pipe
    need not be UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


# Characters that JSON may contain unescaped although they are not for a terminal.
_UNESCAPED = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def print_json(document: Any, *, to_err: bool = False) -> None:
    """Print JSON that has every character of the document, as an escape where the output can't have it."""
    encoding = getattr(sys.stderr if to_err else sys.stdout, "encoding", None) or "utf-8"
    text = json.dumps(document, indent=2, ensure_ascii=not encoding.lower().startswith("utf"))
    typer.echo(_UNESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text), err=to_err)


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

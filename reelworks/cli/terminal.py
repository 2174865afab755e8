"""What all `reel` commands share: output, errors and the connection to the API."""

import json
import re
import sys
from collections.abc import Iterable
from io import TextIOWrapper
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment

from lambdas.domain.control_characters import visible

if TYPE_CHECKING:
    from reelworks.client import ApiError, Client


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


def said(error: "ApiError") -> str:
    """Return the API's message, followed by the field if the message does not name it."""
    param = error.param
    told = param in (None, "id") or str(param) in error.message
    return error.message if told else f"{error.message} (field: {param})"


class Session:
    """A client whose errors end the command with the API's message. It is imported here, because most of
    `reel` does without."""

    def __enter__(self) -> "Client":
        from reelworks.client import Client, NoAddress

        try:
            self._client = Client()
        except NoAddress as error:
            fail(error.message)
        return self._client

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from reelworks.client import ApiError

        self._client.close()
        if isinstance(error, ApiError):
            fail(said(error))

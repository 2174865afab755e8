"""Command-line options of the server."""

import argparse
import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from containers.relay.form import Kind
from containers.relay.relay import Target

KEY_VARIABLE = "RELAY_API_KEY"  # never an option, which other users of the machine could read


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse `arguments`. Environment variables can set the options too: RELAY_URL, RELAY_MODEL, …"""

    def default(name: str, usual: str | None = None) -> dict[str, Any]:
        """Return what each option has: its variable's value, or the usual one; else it is required."""
        value = os.environ.get(f"RELAY_{name}", usual)
        return {"default": value} if value is not None else {"required": True}

    parser = argparse.ArgumentParser(
        prog="python -m containers.relay",
        description="Run the engine server that renders on a server with OpenAI's /v1/videos. A key for it "
        f"is in {KEY_VARIABLE}.",
    )
    option = parser.add_argument
    option("--url", help="URL of the server (RELAY_URL).", **default("URL", "http://127.0.0.1:8000"))
    option("--model", help="Its model, as GET /v1/models names it (RELAY_MODEL).", **default("MODEL"))
    option("--name", help="The engine's name (RELAY_NAME).", **default("NAME", "relay"))
    option(
        "--kind",
        type=Kind,
        choices=list(Kind),
        help="What the server takes (RELAY_KIND; default: %(default)s).",
        **default("KIND", Kind.VLLM_OMNI),
    )
    option(
        "--sound", action="store_true", default=os.environ.get("RELAY_SOUND") == "1", help="Ask for sound."
    )
    option(
        "--extra",
        type=_json_object,
        metavar="JSON",
        help="Further fields that are sent with every job, as a JSON object (RELAY_EXTRA).",
        **default("EXTRA", "{}"),
    )
    option(
        "--api-key-file",
        type=Path,
        default=os.environ.get("RELAY_API_KEY_FILE"),
        help="File with the key in its first line, instead of the variable; it is read for every request.",
    )
    option("--host", help="Address to listen on (RELAY_HOST).", **default("HOST", "127.0.0.1"))
    option("--port", type=int, help="Port to listen on (RELAY_PORT).", **default("PORT", "8080"))
    option(
        "--socket",
        metavar="PATH",
        default=os.environ.get("RELAY_SOCKET"),
        help="Unix socket to listen on instead of a port (RELAY_SOCKET).",
    )
    option(
        "--seconds",
        type=float,
        help="Timeout of a clip in seconds (default: %(default)s, as long as SageMaker waits).",
        **default("SECONDS", str(Target.seconds)),
    )
    option(
        "--patience",
        type=float,
        metavar="SECONDS",
        help="How long a job in progress may report the same progress (default: %(default)s).",
        **default("PATIENCE", str(Target.patience_seconds)),
    )
    option(
        "--down",
        type=float,
        metavar="SECONDS",
        help="How long the server may not answer (default: %(default)s).",
        **default("DOWN", str(Target.down_seconds)),
    )
    option(
        "--start",
        type=shlex.split,
        metavar="COMMAND",
        default=os.environ.get("RELAY_START"),
        help="Command that starts the server, which then ends with the relay and is restarted if a job hangs "
        "(RELAY_START).",
    )
    # SageMaker adds the argument `serve`.
    option("serve", nargs="?", choices=["serve"], help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _json_object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("must be a JSON object")
    return value

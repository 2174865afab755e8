"""`reel`: run the PC's cloud, and make films with any Reelworks API. One module per group of commands.

Commands use the PC's cloud by default. Set REELWORKS_BASE_URL and REELWORKS_API_KEY to use a
deployment on AWS.
"""

import sys
from typing import Any

if sys.platform == "win32":  # before the imports, some of which Windows doesn't have
    sys.exit(
        "error: reel runs on Linux and macOS. On Windows, run it in WSL (docs/systems.md). "
        "Programs can use the API from Windows: from reelworks import Client."
    )

import typer

from reelworks.cli import (
    cloud,
    credentials,
    engines,
    films,
    keys,
    logs,
    mcp,
    models,
    ops,
    preflight,
    reviews,
    studio,
    tenants,
)
from reelworks.cli.terminal import prepare_streams


class _Reel(typer.Typer):
    """The command, which also prints its help where the output is not UTF-8."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        prepare_streams()
        return super().__call__(*args, **options)


app = _Reel(
    help="Turn a prompt into a finished film, on this PC or on AWS.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for group in (cloud, films, credentials, logs, mcp, preflight, reviews, studio):
    app.add_typer(group.app)
app.add_typer(reviews.storyboard_app, name="storyboard")
app.add_typer(keys.keys_app, name="keys")
app.add_typer(credentials.credentials_app, name="credentials")
app.add_typer(models.models_app, name="models")
app.add_typer(ops.ops_app, name="ops")
app.add_typer(tenants.tenants_app, name="tenants")
app.add_typer(engines.engines_app, name="engines")

"""`reel`: the PC's cloud, and films from any Reelworks API. A module for each group of commands.

By default the commands speak to the PC's cloud; REELWORKS_BASE_URL and REELWORKS_API_KEY (or the options
of the same names) point them at a deployment on AWS.
"""

import typer

from reelworks.cli import cloud, films, keys, logs, models, reviews

app = typer.Typer(
    help="Prompt in, finished film out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for group in (cloud, films, logs, reviews):
    app.add_typer(group.app)
app.add_typer(reviews.storyboard_app, name="storyboard")
app.add_typer(keys.keys_app, name="keys")
app.add_typer(models.models_app, name="models")

"""One cloud and one browser for the whole folder, and films that several tests look at."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser

from containers.diffusion.manifest import make_manifest
from lambdas.domain.scopes import Scope
from tests.films.conftest import Cloud, running_cloud
from tests.films.requests import board, finish, wait_for
from tests.studio.browser import Window, launched, signed_in, studio_of

OpenWindow = Callable[..., Window]

# What the tests' films are like: made in seconds.
SMALL = {"size": "320x180", "fps": 8, "model": "animatic", "seed": 3}
# An engine that the cloud offers, though its model is empty: no test renders with it.
TAKES_LAST_FRAME = "ltx-2-19b-distilled"


# Both end with the folder: the browser's event loop would be in the way of other tests of this worker.
@pytest.fixture(scope="package")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    home = tmp_path_factory.mktemp("studio")
    model = home / "models" / TAKES_LAST_FRAME
    model.mkdir(parents=True)
    make_manifest(model, model.name).write(model)
    with running_cloud(home) as cloud:
        yield cloud


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def studio(cloud: Cloud) -> str:
    """Where the studio's page is."""
    return studio_of(cloud)


@pytest.fixture
def open_window(browser: Browser, studio: str) -> Iterator[OpenWindow]:
    """Opens a window of a new user of the browser, signed in with `key` if there is one. `options`: of
    playwright's `new_context`. At the end no window may have complained."""
    with ExitStack() as opened:
        windows: list[Window] = []

        def open_(key: str | None = None, **options: Any) -> Window:
            context = signed_in(browser, key, **options)
            opened.callback(context.close)
            windows.append(Window(context, studio))
            return windows[-1]

        yield open_
        for window in windows:
            window.check()


@pytest.fixture
def key(cloud: Cloud) -> str:
    return str(cloud.status["api_key"])


@pytest.fixture
def window(open_window: OpenWindow, key: str) -> Window:
    """A window that is signed in."""
    return open_window(key)


TITLES = {"completed": "The fox and the owl", "waiting": "Kite and heron", "failed": "A bee in a hurry"}


@dataclass(frozen=True)
class Films:
    """Ids of films in each state that the gallery shows: all films of one tenant, whose key is `key`."""

    key: str
    completed: str
    waiting: str
    failed: str


@pytest.fixture(scope="package")
def films(cloud: Cloud) -> Films:
    scopes = [part for scope in Scope for part in ("--scope", scope)]
    key = cloud.json("keys", "create", "gallery", *scopes)["api_key"]
    client = cloud.client(key)

    def submit(**fields: Any) -> str:
        return client.submit(**{**SMALL, **fields}).id

    of_six_seconds = board("fox", "owl") | {"title": TITLES["completed"]}
    for one in of_six_seconds["scenes"]:
        one["seconds"] = 3  # the voice never takes the same time twice, and the film's look has its length
    too_short = board("bee")
    too_short["scenes"][0]["seconds"] = 0.5  # for its narration
    films = Films(
        key=key,
        completed=submit(storyboard=of_six_seconds, stills="standard"),
        waiting=submit(
            storyboard=board("kite", "heron") | {"title": TITLES["waiting"]}, review=["storyboard"]
        ),
        failed=submit(storyboard=too_short | {"title": TITLES["failed"]}, narration_fit="refuse"),
    )
    finish(client, films.completed)
    wait_for(client, films.waiting, lambda video: video["review"]["gate"] == "storyboard")
    wait_for(client, films.failed, lambda video: video["status"] == "failed")
    return films

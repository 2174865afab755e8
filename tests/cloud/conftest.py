"""A running cloud with the small stack; and what the API is tested on."""

from collections.abc import Iterator
from io import StringIO
from logging import StreamHandler
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from lambdas.adapters.clients import client
from lambdas.api.request import settings
from lambdas.intake.voices import voices
from lambdas.telemetry import logger
from reelworks.cloud.home import Home
from reelworks.cloud.lifecycle import start_stop
from reelworks.cloud.lifecycle.cloud_status import Status, status
from reelworks.cloud.lifecycle.start_stop import down, up
from tests.cloud import small_stack
from tests.cloud.deployment import Deployment, deployed
from tests.cloud.servers import free_port, serving


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home with a checkout of the small stack, and no cloud yet. Its clouds want a port that no other cloud
    of the tests wants, so that it is free again after a kill."""
    monkeypatch.setattr(start_stop, "PREFERRED_PORT", free_port())
    home = Home(tmp_path / "home", small_stack.write_checkout(tmp_path / "checkout", small_stack.template()))
    yield home
    down(home)


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One whose cloud is up, for tests that leave it as it is."""
    folder = tmp_path_factory.mktemp("cloud")
    home = Home(folder / "home", small_stack.write_checkout(folder / "checkout", small_stack.template()))
    up(home)
    yield home
    down(home)


@pytest.fixture
def cloud(shared_home: Home) -> Status:
    return status(shared_home)


@pytest.fixture(scope="module")
def aws() -> Iterator[Deployment]:
    settings.cache_clear()
    with deployed() as deployment:
        yield deployment


@pytest.fixture
def queue(aws: Deployment) -> Deployment:
    """The deployment with an empty queue."""
    aws.messages()
    return aws


@pytest.fixture
def polly(aws: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Polly, which has Amy, Joe and Olivia; the last one only as a generative voice."""
    engines = {"Amy": ["standard", "neural"], "Joe": ["standard", "neural"], "Olivia": ["generative"]}

    async def listed(request: Request) -> JSONResponse:
        language = {"LanguageCode": "en-US", "LanguageName": "US English"}
        voices = [{"Id": name, **language, "SupportedEngines": each} for name, each in engines.items()]
        return JSONResponse({"Voices": voices})

    with serving(Starlette(routes=[Route("/v1/voices", listed, methods=["GET"])])) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_POLLY", url)
        for made in (client, voices):
            made.cache_clear()
        yield
    for made in (client, voices):
        made.cache_clear()


@pytest.fixture
def log() -> Iterator[StringIO]:
    """Return the logger's output; its handler keeps the standard output of the time it was created."""
    handler, stream = logger.registered_handler, StringIO()
    assert isinstance(handler, StreamHandler)
    before = handler.setStream(stream)
    yield stream
    handler.setStream(before)

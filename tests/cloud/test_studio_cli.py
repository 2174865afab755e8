"""`reel studio` against an API on loopback."""

import json
import webbrowser
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from typer.testing import CliRunner

from reelworks.cli import app
from tests.cloud.servers import serving

KEY = "rk-1"


class Api:
    """What of the studio answers, as each test sets it."""

    def __init__(self) -> None:
        self.config: Response = JSONResponse({"sign_in": {"cognito": None, "link": True}})
        self.refusal: Response | None = None
        self.keys: list[str] = []

    def answer_config(self, _: Request) -> Response:
        return self.config

    def answer_link(self, request: Request) -> Response:
        self.keys.append(request.headers["authorization"])
        page = str(request.base_url) + "studio/#code=secret"
        return self.refusal or JSONResponse({"url": page, "expires_in": 60})


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    api = Api()
    routes = [
        Route("/studio/config.json", api.answer_config),
        Route("/studio/link", api.answer_link, methods=["POST"]),
    ]
    with serving(Starlette(routes=routes)) as url:
        monkeypatch.setenv("REELWORKS_BASE_URL", f"{url}/v1")
        monkeypatch.setenv("REELWORKS_API_KEY", KEY)
        yield api


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a browser was opened at."""
    found: list[str] = []

    def open_(url: str) -> bool:
        found.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", open_)
    return found


def test_it_opens_the_browser_at_a_link(api: Api, opened: list[str]) -> None:
    said = CliRunner().invoke(app, ["studio"])
    assert (said.exit_code, said.stdout) == (0, "opened in the browser\n")
    [url] = opened
    assert url.endswith("/studio/#code=secret")
    assert api.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize("arguments", [["--no-open"], ["--json", "--no-open"]])
def test_it_prints_the_link(api: Api, opened: list[str], arguments: list[str]) -> None:
    said = CliRunner().invoke(app, ["studio", *arguments])
    assert said.exit_code == 0
    url = json.loads(said.stdout)["url"] if "--json" in arguments else said.stdout.strip()
    assert url.endswith("/studio/#code=secret")
    assert opened == []


def test_without_a_browser_it_prints_the_link(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    assert CliRunner().invoke(app, ["studio"]).stdout.strip().endswith("/studio/#code=secret")


def test_on_aws_it_opens_the_page_that_asks_to_sign_in(api: Api, opened: list[str]) -> None:
    api.config = JSONResponse(
        {"sign_in": {"cognito": {"domain": "https://x", "client_id": "1"}, "link": False}}
    )
    assert CliRunner().invoke(app, ["studio"]).exit_code == 0
    [url] = opened
    assert url.endswith("/studio/")
    assert api.keys == []


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (PlainTextResponse("", 404), "has no studio; set `studio` to true in cdk.json"),
        (PlainTextResponse("<html>"), "no studio answers at"),
        (JSONResponse({"sign_in": None}), "no studio answers at"),
        (PlainTextResponse("", 503), "answered 503: no reason given"),
    ],
)
def test_a_studio_that_does_not_answer_is_reported(
    api: Api, opened: list[str], config: Response, reason: str
) -> None:
    api.config = config
    said = CliRunner().invoke(app, ["studio"])
    assert said.exit_code == 1
    assert reason in said.stderr
    assert opened == []


def test_a_refusal_is_shown(api: Api, opened: list[str]) -> None:
    api.refusal = JSONResponse({"error": {"message": "Send this PC's API key."}}, 401)
    said = CliRunner().invoke(app, ["studio"])
    assert said.exit_code == 1
    assert "answered 401: Send this PC's API key." in said.stderr
    assert opened == []


def test_without_a_cloud_it_says_how_to_start_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, opened: list[str]
) -> None:
    for name in ("REELWORKS_BASE_URL", "REELWORKS_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REELWORKS_HOME", str(tmp_path_factory.mktemp("home")))
    said = CliRunner().invoke(app, ["studio"])
    assert said.exit_code == 1
    assert "start it with `reel up`" in said.stderr
    assert opened == []

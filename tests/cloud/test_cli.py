"""`reel` against an API on loopback."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from typer.testing import CliRunner

from reelworks.cli import app
from tests.cloud.servers import serving

VIDEO = {"id": "video_1", "status": "completed", "stage": "completed", "progress": 100, "clips": []}


@pytest.fixture
def reel(monkeypatch: pytest.MonkeyPatch) -> Iterator[CliRunner]:
    def content(request: Request) -> Response:
        return RedirectResponse(request.url_for("film"), 302)

    async def create(request: Request) -> Response:
        return JSONResponse(VIDEO | {"asked": await request.json()})

    api = Starlette(
        routes=[
            Route("/v1/videos", create, methods=["POST"]),
            Route("/v1/videos/video_1", lambda _: JSONResponse(VIDEO)),
            Route("/v1/videos/video_1/content", content),
            Route("/film", lambda _: Response(b"film"), name="film"),
        ]
    )
    with serving(api) as url:
        monkeypatch.setenv("REELWORKS_BASE_URL", f"{url}/v1")
        monkeypatch.setenv("REELWORKS_API_KEY", "rk-x")
        yield CliRunner()


def test_a_film_is_put_into_a_folder_under_its_id(reel: CliRunner, tmp_path: Path) -> None:
    result = reel.invoke(app, ["get", "video_1", "--json", "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["path"] == str(tmp_path / "video_1.mp4")
    assert (tmp_path / "video_1.mp4").read_bytes() == b"film"


def test_a_film_that_cannot_be_written_is_not_lost(reel: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = reel.invoke(app, ["get", "video_1", "-o", str(tmp_path / "file" / "film.mp4")])
    assert result.exit_code == 1
    assert "can't be written" in result.stderr
    assert "reel get video_1 -o PATH" in result.stderr


def test_a_key_that_is_none_is_refused(reel: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELWORKS_API_KEY", "clé")
    result = reel.invoke(app, ["show", "video_1"])
    assert result.exit_code == 1
    assert "REELWORKS_API_KEY" in result.stderr


def test_speed_and_adapters_are_asked_for(reel: CliRunner) -> None:
    loras = ["--lora", "paper", "--lora", "ink:wash:0.8"]
    result = reel.invoke(app, ["make", "A bee", "--no-wait", "--json", "--speed", "fast", *loras])
    assert result.exit_code == 0, result.output
    asked = json.loads(result.stdout)["asked"]
    assert asked["speed"] == "fast"
    assert asked["loras"] == [{"name": "paper"}, {"name": "ink:wash", "scale": 0.8}]


def test_an_adapter_s_scale_is_a_number(reel: CliRunner) -> None:
    result = reel.invoke(app, ["make", "A bee", "--no-wait", "--lora", "paper:much"])
    assert result.exit_code == 1
    assert "paper:0.8" in result.stderr

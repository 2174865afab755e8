"""`reel` against an API on loopback."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from typer.testing import CliRunner

from reelworks.cli import app
from tests.cloud.servers import serving

STORYBOARD = {
    "title": "The kite",
    "style": "",
    "scenes": [
        {
            "narration": {"text": "A kite rises."},
            "image": {"positive_prompt": "A kite.", "negative_prompt": ""},
            "video": {"positive_prompt": "It rises.", "negative_prompt": ""},
        }
    ],
}
VIDEO = {"id": "video_1", "status": "completed", "stage": "completed", "progress": 100, "clips": []}


@pytest.fixture
def reel(monkeypatch: pytest.MonkeyPatch) -> Iterator[CliRunner]:
    def content(request: Request) -> Response:
        film = request.url_for("film").include_query_params(variant=request.query_params["variant"])
        return RedirectResponse(film, 302)

    def film(request: Request) -> Response:
        variant = request.query_params["variant"]
        return Response(b"film" if variant == "video" else variant.encode())

    async def create(request: Request) -> Response:
        return JSONResponse(VIDEO | {"asked": await request.json()})

    api = Starlette(
        routes=[
            Route("/v1/videos", create, methods=["POST"]),
            Route("/v1/videos/video_1", lambda _: JSONResponse(VIDEO)),
            Route("/v1/videos/video_1/content", content),
            Route("/v1/videos/video_1/storyboard", lambda _: JSONResponse(STORYBOARD)),
            Route(
                "/v1/videos/captioned", lambda _: JSONResponse(VIDEO | {"id": "captioned", "captions": True})
            ),
            Route("/v1/videos/captioned/content", content),
            Route("/film", film, name="film"),
        ]
    )
    with serving(api) as url:
        monkeypatch.setenv("REELWORKS_BASE_URL", f"{url}/v1")
        monkeypatch.setenv("REELWORKS_API_KEY", "rk-x")
        yield CliRunner()


def test_a_film_is_saved_in_a_folder_under_its_id(reel: CliRunner, tmp_path: Path) -> None:
    result = reel.invoke(app, ["get", "video_1", "--json", "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["path"] == str(tmp_path / "video_1.mp4")
    assert (tmp_path / "video_1.mp4").read_bytes() == b"film"


def test_a_film_that_cannot_be_saved_is_not_lost(reel: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = reel.invoke(app, ["get", "video_1", "-o", str(tmp_path / "file" / "film.mp4")])
    assert result.exit_code == 1
    assert "cannot write" in result.stderr
    assert "reel get video_1 -o PATH" in result.stderr


def test_an_invalid_key_is_rejected(reel: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELWORKS_API_KEY", "clé")
    result = reel.invoke(app, ["show", "video_1"])
    assert result.exit_code == 1
    assert "REELWORKS_API_KEY" in result.stderr


def test_speed_and_adapters_are_requested(reel: CliRunner) -> None:
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


def asked(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    fields: dict[str, Any] = json.loads(result.stdout)["asked"]
    return fields


def test_a_prompt_sends_no_scene_fields(reel: CliRunner) -> None:
    sent = asked(reel.invoke(app, ["make", "A bee", "--no-wait", "--json"]))
    assert sent == {"prompt": "A bee", "even_out": False, "fragmented": False}


def test_a_film_of_scenes_is_requested(reel: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "kite.json"
    file.write_text(json.dumps(STORYBOARD), "utf-8-sig")  # as editors of Windows write it
    options = {
        "topic": "Kites",
        "tone": "calm",
        "scenes": 4,
        "language": "de",
        "voice": "Vicki",
        "voice_engine": "neural",
        "speech_speed": 1.1,
        "sample_rate": 16000,
        "stills": "premium",
        "text_model": "llama3",
        "temperature": 0.2,
        "top_p": 0.9,
        "max_tokens": 4000,
        "context_size": 8192,
    }
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    sent = asked(
        reel.invoke(
            app,
            ["make", *words, "--no-narrate", "--captions", "--storyboard", str(file), "--no-wait", "--json"],
        )
    )
    assert sent == options | {
        "narrate": False,
        "captions": True,
        "storyboard": STORYBOARD,
        "even_out": False,
        "fragmented": False,
    }


@pytest.mark.parametrize(
    ("content", "says"), [(b"{", "not valid JSON"), (b"\xff", "not valid JSON"), (None, "does not exist")]
)
def test_an_unreadable_storyboard(reel: CliRunner, tmp_path: Path, content: bytes | None, says: str) -> None:
    file = tmp_path / "kite.json"
    if content is not None:
        file.write_bytes(content)
    result = reel.invoke(app, ["make", "--storyboard", str(file), "--no-wait"])
    assert result.exit_code != 0
    assert says in " ".join(result.stderr.split())


def test_captions_are_saved_beside_the_film(reel: CliRunner, tmp_path: Path) -> None:
    result = reel.invoke(app, ["get", "captioned", "--json", "-o", str(tmp_path / "kite.mp4")])
    assert result.exit_code == 0, result.output
    paths = [str(tmp_path / "kite.vtt"), str(tmp_path / "kite.srt")]
    assert json.loads(result.stdout)["captions_paths"] == paths
    assert (tmp_path / "kite.mp4").read_bytes() == b"film"
    assert (tmp_path / "kite.vtt").read_bytes() == b"captions"
    assert (tmp_path / "kite.srt").read_bytes() == b"captions_srt"


def test_a_storyboard_is_shown(reel: CliRunner) -> None:
    shown = reel.invoke(app, ["storyboard", "show", "video_1"])
    assert shown.exit_code == 0, shown.output
    assert "A kite rises." in shown.stdout
    assert json.loads(reel.invoke(app, ["storyboard", "show", "video_1", "--json"]).stdout) == STORYBOARD

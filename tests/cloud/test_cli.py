"""`reel` against an API on loopback."""

import json
import os
import subprocess
import sys
import threading
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
HOSTILE = "\x1b[2Jred\x9b31m \u202egnp \x00\x07\x7f 你好"
VIDEO = {
    "id": "video_1",
    "status": "completed",
    "stage": "completed",
    "progress": 100,
    "clips": [],
    "assembly": {"stems": False},
}


_FILM = {"seconds": 12.5, "bytes": 2_000_000, "cost": None, "variants": ["video", "captions"]}
FILMS = {
    "data": [
        {**_FILM, "attempt": 3, "completed_at": 1_700_000_100, "new_scenes": [1, 2]},
        {**_FILM, "attempt": 1, "completed_at": 1_700_000_000, "new_scenes": None, "cost": 0.25},
    ]
}


_SHAPE = {"fit": "cover", "size": "720x1280", "cropped": 0.5, "thumbnail_url": None}
SHAPES = [
    {**_SHAPE, "aspect": "9:16", "variant": "9x16", "url": "http://127.0.0.1/9x16"},
    {**_SHAPE, "aspect": "1:1", "variant": "1x1", "url": None},
]


@pytest.fixture
def reel(monkeypatch: pytest.MonkeyPatch) -> Iterator[CliRunner]:
    def content(request: Request) -> Response:
        film = request.url_for("film").include_query_params(**request.query_params)
        return RedirectResponse(film, 302)

    def film(request: Request) -> Response:
        variant, attempt = request.query_params["variant"], request.query_params.get("attempt", "")
        return Response((b"film" if variant == "video" else variant.encode()) + attempt.encode())

    async def create(request: Request) -> Response:
        return JSONResponse(VIDEO | {"asked": await request.json()})

    async def retry(_: Request) -> Response:
        return JSONResponse(VIDEO)

    hostile = VIDEO | {
        "id": "hostile", "prompt": HOSTILE, "seconds": "4", "model": HOSTILE, "stages": [],
        "enhance": {"prompt": HOSTILE, "by": HOSTILE, "note": HOSTILE},
        "loras": [{"name": HOSTILE, "scale": 1.0}],
        "narrations": [{"scene": 0, "state": HOSTILE, "by": HOSTILE, "reused": False}],
    }  # fmt: skip
    listed = {"data": [hostile], "has_more": False, "last_id": "hostile"}
    shown = {"positive_prompt": HOSTILE, "negative_prompt": HOSTILE}
    hostile_storyboard = {
        "title": HOSTILE,
        "style": HOSTILE,
        "scenes": [{"narration": {"text": HOSTILE}, "image": shown, "video": shown}],
    }
    api = Starlette(
        routes=[
            Route("/v1/videos", create, methods=["POST"]),
            Route("/v1/videos/video_1", lambda _: JSONResponse(VIDEO)),
            Route("/v1/videos/video_1/content", content),
            Route("/v1/videos/video_1/films", lambda _: JSONResponse(FILMS)),
            Route("/v1/videos/video_1/storyboard", lambda _: JSONResponse(STORYBOARD)),
            Route(
                "/v1/videos/captioned",
                lambda _: JSONResponse(
                    VIDEO | {"id": "captioned", "captions": True, "assembly": {"stems": True}}
                ),
            ),
            Route("/v1/videos/captioned/content", content),
            Route("/film", film, name="film"),
            Route("/v1/videos", lambda _: JSONResponse(listed), methods=["GET"]),
            Route("/v1/videos/hostile", lambda _: JSONResponse(hostile)),
            Route("/v1/videos/hostile/storyboard", lambda _: JSONResponse(hostile_storyboard)),
            Route("/v1/videos/video_1/retry", retry, methods=["POST"]),
            Route("/v1/videos/video_1/shapes", create, methods=["POST"]),
            Route("/v1/videos/shaped", lambda _: JSONResponse(VIDEO | {"id": "shaped", "shapes": SHAPES})),
            Route("/v1/videos/shaped/content", content),
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


def test_the_films_of_all_attempts_are_listed_and_saved(reel: CliRunner, tmp_path: Path) -> None:
    listed = reel.invoke(app, ["films", "video_1"])
    assert listed.exit_code == 0, listed.output
    latest, first = (line.split() for line in listed.stdout.splitlines()[1:3])
    assert (latest[0], latest[3:]) == ("3", ["12.5", "2.0", "unknown", "2,", "3"])
    assert (first[0], first[3:]) == ("1", ["12.5", "2.0", "0.2500"])
    assert "reel get video_1 --attempt 1" in listed.stdout
    assert json.loads(reel.invoke(app, ["films", "video_1", "--json"]).stdout)[0]["new_scenes"] == [1, 2]

    saved = reel.invoke(app, ["get", "video_1", "--attempt", "1", "--json", "-o", str(tmp_path)])
    assert saved.exit_code == 0, saved.output
    path = tmp_path / "video_1-1.mp4"
    assert (json.loads(saved.stdout)["path"], path.read_bytes()) == (str(path), b"film1")
    assert path.with_suffix(".vtt").read_bytes() == b"captions1"
    none = reel.invoke(app, ["get", "video_1", "--attempt", "2", "-o", str(tmp_path)])
    assert none.exit_code == 1
    assert "reel films video_1" in none.stderr


def test_a_film_s_shapes_are_asked_for_and_saved_beside_it(reel: CliRunner, tmp_path: Path) -> None:
    asked = [{"aspect": "9:16"}, {"aspect": "1:1", "fit": "blur"}]
    made = reel.invoke(
        app, ["make", "A bee", "--shape", "9:16", "--shape", "1:1:blur", "--no-wait", "--json"]
    )
    added = reel.invoke(app, ["shapes", "video_1", "9:16", "1:1:blur", "--no-wait", "--json"])
    for result in (made, added):
        assert json.loads(result.stdout)["asked"]["shapes"] == asked, result.output
    saved = reel.invoke(app, ["get", "shaped", "--json", "-o", str(tmp_path)])
    tall = tmp_path / "shaped.9x16.mp4"
    assert json.loads(saved.stdout)["shapes_paths"] == {"9x16": str(tall)}, saved.output
    assert (tall.read_bytes(), (tmp_path / "shaped.mp4").read_bytes()) == (b"9x16", b"film")
    one = reel.invoke(app, ["get", "shaped", "--shape", "1:1", "-o", str(tmp_path / "square.mp4")])
    assert one.exit_code == 0, one.output
    assert (tmp_path / "square.mp4").read_bytes() == b"1x1"


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


def test_captions_and_stems_are_saved_beside_the_film(reel: CliRunner, tmp_path: Path) -> None:
    result = reel.invoke(app, ["get", "captioned", "--json", "-o", str(tmp_path / "kite.mp4")])
    assert result.exit_code == 0, result.output
    paths = [str(tmp_path / f"kite.{kind}") for kind in ("vtt", "srt", "ass")]
    assert json.loads(result.stdout)["captions_paths"] == paths
    assert json.loads(result.stdout)["stems_path"] == str(tmp_path / "kite.stems.zip")
    assert (tmp_path / "kite.mp4").read_bytes() == b"film"
    assert (tmp_path / "kite.vtt").read_bytes() == b"captions"
    assert (tmp_path / "kite.srt").read_bytes() == b"captions_srt"
    assert (tmp_path / "kite.ass").read_bytes() == b"captions_ass"
    assert (tmp_path / "kite.stems.zip").read_bytes() == b"stems"


def test_a_storyboard_is_shown(reel: CliRunner) -> None:
    shown = reel.invoke(app, ["storyboard", "show", "video_1"])
    assert shown.exit_code == 0, shown.output
    assert "A kite rises." in shown.stdout
    assert json.loads(reel.invoke(app, ["storyboard", "show", "video_1", "--json"]).stdout) == STORYBOARD


# --- where the film goes


def reel_process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """`reel` as a process of its own, with its output in pipes."""
    return subprocess.run(
        [sys.executable, "-c", "from reelworks.cli import app; app()", *arguments],
        env=os.environ | environment,
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("command", [["get", "video_1"], ["make", "A bee"], ["retry", "video_1"]])
@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("a" * 304, "File name too long"),
        ("file/film.mp4", "Not a directory"),
        ("loop", "Too many levels of symbolic links"),
    ],
)
def test_a_film_that_could_not_be_saved_is_not_made(
    reel: CliRunner,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    output: str,
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    result = reel.invoke(app, [*command, "-o", output])
    assert result.exit_code == 1
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert f"cannot write {output}: {says}" in result.stderr.replace("\n", "")
    assert "video_1" not in result.stdout, "nothing was requested"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "loop"]


def test_a_film_goes_through_a_pipe(reel: CliRunner, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    result = reel.invoke(app, ["get", "captioned", "-o", str(pipe), "--json"])
    reader.join()
    assert result.exit_code == 0, result.output
    assert read == [b"film"]
    assert json.loads(result.stdout)["captions_paths"] == []
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_film_for_standard_output_is_alone_there(reel: CliRunner) -> None:
    result = reel_process("get", "video_1", "-o", "/dev/stdout", "--json")
    assert result.returncode == 0, result.stderr
    assert result.stdout == b"film"
    assert json.loads(result.stderr.partition(b"{")[1] + result.stderr.partition(b"{")[2])["bytes"] == 4


# --- what a terminal shows


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
@pytest.mark.parametrize(
    "command",
    [["list"], ["show", "hostile"], ["storyboard", "show", "hostile"], ["--help"], ["make", "--help"]],
)
def test_nothing_raw_reaches_an_output_of_any_encoding(
    reel: CliRunner, encoding: str, command: list[str]
) -> None:
    result = reel_process(*command, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert result.returncode == 0, result.stderr
    assert b"Traceback" not in result.stderr
    assert not set(b"\x1b\x00\x07\r\x7f") & set(result.stdout)
    shown = result.stdout.decode(encoding)
    assert not [letter for letter in shown if "\x80" <= letter <= "\x9f" or letter == "\u202e"]
    if "--help" not in command:
        assert "\\x1b" in shown
        assert ("你好" in shown) == (encoding == "utf-8")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_is_whole_in_any_encoding(reel: CliRunner, encoding: str) -> None:
    result = reel_process("show", "hostile", "--json", PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert json.loads(result.stdout.decode(encoding))["prompt"] == HOSTILE
    assert not set(b"\x1b\x00\x07\r\x7f") & set(result.stdout)

"""`reel` with a film that waits for its user: against an API on loopback, with and without a terminal."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
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
from tests.comfyui_server import film

ID = "video_1"
FILM = film(width=64, height=48, length=4, fps=8)
REPORT = {
    "status": "warn",
    "warnings": 1,
    "checks": [
        {
            "name": "black",
            "status": "warn",
            "allows": "less than 2 s",
            "source": "FFmpeg",
            "count": 1,
            "found": [{"scene": 0, "start": 1.0, "end": 4.0, "message": "black for 3.0 s"}],
        }
    ],
}
REPOSITORY = Path(__file__).parents[2]


def scene(said: str) -> dict[str, Any]:
    return {
        "narration": {"text": said},
        "image": {"positive_prompt": "A kite.", "negative_prompt": ""},
        "video": {"positive_prompt": "It rises.", "negative_prompt": ""},
    }


@dataclass
class Api:
    """Serves one video; records requests."""

    stage: str = "reviewing"
    gate: str | None = "storyboard"
    gates: tuple[str, ...] = ("storyboard", "previews")
    storyboard: dict[str, Any] = field(
        default_factory=lambda: {
            "title": "Kites",
            "style": "",
            "scenes": [scene("A kite rises."), scene("Käfer.")],
        }
    )
    takes_stills: bool = True
    has_storyboard: bool = True
    note: str | None = None
    version: int = 1
    filmed: int = 0
    asked: list[tuple[str, str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        routes = [
            Route("/v1/videos", self._create, methods=["POST"]),
            Route("/v1/videos/{name}", self._video),
            Route("/v1/videos/{name}", self._create, methods=["POST"]),
            Route(f"/v1/videos/{ID}/remix", self._create, methods=["POST"]),
            Route(f"/v1/videos/{ID}/storyboard", self._storyboard, methods=["GET", "PUT"]),
            Route(f"/v1/videos/{ID}/approve", self._approve, methods=["POST"]),
            Route(f"/v1/videos/{ID}/retry", self._retry, methods=["POST"]),
            Route(f"/v1/videos/{ID}/scenes/{{scene}}/regenerate", self._regenerate, methods=["POST"]),
            Route(f"/v1/videos/{ID}/scenes/{{scene}}/{{part}}", self._preview),
            Route(f"/v1/videos/{ID}/content", self._content),
            Route("/file", lambda _: Response(FILM), name="file"),
            Route("/report", lambda _: JSONResponse(REPORT), name="report"),
        ]
        self.app = Starlette(routes=routes)

    @property
    def video(self) -> dict[str, Any]:
        status = self.stage if self.stage in ("completed", "failed") else "in_progress"
        made = {"state": "done", "reused": False, "by": "Joe", "took": 1.25, "cost": 0.0}
        parts = [made | {"scene": number} for number in range(2)] if self.gate != "storyboard" else []
        return {
            "id": ID,
            "status": status,
            "stage": self.stage,
            "progress": 2,
            "model": "animatic",
            "size": "64x48",
            "seconds": "4",
            "prompt": "Kites",
            "enhance": {"prompt": None, "by": None, "note": None},
            "review": {"requested": [], "gate": self.gate, "until": 1_800_000_000, "approved": []},
            "storyboard": {"by": "director", "note": self.note, "filmed": self.filmed == self.version}
            if self.has_storyboard
            else None,
            "narrations": parts,
            "stills": parts,
            "clips": [],
            "stages": [],
            "captions": False,
            "failure": None,
        }

    @property
    def estimate(self) -> dict[str, Any]:
        costs = {
            name: {"usd": 0.0, "reason": None} for name in ("writing", "narration", "stills", "assembly")
        }
        return {
            "object": "video.estimate",
            "model": "cogvideox-5b",
            "clips": 2,
            "seconds": "12",
            "size": "1280x720",
            "fps": 24,
            "rendered_size": "720x480",
            "rendered_fps": 8,
            "cost": 0.3251,
            "costs": {**costs, "clips": {"usd": 0.3251, "reason": None}},
            "max_cost": 0.1,
            "expected_seconds": 432,
            "expected_seconds_reason": None,
            "refusals": [{"message": "max_cost is too low.", "param": "max_cost", "code": "x"}],
        }

    async def _content(self, request: Request) -> Response:
        name = "report" if request.query_params.get("variant") == "quality" else "file"
        return RedirectResponse(request.url_for(name), 302)

    async def _video(self, _: Request) -> Response:
        return JSONResponse(self.video)

    async def _keep(self, request: Request) -> None:
        body = await request.body()
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        self.asked.append((request.method, path, json.loads(body) if body else None))

    async def _create(self, request: Request) -> Response:
        await self._keep(request)
        if not self.takes_stills and "stills" in self.asked[-1][2]:
            return _error(400, "No stills.", "stills")
        if "dry_run" in request.query_params:
            return JSONResponse(self.estimate)
        return JSONResponse(self.video)

    async def _storyboard(self, request: Request) -> Response:
        if request.method == "PUT":
            await self._keep(request)
            if request.headers.get("if-match", f'"{self.version}"') != f'"{self.version}"':
                return _error(412, "The storyboard was changed since you read it.", None)
            new = self.asked[-1][2]
            for number, one in enumerate(new["scenes"]):
                if not one["video"].get("positive_prompt"):
                    return _error(400, "It is missing.", f"scenes[{number}].video.positive_prompt")
            if new != self.storyboard:
                self.storyboard, self.version = new, self.version + 1
                if self.gate == "previews":
                    self.stage = "reviewing"
        return JSONResponse(self.storyboard, headers={"ETag": f'"{self.version}"'})

    async def _approve(self, request: Request) -> Response:
        await self._keep(request)
        if self.stage == "reviewing" and self.gate == "storyboard" and "previews" in self.gates:
            self.gate = "previews"
        else:
            self.gate, self.stage, self.filmed = None, "completed", self.version
        return JSONResponse(self.video | {"status": "in_progress"})

    async def _retry(self, request: Request) -> Response:
        await self._keep(request)
        self.stage, self.gate = "completed", None
        return JSONResponse(self.video | {"status": "queued"})

    async def _regenerate(self, request: Request) -> Response:
        await self._keep(request)
        if int(request.path_params["scene"]) >= len(self.storyboard["scenes"]):
            return _error(400, "scene must be a whole number from 0 to 1; got '2'.", "scene")
        return JSONResponse(self.video)

    async def _preview(self, request: Request) -> Response:
        return RedirectResponse(request.url_for("file"), 302)


def _error(status: int, message: str, param: str | None) -> Response:
    return JSONResponse({"error": {"message": message, "param": param, "code": "x"}}, status)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Api]:
    api = Api()
    with serving(api.app) as url:
        monkeypatch.setenv("REELWORKS_BASE_URL", f"{url}/v1")
        monkeypatch.setenv("REELWORKS_API_KEY", "rk-x")
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr(tempfile, "tempdir", None)  # where it was looked up before
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.delenv("EDITOR", raising=False)
        monkeypatch.chdir(tmp_path)
        yield api


def reel(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, (result.output, result.exception)
    return result


def editor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str) -> None:
    """Return an editor that runs `program`, where `text` is the file's text and is saved afterwards."""
    script = tmp_path / "my editor.py"
    script.write_text(
        f"import sys\npath = sys.argv[-1]\ntext = open(path, encoding='utf-8').read()\n{program}\n"
        "open(path, 'w', encoding='utf-8').write(text)\n"
    )
    monkeypatch.setenv("EDITOR", f"{sys.executable} '{script}'")


def left(tmp_path: Path) -> list[Path]:
    return list(tmp_path.glob(f"storyboard-{ID}-*.json"))


# --- what a film would cost


def test_a_dry_run_prints_what_the_film_would_take(api: Api) -> None:
    (Path.cwd() / "films").touch()  # nothing is saved
    result = reel("make", "A bee", "--seconds", "12", "--max-cost", "0.1", "--dry-run")
    [(method, path, body)] = api.asked
    assert (method, path) == ("POST", "/v1/videos?dry_run=true")
    assert (body["prompt"], body["seconds"], body["max_cost"]) == ("A bee", 12, 0.1)
    rows = [" ".join(line.replace("│", " ").split()) for line in result.stdout.splitlines()]
    assert "writing 0.0000" in rows
    assert "clips 2 of 720x480, 8 fps 0.3251" in rows
    assert "total 0.3251" in rows
    assert rows[-2:] == [
        "expected time: 7 min 12 s, if nothing else is made",
        "would be refused: max_cost is too low.",
    ]
    assert json.loads(reel("make", "A bee", "--dry-run", "--json").stdout) == api.estimate


def test_what_is_unknown_says_why(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = {"clips": {"usd": None, "reason": "no price"}}
    changed = {"cost": None, "expected_seconds": None, "expected_seconds_reason": "no time"}
    estimate = {**api.estimate, **changed, "costs": api.estimate["costs"] | unknown}
    monkeypatch.setattr(Api, "estimate", estimate)
    said = reel("make", "A bee", "--dry-run").stdout
    assert said.count("unknown") == 2
    assert "clips: no price\nexpected time: no time" in said


@pytest.mark.parametrize("command", ["retry", "approve"])
def test_another_limit(api: Api, command: str) -> None:
    reel(command, ID, "--no-wait", "--max-cost", "2.5")
    assert api.asked[-1][1] == f"/v1/videos/{ID}/{command}?max_cost=2.5"


# --- without a terminal


def test_a_review_is_requested(api: Api) -> None:
    line = ["make", "--topic", "Kites", "--tone", "calm", "--scenes", "4", "--narrate", "--captions"]
    reel(*line, "--review", "--no-wait")
    assert api.asked[-1][2]["review"] == ["storyboard", "previews"]
    reel(*line, "--review-at", "previews", "--no-wait")
    assert api.asked[-1][2]["review"] == ["previews"]
    reel(*line, "--no-wait")
    assert "review" not in api.asked[-1][2]


def test_commands_are_shown_at_the_storyboard_gate(api: Api) -> None:
    shown = reel("get", ID).stdout
    for text in ("A kite rises.", f"reel approve {ID}", f"reel storyboard edit {ID}", "reel regenerate"):
        assert text in shown
    assert not api.asked


def test_files_are_shown_at_the_previews_gate(api: Api, tmp_path: Path) -> None:
    api.gate = "previews"
    folder = tmp_path / "films" / ID / "previews"
    shown = reel("get", ID).stdout
    assert "scene 2: Käfer." in shown
    for name in ("scene-1.m4a", "scene-1.png", "scene-2.m4a", "scene-2.png"):
        assert str(folder / name) in shown
        assert (folder / name).read_bytes() == FILM
    document = json.loads(reel("get", ID, "--json").stdout)
    assert document["previews"][0] == {
        "scene": 0,
        "part": "narration",
        "path": str(folder / "scene-1.m4a"),
    }


@pytest.mark.parametrize("storyboard", [True, False], ids=["scenes", "prompt"])
def test_the_film_and_its_report_are_shown_at_the_film_gate(
    api: Api, tmp_path: Path, storyboard: bool
) -> None:
    api.gate, api.has_storyboard = "film", storyboard
    shown = reel("get", ID).stdout
    path = tmp_path / "films" / ID / "review.mp4"
    assert path.read_bytes() == FILM
    assert str(path) in shown
    assert "black for 3.0 s" in shown
    assert f"reel approve {ID}" in shown
    assert ("reel storyboard edit" in shown) is storyboard
    document = json.loads(reel("get", ID, "--json").stdout)
    assert (document["path"], document["quality"]["warnings"]) == (str(path), 1)


@pytest.mark.parametrize("gate", ["storyboard", "previews"])
def test_a_failed_scene_rewrite_is_explained(api: Api, gate: str) -> None:
    api.gate, api.note = gate, "scenes[0] could not be rewritten: the answer was cut off."
    assert f"storyboard note: {api.note}" in reel("regenerate", ID, "1", "text", "--note", "Rain").stdout


def test_previews_are_downloaded_anywhere(api: Api, tmp_path: Path) -> None:
    assert "No previews yet" in reel("previews", ID).stdout
    api.gate = "previews"
    reel("previews", ID, "-o", str(tmp_path / "here"))
    assert len(list((tmp_path / "here").iterdir())) == 4


def test_approve_continues_to_the_next_gate_and_then_to_the_film(api: Api, tmp_path: Path) -> None:
    assert "scene-2.png" in reel("approve", ID).stdout
    document = json.loads(reel("approve", ID, "--json").stdout)
    assert Path(document["path"]).read_bytes() == FILM
    assert document["path"] == str(tmp_path / "films" / f"{ID}.mp4")


def test_a_failed_film_is_retried(api: Api) -> None:
    api.stage = "failed"
    assert f"reel retry {ID}" in reel("get", ID, code=1).stderr
    assert json.loads(reel("retry", ID, "--json").stdout)["stage"] == "completed"


def test_scenes_count_from_one(api: Api) -> None:
    reel("regenerate", ID, "2", "still", "--note", "A red kite.", "--no-wait")
    assert api.asked[-1][1:] == (
        f"/v1/videos/{ID}/scenes/1/regenerate",
        {"part": "still", "note": "A red kite."},
    )
    reel("regenerate", ID, "1", "voice", "--voice", "Amy", "--speed", "0.9", "--no-wait")
    assert api.asked[-1][2] == {"part": "voice", "voice": "Amy", "speed": 0.9}
    assert "scene 3 does not exist;" in reel("regenerate", ID, "3", "still", code=1).stderr
    reel("regenerate", ID, "0", "still", code=2)
    reel("regenerate", ID, "1", "music", code=2)


def test_regenerated_parts_of_an_ended_film_wait_for_approval(api: Api) -> None:
    api.stage, api.gate = "completed", None
    assert f"reel approve {ID}" in reel("regenerate", ID, "1", "still").stdout


def test_films_of_films(api: Api) -> None:
    reel("remix", ID, "At night", "--no-wait")
    assert api.asked[-1][1:] == (f"/v1/videos/{ID}/remix", {"prompt": "At night"})
    reel("edit", ID, "At night", "--no-wait")
    assert api.asked[-1][1:] == ("/v1/videos/edits", {"prompt": "At night", "video": {"id": ID}})
    reel("extend", ID, "It lands", "--seconds", "6", "--max-cost", "1.5", "--no-wait")
    asked = {"prompt": "It lands", "seconds": "6", "video": {"id": ID}, "max_cost": 1.5}
    assert api.asked[-1][1:] == ("/v1/videos/extensions", asked)


def test_a_storyboard_is_edited(api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    editor(monkeypatch, tmp_path, "text = '\\ufeff' + text.replace('Käfer', 'Ein Käfer')")
    assert f"reel approve {ID}" in reel("storyboard", "edit", ID).stdout
    assert api.storyboard["scenes"][1]["narration"]["text"] == "Ein Käfer."
    assert not left(tmp_path)


def test_an_unchanged_storyboard_is_not_sent(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    editor(monkeypatch, tmp_path, "")
    assert reel("storyboard", "edit", ID).stdout == "unchanged\n"
    assert not api.asked
    assert not left(tmp_path)


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("text = text.replace('It rises.', '')", "scenes[0].video.positive_prompt"),
        ("text = text[:-5]", "not valid JSON"),
        ("text = text.replace('Kites', 'x'); open(path, 'w').write(text); sys.exit(3)", "status 3"),
    ],
)
def test_a_rejected_text_is_not_lost(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, says: str
) -> None:
    editor(monkeypatch, tmp_path, program)
    told = reel("storyboard", "edit", ID, code=1).stderr
    assert says in told
    assert api.version == 1
    (file,) = left(tmp_path)
    assert str(file) in told


def test_an_edit_does_not_undo_a_concurrent_one(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    editor(
        monkeypatch,
        tmp_path,
        "import json, urllib.request\n"
        "other = json.loads(text) | {'title': 'Theirs'}\n"
        f"url = {os.environ['REELWORKS_BASE_URL']!r} + '/videos/{ID}/storyboard'\n"
        "urllib.request.urlopen(urllib.request.Request(url, json.dumps(other).encode(), method='PUT'))\n"
        "text = text.replace('Kites', 'Mine')",
    )
    assert "changed since you read it" in reel("storyboard", "edit", ID, code=1).stderr
    assert api.storyboard["title"] == "Theirs"
    (file,) = left(tmp_path)
    reel("storyboard", "edit", ID, "--file", str(file))  # knowing that it does
    assert api.storyboard["title"] == "Mine"


def test_ctrl_c_in_the_editor_does_not_stop_reel(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    editor(
        monkeypatch,
        tmp_path,
        "import os, signal; os.kill(os.getppid(), signal.SIGINT); text = text.replace('Kites', 'Mine')",
    )
    reel("storyboard", "edit", ID)
    assert api.storyboard["title"] == "Mine"


def test_a_file_deleted_by_the_editor_is_reported(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    editor(monkeypatch, tmp_path, "import os; os.remove(path); sys.exit()")
    assert "nothing was changed: cannot read" in reel("storyboard", "edit", ID, code=1).stderr
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert "TMPDIR" in reel("storyboard", "edit", ID, code=1).stderr


def test_without_an_editor_an_alternative_is_suggested(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("", "  ", "'"):
        monkeypatch.setenv("EDITOR", name)
        assert "EDITOR" in reel("storyboard", "edit", ID, code=1).stderr
    monkeypatch.setenv("EDITOR", "no-such-editor")
    assert "cannot start the editor" in reel("storyboard", "edit", ID, code=1).stderr


# --- at a terminal


# If the tests run in the background, every process they start ignores Ctrl-C.
_AT_A_TERMINAL = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("reelworks", run_name="__main__")
"""


class Terminal:
    """`reel` in its own terminal, with a user who types."""

    def __init__(self, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _AT_A_TERMINAL, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY), "TERM": "dumb", "COLUMNS": "200"},
            start_new_session=True,
        )
        os.close(slave)
        self._shown = ""

    def waits_for(self, text: str) -> str:
        """Return the output since the last call, up to the text."""
        deadline = time.monotonic() + 90
        while text not in self._shown:
            assert time.monotonic() < deadline, self._shown
            if not self._read():
                break
        before, found, self._shown = self._shown.partition(text)
        assert found, f"it ended with: {before}"
        return before

    def types(self, text: str) -> None:
        os.write(self._master, text.encode())

    def interrupts(self) -> None:
        """Press Ctrl-C until the program says something: one that comes just before it begins to wait for its
        user only takes effect with the next."""
        while select.select([self._master], [], [], 0.3)[0] and self._read():
            pass  # the end of its question
        said = len(self._shown)
        for _ in range(20):
            self._process.send_signal(signal.SIGINT)
            answered = select.select([self._master], [], [], 3)[0] and self._read()
            if (answered and len(self._shown) > said) or self._process.poll() is not None:
                return

    def ends(self) -> str:
        while self._read():
            pass
        assert self._process.wait(60) == 0, self._shown
        os.close(self._master)
        return self._shown

    def _read(self) -> bool:
        if not select.select([self._master], [], [], 90)[0]:
            return False
        try:
            new = os.read(self._master, 65536)
        except OSError:  # Linux: the other side is closed
            return False
        self._shown += new.decode(errors="replace")
        return bool(new)


def test_at_a_terminal_it_asks_at_each_gate(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    editor(monkeypatch, tmp_path, "text = text.replace('Käfer', 'Ein Käfer')")
    terminal = Terminal("get", ID)
    assert "A kite rises." in terminal.waits_for("[s]top")
    terminal.types("what\n")
    terminal.waits_for("[s]top")
    terminal.types("e\n")
    assert "Ein Käfer." in terminal.waits_for("[s]top")
    assert api.version == 2
    terminal.types("a\n")
    assert "scene-2.png" in terminal.waits_for("[s]top")
    terminal.types("approve\n")
    terminal.waits_for("film: ")
    assert "0.500 s, 64x48" in terminal.ends()
    assert api.stage == "completed"


@pytest.mark.parametrize("typed", ["s\n", "\x04", None])
def test_at_a_terminal_the_film_can_be_left_waiting(api: Api, typed: str | None) -> None:
    terminal = Terminal("get", ID)
    terminal.waits_for("[s]top")
    terminal.types(typed) if typed else terminal.interrupts()
    assert f"reel approve {ID}" in terminal.ends()
    assert not api.asked


def test_at_a_terminal_a_rejected_text_is_edited_again(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mends = (
        "old, new = ('It rises.', '') if 'It rises.' in text else "
        '(\'"positive_prompt": ""\', \'"positive_prompt": "It falls."\')\n'
        "text = text.replace(old, new)"
    )
    editor(monkeypatch, tmp_path, mends)
    terminal = Terminal("storyboard", "edit", ID)
    assert "scenes[0].video.positive_prompt" in terminal.waits_for("Edit it again?")
    terminal.types("y\n")
    assert f"reel approve {ID}" in terminal.ends()
    assert api.storyboard["scenes"][0]["video"]["positive_prompt"] == "It falls."
    assert not left(tmp_path)

"""Each command of the docs, as it is written, on the PC's cloud: only the films are smaller."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reelworks.client import Client
from tests.cloud.deployment import png
from tests.films.conftest import REPOSITORY, Cloud
from tests.films.requests import wait_for
from tests.media.sounds import encoded, tone

SMALL = ("--size", "96x64", "--fps", "8")
ENDED = ("completed", "failed")
FINISHED = re.compile(r"(\.venv/bin/)?reel (show|export) ")  # films
CREATES = re.compile(r"(\.venv/bin/)?reel make |curl \$BASE/videos -")

# Blocks of commands by page and number: what the film ID is when they begin (`any`: it doesn't matter).
RUN = {
    ("README.md", 1): "any",
    ("docs/films.md", 0): "any",
    ("docs/films.md", 2): "at its storyboard",
    ("docs/films.md", 4): "at its previews",
    ("docs/films.md", 8): "completed",
    ("docs/films.md", 12): "completed",
    ("docs/films.md", 13): "completed",
    ("docs/films.md", 14): "completed",
    ("docs/films.md", 15): "completed",
    ("docs/films.md", 16): "completed",
    ("docs/films.md", 17): "any",
    ("docs/prompts.md", 0): "any",
    ("docs/prompts.md", 1): "any",
    ("docs/prompts.md", 2): "any",
    ("docs/quality.md", 0): "completed",
    ("docs/quotas.md", 0): "any",
    ("docs/quotas.md", 2): "any",
    ("docs/models.md", 0): "any",
    ("docs/operating.md", 0): "completed",
    ("docs/characters.md", 0): "any",
    ("docs/api.md", 0): "completed",
    ("docs/api.md", 7): "any",
    ("docs/api.md", 8): "any",
    ("docs/api.md", 14): "any",
    ("docs/api.md", 21): "completed",
    ("docs/api.md", 22): "completed",
    ("docs/api.md", 24): "any",
    ("docs/api.md", 27): "completed",
    ("docs/api.md", 28): "completed",
}
# What runs them, or why nothing can.
ELSEWHERE = {
    ("docs/films.md", 6): "a take of one's own: tests/cloud/test_cli.py",
    ("docs/films.md", 11): "a brand's files: tests/cloud/test_cli.py",
    ("docs/api.md", 13): "files of one's own: tests/cloud/test_own_material.py",
    ("docs/api.md", 15): "a ComfyUI workflow with two pictures: tests/cloud/test_last_frame.py",
    ("docs/api.md", 18): "needs a GPU; what it asks for: tests/cloud/test_api.py",
    ("docs/api.md", 19): "large films in several shapes: tests/cloud/test_api.py",
    ("docs/api.md", 20): "the same calls as reel's on the page of films; with curl: test_editing.py",
    ("docs/api.md", 26): "a receiver of one's own: test_webhooks.py",
    ("docs/gallery.md", 1): "it made the page's picture",
    ("docs/gallery.md", 2): "it made the page's pictures",
    ("docs/gallery.md", 3): "it made the page's pictures",
    ("docs/operating.md", 1): "engines on AWS: test_operations.py, tests/cloud/test_operating.py",
    ("docs/provenance.md", 0): "a signed film: tests/cloud/test_signing.py",
    ("docs/provenance.md", 2): "a certificate of one's own: tests/cloud/test_signing.py",
    ("docs/provenance.md", 3): "a key in KMS: tests/cloud/test_signing.py",
    ("docs/quality.md", 1): "needs a GPU; a model's opinion: tests/cloud/pipeline",
    ("docs/webhooks.md", 1): "a receiver of one's own: test_webhooks.py",
}
# Single commands that are not run, by how they begin.
NOT_HERE = {
    "reel up": "the tests' cloud runs",
    "reel doctor": "tests/cloud/test_doctor.py: what it finds is the machine's",
    "reel studio": "it opens a browser: tests/studio",
    "reel mcp": "it serves until it is stopped: test_mcp.py",
    "reel models pull": "downloads from the hub: tests/cloud/test_models_cli.py",
    "reel models push": "tests/cloud/test_models_cli.py",
    "reel logs": "its function's log groups are on AWS only",
    "reel retry": "a film that failed: test_editing.py",
    "reel ops redrive": "test_operations.py",
}


def is_run(command: str) -> bool:
    return not command.removeprefix(".venv/bin/").startswith(tuple(NOT_HERE))


class Page:
    """The commands of a page, run in a folder as a reader would."""

    def __init__(self, cloud: Cloud, folder: Path, completed: str) -> None:
        self._cloud = cloud
        self._folder = folder
        self._completed = completed
        self._id = ""

    def run(self, command: str) -> None:
        id_ = self._completed if FINISHED.match(command) else self._id
        text = re.sub(r"(?<![$\w])(VIDEO_ID|ID)\b", id_, command).replace("TENANT", "acme")
        if re.match(r"(\.venv/bin/)?reel make ", text) and "--size" not in text:
            text += " " + shlex.join(SMALL)
        if CREATES.match(command):
            text = re.sub(r"-d '{\s*", """-d '{"size": "96x64", "fps": 8, """, text)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self._folder,
            env=self._environment(id_),
            capture_output=True,
            text=True,
            timeout=300,
        )
        said = f"{text}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, said
        assert '"error": {' not in done.stdout.replace('"error":{', '"error": {'), said
        if CREATES.match(command) and (made := re.search(r"video_[0-9a-f]{32}", done.stdout + done.stderr)):
            self._id = made[0]

    def begin(self, state: str) -> None:
        if state == "completed":
            self._id = self._completed
        elif state != "any":
            self._id = film(self._cloud.client(), state.removeprefix("at its "))

    def settle(self) -> None:
        """Wait until the film waits for its user or has ended, as a reader does before the next command."""
        client = self._cloud.client()
        if self._id:
            wait_for(client, self._id, lambda v: v["review"]["gate"] or v["status"] in ENDED)

    def _environment(self, id_: str) -> dict[str, str]:
        status = self._cloud.status
        kept = {name: value for name, value in os.environ.items() if not name.startswith("REELWORKS_")}
        bin_ = f"{self._folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        own = {"REELWORKS_HOME": str(self._cloud.home), "REELWORKS_TEXT_KIND": "rules", "PATH": bin_}
        own |= {"PYTHONPATH": str(REPOSITORY), "EDITOR": "sed -i s/kite/kestrel/"}
        variables = {
            "BASE": status["base_url"],
            "API": status["base_url"],
            "KEY": status["api_key"],
            "ID": id_,
        }
        return kept | own | variables


def film(client: Client, gate: str | None) -> str:
    """Make a film of two scenes up to a gate, or to its end."""
    asked: Any = {"topic": "How kites fly", "scenes": 2, "stills": "standard", "captions": True}
    asked |= {"size": "96x64", "fps": 8, "model": "animatic"}
    if gate:
        asked["review"] = ["storyboard", "previews"]
    id_ = client.submit(**asked).id
    while True:
        video = wait_for(client, id_, lambda v: v["review"]["gate"] or v["status"] in ENDED)
        if video["status"] in ENDED or video["review"]["gate"] == gate:
            assert video["status"] != "failed", video
            return id_
        client.approve(id_)


def blocks(page: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each block of shell commands with its number among the page's fences."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    fences = re.finditer(r"^( *)```(\w*)\n(.*?)^ *```", text, flags=re.MULTILINE | re.DOTALL)
    for number, fence in enumerate(fences):
        if fence[2] in ("sh", ""):
            body = re.sub(r"\\\n\s*", " ", fence[3])
            body = re.sub(r"\n {5,}(?=-)", " ", body)
            lines = whole(re.sub(r"\s{2,}# .*$", "", line).strip() for line in body.splitlines())
            yield number, [line for line in lines if re.match(r"(\.venv/bin/)?reel |curl ", line)]


def whole(lines: Iterable[str]) -> Iterator[str]:
    """Yield commands: lines, joined while a quotation is open."""
    command = ""
    for line in lines:
        command = f"{command} {line}".strip()
        if command.count("'") % 2 == 0:
            yield command
            command = ""


@pytest.fixture(scope="module")
def completed(cloud: Cloud) -> str:
    return film(cloud.client(), None)


@pytest.fixture
def page(cloud: Cloud, completed: str, tmp_path: Path) -> Page:
    folder = tmp_path / "reader"
    (folder / ".venv" / "bin").mkdir(parents=True)
    reel = folder / ".venv" / "bin" / "reel"
    reel.write_text(f'#!/bin/sh\nexec {sys.executable} -m reelworks "$@"\n')
    reel.chmod(0o755)
    for name in ("mossy.png", "bud.png", "flower.png"):
        (folder / name).write_bytes(png())
    (folder / "song.mp3").write_bytes(encoded(tone(2, 440), "mp3").read())
    return Page(cloud, folder, completed)


@pytest.mark.parametrize(("name", "number"), RUN, ids=lambda part: str(part))
def test_a_block_of_commands_runs(page: Page, name: str, number: int) -> None:
    page.begin(RUN[name, number])
    for command in dict(blocks(name))[number]:
        if is_run(command):
            page.settle()
            page.run(command)


def test_each_block_is_run_or_says_why_not() -> None:
    pages = ["README.md", *(f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md"))]
    left = {
        (page, number): [one for one in commands if is_run(one)]
        for page in pages
        for number, commands in blocks(page)
        if (page, number) not in RUN and (page, number) not in ELSEWHERE
    }
    assert not {block: commands for block, commands in left.items() if commands}

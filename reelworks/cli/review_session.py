"""Review a film that waits for its user: show its storyboard or previews, and edit the storyboard."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer
from rich.markup import escape

from reelworks.cli import progress
from reelworks.cli.quality import fetch_quality, print_quality
from reelworks.cli.terminal import err, fail, interactive, out, print_json, said
from reelworks.video_words import describe

if TYPE_CHECKING:
    from reelworks.client import Client, Storyboard, Video
    from reelworks.client.models import ScenePart


def at_gate(client: Client, video: Video, *, as_json: bool) -> bool:
    """Show what the film needs reviewed and, at an interactive terminal, ask what to do. Return whether the
    film continues; otherwise it is left waiting."""
    while True:
        previews = fetch_previews(client, video) if video.review.gate == "previews" else []
        shown = _film_to_review(client, video) if video.review.gate == "film" else {}
        if as_json:
            print_json({**video.to_dict(), "previews": previews, **shown})
            return False
        # A film of one prompt has no storyboard.
        storyboard, etag = client.storyboard(video.id) if video.storyboard else (None, None)
        if shown:
            print_quality(shown["quality"])
            out.print(f"film: {escape(shown['path'])}", soft_wrap=True)
        elif previews and storyboard:
            show_previews(storyboard, previews)
        elif storyboard:
            show_storyboard(storyboard)
        if video.storyboard and (
            note := video.storyboard.note
        ):  # for example why a scene could not be rewritten
            out.print(f"storyboard note: {escape(note)}", soft_wrap=True)
        if not interactive():
            _leave(video)
            return False
        match _asked(video):
            case "approve":
                client.approve(video.id, gate=video.review.gate, etag=etag)
                return True
            case "edit":
                if edit_storyboard(client, video.id):
                    video = client.status(video.id)
            case "stop":
                _leave(video)
                return False
        if video.stage != "reviewing":  # the changes are being made
            return True


_QUESTION = "[a]pprove, [e]dit the storyboard, or [s]top and leave it waiting"
_QUESTION_OF_PROMPT = "[a]pprove, or [s]top and leave it waiting"


def _asked(video: Video) -> Literal["approve", "edit", "stop"]:
    out.print(f"{escape(describe(video)).capitalize()}.")
    while True:
        try:
            answer = str(typer.prompt(_QUESTION if video.storyboard else _QUESTION_OF_PROMPT))
        except typer.Abort:  # Ctrl-C or the end of the input
            return "stop"
        for choice in ("approve", "edit", "stop") if video.storyboard else ("approve", "stop"):
            if answer.strip() and choice.startswith(answer.strip().lower()):
                return choice


def _leave(video: Video) -> None:
    out.print("\n".join(progress.waiting_lines(video)), soft_wrap=True)


def _film_to_review(client: Client, video: Video) -> dict[str, Any]:
    """Download a film that waits to be delivered. Return its path and its quality report."""
    path = Path("films") / video.id / "review.mp4"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        client.download(video.id, path)
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}")
    return {"path": str(path.resolve()), "quality": fetch_quality(client, video.id)}


def fetch_previews(client: Client, video: Video, folder: Path | None = None) -> list[dict[str, Any]]:
    """Download the finished narrations and stills. Return {"scene", "part", "path"} of each, in the order of
    scenes, counted from 0."""
    folder = folder or Path("films") / video.id / "previews"
    previews: list[dict[str, Any]] = []
    kinds: tuple[tuple[Sequence[ScenePart], Literal["narration", "still"], str], ...] = (
        (video.narrations, "narration", "m4a"),
        (video.stills, "still", "png"),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for made, part, extension in kinds:
            for scene in (one.scene for one in made if one.state == "done"):
                path = folder.resolve() / f"scene-{scene + 1}.{extension}"
                client.preview(video.id, scene, part, path)
                previews.append({"scene": scene, "part": part, "path": str(path)})
    except OSError as error:
        fail(f"cannot write {folder}: {error.strerror}")
    return sorted(previews, key=lambda preview: preview["scene"])


def show_storyboard(storyboard: Storyboard) -> None:
    # Cells hold paragraphs, so lines are wrapped even in a pipe.
    out.print(progress.storyboard_table(storyboard), width=min(out.width, 120))


def show_previews(storyboard: Storyboard, previews: list[dict[str, Any]]) -> None:
    for line in progress.preview_lines(storyboard, previews):
        out.print(escape(line), soft_wrap=True)


def edit_storyboard(client: Client, video_id: str) -> bool:
    """Open the storyboard in the user's editor and store the result. Return whether it changed. If the API
    refuses it, the file is kept so that no text is lost."""
    storyboard, etag = client.storyboard(video_id)
    editor = _editor()
    text = json.dumps(storyboard.to_dict(), indent=2, ensure_ascii=False) + "\n"
    file = _temporary(video_id, text)
    while True:
        ended = _run([*editor, str(file)])
        try:
            # utf-8-sig: a Windows editor may have added a byte order mark
            written = file.read_bytes().decode("utf-8-sig", "replace")
        except OSError as error:
            fail(f"nothing was changed: cannot read {file}: {error.strerror}")
        problem = f"the editor exited with status {ended}" if ended else None
        if written.strip() == text.strip():
            file.unlink()
            if problem:
                fail(f"{problem}: nothing was changed")
            return False
        problem = problem or _refused(client, video_id, written, etag)
        if problem is None:
            file.unlink()
            return True
        err.print(f"[red]rejected:[/red] {escape(problem)}", soft_wrap=True)
        if not _again():
            fail(
                f"nothing was changed. Your text is saved in {file}; "
                f"to retry: reel storyboard edit {video_id} --file {file}"
            )


def _temporary(video_id: str, text: str) -> Path:
    try:
        number, name = tempfile.mkstemp(prefix=f"storyboard-{video_id}-", suffix=".json")
        with os.fdopen(number, "w", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        fail(
            f"cannot write a temporary file for the editor: {error.strerror}; set TMPDIR to a writable folder"
        )
    return Path(name)


def _again() -> bool:
    try:
        return interactive() and typer.confirm("Edit it again?", default=True)
    except typer.Abort:  # Ctrl-C or the end of the input
        return False


def _refused(client: Client, video_id: str, text: str, etag: str | None) -> str | None:
    """Return why the storyboard was rejected, or None if it was stored."""
    from reelworks.client import ApiError

    try:
        client.put_storyboard(video_id, json.loads(text), etag=etag)
    except (ValueError, RecursionError) as error:
        return f"it is not valid JSON: {error}"
    except ApiError as error:
        return said(error)
    return None


def _editor() -> list[str]:
    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    found = shutil.which("nano") or shutil.which("vi") if interactive() else None
    try:
        words = shlex.split(chosen) if chosen else [found] if found else []
    except ValueError as error:
        fail(f"EDITOR is not a valid command: {error}")
    if not words:
        fail("set EDITOR to your editor, for example EDITOR=nano, or pass the new storyboard with --file")
    return words


def _run(command: list[str]) -> int:
    try:
        with _ctrl_c_is_the_editor_s():
            return subprocess.run(command, check=False).returncode  # noqa: S603  the user's own editor
    except OSError as error:
        fail(f"cannot start the editor {command[0]}: {error.strerror}; set EDITOR to another one")


@contextmanager
def _ctrl_c_is_the_editor_s() -> Iterator[None]:
    """Keep Ctrl-C from ending `reel`, and the editor with it. This installs a handler because the editor
    would inherit an ignored signal."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def put_file(client: Client, video_id: str, document: Any) -> bool:
    """Replace the current storyboard. Return whether that changed it."""
    _, before = client.storyboard(video_id)
    return client.put_storyboard(video_id, document) != before

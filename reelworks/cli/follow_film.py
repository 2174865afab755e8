"""Follow a video and download its film: the waiting part of `reel make`, `get`, `approve` etc."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.markup import escape

from lambdas.domain.control_characters import visible
from reelworks import saved_file
from reelworks.cli import progress
from reelworks.cli.review_session import at_gate
from reelworks.cli.terminal import err, fail, out, print_json
from reelworks.video_words import failure_text

if TYPE_CHECKING:
    from rich.console import Console

    from reelworks.client import Client, Video


# What is saved beside a film, if it has it: the suffix by variant.
_BESIDE = {"captions": ".vtt", "captions_srt": ".srt", "captions_ass": ".ass", "stems": ".stems.zip"}


def finish(client: Client, video_id: str, output: Path | None, *, as_json: bool) -> None:
    """Follow a video until it ends or its user leaves it waiting for review, and download the film."""
    try:
        video = progress.watch(err, client.follow(video_id))
        while video.stage == "reviewing":
            if not at_gate(client, video, as_json=as_json):
                return
            video = progress.watch(err, client.follow(video_id))
    except KeyboardInterrupt:
        err.print(f"\nThe film is still in progress. Get it with: reel get {video_id}", soft_wrap=True)
        raise typer.Exit(130) from None
    if video.status == "failed":
        if as_json:
            print_json(video.to_dict())
            raise typer.Exit(1)
        edit = f"reel storyboard edit {video_id}, then " if video.storyboard else ""
        fail(f"{failure_text(video)}\nTo resume: {edit}reel retry {video_id}")
    _deliver(client, video, output, as_json=as_json)


def download_attempt(
    client: Client, video_id: str, attempt: int, output: Path | None, *, as_json: bool
) -> None:
    """Download the film of an attempt. It doesn't wait."""
    film = next((film for film in client.films(video_id) if film.attempt == attempt), None)
    if film is None:
        fail(f"attempt {attempt} of {video_id} made no film. List those that did with: reel films {video_id}")
    path = _path(f"{video_id}-{attempt}", output)
    size, beside = _download(client, video_id, path, film.variants, attempt=attempt)
    if as_json:
        print_json({**film.to_dict(), **_files(path, beside, size)}, to_err=_is_stdout(path))
        return
    _report_files(err if _is_stdout(path) else out, path, beside)


def _download(
    client: Client, video_id: str, path: Path, variants: Collection[str], *, attempt: int | None = None
) -> tuple[int, dict[str, Path]]:
    """Save a film, and those of its variants that belong beside it under its name: captions, where players
    look for them, and stems. Return the film's size in bytes, and the other files by variant: none if the
    film went to no file."""
    from reelworks.client import NotFound

    beside: dict[str, Path] = {}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        size = client.download(video_id, path, attempt=attempt)
        if not path.is_file():
            return size, {}
        for variant in (name for name in _BESIDE if name in variants):
            file = path.with_suffix(_BESIDE[variant])
            with suppress(NotFound):  # an older film has no ASS file
                client.download(video_id, file, variant=variant, attempt=attempt)
                beside[variant] = file
    except OSError as error:
        again = f"reel get {video_id}{f' --attempt {attempt}' if attempt else ''} -o PATH"
        fail(f"cannot write {path}: {error.strerror}. Get the film with: {again}")
    return size, beside


def _files(path: Path, beside: Mapping[str, Path], size: int) -> dict[str, Any]:
    stems = {"stems_path": str(beside["stems"].resolve())} if "stems" in beside else {}
    captions = [str(file.resolve()) for variant, file in beside.items() if variant != "stems"]
    return {"path": str(path.resolve()), "captions_paths": captions, **stems, "bytes": size}


def _report_files(report: Console, path: Path, beside: Mapping[str, Path]) -> None:
    for what, file in [("film", path), *((name.partition("_")[0], file) for name, file in beside.items())]:
        report.print(f"{what}: {escape(visible(str(file.resolve())))}", soft_wrap=True)


def _deliver(client: Client, video: Video, output: Path | None, *, as_json: bool) -> None:
    path = _path(video.id, output)
    variants = [name for name in _BESIDE if (video.assembly.stems if name == "stems" else video.captions)]
    size, beside = _download(client, video.id, path, variants)
    to_stdout = _is_stdout(path)
    if as_json:
        print_json({**video.to_dict(), **_files(path, beside, size)}, to_err=to_stdout)
        return
    report = err if to_stdout else out
    report.print(progress.stages_table(video))
    for line in progress.film_lines(video):
        report.print(escape(visible(line)), soft_wrap=True)
    _report_files(report, path, beside)
    for what, made in (("captions", video.captions), ("stems", video.assembly.stems)):
        if made and not beside:
            report.print(f"{what}: not saved, because the film went to no file", soft_wrap=True)
    weight = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
    length = f"{_duration(path)} s, " if path.is_file() else ""
    report.print(f"{weight}, {length}{video.size}")


def check_output(output: Path | None, video_id: str | None = None) -> None:
    """End the command if the film could not be saved under `output`: before it is made, not after.
    `video_id`: the film's, if it exists."""
    path = _path("video_" + 32 * "0", output)
    try:
        saved_file.check(path)
        if saved_file.is_file(path):
            saved_file.check(path.with_suffix(_BESIDE["captions"]))  # if the film has any
    except OSError as error:
        choose = f"Get the film with: reel get {video_id} -o PATH" if video_id else "Choose another -o PATH."
        fail(f"cannot write {path}: {error.strerror}. {choose}")


def _path(video_id: str, output: Path | None) -> Path:
    """Return the path of the film: `output`, or a file in it if it is a folder."""
    path = output or Path("films")
    return path / f"{video_id}.mp4" if output is None or os.path.isdir(path) else path


def _is_stdout(path: Path) -> bool:
    """Return whether the film goes where the command prints, for example to /dev/stdout in a pipe."""
    try:
        return os.path.samestat(path.stat(), os.fstat(1)) and not path.is_file()
    except OSError:
        return False


def _duration(path: Path) -> str:
    """Return the length of the file itself, in seconds."""
    from lambdas.media.probe import probe

    return f"{float(probe(path).duration):.3f}"

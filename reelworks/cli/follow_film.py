"""Follow a video and download its film: the waiting part of `reel make`, `get`, `approve` etc."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
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
    saved = _download(client, video_id, path, film.variants, attempt=attempt)
    if as_json:
        print_json({**film.to_dict(), **saved.document}, to_err=_is_stdout(path))
        return
    saved.report(err if _is_stdout(path) else out)


def download_shape(
    client: Client, video_id: str, aspect: str, output: Path | None, *, attempt: int | None, as_json: bool
) -> None:
    """Download the film in one of its further shapes, without anything else. It doesn't wait."""
    variant = aspect.replace(":", "x")
    path = _path(f"{video_id}.{variant}", output)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        size = client.download(video_id, path, variant=variant, attempt=attempt)
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}. Choose another -o PATH.")
    saved = _Saved(path, size)
    if as_json:
        print_json(saved.document, to_err=_is_stdout(path))
        return
    saved.report(err if _is_stdout(path) else out)


@dataclass(frozen=True)
class _Saved:
    """The files of a film: the film of `size` bytes, and by variant what is saved beside it."""

    path: Path
    size: int
    beside: Mapping[str, Path] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        files = {variant: str(file.resolve()) for variant, file in self.beside.items()}
        return {
            "path": str(self.path.resolve()),
            "captions_paths": [file for variant, file in files.items() if variant.startswith("captions")],
            "shapes_paths": {variant: file for variant, file in files.items() if variant not in _BESIDE},
            **({"stems_path": files["stems"]} if "stems" in files else {}),
            "bytes": self.size,
        }

    def report(self, report: Console) -> None:
        for what, file in [("film", self.path), *((_what(name), file) for name, file in self.beside.items())]:
            report.print(f"{what}: {escape(visible(str(file.resolve())))}", soft_wrap=True)


def _what(variant: str) -> str:
    """Return what a variant is called: captions, stems, or the aspect of a further shape."""
    return variant.partition("_")[0] if variant in _BESIDE else variant.replace("x", ":")


def _download(
    client: Client, video_id: str, path: Path, variants: Collection[str], *, attempt: int | None = None
) -> _Saved:
    """Save a film, and those of its variants that belong beside it under its name: further shapes, captions,
    where players look for them, and stems. Nothing but the film if it went to no file."""
    from reelworks.client import NotFound

    shapes = {name: f".{name}.mp4" for name in variants if re.fullmatch(r"\d+x\d+", name)}
    beside: dict[str, Path] = {}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        size = client.download(video_id, path, attempt=attempt)
        if not path.is_file():
            return _Saved(path, size)
        for variant, suffix in (
            shapes | {name: _BESIDE[name] for name in _BESIDE if name in variants}
        ).items():
            file = path.with_suffix(suffix)
            with suppress(NotFound):  # an older film has no ASS file
                client.download(video_id, file, variant=variant, attempt=attempt)
                beside[variant] = file
    except OSError as error:
        again = f"reel get {video_id}{f' --attempt {attempt}' if attempt else ''} -o PATH"
        fail(f"cannot write {path}: {error.strerror}. Get the film with: {again}")
    return _Saved(path, size, beside)


def _deliver(client: Client, video: Video, output: Path | None, *, as_json: bool) -> None:
    path = _path(video.id, output)
    made = {"captions": video.captions, "stems": bool(video.assembly and video.assembly.stems)}
    variants = [name for name in _BESIDE if made[name.partition("_")[0]]]
    variants += [shape.variant for shape in video.shapes if shape.url]
    saved = _download(client, video.id, path, variants)
    size, to_stdout = saved.size, _is_stdout(path)
    if as_json:
        print_json({**video.to_dict(), **saved.document}, to_err=to_stdout)
        return
    report = err if to_stdout else out
    report.print(progress.stages_table(video))
    for line in progress.film_lines(video):
        report.print(escape(visible(line)), soft_wrap=True)
    saved.report(report)
    for what, is_made in made.items():
        if is_made and not saved.beside:
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

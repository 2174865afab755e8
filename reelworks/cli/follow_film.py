"""Follow a video and download its film: the waiting part of `reel make`, `get`, `approve` etc."""

from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from reelworks.cli import progress
from reelworks.cli.review_session import at_gate
from reelworks.cli.terminal import err, fail, out, print_json
from reelworks.client import Client


def finish(client: Client, video_id: str, output: Path | None, *, as_json: bool) -> None:
    """Follow a video until it ends or its user leaves it waiting for review, and download the film."""
    try:
        video = progress.watch(err, client.follow(video_id))
        while video["stage"] == "reviewing":
            if not at_gate(client, video, as_json=as_json):
                return
            video = progress.watch(err, client.follow(video_id))
    except KeyboardInterrupt:
        err.print(f"\nThe film is still in progress. Get it with: reel get {video_id}", soft_wrap=True)
        raise typer.Exit(130) from None
    if video["status"] == "failed":
        if as_json:
            print_json(video)
            raise typer.Exit(1)
        edit = f"reel storyboard edit {video_id}, then " if video.get("storyboard") else ""
        fail(f"{progress.failure_text(video)}\nTo resume: {edit}reel retry {video_id}")
    _deliver(client, video, output, as_json=as_json)


def _deliver(client: Client, video: dict[str, Any], output: Path | None, *, as_json: bool) -> None:
    video_id = video["id"]
    path = output or Path("films")
    if path.is_dir() or output is None:
        path /= f"{video_id}.mp4"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        size = client.download(video_id, path)
        captions = _download_captions(client, video, path)
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}. Get the film with: reel get {video_id} -o PATH")
    if as_json:
        files = {"path": str(path.resolve()), "captions_paths": [str(file.resolve()) for file in captions]}
        print_json({**video, **files, "bytes": size})
        return
    out.print(progress.stages_table(video))
    for line in progress.film_lines(video):
        out.print(escape(line), soft_wrap=True)
    out.print(f"film: {path.resolve()}", soft_wrap=True)
    for file in captions:
        out.print(f"captions: {file.resolve()}", soft_wrap=True)
    weight = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
    out.print(f"{weight}, {_duration(path)} s, {video['size']}")


def _download_captions(client: Client, video: dict[str, Any], film: Path) -> list[Path]:
    """Save the captions beside the film, under its name, where players look for them."""
    if not video.get("captions"):
        return []
    files = {"captions": film.with_suffix(".vtt"), "captions_srt": film.with_suffix(".srt")}
    for variant, path in files.items():
        client.download(video["id"], path, variant=variant)
    return list(files.values())


def _duration(path: Path) -> str:
    """Return the length of the file itself, in seconds."""
    from lambdas.media.probe import probe

    return f"{float(probe(path).duration):.3f}"

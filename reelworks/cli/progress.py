"""A video's progress and details, as shown in a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column, Table
from rich.text import Text

from lambdas.domain.control_characters import visible
from reelworks.video_words import (
    describe,
    estimated_costs,
    failure_text,
    looked_at,
    narrated,
    own_material,
    tried_again,
)

if TYPE_CHECKING:
    from reelworks.client.models import (
        ClipPart,
        Film,
        Made,
        Prompts,
        ScenePart,
        Storyboard,
        Video,
        VideoEstimate,
    )

_CLOSED = ("completed", "failed", "cancelled")


def watch(console: Console, updates: Iterable[Video]) -> Video:
    """Show a progress bar until the updates end, or one line per step if the output is not a terminal.
    Return the video's last state."""
    video: Video
    if not console.is_terminal:
        said = ""
        for video in updates:
            if (now := describe(video)) != said:
                console.print(f"{video.progress:3d} % {now}")
                said = now
        return video
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
    ) as progress:
        task = progress.add_task("sending the request", total=100)
        for video in updates:
            progress.update(task, description=describe(video), completed=video.progress)
    return video


def stage_seconds(video: Video) -> dict[str, float]:
    """Return the seconds the video spent in each stage, in order, over all attempts and without the time
    between them."""
    spent: dict[str, int] = {}
    for entry, after in pairwise(video.stages):
        if entry.stage not in _CLOSED:
            spent[entry.stage] = spent.get(entry.stage, 0) + after.at_ms - entry.at_ms
    return {stage: round(ms / 1000, 1) for stage, ms in spent.items()}


def stages_table(video: Video) -> Table:
    table = Table("stage", "seconds", title="Time per stage", title_justify="left")
    table.columns[1].justify = "right"
    for stage, seconds in stage_seconds(video).items():
        table.add_row(stage, f"{seconds:.1f}")
    return table


def videos_table(videos: list[Video]) -> Table:
    """List the videos, one per line. 80 columns fit an id and a few words; `show` has the rest."""
    table = Table("video", "stage", "s", "engine", "prompt", box=None, pad_edge=False)
    for column in table.columns[:-1]:
        column.no_wrap = True  # the prompt is cut to the remaining width
    for column, longest in zip(table.columns, ("video_" + 32 * "0", "rendering 99 %", "3600"), strict=False):
        column.min_width = len(longest)
    for video in videos:
        under_way = video.status == "in_progress"
        table.add_row(
            video.id,
            f"{video.stage} {video.progress} %" if under_way else video.stage,
            video.seconds,
            visible(video.model),
            Text(visible(" ".join(video.prompt.split())), no_wrap=True, overflow="ellipsis"),
        )
    return table


def films_table(films: Sequence[Film]) -> Table:
    """List the films of a video, the latest first."""
    table = Table("attempt", "completed", "s", "MB", "USD", "new scenes", box=None, pad_edge=False)
    for column in table.columns[2:5]:
        column.justify = "right"
    for film in films:
        new = film.new_scenes
        table.add_row(
            str(film.attempt),
            _minute(film.completed_at),
            f"{film.seconds:g}",
            f"{film.bytes / 1e6:.1f}",
            "unknown" if film.cost is None else f"{film.cost:.4f}",
            "" if new is None else ", ".join(str(scene + 1) for scene in new) or "none",
        )
    return table


def estimate_table(estimate: VideoEstimate) -> Table:
    """Return what each part of a film would cost."""
    table = Table("part", "amount", Column("USD", justify="right"))
    *parts, total = estimated_costs(estimate)
    for row in parts:
        table.add_row(*map(escape, row))
    table.add_section()
    table.add_row(*map(escape, total))
    return table


def makers(video: Video) -> list[str]:
    """Return who wrote, narrated and drew, as lines like "narrated by: Joanna"."""
    lines = []
    if written := video.storyboard:
        lines.append(f"storyboard by: {written.by or 'you'}")
        if written.note:
            lines.append(f"storyboard note: {written.note}")
    for parts, done in ((video.narrations, "narrated by"), (video.stills, "drawn by")):
        if by := sorted({part.by for part in parts if part.by}):
            lines.append(f"{done}: {', '.join(by)}")
    return lines


def film_lines(video: Video) -> list[str]:
    """Summarize a finished film, apart from its location."""
    by, note = video.enhance.by, video.enhance.note
    lines = [f"prompt enhanced by: {by}"] if by else []
    if note:
        lines.append(f"prompt: {note}")
    lines += makers(video)
    parts: list[ScenePart | ClipPart] = [*video.narrations, *video.stills, *video.clips]
    if reused := sum(part.reused for part in parts):
        lines.append(f"generated: {len(parts) - reused} of {len(parts)} voices, stills and clips")
    if cost := money(video.cost):
        lines.append(f"cost: {cost}")
    if looked := looked_at(video):
        lines.append(looked)
    if again := tried_again(video):
        lines.append(again)
    if count := video.quality_warnings:
        checks = "1 quality check warns" if count == 1 else f"{count} quality checks warn"
        lines.append(f"{checks}: reel show {video.id} --quality")
    if video.draft:
        lines.append("This film is a draft: drawn storyboard clips, not rendered video.")
    return lines


_FACTS = (
    "id",
    "stage",
    "progress",
    "model",
    "size",
    "rendered_size",
    "fit",
    "cropped",
    "fps",
    "rendered_fps",
    "fps_mode",
    "seconds",
    "seed",
    "speed",
    "draft",
    "draft_for",
    "remixed_from_video_id",
    "prompt",
)


def details(video: Video) -> list[tuple[str, str]]:
    """Return everything about a video as (name, text) rows; scenes and clips count from 1."""
    rows = [(name, str(getattr(video, name))) for name in _FACTS if getattr(video, name) is not None]
    if (video.attempt or 1) > 1:
        rows.append(("attempt", str(video.attempt)))
    rows += [("note", note) for note in video.notes]
    if video.stage == "reviewing":
        rows.append(("waiting for you", f"{video.review.gate}, until {_until(video)}"))
    rows += [("lora", f"{lora.name}:{lora.scale:g}") for lora in video.loras]
    rows += [
        (f"enhanced {name}", said)
        for name in ("prompt", "by", "note")
        if (said := getattr(video.enhance, name))
    ]
    for line in makers(video):
        what, _, by = line.partition(": ")
        rows.append((what, by))
    if (written := video.storyboard) and written.filmed is False and video.stage in _CLOSED:
        rows.append(("edited", f"render the changes with: reel approve {video.id}"))
    for name, parts in (("narration", video.narrations), ("still", video.stills)):
        rows += [(f"{name} {part.scene + 1}", _part(part)) for part in parts]
    rows += [
        (f"clip {number}", f"{clip.seconds:.1f} s long, {_part(clip)}")
        for number, clip in enumerate(video.clips, 1)
    ]
    if video.assembly and video.assembly.made:
        rows.append(("film", _made(video.assembly.made)))
    rows += [(f"time {stage}", f"{seconds} s") for stage, seconds in stage_seconds(video).items()]
    if cost := money(video.cost):
        rows.append(("cost", cost))
    if looked := looked_at(video):
        rows.append(("vision check", looked))
    if again := tried_again(video):
        rows.append(("second tries", again))
    if video.quality_warnings:
        rows.append(("quality", f"{video.quality_warnings} warn: reel show {video.id} --quality"))
    if video.status == "failed":
        rows.append(("failed", failure_text(video)))
    return rows


def _part(part: ScenePart | ClipPart) -> str:
    return _made(part) if part.state == "done" else part.state


def _made(part: Made | ScenePart | ClipPart) -> str:
    """Describe an artifact: whether it was made or reused, how long it took and its cost."""
    if part.reused:
        return "reused"
    took = part.took
    words = ["made" if took is None else f"made in {took:.1f} s", money(part.cost)]
    return ", ".join(filter(None, words))


def money(usd: float | None) -> str:
    """Format a cost. Empty for zero, which is the cost of everything on a PC."""
    return f"${usd:.4f}" if usd else ""


def _until(video: Video) -> str:
    return _minute(video.review.until)


def _minute(at: int | None) -> str:
    """Format seconds since the epoch."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def waiting_lines(video: Video) -> list[str]:
    """Return the commands to continue a film that waits for its user."""
    id_ = video.id
    lines = [
        f"The film waits for your review until {_until(video)} and costs nothing meanwhile. Continue with:"
    ]
    lines.append(f"  reel approve {id_}")
    if video.review.gate == "film" and not video.storyboard:
        return lines  # a film of one prompt
    lines.append(f"  reel storyboard edit {id_}")
    lines.append(f'  reel regenerate {id_} 1 text --note "…"')
    if video.review.gate == "previews":
        for part, made, wish in (
            ("still", video.stills, '--note "…"'),
            ("voice", video.narrations, "--speed 0.9"),
        ):
            lines += [f"  reel regenerate {id_} {one.scene + 1} {part} {wish}" for one in made[:1]]
    return lines


def edited_lines(video: Video) -> list[str]:
    """Return the next step for a film whose storyboard was just edited."""
    if video.stage == "reviewing":
        return [f"The storyboard is saved. Continue with: reel approve {video.id}"]
    if video.stage in _CLOSED:
        if video.storyboard and video.storyboard.filmed:
            return ["The film already matches this storyboard: there is nothing to re-render."]
        return [f"The storyboard is saved. Render the changes with: reel approve {video.id}"]
    return [f"The changes are in progress. Follow them with: reel get {video.id}"]


def preview_lines(storyboard: Storyboard, previews: list[dict[str, Any]]) -> list[str]:
    """Return each scene's narration and the paths of its voice and still."""
    lines = []
    for number, scene in enumerate(storyboard.scenes):
        said = " ".join(narrated(scene).split())
        lines.append(f"scene {number + 1}: {said or '(no narration)'}")
        lines += [f"  {one['part']}: {one['path']}" for one in previews if one["scene"] == number]
    return lines


def storyboard_table(storyboard: Storyboard) -> Table:
    """Show one scene per row: what is said, what is seen and what moves."""
    table = Table("scene", "s", "narration", "image", "video", show_lines=True, title_justify="left")
    table.title = _text(": ".join(filter(None, (storyboard.title, storyboard.style))))
    for number, scene in enumerate(storyboard.scenes, 1):
        seconds, own = scene.seconds, own_material(scene)
        table.add_row(
            str(number),
            "" if seconds is None else f"{seconds:g}",
            _text(narrated(scene)),
            _text(own) if own else _text("(your picture)") if scene.first_frame else _prompts(scene.image),
            "" if own else _prompts(scene.video, end="\n(ends on your picture)" if scene.last_frame else ""),
        )
    return table


def _prompts(prompts: Prompts | None, *, end: str = "") -> Text:
    if prompts is None:
        return _text(end)
    text = _text(prompts.positive_prompt + end)
    if prompts.negative_prompt:
        text.append(f"\nnot: {visible(prompts.negative_prompt, lines=True)}", style="dim")
    return text


def _text(said: str) -> Text:
    """Return a cell's text. Its control characters are escaped here, before its width is measured."""
    return Text(visible(said, lines=True))


# Fields that Powertools adds to every line; `reel logs --json` shows them.
_ENVELOPE = frozenset(
    ("level", "location", "message", "timestamp", "service", "cold_start", "correlation_id", "xray_trace_id")
)


def log_line(message: str | dict[str, Any]) -> str:
    """Format a log line for a person: the event, then the fields logged with it.

    Whatever was logged can't pass for another line: a field is on the event's line, and the further lines of
    a traceback or of other output are indented.
    """
    if isinstance(message, str):
        return _indented(message)
    details = {
        key: value
        for key, value in message.items()
        if key not in _ENVELOPE and not key.startswith("function_") and value is not None
    }
    level = "" if message.get("level") == "INFO" else f"{visible(str(message.get('level')))}: "
    trace = [_indented(f"\n{details.pop(name)}") for name in _TRACES if name in details]
    fields = [f"{visible(key)}={visible(str(value))}" for key, value in details.items()]
    return " ".join([f"{level}{visible(str(message.get('message')))}", *fields]) + "".join(trace)


_TRACES = ("exception", "stack_trace")  # fields with several lines: Powertools' logger.exception


def _indented(text: str) -> str:
    return visible("\n    ".join(text.splitlines()), lines=True)

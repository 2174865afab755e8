"""A video's way to its film, as a person in a terminal sees it."""

import time
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

_WORDS = {
    "queued": "waiting in the queue",
    "planning": "planning the film",
    "reviewing": "waiting for you",
    "preparing": "speaking and drawing",
    "rendering": "rendering",
    "assembling": "joining the clips",
    "publishing": "publishing the film",
    "completed": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}

_CLOSED = ("completed", "failed", "cancelled")
_FEW = 4  # clips that are named; an endpoint's queue may hold all of them
_GATES = {"storyboard": "the storyboard is written", "previews": "voices and stills are there"}


def describe(video: dict[str, Any]) -> str:
    """The stage in words, with what is under way: "rendering clips 1, 2 of 3"."""
    stage: str = video["stage"]
    words = _WORDS.get(stage, stage)
    if stage == "reviewing":
        return f"{words}: {_GATES.get(video['review']['gate'], 'review')}"
    clips = video["clips"]
    if stage == "rendering" and clips:
        active = [str(number) for number, clip in enumerate(clips, 1) if clip["state"] == "rendering"]
        if 0 < len(active) <= _FEW:
            return f"{words} clip{'s' if len(active) > 1 else ''} {', '.join(active)} of {len(clips)}"
        done = sum(clip["state"] == "done" for clip in clips)
        return f"{words} clips: {done} of {len(clips)} done"
    parts = video.get("narrations", []) + video.get("stills", [])
    if stage == "preparing" and parts:
        done = sum(part["state"] == "done" for part in parts)
        return f"{_speaking_and_drawing(video)}: {done} of {len(parts)}"
    return words


def _speaking_and_drawing(video: dict[str, Any]) -> str:
    return " and ".join(
        [*(["speaking"] if video["narrations"] else []), *(["drawing"] if video["stills"] else [])]
    )


def watch(console: Console, updates: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Shows a progress bar until the video has ended, or a line for each step where no terminal is
    there to show it; returns the video's last state."""
    video: dict[str, Any] = {}
    if not console.is_terminal:
        said = ""
        for video in updates:
            if (now := describe(video)) != said:
                console.print(f"{video['progress']:3d} % {now}")
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
            progress.update(task, description=describe(video), completed=video["progress"])
    return video


def stage_seconds(video: dict[str, Any]) -> dict[str, float]:
    """How long the video was at each stage, in seconds, in order: of all attempts together, without the time
    between them."""
    spent: dict[str, int] = {}
    for entry, after in pairwise(video["stages"]):
        if entry["stage"] not in _CLOSED:
            spent[entry["stage"]] = spent.get(entry["stage"], 0) + after["at_ms"] - entry["at_ms"]
    return {stage: round(ms / 1000, 1) for stage, ms in spent.items()}


def stages_table(video: dict[str, Any]) -> Table:
    table = Table("stage", "seconds", title="Time per stage", title_justify="left")
    table.columns[1].justify = "right"
    for stage, seconds in stage_seconds(video).items():
        table.add_row(stage, f"{seconds:.1f}")
    return table


def videos_table(videos: list[dict[str, Any]]) -> Table:
    """A line each. 80 columns have room for an id and a few words; `show` has the rest."""
    table = Table("video", "stage", "s", "engine", "prompt", box=None, pad_edge=False)
    for column in table.columns[:-1]:
        column.no_wrap = True  # the prompt is cut to what is left
    for column, longest in zip(table.columns, ("video_" + 32 * "0", "rendering 99 %", "3600"), strict=False):
        column.min_width = len(longest)
    for video in videos:
        under_way = video["status"] == "in_progress"
        table.add_row(
            video["id"],
            f"{video['stage']} {video['progress']} %" if under_way else video["stage"],
            video["seconds"],
            video["model"],
            Text(" ".join(video["prompt"].split()), no_wrap=True, overflow="ellipsis"),
        )
    return table


def makers(video: dict[str, Any]) -> list[str]:
    """Who wrote, spoke and drew, as lines such as "narrated by: Joanna"."""
    lines = []
    if written := video.get("storyboard"):
        lines.append(f"storyboard by: {written['by'] or 'you'}")
        if written["note"]:
            lines.append(f"storyboard note: {written['note']}")
    for name, done in (("narrations", "narrated by"), ("stills", "drawn by")):
        if by := sorted({part["by"] for part in video.get(name, []) if part["by"]}):
            lines.append(f"{done}: {', '.join(by)}")
    return lines


def film_lines(video: dict[str, Any]) -> list[str]:
    """What is worth knowing of a film that is done, besides where it lies."""
    by, note = video["enhance"]["by"], video["enhance"]["note"]
    lines = [f"prompt enhanced by: {by}"] if by else []
    if note:
        lines.append(f"prompt: {note}")
    lines += makers(video)
    parts = [part for name in ("narrations", "stills", "clips") for part in video.get(name, [])]
    if reused := sum(part["reused"] for part in parts):
        lines.append(f"made anew: {len(parts) - reused} of {len(parts)} voices, stills and clips")
    if cost := money(video.get("cost")):
        lines.append(f"cost: {cost}")
    if video.get("draft"):
        lines.append("This film is a draft: drawn storyboard clips, not rendered video.")
    return lines


_FACTS = (
    "id",
    "stage",
    "progress",
    "model",
    "size",
    "fps",
    "seconds",
    "seed",
    "speed",
    "draft",
    "remixed_from_video_id",
    "prompt",
)


def details(video: dict[str, Any]) -> list[tuple[str, str]]:
    """All that is known of a video, as name and text; scenes and clips count from 1."""
    rows = [(name, str(video[name])) for name in _FACTS if video.get(name) is not None]
    if video.get("attempt", 1) > 1:
        rows.append(("attempt", str(video["attempt"])))
    if video["stage"] == "reviewing":
        rows.append(("waits for you", f"{video['review']['gate']}, until {_until(video)}"))
    rows += [("lora", f"{lora['name']}:{lora['scale']:g}") for lora in video.get("loras", [])]
    rows += [
        (f"enhanced {name}", video["enhance"][name])
        for name in ("prompt", "by", "note")
        if video["enhance"][name]
    ]
    for line in makers(video):
        what, _, by = line.partition(": ")
        rows.append((what, by))
    if (written := video.get("storyboard")) and not written.get("filmed", True) and video["stage"] in _CLOSED:
        rows.append(("edited", f"film it with: reel approve {video['id']}"))
    for name in ("narrations", "stills"):
        rows += [
            (f"{name.removesuffix('s')} {part['scene'] + 1}", _made(part)) for part in video.get(name, [])
        ]
    rows += [
        (f"clip {number}", f"{clip['seconds']:.1f} s long, {_made(clip)}")
        for number, clip in enumerate(video["clips"], 1)
    ]
    if joined := video.get("assembly", {}).get("made"):
        rows.append(("film", _made({"state": "done", **joined})))
    rows += [(f"time {stage}", f"{seconds} s") for stage, seconds in stage_seconds(video).items()]
    if cost := money(video.get("cost")):
        rows.append(("cost", cost))
    if video["status"] == "failed":
        rows.append(("failed", failure_text(video)))
    return rows


def _made(part: dict[str, Any]) -> str:
    """Of an artifact: whether it was made or reused, how long that took, and what it cost."""
    if part["state"] != "done":
        return str(part["state"])
    if part["reused"]:
        return "reused"
    took = part.get("took")
    words = ["made" if took is None else f"made in {took:.1f} s", money(part.get("cost"))]
    return ", ".join(filter(None, words))


def money(usd: float | None) -> str:
    """Empty for nothing, which is what all costs on a PC."""
    return f"${usd:.4f}" if usd else ""


def _until(video: dict[str, Any]) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(video["review"]["until"]))


def waiting_lines(video: dict[str, Any]) -> list[str]:
    """What can be done about a film that waits for its user."""
    id_ = video["id"]
    lines = [f"The film waits for you until {_until(video)}, and costs nothing meanwhile. Go on with:"]
    lines.append(f"  reel approve {id_}")
    lines.append(f"  reel storyboard edit {id_}")
    lines.append(f'  reel regenerate {id_} 1 text --note "…"')
    if video["review"]["gate"] == "previews":
        for part, made, wish in (("still", "stills", '--note "…"'), ("voice", "narrations", "--speed 0.9")):
            lines += [f"  reel regenerate {id_} {one['scene'] + 1} {part} {wish}" for one in video[made][:1]]
    return lines


def edited_lines(video: dict[str, Any]) -> list[str]:
    """What comes next for a film whose storyboard was just edited."""
    if video["stage"] == "reviewing":
        return [f"The storyboard stands. Go on with: reel approve {video['id']}"]
    if video["stage"] in _CLOSED:
        if (video.get("storyboard") or {}).get("filmed"):
            return ["The film is of this storyboard: there is nothing to film anew."]
        return [f"The storyboard stands. Film what changed with: reel approve {video['id']}"]
    return [f"What changed is being made. See it with: reel get {video['id']}"]


def preview_lines(storyboard: dict[str, Any], previews: list[dict[str, Any]]) -> list[str]:
    """Each scene's narration, and where its voice and still lie."""
    lines = []
    for number, scene in enumerate(storyboard["scenes"]):
        narration = scene.get("narration")
        lines.append(f"scene {number + 1}: {narration['text'] if narration else '(nothing is said)'}")
        lines += [f"  {one['part']}: {one['path']}" for one in previews if one["scene"] == number]
    return lines


def storyboard_table(storyboard: dict[str, Any]) -> Table:
    """A scene a row: what is said and seen, and what moves."""
    table = Table("scene", "s", "narration", "image", "video", show_lines=True, title_justify="left")
    table.title = Text(": ".join(filter(None, (storyboard["title"], storyboard["style"]))))
    for number, scene in enumerate(storyboard["scenes"], 1):
        seconds, said = scene.get("seconds"), scene.get("narration")
        table.add_row(
            str(number),
            "" if seconds is None else f"{seconds:g}",
            Text(said["text"] if said else ""),
            _prompts(scene["image"]),
            _prompts(scene["video"]),
        )
    return table


def _prompts(prompts: dict[str, Any]) -> Text:
    text = Text(prompts["positive_prompt"])
    if prompts["negative_prompt"]:
        text.append(f"\nnot: {prompts['negative_prompt']}", style="dim")
    return text


def failure_text(video: dict[str, Any]) -> str:
    """Why a video failed, and what to do."""
    failure = video.get("failure")
    if not failure:
        return str((video.get("error") or {}).get("message", "no reason is recorded"))
    places = [
        f"{place} {failure[place] + 1}" for place in ("scene", "clip") if failure.get(place) is not None
    ]
    return f"{', '.join([failure['step'], *places])}: {failure['reason']}\n{failure['advice']}"


# What Powertools adds to every line; `reel logs --json` has it.
_ENVELOPE = frozenset(
    ("level", "location", "message", "timestamp", "service", "cold_start", "correlation_id", "xray_trace_id")
)


def log_line(message: str | dict[str, Any]) -> str:
    """A line of a log as a person reads it: the event, then what was logged with it."""
    if isinstance(message, str):
        return message
    details = {
        key: value
        for key, value in message.items()
        if key not in _ENVELOPE and not key.startswith("function_") and value is not None
    }
    level = "" if message.get("level") == "INFO" else f"{message.get('level')}: "
    return " ".join(
        [f"{level}{message.get('message')}", *(f"{key}={value}" for key, value in details.items())]
    )

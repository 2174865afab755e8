"""What a video does, why it failed, and what one would take, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reelworks.client import Video, VideoEstimate
    from reelworks.client.models import CostPart, Scene

_WORDS = {
    "queued": "waiting in the queue",
    "planning": "planning the film",
    "reviewing": "waiting for you",
    "preparing": "generating voices and stills",
    "rendering": "rendering",
    "assembling": "joining the clips",
    "publishing": "publishing the film",
    "completed": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}

_FEW = 4  # most clips listed by number; an endpoint's queue may hold all of them
_GATES = {
    "storyboard": "the storyboard is ready",
    "previews": "voices and stills are ready",
    "film": "the film is ready, and its quality report warns",
}


def describe(video: Video) -> str:
    """Describe the stage and what is in progress: "rendering clips 1, 2 of 3"."""
    stage = video.stage
    words = _WORDS.get(stage, stage)
    if waits_for := video.waits_for:
        return f"waiting for the {waits_for.replace('_', ' ')}"
    if stage == "reviewing":
        return f"{words}: {_GATES.get(video.review.gate or '', 'review')}"
    clips = video.clips
    if stage == "rendering" and clips:
        active = [str(number) for number, clip in enumerate(clips, 1) if clip.state == "rendering"]
        if 0 < len(active) <= _FEW:
            return f"{words} clip{'s' if len(active) > 1 else ''} {', '.join(active)} of {len(clips)}"
        done = sum(clip.state == "done" for clip in clips)
        return f"{words} clips: {done} of {len(clips)} done"
    parts = [*video.narrations, *video.stills]
    if stage == "preparing" and parts:
        done = sum(part.state == "done" for part in parts)
        return f"generating {_speaking_and_drawing(video)}: {done} of {len(parts)}"
    return words


def _speaking_and_drawing(video: Video) -> str:
    return " and ".join([*(["voices"] if video.narrations else []), *(["stills"] if video.stills else [])])


def own_material(scene: Scene) -> str | None:
    """Say what a scene shows that no engine renders."""
    if scene.title is not None:
        return f"title card: {': '.join(filter(None, (scene.title.text, scene.title.subtitle)))}"
    if scene.picture is not None:
        return "your picture" if scene.zoom is None else f"your picture, zooming {scene.zoom}"
    if scene.clip is not None:
        return "your clip" if not scene.clip_start else f"your clip, from second {scene.clip_start:g}"
    return None


def narrated(scene: Scene) -> str:
    """Say what is heard of a scene's narration; empty if it has none."""
    if scene.narration is None:
        return ""
    text = scene.narration.text or ""
    if scene.narration.recording is None:
        return text
    return f"your recording: {text}" if any(map(str.isalnum, text)) else "your recording"


def failure_text(video: Video) -> str:
    """Return why a video failed and what to do."""
    failure = video.failure
    if not failure:
        return video.error.message if video.error else "no reason was recorded"
    places = [
        f"{name} {place + 1}"
        for name, place in (("scene", failure.scene), ("clip", failure.clip))
        if place is not None
    ]
    if failure.shape is not None:
        places.append(f"shape {failure.shape}")
    return f"{', '.join([failure.step, *places])}: {failure.reason}\n{failure.advice}"


def tried_again(video: Video) -> str:
    """Say which clips were rendered once more because they warn, and which of them are better; empty if none
    was."""
    tries = video.second_tries
    if tries is None or not (tries.clips or tries.note):
        return ""
    note = [tries.note] if tries.note else []
    if not tries.clips:
        return " ".join(note)
    kept = "" if tries.kept is None else f", {len(tries.kept) or 'none'} of them better"
    numbers = ", ".join(str(clip + 1) for clip in tries.clips)
    return " ".join([f"clips rendered again because they warn: {numbers}{kept}.", *note])


def looked_at(video: Video) -> str:
    """Say of how many clips a vision model was asked; empty if it was not."""
    check = video.vision_check
    if check is None:
        return ""
    note = f" The others were not looked at: {check.note}" if check.note else ""
    return f"clips that a vision model looked at: {check.clips}.{note}"


def estimated_costs(estimate: VideoEstimate) -> list[tuple[str, str, str]]:
    """Return a row for each part of a film and for all of it: its name, its amount, and USD."""
    amounts = {
        "clips": f"{estimate.clips} of {estimate.rendered_size}, {estimate.rendered_fps} fps",
        "assembly": f"{estimate.seconds} s of {estimate.size}, {estimate.fps} fps",
    }
    parts = [(name, amounts.get(name, ""), _usd(part.usd)) for name, part in _parts(estimate)]
    most = [("total, if clips are rendered again", "", _usd(estimate.highest_cost))]
    again = [] if estimate.highest_cost in (None, estimate.cost) else most
    return [*parts, ("total", "", _usd(estimate.cost)), *again]


def _parts(estimate: VideoEstimate) -> list[tuple[str, CostPart]]:
    costs = estimate.costs
    parts = ((name, getattr(costs, name)) for name in type(costs).model_fields)
    return [(name, part) for name, part in parts if part is not None]  # an older server has fewer


def _usd(cost: float | None) -> str:
    return "unknown" if cost is None else f"{cost:.4f}"


def estimated_lines(estimate: VideoEstimate) -> list[str]:
    """Say how long a film would take, which costs are unknown and why, what is noted, and what would refuse
    it."""
    unknown = [f"{name}: {part.reason}" for name, part in _parts(estimate) if part.reason]
    seconds = estimate.expected_seconds
    if seconds is None:
        took = estimate.expected_seconds_reason or "unknown"
    else:
        took = f"{seconds // 60} min {seconds % 60} s, if nothing else is made"
    return [
        *unknown,
        *(f"note: {note}" for note in estimate.notes),
        f"expected time: {took}",
        *(f"would be refused: {refusal.message}" for refusal in estimate.refusals),
    ]

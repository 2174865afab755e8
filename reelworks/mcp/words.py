"""Films, storyboards and engines, as an assistant reads them. Scenes and clips count from 1."""

from collections.abc import Iterable, Mapping
from typing import Any

from lambdas.domain.control_characters import visible
from reelworks.client import ApiError, Storyboard, Video, VideoEstimate
from reelworks.client.models import Model, Prompts
from reelworks.video_words import (
    describe,
    estimated_costs,
    estimated_lines,
    failure_text,
    looked_at,
    narrated,
    own_material,
    tried_again,
)

_MOST_FOUND = 8  # findings of a check

_NEXT: Mapping[str, str] = {
    "storyboard": "Show the storyboard to the user (look_at_storyboard). Change it with edit_scene or "
    "regenerate_scene, then approve_film with gate=storyboard: voices and stills are made.",
    "previews": "Show the stills to the user (look_at_storyboard). Change scenes with edit_scene or "
    "regenerate_scene, then approve_film with gate=previews: the clips are rendered, which costs most.",
    "film": "The film is finished, and its quality report warns. Show what warns to the user "
    "(look_at_quality). approve_film with gate=film delivers it. Or change scenes with edit_scene, then "
    "approve_film with gate=film makes them again.",
    "completed": "Save it with fetch_film.",
    "failed": "Resume it with retry_film, after edit_scene if a scene is at fault; what is made is reused.",
    "under way": "Call wait_for_film to go on waiting. The film goes on in either case.",
}


def film(video: Video) -> str:
    """Return what a film is, how it goes, and what can be done next."""
    lines = [
        f"video_id: {video.id}",
        f"state: {describe(video)} ({video.progress} %)",
        f"prompt: {video.prompt}",
        f"film: {video.seconds} s, {video.size}, engine {video.model}",
        f"cost so far: {_usd(video.cost)}{_limit(video.max_cost)}",
        *(f"note: {note}" for note in video.notes),
    ]
    if looked := looked_at(video):
        lines.append(looked)
    if again := tried_again(video):
        lines.append(again)
    if video.quality_warnings:
        lines.append(f"quality checks that warn: {video.quality_warnings} (look_at_quality)")
    if video.storyboard and video.storyboard.note:
        lines.append(f"storyboard note: {video.storyboard.note}")
    if video.storyboard and video.storyboard.filmed is False and video.status in ("completed", "failed"):
        lines.append("The storyboard was edited since: approve_film renders the changes.")
    if video.status == "failed":
        lines.append(f"failed: {failure_text(video)}")
    lines.append(f"next: {_NEXT[_situation(video)]}")
    return _safe(lines)


def _situation(video: Video) -> str:
    gate = video.review.gate if video.stage == "reviewing" else None
    if gate in _NEXT:
        return str(gate)
    return video.status if video.status in _NEXT else "under way"


def estimate(found: VideoEstimate) -> str:
    """Return what a film would take, and what would refuse it."""
    lines = [f"engine: {found.model}"]
    for name, amount, usd in estimated_costs(found):
        lines.append(f"{name}: USD {usd}{f' ({amount})' if amount else ''}")
    return _safe([*lines, *estimated_lines(found)])


def quality(report: Mapping[str, Any]) -> str:
    """Return what a quality report warns of, and where."""
    warned = [check for check in report["checks"] if check["status"] == "warn"]
    lines = [f"{len(warned)} of {len(report['checks'])} checks warn"]
    for check in warned:
        lines.append(f"{check['name']} (allowed: {check['allows']})")
        for found in check["found"][:_MOST_FOUND]:
            scene = f"scene {found['scene'] + 1}, " if "scene" in found else ""
            lines.append(f"  {scene}{found['start']:g} s: {found['message']}")
    return _safe(lines)


def films(videos: Iterable[Video]) -> str:
    lines = [f"{video.id}: {describe(video)}; {video.prompt!r}, {video.seconds} s" for video in videos]
    return _safe(lines or ["There are no films."])


def storyboard(board: Storyboard) -> str:
    lines = [f"title: {board.title}", f"style: {board.style}"]
    for number, scene in enumerate(board.scenes, 1):
        length = "as long as its narration" if scene.seconds is None else f"{scene.seconds:g} s"
        lines += [
            f"scene {number} ({length})",
            f"  narration: {narrated(scene) or '(none)'}",
        ]
        if own := own_material(scene):
            lines.append(f"  shows {own}")
            continue
        lines += [
            f"  image: {'the picture that was given' if scene.first_frame else _prompts(scene.image)}",
            f"  video: {_prompts(scene.video)}{', ending on a given picture' if scene.last_frame else ''}",
        ]
    return _safe(lines)


def _prompts(prompts: Prompts | None) -> str:
    if prompts is None:
        return "(none)"
    without = f" (without: {prompts.negative_prompt})" if prompts.negative_prompt else ""
    return f"{prompts.positive_prompt}{without}"


def engines(models: Iterable[Model]) -> str:
    """Return the engines, each with all that the API says of it, so with prices once it says them."""
    lines = []
    for model in models:
        told = {name: value for name, value in model.to_dict().items() if name not in _UNTOLD}
        lines.append(f"{model.id}: " + "; ".join(f"{name} {value}" for name, value in told.items()))
    return _safe(lines)


_UNTOLD = ("id", "object", "created", "owned_by")


def error(error: ApiError) -> str:
    """Return an error of the API and what to do about it."""
    field = f" (field: {error.param})" if error.param and error.param not in error.message else ""
    request = f"\nrequest id: {error.request_id}" if error.request_id else ""
    return _safe([f"{error.message}{field}", f"{error.advice}{request}"])


def _usd(cost: float | None) -> str:
    return "not known yet" if cost is None else f"${cost:.4f}"


def _limit(max_cost: float | None) -> str:
    return "" if max_cost is None else f", at most ${max_cost:g}"


def _safe(lines: Iterable[str]) -> str:
    return visible("\n".join(lines), lines=True)

"""Videos, models and errors in OpenAI's wire format, with Reelworks' fields added.

Source: openai-python 3.57 (types/video.py, types/model.py), which keeps extra fields in `model_extra`.
"""

import json
import time
from collections.abc import Iterable
from http import HTTPStatus
from itertools import accumulate
from typing import Any

from lambdas.domain.characters import CastMember, Character, Description, handle
from lambdas.domain.control_characters import visible
from lambdas.domain.engines import Engine
from lambdas.domain.film_format import RATES, SIZES, cropped
from lambdas.domain.stages import Stage
from lambdas.domain.uploads import Upload
from lambdas.domain.video import Video
from lambdas.domain.video_parts import AssemblyProgress, ClipProgress, PartProgress, Writer
from lambdas.domain.video_request import Origin, VideoRequest

# Lambda returns at most 6 MB, in which this is a quoted string; a video of 1,000 clips takes 0.1 MB.
LARGEST_PAGE = 4_000_000

# OpenAI's client polls while the status is queued or in_progress, so a cancelled video must report failed.
_STATUS = {
    Stage.QUEUED: "queued",
    Stage.PLANNING: "in_progress",
    Stage.PREPARING: "in_progress",
    Stage.REVIEWING: "in_progress",
    Stage.RENDERING: "in_progress",
    Stage.ASSEMBLING: "in_progress",
    Stage.PUBLISHING: "in_progress",
    Stage.COMPLETED: "completed",
    Stage.FAILED: "failed",
    Stage.CANCELLED: "failed",
}


def video_object(video: Video) -> dict[str, Any]:
    request, enhancement = video.request, video.enhancement
    return {
        "id": video.id,
        "object": "video",
        "created_at": video.created_ms // 1000,
        "completed_at": _completed_at(video),
        "expires_at": video.expires_ms // 1000,
        "model": request.engine,
        "status": _STATUS[video.stage],
        "progress": video.progress,
        "prompt": request.origin.prompt if request.origin else request.prompt,
        "remixed_from_video_id": request.origin.video if request.origin else None,
        "seconds": str(video.seconds),
        "size": f"{request.width}x{request.height}",
        "error": _error(video),
        # Reelworks' own fields
        "stage": video.stage,
        "waits_for": video.waits_for,
        "attempt": video.attempt,
        "review": _review(video),
        "cost": video.cost,
        "origin": _origin(request.origin) if request.origin else None,
        "draft": video.draft,
        "draft_for": request.draft_for,
        "fps": request.fps,
        **_rendering(request),
        "notes": list(video.notes),
        "seed": video.seed,
        "speed": request.speed,
        "loras": [lora.model_dump() for lora in request.loras],
        "enhance": {
            "requested": request.enhance,
            "prompt": enhancement.prompt if enhancement else None,
            "by": enhancement.by if enhancement else None,
            "note": enhancement.note if enhancement else None,
            "cost": enhancement.cost if enhancement else None,
        },
        "assembly": {
            "transition": request.transition,
            "transition_seconds": request.transition_seconds,
            "even_out": request.even_out,
            "fragmented": request.fragmented,
            "steps": [step.model_dump(mode="json") for step in video.steps],
            "made": _made(video.assembly) if video.assembly else None,
        },
        "characters": [_cast_member(one) for one in video.cast],
        "captions": request.captions,
        "burn_captions": request.burn_captions,
        "music": {"seconds": request.music.seconds} if request.music else None,
        "storyboard": _storyboard(video) if video.storyboard else None,
        "narrations": [_made(part) for part in video.narrations],
        "stills": [_made(part) for part in video.stills],
        "clips": [_made(clip) for clip in video.clips],
        "failure": video.failure.model_dump(mode="json") if video.failure else None,
        "stages": [entry.model_dump(mode="json") for entry in video.history],
    }


def character_object(character: Character, seen: Description | None = None) -> dict[str, Any]:
    """`seen`: how a text model described the picture, if the user gave no description."""
    return {
        "id": character.id,
        "object": "character",
        "created_at": character.created_ms // 1000,
        "name": character.name,
        # Reelworks' own fields
        "handle": f"@{handle(character.name)}",
        "description": character.description or (seen.text if seen else None),
        "described_by": seen.by if seen else None,
        "width": character.image.width,
        "height": character.image.height,
    }


def character_list(characters: list[Character], *, has_more: bool) -> dict[str, Any]:
    return {
        "object": "list",
        "data": [character_object(one) for one in characters],
        "first_id": characters[0].id if characters else None,
        "last_id": characters[-1].id if characters else None,
        "has_more": has_more,
    }


def character_deletion(id_: str) -> dict[str, Any]:
    return {"id": id_, "object": "character.deleted", "deleted": True}


def upload_object(upload: Upload, arrived: int | None) -> dict[str, Any]:
    """`arrived`: the bytes that have arrived, None until then."""
    now = time.time()
    waits = "pending" if now < upload.expires else "expired"
    return {
        "id": upload.id,
        "object": "upload",
        "bytes": upload.bytes if arrived is None else arrived,
        "created_at": upload.created_ms // 1000,
        "expires_at": upload.expires,
        "filename": upload.filename,
        "purpose": None,
        "status": waits if arrived is None else "completed",
        # Reelworks' own fields
        "mime_type": upload.mime_type,
        "kind": upload.kind,
        "max_bytes": upload.kind.most,
    }


def _cast_member(one: CastMember) -> dict[str, Any]:
    seen = one.described
    return {
        "id": one.id,
        "name": one.name,
        "description": one.looks or None,
        "by": seen.by if seen else None,
        "note": seen.note if seen else None,
        "cost": seen.cost if seen else None,
        "scenes": None if one.scenes is None else list(one.scenes),
    }


def video_list(videos: list[Video], has_more: bool) -> dict[str, Any]:
    """Return a page of videos, cut short if it would exceed the size that Lambda can return."""
    objects = [video_object(video) for video in videos]
    sizes = accumulate(len(json.dumps(one)) for one in objects)
    fitting = max(1, sum(size <= LARGEST_PAGE for size in sizes))
    has_more = has_more or fitting < len(videos)
    videos = videos[:fitting]
    return {
        "object": "list",
        "data": objects[:fitting],
        "first_id": videos[0].id if videos else None,
        "last_id": videos[-1].id if videos else None,
        "has_more": has_more,
    }


def deletion(video_id: str) -> dict[str, Any]:
    return {"id": video_id, "object": "video.deleted", "deleted": True}


def model_list(engines: Iterable[Engine]) -> dict[str, Any]:
    return {"object": "list", "data": [model_object(engine) for engine in engines]}


def error_object(
    status: HTTPStatus, message: str, *, code: str | None, param: str | None = None
) -> dict[str, Any]:
    kind = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    # A client prints these as they are, and they may repeat what was sent.
    shown = {"message": visible(message, lines=True), "type": kind, "param": param and visible(param)}
    return {"error": {**shown, "code": code}}


def _rendering(request: VideoRequest) -> dict[str, Any]:
    """Return how the engine's pictures become the film's. `cropped`: the share of the rendered picture's area
    that the film doesn't show."""
    width, height = request.rendered_size
    return {
        "rendered_size": f"{width}x{height}",
        "rendered_fps": request.rendered_fps or request.fps,
        "fit": request.fit,
        "fps_mode": request.fps_mode,
        "cropped": cropped((width, height), (request.width, request.height), request.fit),
    }


def _origin(origin: Origin) -> dict[str, Any]:
    return {"video": origin.video, "kind": origin.kind, "strength": origin.strength}


def _completed_at(video: Video) -> int | None:
    """Return when the current film was completed, possibly in an earlier attempt."""
    times = (entry.at_ms for entry in reversed(video.history) if entry.stage is Stage.COMPLETED)
    at_ms = next(times, None)
    return None if at_ms is None else at_ms // 1000


def _review(video: Video) -> dict[str, Any]:
    """`gate`: where the video waits; `until`: seconds since the epoch."""
    waits = video.review if video.stage is Stage.REVIEWING else None
    return {
        "requested": list(video.request.review),
        "gate": waits.gate if waits else None,
        "until": waits.until_ms // 1000 if waits else None,
        "approved": list(video.approved),
    }


def _storyboard(video: Video) -> dict[str, Any]:
    """`filmed`: whether the film was made from the current storyboard."""
    filmed = video.film is not None and video.filmed == video.storyboard
    writer = video.writer or Writer()
    return {**writer.model_dump(), "sha256": video.storyboard, "filmed": filmed}


def _made(part: PartProgress | ClipProgress | AssemblyProgress) -> dict[str, Any]:
    """`took`: duration in seconds, once finished. The storage location is internal, so it is left out."""
    begun, ended = part.started_ms, part.finished_ms
    took = None if begun is None or ended is None else (ended - begun) / 1000
    return {**part.model_dump(mode="json", exclude={"artifact"}), "took": took}


def _error(video: Video) -> dict[str, str] | None:
    if video.stage is Stage.CANCELLED:
        return {"code": "cancelled", "message": "The video was cancelled."}
    if video.failure is None:
        return None
    return {"code": video.failure.code, "message": f"{video.failure.reason} {video.failure.advice}"}


def model_object(engine: Engine) -> dict[str, Any]:
    width, height = engine.sizes.default
    return {
        "id": engine.name,
        "object": "model",
        "created": 0,  # OpenAI's client requires the field; engines have no date
        "owned_by": "reelworks",
        # Reelworks' own fields
        "summary": engine.summary,
        "draft": engine.draft,
        "size": f"{width}x{height}",
        "sizes": engine.sizes.describe(),
        "fps": list(engine.fps),
        "film_sizes": SIZES,
        "film_fps": RATES,
        "longest_clip": engine.longest_clip,
        "image": engine.image,
        "video": engine.video,
        "audio": engine.audio,
        "refuses": list(engine.refuses),
        "speeds": list(engine.speeds),
        "loras": engine.loras,
        "prompt_tokens": engine.prompt_tokens,
    }

"""Videos and errors in OpenAI's wire format, with fields of ours beside its own.

Source: openai-python 3.54 (types/video.py, types/model.py); the format keeps extra fields in `model_extra`.
"""

import json
from collections.abc import Iterable
from http import HTTPStatus
from itertools import accumulate
from typing import Any

from lambdas.domain.engines import Engine
from lambdas.domain.video import PartProgress, Stage, Video

# Lambda answers at most 6 MB, in which this is a quoted string; a video of 1,000 clips has 0.1 MB.
LARGEST_PAGE = 4_000_000

# OpenAI's client polls while the status is queued or in_progress, so a cancelled video must read failed.
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
        "prompt": request.prompt,
        "seconds": str(_seconds(video)),
        "size": f"{request.width}x{request.height}",
        "error": _error(video),
        # ours
        "stage": video.stage,
        "draft": video.draft,
        "fps": request.fps,
        "seed": video.seed,
        "speed": request.speed,
        "loras": [lora.model_dump() for lora in request.loras],
        "enhance": {
            "requested": request.enhance,
            "prompt": enhancement.prompt if enhancement else None,
            "by": enhancement.by if enhancement else None,
            "note": enhancement.note if enhancement else None,
        },
        "assembly": {
            "transition": request.transition,
            "transition_seconds": request.transition_seconds,
            "even_out": request.even_out,
            "fragmented": request.fragmented,
            "steps": [step.model_dump(mode="json") for step in video.steps],
        },
        "captions": request.captions,
        "storyboard": video.writer.model_dump() if video.writer else None,
        "narrations": [_part(part) for part in video.narrations],
        "stills": [_part(part) for part in video.stills],
        "clips": [clip.model_dump(mode="json") for clip in video.clips],
        "failure": video.failure.model_dump(mode="json") if video.failure else None,
        "stages": [entry.model_dump(mode="json") for entry in video.history],
    }


def video_list(videos: list[Video], has_more: bool) -> dict[str, Any]:
    """A page that ends early where it would be longer than Lambda answers."""
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
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _seconds(video: Video) -> int:
    """As asked; of scenes that last as long as their narration, an estimate until they are planned."""
    if video.request.brief is None or not video.clips:
        return video.request.seconds
    return round(sum(clip.seconds for clip in video.clips))


def _completed_at(video: Video) -> int | None:
    times = (entry.at_ms for entry in video.history if entry.stage is Stage.COMPLETED)
    at_ms = next(times, None)
    return None if at_ms is None else at_ms // 1000


def _part(part: PartProgress) -> dict[str, Any]:
    """Where it is stored is nobody's business."""
    return part.model_dump(mode="json", exclude={"artifact"})


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
        # ours
        "summary": engine.summary,
        "draft": engine.draft,
        "size": f"{width}x{height}",
        "sizes": engine.sizes.describe(),
        "fps": list(engine.fps),
        "longest_clip": engine.longest_clip,
        "image": engine.image,
        "audio": engine.audio,
        "refuses": list(engine.refuses),
        "speeds": list(engine.speeds),
        "loras": engine.loras,
        "prompt_tokens": engine.prompt_tokens,
    }

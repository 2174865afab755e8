"""Build the documents of answers.py from the records of videos, the catalogue of engines, and errors."""

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import accumulate
from typing import Any, Literal

from lambdas.api.answers import (
    AssemblyState,
    CaptionLookOf,
    CharacterDeletion,
    CharacterList,
    CharacterObject,
    CharacterUsed,
    ClipList,
    ContentLink,
    CostPart,
    Deletion,
    EnhanceState,
    ErrorAnswer,
    ErrorDetail,
    EventList,
    EventObject,
    FilmList,
    FilmObject,
    ModelList,
    ModelObject,
    MusicOf,
    OriginOf,
    PlannedClip,
    PromptEnhancement,
    ReviewState,
    ShapeOf,
    StoryboardState,
    UploadObject,
    UsageSums,
    VideoError,
    VideoEstimate,
    VideoList,
    VideoObject,
    VoiceList,
    VoiceObject,
)
from lambdas.domain.characters import CastMember, Character, Description, handle
from lambdas.domain.control_characters import visible
from lambdas.domain.documents import LONGEST_FILM, Document
from lambdas.domain.engines import Engine
from lambdas.domain.errors import RequestError
from lambdas.domain.estimate import Cost, clip_second, clip_work
from lambdas.domain.film_format import RATES, SIZES, cropped
from lambdas.domain.film_plan import FilmPlan
from lambdas.domain.line import Wait
from lambdas.domain.narration import OfferedVoice
from lambdas.domain.planning import MOST_CLIPS
from lambdas.domain.prices import Prices, of_work
from lambdas.domain.prompts import estimate_tokens
from lambdas.domain.shapes import Shape
from lambdas.domain.stages import Stage
from lambdas.domain.uploads import Upload
from lambdas.domain.usage import Usage
from lambdas.domain.video import Video
from lambdas.domain.video_events import VideoEvent
from lambdas.domain.video_parts import (
    AssemblyProgress,
    ClipProgress,
    DeliveredFilm,
    Enhancement,
    PartProgress,
    Writer,
)
from lambdas.domain.video_request import CaptionLook, Music, Origin
from lambdas.intake.accept import DryRun

# Lambda returns at most 6 MB, in which this is a quoted string; a video of 1,000 clips takes 0.1 MB.
LARGEST_PAGE = 4_000_000

# OpenAI's client polls while the status is queued or in_progress, so a cancelled video must report failed.
_STATUS: Mapping[Stage, Literal["queued", "in_progress", "completed", "failed"]] = {
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


@dataclass(frozen=True)
class FilmLinks:
    """Links to a finished video's film and poster; None: it has none yet."""

    film: str | None = None
    thumbnail: str | None = None
    others: Mapping[str, str] = field(default_factory=dict)  # to its further shapes, by variant


_NO_LINKS = FilmLinks()


def video_object(video: Video, links: FilmLinks = _NO_LINKS, wait: Wait | None = None) -> VideoObject:
    """`links`: to the finished film. `wait`: how long it waits for its engine, if it does."""
    request = video.request
    rendered = request.rendered_size
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
        "url": links.film,
        "thumbnail_url": links.thumbnail,
        "stage": video.stage,
        "waits_for": video.waits_for,
        "queue_position": wait and wait.position,
        "expected_seconds": wait and wait.seconds,
        "attempt": video.attempt,
        "review": _review(video),
        "cost": video.cost,
        "max_cost": video.max_cost,
        "origin": _origin(request.origin) if request.origin else None,
        "signed_by": video.signed_by,
        "quality_warnings": _warnings(video),
        "on_warning": request.on_warning,
        "second_tries": _dumped(video.second_tries) if video.second_tries else None,
        "vision_check": _dumped(video.looked) if video.looked else None,
        "draft": video.draft,
        "draft_for": request.draft_for,
        "fps": request.fps,
        "rendered_size": f"{rendered[0]}x{rendered[1]}",
        "rendered_fps": request.rendered_fps or request.fps,
        "fit": request.fit,
        "fps_mode": request.fps_mode,
        "cropped": cropped(rendered, (request.width, request.height), request.fit),
        "notes": list(video.notes),
        "seed": video.seed,
        "speed": request.speed,
        "loras": [_dumped(lora) for lora in request.loras],
        "enhance": _enhance(video),
        "assembly": _assembly(video),
        "characters": [_character_used(one) for one in video.cast],
        "captions": request.captions,
        "burn_captions": request.burn_captions,
        "caption_style": request.caption_style,
        "caption_look": _caption_look(request.caption_look),
        "shapes": [_shape(shape, (request.width, request.height), links) for shape in video.shapes],
        "focal_point": request.focal_point,
        "shaping": video.shaping,
        "music": _music(request.music) if request.music else None,
        "storyboard": _storyboard(video) if video.storyboard else None,
        "narrations": [_made(part) for part in video.narrations],
        "stills": [_made(part) for part in video.stills],
        "clips": [_made(clip) for clip in video.clips],
        "webhook": _dumped(request.webhook) if request.webhook else None,
        "failure": _dumped(video.failure) if video.failure else None,
        "stages": [{"stage": entry.stage, "at_ms": entry.at_ms} for entry in video.history],
    }


def video_estimate(run: DryRun) -> VideoEstimate:
    request, expected = run.request, run.estimate
    rendered = request.rendered_size
    costs = expected.costs
    return {
        "object": "video.estimate",
        "model": request.engine,
        "clips": expected.clips,
        "seconds": str(request.expected_seconds),
        "size": f"{request.width}x{request.height}",
        "fps": request.fps,
        "rendered_size": f"{rendered[0]}x{rendered[1]}",
        "rendered_fps": request.rendered_fps or request.fps,
        "cost": None if costs.unknown else costs.known,
        "highest_cost": None if costs.unknown else expected.highest_cost,
        "costs": {
            "writing": _cost_part(costs.writing),
            "narration": _cost_part(costs.narration),
            "stills": _cost_part(costs.stills),
            "clips": _cost_part(costs.clips),
            "vision": _cost_part(costs.vision),
            "assembly": _cost_part(costs.assembly),
        },
        "max_cost": request.max_cost,
        "expected_seconds": None if expected.took is None else math.ceil(expected.took),
        "expected_seconds_reason": expected.why,
        "notes": list(run.notes),
        "refusals": [_error_detail(one) for one in run.refusals],
    }


def _cost_part(cost: Cost) -> CostPart:
    return {"usd": cost.usd, "reason": cost.why}


def _error_detail(error: RequestError) -> ErrorDetail:
    return error_object(error.status, error.message, code=error.code, param=error.param)["error"]


def character_object(character: Character, seen: Description | None = None) -> CharacterObject:
    """`seen`: how a text model described the picture, if the user gave no description."""
    return {
        "id": character.id,
        "object": "character",
        "created_at": character.created_ms // 1000,
        "name": character.name,
        "handle": f"@{handle(character.name)}",
        "description": character.description or (seen.text if seen else None),
        "described_by": seen.by if seen else None,
        "voice": character.voice,
        "width": character.image.width,
        "height": character.image.height,
    }


def character_list(characters: list[Character], *, has_more: bool) -> CharacterList:
    return {
        "object": "list",
        "data": [character_object(one) for one in characters],
        "first_id": characters[0].id if characters else None,
        "last_id": characters[-1].id if characters else None,
        "has_more": has_more,
    }


def character_deletion(id_: str) -> CharacterDeletion:
    return {"id": id_, "object": "character.deleted", "deleted": True}


def upload_object(upload: Upload, arrived: int | None) -> UploadObject:
    """`arrived`: the bytes that have arrived, None until then."""
    waits: Literal["pending", "expired"] = "pending" if time.time() < upload.expires else "expired"
    return {
        "id": upload.id,
        "object": "upload",
        "bytes": upload.bytes if arrived is None else arrived,
        "created_at": upload.created_ms // 1000,
        "expires_at": upload.expires,
        "filename": upload.filename,
        "purpose": None,
        "status": waits if arrived is None else "completed",
        "mime_type": upload.mime_type,
        "kind": upload.kind,
        "max_bytes": upload.kind.most,
    }


def _character_used(one: CastMember) -> CharacterUsed:
    seen = one.described
    return {
        "id": one.id,
        "name": one.name,
        "description": one.looks or None,
        "by": seen.by if seen else None,
        "note": seen.note if seen else None,
        "cost": seen.cost if seen else None,
        "voice": one.voice,
        "scenes": None if one.scenes is None else list(one.scenes),
    }


def video_list(
    videos: list[Video], has_more: bool, links: Callable[[Video], FilmLinks] = lambda _: _NO_LINKS
) -> VideoList:
    """Return a page of videos, cut short if it would exceed the size that Lambda can return. `links`: returns
    those of a video."""
    objects = [video_object(video, links(video)) for video in videos]
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


def film_list(video: Video, link: Callable[[int, str], str]) -> FilmList:
    """`link`: returns a link to a file, by the film's attempt and the name of the variant."""
    data = [_film_object(film, completed_ms, link) for film, completed_ms in video.dated_films]
    return {"object": "list", "data": data, "has_more": False}


def _film_object(film: DeliveredFilm, completed_ms: int, link: Callable[[int, str], str]) -> FilmObject:
    return {
        "object": "video.film",
        "attempt": film.attempt,
        "completed_at": completed_ms // 1000,
        "seconds": film.seconds,
        "bytes": film.bytes,
        "cost": film.cost,
        "signed_by": film.signed_by,
        "quality_warnings": film.warnings,
        "variants": list(film.variants),
        "new_scenes": None if film.new_scenes is None else list(film.new_scenes),
        "url": link(film.attempt, "video"),
        "thumbnail_url": link(film.attempt, "thumbnail"),
    }


def clip_list(plan: FilmPlan) -> ClipList:
    seconds = plan.clip_seconds
    data: list[PlannedClip] = [
        {
            "object": "video.clip",
            "index": clip.index,
            "scene": scene.index,
            "seconds": seconds[clip.index],
            "seed": clip.seed,
        }
        for scene in plan.scenes
        for clip in scene.clips
    ]
    return {"object": "list", "data": data, "has_more": False}


def _shape(shape: Shape, film: tuple[int, int], links: FilmLinks) -> ShapeOf:
    size = shape.size(film)
    variant = shape.aspect.variant
    return {
        "aspect": shape.aspect,
        "fit": shape.fit,
        "size": f"{size[0]}x{size[1]}",
        "cropped": shape.cropped(film),
        "variant": variant,
        "url": links.others.get(variant),
        "thumbnail_url": links.others.get(f"{variant}_thumbnail"),
    }


def _caption_look(look: CaptionLook) -> CaptionLookOf:
    return {
        "position": look.position,
        "size": look.size,
        "colour": look.colour,
        "outline": look.outline,
        "outline_width": look.outline_width,
        "font": look.font,
        "font_file": look.font_file is not None,
    }


def _music(music: Music) -> MusicOf:
    return {
        "mood": music.mood,
        "seconds": music.seconds,
        "level": music.level,
        "start": music.start,
        "fade_in": music.fade_in,
        "fade_out": music.fade_out,
    }


def event_list(events: Iterable[VideoEvent]) -> EventList:
    return {"object": "list", "data": [_event(event) for event in events], "has_more": False}


def _event(event: VideoEvent) -> EventObject:
    return {
        "object": "video.event",
        "type": event.type,
        "at_ms": event.at_ms,
        "attempt": event.attempt,
        "scene": event.scene,
        "clip": event.clip,
        "shape": event.shape,
        "reused": event.reused,
        "by": event.by,
        "seconds": event.seconds,
        "cost": event.cost,
        "code": event.code,
        "reason": event.reason,
        "advice": event.advice,
    }


def voice_list(voices: Iterable[OfferedVoice], default: str, prices: Prices) -> VoiceList:
    """`default`: the voice of films that name none."""
    data: list[VoiceObject] = [
        {
            "id": voice.name,
            "object": "voice",
            "language": voice.language,
            "language_name": voice.language_name,
            "other_languages": voice.other_languages,
            "gender": voice.gender,
            "engines": voice.engines,
            "default": voice.name == default,
            "cost_per_million_characters": {
                engine: prices.narration(engine, 1_000_000) for engine in voice.engines
            },
        }
        for voice in voices
    ]
    return {"object": "list", "data": data}


def prompt_enhancement(enhancement: Enhancement, prompt: str, engine: Engine) -> PromptEnhancement:
    """`prompt`: the prompt as it was given."""
    return {
        "object": "prompt.enhancement",
        "model": engine.name,
        "given": prompt,
        "prompt": enhancement.prompt,
        "by": enhancement.by,
        "note": enhancement.note,
        "cost": enhancement.cost,
        "tokens": estimate_tokens(enhancement.prompt),
        "prompt_tokens": engine.prompt_tokens,
    }


def content_link(url: str, media_type: str, expires_at: int) -> ContentLink:
    """`expires_at`: seconds since the epoch."""
    return {"object": "content.link", "url": url, "media_type": media_type, "expires_at": expires_at}


def deletion(video_id: str) -> Deletion:
    return {"id": video_id, "object": "video.deleted", "deleted": True}


def model_list(engines: Iterable[Engine], prices: Prices) -> ModelList:
    return {"object": "list", "data": [model_object(engine, prices) for engine in engines]}


def error_object(
    status: HTTPStatus, message: str, *, code: str | None, param: str | None = None
) -> ErrorAnswer:
    # A client prints these as they are, and they may repeat what was sent.
    error: ErrorDetail = {
        "message": visible(message, lines=True),
        "type": _error_type(status),
        "param": param and visible(param),
        "code": code,
    }
    return {"error": error}


def _error_type(
    status: HTTPStatus,
) -> Literal["invalid_request_error", "rate_limit_error", "server_error"]:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "server_error"
    return "rate_limit_error" if status == HTTPStatus.TOO_MANY_REQUESTS else "invalid_request_error"


def _origin(origin: Origin) -> OriginOf:
    return {"video": origin.video, "kind": origin.kind, "strength": origin.strength}


def _completed_at(video: Video) -> int | None:
    """Return when the current film was completed, possibly in an earlier attempt."""
    times = (entry.at_ms for entry in reversed(video.history) if entry.stage is Stage.COMPLETED)
    at_ms = next(times, None)
    return None if at_ms is None else at_ms // 1000


def _review(video: Video) -> ReviewState:
    waits = video.review if video.stage is Stage.REVIEWING else None
    return {
        "requested": list(video.request.review),
        "gate": waits.gate if waits else None,
        "until": waits.until_ms // 1000 if waits else None,
        "approved": list(video.approved),
    }


def _warnings(video: Video) -> int | None:
    if video.film_to_review is not None:
        return video.film_to_review.warnings
    return video.films[-1].warnings if video.films else None


def _enhance(video: Video) -> EnhanceState:
    enhancement = video.enhancement
    return {
        "requested": video.request.enhance,
        "prompt": enhancement.prompt if enhancement else None,
        "by": enhancement.by if enhancement else None,
        "note": enhancement.note if enhancement else None,
        "cost": enhancement.cost if enhancement else None,
    }


def _assembly(video: Video) -> AssemblyState:
    return {
        "transition": video.request.transition,
        "transition_seconds": video.request.transition_seconds,
        "cut_on_beats": video.request.cut_on_beats,
        "even_out": video.request.even_out,
        "clip_sound": video.request.clip_sound,
        "stems": video.request.stems,
        "fragmented": video.request.fragmented,
        "steps": [_dumped(step) for step in video.steps],
        "made": _made(video.assembly) if video.assembly else None,
    }


def _storyboard(video: Video) -> StoryboardState:
    waits = video.film_to_review
    delivered = video.film is not None and video.filmed == video.storyboard
    filmed = waits.storyboard == video.storyboard if waits else delivered
    writer = video.writer or Writer()
    return {
        "by": writer.by,
        "note": writer.note,
        "cost": writer.cost,
        "sha256": video.storyboard,
        "filmed": filmed,
    }


def _dumped(document: Document) -> Any:
    return document.model_dump(mode="json")


def _made(part: PartProgress | ClipProgress | AssemblyProgress) -> Any:
    """Return the part with `took`. The storage location is internal, and the film has its warnings."""
    begun, ended = part.started_ms, part.finished_ms
    took = None if begun is None or ended is None else (ended - begun) / 1000
    return {
        **part.model_dump(mode="json", exclude={"artifact", "warnings", "content", "storyboard", "shapes"}),
        "took": took,
    }


def _error(video: Video) -> VideoError | None:
    if video.stage is Stage.CANCELLED:
        return {"code": "cancelled", "message": "The video was cancelled."}
    if video.failure is None:
        return None
    return {"code": video.failure.code, "message": f"{video.failure.reason} {video.failure.advice}"}


def model_object(engine: Engine, prices: Prices) -> ModelObject:
    width, height = engine.sizes.default
    seconds = clip_work(engine, prices, 1)
    cost = of_work(clip_second(engine, prices), seconds)
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
        "longest_film": LONGEST_FILM,
        "most_clips": MOST_CLIPS,
        "image": engine.image,
        "last_image": engine.last_image,
        "video": engine.video,
        "audio": engine.audio,
        "sound": engine.sound,
        "refuses": list(engine.refuses),
        "speeds": list(engine.speeds),
        "loras": engine.loras,
        "steps": engine.steps,
        "least_steps": engine.least_steps,
        "prompt_tokens": engine.prompt_tokens,
        "seconds_per_clip": seconds,
        "cost_per_clip": cost,
        "cost_per_second": None if cost is None else cost / engine.longest_clip,
    }


def usage_sums(sums: Usage) -> UsageSums:
    return {
        "films": sums.films,
        "failed": sums.failed,
        "clips": sums.clips,
        "seconds": sums.seconds,
        "cost": float(sums.usd),
        "unknown": sums.unknown,
    }

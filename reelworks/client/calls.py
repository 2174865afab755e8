"""The calls of the API, and what each consists of. They are methods of both clients."""

import base64
import json
import math
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Unpack
from urllib.parse import quote

from lambdas.domain.brand import with_brand_files
from lambdas.domain.names import POLL_AFTER_HEADER
from lambdas.domain.storyboard import with_scene_files
from reelworks.client.address import Address
from reelworks.client.errors import (
    AnswerNotUnderstood,
    ApiUnreachable,
    InvalidRequest,
    PreconditionFailed,
    ReviewNeeded,
    ServerError,
    VideoFailed,
)
from reelworks.client.exchange import Exchange
from reelworks.client.models import (
    ClipSound,
    CreateFields,
    Deletion,
    Event,
    EventList,
    Film,
    FilmList,
    Model,
    ModelList,
    RegenerateFields,
    Storyboard,
    Upload,
    Video,
    VideoEstimate,
    VideoList,
    Voice,
    VoiceList,
)
from reelworks.client.steps import Answer, Flow, Sleep, Step, Tell, Update
from reelworks.client.transfers import Progress, fetch_file, media_type_of, send_file

_POLL_SECONDS = 2.0  # where the API doesn't say
_OUTAGE_SECONDS = 120.0  # of an API that restarts
_LARGEST_FORM = 4_000_000  # bytes of files in a request, which may have 6 MB with them as base64
_EDITS = 3  # of a storyboard that others edit meanwhile


class Calls:
    def __init__(self, address: Address, retries: int) -> None:
        self.base_url = address.base_url
        self._api = Exchange(address, retries)

    # --- make

    def submit(
        self,
        prompt: str | None = None,
        *,
        image: str | Path | Upload | None = None,
        last_frame: str | Path | Upload | None = None,
        music: str | Path | Upload | None = None,
        caption_font_file: str | Path | Upload | None = None,
        **fields: Unpack[CreateFields],
    ) -> Flow[Video]:
        """Request a video from a prompt, `topic` or `storyboard`, and return at once.

        docs/api.md lists the `fields`; those that are None are omitted. `image` is the first picture,
        `last_frame` the last; `music` plays under the film; `caption_font_file` is the captions' font. Each
        is a file or an `upload`; large files are uploaded first. So are the files of a `brand`, and those
        that scenes of a `storyboard` have as `clip`, `picture`, `first_frame` or `last_frame`: a Path or an
        `upload`. Raises ApiError, OSError.
        """
        body, files = _parts(_named(image, last_frame, music, caption_font_file), prompt=prompt, **fields)
        for name in [name for name in _WITH_FILES if name in body]:
            body[name] = yield from self._sent(name, body[name])
        if _weigh(files.values()) > _LARGEST_FORM:
            for name, path in files.items():
                body[name] = {"file_id": (yield from self.upload(path)).id}
            files = {}
        return (yield from self._create("videos", **_content(body, files)))

    def estimate(
        self,
        prompt: str | None = None,
        *,
        image: str | Path | Upload | None = None,
        last_frame: str | Path | Upload | None = None,
        music: str | Path | Upload | None = None,
        caption_font_file: str | Path | Upload | None = None,
        **fields: Unpack[CreateFields],
    ) -> Flow[VideoEstimate]:
        """Return what `submit` would take with the same arguments (clips, cost by part, time), and what would
        refuse it. Nothing is made, and nothing is uploaded: of files above 4 MB, give the `upload`. Raises
        ApiError, OSError.
        """
        body, files = _parts(_named(image, last_frame, music, caption_font_file), prompt=prompt, **fields)
        named = [(name, path) for name in _WITH_FILES for path in _files_in(name, body.get(name))]
        given = [*files.items(), *named]
        if (size := _weigh(path for _, path in given)) > _LARGEST_FORM:
            raise InvalidRequest(
                f"{' and '.join(path.name for _, path in given)} must have at most {_LARGEST_FORM:,} "
                f"bytes for an estimate, which uploads nothing; got {size:,}",
                param=given[0][0],
                advice="Upload the file first and give the upload. Music may be left out: it costs nothing.",
            )
        for name in [name for name in _WITH_FILES if name in body]:
            body[name] = _WITH_FILES[name](body[name], _inline)
        query, content = {"dry_run": True}, _content(body, files)
        return (yield from self._api.call(VideoEstimate, "POST", "videos", query=query, content=content))

    def subscribe(
        self,
        prompt: str | None = None,
        *,
        on_update: Callable[[Video], Any] | None = None,
        image: str | Path | Upload | None = None,
        last_frame: str | Path | Upload | None = None,
        music: str | Path | Upload | None = None,
        caption_font_file: str | Path | Upload | None = None,
        **fields: Unpack[CreateFields],
    ) -> Flow[Video]:
        """Request a video as `submit` does, and wait for it as `result` does."""
        video = yield from self.submit(
            prompt,
            image=image,
            last_frame=last_frame,
            music=music,
            caption_font_file=caption_font_file,
            **fields,
        )
        return (yield from self.result(video.id, on_update=on_update))

    def remix(
        self,
        video_id: str,
        prompt: str,
        *,
        max_cost: float | None = None,
        clip_sound: ClipSound | None = None,
    ) -> Flow[Video]:
        """Request a new video: `video_id` with the changes that the prompt describes. `max_cost`: USD.
        `clip_sound`: what becomes of its clips' own sound; None: as in `video_id`."""
        body = _given(prompt=prompt, max_cost=max_cost, clip_sound=clip_sound)
        return (yield from self._create(f"{_path(video_id)}/remix", json=body))

    def edit(
        self,
        video_id: str,
        prompt: str,
        *,
        max_cost: float | None = None,
        clip_sound: ClipSound | None = None,
    ) -> Flow[Video]:
        """Request a new video: the film of `video_id` redrawn as the prompt says. `max_cost` and `clip_sound`
        as in `remix`."""
        body = _given(prompt=prompt, video={"id": video_id}, max_cost=max_cost, clip_sound=clip_sound)
        return (yield from self._create("videos/edits", json=body))

    def extend(
        self,
        video_id: str,
        prompt: str,
        seconds: int,
        *,
        max_cost: float | None = None,
        clip_sound: ClipSound | None = None,
    ) -> Flow[Video]:
        """Request a new video: the film of `video_id`, then `seconds` of what the prompt describes.
        `max_cost` and `clip_sound` as in `remix`."""
        body = _given(
            prompt=prompt,
            seconds=str(seconds),
            video={"id": video_id},
            max_cost=max_cost,
            clip_sound=clip_sound,
        )
        return (yield from self._create("videos/extensions", json=body))

    # --- follow

    def status(self, video_id: str) -> Flow[Video]:
        """Return the video as it is now."""
        return (yield from self._api.call(Video, "GET", _path(video_id)))

    def follow(self, video_id: str) -> Flow[Video]:
        """Give the video now and at each change, the last time when it has ended or waits for its user."""
        return (yield from self._watch(video_id, Update))

    def result(self, video_id: str, *, on_update: Callable[[Video], Any] | None = None) -> Flow[Video]:
        """Wait for a video, and return it once it is completed.

        `on_update` is called with it now and at each change. It may approve the film where it waits for its
        user; if it does not, ReviewNeeded is raised. Raises VideoFailed, also if the video is cancelled.
        """
        while True:
            video = yield from self._watch(video_id, lambda video: Tell(on_update or _ignore, video))
            if video.status == "completed":
                return video
            if video.status == "failed":
                raise VideoFailed(video)
            now = yield from self.status(video_id)
            if now.stage == "reviewing" and now.review.gate == video.review.gate:
                raise ReviewNeeded(now)

    def events(self, video_id: str) -> Flow[Sequence[Event]]:
        """Return what happened to the video, the oldest event first."""
        found = yield from self._api.call(EventList, "GET", f"{_path(video_id)}/events")
        return found.data

    def films(self, video_id: str) -> Flow[Sequence[Film]]:
        """Return the films of a video, the latest first: one of each attempt that was completed."""
        found = yield from self._api.call(FilmList, "GET", f"{_path(video_id)}/films")
        return found.data

    def list(
        self, *, limit: int = 20, after: str | None = None, order: Literal["asc", "desc"] = "desc"
    ) -> Flow[VideoList]:
        """Return a page of your videos. `after`: the `last_id` of the page before."""
        query = {"limit": limit, "after": after, "order": order}
        return (yield from self._api.call(VideoList, "GET", "videos", query=query))

    # --- end

    def cancel(self, video_id: str) -> Flow[Video]:
        """Cancel a video that is being made. What was made of it is kept for `retry`."""
        return (yield from self._api.call(Video, "POST", f"{_path(video_id)}/cancel"))

    def delete(self, video_id: str) -> Flow[Deletion]:
        """Delete a video with its film. A video that is being made is cancelled first."""
        return (yield from self._api.call(Deletion, "DELETE", _path(video_id)))

    # --- review and edit

    def storyboard(self, video_id: str) -> Flow[tuple[Storyboard, str | None]]:
        """Return the storyboard and its ETag: what is said, shown and moves in each scene."""
        answer = yield from self._api.send("GET", f"{_path(video_id)}/storyboard")
        return self._api.document(Storyboard, answer), answer.headers.get("etag")

    def put_storyboard(
        self, video_id: str, storyboard: Storyboard | Mapping[str, Any], *, etag: str | None = None
    ) -> Flow[str | None]:
        """Replace the storyboard; with `etag`, only if the current one still has that ETag. Return the new
        ETag. Only what changed is made again, once the film is approved. Files of its scenes are uploaded
        first, as `submit` does. Raises ApiError, OSError."""
        document = storyboard.to_dict() if isinstance(storyboard, Storyboard) else storyboard
        document = yield from self._sent("storyboard", document)
        answer = yield from self._api.send(
            "PUT",
            f"{_path(video_id)}/storyboard",
            content={"json": document},
            headers={} if etag is None else {"if-match": etag},
            again=etag is None,
        )
        found: str | None = answer.headers.get("etag")
        return found

    def edit_scene(
        self,
        video_id: str,
        scene: int,
        *,
        narration: str | None = None,
        image: str | None = None,
        video: str | None = None,
        seconds: float | None = None,
    ) -> Flow[Storyboard]:
        """Change a scene of the storyboard, counted from 0: what is said, what its still and its clips show,
        how long it lasts. What is None stays. Return the storyboard."""
        for left in reversed(range(_EDITS)):
            board, etag = yield from self.storyboard(video_id)
            changed = board.to_dict()
            if not 0 <= scene < len(changed["scenes"]):
                raise InvalidRequest(
                    f"scene must be 0 to {len(changed['scenes']) - 1}; got {scene}", param="scene"
                )
            one = changed["scenes"][scene]
            if narration is not None:
                one["narration"] = {**(one.get("narration") or {}), "text": narration}
            for name, prompt in (("image", image), ("video", video)):
                if prompt is not None:
                    one[name] = {**(one.get(name) or {}), "positive_prompt": prompt}
            if seconds is not None:
                one["seconds"] = seconds
            try:
                yield from self.put_storyboard(video_id, changed, etag=etag)
            except PreconditionFailed:  # somebody else has changed it meanwhile
                if not left:
                    raise
            else:
                break
        return (yield from self.storyboard(video_id))[0]

    def approve(
        self,
        video_id: str,
        *,
        gate: str | None = None,
        etag: str | None = None,
        max_cost: float | None = None,
    ) -> Flow[Video]:
        """Approve a film that waits for its user, or re-render an edited film that has ended. `gate`
        (storyboard, previews or film) and `etag` name what was reviewed; nothing else is approved.
        `max_cost`: USD that all attempts may cost from now on; None: as before."""
        return (
            yield from self._api.call(
                Video,
                "POST",
                f"{_path(video_id)}/approve",
                query={"gate": gate, "max_cost": max_cost},
                headers={} if etag is None else {"if-match": etag},
                again=gate is not None,  # without it, a second approval is one of the next gate
            )
        )

    def retry(self, video_id: str, *, max_cost: float | None = None) -> Flow[Video]:
        """Resume a video that failed or was cancelled, reusing everything already made. `max_cost` as in
        `approve`."""
        path, query = f"{_path(video_id)}/retry", {"max_cost": max_cost}
        return (yield from self._api.call(Video, "POST", path, query=query, again=False))

    def add_shapes(self, video_id: str, shapes: Sequence[str | Mapping[str, str]]) -> Flow[Video]:
        """Have a film delivered in further shapes, too: aspects such as "9:16", or objects with an `aspect`
        and a `fit`. Nothing is rendered again."""
        body = {"shapes": list(shapes)}
        return (yield from self._api.call(Video, "POST", f"{_path(video_id)}/shapes", content={"json": body}))

    def regenerate(
        self, video_id: str, scene: int, part: str, **wishes: Unpack[RegenerateFields]
    ) -> Flow[Video]:
        """Regenerate a part of a scene, counted from 0: its text, voice or still. docs/api.md lists the
        `wishes`; those that are None are omitted."""
        body = _given(part=part, **wishes)
        path = f"{_path(video_id)}/scenes/{scene}/regenerate"
        return (yield from self._api.call(Video, "POST", path, content={"json": body}, again=False))

    # --- files

    def upload(
        self, path: str | Path, *, mime_type: str | None = None, on_progress: Progress | None = None
    ) -> Flow[Upload]:
        """Send a file ahead of the requests that name it by `file_id`, its `id` here. It is streamed.

        `on_progress` is called with the bytes that are sent, and with all. Raises ApiError, OSError.
        """
        path = Path(path)
        body = {
            "mime_type": mime_type or media_type_of(path),
            "bytes": path.stat().st_size,
            "filename": path.name,
        }
        opened = yield from self._api.call(
            Upload, "POST", "uploads", content={"json": body}, headers=_idempotency()
        )
        yield from send_file(opened, path, on_progress)
        return (yield from self._api.call(Upload, "GET", f"uploads/{opened.id}"))

    def _sent(self, name: str, document: Any) -> Flow[Any]:
        """Return a field's document with the files in it uploaded, each once."""
        sent: dict[Path, Upload] = {}
        for path in _files_in(name, document):
            sent[path] = yield from self.upload(path)
        return _WITH_FILES[name](
            document, lambda file, _: _file_id(sent[file] if isinstance(file, Path) else file)
        )

    def download(
        self,
        video_id: str,
        path: str | Path,
        *,
        variant: str = "video",
        attempt: int | None = None,
        on_progress: Progress | None = None,
    ) -> Flow[int]:
        """Save the film or another variant to `path`, completely or not at all. Return its size in bytes.
        `attempt`: that made the film, as in `films`; None: the latest film.

        A download that broke off, also with its process, goes on where it stopped, if the film is still the
        same. A link is followed; a device or pipe is written through (reelworks.saved_file). `on_progress` is
        called with the bytes that are there, and with all. Raises ApiError, OSError.
        """
        url, query = f"{_path(video_id)}/content", {"variant": variant, "attempt": attempt}
        return (yield from fetch_file(lambda: self._link(url, **query), Path(path), on_progress))

    def preview(
        self, video_id: str, scene: int, part: Literal["narration", "still"], path: str | Path
    ) -> Flow[int]:
        """Save a scene's narration or still to `path`, like `download`. Scenes count from 0."""
        url = f"{_path(video_id)}/scenes/{scene}/{part}"
        return (yield from fetch_file(lambda: self._link(url), Path(path), None))

    def download_clip(self, video_id: str, clip: int, path: str | Path) -> Flow[int]:
        """Save a clip to `path` as the engine made it, like `download`. Clips count from 0."""
        url = f"{_path(video_id)}/clips/{clip}"
        return (yield from fetch_file(lambda: self._link(url), Path(path), None))

    def download_music(self, video_id: str, path: str | Path) -> Flow[int]:
        """Save the music that a film was created with to `path`, like `download`."""
        url = f"{_path(video_id)}/music"
        return (yield from fetch_file(lambda: self._link(url), Path(path), None))

    # --- what there is

    def models(self) -> Flow[Sequence[Model]]:
        """Return the engines, and what each takes."""
        return (yield from self._api.call(ModelList, "GET", "models")).data

    def voices(self) -> Flow[Sequence[Voice]]:
        """Return the voices that narrate."""
        return (yield from self._api.call(VoiceList, "GET", "voices")).data

    def hear(self, voice: str, text: str, path: str | Path, *, language: str | None = None) -> Flow[int]:
        """Save an MP3 of what a voice says to `path`, like `download`. It costs what narration does."""
        said = {"text": text} | ({} if language is None else {"language": language})

        def link() -> Flow[str]:
            answer = yield from self.request("POST", f"voices/{quote(voice, safe='')}/sample", json=said)
            return str(answer["url"])

        return (yield from fetch_file(link, Path(path), None))

    def request(
        self, method: str, path: str, *, json: Any = None, query: Mapping[str, Any] | None = None
    ) -> Flow[Any]:
        """Call any other operation, for example `request("GET", "usage")`, and return its JSON."""
        content = None if json is None else {"json": json}
        again = method in ("GET", "PUT", "DELETE")
        answer = yield from self._api.send(method, path, content=content, query=query, again=again)
        return self._api.json(answer)

    # ---

    def _create(self, path: str, **content: Any) -> Flow[Video]:
        return (yield from self._api.call(Video, "POST", path, content=content, headers=_idempotency()))

    def _link(self, path: str, **query: Any) -> Flow[str]:
        answer = yield from self._api.send("GET", path, query=query)
        if "location" not in answer.headers:
            raise AnswerNotUnderstood(f"{self.base_url} gave no link to the file")
        return str(answer.headers["location"])

    def _watch(self, video_id: str, tell: Callable[[Video], Step]) -> Flow[Video]:
        """Tell the video now and at each change, until it has ended or waits for its user."""
        known: dict[str, Any] | None = None
        while True:
            video, wait = yield from self._poll(video_id)
            shown = {**video.to_dict(), "url": None, "thumbnail_url": None}  # each answer has new links
            if shown != known:
                known = shown
                yield tell(video)
            if video.status in ("completed", "failed") or video.stage == "reviewing":
                return video
            yield Sleep(wait)

    def _poll(self, video_id: str) -> Flow[tuple[Video, float]]:
        """Return the video, and in how many seconds to ask again."""
        lost_at = time.monotonic()
        while True:
            try:
                answer: Answer = yield from self._api.send("GET", _path(video_id))
            except (ApiUnreachable, ServerError):
                if time.monotonic() - lost_at > _OUTAGE_SECONDS:
                    raise
                yield Sleep(_POLL_SECONDS)
            else:
                after = answer.headers.get(POLL_AFTER_HEADER, "")
                wait = int(after) / 1000 if after.isdecimal() else _POLL_SECONDS
                return self._api.document(Video, answer), wait


def _ignore(_: Video) -> None:
    pass


def _idempotency() -> dict[str, str]:
    """One key for all tries of a call, so that a lost answer never makes a second video."""
    return {"idempotency-key": uuid.uuid4().hex}


def _given(**fields: Any) -> dict[str, Any]:
    """Return the fields that are given. Raises InvalidRequest if JSON doesn't have one's number."""
    for name, value in fields.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidRequest(f"{name} must be a finite number; got {value}", param=name)
    return {name: value for name, value in fields.items() if value is not None}


def _parts(
    given: Mapping[str, str | Path | Upload | None], **fields: Any
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Return the fields of a create and its files, by field. An upload is a field."""
    uploads = {name: {"file_id": file.id} for name, file in given.items() if isinstance(file, Upload)}
    files = {name: Path(file) for name, file in given.items() if file and not isinstance(file, Upload)}
    return _given(**fields) | uploads, files


def _named(
    image: str | Path | Upload | None,
    last_frame: str | Path | Upload | None,
    music: str | Path | Upload | None,
    caption_font_file: str | Path | Upload | None,
) -> dict[str, str | Path | Upload | None]:
    """Return the files of a create by their fields."""
    return {
        "input_reference": image,
        "last_frame": last_frame,
        "music": music,
        "caption_font_file": caption_font_file,
    }


# How the files in a field's document are replaced.
_WITH_FILES: Mapping[str, Callable[[Any, Callable[[Any, str], Any]], Any]] = {
    "storyboard": with_scene_files,
    "brand": with_brand_files,
}


def _files_in(name: str, document: Any) -> set[Path]:
    found: list[Any] = []
    _WITH_FILES[name](document, lambda file, _: found.append(file))
    return {file for file in found if isinstance(file, Path)}


def _file_id(file: Any) -> Any:
    return {"file_id": file.id} if isinstance(file, Upload) else file


def _inline(file: Any, _: str) -> Any:
    """Return a scene's file as a data URL. Raises OSError."""
    if not isinstance(file, Path):
        return _file_id(file)
    return f"data:{media_type_of(file)};base64,{base64.b64encode(file.read_bytes()).decode()}"


def _weigh(files: Iterable[Path]) -> int:
    """Return the bytes of the files. Raises OSError."""
    return sum(path.stat().st_size for path in files)


def _content(body: Mapping[str, Any], files: Mapping[str, Path]) -> dict[str, Any]:
    """Return the body of a create: JSON, or a form if there are files. Raises OSError."""
    if not files:
        return {"json": body}
    form = {
        name: json.dumps(value) if isinstance(value, Mapping | list | tuple) else value
        for name, value in body.items()
    }
    return {"data": form, "files": {name: (path.name, path.read_bytes()) for name, path in files.items()}}


def _path(video_id: str) -> str:
    """Build the video's path. A typo must not address another URL of the API: "" would be the list."""
    if not re.fullmatch("[A-Za-z0-9_-]+", video_id):
        raise InvalidRequest(
            f"{video_id!r} is not a valid video id: use only letters, digits, _ and -", param="id"
        )
    return f"videos/{video_id}"

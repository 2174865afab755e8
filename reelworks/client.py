"""A client for the REST API. Any OpenAI client works too; this one also covers what Reelworks adds.

ApiError            an error response from the API
└── ApiUnreachable  no response
"""

import json
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import httpx

from reelworks.saved_file import saving


class ApiError(Exception):
    """An error response: its `status`, message and, if known, the field it is about."""

    def __init__(
        self, message: str, *, status: int = 0, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.param = param
        self.code = code


class ApiUnreachable(ApiError):
    """Nothing answered at the base URL."""


@dataclass(frozen=True)
class Address:
    """The base URL of an API and its API key."""

    base_url: str  # ends in /v1
    api_key: str


class Client:
    def __init__(self, address: Address, *, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(
            base_url=address.base_url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {address.api_key}"},
            timeout=httpx.Timeout(60, connect=5),
            transport=transport or httpx.HTTPTransport(retries=2),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def create(
        self,
        prompt: str | None = None,
        *,
        image: Path | None = None,
        music: Path | None = None,
        **fields: Any,
    ) -> dict[str, Any]:
        """Request a video from a prompt, `topic` or `storyboard`. docs/api.md lists the `fields`; those that
        are None are omitted."""
        body = _given(prompt=prompt, **fields)
        named = {"input_reference": image, "music": music}
        files = {name: (file.name, file.read_bytes()) for name, file in named.items() if file}
        if not files:
            return self._create("videos", json=body)
        form = {
            name: json.dumps(value) if isinstance(value, list | dict) else value
            for name, value in body.items()
        }
        return self._create("videos", data=form, files=files)

    def remix(self, video_id: str, prompt: str) -> dict[str, Any]:
        """Request a new video: `video_id` with the changes that the prompt describes."""
        return self._create(f"{_path(video_id)}/remix", json={"prompt": prompt})

    def edit(self, video_id: str, prompt: str) -> dict[str, Any]:
        """Request a new video: the film of `video_id` redrawn as the prompt says."""
        return self._create("videos/edits", json={"prompt": prompt, "video": {"id": video_id}})

    def extend(self, video_id: str, prompt: str, seconds: int) -> dict[str, Any]:
        """Request a new video: the film of `video_id`, then `seconds` of what the prompt describes."""
        body = {"prompt": prompt, "seconds": str(seconds), "video": {"id": video_id}}
        return self._create("videos/extensions", json=body)

    def get(self, video_id: str) -> dict[str, Any]:
        return self._call("GET", _path(video_id))

    def storyboard(self, video_id: str) -> tuple[dict[str, Any], str | None]:
        """Return the storyboard and its ETag: what is said, shown and moves in each scene (docs/api.md)."""
        answer = self._send("GET", f"{_path(video_id)}/storyboard")
        return _document(answer), answer.headers.get("etag")

    def put_storyboard(self, video_id: str, document: Any, *, etag: str | None = None) -> str | None:
        """Replace the storyboard; with `etag`, only if the current one still has that ETag. Return the new
        ETag."""
        headers = {} if etag is None else {"If-Match": etag}
        answer = self._send("PUT", f"{_path(video_id)}/storyboard", json=document, headers=headers)
        stands: str | None = answer.headers.get("etag")
        return stands

    def approve(self, video_id: str, *, gate: str | None = None, etag: str | None = None) -> dict[str, Any]:
        """Approve a film that waits for its user, or re-render an edited film that has ended. `gate`
        (storyboard or previews) and `etag` name what was reviewed; nothing else is approved."""
        query = f"?gate={gate}" if gate else ""
        headers = {} if etag is None else {"If-Match": etag}
        return self._call("POST", f"{_path(video_id)}/approve{query}", headers=headers)

    def retry(self, video_id: str) -> dict[str, Any]:
        """Resume a video that failed or was cancelled, reusing everything already made."""
        return self._call("POST", f"{_path(video_id)}/retry")

    def regenerate(self, video_id: str, scene: int, part: str, **wishes: Any) -> dict[str, Any]:
        """Regenerate a part of a scene, counted from 0. docs/api.md lists the `wishes`; those that are None
        are omitted."""
        body = _given(part=part, **wishes)
        return self._call("POST", f"{_path(video_id)}/scenes/{scene}/regenerate", json=body)

    def list(self, *, limit: int, after: str | None = None) -> dict[str, Any]:
        return self._call("GET", "videos", params={"limit": limit, **({"after": after} if after else {})})

    def cancel(self, video_id: str) -> dict[str, Any]:
        return self._call("POST", f"{_path(video_id)}/cancel")

    def delete(self, video_id: str) -> dict[str, Any]:
        return self._call("DELETE", _path(video_id))

    def follow(self, video_id: str, *, every: float = 0.5) -> Iterator[dict[str, Any]]:
        """Yield the video at every poll, the last time once it has ended or waits for its user. Waits out a
        short API outage, for example a restart, for two minutes."""
        lost_at: float | None = None
        while True:
            try:
                video = self.get(video_id)
            except ApiError as error:
                if not isinstance(error, ApiUnreachable) and error.status < 500:
                    raise
                lost_at = lost_at or time.monotonic()
                if time.monotonic() - lost_at > 120:
                    raise
            else:
                lost_at = None
                yield video
                if video["status"] in ("completed", "failed") or video["stage"] == "reviewing":
                    return
            time.sleep(every)

    def download(self, video_id: str, path: Path, *, variant: str = "video") -> int:
        """Save the film or another variant to `path`, completely or not at all. Return its size in bytes.

        A link is followed; a device or pipe is written through (reelworks.saved_file). Raises OSError.
        """
        return self._fetch(f"{_path(video_id)}/content", path, params={"variant": variant})

    def preview(self, video_id: str, scene: int, part: Literal["narration", "still"], path: Path) -> int:
        """Save a scene's narration or still to `path`, like `download`. Scenes count from 0."""
        return self._fetch(f"{_path(video_id)}/scenes/{scene}/{part}", path)

    def _fetch(self, url: str, path: Path, **options: Any) -> int:
        answer = self._send("GET", url, **options)
        size = 0
        try:
            # The link is presigned and leads to another server, so do not send the API key.
            with httpx.stream("GET", answer.headers["location"], timeout=60) as response:
                if response.status_code != httpx.codes.OK:
                    raise ApiError(
                        f"the download failed with status {response.status_code}", status=response.status_code
                    )
                with saving(path) as file:
                    for chunk in response.iter_bytes():
                        size += len(chunk)
                        while chunk:  # a pipe may take a part of it
                            chunk = chunk[file.write(chunk) :]
        except httpx.HTTPError as error:
            raise ApiUnreachable(f"the download was interrupted: {error}") from error
        return size

    def _create(self, url: str, **content: Any) -> dict[str, Any]:
        # One key for all retries of this call, so a lost response never creates a second video.
        return self._call("POST", url, **content, headers={"Idempotency-Key": uuid.uuid4().hex})

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        return _document(self._send(method, path, **options))

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise ApiUnreachable(f"no response from {self._http.base_url}: {error}") from error
        if response.status_code >= 400:
            raise _error(response)
        return response


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _path(video_id: str) -> str:
    """Build the video's path. A typo must not address another URL of the API: "" would be the list."""
    if not re.fullmatch("[A-Za-z0-9_-]+", video_id):
        raise ApiError(f"{video_id!r} is not a valid video id: use only letters, digits, _ and -")
    return f"videos/{video_id}"


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        document: dict[str, Any] = response.json()
    except ValueError as error:
        raise ApiError(f"{response.url} is not a Reelworks API: its response is not JSON") from error
    return document


def _error(response: httpx.Response) -> ApiError:
    try:
        error = response.json()["error"]
        return ApiError(
            error["message"], status=response.status_code, param=error.get("param"), code=error.get("code")
        )
    except (ValueError, KeyError, TypeError):
        return ApiError(f"status {response.status_code}: {response.text[:200]}", status=response.status_code)

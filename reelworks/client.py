"""A client of the REST API. Any OpenAI client works as well; this one knows what Reelworks adds.

ApiError            the API's answer in its error shape
└── ApiUnreachable  no answer
"""

import json
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx


class ApiError(Exception):
    """An error answer: `status`, the message, and the field it is about, where there is one."""

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
    """Where an API is, and the key to it."""

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
        self, prompt: str | None = None, *, image: Path | None = None, **fields: Any
    ) -> dict[str, Any]:
        """Asks for a video of a prompt, or of a `topic` or `storyboard`; `fields` as in docs/api.md. Those
        that are None are left out."""
        given = {"prompt": prompt, **fields}
        body = {name: value for name, value in given.items() if value is not None}
        content: dict[str, Any] = {"json": body}
        if image is not None:
            form = {
                name: json.dumps(value) if isinstance(value, list | dict) else value
                for name, value in body.items()
            }
            content = {"data": form, "files": {"input_reference": (image.name, image.read_bytes())}}
        # One key for all tries of this call: a lost answer never makes a second video.
        return self._call("POST", "videos", **content, headers={"Idempotency-Key": uuid.uuid4().hex})

    def get(self, video_id: str) -> dict[str, Any]:
        return self._call("GET", _path(video_id))

    def storyboard(self, video_id: str) -> dict[str, Any]:
        """What is said, shown and moved in each scene (docs/api.md)."""
        return self._call("GET", f"{_path(video_id)}/storyboard")

    def list(self, *, limit: int, after: str | None = None) -> dict[str, Any]:
        return self._call("GET", "videos", params={"limit": limit, **({"after": after} if after else {})})

    def cancel(self, video_id: str) -> dict[str, Any]:
        return self._call("POST", f"{_path(video_id)}/cancel")

    def delete(self, video_id: str) -> dict[str, Any]:
        return self._call("DELETE", _path(video_id))

    def follow(self, video_id: str, *, every: float = 0.5) -> Iterator[dict[str, Any]]:
        """The video each time it is looked at, the last time once it has ended. A short outage of the
        API (a restart) is waited out for two minutes."""
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
                if video["status"] in ("completed", "failed"):
                    return
            time.sleep(every)

    def download(self, video_id: str, path: Path, *, variant: str = "video") -> int:
        """Writes the film, or another variant, to `path`, whole or not at all; returns its size in bytes."""
        answer = self._send("GET", f"{_path(video_id)}/content", params={"variant": variant})
        part = path.with_name(path.name + ".part")
        try:
            # The link is presigned and of another server: the API key stays here.
            with httpx.stream("GET", answer.headers["location"], timeout=60) as response:
                if response.status_code != httpx.codes.OK:
                    raise ApiError(
                        f"the download failed with status {response.status_code}", status=response.status_code
                    )
                with part.open("wb") as file:
                    for chunk in response.iter_bytes():
                        file.write(chunk)
            part.replace(path)
        except httpx.HTTPError as error:
            raise ApiUnreachable(f"the download broke off: {error}") from error
        finally:
            part.unlink(missing_ok=True)
        return path.stat().st_size

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._send(method, path, **options).json()
        return answer

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise ApiUnreachable(f"no answer from {self._http.base_url}: {error}") from error
        if response.status_code >= 400:
            raise _error(response)
        return response


def _path(video_id: str) -> str:
    """A typing error must not become another URL of the API: "" would be the list."""
    if not re.fullmatch("[A-Za-z0-9_-]+", video_id):
        raise ApiError(f"{video_id!r} is not the id of a video")
    return f"videos/{video_id}"


def _error(response: httpx.Response) -> ApiError:
    try:
        error = response.json()["error"]
        return ApiError(
            error["message"], status=response.status_code, param=error.get("param"), code=error.get("code")
        )
    except (ValueError, KeyError, TypeError):
        return ApiError(f"status {response.status_code}: {response.text[:200]}", status=response.status_code)

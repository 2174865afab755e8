"""Client for the part of OpenAI's Videos API that the relay uses, as vLLM-Omni, SGLang and others serve it.

docs/decisions/0060-relay.md has the format's sources.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import httpx
from pydantic import BaseModel, Field, ValidationError

from containers.diffusion.errors import Broken, EngineFailed
from containers.relay.form import Order, form_value

# A server answers from the process that schedules, so an answer takes moments; an image is sent with a job.
ANSWER_SECONDS = 30.0
# For /ping, whose caller waits no longer than 5 s.
PING_SECONDS = 3.0
DOWNLOAD_SECONDS = 300.0
# More than a minute of 4K.
MAX_FILE_BYTES = 1024**3
MAX_ANSWER_BYTES = 4 * 1024**2
_LISTED = 100
_TOLD = 500
_TIMEOUT = httpx.Timeout(ANSWER_SECONDS, connect=5.0)
_DENIED = (401, 403)


class Unreachable(Exception):
    """Nothing answers at the server's address, or no longer, or it is too busy to answer."""


class Gone(Exception):
    """The server does not know the job: it was restarted, or the job has expired."""


class Refused(Exception):
    """The server does not accept the request; `field` is its name for what is wrong, if it says so."""

    def __init__(self, message: str, field: str | None) -> None:
        super().__init__(message)
        self.field = field


class Error(BaseModel):
    code: int | str | None = None
    message: str = ""


class Job(BaseModel):
    id: Annotated[str, Field(pattern=r"^[\w.:-]+$", max_length=256)]  # it becomes a part of a path
    status: str
    progress: float | None = None
    prompt: str | None = None
    size: str | None = None
    created_at: float | None = None
    error: Error | None = None


class _Jobs(BaseModel):
    data: list[Job]


class _ServedModel(BaseModel):
    id: str


class _ServedModels(BaseModel):
    data: list[_ServedModel]


class _SGLangModel(BaseModel):
    model_path: str


_Answer = TypeVar("_Answer", bound=BaseModel)


class Videos:
    """Client of the server at `url`, with or without /v1 at its end.

    Methods raise Unreachable; EngineFailed for what no such server answers; Broken if the key is not accepted
    or the server has no /v1/videos.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        key_file: Path | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """The file has the key in its first line; it is read for every request."""
        self.url = url.rstrip("/").removesuffix("/v1")
        self._key = key
        self._key_file = key_file
        self._http = httpx.AsyncClient(
            base_url=self.url,
            timeout=_TIMEOUT,
            trust_env=False,  # proxies are not for servers of one's own
            transport=transport,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def served(self, seconds: float | None = None) -> list[str] | None:
        """Return the names of the models that the server serves; None if it does not say."""
        answer = await self._send("GET", "/v1/models", seconds=seconds, fine=(404, 405))
        if answer.is_success:
            return [model.id for model in _read(_ServedModels, answer).data]
        answer = await self._send("GET", "/models", seconds=seconds, fine=(404, 405))  # SGLang's own
        return [_read(_SGLangModel, answer).model_path] if answer.is_success else None

    async def start(self, order: Order, once: str) -> Job:
        """Start a job. `once` is the same for the same job: a server that knows Idempotency-Key starts it
        only once. Raises Refused."""
        headers = {"Idempotency-Key": once}
        if order.json:
            answer = await self._send(
                "POST", "/v1/videos", headers=headers, json=dict(order.fields), fine=_4XX
            )
        else:
            # Each field is a part of a form, even without a file: vLLM-Omni reads nothing else. The image is
            # a file, because Starlette refuses other parts of more than 1 MiB.
            parts: list[tuple[str, Any]] = [
                (name, (None, form_value(value))) for name, value in order.fields.items()
            ]
            if order.image is not None:
                parts.append(("input_reference", ("image.png", order.image, "image/png")))
            answer = await self._send("POST", "/v1/videos", headers=headers, files=parts, fine=_4XX)
        if answer.status_code in (404, 405):
            raise Broken(f"the server at {self.url} has no POST /v1/videos: it answered {answer.status_code}")
        if not answer.is_success:
            raise Refused(*_complaint(answer))
        return _read(Job, answer)

    async def job(self, id_: str) -> tuple[Job, float | None]:
        """Return the job and, if the server says so, in how many seconds to ask again. Raises Gone."""
        answer = await self._send("GET", f"/v1/videos/{id_}", fine=(404, 410))
        if not answer.is_success:
            raise Gone
        after = answer.headers.get("openai-poll-after-ms", "")
        return _read(Job, answer), int(after) / 1000 if after.isdecimal() else None

    async def jobs(self) -> list[Job]:
        """Return the newest jobs; none if the server does not list them."""
        parameters = {"limit": str(_LISTED), "order": "desc"}
        answer = await self._send("GET", "/v1/videos", params=parameters, fine=_4XX)
        return _read(_Jobs, answer).data if answer.is_success else []

    async def delete(self, id_: str) -> None:
        """Stop the job, if the server can do that, and delete what it has made."""
        await self._send("DELETE", f"/v1/videos/{id_}", fine=_4XX)

    async def video(self, id_: str) -> bytes:
        """Return the job's video. Raises Gone."""
        content = bytearray()
        try:
            async with (
                asyncio.timeout(DOWNLOAD_SECONDS),
                # Another host, for example a presigned link's, does not get the key: httpx leaves it out.
                self._http.stream(
                    "GET", f"/v1/videos/{id_}/content", headers=self._authorization(), follow_redirects=True
                ) as answer,
            ):
                if answer.status_code in (404, 410):
                    raise Gone
                if not answer.is_success:
                    raise EngineFailed(
                        f"the server at {self.url} completed the video, but answered {answer.status_code} to "
                        "GET /v1/videos/…/content"
                    )
                async for chunk in answer.aiter_bytes():
                    content += chunk
                    if len(content) > MAX_FILE_BYTES:
                        raise EngineFailed(f"the video has more than {MAX_FILE_BYTES:,} bytes")
        except TimeoutError:
            raise Unreachable(
                f"the server at {self.url} did not send the video within {DOWNLOAD_SECONDS:g} s"
            ) from None
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        return bytes(content)

    def _authorization(self) -> dict[str, str]:
        key = self._key
        if self._key_file is not None:
            try:
                key = self._key_file.read_text(encoding="utf-8").split("\n", 1)[0].strip()
            except (OSError, ValueError) as error:
                raise Broken(f"the key's file can't be read: {error}") from error
        if not key:
            return {}
        if not (key.isascii() and key.isprintable()):
            # The HTTP client's own error would show the key.
            raise Broken("the key has characters that an HTTP header can't have; correct it")
        return {"Authorization": f"Bearer {key}"}

    async def _send(
        self,
        method: str,
        path: str,
        fine: "tuple[int, ...] | range" = (),
        seconds: float | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> httpx.Response:
        """Return the answer, complete. A server that sends it byte by byte has `seconds` for all of it
        (default: ANSWER_SECONDS)."""
        seconds = seconds or ANSWER_SECONDS
        headers = {**self._authorization(), **(headers or {})}
        try:
            async with (
                asyncio.timeout(seconds),
                self._http.stream(method, path, headers=headers, **options) as answer,
            ):
                body = bytearray()
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES:
                        raise EngineFailed(f"the server at {self.url} answered {method} {path} with too much")
        except TimeoutError:
            raise Unreachable(f"the server at {self.url} did not answer within {seconds:g} s") from None
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        # Headers that describe how the body came are left out.
        kept = {name: value for name, value in answer.headers.items() if name == "openai-poll-after-ms"}
        whole = httpx.Response(answer.status_code, headers=kept, content=bytes(body), request=answer.request)
        self._check(whole, fine)
        return whole

    def _check(self, answer: httpx.Response, fine: "tuple[int, ...] | range") -> None:
        status = answer.status_code
        where = f"{answer.request.method} {answer.request.url.path}"
        if status in _DENIED:
            raise Broken(f"the server at {self.url} does not accept the key: it answered {status} to {where}")
        if status in _BUSY:
            raise Unreachable(
                f"the server at {self.url} answered {status} to {where}: {_complaint(answer)[0]}"
            )
        if not answer.is_success and status not in fine:
            said = _complaint(answer)[0]
            raise EngineFailed(f"the server at {self.url} answered {status} to {where}: {said}")

    def _unreachable(self, error: httpx.HTTPError) -> Unreachable:
        if isinstance(error, httpx.TimeoutException):
            return Unreachable(f"the server at {self.url} did not answer in time ({type(error).__name__})")
        return Unreachable(f"the server at {self.url} can't be reached: {str(error) or type(error).__name__}")


_4XX = range(400, 500)
# Too many requests, and a gateway whose server starts or is overloaded.
_BUSY = (429, 502, 503, 504)


def _complaint(answer: httpx.Response) -> tuple[str, str | None]:
    """Return what an error says, and the field that it names. The forms are OpenAI's ({"error": {…}}) and
    FastAPI's ({"detail": text, or a list of what is wrong with each field})."""
    try:
        document = json.loads(answer.content)
    except (ValueError, RecursionError):
        return answer.text[:_TOLD], None
    if not isinstance(document, dict):
        return answer.text[:_TOLD], None
    error, detail = document.get("error"), document.get("detail")
    if isinstance(error, dict):
        param = error.get("param")
        return str(error.get("message"))[:_TOLD], param if isinstance(param, str) else None
    if isinstance(detail, list) and detail and isinstance(detail[0], dict):
        place = detail[0].get("loc")
        field = str(place[-1]) if isinstance(place, list) and place else None
        return f"{field}: {detail[0].get('msg')}"[:_TOLD], field
    return (detail if isinstance(detail, str) else answer.text)[:_TOLD], None


def _read(model: type[_Answer], answer: httpx.Response) -> _Answer:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        url, method = answer.request.url, answer.request.method
        raise EngineFailed(
            f"the server at {url.scheme}://{url.netloc.decode()} has another format: {method} {url.path} "
            f"returned {answer.text[:_TOLD]}"
        ) from error

"""Files to and from the storage, by links that the API gives: these need no key, and never get it."""

import mimetypes
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from reelworks.client.errors import ApiError, ApiUnreachable, UploadRefused
from reelworks.client.exchange import backoff
from reelworks.client.models import Upload
from reelworks.client.steps import Answer, Flow, Form, Lost, Open, Read, Send, Sleep
from reelworks.saved_file import SavedFile

Progress: TypeAlias = Callable[[int, int], Any]  # the bytes that are there, and all bytes

_TRIES = 5  # in a row that got nothing
_BEGINNINGS = (
    (rb"\x89PNG\r\n", "image/png"),
    (rb"\xff\xd8\xff", "image/jpeg"),
    (rb"RIFF....WEBP", "image/webp"),
    (rb"RIFF....WAVE", "audio/wav"),
    (rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]", "audio/mpeg"),
    (rb"OggS", "audio/ogg"),
    (rb"fLaC", "audio/flac"),
    (rb"\x00\x01\x00\x00|true", "font/ttf"),
    (rb"OTTO", "font/otf"),
    (rb"ttcf", "font/collection"),
    (rb"....ftypM4A", "audio/mp4"),
    (rb"....ftyp", "video/mp4"),
)


def media_type_of(path: Path) -> str:
    """Return a file's media type, by its content or else by its name. Raises UploadRefused, OSError."""
    with path.open("rb") as file:
        start = file.read(16)
    for beginning, media_type in _BEGINNINGS:
        if re.match(beginning, start, re.DOTALL):
            return media_type
    if guessed := mimetypes.guess_type(path.name)[0]:
        return guessed
    raise UploadRefused(f"the type of {path.name} is unknown", advice="Name its mime_type.")


def send_file(upload: Upload, path: Path, on_progress: Progress | None) -> Flow[None]:
    """Send a file with the form of an upload. Raises ApiError."""
    if upload.url is None or upload.fields is None:
        raise UploadRefused(f"the upload {upload.id} was opened before", advice="Open another one.")
    form = Form(upload.fields, path, on_progress)
    for attempt in range(_TRIES):
        last = attempt == _TRIES - 1
        try:
            answer: Answer = yield Send("POST", upload.url, content=form)
        except Lost as error:
            if last:
                raise ApiUnreachable(f"{path.name} could not be sent: {error.reason}") from error
        else:
            if answer.status < 400:
                return
            if last or answer.status < 500:
                raise UploadRefused(_why(answer, path), status=answer.status)
        yield Sleep(backoff(attempt))


def _why(answer: Answer, path: Path) -> str:
    found = re.search(rb"<Message>([^<]*)</Message>", answer.content)
    said = found[1].decode("utf-8", "replace") if found else f"status {answer.status}"
    return f"the storage refused {path.name}: {said}"


def fetch_file(link: Callable[[], Flow[str]], path: Path, on_progress: Progress | None) -> Flow[int]:
    """Save what `link` leads to, completely or not at all; resume what an earlier try left of it. Return its
    size. Raises ApiError, OSError."""
    failures = 0
    with SavedFile(path) as file:
        while True:
            url = yield from link()  # the last one may have expired
            before = file.size
            try:
                yield from _fetch(url, file, on_progress)
            except Lost as error:
                failures = 0 if file.size > before else failures + 1
                if failures == _TRIES:
                    raise ApiUnreachable(
                        f"the download was interrupted after {file.size:,} bytes: {error.reason}",
                        advice="Download it again: it goes on where it stopped.",
                    ) from error
            else:
                file.finish()
                return file.size
            yield Sleep(backoff(failures))


def _fetch(url: str, file: SavedFile, on_progress: Progress | None) -> Flow[None]:
    """Fetch what is missing. Raises Lost if something still is."""
    answer: Answer = yield Open(
        url, {**_UNENCODED, "range": f"bytes={file.size}-"} if file.size else _UNENCODED
    )
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("content-range", ""))
    if (
        answer.status == 206
        and found
        and int(found[1]) == file.size
        and file.holds(_version(answer, found[2]))
    ):
        whole: int | None = int(found[2])
    else:
        if answer.status in (206, 416):  # what is there is of another version
            answer = yield Open(url, _UNENCODED)
        if answer.status >= 500:
            raise Lost(f"status {answer.status}", sent=True)
        if answer.status != 200:
            raise ApiError(f"the download failed with status {answer.status}", status=answer.status)
        length = answer.headers.get("content-length")
        whole = int(length) if length else None
        file.begin(_version(answer, length))
    try:
        while chunk := (yield Read()):
            file.write(chunk)
            if on_progress:
                on_progress(file.size, whole or file.size)
    except Lost:
        if file.size != whole:
            raise
    if whole is not None and file.size != whole:
        raise Lost("the connection was closed", sent=True)


_UNENCODED: Mapping[str, str] = {"accept-encoding": "identity"}  # sizes and ranges count these bytes


def _version(answer: Answer, length: str | None) -> str | None:
    """Return what tells this content from another's at the same place; None if nothing does."""
    etag = answer.headers.get("etag")
    return f"{etag} {length}" if etag and length else None

"""The files of a request, each in a field of its own; as text they are data URLs:
{"image_url": "data:image/png;base64,…"}, or that as JSON text, since a form has no objects."""

import base64
import binascii
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from lambdas.domain.errors import InvalidRequest

INPUT_REFERENCE = "input_reference"  # the first picture
MUSIC = "music"
VIDEO = "video"  # of an edit or extension; its bytes come as a file alone, as no URL


@dataclass(frozen=True)
class FileField:
    """`url`: the key of its data URL; `kinds`: the media types that one may have; `example` of them."""

    name: str
    url: str
    kinds: str  # a regular expression
    example: str
    what: str

    def decoded(self, value: Any) -> bytes:
        """The bytes of the data URL. Nothing is fetched: any other URL, or a file_id, is refused.

        Raises InvalidRequest.
        """
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError) as error:
                raise self._refused("text was given") from error
        if not isinstance(value, dict) or set(value) != {self.url}:
            raise self._refused("something else was given")
        url = value[self.url]
        head = re.compile(f"data:(?:{self.kinds});base64,", re.IGNORECASE)
        start = head.match(url) if isinstance(url, str) else None
        if start is None:
            raise self._refused(f"another kind of {self.url} was given")
        try:
            return base64.b64decode(url[start.end() :], validate=True)
        except (binascii.Error, ValueError) as error:
            raise self._refused("its base64 is malformed") from error

    def _refused(self, but: str) -> InvalidRequest:
        return InvalidRequest(
            f'{self.name} must be a file, or {{"{self.url}": "data:{self.example};base64,…"}} with '
            f"{self.what}; {but}.",
            param=self.name,
        )


FILES: Mapping[str, FileField] = {
    field.name: field
    for field in (
        FileField(
            INPUT_REFERENCE,
            "image_url",
            "image/(?:png|jpeg|jpg|webp)",
            "image/png",
            "a PNG, JPEG or WebP image",
        ),
        # What it is, its content says: there are a dozen names for five kinds.
        FileField(
            MUSIC,
            "audio_url",
            "(?:audio|video)/[a-z0-9.+-]{1,40}",
            "audio/mpeg",
            "WAV, MP3, Ogg, FLAC or MP4 (M4A) sound",
        ),
    )
}


def take_files(fields: dict[str, Any], names: Collection[str] = tuple(FILES)) -> dict[str, bytes]:
    """Those of the files that came as data URLs, which are taken out of the fields. Raises InvalidRequest."""
    given = {name: fields.pop(name, None) for name in names if name in FILES}
    return {name: FILES[name].decoded(value) for name, value in given.items() if value is not None}

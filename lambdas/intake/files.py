"""The files of a request, each in its own field. As text, a file is a data URL:
{"image_url": "data:image/png;base64,…"}, or the JSON text of that, since a form has no objects. Clients send
the data URL alone, too, or as in chat messages: {"type": "image_url", "image_url": {"url": "data:…"}}."""

import base64
import binascii
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lambdas.domain.errors import InvalidRequest

INPUT_REFERENCE = "input_reference"  # the first picture
MUSIC = "music"
IMAGE = "image"  # of a character
VIDEO = "video"  # of an edit, extension or character; sent only as a file, never as a URL


@dataclass(frozen=True)
class FileField:
    """`url`: the key of the data URL; `kinds`: its allowed media types; `example`: one of them."""

    name: str
    url: str
    kinds: str  # a regular expression
    example: str
    what: str

    def decoded(self, value: Any) -> bytes:
        """Return the bytes of the data URL. Nothing is fetched: any other URL, or a file_id, is rejected.

        Raises InvalidRequest.
        """
        if isinstance(value, str) and not value.startswith("data:"):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError) as error:
                raise self._refused("got text") from error
        url = value if isinstance(value, str) else self._url_in(value)
        head = re.compile(f"data:(?:{self.kinds});base64,", re.IGNORECASE)
        start = head.match(url) if isinstance(url, str) else None
        if start is None:
            raise self._refused(f"got another kind of {self.url}")
        try:
            return base64.b64decode(url[start.end() :], validate=True)
        except (binascii.Error, ValueError) as error:
            raise self._refused("got invalid base64") from error

    def _url_in(self, value: Any) -> Any:
        if not isinstance(value, dict):
            raise self._refused("got something else")
        given = {key: entry for key, entry in value.items() if (key, entry) != ("type", self.url)}
        if set(given) != {self.url}:
            raise self._refused("got something else")
        url = given[self.url]
        return url["url"] if isinstance(url, dict) and set(url) == {"url"} else url

    def _refused(self, but: str) -> InvalidRequest:
        return InvalidRequest(
            f'{self.name} must be a file, or {{"{self.url}": "data:{self.example};base64,…"}} with '
            f"{self.what}; {but}.",
            param=self.name,
        )


_PICTURE = FileField(
    INPUT_REFERENCE,
    "image_url",
    "image/(?:png|jpeg|jpg|webp)",
    "image/png",
    "a PNG, JPEG or WebP image",
)
# The files of a create.
FILES: Mapping[str, FileField] = {
    field.name: field
    for field in (
        _PICTURE,
        # The content determines the kind: there are a dozen media types for five kinds.
        FileField(
            MUSIC,
            "audio_url",
            "(?:audio|video)/[a-z0-9.+-]{1,40}",
            "audio/mpeg",
            "WAV, MP3, Ogg, FLAC or MP4 (M4A) audio",
        ),
    )
}

_AS_TEXT: Mapping[str, FileField] = {**FILES, IMAGE: replace(_PICTURE, name=IMAGE)}

# vLLM-Omni's name for an image sent as text.
_OTHER_NAMES = {"image_reference": INPUT_REFERENCE}


def take_files(fields: dict[str, Any], names: Collection[str] = tuple(FILES)) -> dict[str, bytes]:
    """Remove files sent as data URLs from the fields and return their bytes. Raises InvalidRequest."""
    ours = {name: name for name in names if name in _AS_TEXT}
    theirs = {other: name for other, name in _OTHER_NAMES.items() if name in ours}
    taken: dict[str, bytes] = {}
    for sent, name in (ours | theirs).items():
        value = fields.pop(sent, None)
        if value is None:
            continue
        if name in taken:
            raise InvalidRequest(f"{sent} must be omitted when {name} is set.", param=sent)
        taken[name] = replace(_AS_TEXT[name], name=sent).decoded(value)
    return taken

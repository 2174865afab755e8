"""The files of a request, each in its own field: sent with it, or ahead of it and named by {"file_id": …}.

As text, a file is a data URL: {"image_url": "data:image/png;base64,…"}, or the JSON text of that, since a
form has no objects. Clients send the data URL alone, too, or as in chat messages: {"type": "image_url",
"image_url": {"url": "data:…"}}.
"""

import base64
import binascii
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lambdas.domain.errors import InvalidRequest

INPUT_REFERENCE = "input_reference"  # the first picture
LAST_FRAME = "last_frame"  # the last picture
MUSIC = "music"
FONT = "caption_font_file"
IMAGE = "image"  # of a character
VIDEO = "video"  # of an edit, extension or character; sent only as a file, never as a URL


class FileId(str):
    """The id of a file that was sent ahead (lambdas/intake/uploads.py)."""

    __slots__ = ()


File = bytes | FileId


@dataclass(frozen=True)
class FileField:
    """`url`: the key of the data URL; `kinds`: its allowed media types; `example`: one of them; `use`: what
    it is for, in the API's document."""

    name: str
    url: str
    kinds: str  # a regular expression
    example: str
    what: str
    use: str

    def decoded(self, value: Any) -> File:
        """Return the bytes of the data URL, or the file's id. Nothing is fetched: other URLs are rejected.

        Raises InvalidRequest.
        """
        if isinstance(value, str) and not value.startswith("data:"):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError) as error:
                raise self._refused("got text") from error
        if (id_ := _file_id(value)) is not None:
            return id_
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
            f'{self.what}, or {{"file_id": …}} of an upload; {but}.',
            param=self.name,
        )


_PICTURE = FileField(
    INPUT_REFERENCE,
    "image_url",
    "image/(?:png|jpeg|jpg|webp)",
    "image/png",
    "a PNG, JPEG or WebP image",
    "The first picture. Its colour profile and its orientation are applied.",
)
# The files of a create.
FILES: Mapping[str, FileField] = {
    field.name: field
    for field in (
        _PICTURE,
        replace(
            _PICTURE,
            name=LAST_FRAME,
            use="The last picture, for engines that take one: the film's last clip ends on it.",
        ),
        # The content determines the kind: there are a dozen media types for five kinds.
        FileField(
            MUSIC,
            "audio_url",
            "(?:audio|video)/[a-z0-9.+-]{1,40}",
            "audio/mpeg",
            "WAV, MP3, Ogg, FLAC or MP4 (M4A) audio",
            "Sound to play under the film, of 1 second to an hour.",
        ),
        FileField(
            FONT,
            "font_url",
            "font/(?:ttf|otf|collection|sfnt)",
            "font/ttf",
            "a TrueType or OpenType font",
            "The font of captions, instead of `caption_font`. It must have all their letters.",
        ),
    )
}

# A recording of a scene's narration.
RECORDING_FILE = replace(FILES[MUSIC], name="recording", use="")

# A clip that a scene shows.
CLIP_FILE = FileField("clip", "video_url", "video/mp4", "video/mp4", "an MP4 clip", "")

# The files that may be sent as text, too.
AS_TEXT: Mapping[str, FileField] = {
    **FILES,
    IMAGE: replace(_PICTURE, name=IMAGE, use="A picture of the character, instead of a `video`."),
}

# vLLM-Omni's and SGLang's names for an image sent as text.
OTHER_FILE_NAMES = {"image_reference": INPUT_REFERENCE, "reference_url": INPUT_REFERENCE}


def take_files(fields: dict[str, Any], names: Collection[str] = tuple(FILES)) -> dict[str, File]:
    """Remove files sent as data URLs or by id from the fields and return them. Raises InvalidRequest."""
    ours = {name: name for name in names if name in AS_TEXT}
    theirs = {other: name for other, name in OTHER_FILE_NAMES.items() if name in ours}
    taken: dict[str, File] = {}
    for sent, name in (ours | theirs).items():
        value = fields.pop(sent, None)
        if value is None:
            continue
        if name in taken:
            raise InvalidRequest(f"{sent} must be omitted when {name} is set.", param=sent)
        taken[name] = replace(AS_TEXT[name], name=sent).decoded(value)
    # As text, a clip can only be named: {"id": …} is another video.
    if VIDEO in names and (id_ := _file_id(fields.get(VIDEO))) is not None:
        del fields[VIDEO]
        taken[VIDEO] = id_
    return taken


def _file_id(value: Any) -> FileId | None:
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, dict) or set(value) - {"type"} != {"file_id"}:
        return None
    return FileId(value["file_id"]) if isinstance(value["file_id"], str) else None

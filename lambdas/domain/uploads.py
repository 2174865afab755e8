"""Files that are sent ahead of the requests that name them: a request has room for small ones only."""

import re
from enum import StrEnum

from lambdas.domain.documents import Document, fingerprint

FILE_ID = re.compile("file_[0-9a-f]{32}")
FORM_SECONDS = 3_600  # how long a file may be sent
KEPT_DAYS = 7  # how long it may be named; each film that names it takes a copy
MIB = 1024 * 1024
SOUND_TYPES = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "mp4": "audio/mp4",
}
"""Media types of sound by file kind, which is also the extension."""


class Kind(StrEnum):
    """What a file is, with the media types it may be sent as (a regular expression), how to say them, and its
    largest size in bytes."""

    media_types: str
    said: str
    most: int

    def __new__(cls, value: str, media_types: str, said: str, most: int) -> "Kind":
        kind = str.__new__(cls, value)
        kind._value_ = value
        kind.media_types, kind.said, kind.most = media_types, said, most
        return kind

    IMAGE = "image", "image/(?:png|jpeg|webp)", "image/png, image/jpeg, image/webp", 20 * MIB
    SOUND = "sound", r"audio/[a-z0-9.+-]{1,40}", "audio/…", 100 * MIB
    FONT = "font", "font/(?:ttf|otf|collection|sfnt)", "font/ttf, font/otf, font/collection", 50 * MIB
    CLIP = "clip", "video/mp4", "video/mp4", 500 * MIB


MEDIA_TYPES = ", ".join(kind.said for kind in Kind)


def kind_of(media_type: str) -> Kind | None:
    return next((kind for kind in Kind if re.fullmatch(kind.media_types, media_type)), None)


class Upload(Document):
    """A file to be sent. `bytes`: its size, if the client said it."""

    id: str
    mime_type: str
    kind: Kind
    bytes: int | None = None
    filename: str | None = None
    created_ms: int

    @property
    def expires(self) -> int:
        """The second after which it can't be sent any more."""
        return self.created_ms // 1000 + FORM_SECONDS


def file_id(tenant: str, nonce: str) -> str:
    """Return the id of an upload: the same Idempotency-Key always gives the same one."""
    return "file_" + fingerprint(["file", tenant, nonce])[:32]

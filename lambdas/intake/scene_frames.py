"""The files that a storyboard gives to its scenes, and a brand's: sent with the request or ahead of it, or
named by their content.

A stored storyboard names each by its content (`Frame`, `OwnClip`), so it can be sent again as it was read.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import from_json

from lambdas.adapters.objects import Objects
from lambdas.adapters.shared_objects import SharedObjects
from lambdas.domain.brand import BRAND_FONT, OwnFont, with_brand_files
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.storyboard import CLIP, RECORDING, Frame, OwnClip, Recording, with_own, with_scene_files
from lambdas.intake.clip_files import check_sound, frames_of
from lambdas.intake.files import CLIP_FILE, FILES, FONT, INPUT_REFERENCE, RECORDING_FILE, File
from lambdas.intake.uploads import Arrived, ClipFile

# Of a request: each is decoded while the client waits.
MOST_SENT = 20  # pictures
MOST_CLIPS_SENT = 5
MOST_RECORDINGS_SENT = 20
_STORED = frozenset(Frame.model_fields)
_CLIP_STORED = frozenset(OwnClip.model_fields)
_RECORDING_STORED = frozenset(Recording.model_fields)
_FONT_STORED = frozenset(OwnFont.model_fields)
_HUNDREDTHS = 100  # a clip's length is stored in hundredths of a second


class SceneFrames:
    """Reading a storyboard's document replaces each picture and clip in it by its content's name, and
    completes the scenes that show the user's own material."""

    def __init__(self, tenant: str, inputs: Objects) -> None:
        self._tenant = tenant
        self._inputs = inputs
        self._arrived = Arrived(tenant, inputs)
        self._sent: dict[Frame | OwnFont | Recording, tuple[str, File]] = {}
        self._clips: dict[OwnClip, ClipFile] = {}
        self._named: dict[Frame | OwnClip | OwnFont | Recording, str] = {}
        self._read = {CLIP: 0, "picture": 0, RECORDING: 0}

    def fields(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a create's fields with the files of its storyboard and brand replaced. Raises InvalidRequest
        naming the file."""
        read = {"storyboard": self.storyboard, "brand": lambda brand: with_brand_files(brand, self._file)}
        return {**fields, **{name: as_read(fields[name], read[name]) for name in read if name in fields}}

    def storyboard(self, document: Any) -> Any:
        """Return a storyboard's document, of any form, with its files replaced. Raises InvalidRequest naming
        the file."""
        return with_own(with_scene_files(document, self._file))

    def _file(self, value: Any, path: str) -> Any:
        if path == BRAND_FONT:
            return self._font(value, path)
        if path.endswith(f".{RECORDING}"):
            return self._recording(value, path)
        return self._clip(value, path) if path.endswith(f".{CLIP}") else self._frame(value, path)

    def font(self, key: str) -> bytes:
        """Return the content of a font that was read, or is stored, by its key."""
        sent = (file for own, file in self._sent.items() if own.key(self._tenant) == key)
        found = next(sent, None)
        return self._inputs.get(key) if found is None else self._arrived.content(*found)

    def _font(self, value: Any, path: str) -> Any:
        if isinstance(value, dict) and set(value) <= _FONT_STORED:
            return self._known(value, path, OwnFont)
        field = replace(FILES[FONT], name=path)
        file = value if isinstance(value, bytes) else field.decoded(value)
        data = self._arrived.content(path, file)
        own = OwnFont(sha256=hashlib.sha256(data).hexdigest(), kind=check_font(data, path))
        self._sent.setdefault(own, (path, file))
        return own.model_dump()

    def _recording(self, value: Any, path: str) -> Any:
        from lambdas.media.music import check_recording  # see lambdas.intake.accept

        if isinstance(value, dict) and set(value) <= _RECORDING_STORED:
            return self._known(value, path, Recording)
        self._count(RECORDING, path, MOST_RECORDINGS_SENT)
        file = value if isinstance(value, bytes) else replace(RECORDING_FILE, name=path).decoded(value)
        data = self._arrived.content(path, file)
        info = check_recording(data, path)
        own = Recording.model_validate(
            {
                "sha256": hashlib.sha256(data).hexdigest(),
                "kind": info.kind,
                "seconds": ceil(info.seconds * 100) / 100,
            }
        )
        self._sent.setdefault(own, (path, file))
        return own.model_dump()

    def _clip(self, value: Any, path: str) -> Any:
        if isinstance(value, dict) and set(value) <= _CLIP_STORED:
            return self._known(value, path, OwnClip)
        self._count(CLIP, path, MOST_CLIPS_SENT)
        clip = value
        if not isinstance(clip, ClipFile):
            clip = self._arrived.clip(path, replace(CLIP_FILE, name=path).decoded(value))
        seconds = Fraction(frames_of(clip, path, fps=_HUNDREDTHS), _HUNDREDTHS)
        own = OwnClip(sha256=clip.name, seconds=float(seconds), sound=check_sound(clip, path))
        self._clips.setdefault(own, clip)
        return own.model_dump()

    def _count(self, what: str, path: str, most: int) -> None:
        self._read[what] += 1
        if self._read[what] > most:
            raise InvalidRequest(
                f"{path} is one {what} too many: a request may bring {most} for its scenes. Add the "
                "others by editing the storyboard.",
                param=path,
            )

    def _frame(self, value: Any, path: str) -> Any:
        if isinstance(value, dict) and set(value) <= _STORED:
            return self._known(value, path, Frame)
        field = replace(FILES[INPUT_REFERENCE], name=path)
        file = value if isinstance(value, bytes) else field.decoded(value)
        self._count("picture", path, MOST_SENT)
        frame = self._checked(self._arrived.content(path, file), path)
        self._sent.setdefault(frame, (path, file))
        return frame.model_dump()

    def _known(
        self, value: dict[str, Any], path: str, kind: type[Frame | OwnClip | OwnFont | Recording]
    ) -> Any:
        try:
            file = kind.model_validate(value)
        except ValidationError:
            return value  # refused where the storyboard is parsed
        sent = file in self._sent or file in self._clips
        if not sent and not self._inputs.exists(file.key(self._tenant)):
            raise _unknown(file, path)
        self._named.setdefault(file, path)
        return value

    def _checked(self, data: bytes, path: str) -> Frame:
        from lambdas.media.images import check_image  # see lambdas.intake.accept

        media_type = check_image(data, path).media_type
        return Frame.model_validate({"sha256": hashlib.sha256(data).hexdigest(), "media_type": media_type})

    def keep(self, uploads: SharedObjects) -> None:
        """Store the files, and note that a video uses them. Raises InvalidRequest if one has changed or was
        deleted since it was checked."""
        for sent, (path, file) in self._sent.items():
            if uploads.find(sent.key(self._tenant)):
                continue
            data = self._arrived.content(path, file)
            if hashlib.sha256(data).hexdigest() != sent.sha256:
                raise InvalidRequest(f"{path} changed while it was read; send the request again.", param=path)
            uploads.put(sent.key(self._tenant), data, sent.media_type)
        for own, clip in self._clips.items():
            clip.keep(self._inputs, uploads, own.key(self._tenant))
        for known, path in self._named.items():
            if not uploads.find(known.key(self._tenant)):
                raise _unknown(known, path)


def as_read(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a document, or its JSON text, as `change` returns it."""
    if isinstance(value, str):
        try:
            value = from_json(value)
        except ValueError:
            return value  # refused where the fields are parsed
    return change(value)


def check_font(data: bytes, param: str) -> Literal["ttf", "otf", "ttc"]:
    """Return the kind of a font file. Raises InvalidRequest if it is none."""
    from lambdas.media.typesetting import FontUnreadable, face_of, font_kind  # see lambdas.intake.accept

    try:
        face_of(data)
    except FontUnreadable as error:
        raise InvalidRequest(f"{param} must be a TrueType or OpenType font: {error}.", param=param) from error
    return font_kind(data)


def _unknown(file: Frame | OwnClip | OwnFont | Recording, path: str) -> InvalidRequest:
    what = {Frame: "picture", OwnClip: "clip", OwnFont: "font", Recording: "recording"}[type(file)]
    url = f"{'an' if file.url[0] in 'ai' else 'a'} {file.url}"
    return InvalidRequest(
        f"{path}.sha256 must be that of a {what} that one of your videos has; got {file.sha256!r}. Send "
        f"the {what} itself: a file_id of an upload, or {url}.",
        param=f"{path}.sha256",
    )

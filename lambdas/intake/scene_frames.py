"""The pictures that a storyboard gives to its scenes: sent with it or ahead of it, or named by their content.

A stored storyboard names each by its content (`Frame`), so it can be sent again as it was read.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from lambdas.adapters.objects import Objects
from lambdas.adapters.shared_objects import SharedObjects
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.storyboard import Frame, with_frames
from lambdas.intake.files import FILES, INPUT_REFERENCE, File
from lambdas.intake.uploads import Arrived

MOST_SENT = 20  # pictures of a request: each is decoded while the client waits
_STORED = frozenset(Frame.model_fields)


class SceneFrames:
    """Reading a storyboard's document replaces each picture in it by its content's name."""

    def __init__(self, tenant: str, inputs: Objects) -> None:
        self._tenant = tenant
        self._inputs = inputs
        self._arrived = Arrived(tenant, inputs)
        self._sent: dict[Frame, tuple[str, File]] = {}
        self._named: dict[Frame, str] = {}
        self._read = 0

    def fields(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a create's fields with its storyboard's pictures replaced. Raises InvalidRequest naming the
        picture."""
        document = fields.get("storyboard")
        if isinstance(document, str):
            try:
                document = from_json(document)
            except ValueError:
                return fields  # refused where the fields are parsed
        return {**fields, "storyboard": self.storyboard(document)} if "storyboard" in fields else fields

    def storyboard(self, document: Any) -> Any:
        """Return a storyboard's document, of any form, with its pictures replaced. Raises InvalidRequest
        naming the picture."""
        return with_frames(document, self._frame)

    def _frame(self, value: Any, path: str) -> Any:
        if isinstance(value, dict) and set(value) <= _STORED:
            return self._known(value, path)
        field = replace(FILES[INPUT_REFERENCE], name=path)
        file = value if isinstance(value, bytes) else field.decoded(value)
        self._read += 1
        if self._read > MOST_SENT:
            raise InvalidRequest(
                f"{path} is one picture too many: a request may bring {MOST_SENT} for its scenes. Add the "
                "others by editing the storyboard.",
                param=path,
            )
        frame = self._checked(self._arrived.content(path, file), path)
        self._sent.setdefault(frame, (path, file))
        return frame.model_dump()

    def _known(self, value: dict[str, Any], path: str) -> Any:
        try:
            frame = Frame.model_validate(value)
        except ValidationError:
            return value  # refused where the storyboard is parsed
        if frame not in self._sent and not self._inputs.exists(frame.key(self._tenant)):
            raise _unknown(frame, path)
        self._named.setdefault(frame, path)
        return value

    def _checked(self, data: bytes, path: str) -> Frame:
        from lambdas.media.images import check_image  # see lambdas.intake.accept

        media_type = check_image(data, path).media_type
        return Frame.model_validate({"sha256": hashlib.sha256(data).hexdigest(), "media_type": media_type})

    def keep(self, uploads: SharedObjects) -> None:
        """Store the pictures, and note that a video uses them. Raises InvalidRequest if one has changed or
        was deleted since it was checked."""
        for frame, (path, file) in self._sent.items():
            if uploads.find(frame.key(self._tenant)):
                continue
            data = self._arrived.content(path, file)
            if hashlib.sha256(data).hexdigest() != frame.sha256:
                raise InvalidRequest(f"{path} changed while it was read; send the request again.", param=path)
            uploads.put(frame.key(self._tenant), data, frame.media_type)
        for frame, path in self._named.items():
            if not uploads.find(frame.key(self._tenant)):
                raise _unknown(frame, path)


def _unknown(frame: Frame, path: str) -> InvalidRequest:
    return InvalidRequest(
        f"{path}.sha256 must be that of a picture that one of your videos has; got {frame.sha256!r}. Send "
        "the picture itself: a file_id of an upload, or an image_url.",
        param=f"{path}.sha256",
    )

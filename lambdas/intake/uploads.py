"""Open uploads, and take the files that requests name by `file_id`.

A file is checked where it is used, as one that comes with the request
(docs/decisions/0047-files-sent-ahead.md).
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambdas.adapters.object_source import ObjectSource
from lambdas.adapters.objects import Objects
from lambdas.adapters.shared_objects import SharedObjects
from lambdas.adapters.uploads import Uploads
from lambdas.adapters.videos import now_ms
from lambdas.domain import keys, names
from lambdas.domain.brand import BRAND_FONT
from lambdas.domain.documents import fingerprint
from lambdas.domain.errors import IdempotencyConflict, InvalidRequest
from lambdas.domain.storyboard import RECORDING
from lambdas.domain.uploads import FILE_ID, KEPT_DAYS, Kind, Upload, file_id, kind_of
from lambdas.intake.fields import UploadFields, parse_form
from lambdas.intake.files import FONT, IMAGE, INPUT_REFERENCE, LAST_FRAME, MUSIC, VIDEO, File, FileId

# The kinds of file that a field takes; others, in scenes, take an image. Only a clip is read in pieces: the
# others fit in memory.
_TAKES: Mapping[str, tuple[Kind, ...]] = {
    INPUT_REFERENCE: (Kind.IMAGE,),
    LAST_FRAME: (Kind.IMAGE,),
    IMAGE: (Kind.IMAGE,),
    MUSIC: (Kind.SOUND, Kind.CLIP),  # an MP4 may hold sound alone
    RECORDING: (Kind.SOUND, Kind.CLIP),
    FONT: (Kind.FONT,),
    BRAND_FONT: (Kind.FONT,),
    VIDEO: (Kind.CLIP,),
}


def open_upload(uploads: Uploads, tenant: str, fields: Mapping[str, Any], nonce: str | None) -> Upload:
    """Return the upload that the request opens, or opened before.

    Raises InvalidRequest, IdempotencyConflict.
    """
    parsed = parse_form(UploadFields, fields)
    kind = kind_of(parsed.mime_type.lower())
    if kind is None:
        described = UploadFields.model_fields["mime_type"].description
        raise InvalidRequest(f"mime_type must be {described}; got {parsed.mime_type!r}.", param="mime_type")
    if parsed.bytes is not None and parsed.bytes > kind.most:
        raise InvalidRequest(
            f"bytes must be at most {kind.most:,} for {kind.said}; got {parsed.bytes:,}.", param="bytes"
        )
    asked = Upload(
        id=file_id(tenant, nonce or secrets.token_hex(16)),
        mime_type=parsed.mime_type.lower(),
        kind=kind,
        bytes=parsed.bytes,
        filename=parsed.filename,
        created_ms=now_ms(),
    )
    opened = uploads.open(tenant, asked)
    if opened != asked.model_copy(update={"created_ms": opened.created_ms}):
        raise IdempotencyConflict(
            f"Idempotency-Key was already used for upload {opened.id} of another file; send a new key.",
            param=names.IDEMPOTENCY_HEADER,
        )
    return opened


@dataclass(frozen=True)
class ClipFile:
    """A file that came with a request (bytes), or a clip that was sent ahead (an object). `name` stands for
    its content."""

    source: bytes | ObjectSource
    name: str
    size: int

    def keep(self, inputs: Objects, uploads: SharedObjects, key: str) -> None:
        """Store the clip unless it is stored. Raises ArtifactMissing if it was sent ahead and has expired."""
        source = self.source
        if uploads.find(key):
            return
        if isinstance(source, bytes):
            uploads.put(key, source, "video/mp4")
        else:
            uploads.write(key, lambda: inputs.copy(source.key, key, "video/mp4"))


def stored_clip(inputs: Objects, key: str) -> ClipFile:
    """Return an object of the input bucket as a clip. Raises ArtifactMissing."""
    source = inputs.source(key)
    return ClipFile(source, fingerprint(["upload", source.etag, source.size]), source.size)


class Arrived:
    """The files of a tenant's requests."""

    def __init__(self, tenant: str, inputs: Objects) -> None:
        self._tenant = tenant
        self._inputs = inputs
        self._uploads = Uploads(inputs)

    def read(self, files: Mapping[str, File]) -> dict[str, bytes]:
        """Return the content of all files. Raises InvalidRequest naming the field."""
        return {name: self.content(name, file) for name, file in files.items()}

    def content(self, param: str, file: File) -> bytes:
        if isinstance(file, bytes):
            return file
        field = RECORDING if param.endswith(f".{RECORDING}") else param
        upload = self.named(param, file, *_TAKES.get(field, (Kind.IMAGE,)))
        most = min(upload.kind.most, Kind.SOUND.most)
        if (size := self._inputs.size(keys.incoming(self._tenant, upload.id)) or 0) > most:
            raise InvalidRequest(f"{param} must have at most {most:,} bytes; got {size:,}.", param=param)
        return self._inputs.get(keys.incoming(self._tenant, upload.id))

    def clip(self, param: str, file: File) -> ClipFile:
        """Return a clip, which is not read into memory if it was sent ahead. Raises InvalidRequest."""
        if isinstance(file, bytes):
            return ClipFile(file, hashlib.sha256(file).hexdigest(), len(file))
        upload = self.named(param, file, Kind.CLIP)
        return stored_clip(self._inputs, keys.incoming(self._tenant, upload.id))

    def named(self, param: str, id_: FileId, *kinds: Kind) -> Upload:
        """Return an upload that has arrived and is of one of the kinds. Raises InvalidRequest."""
        path = f"{param}.file_id"
        upload = self._uploads.find(self._tenant, id_) if FILE_ID.fullmatch(id_) else None
        if upload is None:
            raise InvalidRequest(
                f"{path} must be the id of one of your uploads of the last {KEPT_DAYS} days; "
                f"got {id_[:80]!r}.",
                param=path,
            )
        if upload.kind not in kinds:
            allowed = ", ".join(kind.said for kind in kinds)
            raise InvalidRequest(
                f"{path} must be an upload of type {allowed}; got one of type {upload.mime_type}.", param=path
            )
        if self._uploads.size(self._tenant, id_) is None:
            raise InvalidRequest(
                f"{path} {id_} has not arrived: POST the file with the upload's url and fields first.",
                param=path,
            )
        return upload

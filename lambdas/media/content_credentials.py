"""Sign a film with C2PA content credentials, and check them.

The signature covers the film's pictures, sound and index, but neither the file's first box (`ftyp`) nor
padding. A signed film therefore ends with a checksum of all its bytes, in a box that C2PA leaves out, too:
whatever byte is changed, checking sees it.
"""

import contextlib
import hashlib
import json
import os
import struct
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import c2pa
from pydantic import ValidationError

from lambdas.domain.content_credentials import DEVELOPMENT, FILM, Ingredient, MadeBy
from lambdas.domain.documents import Document
from lambdas.domain.errors import NotSigned

_MEDIA_TYPE = "video/mp4"
_CHECKSUM = b"reelworks sha256"
_DIGEST = hashlib.sha256().digest_size
_TRAILER = 8 + len(_CHECKSUM) + _DIGEST
_TRAILER_START = struct.pack(">I4s", _TRAILER, b"free") + _CHECKSUM
_CHUNK = 1024 * 1024


class Untrustworthy(Exception):
    """The file has no credentials, or it is not what was signed; the message says which."""


def sign(
    film: Path,
    signed: Path,
    claim: Mapping[str, Any],
    ingredients: Iterable[tuple[Ingredient, BinaryIO | None]],
    *,
    certificates: str,
    signature: Callable[[bytes], bytes],
) -> None:
    """Write the signed film.

    `claim`: see lambdas.domain.content_credentials. An ingredient without a stream is named, not hashed.
    `certificates`: the chain in PEM, the signing one first. `signature`: returns the ECDSA signature (P-256,
    SHA-256, DER) of bytes. Raises NotSigned.
    """
    named = [one.definition for one, stream in ingredients if stream is None]
    try:
        builder = c2pa.Builder(json.dumps({**claim, "ingredients": named}))
        for ingredient, stream in ingredients:
            if stream is not None:
                builder.add_ingredient(json.dumps(ingredient.definition), ingredient.media_type, stream)
        signer = c2pa.Signer.from_callback(signature, c2pa.C2paSigningAlg.ES256, certificates, None)
        with film.open("rb") as source, signed.open("w+b") as target:
            builder.sign(signer, _MEDIA_TYPE, source, target)
    except c2pa.C2paError as error:
        raise NotSigned(f"the film can't be signed: {error}") from error
    with signed.open("r+b") as file:
        digest = _digest(file, signed.stat().st_size)
        file.seek(0, os.SEEK_END)
        file.write(_TRAILER_START + digest)


def supports(media_type: str) -> bool:
    """Return whether an ingredient of that type can be hashed."""
    return media_type in c2pa.Builder.get_supported_mime_types()


class Credentials(Document):
    """What a film's credentials say. `trusted`: whether one of the given authorities issued the certificate;
    None if none was given. `development`: whether a PC made the certificate for itself."""

    made_by: MadeBy
    source_type: str  # IPTC's digital source type
    when: datetime
    ingredients: list[str]
    signed_by: str
    organization: str
    development: bool
    trusted: bool | None


def verify(film: Path, anchors: str | None = None) -> Credentials:
    """Return a film's credentials. `anchors`: certificates of the authorities to trust, in PEM.

    Raises Untrustworthy if the file has none, was not made by Reelworks, or has changed since; OSError.
    """
    options = [] if anchors is None else [_trusting(anchors)]
    with film.open("rb") as file:
        _check_sum(file, film.stat().st_size)
        file.seek(0)
        try:
            with c2pa.Reader(_MEDIA_TYPE, file, None, *options) as reader:
                state, found = reader.get_validation_state(), json.loads(reader.json())
        except c2pa.C2paError as error:
            raise Untrustworthy(f"it has no valid content credentials: {error}") from error
    if state not in ("Valid", "Trusted"):
        raise Untrustworthy(f"it has changed since it was signed: {_reasons(found)}")
    manifest = found["manifests"][found["active_manifest"]]
    assertions = {one["label"]: one["data"] for one in manifest["assertions"]}
    try:
        [action] = assertions["c2pa.actions.v2"]["actions"]
        signer = manifest["signature_info"]
        return Credentials(
            made_by=MadeBy.model_validate(assertions[FILM]),
            source_type=action["digitalSourceType"],
            when=action["when"],
            ingredients=[one["title"] for one in manifest.get("ingredients", [])],
            signed_by=signer["common_name"],
            organization=signer["issuer"],
            development=signer["issuer"] == DEVELOPMENT,
            trusted=None if anchors is None else state == "Trusted",
        )
    except (KeyError, ValueError, ValidationError) as error:
        raise Untrustworthy("its content credentials are not Reelworks'") from error


def _trusting(anchors: str) -> c2pa.Context:
    return c2pa.Context.from_dict({"trust": {"user_anchors": anchors}, "verify": {"verify_trust": True}})


def _check_sum(file: BinaryIO, size: int) -> None:
    file.seek(max(0, size - _TRAILER))
    trailer = file.read(_TRAILER)
    if not trailer.startswith(_TRAILER_START):
        raise Untrustworthy("it was not signed by Reelworks, or its end has changed")
    if _digest(file, size - _TRAILER) != trailer[-_DIGEST:]:
        raise Untrustworthy("it has changed since it was signed: its checksum differs")


def _digest(file: BinaryIO, size: int) -> bytes:
    file.seek(0)
    digest, left = hashlib.sha256(), size
    while left > 0 and (chunk := file.read(min(_CHUNK, left))):
        digest.update(chunk)
        left -= len(chunk)
    return digest.digest()


def _reasons(found: Mapping[str, Any]) -> str:
    failures: list[str] = []
    with contextlib.suppress(KeyError):
        failed = found["validation_results"]["activeManifest"]["failure"]
        failures = [str(one.get("explanation") or one["code"]) for one in failed]
    return "; ".join(dict.fromkeys(failures)) or "its signature does not fit"

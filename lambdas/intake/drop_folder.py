"""Turn objects in the drop folder, drop/{tenant}/, into videos.

  kite.txt              a prompt, UTF-8; the engine and all other settings are the defaults
  kite.json             a request with the API's fields; "input_reference" may name an image next to it,
                        "music" an audio file (.wav .mp3 .ogg .opus .flac .m4a .mp4)
  photo.png, photo.txt  an image (.png .jpg .jpeg .webp) and its prompt: one video

Names that differ only in case or in how their characters are composed (é, or e and an accent) are the same;
of several, the exactly equal one counts. The two files of a pair may arrive in either order, within
PAIR_SECONDS of each other: a prompt waits that long for its image, an image waits forever for its prompt. A
prompt's version (bucket, key, ETag) identifies its video, with or without an image, so the two events of a
pair, or a duplicate event, make one video; putting the same bytes under the same name again makes none.
Changing the image later makes a new video. An image that arrives after its prompt was accepted without it
gets an error file. A prompt without an image gets a note file if images lie beside it that belong to no
prompt, and so does an image without a prompt beside prompts without an image.

The film, or an error file that says why there is none, is stored in the output bucket under the key of the
prompt or request, with an extension added. An object that can't become a video is not retried: the error
file is the response, also if Intake itself fails, runs out of time, or is ended by what it reads. Folder
markers and names that begin with a dot get none, because programs create those unasked (.DS_Store).
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import TypeAdapter, ValidationError

from lambdas.adapters import stores
from lambdas.deadline import OutOfTime, deadline
from lambdas.domain import keys
from lambdas.domain.brand import BRAND_FONT, with_brand_files
from lambdas.domain.errors import (
    ArtifactMissing,
    IdempotencyConflict,
    InvalidRequest,
    QuotaExceeded,
    RequestError,
    TransientError,
    VideoNotFound,
)
from lambdas.domain.fonts import FONT_TYPES
from lambdas.domain.storyboard import CLIP, with_scene_files
from lambdas.domain.uploads import Kind
from lambdas.domain.video import Source, video_id
from lambdas.domain.video_request import Tenant
from lambdas.intake.accept import Intake
from lambdas.intake.drop_attempts import attempt
from lambdas.intake.drop_error import DropError, clear_drop_error, write_drop_error
from lambdas.intake.drop_names import first_characters, folded
from lambdas.intake.drop_note import clear_drop_note, write_drop_note
from lambdas.intake.files import FONT, INPUT_REFERENCE, LAST_FRAME, MUSIC, File, take_files
from lambdas.intake.uploads import stored_clip
from lambdas.media import images, music
from lambdas.settings import IntakeSettings
from lambdas.telemetry import logger

PAIR_SECONDS = 5.0
_IMAGES = ("png", "jpg", "jpeg", "webp")
_SOUNDS = ("wav", "mp3", "ogg", "opus", "flac", "m4a", "mp4")
# The files that a request may name, by field: kind, extensions and maximum size in bytes. Scenes and the
# brand take pictures and clips, and the brand a font.
_PICTURE = ("an image", _IMAGES, images.MAX_BYTES)
_CLIP_FILE = ("an MP4 clip", ("mp4",), Kind.CLIP.most)
_BESIDE = {
    INPUT_REFERENCE: _PICTURE,
    LAST_FRAME: _PICTURE,
    MUSIC: ("an audio file", _SOUNDS, music.MAX_BYTES),
    FONT: ("a font", tuple(FONT_TYPES), Kind.FONT.most),
}
_NAMED = {**_BESIDE, BRAND_FONT: _BESIDE[FONT]}
_PROMPTS = ("txt",)
_LARGEST_TEXT = 1024 * 1024  # bytes of a .txt or .json; drop an image as a file next to it
_MOST_SEARCHED = 1_000  # objects of a folder that are searched for images that belong to no prompt
_MOST_NAMED = 5  # files named in a note
_RESERVE_MS = 6_000  # to write the error file once time is up

_tenant = TypeAdapter(Tenant)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    # EventBridge sends the key unencoded; only S3's own notifications encode it.
    dropped = event["detail"]["object"]
    folder = DropFolder(_settings(), pair_seconds=PAIR_SECONDS)
    try:
        with deadline(context, _RESERVE_MS):
            folder.take(dropped["key"], dropped["etag"].strip('"'))
    except OutOfTime:
        folder.out_of_time(dropped["key"])


@cache
def _settings() -> IntakeSettings:
    return IntakeSettings.from_env()


@dataclass(frozen=True)
class Dropped:
    """An object of the drop folder: drop/{tenant}/{…}/{name}."""

    key: str
    etag: str

    @property
    def tenant(self) -> str:
        tenant, slash, _ = self.key.removeprefix(keys.DROP_PREFIX).partition("/")
        return tenant if slash else ""

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2]

    @property
    def folder(self) -> str:
        return self.key.removesuffix(self.name)

    @property
    def stem(self) -> str:
        """The name without its extension."""
        return self.name.rpartition(".")[0]

    @property
    def extension(self) -> str:
        return self.name.rpartition(".")[2].lower()

    def nonce(self, bucket: str) -> str:
        """Return a name for this version of an object, so that duplicate events mean the same video."""
        return f"{bucket}/{self.key}/{self.etag}"


class DropFolder:
    def __init__(self, settings: IntakeSettings, *, pair_seconds: float) -> None:
        self._intake = Intake(settings)
        self._videos = stores.videos(settings)
        self._inputs = stores.inputs(settings)
        self._outputs = stores.outputs(settings)
        self._pair_seconds = pair_seconds

    def take(self, key: str, etag: str) -> None:
        """Make the object's video, or an error file, whatever happens. Raises TransientError if a retry may
        succeed."""
        dropped = Dropped(key, etag)
        logger.append_keys(key=key)
        if not dropped.name or dropped.name.startswith("."):
            logger.info("drop ignored")
            return
        try:
            if self._find(key) != dropped:
                # Deleted or replaced since; a replacement has its own event.
                logger.info("drop gone")
                return
            self._take(dropped)
        except IdempotencyConflict:
            # This version already has a video; a file that it names, or a default, has changed since.
            logger.info("drop known")
        except RequestError as error:
            self._refuse(dropped, error)
        except ArtifactMissing:
            logger.info("drop gone")
        except TransientError:
            raise
        except Exception as error:  # noqa: BLE001  a bug, which another try would only repeat
            logger.exception("drop failed")
            reason = (
                f"An internal error ({type(error).__name__}) prevented reading this object. The log of the "
                "function Intake has the details. Check the object's files, and drop them under a new name."
            )
            write_drop_error(self._outputs, DropError(object=key, code="internal_error", reason=reason))

    def out_of_time(self, key: str) -> None:
        """Write the error file of an object that took too long to read."""
        logger.error("drop out of time")
        reason = "Reading this object's files took too long. Convert them, or make them smaller or shorter."
        write_drop_error(self._outputs, DropError(object=key, code="timeout", reason=reason))

    def _take(self, dropped: Dropped) -> None:
        try:
            _tenant.validate_python(dropped.tenant)
        except ValidationError as error:
            raise InvalidRequest(
                "The object must be under drop/{tenant}/, where tenant has only lowercase letters, digits "
                f"and hyphens; got {dropped.tenant[:80]!r}.",
                param="tenant",
            ) from error
        match dropped.extension:
            case "txt":
                self._take_prompt(dropped)
            case "json":
                self._take_request(dropped)
            case extension if extension in _IMAGES:
                self._take_image(dropped)
            case extension if extension in _SOUNDS:
                logger.info("sound waits for its request")
            case _:
                raise InvalidRequest(
                    f"{dropped.name!r} must be a prompt (.txt), a request (.json), an image "
                    f"({_listed(_IMAGES)}) or an audio file ({_listed(_SOUNDS)}).",
                    param="object",
                )

    # --- the three kinds

    def _take_prompt(self, prompt: Dropped) -> None:
        image = self._await(lambda: self._partner(prompt))
        self._accept_prompt(prompt, image, nonce=self._nonce(prompt))
        if image is None:
            self._note_alone(
                prompt, _IMAGES, "images that belong to no prompt", "became a video without an image"
            )

    def _take_image(self, image: Dropped) -> None:
        prompt = self._partner(image)
        if prompt is None and self._alone_beside(image, _PROMPTS):
            # Prompts of other names: perhaps they are this image's, or its own comes a moment later.
            prompt = self._await(lambda: self._partner(image))
        if prompt is None:
            logger.info("image waits for its prompt")
            self._note_alone(image, _PROMPTS, "prompts without an image", "waits for a prompt or a request")
            return
        nonce = self._nonce(prompt)
        try:
            self._accept_or_refuse(prompt, image, nonce=nonce)
        except IdempotencyConflict as error:
            made = self._videos.outline(prompt.tenant, video_id(prompt.tenant, nonce))
            if made.request.image is None:
                raise InvalidRequest(
                    f"{image.name!r} arrived too late: {prompt.name!r} already became {made.id} without an "
                    f"image. Drop the image first, or both within {PAIR_SECONDS:.0f} s, under a new name.",
                    param=INPUT_REFERENCE,
                ) from error
            self._accept_or_refuse(prompt, image, nonce=f"{nonce}+{image.etag}")

    def _take_request(self, request: Dropped) -> None:
        fields = self._json(request)
        named = {name: fields.pop(name) for name in _BESIDE if isinstance(fields.get(name), str)}
        files = take_files(fields)
        for field, name in named.items():
            files[field] = self._file(self._named(request, field, name), field)
        fields = self._with_files(request, fields)
        self._accept(request, fields, files, nonce=self._nonce(request))

    def _with_files(self, request: Dropped, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the fields with the files that scenes and the brand name in place of the names."""

        def content(value: Any, path: str) -> Any:
            if not isinstance(value, str) or value.startswith(("data:", "{")):
                return value
            if path.endswith(f".{CLIP}"):
                return stored_clip(self._inputs, self._named(request, path, value).key)
            return self._file(self._named(request, path, value), path)

        named = {"storyboard": with_scene_files, "brand": with_brand_files}
        return fields | {name: named[name](fields[name], content) for name in named if name in fields}

    # --- accepting

    def _accept_or_refuse(self, prompt: Dropped, image: Dropped, *, nonce: str) -> None:
        """Accept a pair, or write its error file next to the prompt, whichever event finds the error."""
        try:
            self._accept_prompt(prompt, image, nonce=nonce)
        except (InvalidRequest, QuotaExceeded) as error:
            self._refuse(prompt, error)

    def _accept_prompt(self, prompt: Dropped, image: Dropped | None, *, nonce: str) -> None:
        for pair in filter(None, (prompt, image)):
            clear_drop_note(self._outputs, pair.key)
        fields = {"prompt": self._text(prompt, "prompt")}
        files = {} if image is None else {INPUT_REFERENCE: self._file(image, INPUT_REFERENCE)}
        self._accept(prompt, fields, files, nonce=nonce)

    def _accept(
        self, asking: Dropped, fields: dict[str, Any], files: Mapping[str, File], *, nonce: str
    ) -> None:
        if not self._known(asking.tenant, nonce):
            # The prompt may have been refused before because its image was missing. Keep the error file of a
            # video that failed.
            clear_drop_error(self._outputs, asking.key)
        source = Source(bucket=self._inputs.bucket, key=asking.key, etag=asking.etag)
        if not files and "storyboard" not in fields:  # whose scenes may have pictures
            self._intake.accept(asking.tenant, fields, nonce=nonce, source=source)
            return
        with attempt(self._outputs, asking.key, asking.etag):
            self._intake.accept(asking.tenant, fields, files, nonce=nonce, source=source)

    def _known(self, tenant: str, nonce: str) -> bool:
        try:
            self._videos.outline(tenant, video_id(tenant, nonce))
        except VideoNotFound:
            return False
        return True

    def _nonce(self, dropped: Dropped) -> str:
        return dropped.nonce(self._inputs.bucket)

    def _refuse(self, dropped: Dropped, error: RequestError) -> None:
        logger.info("drop refused", extra={"code": error.code, "param": error.param})
        answer = DropError(object=dropped.key, code=error.code, reason=error.message, field=error.param)
        write_drop_error(self._outputs, answer)

    # --- reading the folder

    def _find(self, key: str) -> Dropped | None:
        found = (Dropped(k, etag) for k, etag in self._inputs.list(key) if k == key)
        return next(found, None)

    def _partner(self, dropped: Dropped) -> Dropped | None:
        """Return the image of a prompt, or the prompt of an image: of equal name, or of the same name if it
        belongs to no other."""
        own, others = (_PROMPTS, _IMAGES) if dropped.extension in _PROMPTS else (_IMAGES, _PROMPTS)
        beside = self._of_same_name(dropped.folder, dropped.stem, lambda other: other.stem)
        taken = {other.stem for other in beside if other.extension in own}
        found = [
            other
            for other in beside
            if other.extension in others and (other.stem == dropped.stem or other.stem not in taken)
        ]
        return min(
            found,
            key=lambda other: (other.stem != dropped.stem, others.index(other.extension), other.key),
            default=None,
        )

    def _of_same_name(self, folder: str, name: str, part: Callable[[Dropped], str]) -> list[Dropped]:
        return [
            other
            for first in first_characters(name)
            for other in self._in_folder(folder, first)
            if folded(part(other)) == folded(name)
        ]

    def _in_folder(self, folder: str, first: str = "") -> Iterator[Dropped]:
        """Yield the folder's files, optionally only those whose names begin with `first`."""
        for key, etag in self._inputs.list(folder + first, nested=False):
            yield Dropped(key, etag)

    def _alone_beside(self, dropped: Dropped, extensions: tuple[str, ...]) -> list[Dropped]:
        """Return files beside an object that belong to no other: images without a prompt, or the reverse."""
        folder = [
            other
            for other in islice(self._in_folder(dropped.folder), _MOST_SEARCHED)
            if not other.name.startswith(".")
        ]
        paired = _IMAGES if extensions == _PROMPTS else _PROMPTS
        stems = {folded(other.stem) for other in folder if other.extension in paired and other != dropped}
        return [
            other for other in folder if other.extension in extensions and folded(other.stem) not in stems
        ]

    def _note_alone(self, dropped: Dropped, extensions: tuple[str, ...], what: str, state: str) -> None:
        alone = self._alone_beside(dropped, extensions)
        if not alone:
            return
        names = ", ".join(repr(other.name) for other in alone[:_MOST_NAMED])
        more = f" and {len(alone) - _MOST_NAMED} more" if len(alone) > _MOST_NAMED else ""
        write_drop_note(
            self._outputs,
            dropped.key,
            f"{dropped.name!r} {state}. Beside it are {what}: {names}{more}. If one of them is meant for it, "
            "give both the same name, a new one, and drop them again.",
        )

    def _named(self, request: Dropped, field: str, name: str) -> Dropped:
        usual = _CLIP_FILE if field.endswith(f".{CLIP}") else _PICTURE
        what, extensions, _ = _NAMED.get(field, usual)
        file = None if "/" in name else self._await(lambda: self._find_named(request, field, name))
        if file is None or file.extension not in extensions:
            raise InvalidRequest(
                f"{field} must be the name of {what} ({_listed(extensions)}) in the folder of "
                f"{request.name!r}; got {name[:100]!r}. Drop the file first, then the request.",
                param=field,
            )
        return file

    def _find_named(self, request: Dropped, field: str, name: str) -> Dropped | None:
        found = self._of_same_name(request.folder, name, lambda other: other.name)
        exact = [other for other in found if other.name == name]
        if len(exact or found) > 1:
            names = ", ".join(repr(other.name) for other in found)
            raise InvalidRequest(
                f"{field} must name one file beside {request.name!r}; got {name[:100]!r}, which may be "
                f"any of {names[:300]}.",
                param=field,
            )
        return next(iter(exact or found), None)

    def _await(self, find: Callable[[], Dropped | None]) -> Dropped | None:
        found = find()
        if found is None:
            time.sleep(self._pair_seconds)
            found = find()
        return found

    def _file(self, file: Dropped, field: str) -> bytes:
        _, _, largest = _NAMED.get(field, _PICTURE)
        return self._read(file, field, largest)

    def _text(self, dropped: Dropped, param: str) -> str:
        try:
            return self._read(dropped, param, _LARGEST_TEXT).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"{dropped.name!r} must be UTF-8 text.", param=param) from error

    def _json(self, dropped: Dropped) -> dict[str, Any]:
        try:
            fields = json.loads(self._text(dropped, "object"))
        except (ValueError, RecursionError) as error:
            raise InvalidRequest(f"{dropped.name!r} is not valid JSON: {error}.", param="object") from error
        if not isinstance(fields, dict):
            raise InvalidRequest(f"{dropped.name!r} must contain a JSON object.", param="object")
        return fields

    def _read(self, dropped: Dropped, param: str, largest: int) -> bytes:
        size = self._inputs.size(dropped.key) or 0
        if size > largest:
            raise InvalidRequest(
                f"{dropped.name!r} must be at most {largest:,} bytes; got {size:,}.", param=param
            )
        return self._inputs.get(dropped.key)


def _listed(extensions: tuple[str, ...]) -> str:
    return ", ".join("." + extension for extension in extensions)

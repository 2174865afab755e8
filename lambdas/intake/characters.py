"""Make characters, and find those that a request names."""

import hashlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from lambdas.adapters.characters import Characters
from lambdas.adapters.objects import Objects
from lambdas.adapters.shared_objects import SharedObjects
from lambdas.adapters.videos import now_ms
from lambdas.domain import keys
from lambdas.domain.assembly import Fit
from lambdas.domain.characters import (
    CHARACTER_ID,
    LARGEST_CAST,
    MOST_CHARACTERS,
    Character,
    Image,
    Role,
    character_id,
    handle,
    mentions,
)
from lambdas.domain.documents import LONGEST_PROMPT
from lambdas.domain.errors import ArtifactMissing, ClipUnreadable, InvalidRequest, NameTaken
from lambdas.domain.prompts import material
from lambdas.domain.storyboard import LONGEST_NARRATION, parse_partial
from lambdas.domain.uploads import Kind
from lambdas.intake.content_filter import ContentFilter
from lambdas.intake.fields import CharacterFields, Fields, parse_form
from lambdas.intake.files import IMAGE, VIDEO, File
from lambdas.intake.uploads import Arrived, ClipFile
from lambdas.intake.voices import check_names
from lambdas.telemetry import logger

if TYPE_CHECKING:
    from lambdas.media.images import Portrait

_KINDS = {VIDEO: (Kind.CLIP, Kind.IMAGE), IMAGE: (Kind.IMAGE,)}
LONGEST_CLIP = 60  # seconds
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF")  # how the files begin that are no clip


class CharacterIntake:
    def __init__(self, inputs: Objects, content_filter: ContentFilter) -> None:
        self._inputs = inputs
        self._filter = content_filter
        self._characters = Characters(inputs)

    def create(self, tenant: str, fields: Mapping[str, Any], files: Mapping[str, File]) -> Character:
        """Return the character that the request makes, or made before.

        Raises InvalidRequest; NameTaken if a character with another picture, description or voice has the
        name.
        """
        parsed = parse_form(CharacterFields, fields)
        if not handle(parsed.name) or not material(parsed.name):
            described = CharacterFields.model_fields["name"].description
            raise InvalidRequest(f"name must be {described}; got {parsed.name!r}.", param="name")
        param, shown = self._shown(tenant, files)
        id_, source = character_id(tenant, parsed.name), shown.name
        found = self._characters.find(tenant, id_)
        if found is None:
            check_names({"voice": parsed.voice} if parsed.voice else {})
            picture = _portrait(shown, param)
            if len(self._characters.listed(tenant)) >= MOST_CHARACTERS:
                raise InvalidRequest(
                    f"You have {MOST_CHARACTERS} characters, the maximum; delete one first.", param="name"
                )
            self._filter.check({"name": parsed.name, "description": parsed.description})
            sha256 = hashlib.sha256(picture.jpeg).hexdigest()
            character = Character(
                id=id_,
                name=parsed.name,
                description=parsed.description,
                voice=parsed.voice,
                image=Image(
                    key=keys.character_picture(tenant, id_, sha256),
                    sha256=sha256,
                    width=picture.width,
                    height=picture.height,
                ),
                source=source,
                created_ms=now_ms(),
            )
            found = self._characters.create(tenant, character, picture.jpeg)
            logger.info("character created", extra={"character": id_})
        asked = (parsed.name, parsed.description, parsed.voice, source)
        if (found.name, found.description, found.voice, found.source) != asked:
            raise NameTaken(
                f"name must be one that no other of your characters has as @{handle(found.name)}; character "
                f"{found.id}, {found.name!r}, was made from another picture, description or voice. Choose "
                "another name, or delete that character first.",
                param="name",
            )
        return found

    def _shown(self, tenant: str, files: Mapping[str, File]) -> tuple[str, ClipFile]:
        """Return the one file of the request and its field. OpenAI's client can only send a `video`, so an
        image is taken there, too."""
        param, file = _given(files)
        arrived = Arrived(tenant, self._inputs)
        if isinstance(file, bytes) or arrived.named(param, file, *_KINDS[param]).kind is Kind.CLIP:
            return param, arrived.clip(param, file)
        return param, arrived.clip(param, arrived.content(IMAGE, file))


def _given(files: Mapping[str, File]) -> tuple[str, File]:
    """Return the one file of the request and its field."""
    given = [name for name in (VIDEO, IMAGE) if name in files]
    if not given:
        raise InvalidRequest(
            f"{VIDEO} is required: a clip (MP4) of the character, or an image; or send an image as {IMAGE}.",
            param=VIDEO,
        )
    if len(given) > 1:
        raise InvalidRequest(f"{IMAGE} must be omitted when {VIDEO} is set.", param=IMAGE)
    return given[0], files[given[0]]


def _portrait(shown: ClipFile, param: str) -> "Portrait":
    """Return the picture of an image, or of a clip's clearest early frame."""
    from lambdas.media import images  # see lambdas.intake.accept
    from lambdas.media.conform import FilmFormat, check_upload
    from lambdas.media.frames import clearest_frame

    data = shown.source
    if not isinstance(data, bytes) or (param == VIDEO and not data.startswith(_PICTURES)):
        try:
            check_upload(data, FilmFormat(320, 180, Fraction(24)), Fit.COVER, longest=LONGEST_CLIP)
            data = clearest_frame(data)
        except ClipUnreadable as error:
            raise InvalidRequest(
                f"{VIDEO} must be a decodable MP4 file of at most {LONGEST_CLIP} s, or {images.ALLOWED}: "
                f"{error.message}.",
                param=VIDEO,
            ) from error
    images.check_image(data, param)
    return images.portrait(data)


class Casting:
    """The characters that a request names, in the order in which it names them.

    Reading a text replaces each @name in it by the character's name. `known`: the characters that the film
    has, which may have been deleted since.
    """

    def __init__(self, tenant: str, inputs: Objects, known: Sequence[Role] = ()) -> None:
        self._tenant = tenant
        self._inputs = inputs
        self._characters = Characters(inputs)
        self._known = {one.id: one.role for one in known}
        self._found: dict[str, Role] = {}
        self._new: list[Character] = []

    @property
    def roles(self) -> tuple[Role, ...]:
        """The film's characters from now on: those it has, as they are now if they were named again, and the
        others that were named."""
        return tuple((self._known | self._found).values())

    def fields(self, fields: Fields) -> Fields:
        """Return a create's fields with names in place of each @name."""
        for index, named in enumerate(fields.characters):
            path = f"characters[{index}].id"
            self._find(named.id, path, f"{path} {named.id!r} is no character of yours", everywhere=True)
        update: dict[str, Any] = {}
        for name in ("prompt", "topic", "tone"):
            if text := getattr(fields, name):
                update[name] = self.text(text, name, everywhere=True)
        if fields.storyboard is not None:
            update["storyboard"] = parse_partial(self.storyboard(fields.storyboard.given()))
        return fields.model_copy(
            update={name: value for name, value in update.items() if value != getattr(fields, name)}
        )

    def storyboard(self, document: Any) -> Any:
        """Return a storyboard's document, of any form, with names in place of each @name in its texts."""
        if not isinstance(document, dict):
            return document
        changed = {name: self._part(document[name], name) for name in ("title", "style") if name in document}
        scenes = document.get("scenes")
        if isinstance(scenes, list):
            changed["scenes"] = [self._scene(scene, f"scenes[{index}]") for index, scene in enumerate(scenes)]
        return {**document, **changed}

    def _scene(self, scene: Any, path: str) -> Any:
        if not isinstance(scene, dict):
            return scene
        changed: dict[str, Any] = {}
        for part, field in (
            ("narration", "text"),
            ("image", "positive_prompt"),
            ("video", "positive_prompt"),
        ):
            inner = scene.get(part)
            if isinstance(inner, dict) and field in inner:
                changed[part] = {**inner, field: self._part(inner[field], f"{path}.{part}.{field}")}
        narration = changed.get("narration", scene.get("narration"))
        if isinstance(narration, dict) and isinstance(narration.get("speaker"), str):
            role = self._speaker(narration["speaker"], f"{path}.narration.speaker")
            if role.voice is None and narration.get("voice") is None:
                raise InvalidRequest(
                    f"{path}.narration.speaker must be a character with a voice, which {role.name} has not. "
                    "Delete the character and make it with a voice, or send the narration's own voice.",
                    param=f"{path}.narration.speaker",
                )
            changed["narration"] = {**narration, "speaker": role.name}
        return {**scene, **changed}

    def _speaker(self, name: str, path: str) -> Role:
        """Return the character that speaks. Without an @, as in a storyboard that was read, one of the film
        stays as it is."""
        id_ = character_id(self._tenant, name)
        if not name.startswith("@") and id_ in self._known and id_ not in self._found:
            return self._known[id_]
        return self._find(id_, path, f"{path} {name[:100]!r} is no character of yours", everywhere=False)

    def _part(self, value: Any, path: str) -> Any:
        longest = LONGEST_NARRATION if path.endswith("narration.text") else LONGEST_PROMPT
        return self.text(value, path, longest=longest) if isinstance(value, str) else value

    def text(self, text: str, param: str, *, longest: int = LONGEST_PROMPT, everywhere: bool = False) -> str:
        """Return a text with names in place of each @name; `everywhere`: it is about the whole film. Raises
        InvalidRequest naming `param`."""
        parts, end = [], 0
        for start, stop, name in mentions(text):
            missing = f"{param} names @{name}, but you have no such character"
            role = self._find(character_id(self._tenant, name), param, missing, everywhere=everywhere)
            parts += [text[end:start], role.name]
            end = stop
        read = "".join([*parts, text[end:]])
        if parts and len(read) > longest:
            raise InvalidRequest(
                f"{param} must be text of at most {longest:,} characters once each @name is the character's "
                f"name; got {len(read):,}.",
                param=param,
            )
        return read

    def _find(self, id_: str, param: str, missing: str, *, everywhere: bool) -> Role:
        if id_ in self._found:
            return self._found[id_]
        found = self._characters.find(self._tenant, id_) if CHARACTER_ID.fullmatch(id_) else None
        if found is not None:
            upload = keys.upload(self._tenant, found.image.sha256, "jpg")
            image = found.image.model_copy(update={"key": upload})
            known = self._known.get(id_)
            everywhere = everywhere or (known is not None and known.everywhere)
            role = found.role.model_copy(update={"image": image, "everywhere": everywhere})
            self._new.append(found)
        elif id_ in self._known:
            role = self._known[id_]
        else:
            raise InvalidRequest(
                f"{missing}: it was deleted, or never made. Make it with POST /v1/videos/characters, or "
                "leave it out.",
                param=param,
            )
        self._found[id_] = role
        if len(self._known | self._found) > LARGEST_CAST:
            raise InvalidRequest(
                f"{param} names too many characters: a film has at most {LARGEST_CAST}.", param=param
            )
        return role

    def keep(self, uploads: SharedObjects) -> None:
        """Copy the pictures, so that the film stays as it is when a character is deleted. Raises
        InvalidRequest if one was deleted since it was found."""
        for character in self._new:
            upload = keys.upload(self._tenant, character.image.sha256, "jpg")
            if uploads.find(upload):
                continue
            copy = partial(self._inputs.copy, character.image.key, upload, "image/jpeg")
            try:
                uploads.write(upload, copy)
            except ArtifactMissing as error:
                raise InvalidRequest(
                    f"Character {character.name!r} was deleted just now.", param="characters"
                ) from error

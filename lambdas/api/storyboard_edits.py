"""Apply a user's edits to a storyboard: replace it, or regenerate a part of one scene."""

import secrets
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError

from lambdas.api.request import checked_index
from lambdas.domain.documents import LONGEST_PROMPT, Document
from lambdas.domain.engines import Engine
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.planning import check_pictures, check_scenes
from lambdas.domain.prompts import material
from lambdas.domain.recordings import check_recordings
from lambdas.domain.storyboard import (
    FIRST,
    Narration,
    Scene,
    Seed,
    Speed,
    Storyboard,
    VoiceName,
    length_of,
    parse_storyboard,
    text_of,
)
from lambdas.domain.video_parts import Part
from lambdas.domain.video_request import VideoRequest
from lambdas.domain.wrong_fields import wrong_fields
from lambdas.intake.film_kind import check_size, check_title

# --- replace a storyboard


def replacement(document: Mapping[str, Any], request: VideoRequest, engine: Engine) -> Storyboard:
    """Return the storyboard that a user sends for a video, its @names replaced. Raises InvalidRequest naming
    the wrong path."""
    storyboard = parse_storyboard(document)
    check_size(storyboard)
    check_title(storyboard)
    if engine.audio == "required" and not any(scene.is_spoken for scene in storyboard.scenes):
        raise InvalidRequest(
            f"scenes must include narration: engine {engine.name} requires speech.", param="scenes"
        )
    own = [index for index, scene in enumerate(storyboard.scenes) if scene.own]
    check_scenes([*map(length_of, storyboard.scenes)], request, engine, own)
    check_recordings(storyboard.scenes, request.narration_fit)
    check_pictures(
        storyboard.scenes,
        engine,
        stills=request.stills is not None,
        last_image=request.last_image is not None,
    )
    if engine.image == "required" and request.stills is None:
        _require_pictures(storyboard, request, engine)
    return storyboard


def _require_pictures(storyboard: Storyboard, request: VideoRequest, engine: Engine) -> None:
    """Check that each scene has a picture to start from, in a film for which none are drawn."""
    for index, scene in enumerate(storyboard.scenes):
        opens = request.image and index == storyboard.first_rendered
        pictured = scene.continues or scene.first_frame or opens or scene.own
        if not pictured and not request.characters:
            path = f"scenes[{index}].{FIRST}"
            raise InvalidRequest(
                f"{path} is required: engine {engine.name} starts every scene from an image, and this film "
                "has no stills. Give the scene one, or make the film with stills.",
                param=path,
            )


# --- regenerate a part of a scene


class Regeneration(Document):
    """A part of a scene to regenerate: by the text model as a note says, in another voice, or from another
    seed."""

    part: Part = Field(description=f"one of {', '.join(Part)}")
    note: Annotated[str, *text_of(1, LONGEST_PROMPT)] | None = None
    voice: VoiceName | None = None
    speed: Speed | None = None
    seed: Seed | None = None


# Fields allowed with one part only.
_OF_PART = {"voice": Part.VOICE, "speed": Part.VOICE, "seed": Part.STILL}


def parse_regeneration(document: Mapping[str, Any]) -> Regeneration:
    """Parse a regenerate request. Raises InvalidRequest naming the wrong field and what is allowed."""
    try:
        asked = Regeneration.model_validate(document)
    except ValidationError as error:
        first = wrong_fields(Regeneration, error, "the body")[0]
        raise InvalidRequest(first.message, param=first.path or None) from None
    for name, part in _OF_PART.items():
        if getattr(asked, name) is not None and asked.part is not part:
            raise InvalidRequest(
                f"{name} is allowed only when part is {part}; omit it when part is {asked.part}.", param=name
            )
    if asked.note is not None and not material(asked.note):
        raise InvalidRequest("note is empty or contains only invisible characters.", param="note")
    if asked.note is None and asked.part is Part.TEXT:
        raise InvalidRequest("note is required when part is text: say what should change.", param="note")
    if asked.note is None and asked.part is Part.VOICE and asked.voice is None and asked.speed is None:
        raise InvalidRequest("part voice requires a note, a voice or a speed.", param="part")
    return asked


def scene_index(text: str, storyboard: Storyboard) -> int:
    """Return the index of the scene named in a URL. Raises InvalidRequest naming the valid indexes."""
    return checked_index(text, "scene", len(storyboard.scenes))


def regenerated(storyboard: Storyboard, scene: int, asked: Regeneration, request: VideoRequest) -> Storyboard:
    """Return the storyboard with the changes that need no text model: a voice, a speed, a seed.

    Raises InvalidRequest if the scene has no such part.
    """
    before = storyboard.scenes[scene]
    if asked.part is Part.TEXT and before.own is not None:
        raise InvalidRequest(
            f"part can't be text: the scene shows its {before.own}; replace the storyboard to change it.",
            param="part",
        )
    if asked.part is Part.VOICE:
        if before.narration is None or not before.is_spoken:
            raise InvalidRequest(
                "part can't be voice: the scene has no narration; replace the storyboard to add one.",
                param="part",
            )
        if not before.has_text_to_say:
            raise InvalidRequest(
                "part can't be voice: the scene plays a recording; replace the storyboard to change it.",
                param="part",
            )
        own = asked.model_dump(include={"voice", "speed"}, exclude_none=True)
        narration = Narration.model_validate(before.narration.model_dump() | own)
        return _with_scene(storyboard, scene, before.model_copy(update={"narration": narration}))
    if asked.part is Part.STILL:
        if not request.draws_still(scene, storyboard):
            given = "you sent" if not before.continues else "the previous scene ends with"
            why = f"starts with the picture that {given}"
            if before.own is not None:
                why = f"shows its {before.own}"
            elif not request.stills:
                why = "belongs to a film without stills"
            raise InvalidRequest(f"part can't be still: the scene {why}.", param="part")
        if asked.seed is not None or asked.note is None:
            seed = secrets.randbelow(2**32) if asked.seed is None else asked.seed
            image = before.image.model_copy(update={"seed": seed})
            return _with_scene(storyboard, scene, before.model_copy(update={"image": image}))
    return storyboard


def _with_scene(storyboard: Storyboard, index: int, scene: Scene) -> Storyboard:
    scenes = [*storyboard.scenes[:index], scene, *storyboard.scenes[index + 1 :]]
    return storyboard.model_copy(update={"scenes": scenes})

"""What a film's C2PA content credentials say: that it is generated, by what, when, and from what.

Sources: the C2PA specification 2.2 (actions, ingredients) and IPTC's digital source types.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

from lambdas.domain.documents import Document
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.film_plan import FilmPlan
from lambdas.domain.storyboard import FIRST, LAST
from lambdas.domain.video import Video

FILM = "org.reelworks.film"  # the label of our own assertion
DEVELOPMENT = "Reelworks (development)"  # the organization of a certificate that a PC makes for itself

_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
DRAWN = f"{_SOURCE_TYPE}algorithmicMedia"  # by rules, without a trained model
GENERATED = f"{_SOURCE_TYPE}trainedAlgorithmicMedia"
COMPOSED = f"{_SOURCE_TYPE}compositeSynthetic"  # with material that was given


class Ingredient(Document):
    """Something the film was made from. `key`: the object, in the input or the output bucket."""

    title: str
    relationship: Literal["parentOf", "componentOf", "inputTo"]
    media_type: str
    bucket: Literal["input", "output"]
    key: str

    @property
    def definition(self) -> dict[str, str]:
        """The ingredient as C2PA describes it, without its bytes."""
        return {"title": self.title, "relationship": self.relationship, "format": self.media_type}


class MadeBy(Document):
    """Our own assertion: which models made the film. Voices, image and text models as their services name
    them; on a PC, as its backends do."""

    video: str
    engine: str
    engine_revision: str
    summary: str
    voices: list[str]
    image_models: list[str]
    text_model: str | None


def claim(video: Video, plan: FilmPlan) -> dict[str, Any]:
    """Return the manifest definition that is signed (c2pa-rs' JSON), without ingredients."""
    engine = CATALOGUE[plan.engine]
    ended = video.assembly.finished_ms if video.assembly else video.updated_ms
    when = datetime.fromtimestamp(ended / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    source_type = _source_type(video, plan)
    agent = {"name": "Reelworks", "org.reelworks.engine": plan.engine}
    action = {
        "action": "c2pa.created",
        "when": when,
        "digitalSourceType": source_type,
        "softwareAgent": agent,
        "description": engine.summary,
    }
    writer = video.writer or video.enhancement
    made_by = MadeBy(
        video=video.id,
        engine=plan.engine,
        engine_revision=plan.revision,
        summary=engine.summary,
        voices=sorted({part.by for part in video.narrations if part.by}),
        image_models=sorted({part.by for part in video.stills if part.by}),
        text_model=writer.by if writer else None,
    )
    iptc = {
        "@context": {"Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"},
        "Iptc4xmpExt:DigitalSourceType": source_type,
    }
    return {
        "claim_generator_info": [{"name": "Reelworks"}],
        "title": f"{video.id}.mp4",
        "format": "video/mp4",
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [action]}},
            {"label": "c2pa.metadata", "data": iptc},
            {"label": FILM, "data": made_by.model_dump()},
        ],
    }


def _source_type(video: Video, plan: FilmPlan) -> str:
    if any(one.bucket == "input" for one in ingredients(video, plan)):
        return COMPOSED
    return DRAWN if CATALOGUE[plan.engine].draft else GENERATED


def ingredients(video: Video, plan: FilmPlan) -> Iterator[Ingredient]:
    """Yield what the film was made from: the user's pictures, sound and footage, and another film."""
    origin = video.request.origin
    given = (("input_reference", video.request.image), ("last_frame", video.request.last_image))
    pictures = {image.key: title for title, image in given if image}
    for scene in plan.scenes:
        for name, picture in ((FIRST, scene.starts_on), (LAST, scene.ends_on)):
            if picture is not None and picture.uploaded:
                pictures.setdefault(picture.key, f"scenes[{scene.index}].{name}")
    for key, title in pictures.items():
        yield Ingredient(
            title=title, relationship="inputTo", media_type=_media_type(key), bucket="input", key=key
        )
    for scene in plan.scenes:
        for clip in scene.clips:
            picture = clip.card.picture if clip.card else None
            footage = clip.footage if clip.is_footage else None
            own = picture.key if picture else footage.file if footage else None
            if own is not None and (origin is None or own != origin.file):
                yield Ingredient(
                    title=f"scenes[{scene.index}].{'picture' if picture else 'clip'}",
                    relationship="componentOf",
                    media_type=_media_type(own),
                    bucket="input",
                    key=own,
                )
    for scene in plan.scenes:
        if scene.recording is not None:
            yield Ingredient(
                title=f"scenes[{scene.index}].narration.recording",
                relationship="componentOf",
                media_type=_media_type(scene.recording),
                bucket="input",
                key=scene.recording,
            )
    if plan.music is not None and plan.music.key is not None:
        yield Ingredient(
            title="music",
            relationship="componentOf",
            media_type=_media_type(plan.music.key),
            bucket="input",
            key=plan.music.key,
        )
    if origin is not None and origin.file is not None:
        yield Ingredient(
            title="video", relationship="inputTo", media_type="video/mp4", bucket="input", key=origin.file
        )
    if origin is not None and origin.film is not None:
        yield Ingredient(
            title=f"{origin.video}.mp4",
            relationship="parentOf",
            media_type="video/mp4",
            bucket="output",
            key=origin.film,
        )


_MEDIA_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "ogg": "audio/ogg",
    "mp4": "video/mp4",
}


def _media_type(key: str) -> str:
    return _MEDIA_TYPES.get(key.rpartition(".")[2], "application/octet-stream")

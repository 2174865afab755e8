"""The downloadable variants of a video's content, by the name that clients use."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lambdas.domain import keys
from lambdas.domain.shapes import Aspect


@dataclass(frozen=True)
class Variant:
    """One file that a finished video delivers.

    `field`: the record's field with the key of the latest film's file; None: it has none. `delivered`:
    returns the key for a tenant, a video id and an attempt. `artifact`: returns the key under which the
    assembly stores it, for a tenant and film hash; None: it is written when the film is delivered. `shape`:
    the further shape of the film that it belongs to.
    """

    field: str | None
    extension: str
    media_type: str
    delivered: Callable[[str, str, int], str]
    artifact: Callable[[str, str], str] | None = None
    shape: Aspect | None = None


def _captions(field: str, extension: str, media_type: str) -> Variant:
    delivered = partial(keys.delivered_captions, extension=extension)
    return Variant(field, extension, media_type, delivered, partial(keys.captions, extension=extension))


def _film(aspect: Aspect) -> Variant:
    delivered = partial(keys.delivered_film, shape=aspect.variant)
    return Variant(None, "mp4", "video/mp4", delivered, keys.film, aspect)


def _thumbnail(aspect: Aspect) -> Variant:
    delivered = partial(keys.delivered_thumbnail, shape=aspect.variant)
    return Variant(None, "webp", "image/webp", delivered, keys.poster, aspect)


VARIANTS = {
    "video": Variant("film", "mp4", "video/mp4", keys.delivered_film, keys.film),
    "thumbnail": Variant("thumbnail", "webp", "image/webp", keys.delivered_thumbnail, keys.poster),
    "spritesheet": Variant("spritesheet", "jpg", "image/jpeg", keys.delivered_spritesheet, keys.spritesheet),
    "captions": _captions("captions", "vtt", "text/vtt"),
    "captions_srt": _captions("captions_srt", "srt", "application/x-subrip"),
    "captions_ass": _captions("captions_ass", "ass", "text/x-ssa"),
    "quality": Variant("quality", "json", "application/json", keys.delivered_quality, keys.quality),
    "stems": Variant("stems", "zip", "application/zip", keys.delivered_stems, keys.stems),
    "storyboard": Variant("delivered_storyboard", "json", "application/json", keys.delivered_storyboard),
    "manifest": Variant("manifest", "json", "application/json", keys.delivered_manifest),
    **{aspect.variant: _film(aspect) for aspect in Aspect},
    **{f"{aspect.variant}_thumbnail": _thumbnail(aspect) for aspect in Aspect},
}

"""Deliver a film with its content credentials."""

from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from lambdas.adapters.objects import Objects
from lambdas.adapters.signing_key import SigningKey
from lambdas.adapters.upload import FileContent
from lambdas.domain.content_credentials import Ingredient, claim, ingredients
from lambdas.domain.errors import ArtifactMissing
from lambdas.domain.film_plan import FilmPlan
from lambdas.domain.video import Video
from lambdas.media import content_credentials

_CONTENT_TYPE = "video/mp4"


def deliver_signed(
    video: Video,
    plan: FilmPlan,
    film: str,
    target: str,
    key: SigningKey,
    *,
    inputs: Objects,
    outputs: Objects,
) -> None:
    """Sign the object under `film` and write it under `target`.

    Raises ArtifactMissing, NotSigned, ServiceUnavailable.
    """
    with TemporaryDirectory() as folder, ExitStack() as streams:
        unsigned, signed = Path(folder, "film"), Path(folder, "signed")
        _save(outputs, film, unsigned)
        content_credentials.sign(
            unsigned,
            signed,
            claim(video, plan),
            [*_opened(video, plan, inputs, outputs, Path(folder), streams)],
            certificates=key.certificates,
            signature=key.sign,
        )
        outputs.put_streamed(target, FileContent(signed), _CONTENT_TYPE, sent=lambda _: None)


def _opened(
    video: Video, plan: FilmPlan, inputs: Objects, outputs: Objects, folder: Path, streams: ExitStack
) -> Iterator[tuple[Ingredient, BinaryIO | None]]:
    """Yield the ingredients with their bytes; None for one that is gone or of a type without a hash."""
    for ingredient in ingredients(video, plan):
        if not content_credentials.supports(ingredient.media_type):
            yield ingredient, None
            continue
        try:
            if ingredient.bucket == "input":
                yield ingredient, BytesIO(inputs.get(ingredient.key))
            else:
                _save(outputs, ingredient.key, folder / "parent")
                yield ingredient, streams.enter_context((folder / "parent").open("rb"))
        except ArtifactMissing:
            yield ingredient, None


def _save(objects: Objects, key: str, path: Path) -> None:
    source = objects.source(key)
    with path.open("wb") as file:
        file.writelines(source.stream(0, source.size))

"""Check that what is written into pictures can be drawn."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from lambdas.domain.errors import InvalidRequest
from lambdas.domain.fonts import Lettered
from lambdas.domain.storyboard import PartialScene, Scene, card_texts

if TYPE_CHECKING:
    from lambdas.media.typesetting import Fonts


def check_card_letters(
    scenes: Sequence[Scene | PartialScene],
    lettered: Lettered,
    file: Callable[[str], bytes],
    path: str | None = None,
) -> None:
    """Raise InvalidRequest naming the first text of a title card or lower third that the font can't draw.
    `file` returns a font's file by its key. `path`: that of the only scene, if it is none of a storyboard's.
    """
    texts = list(_texts(scenes, path))
    if not texts:
        return
    fonts = brand_fonts(lettered, file)
    for place, text in texts:
        if missing := fonts.lacks(text):
            raise InvalidRequest(f"{place} can't be drawn into the picture: {missing}.", param=place)


def brand_fonts(lettered: Lettered, file: Callable[[str], bytes]) -> "Fonts":
    """Return a brand's fonts. Raises InvalidRequest if there is none of that name."""
    from lambdas.media.typesetting import FontMissing, fonts_of  # see lambdas.intake.accept

    try:
        return fonts_of(lettered, "", file)
    except FontMissing as error:
        raise InvalidRequest(f"brand.font must be one of these: {error}.", param="brand.font") from error


def _texts(scenes: Sequence[Scene | PartialScene], path: str | None) -> Iterator[tuple[str, str]]:
    for index, scene in enumerate(scenes):
        for name, text in card_texts(scene).items():
            yield f"{path or f'scenes[{index}]'}.{name}", text

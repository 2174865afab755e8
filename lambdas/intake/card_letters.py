"""Check that what is written into pictures can be drawn."""

from collections.abc import Iterator, Sequence

from lambdas.domain.errors import InvalidRequest
from lambdas.domain.storyboard import PartialScene, Scene, card_texts


def check_card_letters(scenes: Sequence[Scene | PartialScene], path: str | None = None) -> None:
    """Raise InvalidRequest naming the first text of a title card or lower third that the font can't draw.
    `path`: that of the only scene, if it is none of a storyboard's."""
    texts = list(_texts(scenes, path))
    if not texts:
        return
    from lambdas.media.font import not_drawn  # see lambdas.intake.accept

    for place, text in texts:
        if missing := not_drawn(text):
            raise InvalidRequest(f"{place} can't be drawn into the picture: {missing}.", param=place)


def _texts(scenes: Sequence[Scene | PartialScene], path: str | None) -> Iterator[tuple[str, str]]:
    for index, scene in enumerate(scenes):
        for name, text in card_texts(scene).items():
            yield f"{path or f'scenes[{index}]'}.{name}", text

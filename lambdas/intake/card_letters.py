"""Check that what is written into pictures can be drawn."""

from collections.abc import Iterator, Sequence

from lambdas.domain.errors import InvalidRequest
from lambdas.domain.storyboard import PartialScene, Scene


def check_card_letters(scenes: Sequence[Scene | PartialScene]) -> None:
    """Raise InvalidRequest naming the first text of a title card that the font can't draw."""
    texts = list(_texts(scenes))
    if not texts:
        return
    from lambdas.media.font import not_drawn  # see lambdas.intake.accept

    for path, text in texts:
        if missing := not_drawn(text):
            raise InvalidRequest(f"{path} can't be drawn into the picture: {missing}.", param=path)


def _texts(scenes: Sequence[Scene | PartialScene]) -> Iterator[tuple[str, str]]:
    for index, scene in enumerate(scenes):
        if scene.title is not None:
            yield f"scenes[{index}].title.text", scene.title.text
            yield f"scenes[{index}].title.subtitle", scene.title.subtitle

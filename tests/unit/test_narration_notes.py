"""Notes on narration that is longer than its scene."""

from typing import Any

import pytest

from lambdas.domain.brief import Brief
from lambdas.domain.narration_notes import narration_notes
from lambdas.domain.storyboard import PartialStoryboard
from tests.factories import a_request

LONG = (
    "Twenty words that nobody could say within two seconds, however fast the voice that reads them aloud "
    "may be today."
)


def notes(*scenes: dict[str, Any], **request: Any) -> tuple[str, ...]:
    given = PartialStoryboard.model_validate({"scenes": scenes})
    return narration_notes(a_request(brief=Brief(topic="Bees", given=given), **request))


def scene(text: str | None, seconds: float | None = 2) -> dict[str, Any]:
    return {"narration": {"text": text}, "seconds": seconds}


@pytest.mark.parametrize(
    ("fit", "says"),
    [("extend", "they are extended"), ("faster", "up to 15% faster"), ("refuse", "the film fails if it is")],
)
def test_each_longer_narration_is_named_with_what_happens(fit: str, says: str) -> None:
    [note] = notes(scene("Short."), scene(LONG), narration_fit=fit)
    assert "these scenes, counted from 0: 1 (9 s of 2 s);" in note
    assert says in note


def test_a_narration_that_fits_or_sets_the_length_needs_no_note() -> None:
    assert notes(scene("Short."), scene(LONG, 12), scene(LONG, None), scene(None)) == ()
    [note] = notes(scene("Short. [pause 7s] Again."))
    assert "0 (9 s of 2 s)" in note
    assert narration_notes(a_request()) == ()


def test_a_faster_voice_needs_less() -> None:
    assert notes(scene(LONG, 5), voice={"speed": 2.0}) == ()


def test_many_are_counted() -> None:
    [note] = notes(*[scene(LONG)] * 50)
    assert "4 (9 s of 2 s) and 45 more;" in note

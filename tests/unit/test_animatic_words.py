from collections.abc import Iterator
from types import ModuleType

import pytest

from lambdas.animatic import words
from lambdas.animatic.camera import OVERSCAN, View
from lambdas.animatic.figures import FIGURES, figure_of
from lambdas.animatic.palettes import PALETTES
from lambdas.animatic.pictograms import kind
from lambdas.animatic.places import PLACES
from lambdas.animatic.weather import KINDS
from lambdas.animatic.words import read, read_opening
from reelworks.cloud.director import prompts, views, vocabulary


def test_every_word_can_be_drawn() -> None:
    assert set(words.PLACES) | set(words.HOMES.values()) | {None} == set(PLACES)
    assert set(words.SUBJECTS) | {"umbrella", "campfire"} == set(FIGURES)
    assert all(name in FIGURES or kind(name) for name in words.HOMES)
    assert set(words.LIGHTS) <= set(PALETTES)
    assert set(words.WEATHERS) <= set(KINDS)
    for place in PLACES.values():
        assert set(place.palettes) <= set(PALETTES)
        assert place.guest is None or figure_of(place.guest)
        assert place.weather is None or place.weather in KINDS


@pytest.mark.parametrize(
    ("text", "place", "subject"),
    [
        ("A bee on a flower", "flowers", "bee"),
        ("Eine Biene auf einer Blüte", "flowers", "bee"),
        ("Ein Haus im Wald", "forest", "house"),
        ("A SHIP!", "ocean", "ship"),
        ("Wolves in winter", "snow", "wolf"),
        ("un gato en la ciudad", "city", "cat"),
        ("A cat among flowers", "hills", "cat"),
        ("How kites fly", "hills", "kite"),
        ("Ein Drachen am Himmel", "hills", "kite"),
        ("Un cerf-volant rouge", "hills", "kite"),
        ("Bienen und Hunde", "flowers", "bee"),
        ("Wale im Meer", "ocean", "whale"),
        ("abstract thoughts", None, None),
        ("", None, None),
    ],
)
def test_place_and_subject_are_read(text: str, place: str | None, subject: str | None) -> None:
    look = read(text)
    assert (look.place, look.subject.kind if look.subject else None) == (place, subject)


@pytest.mark.parametrize(
    "text",
    [
        "The camera cranes over the empty stage",
        "A crane-style rise, then a crane lift",
        "A hero shot of it",
        "Light dances on it, and dust dancing in the beam",
        "A dance of shadows on the same plane",
        "A swan song",
        "Train your eye on it",
        "Nobody cares; everybody stares at the stages",
        "Soft light through a star filter",
    ],
)
def test_a_word_of_another_meaning_draws_nothing(text: str) -> None:
    look = read(text)
    assert (look.subject, look.landmark, look.place) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("A dancer on the stage", "person"),
        ("Two heroes", "person"),
        ("She wears a crown", "person"),
        ("Buses in town", "bus"),
        ("Foxes run", "fox"),
        ("Die Fahrt des Schiffes", "ship"),
        ("A crane flies over the lake", "bird"),
        ("A plane lands", "airplane"),
        ("Two owls", "owl"),
    ],
)
def test_plurals_and_cases_are_read(text: str, subject: str) -> None:
    found = read(text).subject
    assert found is not None
    assert found.kind == subject


def test_light_weather_colour_number_and_landmark_are_read() -> None:
    look = read("Three red birds race past a lighthouse in the rain at night")
    assert (look.light, look.weather, look.move, look.landmark) == ("night", "rain", "pan", "lighthouse")
    assert look.subject is not None
    assert look.subject.many
    assert look.subject.colour == (216, 52, 59)
    assert look.pace > 1 > read("slowly").pace
    assert read("Two foxes run past a castle").landmark == "castle"


def test_close_ups_of_flowers_have_no_buildings() -> None:
    look = read("How a bee finds its way home")
    assert (look.place, look.landmark) == ("flowers", None)
    assert read("A fox comes home to the castle").landmark == "house"


def test_a_prompt_is_read_by_the_sentence_that_names_its_subject() -> None:
    look = read_opening("A wide view. Lighthouses guide ships. Dark cloud churns overhead, and leaves fall.")
    assert (look.place, look.light, look.weather) == ("ocean", None, None)
    assert look.subject is not None
    assert look.subject.kind == "lighthouse"
    assert not read_opening("A wide view. It is calm.").known


def test_a_text_without_a_subject_is_recognized() -> None:
    assert not read("Chapter one").known
    assert read("the sea").known


@pytest.mark.parametrize("depth", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("zoom", [1.0, 1.1, OVERSCAN])
@pytest.mark.parametrize("aim", [-1.0, 0.0, 1.0])
def test_the_camera_never_shows_the_edge_of_a_plane(depth: float, zoom: float, aim: float) -> None:
    left, top, right, bottom = View(zoom, aim, -aim).box((400, 300), depth, shift=(50, -50))
    assert 0 <= left < right <= 400
    assert 0 <= top < bottom <= 300
    assert (right - left) / (bottom - top) == pytest.approx(4 / 3)


# --- what the director adds


def stock(module: ModuleType) -> set[str]:
    """Every sentence in the module's tables, however nested."""

    def texts(value: object) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from (text for item in value.values() for text in texts(item))
        elif isinstance(value, tuple | list | set | frozenset):
            yield from (text for item in value for text in texts(item))

    found = (text for name, value in vars(module).items() if name[:2] != "__" for text in texts(value))
    return {text for text in found if text[-1:] in (".", "?", "!") and len(text.split()) > 1}


STOCK = sorted(stock(vocabulary) | stock(views))


def drawn(look: words.Look) -> tuple[str | None, str | None]:
    return (look.subject.kind if look.subject else None, look.landmark)


def test_the_director_has_many_sentences() -> None:
    assert len(STOCK) > 150
    assert any("crane move" in sentence for sentence in STOCK)
    assert any("planes of the image" in sentence for sentence in STOCK)


def test_no_sentence_of_the_director_draws_a_subject() -> None:
    for sentence in STOCK:
        kind, landmark = drawn(read(sentence))
        assert (kind in words.SUBJECTS, landmark == "lighthouse") == (False, False), sentence
        # Its other words may name a pictogram, but only a prompt's own subject is read.
        look = read_opening(f"Something new. {sentence}")
        assert (*drawn(look), look.pictures) == (None, None, ()), sentence


@pytest.mark.parametrize("prompt", ["Patience", "Something new", "Über das Denken", "思考", "Mathematics"])
def test_a_prompt_without_a_subject_gets_none_from_the_director(prompt: str) -> None:
    for words_allowed in (20, 60, 150):
        written = prompts.enhance(prompt, words_allowed)
        assert drawn(read_opening(written)) == (None, None), written


@pytest.mark.parametrize(
    ("prompt", "subject"),
    [
        ("A kite above the dunes", "kite"), ("Bees", "bee"), ("A crane by a lake", "bird"),
        ("Planes", "airplane"), ("A leather handbag", "handbag"),
    ],
)  # fmt: skip
def test_a_prompt_s_subject_stays_whatever_the_director_adds(prompt: str, subject: str) -> None:
    assert drawn(read_opening(prompts.enhance(prompt, 150)))[0] == subject


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("A crane shot of a street", None),
        ("The camera cranes up over a harbour", None),
        ("A bird's-eye view of it", None),
        ("A bird’s eye view of a dog", "dog"),
        ("Fish-eye lens, a stroll", None),
        ("Shallow depth of field", None),
        ("An old home movie", None),
        ("It has been seen", None),
        ("Cranes fly over a lake", "bird"),
        ("Planes over a city", "airplane"),
        ("A house and a home", "house"),
    ],
)
def test_terms_of_filming_are_no_subjects(text: str, subject: str | None) -> None:
    assert drawn(read(text))[0] == subject


@pytest.mark.parametrize("text", ["The folds of the skin", "A leather sheen", "It leaves plenty of room"])
def test_a_word_s_end_is_no_plural_by_itself(text: str) -> None:
    look = read(text)
    assert (look.place, look.weather, look.subject) in ((None, None, None), ("room", None, None))

import pytest

from lambdas.animatic import words
from lambdas.animatic.camera import OVERSCAN, View
from lambdas.animatic.figures import FIGURES
from lambdas.animatic.palettes import PALETTES
from lambdas.animatic.places import PLACES
from lambdas.animatic.weather import KINDS
from lambdas.animatic.words import read, read_opening


def test_every_word_can_be_drawn() -> None:
    assert set(words.PLACES) | set(words.HOMES.values()) | {None} == set(PLACES)
    assert set(words.SUBJECTS) | {"umbrella", "campfire"} == set(FIGURES)
    assert set(words.HOMES) == set(words.SUBJECTS)
    assert set(words.LIGHTS) <= set(PALETTES)
    assert set(words.WEATHERS) <= set(KINDS)
    for place in PLACES.values():
        assert set(place.palettes) <= set(PALETTES)
        assert place.guest is None or place.guest in FIGURES
        assert place.weather is None or place.weather in KINDS


@pytest.mark.parametrize(
    ("text", "place", "subject"),
    [
        ("A bee on a flower", "flowers", "bee"),
        ("Eine Biene auf einer Blüte", "flowers", "bee"),
        ("Ein Haus im Wald", "forest", "house"),
        ("A SHIP!", "ocean", "ship"),
        ("Wolves in winter", "snow", "dog"),
        ("un gato en la ciudad", "city", "cat"),
        ("A cat among flowers", "hills", "cat"),
        ("abstract thoughts", None, None),
        ("", None, None),
    ],
)
def test_place_and_subject_are_read(text: str, place: str | None, subject: str | None) -> None:
    look = read(text)
    assert (look.place, look.subject.kind if look.subject else None) == (place, subject)


def test_light_weather_colour_number_and_landmark_are_read() -> None:
    look = read("Three red foxes run past a castle in the rain at night")
    assert (look.light, look.weather, look.move, look.landmark) == ("night", "rain", "pan", "castle")
    assert look.subject is not None
    assert look.subject.many
    assert look.subject.colour == (216, 52, 59)
    assert look.pace > 1 > read("slowly").pace


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

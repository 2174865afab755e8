"""Further shapes of a film: their sizes, what they crop, and what determines them."""

import re
from fractions import Fraction

import pytest

from lambdas.domain.film_format import Framing, is_film_size
from lambdas.domain.film_plan import film_hash
from lambdas.domain.shapes import FOCAL_POINT, Aspect, Shape, point_of
from tests.factories import a_plan, a_request, a_video


@pytest.mark.parametrize("film", [(1280, 720), (720, 480), (1920, 1080), (480, 832)])
@pytest.mark.parametrize("aspect", Aspect)
def test_a_shape_has_about_the_film_s_pixels(film: tuple[int, int], aspect: Aspect) -> None:
    width, height = Shape(aspect=aspect).size(film)
    across, down = map(int, aspect.split(":"))
    assert is_film_size(width, height)
    assert width / height == pytest.approx(across / down, rel=0.01)
    assert width * height == pytest.approx(film[0] * film[1], rel=0.15)


def test_a_shape_crops_what_it_does_not_show() -> None:
    assert Shape(aspect=Aspect.TALL).cropped((1280, 720)) == pytest.approx(1 - (9 / 16) ** 2, abs=0.001)
    assert Shape(aspect=Aspect.TALL, fit=Framing.BLUR).cropped((1280, 720)) == 0


@pytest.mark.parametrize(
    ("named", "place"),
    [
        (None, (0.5, 0.5)),
        ("center", (0.5, 0.5)),
        ("left", (0, 0.5)),
        ("bottom", (0.5, 1)),
        ("top-right", (1, 0)),
        ("0.25,1", (0.25, 1)),
        ("1.0,0", (1, 0)),
    ],
)
def test_a_focal_point_names_a_place_in_the_picture(named: str | None, place: tuple[float, float]) -> None:
    assert point_of(named) == tuple(map(Fraction, place))


@pytest.mark.parametrize("wrong", ["middle", "left-top", "0.5", "0.5,", "1.1,0", "-0.1,0", "0.5,0.5,0.5", ""])
def test_other_words_are_no_focal_point(wrong: str) -> None:
    assert not re.search(FOCAL_POINT, wrong)


def test_a_shape_is_another_film_of_the_same_clips() -> None:
    plan = a_plan(a_video(request=a_request(seconds=6)), ["x"])
    moved = plan.model_copy(update={"focal_point": "left"})
    tall, blurred = Shape(aspect=Aspect.TALL), Shape(aspect=Aspect.TALL, fit=Framing.BLUR)
    assert film_hash(moved) == film_hash(plan), "the film itself is cropped nowhere"
    made = [film_hash(one.in_shape(shape)) for one in (plan, moved) for shape in (tall, blurred)]
    assert len({film_hash(plan), *made}) == 4, "a focal point changes what is cropped only"
    assert made[1] == made[3]
    assert plan.in_shape(tall).clips == plan.clips

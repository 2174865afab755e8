"""The film's size and rate, and the size and rate at which each engine renders it."""

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.engine_notes import notes_of
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.film_format import (
    MOST_PIXELS,
    SIDE,
    FpsMode,
    Framing,
    cropped,
    cut_share,
    engine_frames,
    is_film_size,
    nearest_film_size,
    parse_shape,
)
from lambdas.intake.fields import parse
from lambdas.intake.film_size import film_size
from tests.factories import a_request

SIDES = st.integers(SIDE[0] // 2, SIDE[1] // 2).map(lambda half: 2 * half)
RENDERS = {
    name: [
        (w, h) for w in range(48, 1921, 16) for h in range(48, 1921, 16) if CATALOGUE[name].sizes.allows(w, h)
    ]
    for name in ("cogvideox-5b", "cogvideox-1.5-5b", "cogvideox-1.5-5b-i2v", "cogvideox-nano")
}
OPENAI = [(720, 1280), (1280, 720), (1024, 1792), (1792, 1024)]
ENGINES = ["cogvideox-5b", "cogvideox-1.5-5b", "cogvideox-1.5-5b-i2v", "cogvideox-nano", "comfyui"]


@pytest.mark.parametrize(
    ("film", "rendered"),
    [
        ((720, 1280), [(720, 480), (1360, 768), (768, 1360), (96, 64), (720, 1280)]),
        ((1280, 720), [(720, 480), (1360, 768), (1360, 768), (96, 64), (1280, 720)]),
        ((1024, 1792), [(720, 480), (1360, 768), (768, 1344), (96, 64), (1024, 1792)]),
        ((1792, 1024), [(720, 480), (1360, 768), (1344, 768), (96, 64), (1792, 1024)]),
        ((1080, 1920), [(720, 480), (1360, 768), (768, 1360), (96, 64), (1088, 1920)]),
        ((1920, 1080), [(720, 480), (1360, 768), (1360, 768), (96, 64), (1920, 1088)]),
        ((1024, 1024), [(720, 480), (1360, 768), (768, 768), (96, 64), (1024, 1024)]),
        ((720, 480), [(720, 480), (1360, 768), (1152, 768), (96, 64), (720, 480)]),
        ((256, 2048), [(720, 480), (1360, 768), (768, 1360), (96, 64), (240, 1920)]),
        ((2048, 256), [(720, 480), (1360, 768), (1360, 768), (96, 64), (1920, 240)]),
        ((854, 480), [(720, 480), (1360, 768), (1360, 768), (96, 64), (848, 480)]),
    ],
)
def test_an_engine_renders_the_nearest_shape_then_the_nearest_pixels(
    film: tuple[int, int], rendered: list[tuple[int, int]]
) -> None:
    assert [CATALOGUE[name].rendered_size(film) for name in ENGINES] == rendered
    assert CATALOGUE["animatic"].rendered_size(film) == film, "a draft is drawn at any size"


@given(st.sampled_from(list(RENDERS)), SIDES, SIDES)
def test_no_rendered_size_is_much_better_in_shape(name: str, width: int, height: int) -> None:
    engine, film = CATALOGUE[name], (width, height)
    rendered, shape = engine.rendered_size(film), Fraction(width, height)
    assert engine.sizes.allows(*rendered)
    ratio = width / height
    best = max(min(w / h / ratio, h / w * ratio) for w, h in RENDERS[name])
    assert 1 - cut_share(rendered, shape) >= best * 0.9899


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_engine_takes_every_usual_size(name: str) -> None:
    engine = CATALOGUE[name]
    sizes = [*OPENAI, (1080, 1920), (1920, 1080), (1024, 1024), (256, 256), (2048, 1074)]
    for (width, height), fps in product(sizes, (8, 23, 24, 25, 30, 50, 60)):
        engine.check(
            width=width,
            height=height,
            fps=fps,
            image=engine.image == "required",
            last_image=engine.last_image == "required",
            offered=frozenset(),
        )


@pytest.mark.parametrize(
    ("fps", "rendered"),
    [
        (8, [8, 16, 8, 8]),
        (12, [8, 16, 12, 12]),
        (15, [8, 16, 16, 15]),
        (24, [8, 16, 24, 24]),
        (25, [8, 16, 25, 25]),
        (30, [8, 16, 30, 30]),
        (48, [8, 16, 24, 48]),
        (50, [8, 16, 25, 50]),
        (60, [8, 16, 30, 60]),
    ],
)
def test_an_engine_renders_at_a_rate_of_its_own(fps: int, rendered: list[int]) -> None:
    engines = ("cogvideox-5b", "cogvideox-1.5-5b", "comfyui", "animatic")
    assert [CATALOGUE[name].rendered_fps(fps) for name in engines] == rendered


@given(st.integers(1, 6000), st.integers(1, 6000))
def test_the_nearest_size_is_allowed_and_an_allowed_one_is_its_own(width: int, height: int) -> None:
    nearest = nearest_film_size(width, height)
    assert is_film_size(*nearest)
    if is_film_size(width, height):
        assert abs(nearest[0] * nearest[1] / (width * height) - 1) < 0.1
    if 1 / 8 <= width / height <= 8:
        assert nearest[0] / nearest[1] == pytest.approx(width / height, rel=0.02)


@pytest.mark.parametrize(
    ("size", "allowed"),
    [
        ((1480, 1480), True),
        ((1484, 1484), False),
        ((2048, 1074), True),
        ((2048, 1076), False),
        ((256, 256), True),
        ((254, 256), False),
        ((257, 256), False),
        ((2050, 512), False),
    ],
)
def test_the_limits_of_a_film_s_size(size: tuple[int, int], allowed: bool) -> None:
    assert is_film_size(*size) is allowed
    assert not allowed or size[0] * size[1] <= MOST_PIXELS


@pytest.mark.parametrize(
    ("aspect", "engine", "size"),
    [
        ("16:9", "animatic", (1280, 720)),
        ("9:16", "animatic", (720, 1280)),
        ("16:9", "cogvideox-5b", (768, 432)),
        ("9:16", "cogvideox-5b", (432, 768)),
        ("3:2", "cogvideox-5b", (720, 480)),
        ("6:4", "cogvideox-nano", (96, 64)),
        ("1:1", "cogvideox-5b", (588, 588)),
        ("4:5", "animatic", (856, 1070)),
        ("21:9", "animatic", (1470, 630)),
        ("9:16", "cogvideox-nano", (256, 454)),
        ("8:1", "animatic", (2048, 256)),
    ],
)
def test_an_aspect_gives_a_size_near_the_engine_s_usual_pixels(
    aspect: str, engine: str, size: tuple[int, int]
) -> None:
    assert film_size(parse({"prompt": "x", "aspect": aspect}), CATALOGUE[engine]) == size


@pytest.mark.parametrize("aspect", ["2.39:1", "1.85:1", "239:100", "7:9", "1.7777:1"])
def test_unusual_aspects_are_rounded_to_even_sides(aspect: str) -> None:
    size = film_size(parse({"prompt": "x", "aspect": aspect}), CATALOGUE["animatic"])
    assert is_film_size(*size)
    width, height = map(float, aspect.split(":"))
    assert size[0] / size[1] == pytest.approx(width / height, rel=0.01)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"aspect": "9:1"}, r"1:8 to 8:1; got 9:1\. The nearest is 8:1"),
        ({"aspect": "1:20"}, "nearest is 1:8"),
        ({"aspect": "0:9"}, "above 0"),
        ({"aspect": "9:0"}, "above 0"),
        ({"aspect": "16x9"}, "width:height"),
        ({"aspect": "16:9 "}, "width:height"),
        ({"aspect": "-16:9"}, "width:height"),
        ({"aspect": "٩:16"}, "width:height"),
        ({"aspect": "portrait"}, "width:height"),
        ({"aspect": 1.5}, "width:height"),
        ({"aspect": "9:16", "size": "1280x720"}, "omitted when size is set.*720x1280"),
    ],
)
def test_a_wrong_aspect_is_named_with_what_is_allowed(fields: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as refusal:
        film_size(parse({"prompt": "x", **fields}), CATALOGUE["animatic"])
    assert refusal.value.param == "aspect"


def test_a_size_may_be_sent_with_its_own_aspect() -> None:
    fields = parse({"prompt": "x", "aspect": "16:9", "size": "1366x768"})
    assert film_size(fields, CATALOGUE["cogvideox-5b"]) == (1366, 768)
    assert parse_shape("2.5:1") == Fraction(5, 2)


def test_what_is_cropped_is_the_share_of_the_rendered_picture() -> None:
    # 270 of 720 columns remain.
    assert cropped((720, 480), (720, 1280), Framing.COVER) == 0.625
    assert cropped((720, 480), (720, 1280), Framing.CONTAIN) == 0
    assert cropped((720, 480), (720, 1280), Framing.BLUR) == 0
    assert cropped((720, 480), (1440, 960), Framing.COVER) == 0
    # 120 of 480 rows are cut for 2:1.
    assert cropped((720, 480), (1024, 512), Framing.COVER) == 0.25


@pytest.mark.parametrize("rate", [8, 16])
@pytest.mark.parametrize("fps", [8, 24, 25, 30, 60])
def test_frames_of_the_engine_s_rate_that_a_film_shows(rate: int, fps: int) -> None:
    # A second of film needs a second of frames, less those that are left out after the last one shown.
    assert engine_frames(fps, fps, rate, FpsMode.BLEND) == rate
    assert engine_frames(fps, fps, rate, FpsMode.REPEAT) == (rate if fps >= rate else rate - 1)
    assert engine_frames(1, fps, rate, FpsMode.REPEAT) == 1


OFFERED = frozenset({"animatic", "cogvideox-5b", "cogvideox-1.5-5b-i2v"})


def asked(engine: str = "cogvideox-5b", size: tuple[int, int] = (720, 1280), **fields: object) -> object:
    rendered = CATALOGUE[engine].rendered_size(size)
    return notes_of(
        a_request(
            engine=engine,
            width=size[0],
            height=size[1],
            rendered_width=rendered[0],
            rendered_height=rendered[1],
            **{
                "fps": 8,
                "rendered_fps": CATALOGUE[engine].rendered_fps(int(str(fields.get("fps", 8)))),
                **fields,
            },
        ),
        OFFERED,
        "",
    )


def test_a_portrait_film_of_a_landscape_engine_says_so_and_names_one_that_renders_portrait() -> None:
    (note,) = asked()  # type: ignore[misc]
    assert "cogvideox-5b renders landscape (720x480)" in note
    assert "portrait film (720x1280)" in note
    assert "62% is cut" in note
    assert note.endswith("Renders portrait here: cogvideox-1.5-5b-i2v (starts from an image).")
    assert "animatic" not in note, "a draft is no alternative"


def test_notes_follow_what_is_done() -> None:
    assert asked(size=(720, 480)) == ()
    assert asked("animatic") == ()
    assert asked("cogvideox-1.5-5b-i2v", fps=16) == (), "nothing worth a word is cut"
    (bars,) = asked(fit="contain")  # type: ignore[misc]
    assert "black bars" in bars
    assert "cut" not in bars
    (wide,) = asked(size=(1280, 720))  # type: ignore[misc]
    assert "16% is cut" in wide
    assert "Renders" not in wide, "it renders landscape itself"
    (rate,) = asked(size=(720, 480), fps=24)  # type: ignore[misc]
    assert "renders 8 frames per second; frames are repeated to make 24" in rate
    (rate,) = asked("cogvideox-1.5-5b-i2v", (1360, 768), fps=12, fps_mode="blend")  # type: ignore[misc]
    assert "16 frames per second; frames are blended to make 12" in rate
    (rate,) = asked("cogvideox-1.5-5b-i2v", (1360, 768), fps=12)  # type: ignore[misc]
    assert "frames are left out to make 12" in rate

"""What a team's films have in common: colours, logo, intro, outro, lower thirds."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lambdas.domain.assembler import seconds_to_assemble
from lambdas.domain.brand import Corner, parse_brand, with_brand_files
from lambdas.domain.brief import Brief
from lambdas.domain.colours import Colours
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.estimate import estimate
from lambdas.domain.film_plan import FilmPlan, film_hash
from lambdas.domain.origin import prompt_shots
from lambdas.domain.planning import make_plan
from lambdas.domain.prices import AWS, Makers
from lambdas.domain.storyboard import LowerThird, parse_partial, parse_storyboard
from lambdas.domain.video_request import Origin, OriginKind
from lambdas.media.burned_captions import burn
from lambdas.media.caption_design import Design
from lambdas.media.captions import Cue
from lambdas.media.images import with_alpha
from lambdas.media.mp4.merge import Piece
from lambdas.media.overlays import Drawing, Overlay, logo_overlay, lower_third, third_overlay
from lambdas.media.source import BytesSource, Source
from lambdas.media.typesetting import Fonts
from lambdas.production.scene_shots import between_ends
from tests.factories import a_request, a_shot, a_video
from tests.media.clips import clip

PICTURE = {"sha256": "2" * 64, "media_type": "image/png"}
FONT = {"sha256": "3" * 64, "kind": "otf"}
INTRO = {"title": {"text": "Kite Club"}}
OUTRO = {"title": {"text": "Fly with us"}, "seconds": 2.5}
BRAND = {
    "colours": {"accent": "#ff0000"},
    "logo": {"picture": PICTURE, "corner": "bottom-right"},
    "intro": INTRO,
    "outro": OUTRO,
}
PROMPT = {"positive_prompt": "A kite."}
KITES = parse_brand(BRAND)


def test_an_intro_and_an_outro_stand_around_the_storyboard() -> None:
    brand = KITES
    board = parse_storyboard({"title": "Kites", "scenes": [{"image": PROMPT, "video": PROMPT}]})
    around = brand.around(board)
    assert [scene.own for scene in around.scenes] == ["title", None, "title"]
    assert (brand.seconds, brand.scenes, brand.colours.text) == (7, 2, "#ffffff")
    assert [file.sha256 for file in brand.files] == ["2" * 64]
    going_on = around.continued("It lands.", 4, at=2)
    assert [scene.continues for scene in going_on.scenes] == [False, False, True, False]
    assert going_on.scenes[3] == around.scenes[2]


@pytest.mark.parametrize(
    ("brand", "param", "says"),
    [
        ("red", "brand", "must be"),
        (
            {"typeface": "Arial"},
            "brand.typeface",
            "is not a field; allowed: colours, font, font_file, logo, intro, outro.",
        ),
        ({"font": "Inter", "font_file": FONT}, "brand.font", "must be omitted when font_file is set"),
        ({"font_file": {"sha256": "0" * 64, "kind": "woff"}}, "brand.font_file.kind", "one of ttf, otf, ttc"),
        ({"colours": {"text": "white"}}, "brand.colours.text", "must be a colour as #rrggbb"),
        ({"logo": {}}, "brand.logo.picture", "is required"),
        ({"logo": {"picture": PICTURE, "size": 2}}, "brand.logo.size", "from 0.02 to 0.5"),
        ({"logo": {"picture": PICTURE, "corner": "middle"}}, "brand.logo.corner", "one of top-left,"),
        (
            {"intro": {"image": PROMPT, "video": PROMPT}},
            "brand.intro",
            "must have one of clip, picture, title",
        ),
        ({"outro": {"title": {"text": ""}}}, "brand.outro.title.text", "1 to 200 characters"),
        ({"intro": {**INTRO, "seconds": 121}}, "brand.intro.seconds", "at most 120"),
        ({"intro": {**INTRO, "continues": True}}, "brand.intro.continues", "must be false or omitted"),
    ],
)
def test_what_is_wrong_in_a_brand_is_named(brand: Any, param: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_brand(brand)
    assert caught.value.param == param
    assert caught.value.message.startswith(param)
    assert says in caught.value.message


def test_the_files_of_a_brand_are_replaced_wherever_they_are() -> None:
    seen: dict[str, Any] = {}

    def found(file: Any, path: str) -> Any:
        seen[path] = file
        return Path(file)

    given = {"logo": {"picture": "a.png"}, "intro": {"clip": "b.mp4"}, "outro": {"picture": "c.png"}}
    replaced = with_brand_files(given, found)
    assert seen == {
        "brand.logo.picture": "a.png",
        "brand.intro.clip": "b.mp4",
        "brand.outro.picture": "c.png",
    }
    assert replaced["intro"] == {"clip": Path("b.mp4")}
    assert with_brand_files("text", found) == "text"


def a_film(engine: str = "animatic", source: FilmPlan | None = None, **fields: Any) -> FilmPlan:
    request = a_request(engine=engine, seconds=6, width=96, height=64, fps=8, **fields)
    video = a_video(request=request)
    shots = between_ends(video, prompt_shots(video, CATALOGUE[engine], source))
    return make_plan(video, CATALOGUE[engine], "Kites", shots)


def test_a_film_of_one_prompt_has_intro_and_outro_too() -> None:
    plan = a_film(brand=KITES)
    assert [scene.title for scene in plan.scenes] == ["Kite Club", "A bee on a flower", "Fly with us"]
    assert plan.frames == 8 * (4 + 6) + 20
    assert plan.clips[0].card
    assert plan.clips[0].card.colours.accent == "#ff0000"
    assert plan.uploads == [f"uploads/acme/{'2' * 64}.png"]
    bare = a_film()
    assert plan.clips[1].key_hash == bare.clips[0].key_hash, "no clip is rendered again for a brand"
    later = Origin(kind=OriginKind.EXTEND, prompt="It lands.", video="video_" + "0" * 32, seconds=2)
    longer = a_film(brand=KITES, source=plan, origin=later)
    assert [scene.title for scene in longer.scenes] == [
        "Kite Club",
        "A bee on a flower",
        "It lands.",
        "Fly with us",
    ]


def test_a_logo_changes_the_film_and_takes_time_but_no_clip() -> None:
    plain, marked = a_film(), a_film(brand=KITES.model_copy(update={"intro": None, "outro": None}))
    assert [clip.key_hash for clip in plain.clips] == [clip.key_hash for clip in marked.clips]
    assert film_hash(plain) != film_hash(marked)
    assert film_hash(plain) == film_hash(a_film(brand={"colours": {"accent": "#ff0000"}}))
    assert seconds_to_assemble(marked) > seconds_to_assemble(plain)
    assert marked.parts_to_encode == len(marked.clips)


def test_a_lower_third_changes_the_film_but_no_clip() -> None:
    def made(*thirds: LowerThird | None, **fields: Any) -> FilmPlan:
        video = a_video(request=a_request(width=96, height=64, fps=8, **fields))
        shots = [a_shot(lower_third=third) for third in thirds]
        return make_plan(video, CATALOGUE["animatic"], "Kites", shots)

    third = LowerThird(title="Ada", subtitle="Pilot")
    plain, told = made(None, None), made(None, third)
    assert [clip.key_hash for clip in plain.clips] == [clip.key_hash for clip in told.clips]
    hashes = {film_hash(one) for one in (plain, told, made(third, None))}
    assert len(hashes | {film_hash(made(None, third, brand=KITES))}) == 4
    assert (plain.parts_to_encode, told.parts_to_encode) == (0, 1)
    assert seconds_to_assemble(told) > seconds_to_assemble(plain)


def test_an_estimate_has_intro_and_outro() -> None:
    makers = Makers(AWS.with_instances({"cogvideox-5b": 3.6}), "amazon.nova-lite-v1:0", "neural")

    def estimated(**fields: Any) -> Any:
        request = a_request(engine="cogvideox-5b", width=720, height=480, fps=8, enhance=False, **fields)
        return request, estimate(request, CATALOGUE["cogvideox-5b"], makers)

    scene = {"image": PROMPT, "video": PROMPT, "seconds": 6}
    brief = Brief(topic="Kites", narrate=False, given=parse_partial({"scenes": [scene]}))
    for more in ({"seconds": 6}, {"seconds": 6, "brief": brief}):
        (request, bare), (branded, full) = estimated(**more), estimated(**more, brand=KITES)
        assert (request.expected_seconds, branded.expected_seconds) == (6, 13)
        assert (bare.clips, full.clips) == (1, 1)
        assert full.costs.clips.usd > bare.costs.clips.usd
        assert full.costs.assembly.usd > bare.costs.assembly.usd


# --- in the pictures


def grey(width: int, height: int, luma: int = 100) -> Any:
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = luma
    return planes


def red_dot(wide: int = 40, high: int = 20) -> Image.Image:
    """A red half beside a transparent one."""
    picture = Image.new("RGBA", (wide, high), (0, 0, 0, 0))
    picture.paste((255, 0, 0, 255), (0, 0, wide // 2, high))
    return picture


@pytest.mark.parametrize("film", [(320, 180), (180, 320), (256, 256)])
@pytest.mark.parametrize("corner", Corner)
def test_a_logo_is_in_its_corner_within_the_safe_area(film: tuple[int, int], corner: Corner) -> None:
    width, height = film
    planes = grey(width, height)
    laid = logo_overlay(red_dot(), [], film, corner, 0.1, 8).laid_over(planes, 3)
    changed = laid[:height] != planes[:height]
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    high = rows[-1] - rows[0] + 1
    assert high == pytest.approx(0.1 * min(film), abs=2)
    assert bool(rows[-1] < height / 2) is corner.startswith("top")
    assert bool(columns[-1] < width / 2) is corner.endswith("left")
    assert rows[0] >= 0.04 * height
    assert rows[-1] <= 0.96 * height
    assert columns[0] >= 0.04 * width
    assert columns[-1] <= 0.96 * width
    middle = rows[high // 2], columns[len(columns) // 2]
    assert laid[middle] == pytest.approx(63, abs=2), "red's luma"
    assert planes[:height].max() == 100, "the frame itself stays"


def test_a_lower_third_fades_and_leaves_room_for_captions() -> None:
    film, fps = (320, 180), 8
    third = third_overlay("Ada Lindgren", "Pilot", Colours(), film, (16, 80), fps, Fonts(), captioned=False)
    assert third
    assert (third.start, third.stop) == (20, 60), "half a second later, for five seconds"
    plain = grey(*film)
    seen = [int(np.abs(third.laid_over(plain, at).astype(int) - plain).sum()) for at in range(20, 60)]
    assert seen[0] < seen[1] == seen[20] == max(seen)
    assert seen[-1] < seen[-2]
    short = third_overlay("Ada", "", Colours(), film, (16, 24), fps, Fonts(), captioned=False)
    assert short
    assert (short.start, short.stop) == (16, 24)
    low, high = (
        lower_third("Ada", "Pilot", Colours(), film, Fonts(), captioned=captioned).getchannel("A").getbbox()
        for captioned in (False, True)
    )
    assert low
    assert high
    assert high[3] <= low[3] - 0.15 * film[1]
    assert low[3] <= 0.96 * film[1]
    assert low[0] >= 0.04 * film[0]


def test_transparency_is_kept_and_a_picture_without_it_is_whole() -> None:
    for kind, image, edge in (("PNG", red_dot(), 0), ("JPEG", red_dot().convert("RGB"), 255)):
        file = BytesIO()
        image.save(file, kind)
        shown = with_alpha(file.getvalue())
        assert (shown.mode, shown.getpixel((39, 10))[3]) == ("RGBA", edge)
        assert shown.getpixel((5, 10))[0] > 240


def test_overlays_and_captions_are_encoded_once() -> None:
    encoded: list[tuple[int, int | None, list[Any]]] = []

    def keep(part: Piece, shown: Sequence[Any], make: Callable[[], bytes]) -> Source:
        encoded.append((part.start, part.stop, [one.determines for one in shown]))
        return BytesSource(make())

    pieces = [Piece(BytesSource(clip(32)), 0), Piece(BytesSource(clip(16, seed=1)), 1)]
    cues = [Cue(Fraction(1), Fraction(2), "It flies!")]
    picture = Drawing(red_dot(96, 64))
    logo = Overlay(0, 48, picture, "logo")
    assert [piece.clip for piece in burn(pieces, cues, keep, Design(), [logo])] == [0, 1]
    assert [(start, stop) for start, stop, _ in encoded] == [(0, 32), (0, 16)]
    assert [len(shown) for _, _, shown in encoded] == [2, 1]
    whole = encoded[1]
    encoded.clear()
    burn([Piece(BytesSource(clip(24)), 0), pieces[1]], [], keep, Design(), [Overlay(0, 40, picture, "logo")])
    assert encoded[1] == whole, "it is found again in a film whose other scenes changed"
    encoded.clear()
    burn(pieces, [], keep, Design(), [Overlay(20, 28, picture, "third", 20, 28, 2)])
    assert [(start, stop) for start, stop, _ in encoded] == [(20, 32)], "up to the next keyframe"

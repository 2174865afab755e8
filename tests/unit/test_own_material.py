"""Scenes that show the user's own clip or picture, or a title card."""

from fractions import Fraction
from io import BytesIO
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from lambdas.domain import keys
from lambdas.domain.assembly import Fit, TransitionKind
from lambdas.domain.brief import Brief
from lambdas.domain.colours import Colours
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.estimate import estimate
from lambdas.domain.film_format import Framing
from lambdas.domain.film_plan import Card, FilmPlan, Footage, Picture
from lambdas.domain.origin import storyboard_shots
from lambdas.domain.planning import Own, check_pictures, make_plan
from lambdas.domain.prices import AWS, Makers
from lambdas.domain.quality import ClipMeasures, report
from lambdas.domain.storyboard import (
    SILENT,
    LowerThird,
    OwnClip,
    PartialScene,
    Recording,
    Title,
    Zoom,
    card_texts,
    parse_partial,
    parse_storyboard,
    with_own,
)
from lambdas.domain.video_request import Origin, OriginKind
from lambdas.media.cards import card_clip, title_card
from lambdas.media.conform import FilmFormat, excerpt
from lambdas.media.typesetting import Fonts
from lambdas.production.clips_to_make import clips_to_make
from tests.factories import a_request, a_shot, a_video

CLIP = {"sha256": "1" * 64, "seconds": 6.5, "sound": True}
PICTURE = {"sha256": "2" * 64, "media_type": "image/png"}
TITLE = {"text": "Kite Club"}
PROMPT = {"positive_prompt": "A kite."}
FILMED = {"image": PROMPT, "video": PROMPT}


def board(*scenes: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = with_own({"title": "Kites", "scenes": [*scenes]})
    return document


def test_what_may_be_omitted_is_filled_in() -> None:
    given = board({"clip": CLIP, "clip_start": 2}, {"picture": PICTURE}, {"title": TITLE}, FILMED)
    clip, picture, title, filmed = parse_storyboard(given).scenes
    assert [scene.own for scene in (clip, picture, title, filmed)] == ["clip", "picture", "title", None]
    assert [scene.seconds for scene in (clip, picture, title, filmed)] == [4.5, 4, 4, None]
    assert not any(scene.is_spoken for scene in (clip, picture, title))
    assert clip.narration
    assert clip.narration.text == SILENT
    assert title.video.positive_prompt == "Kite Club"
    assert filmed.narration is None
    assert parse_storyboard(with_own(given)) == parse_storyboard(given), "as it is read, it can be sent"


def test_a_card_s_prompts_follow_its_words_and_narration_gives_its_length() -> None:
    edited = {**board({"title": TITLE})["scenes"][0], "title": {"text": "Kites, Inc."}}
    said = {"picture": PICTURE, "narration": {"text": "This is our first kite."}}
    card, spoken = parse_storyboard(board(edited, said)).scenes
    assert card.image.positive_prompt == "Kites, Inc."
    assert (spoken.seconds, spoken.is_spoken) == (None, True)


@pytest.mark.parametrize(
    ("scenes", "param", "says"),
    [
        ([{"clip": CLIP, "title": TITLE}], "scenes[0].title", "must be omitted: the scene shows its clip"),
        ([FILMED, {"title": TITLE, "continues": True}], "scenes[1].continues", "shows its title"),
        ([{"picture": PICTURE, "first_frame": PICTURE}], "scenes[0].first_frame", "shows its picture"),
        (
            [{**FILMED, "meets_next": True}, {"clip": CLIP}],
            "scenes[0].meets_next",
            "next scene shows its clip",
        ),
        ([{**FILMED, "zoom": "in"}], "scenes[0].zoom", "it goes with a picture"),
        ([{"picture": PICTURE, "zoom": "up"}], "scenes[0].zoom", "one of in, out"),
        ([{"picture": PICTURE, "clip_start": 1}], "scenes[0].clip_start", "it goes with a clip"),
        ([{"clip": CLIP, "clip_start": 6.5}], "scenes[0].clip_start", "must be below 6.5"),
        ([{"clip": CLIP, "clip_start": 2, "seconds": 5}], "scenes[0].seconds", "at most 4.5, what is left"),
        ([{"title": TITLE, "seconds": 121}], "scenes[0].seconds", "at most 120"),
        ([{"title": {"subtitle": "none"}}], "scenes[0].title.text", "required"),
        ([{"title": {"text": " "}}], "scenes[0].title.text", "1 to 200 characters"),
    ],
)
def test_what_contradicts_is_named(scenes: list[dict[str, Any]], param: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_partial(board(*scenes))
    assert caught.value.param == param
    assert says in caught.value.message


def test_a_text_model_is_asked_for_the_other_scenes_only() -> None:
    whole = parse_partial(board({"title": TITLE}, {"clip": CLIP}))
    assert Brief(topic="Kites", given=whole).whole()
    brief = Brief(topic="Kites", scenes=3, seconds=18.5, given=whole)
    assert brief.whole() is None
    assert (brief.own, brief.unpictured) == ([0, 1], [2])
    assert brief.lengths() == [4, 6.5, 8], "the others share the rest of the film"


def planned(*scenes: dict[str, Any] | None, engine: str = "cogvideox-nano-i2v", **fields: Any) -> FilmPlan:
    """Plan these scenes; None: one that is filmed."""
    request = a_request(engine=engine, width=96, height=64, fps=8, **fields)
    own = {
        "clip": Own(footage=Footage(file="uploads/acme/1.mp4", start=8), sound=True),
        "title": Own(card=Card(title="Kites")),
        "edited": Own(card=Card(title="Kites, Inc.")),
        "picture": Own(card=Card(picture=Picture(key="uploads/acme/2.png", sha256="2" * 64, uploaded=True))),
    }
    shots = [a_shot(own=None if scene is None else own[scene["shows"]]) for scene in scenes]
    return make_plan(a_video(request=request), CATALOGUE[engine], "Kites", shots)


def test_no_engine_renders_the_user_s_own() -> None:
    title, clip = {"shows": "title"}, {"shows": "clip"}
    plan = planned(title, None, clip, None, transition=TransitionKind.CROSSFADE)
    opening, filmed, footage, last = plan.scenes
    renderers = {
        one.index: one.renderer for scene in clips_to_make(plan, check=False).scenes for one in scene.clips
    }
    own = {opening.clips[0].index, footage.clips[0].index}
    assert {index for index, renderer in renderers.items() if renderer == "function"} == own
    assert (opening.clips[0].is_own, footage.clips[0].is_own, filmed.clips[0].is_own) == (True, True, False)
    assert plan.first_rendered == 1
    assert (footage.clips[0].sound, plan.uploads) == (True, ["uploads/acme/1.mp4"])
    assert plan.frames == 4 * 24, "what a transition shows twice is added"
    assert last.clips[0].starts_from is None
    edited = planned({"shows": "edited"}, None, clip, None, transition=TransitionKind.CROSSFADE)
    changed = [one.key_hash != other.key_hash for one, other in zip(plan.clips, edited.clips, strict=True)]
    assert changed == [True] + [False] * (len(plan.clips) - 1)


def test_an_own_clip_is_made_again_only_where_it_would_look_or_sound_otherwise() -> None:
    def plan(**changes: Any) -> FilmPlan:
        footage = Footage(file="uploads/acme/1.mp4", start=changes.pop("start", 8))
        own = Own(footage=footage, sound=changes.pop("sound", True))
        shot = a_shot("Kites", own=own, frames=changes.pop("frames", 24))
        film = {"width": 96, "height": 64, "fps": 8, "fit": Fit.COVER, **changes}
        request = a_request(engine="cogvideox-nano", **film)
        return make_plan(a_video(request=request), CATALOGUE["cogvideox-nano"], "Kites", [shot])

    [scene] = plan().scenes
    [clip] = scene.clips
    assert (scene.index, scene.text, scene.negative_prompt, scene.chained) == (0, "Kites", "", False)
    assert (clip.index, clip.prompt, clip.skip_frames, clip.seed) == (0, "", 0, 0)
    assert (clip.fit, clip.card, clip.sound) == (Fit.COVER, None, True)
    others: list[dict[str, Any]] = [
        *({"width": 128}, {"height": 96}, {"fps": 16}, {"frames": 16}, {"fit": Fit.BLUR}),
        *({"start": 9}, {"sound": False}),
    ]
    addresses = {clip.key_hash, *(plan(**other).clips[0].key_hash for other in others)}
    assert len(addresses) == 1 + len(others)


def test_files_are_kept_by_their_content_and_kind() -> None:
    sha256 = "a" * 64
    clip = OwnClip(sha256=sha256, seconds=2, sound=False)
    recording = Recording(sha256=sha256, seconds=2, kind="flac")
    assert clip.key("acme") == keys.upload("acme", sha256, "mp4")
    assert recording.key("acme") == keys.upload("acme", sha256, "flac")


def test_words_in_pictures_are_named_by_their_fields() -> None:
    scene = PartialScene(
        title=Title(text="Kites", subtitle="of paper"),
        lower_third=LowerThird(title="Ada", subtitle="maker of kites"),
    )
    assert card_texts(scene) == {
        "title.text": "Kites",
        "title.subtitle": "of paper",
        "lower_third.title": "Ada",
        "lower_third.subtitle": "maker of kites",
    }
    assert card_texts(PartialScene()) == {}


def test_the_film_s_first_and_last_picture_are_those_of_what_is_filmed() -> None:
    image = {"key": "uploads/acme/9.png", "sha256": "9" * 64, "width": 8, "height": 8}
    title = {"shows": "title"}
    last = {"last_image": image}
    bare = planned(title, None, title)
    assert planned(title, None, title, image=image).clips[1].key_hash != bare.clips[1].key_hash
    assert planned(title, None, title, **last).scenes[1].ends_on
    scenes = parse_storyboard(board({"title": TITLE}, FILMED, {"clip": CLIP})).scenes
    needs = CATALOGUE["wan2.1-flf2v-14b"]
    check_pictures(scenes, needs, stills=True, last_image=True)
    with pytest.raises(InvalidRequest) as caught:
        check_pictures(scenes, needs, stills=True)
    assert caught.value.param == "scenes[1].last_frame"


def test_an_edited_card_is_the_only_scene_made_again() -> None:
    before = parse_storyboard(board({"title": TITLE}, FILMED))
    after = parse_storyboard(board({"title": {"text": "Kites"}}, FILMED))
    plan = planned({"shows": "title"}, None)
    shots = [a_shot(own=Own(card=Card(title="Kites"))), a_shot()]
    origin = Origin(kind=OriginKind.EDIT, prompt="", video="video_" + "0" * 32)
    card, filmed = storyboard_shots(
        shots, after, CATALOGUE["cogvideox-nano-i2v"], origin=origin, source=plan, before=before
    )
    assert filmed == plan.scenes[1]
    assert card != plan.scenes[0]


def test_only_what_an_engine_renders_costs_its_price() -> None:
    makers = Makers(AWS.with_instances({"cogvideox-5b": 3.6}), "amazon.nova-lite-v1:0", "neural")

    def estimated(*scenes: dict[str, Any]) -> Any:
        brief = Brief(topic="Kites", narrate=False, given=parse_partial(board(*scenes)))
        request = a_request(engine="cogvideox-5b", seconds=10, width=720, height=480, fps=8, brief=brief)
        return estimate(request, CATALOGUE["cogvideox-5b"], makers)

    filmed = estimated({**FILMED, "seconds": 6})
    both = estimated({**FILMED, "seconds": 6}, {"title": TITLE})
    assert (filmed.clips, both.clips) == (1, 1)
    drawing = both.costs.clips.usd - filmed.costs.clips.usd
    assert 0 < drawing < 0.001, "a function draws it"
    assert both.took > filmed.took
    alone = estimated({"title": TITLE}, {"picture": PICTURE})
    assert (alone.clips, alone.costs.stills.usd) == (0, 0)
    assert alone.costs.clips.usd == pytest.approx(2 * drawing)


def frames_of(mp4: bytes) -> list[Any]:
    with av.open(BytesIO(mp4)) as container:
        return [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]


def png(width: int, height: int) -> bytes:
    """A blue picture with a red middle of a quarter of its width and height."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 2] = 200
    picture[3 * height // 8 : 5 * height // 8, 3 * width // 8 : 5 * width // 8] = (220, 0, 0)
    file = BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def red(frame: Any) -> Any:
    return (frame[..., 0] > 110) & (frame[..., 2] < 100)


@pytest.mark.parametrize("fit", Framing)
def test_a_picture_fills_the_film_as_its_setting_says(fit: Framing) -> None:
    frames = frames_of(card_clip(Card(), png(160, 80), (64, 96), 8, 3, fit, Fonts()))
    assert len(frames) == 3
    corner, middle = frames[0][4, 4], frames[0][48, 32]
    assert middle[0] > 150
    assert bool(corner.max() < 20) is (fit is Framing.CONTAIN), "bars are black, else blue"
    assert red(frames[0]).sum() > 500 if fit is Framing.COVER else red(frames[0]).sum() < 300
    assert np.abs(frames[0] - frames[2]).mean() < 1, "it is held"


def test_a_zoom_is_slow_and_even() -> None:
    frames = frames_of(card_clip(Card(zoom=Zoom.IN), png(128, 128), (128, 128), 8, 9, Framing.COVER, Fonts()))
    sizes = [red(frame).sum() ** 0.5 for frame in frames]
    assert sizes == sorted(sizes)
    assert sizes[-1] / sizes[0] == pytest.approx(1.12, abs=0.04)
    out = frames_of(card_clip(Card(zoom=Zoom.OUT), png(128, 128), (128, 128), 8, 9, Framing.COVER, Fonts()))
    assert np.abs(out[-1] - frames[0]).mean() < 3


@pytest.mark.parametrize("size", [(320, 180), (180, 320), (256, 256)])
@pytest.mark.parametrize(
    "text", ["Hi", "A title that is so long that it needs several lines to be read " * 3]
)
def test_a_title_card_shows_its_words_inside_the_margins(size: tuple[int, int], text: str) -> None:
    colours = Colours(background="#ffffff", text="#000000", accent="#ff0000")
    card = np.asarray(title_card(text[:200], "And a subtitle", size, colours, Fonts())).astype(int)
    drawn = card.min(axis=2) < 128
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    assert columns[0] >= 0.09 * size[0]
    assert columns[-1] <= 0.91 * size[0]
    assert rows[0] >= 0.04 * size[1]
    assert rows[-1] <= 0.96 * size[1]
    assert ((card[..., 0] > 200) & (card[..., 1] < 60)).any(), "the bar has the accent's colour"
    assert (drawn & (card.max(axis=2) < 60)).sum() > 20, "the words have the text's"


@pytest.mark.parametrize(("fit", "bars"), [(Fit.COVER, False), (Fit.FIT, True), (Fit.BLUR, False)])
def test_a_clip_fills_the_film_as_its_setting_says(fit: Fit, bars: bool) -> None:
    source = card_clip(Card(), png(160, 80), (160, 80), 8, 8, Framing.COVER, Fonts())
    made = excerpt(source, FilmFormat(64, 96, Fraction(8)), fit, start=2, frames=4, lead=0)
    frames = frames_of(made)
    assert (len(frames), frames[0].shape) == (4, (96, 64, 3))
    assert bool(frames[0][4, 4].max() < 20) is bars
    assert frames[0][48, 32][0] > 150
    if fit is Fit.BLUR:
        assert frames[0][4, 4][2] > 120


def test_a_held_picture_and_a_title_card_are_no_faults() -> None:
    black, held = ((0.0, 3.0),), ((0.0, 3.0),)
    dark = ClipMeasures(seconds=3, height=64, black=black, frozen=held, low=16, high=40)
    still = ClipMeasures(seconds=3, height=64, frozen=held, low=16, high=235)
    cards = planned({"shows": "title"}, {"shows": "picture"})
    assert report(cards, [dark, still], None, ()).warnings == 0
    filmed = planned(None, None, engine="animatic")
    assert report(filmed, [dark, still], None, ()).warnings > 0

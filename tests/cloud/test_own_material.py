"""What the API takes of scenes that show the user's own material."""

import json
from base64 import b64encode
from typing import Any

import httpx
import pytest

from lambdas.adapters import stores
from lambdas.intake.scene_frames import MOST_CLIPS_SENT
from lambdas.media.font import FONT
from tests.cloud.deployment import Deployment, png
from tests.cloud.rest import call, create, gateway
from tests.cloud.servers import serving
from tests.cloud.test_api import stored
from tests.cloud.test_uploads import sent
from tests.media.clips import clip
from tests.media.files import with_sound
from tests.media.sounds import encoded, tone

SPOKEN = with_sound()
URL = "data:video/mp4;base64," + b64encode(SPOKEN).decode()
PICTURE = {"image_url": "data:image/png;base64," + b64encode(png(5)).decode()}
FILMED = {"image": {"positive_prompt": "A kite."}, "video": {"positive_prompt": "A kite."}, "seconds": 2}
TITLE = {"title": {"text": "Kite Club", "subtitle": "How our kites are made"}}


def a_film(*scenes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"storyboard": {"title": "Kites", "scenes": scenes}, "size": "320x180", "narrate": False, **fields}


def refused(**fields: Any) -> dict[str, Any]:
    answer = call("POST", "/v1/videos", body=fields)
    assert answer.status == 400, answer.text
    return answer.error


def test_a_scene_may_be_a_clip_a_picture_or_a_title_card(queue: Deployment) -> None:
    own = {"clip": sent(SPOKEN, "video/mp4")}
    scenes = [TITLE, own, FILMED, {"picture": PICTURE, "zoom": "in", "seconds": 3}]
    request = stored(create(prompt=None, **a_film(*scenes)))
    assert request.brief
    assert request.brief.whole(), "no text model is asked"
    title, clip_, filmed, picture = request.brief.given.scenes
    assert (request.seconds, title.seconds, clip_.seconds, picture.seconds) == (10, 4, 1, 3)
    assert clip_.clip
    assert (clip_.clip.seconds, clip_.clip.sound) == (1, True)
    inputs = stores.inputs(queue.settings)
    assert inputs.get(clip_.clip.key("acme")) == SPOKEN
    assert picture.picture
    assert inputs.get(picture.picture.key("acme")) == png(5)
    assert filmed.narration is None
    # As it is read, a storyboard can be sent again.
    again = [one.model_dump(exclude_none=True) for one in request.brief.given.scenes]
    assert stored(create(prompt=None, **a_film(*again))).brief.given == request.brief.given


def test_an_estimate_counts_what_an_engine_renders(queue: Deployment) -> None:
    body = a_film(TITLE, {"clip": {"video_url": URL}}, FILMED)
    answer = call("POST", "/v1/videos", body=body, query={"dry_run": "true"})
    assert answer.status == 200, answer.text
    assert (answer.json["seconds"], answer.json["clips"]) == ("7", 1)


NO_PICTURE = encoded(tone(2, 440), "m4a").read()


@pytest.mark.parametrize(
    ("scene", "param", "says"),
    [
        ({"clip": {"file_id": "file_x"}}, "clip.file_id", "one of your uploads"),
        ({"clip": "https://example.com/a.mp4"}, "clip", "must be a file, or"),
        ({"clip": NO_PICTURE}, "clip", "decodable MP4 file of at most 60 s"),
        ({"clip": b"no clip"}, "clip", "decodable MP4 file"),
        ({"clip": clip(61, fps=1)}, "clip", "at most 60 s; got 61 s"),
        (
            {"clip": {"sha256": "0" * 64, "seconds": 2, "sound": True}},
            "clip.sha256",
            "that of a clip that one",
        ),
        ({"clip": URL, "title": {"text": "Kites"}}, "title", "must be omitted: the scene shows its clip"),
        ({"clip": URL, "seconds": 2}, "seconds", "at most 1, what is left of its clip"),
        ({"picture": "data:image/png;base64,AAAA"}, "picture", "PNG, JPEG or WebP"),
        ({"title": {"text": "\U00016fff"}}, "title.text", "can't be drawn into the picture"),
    ],
)
def test_material_that_can_t_be_used_is_named(
    queue: Deployment, scene: dict[str, Any], param: str, says: str
) -> None:
    if isinstance(data := scene.get("clip"), bytes):
        scene = {"clip": "data:video/mp4;base64," + b64encode(data).decode()}
    error = refused(**a_film(FILMED, scene))
    assert error["param"] == f"scenes[1].{param}"
    assert says in error["message"]


SPEECH = encoded(tone(2, 440), "mp3").read()
SPEECH_URL = {"audio_url": "data:audio/mpeg;base64," + b64encode(SPEECH).decode()}


def test_a_scene_may_play_a_recording_as_its_narration(queue: Deployment) -> None:
    scenes = [
        {**FILMED, "seconds": None, "narration": {"recording": SPEECH_URL, "text": "Kites."}},
        {**TITLE, "seconds": None, "narration": {"recording": sent(SPEECH, "audio/mpeg")}},
    ]
    request = stored(create(prompt=None, **a_film(*scenes, captions=True)))
    assert request.brief
    told, silent = (scene.narration for scene in request.brief.given.scenes)
    assert told
    assert silent
    assert (told.text, silent.text) == ("Kites.", "♪")
    assert told.recording
    assert told.recording == silent.recording
    assert (told.recording.kind, told.recording.seconds) == ("mp3", pytest.approx(2, abs=0.1))
    assert stores.inputs(queue.settings).get(told.recording.key("acme")) == SPEECH
    assert request.seconds == 6, "two recordings of 2 s, each with the silence around it"
    again = [one.model_dump(exclude_none=True) for one in request.brief.given.scenes]
    assert stored(create(prompt=None, **a_film(*again, captions=True))).brief.given == request.brief.given


@pytest.mark.parametrize(
    ("narration", "param", "says"),
    [
        ({"recording": "data:audio/wav;base64,AAAA"}, "recording", "0.5 to 300 seconds of sound"),
        ({"recording": {"file_id": "file_x"}}, "recording.file_id", "one of your uploads"),
        ({"recording": "https://example.com/a.wav"}, "recording", "must be a file, or"),
        (
            {"recording": {"sha256": "0" * 64, "kind": "mp3", "seconds": 2}},
            "recording.sha256",
            "that of a recording that one of your videos has",
        ),
        ({"recording": SPEECH_URL, "speed": 1.1}, "speed", "a recording plays at its own speed"),
        ({"recording": SPEECH_URL, "text": "Far too many words. " * 12}, "text", "but its recording lasts 2"),
    ],
)
def test_recordings_that_can_t_be_used_are_named(
    queue: Deployment, narration: dict[str, Any], param: str, says: str
) -> None:
    error = refused(**a_film(FILMED, {**FILMED, "narration": narration}))
    assert error["param"] == f"scenes[1].narration.{param}"
    assert says in error["message"]


def test_a_recording_longer_than_its_scene_is_noted_or_refused(queue: Deployment) -> None:
    film = a_film({**FILMED, "narration": {"recording": SPEECH_URL}})
    [note] = create(prompt=None, **film)["notes"]
    assert "longer than these scenes, counted from 0: 0 (3 s of 2 s)" in note
    error = refused(**film, narration_fit="refuse")
    assert error["param"] == "scenes[0].narration.recording"
    assert "s longer than its 2 s scene" in error["message"]


def test_a_request_has_room_for_some_clips_only(queue: Deployment) -> None:
    error = refused(**a_film(*[{"clip": URL}] * (MOST_CLIPS_SENT + 1)))
    assert error["param"] == f"scenes[{MOST_CLIPS_SENT}].clip"
    assert f"may bring {MOST_CLIPS_SENT}" in error["message"]


def test_the_sound_of_own_clips_may_be_set_with_an_engine_that_has_none(queue: Deployment) -> None:
    own = stored(create(prompt=None, **a_film(FILMED, {"clip": URL}, clip_sound="keep")))
    assert own.clip_sound == "keep"
    error = refused(**a_film(FILMED, TITLE, clip_sound="keep"))
    assert error["param"] == "clip_sound"


LOGO = {"logo": {"picture": PICTURE, "corner": "top-right"}}


def test_a_brand_is_taken_with_its_files(queue: Deployment) -> None:
    brand = {**LOGO, "colours": {"accent": "#d1495b"}, "intro": TITLE, "outro": {"clip": URL}}
    request = stored(create(prompt=None, **a_film(FILMED, brand=brand)))
    assert request.brand
    assert request.brand.logo
    assert (request.brand.logo.corner, request.brand.colours.accent) == ("top-right", "#d1495b")
    inputs = stores.inputs(queue.settings)
    assert [inputs.exists(file.key("acme")) for file in request.brand.files] == [True, True]
    assert request.brand.outro
    assert request.brand.outro.seconds == 1
    assert (request.seconds, request.expected_seconds) == (2, 7)
    form = {"prompt": "A kite", "size": "320x180", "brand": json.dumps(brand)}
    with serving(gateway("acme")) as url:
        answer = httpx.post(f"{url}/v1/videos", data=form, files={"input_reference": ("a.png", png(5))})
    assert answer.status_code == 200, answer.text
    assert stored(answer.json()).brand == request.brand
    assert answer.json()["seconds"] == "9"


def test_a_brand_s_font_letters_cards_and_captions(queue: Deployment) -> None:
    font = FONT.read_bytes()
    said = {**FILMED, "narration": {"text": "It flies."}}
    given = {"font_url": "data:font/otf;base64," + b64encode(font).decode()}
    film = a_film(said, brand={"font_file": given, "intro": TITLE}, narrate=True, captions=True)
    request = stored(create(prompt=None, **film))
    assert request.brand
    assert request.brand.font_file
    key = request.brand.font_file.key("acme")
    assert stores.inputs(queue.settings).get(key) == font
    assert request.caption_look.font_file
    assert request.caption_look.font_file.key == key
    film["brand"] = request.brand.model_dump(mode="json", exclude_none=True)  # as it was read
    same = stored(create(prompt=None, **film, caption_font="Noto Sans"))
    assert same.brand == request.brand
    assert (same.caption_look.font, same.caption_look.font_file) == ("Noto Sans", None)
    uploaded = {"font_file": sent(font, "font/otf")}
    brand = stored(create(prompt=None, **a_film(FILMED, brand=uploaded))).brand
    assert brand
    assert brand.font_file == request.brand.font_file
    error = refused(**a_film({"title": {"text": "\u51e7"}}, brand=uploaded))
    assert error["param"] == "scenes[0].title.text"
    assert "lacks \u51e7" in error["message"]


@pytest.mark.parametrize(
    ("brand", "param", "says"),
    [
        ({"logo": {"picture": "data:image/png;base64,AAAA"}}, "brand.logo.picture", "PNG, JPEG or WebP"),
        ({"intro": {"clip": {"file_id": "file_x"}}}, "brand.intro.clip.file_id", "one of your uploads"),
        ({"outro": {"title": {"text": "\U00016fff"}}}, "brand.outro.title.text", "every font here lacks"),
        (
            {"font": "Inter", "outro": {"title": {"text": "\u0e01\u0e32"}}},
            "brand.outro.title.text",
            "the font Inter lacks",
        ),
        ({"font": "Comic Lettering"}, "brand.font", "Noto Sans Thai"),
        ({"font_file": "data:font/ttf;base64,AAAA"}, "brand.font_file", "a TrueType or OpenType font"),
        (
            {"font_file": {"sha256": "0" * 64, "kind": "otf"}},
            "brand.font_file.sha256",
            "that of a font that one of your videos has",
        ),
        (
            {"intro": {**TITLE, "narration": {"text": "Hi."}}},
            "brand.intro.narration",
            "omitted with prompt",
        ),
        ("{", "brand", "invalid JSON"),
    ],
)
def test_a_brand_that_can_t_be_used_is_named(queue: Deployment, brand: Any, param: str, says: str) -> None:
    error = refused(prompt="A kite", brand=brand)
    assert error["param"] == param
    assert says in error["message"]

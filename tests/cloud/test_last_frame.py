"""What the API takes of sound and last frames, on a deployment whose workflow gives and takes them."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lambdas.adapters import stores
from lambdas.api.request import settings
from lambdas.domain.engines import Workflow
from lambdas.intake.scene_frames import MOST_SENT
from lambdas.settings import env_of
from tests.cloud.deployment import Deployment, png
from tests.cloud.rest import call, create, gateway
from tests.cloud.servers import serving
from tests.cloud.test_api import stored
from tests.cloud.test_uploads import sent

LAST = png(6)
URL = "data:image/png;base64," + b64encode(LAST).decode()
SIZE = {"model": "comfyui", "size": "96x64", "fps": 8, "enhance": False}
OF_SCENES = {name: value for name, value in SIZE.items() if name != "enhance"}


@pytest.fixture(autouse=True)
def workflow(queue: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    takes = ("prompt", "image", "last_image", "width", "height", "frames", "fps", "seed")
    document = Workflow(revision="1", takes=takes).model_dump_json()
    given = queue.settings.model_copy(update={"engines": "comfyui,cogvideox-2b", "workflow": document})
    for name, value in env_of(given).items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


def refused(**fields: Any) -> dict[str, Any]:
    answer = call("POST", "/v1/videos", body={"prompt": "A bee", **fields})
    assert answer.status == 400, answer.text
    return answer.error


def a_scene(**fields: Any) -> dict[str, Any]:
    return {"image": {"positive_prompt": "A bee."}, "video": {"positive_prompt": "A bee."}, **fields}


def test_the_engine_says_what_it_takes_and_gives() -> None:
    model = call("GET", "/v1/models/comfyui").json
    assert (model["last_image"], model["sound"]) == ("optional", True)
    other = call("GET", "/v1/models/cogvideox-2b").json
    assert (other["last_image"], other["sound"]) == ("none", False)


def test_a_last_frame_may_be_sent_in_any_form() -> None:
    first = {"image_url": "data:image/png;base64," + b64encode(png(5)).decode()}
    for last in (URL, {"image_url": URL}):
        request = stored(create(**SIZE, input_reference=first, last_frame=last))
        assert request.last_image
        assert request.last_image.sha256 == hashlib.sha256(LAST).hexdigest()
    with serving(gateway("acme")) as url:
        answer = httpx.post(
            f"{url}/v1/videos",
            data={"prompt": "A bee", **SIZE, "fps": "8", "clip_sound": "keep"},
            files={"input_reference": ("a.png", png(5)), "last_frame": ("b.png", LAST)},
        )
    assert answer.status_code == 200, answer.text
    request = stored(answer.json())
    assert request.last_image
    assert request.last_image.key in request.uploads
    assert request.clip_sound == "keep"
    assert answer.json()["assembly"]["clip_sound"] == "keep"


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"model": "cogvideox-2b", "last_frame": URL}, "last_frame", "choose an engine that does: comfyui."),
        (
            {"model": "cogvideox-2b", "clip_sound": "keep"},
            "clip_sound",
            "choose an engine that does: comfyui.",
        ),
        (
            {"model": "cogvideox-2b", "generate_sound": True},
            "generate_sound",
            "omit generate_sound or choose an engine that does: comfyui.",
        ),
        ({"last_frame": "https://example.com/a.png"}, "last_frame", "last_frame must be a file, or"),
        ({"last_frame": {"file_id": "file_x"}}, "last_frame.file_id", "one of your uploads"),
        (
            {**SIZE, "input_reference": URL, "last_frame": "data:image/png;base64,AAAA"},
            "last_frame",
            "last_frame",
        ),
        ({"clip_sound": "loud"}, "clip_sound", "clip_sound must be one of keep, duck, drop; got 'loud'."),
    ],
)
def test_what_can_t_be_taken_is_named(fields: dict[str, Any], param: str, says: str) -> None:
    error = refused(**fields)
    assert error["param"] == param
    assert says in error["message"]


def test_an_engine_without_sound_may_be_told_to_leave_it_out() -> None:
    assert stored(create(model="cogvideox-2b", clip_sound="drop")).clip_sound == "drop"
    assert stored(create(model="cogvideox-2b")).clip_sound == "duck"


def test_scenes_that_meet_need_an_engine_and_stills() -> None:
    board = {"title": "Bees", "scenes": [a_scene(seconds=2, meets_next=True), a_scene(seconds=2)]}
    film = {"prompt": None, "storyboard": board, "narrate": False}
    assert stored(create(**OF_SCENES, **film)).brief.given.scenes[0].meets_next
    error = refused(**film, model="cogvideox-2b")
    assert error["param"] == "scenes[0].meets_next"
    assert "choose an engine that does: comfyui." in error["message"]
    board["scenes"].reverse()
    error = refused(**film, **OF_SCENES)
    assert (error["param"], "no scene comes after it" in error["message"]) == ("scenes[1].meets_next", True)


def a_film(*scenes: dict[str, Any]) -> dict[str, Any]:
    return {**OF_SCENES, "prompt": None, "narrate": False, "storyboard": {"title": "Bees", "scenes": scenes}}


def test_a_scene_may_give_its_own_pictures(queue: Deployment) -> None:
    first, last = png(5), png(6)
    scene = a_scene(seconds=2, first_frame=sent(first, "image/png"), last_frame={"image_url": URL})
    video = create(**a_film(scene, a_scene(seconds=2, first_frame=URL)))
    request = stored(video)
    assert request.stills is None, "each scene has a picture to start from"
    assert request.brief
    one, other = request.brief.given.scenes
    assert one.first_frame
    assert one.first_frame.sha256 == hashlib.sha256(first).hexdigest()
    assert one.last_frame == other.first_frame
    inputs = stores.inputs(queue.settings)
    assert inputs.get(one.first_frame.key("acme")) == first
    assert other.first_frame
    assert inputs.get(other.first_frame.key("acme")) == last
    # As it is read, a storyboard can be sent again; its pictures stay while a video has them.
    again = [one.model_dump(exclude_none=True) for one in request.brief.given.scenes]
    assert stored(create(**a_film(*again))).brief.given.scenes == request.brief.given.scenes
    call("DELETE", f"/v1/videos/{video['id']}")
    assert inputs.exists(one.first_frame.key("acme"))
    # A scene without one needs a still; scenes that meet take the given picture.
    assert stored(create(**a_film(scene, a_scene(seconds=2)))).stills
    meets = a_film(a_scene(seconds=2, first_frame=URL, meets_next=True), again[1])
    assert stored(create(**meets)).stills is None
    form = {name: str(value) for name, value in OF_SCENES.items()}
    form |= {"narrate": "false", "storyboard": json.dumps(a_film(scene)["storyboard"])}
    with serving(gateway("acme")) as url:
        answer = httpx.post(f"{url}/v1/videos", data=form, files={"last_frame": ("b.png", LAST)})
    assert answer.status_code == 200, answer.text
    assert stored(answer.json()).brief.given.scenes[0] == one


@pytest.mark.parametrize(
    ("scene", "param", "says"),
    [
        ({"first_frame": "https://example.com/a.png"}, "first_frame", "must be a file, or"),
        ({"first_frame": {"file_id": "file_x"}}, "first_frame.file_id", "one of your uploads"),
        ({"last_frame": {"image_url": "data:image/png;base64,AAAA"}}, "last_frame", "PNG, JPEG or WebP"),
        (
            {"last_frame": {"sha256": "0" * 64, "media_type": "image/png"}},
            "last_frame.sha256",
            "that of a picture that one of your videos has",
        ),
        ({"last_frame": 7}, "last_frame", "must be a file, or"),
        ({"last_frame": {"sha256": "0"}}, "last_frame.sha256", "64 hexadecimal digits"),
    ],
)
def test_a_scene_s_picture_that_can_t_be_read_is_named(scene: dict[str, Any], param: str, says: str) -> None:
    error = refused(**a_film(a_scene(seconds=2), a_scene(seconds=2, **scene)))
    assert error["param"] == f"scenes[1].{param}"
    assert says in error["message"]


def test_a_request_has_room_for_some_pictures_only() -> None:
    scenes = [a_scene(seconds=1, first_frame=URL, last_frame=URL) for _ in range(MOST_SENT // 2 + 1)]
    error = refused(**a_film(*scenes))
    assert error["param"] == f"scenes[{MOST_SENT // 2}].first_frame"
    assert f"may bring {MOST_SENT}" in error["message"]

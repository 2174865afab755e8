"""What the API takes of sound and last frames, on a deployment whose workflow gives and takes them."""

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lambdas.api.request import settings
from lambdas.domain.engines import Workflow
from lambdas.settings import env_of
from tests.cloud.deployment import Deployment, png
from tests.cloud.rest import call, create, gateway
from tests.cloud.servers import serving
from tests.cloud.test_api import stored

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
    for sent in (URL, {"image_url": URL}):
        request = stored(create(**SIZE, input_reference=first, last_frame=sent))
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

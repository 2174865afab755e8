"""OpenAI's remix, edit and extend through the REST API, over a local AWS, with OpenAI's clients."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import openai
import pytest

from lambdas.adapters import stores
from lambdas.adapters.shared_objects import artifacts
from lambdas.adapters.storyboards import Storyboards
from lambdas.adapters.videos import Videos
from lambdas.api.request import settings
from lambdas.domain import keys
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.film_plan import FilmPlan, film_hash
from lambdas.domain.origin import prompt_shots
from lambdas.domain.planning import make_plan
from lambdas.domain.storyboard import Storyboard
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipProgress, ClipState
from lambdas.domain.video_request import Origin, OriginKind
from tests.cloud.deployment import Deployment, png
from tests.cloud.rest import Answer, call, complete, create, gateway
from tests.cloud.servers import serving
from tests.factories import a_shot
from tests.media.clips import clip, pictures
from tests.media.files import flat, recorded
from tests.media.flashes import flashing
from tests.media.test_upload import damaged, turned

OLD_OPENAI = Path(__file__).parents[2] / ".venv" / "openai-2.2.0"
SCENE = {"image": {"positive_prompt": "A kite."}, "video": {"positive_prompt": "A kite."}, "seconds": 2}
BOARD = {"title": "Kites", "style": "Ink.", "scenes": [SCENE, SCENE]}


def now(id_: str, tenant: str = "acme") -> Video:
    return stores.videos(settings()).get(tenant, id_)


def filmed(tenant: str = "acme", **fields: Any) -> str:
    """Return a completed video with its plan and storyboard."""
    id_: str = create(tenant, **{"size": "128x96", "fps": 8} | fields)["id"]
    video, outputs = now(id_, tenant), stores.outputs(settings())
    engine = CATALOGUE[video.request.engine]
    changes: dict[str, Any] = {}
    if video.request.brief is None:
        shots = prompt_shots(video, engine, None)
    else:
        board = Storyboard.model_validate(BOARD)
        sha256 = Storyboards(outputs).put(video, board)
        changes = {"storyboard": sha256, "filmed": sha256}
        shots = [a_shot(scene.video.positive_prompt, frames=16) for scene in board.scenes]
    plan = make_plan(video, engine, video.request.prompt, shots)
    outputs.put(keys.film_plan(tenant, id_), plan.model_dump_json().encode(), "application/json")
    clips = [ClipProgress(state=ClipState.DONE, seconds=one.film_frames / 8) for one in plan.clips]
    complete(id_, tenant, clips=clips, **changes)
    return id_


def post(path: str, tenant: str = "acme", headers: dict[str, str] | None = None, **body: Any) -> Answer:
    return call("POST", f"/v1/videos{path}", body=body, tenant=tenant, headers=headers)


def origin(answer: Answer) -> Origin:
    assert answer.status == 200, answer.text
    found = now(answer.json["id"]).request.origin
    assert found
    return found


def taken_over(id_: str) -> FilmPlan:
    outputs = stores.outputs(settings())
    return FilmPlan.model_validate_json(outputs.get(keys.origin_plan("acme", id_)))


# --- remix


def test_a_remix_is_the_source_s_request_with_the_change(queue: Deployment) -> None:
    source = filmed(seconds=3, steps=4, transition="fade")
    queue.messages()
    answer = post(f"/{source}/remix", prompt="Make it night")
    video = answer.json
    assert (video["remixed_from_video_id"], video["prompt"]) == (source, "Make it night")
    assert video["origin"] == {"video": source, "kind": "remix", "strength": None}
    assert (video["status"], video["seconds"], video["size"]) == ("queued", "3", "128x96")
    assert video["seed"] == now(source).seed
    request, before = now(video["id"]).request, now(source).request
    update = {"origin": None, "seed": before.seed, "prompt": before.prompt}
    assert request.prompt == "A bee. Make it night"
    assert request.model_copy(update=update) == before
    assert origin(answer).paragraphs == ("A bee",)
    assert queue.messages() == [{"tenant": "acme", "video_id": video["id"]}]


def test_reused_parts_outlive_the_source(queue: Deployment) -> None:
    image = f"data:image/png;base64,{base64.b64encode(png(5)).decode()}"
    fields = {"prompt": None, "storyboard": BOARD, "narrate": False, "input_reference": {"image_url": image}}
    source = filmed("inheritors", **fields)
    outputs, videos = stores.outputs(settings()), stores.videos(settings())
    [uploaded] = [key for key in queue.keys("input", "uploads/inheritors/") if key.endswith(".png")]
    made = artifacts(outputs, "inheritors", source, videos)
    plan = FilmPlan.model_validate_json(outputs.get(keys.film_plan("inheritors", source)))
    film, clips = keys.film("inheritors", film_hash(plan)), plan.artifacts
    for key in (film, *clips):
        assert not made.find(key)
        made.put(key, b"part", "video/mp4")
    answer = post(f"/{source}/remix", "inheritors", prompt="Make it night")
    id_ = answer.json["id"]
    sha256 = now(id_, "inheritors").request.origin.storyboard
    assert call("DELETE", f"/v1/videos/{source}", tenant="inheritors").status == 200
    plan = FilmPlan.model_validate_json(outputs.get(keys.origin_plan("inheritors", id_)))
    assert len(plan.scenes) == 2
    assert all(map(outputs.exists, clips))
    assert not outputs.exists(film), "the remix can't use the source's whole film"
    assert stores.inputs(settings()).exists(uploaded)
    assert sha256
    board = Storyboards(stores.outputs(settings())).of(now(id_, "inheritors"), sha256)
    assert board == Storyboard.model_validate(BOARD)
    assert call("DELETE", f"/v1/videos/{id_}", tenant="inheritors").status == 200
    assert not [key for bucket in ("input", "output") for key in queue.keys(bucket) if "/inheritors/" in key]


def test_a_video_that_is_being_deleted_can_t_be_remixed(queue: Deployment) -> None:
    image = {"image_url": f"data:image/png;base64,{base64.b64encode(png(6)).decode()}"}
    source = filmed("late", prompt=None, storyboard=BOARD, narrate=False, input_reference=image)
    before = queue.keys("input", "uploads/late/")
    stores.videos(settings()).amend(now(source, "late"), deleting=True)
    refused = post(f"/{source}/remix", "late", prompt="Make it night")
    assert (refused.status, refused.error["param"]) == (404, "video")
    assert queue.keys("input", "uploads/late/") == before


def test_a_remix_that_is_just_being_created_keeps_what_it_takes_over(
    queue: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its source is deleted after it has looked and before it is recorded."""
    source = filmed("quick", prompt=None, storyboard=BOARD, narrate=False)
    outputs, videos = stores.outputs(settings()), stores.videos(settings())
    plan = FilmPlan.model_validate_json(outputs.get(keys.film_plan("quick", source)))
    made = artifacts(outputs, "quick", source, videos)
    for key in plan.artifacts:
        made.find(key)
        made.put(key, b"part", "video/mp4")
    create_noted = Videos.create_noted

    def deleted_before(self: Videos, *given: Any) -> Video | None:
        assert call("DELETE", f"/v1/videos/{source}", tenant="quick").status == 200
        return create_noted(self, *given)

    monkeypatch.setattr(Videos, "create_noted", deleted_before)
    assert post(f"/{source}/remix", "quick", prompt="Make it night").status == 200
    assert all(map(outputs.exists, plan.artifacts))


def test_a_remix_may_be_remixed(queue: Deployment) -> None:
    source = filmed()
    first = post(f"/{source}/remix", prompt="Make it night").json["id"]
    outputs = stores.outputs(settings())
    plan = make_plan(
        now(first),
        CATALOGUE["animatic"],
        "A bee",
        prompt_shots(now(first), CATALOGUE["animatic"], taken_over(first)),
    )
    outputs.put(keys.film_plan("acme", first), plan.model_dump_json().encode(), "application/json")
    complete(first)
    second = post(f"/{first}/remix", prompt="Add rain")
    assert origin(second).paragraphs == ("A bee. Make it night",)
    assert now(second.json["id"]).request.prompt == "A bee. Make it night. Add rain"


def test_one_key_makes_one_remix(queue: Deployment) -> None:
    source = filmed()
    headers = {"Idempotency-Key": "remix-1"}
    first, second = (post(f"/{source}/remix", headers=headers, prompt="Night") for _ in range(2))
    assert first.json["id"] == second.json["id"]
    assert post(f"/{source}/remix", headers=headers, prompt="Day").status == 409
    assert post(f"/{source}/remix", prompt="Night").json["id"] != first.json["id"]


def test_a_client_s_retry_makes_no_second_remix(queue: Deployment) -> None:
    source = filmed()
    first = post(f"/{source}/remix", prompt="Night").json["id"]
    retry = post(f"/{source}/remix", headers={"x-stainless-retry-count": "1"}, prompt="Night")
    assert retry.json["id"] == first


# --- edit


def test_an_edit_starts_from_the_source_s_pictures(queue: Deployment) -> None:
    source = filmed(model="cogvideox-2b", size="720x480")
    answer = post("/edits", prompt="Make it night", video={"id": source})
    assert (answer.json["remixed_from_video_id"], answer.json["origin"]["kind"]) == (source, "edit")
    assert origin(answer).strength == 0.8
    assert origin(post("/edits", prompt="Night", video={"id": source}, strength=0.3)).strength == 0.3


def test_an_engine_without_video_input_edits_by_prompt(queue: Deployment) -> None:
    source = filmed()
    assert origin(post("/edits", prompt="Make it night", video={"id": source})).strength is None
    refused = post("/edits", prompt="Make it night", video={"id": source}, strength=0.5)
    assert (refused.status, refused.error["param"]) == (400, "strength")
    assert refused.error["message"].endswith("omit strength.")


# --- extend


def test_an_extension_is_as_long_as_both(queue: Deployment) -> None:
    source = filmed(seconds=3)
    answer = post("/extensions", prompt="It lands.", seconds="4", video={"id": source})
    assert (answer.json["seconds"], answer.json["prompt"]) == ("7", "It lands.")
    assert (answer.json["remixed_from_video_id"], origin(answer).kind) == (source, OriginKind.EXTEND)
    assert (origin(answer).seconds, origin(answer).paragraphs) == (4, ("A bee",))


def test_extensions_cannot_exceed_the_maximum_number_of_scenes(queue: Deployment) -> None:
    id_ = filmed()
    videos, source = stores.videos(settings()), now(id_)
    extended = Origin(kind=OriginKind.EXTEND, prompt="On", video=id_, paragraphs=("A bee",) * 49, seconds=1)
    videos.amend(source, request=source.request.model_copy(update={"origin": extended}))
    answer = post("/extensions", video={"id": id_}, prompt="On", seconds="1")
    assert (answer.status, answer.json["error"]["param"]) == (400, "video")
    assert f"fewer than 50 scenes, the maximum of a film; {id_} has 50." in answer.text


def test_a_film_of_scenes_is_extended_by_a_scene(queue: Deployment) -> None:
    source = filmed(prompt=None, storyboard=BOARD, narrate=False)
    answer = post("/extensions", prompt="It lands.", seconds=1, video={"id": source})
    assert answer.json["seconds"] == "5"
    assert origin(answer).storyboard == now(source).filmed


@pytest.mark.parametrize(
    ("seconds", "says"), [("0", "1 to 3,600"), ("3600", "at most 3596"), ("x", "whole"), (None, "required")]
)
def test_the_extension_s_length_is_validated(queue: Deployment, seconds: str | None, says: str) -> None:
    source = filmed()
    queue.messages()
    answer = post("/extensions", prompt="It lands.", seconds=seconds, video={"id": source})
    assert (answer.status, answer.error["param"]) == (400, "seconds")
    assert says in answer.error["message"]
    assert queue.messages() == []


# --- a file


def form(**parts: str | bytes) -> tuple[bytes, dict[str, str]]:
    body = b""
    for name, value in parts.items():
        file = isinstance(value, bytes)
        kind = '; filename="a.mp4"\r\nContent-Type: video/mp4' if file else ""
        data = value if isinstance(value, bytes) else value.encode()
        body += (
            f'--b\r\nContent-Disposition: form-data; name="{name}"{kind}\r\n\r\n'.encode() + data + b"\r\n"
        )
    return body + b"--b--\r\n", {"content-type": "multipart/form-data; boundary=b"}


def send(path: str, **parts: str | bytes) -> Answer:
    body, headers = form(**parts)
    return call("POST", f"/v1/videos{path}", body=body, headers=headers)


def test_a_file_can_be_extended(queue: Deployment) -> None:
    answer = send("/extensions", prompt="It lands.", seconds="4", video=clip(12), size="128x96", fps="8")
    assert answer.json["origin"] == {"video": None, "kind": "extend", "strength": None}
    assert (answer.json["remixed_from_video_id"], answer.json["seconds"]) == (None, "6")
    found = origin(answer)
    assert found.file
    assert (found.frames, found.seconds) == (12, 4)
    assert found.file in queue.keys("input", "uploads/acme/")


@pytest.mark.parametrize("path", ["/extensions", "/edits"])
def test_a_file_keeps_its_sound_unless_it_is_dropped(queue: Deployment, path: str) -> None:
    given = {"prompt": "It lands.", "model": "cogvideox-2b"} | ({"seconds": "4"} if "ext" in path else {})
    for fields, sound, setting in (
        ({}, True, "duck"),
        ({"clip_sound": "keep"}, True, "keep"),
        ({"clip_sound": "drop"}, False, "drop"),
        ({"generate_audio": "false"}, False, "drop"),
    ):
        answer = send(path, video=flashing(24, [6]), **given, **fields)
        assert origin(answer).sound is sound
        assert answer.json["assembly"]["clip_sound"] == setting
    assert not origin(send(path, video=clip(12), **given)).sound


def test_a_file_whose_sound_can_t_be_decoded_is_named_with_the_remedy(queue: Deployment) -> None:
    given = {"prompt": "It lands.", "seconds": "4", "video": flashing(24, [6], codec="ac3")}
    answer = send("/extensions", **given)
    assert (answer.status, answer.error["param"]) == (400, "video")
    assert "its codec is not supported" in answer.error["message"]
    assert "Send clip_sound=drop" in answer.error["message"]
    assert not origin(send("/extensions", **given, clip_sound="drop")).sound


def test_what_is_made_of_a_video_sounds_as_it_does_unless_it_is_said(queue: Deployment) -> None:
    source = filmed(clip_sound="drop")
    for path, fields in (
        (f"/{source}/remix", {}),
        ("/edits", {"video": {"id": source}}),
        ("/extensions", {"video": {"id": source}, "seconds": 4}),
    ):
        for sent, setting in ((None, "drop"), ("keep", "keep")):
            answer = post(path, prompt="Night", clip_sound=sent, **fields)
            assert now(answer.json["id"]).request.clip_sound == setting
        refused = post(path, prompt="Night", clip_sound="loud", **fields)
        assert (refused.status, refused.error["param"]) == (400, "clip_sound")
        assert "one of keep, duck, drop; got 'loud'" in refused.error["message"]


def test_an_image_to_video_engine_can_extend_a_file(queue: Deployment) -> None:
    answer = send("/extensions", prompt="It lands.", seconds="4", video=clip(12), model="cogvideox-5b-i2v")
    assert answer.status == 200, answer.text


@pytest.mark.parametrize("name", ["num_frames", "duration", "topic"])
def test_a_file_says_its_own_length(queue: Deployment, name: str) -> None:
    answer = send("/edits", prompt="Make it night", video=clip(12), model="cogvideox-2b", **{name: "8"})
    assert (answer.status, answer.error["param"]) == (400, name), answer.text


def test_a_file_is_edited_with_vllm_s_names(queue: Deployment) -> None:
    names = {"width": "720", "height": "480", "num_inference_steps": "30", "guidance_scale": "5"}
    answer = send("/edits", prompt="Make it night", video=clip(12), model="cogvideox-2b", **names)
    request = now(answer.json["id"]).request
    assert (request.width, request.height, request.steps, request.guidance) == (720, 480, 30, 5)


def test_an_extension_of_a_film_of_so_many_frames(queue: Deployment) -> None:
    source = filmed(num_frames=17)
    assert now(source).request.frames == 17
    answer = post("/extensions", prompt="It lands.", seconds=4, video={"id": source})
    assert (answer.json["seconds"], now(answer.json["id"]).request.num_frames) == ("6", None)


def test_a_file_is_edited_by_an_engine_with_video_input(queue: Deployment) -> None:
    answer = send("/edits", prompt="Make it night", video=clip(12), model="cogvideox-2b", strength="0.5")
    assert (origin(answer).strength, origin(answer).frames) == (0.5, 12)
    refused = send("/edits", prompt="Make it night", video=clip(12), model="animatic")
    assert (refused.status, refused.error["param"]) == (400, "video")
    assert "extend" in refused.error["message"]
    assert "cogvideox-2b" in refused.error["message"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"no video", "must be a decodable MP4"),
        (clip(4)[:-200], "must be a decodable MP4"),
        (b"\0" * 4_500_001, "4,500,001 bytes"),
        (clip(61, fps=1), "got 61 s"),
        (damaged(recorded(pictures(24)), 0.5, b"\0", 3_000), "must be a decodable MP4"),
        (turned(46341, 46341, -46341, 46341), "rotates it by other than quarter turns"),
        (turned(0, 0, 0, 0), "its display matrix"),
        (recorded([flat((20, 160, 60), 2, 2)] * 3), "at least 16 pixels a side; got 2x2"),
    ],
    ids=["no video", "cut short", "too large", "too long", "damaged", "45 degrees", "zero matrix", "2x2"],
)
def test_an_unusable_file_is_rejected_immediately(queue: Deployment, data: bytes, says: str) -> None:
    before = queue.keys("input")
    answer = send("/extensions", prompt="It lands.", seconds="4", video=data)
    assert (answer.status, answer.error["param"]) == (400, "video")
    assert says in answer.error["message"]
    assert (queue.keys("input"), queue.messages()) == (before, [])


# --- errors common to all


def test_only_the_tenant_s_own_completed_video_is_accepted(queue: Deployment) -> None:
    open_, own = create()["id"], filmed("other")
    queue.messages()
    for answer in (
        post(f"/{open_}/remix", prompt="Night"),
        post("/edits", prompt="Night", video={"id": open_}),
        post("/extensions", prompt="Night", seconds=1, video={"id": open_}),
    ):
        assert (answer.status, answer.error["code"]) == (409, "not_ready")
    for answer in (
        post(f"/{own}/remix", prompt="Night"),
        post("/edits", prompt="Night", video={"id": own}),
        post("/extensions", prompt="Night", seconds=1, video={"id": own}),
        post("/x/remix", prompt="Night"),
    ):
        assert answer.status == 404
    assert queue.messages() == []


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/ID/remix", {}, "prompt"),
        ("/ID/remix", {"prompt": " "}, "prompt"),
        ("/ID/remix", {"prompt": "\u200b"}, "prompt"),
        ("/ID/remix", {"prompt": "word " * 390}, "prompt"),
        ("/ID/remix", {"prompt": "x", "seconds": 4}, "seconds"),
        ("/edits", {"prompt": "x"}, "video"),
        ("/edits", {"prompt": "x", "video": "nope"}, "video"),
        ("/edits", {"prompt": "x", "video": {"id": "ID"}, "strength": 0}, "strength"),
        ("/edits", {"prompt": "x", "video": {"id": "ID"}, "size": "720x480"}, "size"),
        ("/edits", {"prompt": "x", "video": {"id": "ID"}, "guidance_scale": 5}, "guidance_scale"),
        ("/edits", {"prompt": "x", "video": {"id": "ID"}, "topic": "Kites"}, "topic"),
        ("/extensions", {"prompt": "x", "seconds": 4, "video": {}}, "video"),
    ],
)
def test_an_invalid_field_is_named(queue: Deployment, path: str, body: dict[str, Any], param: str) -> None:
    source = filmed()
    queue.messages()
    answer = post(path.replace("ID", source), **json.loads(json.dumps(body).replace("ID", source)))
    assert (answer.status, answer.error["param"]) == (400, param), answer.text
    assert queue.messages() == []


def test_other_methods_get_the_allowed_ones() -> None:
    for path in ("/v1/videos/edits", "/v1/videos/extensions", "/v1/videos/video_" + "0" * 32 + "/remix"):
        assert call("GET", path).headers["allow"] == "POST"


# --- OpenAI's clients


@pytest.fixture
def url(aws: Deployment) -> Iterator[str]:
    with serving(gateway("acme")) as url:
        yield f"{url}/v1"


@pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
def test_openais_client_remixes_edits_and_extends(url: str) -> None:
    source = filmed()
    with openai.OpenAI(base_url=url, api_key="rk-x", max_retries=0) as sdk:
        remix = sdk.videos.remix(source, prompt="Make it night")
        by_id = {"video": {"id": source}}
        edit = sdk.videos.edit(prompt="Make it night", video=openai.omit, extra_body=by_id)
        longer = sdk.videos.extend(prompt="It lands.", seconds="4", video=openai.omit, extra_body=by_id)
        shown = sdk.videos.extend(prompt="It lands.", seconds="4", video=BytesIO(clip(12)))
    assert {one.remixed_from_video_id for one in (remix, edit, longer)} == {source}
    assert (longer.seconds, shown.remixed_from_video_id) == ("8", None)


def test_the_oldest_client_remixes(url: str) -> None:
    program = (
        "import sys, openai; assert openai.__version__ == '2.2.0';"
        "sdk = openai.OpenAI(base_url=sys.argv[1], api_key='rk-x');"
        "video = sdk.videos.remix(sys.argv[2], prompt='Night');"
        "print(video.remixed_from_video_id)"
    )
    source = filmed()
    result = subprocess.run(
        [sys.executable, "-c", program, url, source],
        env={"PYTHONPATH": str(OLD_OPENAI)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stdout.strip() == source, result.stderr

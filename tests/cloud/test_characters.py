"""Characters through the REST API, over a local AWS: made, listed, named in films, deleted."""

from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import openai
import pytest
from PIL import Image

from lambdas.adapters import stores
from lambdas.adapters.characters import Characters
from lambdas.api.request import settings
from lambdas.domain import keys
from lambdas.domain.characters import LARGEST_CAST, MOST_CHARACTERS, Character, Description, voice_of
from lambdas.domain.stages import Stage
from lambdas.domain.storyboard import Storyboard
from lambdas.domain.video_parts import ClipState, PartProgress
from tests.cloud.deployment import Deployment, png
from tests.cloud.rest import Answer, call, complete, create, gateway
from tests.cloud.servers import serving
from tests.cloud.test_editing import filmed, now, put, scene, standing, waiting
from tests.media.clips import clip
from tests.png_bomb import bomb

URL = "/v1/videos/characters"


@pytest.fixture(autouse=True)
def _no_characters(queue: Deployment) -> Iterator[None]:
    """Each test begins with none."""
    yield
    inputs = stores.inputs(settings())
    for prefix in (keys.CHARACTERS_PREFIX, keys.DESCRIPTIONS_PREFIX):
        inputs.delete_all(prefix)


def data_url(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{b64encode(data).decode()}"


def made(name: str = "Mossy", *, picture: bytes | None = None, **details: Any) -> Answer:
    fields = {name: details.pop(name) for name in ("description", "voice") if name in details}
    body = {"name": name, "image": {"image_url": data_url(picture or png(1))}, **fields}
    return call("POST", URL, body=body, **details)


def a_character(name: str = "Mossy", **details: Any) -> dict[str, Any]:
    answer = made(name, **details)
    assert answer.status == 200, answer.text
    character: dict[str, Any] = answer.json
    return character


def picture_of(character: dict[str, Any], tenant: str = "acme") -> Image.Image:
    inputs = stores.inputs(settings())
    document = Character.model_validate_json(inputs.get(keys.character(tenant, character["id"])))
    return Image.open(BytesIO(inputs.get(document.image.key)))


# --- create, list, retrieve, delete


def test_a_character_is_made_listed_retrieved_and_deleted() -> None:
    mossy = a_character("Mossy the Fox", description="a small fox")
    assert mossy["id"].startswith("char_")
    assert (mossy["name"], mossy["handle"]) == ("Mossy the Fox", "@mossy-the-fox")
    assert (mossy["object"], mossy["description"]) == ("character", "a small fox")
    assert (mossy["width"], mossy["height"]) == (320, 180)
    assert call("GET", f"{URL}/{mossy['id']}").json == mossy
    bird = a_character("Bird")
    listed = call("GET", URL).json
    assert {one["id"] for one in listed["data"]} == {mossy["id"], bird["id"]}
    first = call("GET", URL, query={"limit": "1"}).json
    assert (len(first["data"]), first["has_more"]) == (1, True)
    rest = call("GET", URL, query={"after": first["last_id"]}).json
    assert (rest["data"], rest["has_more"]) == (listed["data"][1:], False)
    assert call("GET", URL, query={"order": "asc"}).json["data"] == listed["data"][::-1]
    deleted = call("DELETE", f"{URL}/{mossy['id']}")
    assert deleted.json == {"id": mossy["id"], "object": "character.deleted", "deleted": True}
    assert call("GET", f"{URL}/{mossy['id']}").error["code"] == "not_found"
    assert [one["id"] for one in call("GET", URL).json["data"]] == [bird["id"]]


def test_the_same_request_makes_one_character_however_often_and_at_once() -> None:
    with ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(lambda _: a_character(description="a small fox"), range(4)))
    assert answers == 4 * [answers[0]]
    assert len(call("GET", URL).json["data"]) == 1


def test_a_name_belongs_to_one_character() -> None:
    mossy = a_character("Mossy")
    for answer in (
        made("mossy"),
        made("Mossy", picture=png(2)),
        made("Mossy", description="a grey wolf"),
    ):
        assert (answer.status, answer.error["code"], answer.error["param"]) == (409, "name_taken", "name")
        assert mossy["id"] in answer.error["message"]
        assert answer.headers["x-should-retry"] == "false"
    assert call("DELETE", f"{URL}/{mossy['id']}").status == 200
    assert a_character("Mossy", description="a grey wolf")["id"] == mossy["id"]


def test_a_retried_deletion_whose_answer_was_lost_succeeds() -> None:
    mossy = a_character()
    retried = {"x-stainless-retry-count": "1"}
    for headers in (None, retried):
        assert call("DELETE", f"{URL}/{mossy['id']}", headers=headers).status == 200
    assert call("DELETE", f"{URL}/{mossy['id']}").status == 404
    assert call("DELETE", f"{URL}/char_1", headers=retried).status == 404


def test_another_tenant_s_characters_are_not_there(queue: Deployment) -> None:
    theirs = a_character(tenant="other")
    for method in ("GET", "DELETE"):
        assert call(method, f"{URL}/{theirs['id']}").status == 404
    assert call("GET", URL).json["data"] == []
    for fields in ({"characters": [{"id": theirs["id"]}]}, {"prompt": "@Mossy runs"}):
        refused = call("POST", "/v1/videos", body={"prompt": "A fox"} | fields)
        assert refused.status == 400
    assert a_character()["id"] != theirs["id"]
    assert queue.messages() == []


def test_pictures_are_upright_small_and_without_notes() -> None:
    file = BytesIO()
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "at home"  # turned; where it was taken
    Image.new("RGB", (3000, 1000), "red").save(file, "JPEG", exif=exif)
    image = {"image_url": data_url(file.getvalue(), "image/jpeg")}
    answer = call("POST", URL, body={"name": "Tall", "image": image})
    assert (answer.json["width"], answer.json["height"]) == (683, 2048)
    with picture_of(answer.json) as picture:
        assert (picture.format, picture.size, dict(picture.getexif())) == ("JPEG", (683, 2048), {})


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"name": ""}, "name", "1 to 80 characters"),
        ({"name": "x" * 81}, "name", "1 to 80 characters"),
        ({"name": "🦊"}, "name", "with a letter or digit"),
        ({"name": "a\u202eb"}, "name", "without control characters"),
        ({"name": None}, "name", "name is required"),
        ({"description": "x" * 1001}, "description", "at most 1,000 characters"),
        ({"image": None}, "video", "video is required: a clip"),
        ({"image": {"image_url": data_url(b"GIF89a")}}, "image", "must be a PNG, JPEG or WebP image"),
        ({"image": {"image_url": data_url(bomb(20_000, 20_000))}}, "image", "50 megapixels"),
        ({"image": {"image_url": "https://example.com/fox.png"}}, "image", "must be a file"),
        ({"image": {"file_id": "file_1"}}, "image.file_id", "one of your uploads"),
        ({"colour": "red"}, "colour", "allowed: name, description, voice"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str, says: str) -> None:
    body = {"name": "Mossy", "image": {"image_url": data_url(png(1))}, **fields}
    answer = call("POST", URL, body=body)
    assert (answer.status, answer.error["param"]) == (400, param)
    assert says in answer.error["message"]
    assert call("GET", URL).json["data"] == []


def test_a_tenant_has_so_many_characters() -> None:
    inputs = stores.inputs(settings())
    for number in range(MOST_CHARACTERS):
        inputs.put(keys.character("full", f"char_{number:032x}"), b"{}", "application/json")
    answer = made(tenant="full")
    assert answer.status == 400
    assert f"You have {MOST_CHARACTERS} characters" in answer.error["message"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_methods_are_refused(method: str) -> None:
    answer = call(method, URL)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")


# --- by OpenAI's client


@pytest.fixture
def client(queue: Deployment) -> Iterator[openai.OpenAI]:
    with serving(gateway("acme")) as url:
        yield openai.OpenAI(base_url=f"{url}/v1", api_key="key", max_retries=0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_openai_s_client_makes_one_from_a_clip_or_an_image(client: openai.OpenAI) -> None:
    moving = client.videos.create_character(name="Mossy", video=("mossy.mp4", clip(8), "video/mp4"))
    assert moving.id is not None
    assert client.videos.get_character(moving.id).to_dict() == moving.to_dict()
    with picture_of(moving.model_dump()) as picture:
        assert picture.size == (96, 64)
    still = client.videos.create_character(name="Bird", video=("bird.png", png(1), "image/png"))
    assert still.name == "Bird"
    with pytest.raises(openai.BadRequestError, match="video must be a decodable MP4 file") as refused:
        client.videos.create_character(name="No", video=("no.mp4", b"nothing", "video/mp4"))
    assert refused.value.param == "video"
    # The client sends the list as a form's entries `characters[][id]`.
    video = client.videos.create(
        prompt="At dawn", extra_body={"characters": [{"id": moving.id}, {"id": still.id}]}
    )
    cast = (video.model_extra or {})["characters"]
    assert [one["name"] for one in cast] == ["Mossy", "Bird"]


# --- in a film


def test_a_prompt_names_a_character() -> None:
    mossy = a_character("Mossy the Fox", description="a small fox")
    video = create(prompt="@mossy-the-fox's den. (@Mossy_the_Fox)", seconds="4")
    assert video["prompt"] == "Mossy the Fox's den. (Mossy the Fox)"
    assert video["characters"] == [
        {
            "id": mossy["id"],
            "name": "Mossy the Fox",
            "description": "a small fox",
            "by": None,
            "note": None,
            "cost": None,
            "voice": None,
            "scenes": None,
        }
    ]


def test_all_texts_of_a_storyboard_may_name_characters() -> None:
    a_character("Mossy", description="a small fox")
    a_character("Bird", description="a blue bird")
    board = {
        "title": "@mossy and the bird",
        "style": "@Bird watches.",
        "scenes": [scene("@mossy wakes.", "Good morning, @mossy.")],
    }
    video = create(prompt=None, storyboard=board, narrate=False)
    assert [one["name"] for one in video["characters"]] == ["Mossy", "Bird"]
    given = now(video["id"]).request.brief
    assert given is not None
    assert given.given.title == "Mossy and the bird"
    assert "@" not in given.model_dump_json()


def test_the_film_keeps_a_character_that_is_deleted_and_new_films_refuse_it() -> None:
    mossy = a_character()
    before = create(prompt="@Mossy runs")
    assert call("DELETE", f"{URL}/{mossy['id']}").status == 200
    [one] = now(before["id"]).cast
    assert len(stores.inputs(settings()).get(one.image.key)) > 0
    answers = {
        "characters[0].id": call(
            "POST", "/v1/videos", body={"prompt": "A fox", "characters": [{"id": mossy["id"]}]}
        ),
        "prompt": call("POST", "/v1/videos", body={"prompt": "@Mossy runs"}),
    }
    for param, answer in answers.items():
        assert (answer.status, answer.error["param"]) == (400, param)
        assert "it was deleted, or never made" in answer.error["message"]
    # Videos made from it still have the character.
    complete(before["id"])
    stores.outputs(settings()).put(keys.film_plan("acme", before["id"]), b"{}", "application/json")
    remix = call("POST", f"/v1/videos/{before['id']}/remix", body={"prompt": "Let @Mossy jump"}).json
    assert [each["id"] for each in remix["characters"]] == [mossy["id"]]


def test_the_same_create_names_the_same_characters_and_is_one_video(queue: Deployment) -> None:
    a_character()
    key = {"Idempotency-Key": "k-characters"}
    first, again = (create(prompt="@Mossy runs", headers=key) for _ in range(2))
    assert first["id"] == again["id"]
    conflict = call("POST", "/v1/videos", body={"prompt": "Mossy runs"}, headers=key)
    assert conflict.error["code"] == "idempotency_conflict"


@pytest.mark.parametrize(
    ("characters", "says"),
    [
        ("mossy", "must be a list of at most 10 objects"),
        ([{"name": "Mossy"}], "must be a list of at most 10 objects"),
        ([{"id": f"char_{number}"} for number in range(LARGEST_CAST + 1)], "must be a list of at most 10"),
        ([{"id": "../other/char_1"}], "characters[0].id '../other/char_1' is no character of yours"),
    ],
)
def test_wrong_characters_are_refused(characters: Any, says: str) -> None:
    answer = call("POST", "/v1/videos", body={"prompt": "A fox", "characters": characters})
    assert answer.status == 400
    assert says in answer.error["message"]


def test_an_engine_that_starts_from_an_image_takes_the_character_s() -> None:
    i2v = {"model": "cogvideox-5b-i2v", "seconds": "6"}
    refused = call("POST", "/v1/videos", body={"prompt": "Mossy runs", **i2v})
    assert refused.error["param"] == "input_reference"
    a_character()
    assert create(prompt="In the snow. @Mossy runs", **i2v)["model"] == "cogvideox-5b-i2v"


# --- who speaks


def spoken(*narrations: dict[str, Any]) -> dict[str, Any]:
    scenes = [scene("A hive.", "Good morning.") for _ in narrations]
    for one, narration in zip(scenes, narrations, strict=True):
        one["narration"] |= narration
    return {"title": "Bees", "style": "Warm light.", "scenes": scenes}


def test_a_character_speaks_its_scenes_in_its_voice(polly: None) -> None:
    mossy = a_character(voice="Amy")
    assert mossy["voice"] == "Amy"
    board = spoken({"speaker": "@mossy"}, {}, {"speaker": "Mossy", "voice": "Joe"})
    video = create(prompt=None, storyboard=board, narrate=False)
    assert [(one["name"], one["voice"]) for one in video["characters"]] == [("Mossy", "Amy")]
    record = now(video["id"])
    assert record.request.brief
    narrations = [one.narration for one in record.request.brief.given.scenes]
    assert [one and one.speaker for one in narrations] == ["Mossy", None, "Mossy"]
    assert [voice_of(one, record.cast) for one in narrations] == ["Amy", None, "Joe"]


def test_only_the_scenes_of_a_changed_voice_are_spoken_again(polly: None) -> None:
    mossy, id_ = a_character(voice="Amy"), waiting()
    board = spoken({"speaker": "@mossy"}, {})
    assert put(id_, board).status == 200
    parts = [PartProgress(scene=index, state=ClipState.DONE, artifact=f"a/{index}") for index in range(2)]
    stores.videos(settings()).amend(now(id_), narrations=parts)
    call("DELETE", f"{URL}/{mossy['id']}")
    a_character(voice="Joe")
    assert put(id_, Storyboard.model_dump(standing(id_))).status == 200  # no @name: the film's own
    assert (now(id_).cast[0].voice, now(id_).narrations) == ("Amy", parts)
    assert put(id_, board).status == 200
    assert (now(id_).cast[0].voice, now(id_).narrations) == ("Joe", parts[1:])


@pytest.mark.parametrize(
    ("narration", "fields", "param", "says"),
    [
        ({"voice": "Nobody"}, {}, "scenes[1].narration.voice", "lists: Amy, Joe, Olivia; got 'Nobody'"),
        ({}, {"voice": "Nobody"}, "voice", "got 'Nobody'"),
        ({"voice": "Olivia"}, {}, "scenes[1].narration.voice", "no engine neural. Send another voice, or"),
        ({"speaker": "@nobody"}, {}, "scenes[1].narration.speaker", "'@nobody' is no character of yours"),
        ({"speaker": "@mute"}, {}, "scenes[1].narration.speaker", "a character with a voice"),
        ({"speaker": ""}, {}, "scenes[1].narration.speaker", "for example @mossy"),
        ({"speaker": 7}, {}, "scenes[1].narration.speaker", "for example @mossy"),
    ],
)
def test_a_voice_that_can_t_speak_is_refused_by_its_path(
    polly: None, narration: dict[str, Any], fields: dict[str, Any], param: str, says: str
) -> None:
    a_character("Mute")
    body = {"storyboard": spoken({}, narration), "narrate": False, **fields}
    answer = call("POST", "/v1/videos", body=body)
    assert (answer.status, answer.error["param"]) == (400, param)
    assert says in answer.error["message"]


def test_a_character_with_an_unknown_voice_is_not_made(polly: None) -> None:
    answer = made(voice="Nobody")
    assert (answer.status, answer.error["param"]) == (400, "voice")
    a_character(voice="Joe")
    assert made(voice="Amy").error["code"] == "name_taken"


# --- edits


def test_an_edited_storyboard_names_a_character() -> None:
    id_ = waiting()
    a_character("Bird", description="a blue bird")
    board = {"title": "Bees", "scenes": [scene("@Bird lands."), scene("A hive.")]}
    assert put(id_, board).status == 200
    [bird] = now(id_).cast
    assert (bird.name, bird.everywhere, bird.scenes) == ("Bird", False, None)
    assert standing(id_).scenes[0].video.positive_prompt == "Bird lands."
    missing = put(id_, {**board, "scenes": [scene("@Nobody lands.")]})
    assert missing.error["param"] == "scenes[0].image.positive_prompt"
    note = {"part": "text", "note": "@Bird looks up"}
    assert call("POST", f"/v1/videos/{id_}/scenes/1/regenerate", body=note).status == 200
    rewrite = now(id_).rewrite
    assert rewrite is not None
    assert rewrite.note == "Bird looks up"


def test_a_character_made_anew_is_filmed_anew_once_it_is_named_again() -> None:
    bird = a_character("Bird", description="a blue bird")
    board = {"title": "Bees", "style": "Warm light.", "scenes": [scene("@Bird lands."), scene("A hive.")]}
    id_ = filmed()
    assert put(id_, board).status == 200
    video = now(id_)
    stores.videos(settings()).amend(
        video,
        filmed=video.storyboard,
        cast=tuple(one.model_copy(update={"scenes": (0,)}) for one in video.cast),
    )
    unchanged = call("POST", f"/v1/videos/{id_}/approve")
    assert unchanged.error["code"] == "not_ready"
    call("DELETE", f"{URL}/{bird['id']}")
    a_character("Bird", description="a red bird")
    assert put(id_, Storyboard.model_dump(standing(id_))).status == 200  # no @name: the film's own bird
    assert now(id_).cast[0].looks == "a blue bird"
    assert put(id_, board).status == 200
    assert now(id_).cast[0].looks == "a red bird"
    assert call("POST", f"/v1/videos/{id_}/approve").json["attempt"] == 2


def test_a_character_taken_out_of_every_scene_is_out_of_the_film() -> None:
    a_character("Bird")
    id_ = waiting(characters=[{"id": call("GET", URL).json["data"][0]["id"]}])
    assert now(id_).cast[0].everywhere
    named = {"title": "Bees", "scenes": [scene("Bird lands."), scene("A hive.")]}
    assert put(id_, named).status == 200
    assert now(id_).cast[0].everywhere
    assert put(id_, {"title": "Bees", "scenes": [scene("A bee."), scene("A hive.")]}).status == 200
    assert not now(id_).cast[0].everywhere


def test_what_a_text_model_saw_is_shown_with_the_character_and_deleted_with_it(queue: Deployment) -> None:
    mossy = a_character()
    assert (mossy["description"], mossy["described_by"]) == (None, None)
    [member] = now(create(prompt="@Mossy runs")["id"]).cast
    seen = Description(text="a small fox", by="a model")
    store = Characters(stores.inputs(settings()))
    assert store.describe("acme", member, lambda: seen) == seen
    other = Description(text="a wolf", by="another", cost=1.0)
    assert store.describe("acme", member, lambda: other).text == "a small fox"
    shown = call("GET", f"{URL}/{mossy['id']}").json
    assert (shown["description"], shown["described_by"]) == ("a small fox", "a model")
    call("DELETE", f"{URL}/{mossy['id']}")
    assert queue.keys("input", keys.DESCRIPTIONS_PREFIX) == set()
    assert queue.keys("input", keys.CHARACTERS_PREFIX) == set()
    assert now(create(prompt="A bee")["id"]).stage is Stage.QUEUED

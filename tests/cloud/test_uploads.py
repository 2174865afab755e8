"""Files sent ahead of requests: opened by the API, sent to a local S3 with its form, named by file_id."""

from typing import Any

import httpx
import pytest

from lambdas.adapters import stores
from lambdas.api.request import settings
from lambdas.domain import keys
from lambdas.domain.uploads import FORM_SECONDS, Kind
from lambdas.media import images, music
from tests.cloud.deployment import Deployment, png
from tests.cloud.rest import Answer, call, create
from tests.cloud.test_editing import now
from tests.media.clips import clip, padded
from tests.media.sounds import encoded, tone

URL = "/v1/uploads"

pytestmark = pytest.mark.usefixtures("queue")


def opened(mime_type: str, tenant: str = "acme", **fields: Any) -> dict[str, Any]:
    answer = call("POST", URL, body={"mime_type": mime_type, **fields}, tenant=tenant)
    assert answer.status == 200, answer.text
    upload: dict[str, Any] = answer.json
    return upload


def post(upload: dict[str, Any], data: bytes, **fields: str) -> httpx.Response:
    """Send the file as the form says; `fields` replace its own."""
    return httpx.post(
        upload["url"], data=upload["fields"] | fields, files={"file": ("any.name", data)}, timeout=60
    )


def sent(data: bytes, mime_type: str, **details: Any) -> dict[str, str]:
    upload = opened(mime_type, **details)
    answer = post(upload, data)
    assert answer.status_code == 204, answer.text
    return {"file_id": upload["id"]}


def refused(path: str = "/v1/videos", **fields: Any) -> dict[str, Any]:
    answer = call("POST", path, body={"prompt": "A bee", **fields})
    assert answer.status == 400, answer.text
    return answer.error


LONG_CLIP = padded(clip(8), 600_000)  # 4.8 MB, more than a request may have
SOUND = encoded(tone(2, 440)).read()


def test_a_file_is_sent_and_named() -> None:
    upload = opened("image/png", filename="fox.png", bytes=len(png(1)))
    assert upload["id"].startswith("file_")
    assert (upload["object"], upload["status"], upload["kind"]) == ("upload", "pending", "image")
    assert (upload["filename"], upload["bytes"], upload["max_bytes"]) == ("fox.png", len(png(1)), 20 * 2**20)
    assert upload["expires_at"] - upload["created_at"] == FORM_SECONDS
    assert post(upload, png(1)).status_code == 204
    shown = call("GET", f"{URL}/{upload['id']}").json
    assert shown == {k: v for k, v in upload.items() if k not in ("url", "fields")} | {"status": "completed"}
    video = create(input_reference={"file_id": upload["id"]}, model="cogvideox-5b-i2v", seconds="6")
    image = now(video["id"]).request.image
    assert image is not None
    assert stores.inputs(settings()).get(image.key) == png(1)


def test_the_same_file_makes_the_same_request_however_it_comes() -> None:
    key = {"Idempotency-Key": "k-upload"}
    first = create(input_reference=sent(png(3), "image/png"), headers=key)
    again = create(input_reference=sent(png(3), "image/png"), headers=key)
    assert first["id"] == again["id"]


def test_s3_refuses_what_the_form_does_not_allow() -> None:
    upload = opened("image/png", bytes=10)
    assert post(upload, b"x" * 11).status_code == 400
    assert post(upload, b"x" * 9).status_code == 400
    assert post(upload, b"x" * 10, **{"Content-Type": "text/html"}).status_code == 403
    assert post(upload, b"x" * 10, key="incoming/other/file_1").status_code == 403
    assert post(opened("image/png"), b"").status_code == 400
    assert call("GET", f"{URL}/{upload['id']}").json["status"] == "pending"
    assert post(upload, b"x" * 10).status_code == 204


def test_the_limits_are_those_of_the_checks() -> None:
    assert Kind.IMAGE.most == images.MAX_BYTES
    assert Kind.SOUND.most == music.MAX_BYTES
    assert Kind.CLIP.most == 500 * 2**20


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        (
            {},
            "mime_type",
            "is required: one of image/png, image/jpeg, image/webp, audio/…, font/ttf, font/otf",
        ),
        ({"mime_type": "text/html"}, "mime_type", "got 'text/html'"),
        ({"mime_type": "image/png\n"}, "mime_type", "must be one of"),
        ({"mime_type": "image/png", "bytes": 20 * 2**20 + 1}, "bytes", "at most 20,971,520"),
        ({"mime_type": "audio/mpeg", "bytes": 0}, "bytes", "above 0"),
        ({"mime_type": "audio/mpeg", "filename": "a\u202eb"}, "filename", "without control characters"),
        ({"mime_type": "audio/mpeg", "folder": "x"}, "folder", "allowed: mime_type, bytes, filename"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str, says: str) -> None:
    answer = call("POST", URL, body=fields)
    assert (answer.status, answer.error["param"]) == (400, param)
    assert says in answer.error["message"]


def test_an_idempotency_key_opens_one_upload() -> None:
    def opening(mime_type: str) -> Answer:
        return call("POST", URL, body={"mime_type": mime_type}, headers={"Idempotency-Key": "k-1"})

    assert opening("image/png").json["id"] == opening("image/png").json["id"]
    assert opening("video/mp4").error["code"] == "idempotency_conflict"
    assert opened("image/png")["id"] != opened("image/png")["id"]


def test_music_and_clips() -> None:
    video = create(prompt=None, topic="Bees", music=sent(SOUND, "audio/wav"))
    assert video["music"]["seconds"] == 2
    file = sent(LONG_CLIP, "video/mp4")
    extended = call(
        "POST", "/v1/videos/extensions", body={"prompt": "It flies on", "seconds": 4, "video": file}
    )
    assert extended.status == 200, extended.text
    origin = now(extended.json["id"]).request.origin
    assert origin is not None
    assert origin.file is not None
    assert origin.frames == 24
    assert stores.inputs(settings()).size(origin.file) == len(LONG_CLIP)


def test_a_character_of_an_upload() -> None:
    for name, file, size in (
        ("Upload", sent(LONG_CLIP, "video/mp4"), (96, 64)),
        ("Picture", sent(png(1), "image/png"), (320, 180)),
    ):
        made = call("POST", "/v1/videos/characters", body={"name": name, "video": file})
        assert made.status == 200, made.text
        assert (made.json["width"], made.json["height"]) == size
        again = call("POST", "/v1/videos/characters", body={"name": name, "video": file})
        assert again.json == made.json


def test_what_arrived_is_checked_as_if_it_came_with_the_request() -> None:
    for file, fields, param, says in (
        (sent(b"GIF89a", "image/png"), {}, "input_reference", "must be a PNG, JPEG or WebP image"),
        (sent(b"noise", "audio/mpeg"), {}, "music", "must be"),
    ):
        error = refused(**fields, **{param: file})
        assert error["param"] == param
        assert says in error["message"]
    extension = {"seconds": 4, "video": sent(b"no film", "video/mp4")}
    error = refused("/v1/videos/extensions", **extension)
    assert error["param"] == "video"
    assert "must be a decodable MP4 file of at most 60 s and 524,288,000 bytes" in error["message"]


def test_a_file_that_can_t_be_named_says_why() -> None:
    waiting = {"file_id": opened("image/png")["id"]}
    theirs = sent(png(1), "image/png", tenant="other")
    for field, file, says in (
        ("input_reference", waiting, "has not arrived: POST the file"),
        ("input_reference", theirs, "must be the id of one of your uploads of the last 7 days"),
        ("input_reference", {"file_id": "../x"}, "must be the id of one of your uploads"),
        ("input_reference", sent(SOUND, "audio/wav"), "must be an upload of type image/png"),
        ("music", sent(png(1), "image/png"), "must be an upload of type audio/…, video/mp4; got one of type"),
    ):
        error = refused(**{field: file})
        assert error["param"] == f"{field}.file_id"
        assert says in error["message"]
    other = call("GET", f"{URL}/{theirs['file_id']}")
    assert (other.status, other.error["code"]) == (404, "not_found")
    assert call("GET", f"{URL}/file_1").status == 404


def test_a_film_keeps_a_copy(queue: Deployment) -> None:
    file = sent(png(9), "image/png")
    video = create(input_reference=file)
    stores.inputs(settings()).delete_all(keys.INCOMING_PREFIX)
    image = now(video["id"]).request.image
    assert image is not None
    assert image.key in queue.keys("input")

"""The drop folder's function over a local AWS, called with EventBridge's events."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Timer
from typing import Any

import pytest

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.domain import keys
from lambdas.domain.documents import fingerprint
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video, video_id
from lambdas.domain.video_parts import Failure
from lambdas.intake import drop_folder
from lambdas.intake.drop_folder import DropFolder
from tests.cloud.deployment import Context, Deployment, deployed, event, png
from tests.unit import sounds


@pytest.fixture(scope="module")
def aws() -> Iterator[Deployment]:
    drop_folder._settings.cache_clear()
    with deployed() as deployment:
        yield deployment


class Folder:
    """A tenant's drop folder. Putting an object raises no event automatically: `notify` is the event."""

    def __init__(self, aws: Deployment, tenant: str) -> None:
        self.aws = aws
        self.tenant = tenant

    def put(self, name: str, body: bytes) -> str:
        answer = client("s3").put_object(Bucket="input", Key=self.key(name), Body=body)
        return str(answer["ETag"]).strip('"')

    def key(self, name: str) -> str:
        return f"drop/{self.tenant}/{name}"

    def notify(self, name: str, etag: str, pair_seconds: float = 0) -> None:
        DropFolder(self.aws.settings, pair_seconds=pair_seconds).take(self.key(name), etag)

    def drop(self, name: str, body: bytes) -> str:
        etag = self.put(name, body)
        self.notify(name, etag)
        return etag

    def videos(self) -> list[Video]:
        return stores.videos(self.aws.settings).list(self.tenant, after=None, limit=100, newest_first=False)[
            0
        ]

    def video(self) -> Video:
        (video,) = self.videos()
        return video

    def results(self) -> set[str]:
        return {key.removeprefix(self.key("")) for key in self.aws.keys("output", self.key(""))}

    def error(self, name: str) -> dict[str, Any]:
        error: dict[str, Any] = json.loads(
            stores.outputs(self.aws.settings).get(keys.drop_result(self.key(name), "error.json"))
        )
        assert error["object"] == self.key(name)
        return error


@pytest.fixture
def folder(aws: Deployment, request: pytest.FixtureRequest) -> Folder:
    aws.messages()
    return Folder(aws, f"t{fingerprint(request.node.name)[:12]}")


# --- a prompt, a request


def test_a_prompt_becomes_a_video(folder: Folder) -> None:
    etag = folder.drop("kite.txt", b"\xef\xbb\xbfA kite in the wind\r\n")
    video = folder.video()
    assert video.request.prompt == "A kite in the wind"
    assert video.request.engine == "animatic"
    assert video.source is not None
    assert (video.source.key, video.source.etag) == (folder.key("kite.txt"), etag)
    assert video.id == video_id(folder.tenant, f"input/{folder.key('kite.txt')}/{etag}")
    assert folder.aws.messages() == [{"tenant": folder.tenant, "video_id": video.id}]
    assert folder.results() == set()


def test_the_handler_takes_eventbridges_event(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop_folder, "PAIR_SECONDS", 0)
    # The key as is; any decoding would change it.
    name = "a+b c%20ü.txt"
    etag = folder.put(name, b"A kite")
    created = event("object_created")
    created["detail"]["object"] |= {"key": folder.key(name), "etag": etag}
    drop_folder.handler(created, Context())
    drop_folder.handler({"detail": {"object": {"key": folder.key(name), "etag": etag}}}, Context())
    assert folder.video().source is not None


def test_a_request_has_the_api_s_fields(folder: Folder) -> None:
    request = {"prompt": "A kite", "model": "cogvideox-2b", "seconds": 12, "seed": 3, "enhance": False}
    folder.drop("sub/kite.JSON", json.dumps(request).encode())
    made = folder.video().request
    assert (made.engine, made.seconds, made.seed, made.enhance) == ("cogvideox-2b", 12, 3, False)


def test_a_request_may_contain_a_storyboard(folder: Folder) -> None:
    scene = {"image": {"positive_prompt": "A kite."}, "video": {"positive_prompt": "It rises."}}
    folder.drop("kite.json", json.dumps({"storyboard": {"title": "Kites", "scenes": [scene]}}).encode())
    brief = folder.video().request.brief
    assert brief is not None
    assert brief.given.scenes[0].video is not None


@pytest.mark.parametrize("name", ["kite.txt", "kite.json"])
def test_a_duplicate_event_makes_one_video(folder: Folder, name: str) -> None:
    etag = folder.drop(name, b'{"prompt": "A kite"}')
    folder.notify(name, etag)
    video = folder.video()
    stores.videos(folder.aws.settings).advance(video.tenant, video.id, Stage.CANCELLED)
    folder.notify(name, etag)
    assert folder.video().stage is Stage.CANCELLED


def test_a_changed_object_makes_a_new_video(folder: Folder) -> None:
    first = folder.drop("kite.txt", b"A kite")
    folder.drop("kite.txt", b"Two kites")
    folder.notify("kite.txt", first)  # late: its object was replaced
    assert [video.request.prompt for video in folder.videos()] == ["A kite", "Two kites"]


def test_an_event_for_a_deleted_object_makes_nothing(folder: Folder) -> None:
    etag = folder.put("kite.txt", b"A kite")
    client("s3").delete_object(Bucket="input", Key=folder.key("kite.txt"))
    folder.notify("kite.txt", etag)
    assert folder.videos() == []
    assert folder.results() == set()


@pytest.mark.parametrize("name", ["", "sub/", ".DS_Store", "sub/._kite.txt"])
def test_temporary_files_of_programs_are_ignored(folder: Folder, name: str) -> None:
    folder.drop(name, b"")
    assert folder.videos() == []
    assert folder.results() == set()


# --- an image and its prompt


def test_image_then_prompt_is_one_video(folder: Folder) -> None:
    image = folder.drop("photo.PNG", png(1))
    assert folder.videos() == []
    assert folder.results() == set()
    prompt = folder.drop("photo.txt", b"It moves")
    made = folder.video()
    assert made.request.image is not None
    assert made.request.image.key in folder.aws.keys("input")
    assert made.source is not None
    assert made.source.key == folder.key("photo.txt")
    folder.notify("photo.PNG", image)
    folder.notify("photo.txt", prompt)
    assert folder.video().id == made.id
    assert folder.results() == set()


def test_prompt_then_image_is_one_video(folder: Folder) -> None:
    prompt = folder.put("photo.txt", b"It moves")
    second = Timer(0.3, folder.drop, ("photo.jpg", png(2)))
    second.start()
    folder.notify("photo.txt", prompt, pair_seconds=1.5)
    second.join()
    assert folder.video().request.image is not None
    assert folder.results() == set()


@pytest.mark.parametrize("round_", range(5))
def test_concurrent_events_make_one_video(folder: Folder, round_: int) -> None:
    etags = {name: folder.put(name, body) for name, body in (("a.txt", b"It moves"), ("a.webp", png(round_)))}
    start = Barrier(2)

    def notify(name: str) -> None:
        start.wait()
        folder.notify(name, etags[name])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(notify, etags))
    assert folder.video().request.image is not None


def test_a_late_image_gets_an_error_file(folder: Folder) -> None:
    prompt = folder.drop("photo.txt", b"It moves")
    image = folder.drop("photo.png", png(3))
    assert folder.video().request.image is None
    error = folder.error("photo.png")
    assert error["field"] == "input_reference"
    assert "too late" in error["reason"]
    folder.notify("photo.txt", prompt)
    folder.notify("photo.png", image)
    assert len(folder.videos()) == 1
    assert folder.results() == {"photo.png.error.json"}


def test_a_changed_image_makes_a_new_video(folder: Folder) -> None:
    folder.drop("photo.png", png(4))
    prompt = folder.drop("photo.txt", b"It moves")
    image = folder.drop("photo.png", png(5))
    folder.notify("photo.png", image)
    folder.notify("photo.txt", prompt)
    first, second = (video.request.image for video in folder.videos())
    assert first is not None
    assert second is not None
    assert first.sha256 != second.sha256


@pytest.mark.parametrize("names", [("photo.png", "photo.txt"), ("photo.txt", "photo.png")])
def test_a_broken_image_is_reported_beside_its_prompt(folder: Folder, names: tuple[str, str]) -> None:
    etags = {name: folder.put(name, b"It moves") for name in names}
    for name in names:
        folder.notify(name, etags[name])
    assert folder.videos() == []
    assert folder.results() == {"photo.txt.error.json"}
    assert "PNG, JPEG or WebP" in folder.error("photo.txt")["reason"]


def test_a_request_can_name_an_image_beside_it(folder: Folder) -> None:
    request = b'{"prompt": "It moves", "model": "cogvideox-5b-i2v", "input_reference": "photo.png"}'
    etag = folder.drop("request.json", request)
    assert folder.error("request.json")["field"] == "input_reference"
    folder.drop("photo.png", png(6))
    assert folder.videos() == []
    folder.notify("request.json", etag)
    assert folder.video().request.image is not None
    assert folder.results() == set(), "the error of before is gone"


def test_a_request_can_name_music_beside_it(folder: Folder) -> None:
    request = b'{"prompt": "A kite", "music": "song.MP3"}'
    etag = folder.drop("request.json", request)
    assert folder.error("request.json")["field"] == "music"
    content = sounds.encoded(sounds.noise(1.5), "mp3").getvalue()
    folder.drop("song.MP3", content)
    assert folder.videos() == [], "it waits for its request"
    assert folder.results() == {"request.json.error.json"}
    folder.notify("request.json", etag)
    music = folder.video().request.music
    assert music is not None
    assert music.seconds == pytest.approx(1.5, abs=0.06)
    assert stores.inputs(folder.aws.settings).get(music.key) == content
    assert folder.results() == set(), "the error of before is gone"


def test_broken_music_is_reported_beside_its_request(folder: Folder) -> None:
    folder.drop("song.wav", sounds.encoded(sounds.noise(1.5)).getvalue()[:-9000])
    folder.drop("request.json", b'{"prompt": "A kite", "music": "song.wav"}')
    error = folder.error("request.json")
    assert (error["field"], error["code"]) == ("music", "invalid_music")
    assert "truncated" in error["reason"]
    assert folder.videos() == []


def test_a_failed_video_s_error_file_stays(folder: Folder) -> None:
    etag = folder.drop("kite.txt", b"A kite")
    video = folder.video()
    failure = Failure(step="plan", code="StepError", reason="No.", advice="None.")
    stores.videos(folder.aws.settings).advance(video.tenant, video.id, Stage.FAILED, failure=failure)
    outputs = stores.outputs(folder.aws.settings)
    outputs.put(keys.drop_result(folder.key("kite.txt"), "error.json"), b"{}", "application/json")
    folder.notify("kite.txt", etag)
    assert folder.results() == {"kite.txt.error.json"}


# --- invalid input


@pytest.mark.parametrize(
    ("name", "body", "field", "says"),
    [
        ("empty.txt", b"", "prompt", "1 to 2,000"),
        ("long.txt", b"x" * 2001, "prompt", "2,000"),
        ("huge.txt", b"x" * (1024 * 1024 + 1), "prompt", "1,048,576"),
        ("latin.txt", b"caf\xe9", "prompt", "UTF-8"),
        ("broken.json", b"{", "object", "JSON"),
        ("deep.json", b"[" * 100_000, "object", "JSON"),
        ("list.json", b"[]", "object", "JSON object"),
        ("size.json", b'{"prompt": "x", "size": "1x1"}', "size", "64 to 1080"),
        ("unknown.json", b'{"prompt": "x", "colour": "red"}', "colour", "prompt, topic"),
        (
            "away.json",
            b'{"prompt": "x", "input_reference": "../b/photo.png"}',
            "input_reference",
            "in the folder of",
        ),
        (
            "url.json",
            b'{"prompt": "x", "input_reference": {"image_url": "http://a/b"}}',
            "input_reference",
            "data:",
        ),
        ("picture.json", b'{"prompt": "x", "music": "photo.png"}', "music", "an audio file (.wav"),
        ("report.docx", b"x", "object", ".txt"),
        ("noextension", b"x", "object", ".txt"),
    ],
)
def test_invalid_input_gets_an_error_file_and_no_video(
    folder: Folder, name: str, body: bytes, field: str, says: str
) -> None:
    folder.drop(name, body)
    error = folder.error(name)
    assert error["field"] == field
    assert says in error["reason"]
    assert folder.videos() == []
    assert folder.aws.messages() == []
    assert folder.aws.keys("input", f"uploads/{folder.tenant}") == set()


@pytest.mark.parametrize("key", ["drop/kite.txt", "drop/Acme/kite.txt", "drop//kite.txt"])
def test_a_key_without_a_tenant_gets_an_error_file(aws: Deployment, key: str) -> None:
    etag = client("s3").put_object(Bucket="input", Key=key, Body=b"A kite")["ETag"].strip('"')
    DropFolder(aws.settings, pair_seconds=0).take(key, etag)
    assert f"{key}.error.json" in aws.keys("output")

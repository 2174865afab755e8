"""The drop folder's function over a local AWS, called with EventBridge's events."""

import json
import time
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import av
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
from lambdas.media.font import FONT
from tests.cloud.deployment import Context, Deployment, deployed, event, png
from tests.media import sounds
from tests.media.clips import clip


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

    def note(self, name: str) -> str:
        note = json.loads(
            stores.outputs(self.aws.settings).get(keys.drop_result(self.key(name), "note.json"))
        )
        assert note["object"] == self.key(name)
        return str(note["note"])

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


def test_prompt_then_image_is_one_video(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    waited = []

    def meanwhile(seconds: float) -> None:
        waited.append(seconds)
        folder.drop("photo.jpg", png(2))

    monkeypatch.setattr(drop_folder, "time", SimpleNamespace(sleep=meanwhile))
    folder.notify("photo.txt", folder.put("photo.txt", b"It moves"), pair_seconds=1.5)
    assert waited == [1.5]
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


def test_a_request_s_scenes_can_name_pictures_beside_it(folder: Folder) -> None:
    scene = {"image": {"positive_prompt": "A bee."}, "video": {"positive_prompt": "A bee."}, "seconds": 2}
    scenes = [scene | {"first_frame": "one.png"}, scene | {"first_frame": "two.png"}]
    request = {
        "storyboard": {"title": "Bees", "scenes": scenes}, "narrate": False, "model": "cogvideox-5b-i2v"
    }  # fmt: skip
    etag = folder.drop("request.json", json.dumps(request).encode())
    assert folder.error("request.json")["field"] == "scenes[0].first_frame"
    for name in ("one.png", "two.png"):
        folder.put(name, png(6))
    folder.notify("request.json", etag)
    made = folder.video().request
    assert made.brief is not None
    assert [bool(one.first_frame) for one in made.brief.given.scenes] == [True, True]
    assert made.stills is None


def test_a_request_can_name_its_own_material_beside_it(folder: Folder) -> None:
    request = {
        "storyboard": {"title": "Bees", "scenes": [{"clip": "talk.mp4"}, {"picture": "hive.png"}]},
        "brand": {
            "logo": {"picture": "logo.png"},
            "font_file": "club.otf",
            "intro": {"clip": "talk.mp4"},
        },
    }
    for name in ("hive.png", "logo.png"):
        folder.put(name, png(6))
    etag = folder.drop("request.json", json.dumps(request).encode())
    error = folder.error("request.json")
    assert error["field"] == "scenes[0].clip"
    assert "must be the name of an MP4 clip (.mp4)" in error["reason"]
    folder.put("talk.mp4", clip(16))
    folder.put("club.otf", FONT.read_bytes())
    folder.notify("request.json", etag)
    made = folder.video().request
    assert made.brief is not None
    assert [one.seconds for one in made.brief.given.scenes] == [2, 4]
    assert made.brand is not None
    assert made.brand.intro is not None
    assert made.brand.intro.clip == made.brief.given.scenes[0].clip
    assert made.brand.logo is not None
    assert made.brand.font_file is not None


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


# --- names

DECOMPOSED, COMPOSED = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFD", "NFC"))


@pytest.mark.parametrize("order", [0, 1], ids=["image first", "prompt first"])
@pytest.mark.parametrize(
    ("image", "prompt"),
    [
        (f"{DECOMPOSED}.png", f"{COMPOSED}.txt"),
        (f"{COMPOSED}.png", f"{DECOMPOSED}.txt"),
        ("Lamp2.png", "lamp2.txt"),
        ("lamp2.PNG", "LAMP2.TXT"),
        (unicodedata.normalize("NFD", "\u00c9t\u00e9.png"), "\u00e9T\u00c9.txt"),
        (unicodedata.normalize("NFD", "\uac15.png"), "\uac15.txt"),
        ("stra\u00dfe.png", "STRASSE.txt"),
        ("\u0391\u03a3.png", "\u03b1\u03c2.txt"),
        ("sub/Lamp.jpeg", "sub/lamp.txt"),
        ("A kite. No 2.webp", "a kite. no 2.txt"),
    ],
)
def test_names_that_look_the_same_are_a_pair(folder: Folder, image: str, prompt: str, order: int) -> None:
    etags = {name: folder.put(name, body) for name, body in ((image, png(7)), (prompt, b"It moves"))}
    for name in ((image, prompt), (prompt, image))[order]:
        folder.notify(name, etags[name])
    assert folder.video().request.image is not None
    assert folder.results() == set()


def test_an_equal_name_counts_before_a_similar_one(folder: Folder) -> None:
    folder.put("Lamp.png", png(8))
    folder.put("lamp.png", png(9))
    for name in ("Lamp.txt", "lamp.txt", "LAMP.txt"):
        folder.drop(name, name.encode())
    images = {video.request.prompt: video.request.image for video in folder.videos()}
    assert images["Lamp.txt"] is not None
    assert images["lamp.txt"] is not None
    assert images["Lamp.txt"].sha256 != images["lamp.txt"].sha256
    assert images["LAMP.txt"] is None, "both images have prompts of exactly their name"


@pytest.mark.parametrize("other", ["lamp/2.png", "lamp2.x.png", "lamp.png", "lamp22.png", "l\u00e4mp2.png"])
def test_another_name_is_no_pair(folder: Folder, other: str) -> None:
    folder.put(other, png(1))
    folder.drop("lamp2.txt", b"It moves")
    assert folder.video().request.image is None


@pytest.mark.parametrize(
    ("named", "stored"),
    [
        ("\u00e9.png", "e\u0301.png"),
        ("e\u0301.png", "\u00e9.png"),
        ("photo.png", "Photo.PNG"),
        ("STRASSE.jpg", "stra\u00dfe.jpg"),
    ],
)
def test_a_request_may_name_a_file_as_it_looks(folder: Folder, named: str, stored: str) -> None:
    folder.put(stored, png(2))
    request = {"prompt": "It moves", "model": "cogvideox-5b-i2v", "input_reference": named}
    folder.drop("request.json", json.dumps(request).encode())
    assert folder.video().request.image is not None


def test_a_name_that_may_be_either_of_two_files_is_refused(folder: Folder) -> None:
    folder.put("photo.png", png(2))
    folder.put("PHOTO.png", png(3))
    folder.drop("either.json", b'{"prompt": "It moves", "input_reference": "Photo.png"}')
    error = folder.error("either.json")
    assert error["field"] == "input_reference"
    assert "'PHOTO.png', 'photo.png'" in error["reason"]
    folder.drop("exact.json", b'{"prompt": "It moves", "input_reference": "photo.png"}')
    assert folder.video().request.image is not None


def test_a_prompt_says_which_images_stay_alone_beside_it(folder: Folder) -> None:
    folder.drop("pair.png", png(1))
    folder.drop("pair.txt", b"It moves")
    for number in range(7):
        folder.put(f"lamp-{number}.png", png(number))
    folder.put("sub/other.png", png(1))
    folder.drop("lamp.txt", b"It shines")
    assert folder.results() == {"lamp.txt.note.json"}
    note = folder.note("lamp.txt")
    assert "'lamp-0.png', 'lamp-1.png', 'lamp-2.png', 'lamp-3.png', 'lamp-4.png' and 2 more" in note
    assert "pair.png" not in note
    assert "other.png" not in note


def test_an_image_says_which_prompts_have_none(folder: Folder) -> None:
    folder.drop("lamp.txt", b"It shines")
    folder.drop("lamp-1.png", png(1))
    assert folder.results() == {"lamp-1.png.note.json"}
    assert "'lamp.txt'" in folder.note("lamp-1.png")
    folder.drop("lamp-1.txt", b"It moves")
    assert folder.results() == set(), "the note of before is gone"


# --- whatever happens, there is an answer


def sound_request(folder: Folder) -> str:
    folder.put("song.mp3", sounds.encoded(sounds.noise(1.5), "mp3").getvalue())
    return folder.put("request.json", b'{"prompt": "A kite", "music": "song.mp3"}')


def test_an_internal_error_is_answered(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **options: object) -> None:
        raise RuntimeError("a decoder's bug")

    etag = sound_request(folder)
    monkeypatch.setattr(av, "open", broken)
    folder.notify("request.json", etag)
    error = folder.error("request.json")
    assert error["code"] == "internal_error"
    assert "RuntimeError" in error["reason"]
    assert "a decoder's bug" not in error["reason"], "it may hold anything"
    assert folder.results() == {"request.json.error.json"}


def test_a_drop_that_takes_too_long_is_answered(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    created = event("object_created")
    created["detail"]["object"] |= {"key": folder.key("request.json"), "etag": sound_request(folder)}
    monkeypatch.setattr(av, "open", lambda *args, **options: time.sleep(60))
    drop_folder.handler(created, Context(remaining_ms=drop_folder._RESERVE_MS + 2_000))
    assert folder.error("request.json")["code"] == "timeout"
    assert folder.results() == {"request.json.error.json"}
    assert folder.videos() == []


def test_a_file_that_ends_the_function_each_time_is_answered(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    etag = sound_request(folder)
    outputs, opened = stores.outputs(folder.aws.settings), av.open
    counts = folder.key("request.json") + ".attempts.json"
    seen: list[bytes] = []

    def opening(*args: Any, **options: Any) -> Any:
        seen.append(outputs.get(counts))
        return opened(*args, **options)

    monkeypatch.setattr(av, "open", opening)
    for _ in range(4):
        if seen:
            outputs.put(counts, seen[-1], "application/json")  # what stays if the process ended there
        folder.notify("request.json", etag)
    assert [json.loads(count)["count"] for count in seen] == [1, 2, 3]
    assert "ended the function 3 times" in folder.error("request.json")["reason"]
    assert folder.results() == {"request.json.error.json"}
    changed = folder.drop("request.json", b'{"prompt": "Another kite", "music": "song.mp3"}')
    assert changed != etag
    assert folder.results() == set(), "a changed request begins anew"


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

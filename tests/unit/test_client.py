"""The clients, over a transport that answers in memory; and their calls, step by step."""

import asyncio
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer

import reelworks
from reelworks.cli.options import read_brand, read_storyboard
from reelworks.client import (
    AnswerNotUnderstood,
    ApiError,
    ApiUnreachable,
    AsyncClient,
    Client,
    Conflict,
    InvalidRequest,
    NoAddress,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
    ReviewNeeded,
    ServerError,
    UploadRefused,
    Video,
    VideoFailed,
    find_address,
)
from reelworks.client.address import Address
from reelworks.client.calls import Calls
from reelworks.client.models import Upload
from reelworks.client.steps import (
    Answer,
    Done,
    Flow,
    Form,
    Lost,
    Open,
    Read,
    Send,
    Sleep,
    Tell,
    Update,
    advance,
)
from reelworks.client.transfers import media_type_of, send_file

URL = "http://127.0.0.1/v1"
VIDEO = {"id": "video_1", "status": "queued", "stage": "queued", "progress": 0}


def client(answer: Callable[[httpx.Request], httpx.Response]) -> Client:
    return Client(URL, "rk-x", transport=httpx.MockTransport(answer))


# --- what is sent


@pytest.mark.parametrize("video_id", ["", ".", "..", "../models", "a b", "video_1/content", "video_1?x", "é"])
def test_an_invalid_id_never_becomes_another_url(video_id: str) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=VIDEO)

    with client(answer) as api:
        calls = (api.status, api.cancel, api.delete, lambda id_: api.download(id_, Path("film.mp4")))
        for call in calls:
            with pytest.raises(InvalidRequest, match="not a valid video id"):
                call(video_id)
    assert asked == []


def test_an_image_is_sent_unchanged_whatever_its_name(tmp_path: Path) -> None:
    """The server determines the type by content."""
    image = tmp_path / "photo"
    image.write_bytes(b"\x89PNG")

    def answer(request: httpx.Request) -> httpx.Response:
        body = request.read()
        assert b'name="input_reference"; filename="photo"' in body
        assert b"\x89PNG" in body
        assert b'name="enhance"\r\n\r\nfalse\r\n' in body
        assert b'name="seed"\r\n\r\n7\r\n' in body
        assert b"fps" not in body
        assert b'name="loras"\r\n\r\n[{"name": "paper"}]\r\n' in body
        assert b'name="storyboard"\r\n\r\n{"title": "Bees"}\r\n' in body
        assert b'name="prompt"' not in body
        return httpx.Response(200, json=VIDEO)

    with client(answer) as api:
        video = api.submit(
            image=image,
            seed=7,
            enhance=False,
            fps=None,
            loras=[{"name": "paper"}],
            storyboard={"title": "Bees"},
        )
    assert video.id == "video_1"


@pytest.mark.parametrize("call", ["submit", "estimate"])
def test_a_number_that_json_does_not_have_is_refused(call: str) -> None:
    with pytest.raises(InvalidRequest, match="max_cost must be a finite number; got nan") as raised:
        played(getattr(calls(), call)("A bee", max_cost=float("nan")), [])
    assert raised.value.param == "max_cost"


def test_music_is_sent_as_a_file_and_an_edit_only_replaces_the_version_read(tmp_path: Path) -> None:
    (tmp_path / "tune.mp3").write_bytes(b"ID3")

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            assert b'name="music"; filename="tune.mp3"' in request.read()
            return httpx.Response(200, json=VIDEO)
        if request.method == "PUT":
            assert request.headers["if-match"] == '"one"'
            return httpx.Response(200, json={}, headers={"ETag": '"two"'})
        return httpx.Response(200, json={"title": "Bees"}, headers={"ETag": '"one"'})

    with client(answer) as api:
        api.submit(music=tmp_path / "tune.mp3", review=["storyboard"])
        storyboard, etag = api.storyboard("video_1")
        assert api.put_storyboard("video_1", storyboard, etag=etag) == '"two"'


def test_a_large_file_is_uploaded_first(tmp_path: Path) -> None:
    music = tmp_path / "tune"
    music.write_bytes(b"OggS" + bytes(4_000_000))
    told: list[tuple[int, int]] = []
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(f"{request.method} {request.url}")
        if request.url.host == "s3":
            body = request.read()
            assert "authorization" not in request.headers
            assert body.index(b'name="key"') < body.index(b'name="file"')
            assert len(body) > 4_000_004
            return httpx.Response(204)
        if "uploads" in request.url.path:
            opened = {"id": "file_1", "url": "http://s3/in", "fields": {"key": "here"}}
            if request.method == "POST":
                assert json.loads(request.read()) == {
                    "mime_type": "audio/ogg", "bytes": 4_000_004, "filename": "tune",
                }  # fmt: skip
            return httpx.Response(200, json=opened)
        assert json.loads(request.read()) == {"prompt": "A bee", "music": {"file_id": "file_1"}}
        return httpx.Response(200, json=VIDEO)

    with client(answer) as api:
        api.submit("A bee", music=music)
        assert seen == [
            f"POST {URL}/uploads",
            "POST http://s3/in",
            f"GET {URL}/uploads/file_1",
            f"POST {URL}/videos",
        ]
        api.upload(music, on_progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (4_000_004, 4_000_004)
    assert len(told) > 10, "it is streamed"


def test_an_estimate_sends_what_a_create_does_and_uploads_nothing(tmp_path: Path) -> None:
    picture, music = tmp_path / "fox.png", tmp_path / "tune"
    picture.write_bytes(b"\x89PNG")
    music.write_bytes(bytes(4_000_001))
    told = answer(
        200, {"object": "video.estimate", "clips": 2, "cost": 0.5, "costs": {"clips": {"usd": 0.5}}}
    )
    found, [sent] = played(calls().estimate("A bee", image=picture, seconds=12, max_cost=1), [told])
    assert (found.clips, found.cost, found.costs.clips.usd) == (2, 0.5, 0.5)
    assert (sent.method, sent.url) == ("POST", f"{URL}/videos?dry_run=true")
    assert "idempotency-key" not in sent.headers
    assert b'name="input_reference"; filename="fox.png"' in sent.content
    assert b'name="max_cost"\r\n\r\n1\r\n' in sent.content
    upload = Upload.model_validate({"id": "file_1"})
    _, steps = played(calls().estimate("A bee", music=upload), [SENT, told])
    assert json.loads(steps[-1].content) == {"prompt": "A bee", "music": {"file_id": "file_1"}}
    with pytest.raises(InvalidRequest, match="tune must have at most 4,000,000 bytes") as raised:
        played(calls().estimate("A bee", music=music), [])
    assert raised.value.param == "music"
    assert "Upload the file first" in raised.value.advice


def test_the_pictures_of_scenes_are_uploaded_each_once(tmp_path: Path) -> None:
    picture = tmp_path / "fox.png"
    picture.write_bytes(b"\x89PNG\r\n")
    upload = Upload.model_validate({"id": "file_2"})
    board = {
        "scenes": [
            {"first_frame": picture, "last_frame": upload},
            {"first_frame": picture, "last_frame": "data:image/png;base64,AAAA"},
        ]
    }
    opened = answer(200, {"id": "file_1", "url": "http://s3/in", "fields": {}})
    sent = [opened, answer(204, {}), answer(200, {"id": "file_1"})]
    _, steps = played(calls().submit(storyboard=board), [*sent, answer(200, VIDEO)])
    named = {
        "scenes": [
            {"first_frame": {"file_id": "file_1"}, "last_frame": {"file_id": "file_2"}},
            {"first_frame": {"file_id": "file_1"}, "last_frame": "data:image/png;base64,AAAA"},
        ]
    }
    assert json.loads(steps[-1].content) == {"storyboard": named}
    _, steps = played(calls().put_storyboard("video_1", board), [*sent, answer(200, {})])
    assert json.loads(steps[-1].content) == named
    # An estimate uploads nothing.
    told = answer(200, {"object": "video.estimate", "clips": 2})
    _, [asked] = played(calls().estimate(storyboard=board), [told])
    scenes = json.loads(asked.content)["storyboard"]["scenes"]
    assert scenes[0] == {"first_frame": "data:image/png;base64,iVBORw0K", "last_frame": {"file_id": "file_2"}}
    picture.write_bytes(bytes(4_000_001))
    with pytest.raises(InvalidRequest, match=r"fox\.png must have at most") as raised:
        played(calls().estimate(storyboard=board), [])
    assert raised.value.param == "storyboard"


def test_the_files_of_a_brand_are_uploaded(tmp_path: Path) -> None:
    for name in ("logo.png", "intro.mp4"):
        (tmp_path / name).write_bytes(b"file")
    file = tmp_path / "brand.json"
    file.write_text('{"logo": {"picture": "logo.png"}, "intro": {"clip": "intro.mp4"}}')
    brand = read_brand(file)
    assert brand["intro"] == {"clip": tmp_path / "intro.mp4"}
    opened = answer(200, {"id": "file_1", "url": "http://s3/in", "fields": {}})
    sent = [opened, answer(204, {}), answer(200, {"id": "file_1"})]
    _, steps = played(calls().submit("A kite", brand=brand), [*sent, *sent, answer(200, VIDEO)])
    named = {"logo": {"picture": {"file_id": "file_1"}}, "intro": {"clip": {"file_id": "file_1"}}}
    assert json.loads(steps[-1].content) == {"prompt": "A kite", "brand": named}


def test_a_storyboard_s_file_names_pictures_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "fox.png").write_bytes(b"\x89PNG")
    board = tmp_path / "board.json"
    board.write_text('{"scenes": [{"first_frame": "fox.png", "last_frame": {"file_id": "file_1"}}]}')
    (scene,) = read_storyboard(board)["scenes"]
    assert scene == {"first_frame": tmp_path / "fox.png", "last_frame": {"file_id": "file_1"}}
    board.write_text('{"scenes": [{}, {"last_frame": "owl.png"}]}')
    with pytest.raises(typer.Exit):
        read_storyboard(board)


@pytest.mark.parametrize(
    ("start", "name", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n", "x", "image/png"),
        (b"RIFF\x01\x02\n\x04WEBPVP8 ", "x", "image/webp"),
        (b"RIFF\x01\x02\n\x04WAVEfmt ", "x.png", "audio/wav"),
        (b"\0\0\0\x20ftypM4A ", "x", "audio/mp4"),
        (b"\0\0\0\x20ftypisom", "x", "video/mp4"),
        (b"\xff\xfb\x90\x44", "x", "audio/mpeg"),
        (b"?", "song.mp3", "audio/mpeg"),
    ],
)
def test_a_file_s_type_is_known_by_its_content(
    tmp_path: Path, start: bytes, name: str, media_type: str
) -> None:
    (tmp_path / name).write_bytes(start)
    assert media_type_of(tmp_path / name) == media_type


def test_a_file_of_unknown_type_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(UploadRefused, match="the type of x is unknown"):
        media_type_of(tmp_path / "x")


# --- the calls, step by step


def played(flow: Flow[Any], answers: Iterable[Answer | Lost | bytes]) -> tuple[Any, list[Any]]:
    """Play a call: each answer is that to a Send, an Open or a Read. Return its result and all steps."""
    left = iter(answers)
    steps: list[Any] = []
    step = advance(flow)
    while not isinstance(step, Done):
        steps.append(step)
        match step:
            case Send() | Open() | Read():
                given = next(left)
                step = advance(flow, lost=given) if isinstance(given, Lost) else advance(flow, given)
            case Tell():
                step = advance(flow, step.function(step.argument))
            case _:
                step = advance(flow)
    assert list(left) == [], "all answers were asked for"
    return step.result, steps


def calls() -> Calls:
    return Calls(Address(URL, "rk-x"), retries=2)


def answer(status: int = 200, document: Any = None, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, httpx.Headers(named), json.dumps(document or VIDEO).encode())


def refusal(status: int, code: str = "x", **headers: str) -> Answer:
    return answer(status, {"error": {"message": "No.", "param": "fps", "code": code}}, **headers)


def waits(steps: Iterable[Any]) -> list[float]:
    return [step.seconds for step in steps if isinstance(step, Sleep)]


UNSENT, SENT = Lost("refused", sent=False), Lost("reset", sent=True)


@pytest.mark.parametrize("again", [UNSENT, SENT, refusal(503), refusal(500)])
def test_a_create_that_is_sent_again_has_the_same_key_and_body(again: Any) -> None:
    video, steps = played(calls().submit("A bee"), [again, again, answer()])
    sends = [step for step in steps if isinstance(step, Send)]
    assert video.id == "video_1"
    assert len({step.headers["idempotency-key"] for step in sends}) == 1
    assert len({step.content for step in sends}) == 1
    assert [step.headers.get("x-stainless-retry-count") for step in sends] == [None, "1", "2"]
    assert 0 < waits(steps)[0] < waits(steps)[1]


def test_two_creates_have_two_keys() -> None:
    keys = {played(calls().submit("A bee"), [answer()])[1][0].headers["idempotency-key"] for _ in range(2)}
    assert len(keys) == 2


def test_the_api_says_how_long_to_wait() -> None:
    _, steps = played(calls().status("v"), [refusal(429, retry_after="7"), answer()])
    assert waits(steps) == [7.0]


@pytest.mark.parametrize(
    ("refused", "kind"),
    [
        (refusal(429, retry_after="3600"), QuotaExceeded),
        (refusal(429, x_should_retry="false", retry_after="1"), QuotaExceeded),
        (refusal(409), Conflict),
        (refusal(400), InvalidRequest),
        (refusal(404), NotFound),
        (refusal(502), ServerError),
        (refusal(504), ServerError),
    ],
)
def test_what_waiting_does_not_help_is_refused_at_once(refused: Answer, kind: type[ApiError]) -> None:
    with pytest.raises(kind, match=r"No\.") as raised:
        played(calls().submit("A bee"), [refused])
    assert (raised.value.param, raised.value.code, raised.value.status) == ("fps", "x", refused.status)
    assert raised.value.advice
    if "retry-after" in refused.headers:
        assert raised.value.retry_after == float(refused.headers["retry-after"])


def test_an_error_has_the_request_s_id_and_the_api_s_advice() -> None:
    error = {"message": "No.", "advice": "Wait."}
    with pytest.raises(ApiError) as raised:
        played(calls().status("v"), [answer(403, {"error": error}, x_request_id="r-1")])
    assert (raised.value.request_id, raised.value.advice) == ("r-1", "Wait.")


def test_what_is_no_error_of_the_api_is_shown() -> None:
    with pytest.raises(ApiError, match="status 413: Too long"):
        played(calls().status("v"), [Answer(413, httpx.Headers(), b"Too long")])


@pytest.mark.parametrize("call", ["retry", "approve"])
def test_what_would_have_another_effect_is_not_repeated(call: str) -> None:
    with pytest.raises(ApiUnreachable, match="it may have been carried out"):
        played(getattr(calls(), call)("v"), [SENT])
    played(getattr(calls(), call)("v"), [UNSENT, answer()])
    played(getattr(calls(), call)("v"), [refusal(503), answer()])


def test_an_approval_that_names_its_gate_is_repeated() -> None:
    _, steps = played(calls().approve("v", gate="storyboard"), [SENT, answer()])
    assert [step.url for step in steps if isinstance(step, Send)] == [
        f"{URL}/videos/v/approve?gate=storyboard"
    ] * 2


@pytest.mark.parametrize("call", ["retry", "approve"])
def test_another_attempt_may_have_another_limit(call: str) -> None:
    _, [sent] = played(getattr(calls(), call)("v", max_cost=2.5), [answer()])
    assert sent.url == f"{URL}/videos/v/{call}?max_cost=2.5"


def test_the_last_try_s_error_is_raised() -> None:
    with pytest.raises(ServerError):
        played(calls().status("v"), [refusal(503)] * 3)
    with pytest.raises(ApiUnreachable, match="refused"):
        played(calls().status("v"), [UNSENT] * 3)


# --- following


def at(stage: str, status: str = "in_progress", **fields: Any) -> Answer:
    video = {"id": "v", "stage": stage, "status": status, "url": object().__repr__(), **fields}
    return answer(200, video, openai_poll_after_ms="1500")


def test_a_video_is_told_at_each_change_and_polled_as_the_api_says() -> None:
    answers = [at("queued"), at("queued"), at("rendering"), SENT, refusal(503), at("completed", "completed")]
    last, steps = played(calls().follow("v"), answers)
    told = [step.value for step in steps if isinstance(step, Update)]
    assert [video.stage for video in told] == ["queued", "rendering", "completed"]
    assert last == told[-1]
    assert waits(steps)[:3] == [1.5, 1.5, 1.5]


def test_a_short_outage_is_waited_out() -> None:
    answers = [at("queued"), *[UNSENT] * 9, at("completed", "completed")]
    assert played(calls().follow("v"), answers)[0].stage == "completed"


def test_following_ends_where_the_film_waits_for_its_user() -> None:
    assert played(calls().follow("v"), [at("queued"), at("reviewing")])[0].stage == "reviewing"


REVIEWING = at("reviewing", review={"gate": "storyboard"})


def test_a_result_is_a_completed_film() -> None:
    told: list[str] = []
    answers = [at("queued"), REVIEWING, at("preparing"), at("preparing"), at("completed", "completed")]
    video, _ = played(calls().result("v", on_update=lambda video: told.append(video.stage)), answers)
    assert video.status == "completed"
    assert told == ["queued", "reviewing", "preparing", "completed"]


def test_new_links_are_no_change() -> None:
    told: list[str] = []
    again = [
        at("rendering", thumbnail_url=f"https://s3/{number}", url=f"https://s3/{number}") for number in (1, 2)
    ]
    answers = [*again, at("completed", "completed")]
    played(calls().result("v", on_update=lambda video: told.append(video.stage)), answers)
    assert told == ["rendering", "completed"]


@pytest.mark.parametrize(("call", "more"), [("remix", ()), ("edit", ()), ("extend", (6,))])
def test_a_film_of_a_film_may_have_a_limit(call: str, more: tuple[int, ...]) -> None:
    _, [sent] = played(getattr(calls(), call)("v", "At night", *more, max_cost=2.5), [answer()])
    assert json.loads(sent.content)["max_cost"] == 2.5


def test_a_film_that_waits_for_nobody_is_said() -> None:
    with pytest.raises(ReviewNeeded, match="v waits for a review of its storyboard") as raised:
        played(calls().subscribe("A bee"), [answer(), REVIEWING, REVIEWING])
    assert raised.value.video.stage == "reviewing"


def test_a_failed_film_s_reason_is_raised() -> None:
    failure = {"step": "narrate", "code": "c", "reason": "No voice.", "advice": "Choose one."}
    with pytest.raises(VideoFailed, match=r"No voice\.") as raised:
        played(calls().result("v"), [at("failed", "failed", failure=failure)])
    assert (raised.value.advice, raised.value.code, raised.value.video.stage) == (
        "Choose one.",
        "c",
        "failed",
    )


def test_a_scene_is_edited_on_what_others_have_changed_meanwhile() -> None:
    def board(title: str, tag: str) -> Answer:
        scene = {"narration": {"text": "Old", "voice": "Amy"}, "image": {"positive_prompt": "A", "seed": 1}}
        return answer(200, {"title": title, "scenes": [{}, scene]}, etag=tag)

    flow = calls().edit_scene("v", 1, narration="New", image="B", seconds=3)
    _, steps = played(flow, [board("one", "1"), refusal(412), board("two", "2"), answer(), board("two", "3")])
    puts = [step for step in steps if isinstance(step, Send) and step.method == "PUT"]
    assert [step.headers["if-match"] for step in puts] == ["1", "2"]
    assert json.loads(bytes(puts[-1].content)) == {  # type: ignore[arg-type]
        "title": "two",
        "scenes": [
            {},
            {
                "narration": {"text": "New", "voice": "Amy"},
                "image": {"positive_prompt": "B", "seed": 1},
                "seconds": 3,
            },
        ],
    }
    with pytest.raises(InvalidRequest, match="scene must be 0 to 1; got 2"):
        played(calls().edit_scene("v", 2, image="B"), [board("one", "1")])
    with pytest.raises(PreconditionFailed):
        played(calls().edit_scene("v", 0, image="B"), [board("one", "1"), refusal(412)] * 3)


# --- files


FILM = bytes(range(200))
LINK = answer(302, location="http://s3/film")


def content(status: int = 200, start: int = 0, film: bytes = FILM, etag: str | None = '"a"') -> Answer:
    headers = {"content-length": str(len(film) - start)} | ({"etag": etag} if etag else {})
    if status == 206:
        headers["content-range"] = f"bytes {start}-{len(film) - 1}/{len(film)}"
    return Answer(status, httpx.Headers(headers))


def download(path: Path, *answers: Answer | Lost | bytes) -> list[Open]:
    size, steps = played(calls().download("v", path), answers)
    assert path.read_bytes() == FILM
    assert size == len(FILM)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    return [step for step in steps if isinstance(step, Open)]


def ranges(opened: list[Open]) -> list[str | None]:
    return [step.headers.get("range") for step in opened]


def test_a_download_goes_on_where_the_connection_broke(tmp_path: Path) -> None:
    opened = download(
        tmp_path / "film.mp4",
        *(LINK, content(), FILM[:50], FILM[50:90], SENT),
        *(LINK, content(206, 90), FILM[90:120], b""),  # closed too early
        *(LINK, content(503)),
        *(LINK, content(206, 120), FILM[120:], b""),
    )
    assert ranges(opened) == [None, "bytes=90-", "bytes=120-", "bytes=120-"]
    assert not any("authorization" in step.headers for step in opened)


def broken_off(path: Path, *, etag: str | None = '"a"') -> None:
    """Leave behind what an earlier process got."""
    flow = calls().download("v", path)
    advance(flow)
    for given in (LINK, content(etag=etag), FILM[:70]):
        advance(flow, given)
    flow.close()


def test_a_download_goes_on_in_another_process(tmp_path: Path) -> None:
    broken_off(tmp_path / "film.mp4")
    assert ranges(download(tmp_path / "film.mp4", LINK, content(206, 70), FILM[70:], b"")) == ["bytes=70-"]


@pytest.mark.parametrize("changed", [content(206, 70, etag='"b"'), content(206, 70, FILM * 2), content(416)])
def test_another_film_starts_anew(tmp_path: Path, changed: Answer) -> None:
    broken_off(tmp_path / "film.mp4")
    opened = download(tmp_path / "film.mp4", LINK, changed, content(), FILM, b"")
    assert ranges(opened) == ["bytes=70-", None]


def test_a_server_without_ranges_starts_anew(tmp_path: Path) -> None:
    broken_off(tmp_path / "film.mp4")
    assert ranges(download(tmp_path / "film.mp4", LINK, content(), FILM, b"")) == ["bytes=70-"]


def test_what_can_t_be_told_from_another_film_starts_anew(tmp_path: Path) -> None:
    broken_off(tmp_path / "film.mp4", etag=None)
    assert ranges(download(tmp_path / "film.mp4", LINK, content(), FILM, b"")) == [None]


def test_a_break_after_the_last_byte_harms_nothing(tmp_path: Path) -> None:
    download(tmp_path / "film.mp4", LINK, content(), FILM, SENT)


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    flow = calls().download("v", tmp_path / "f", on_progress=lambda done, of: told.append((done, of)))
    played(flow, [LINK, content(), FILM[:50], FILM[50:], b""])
    assert told == [(50, 200), (200, 200)]


def test_a_download_that_gets_nothing_ends(tmp_path: Path) -> None:
    tries: list[Answer | Lost | bytes] = [LINK, content(), FILM[:70], SENT]
    with pytest.raises(ApiUnreachable, match="interrupted after 70 bytes: reset") as raised:
        played(calls().download("v", tmp_path / "film.mp4"), [*tries, *[LINK, SENT] * 5])
    assert "goes on where it stopped" in raised.value.advice
    with pytest.raises(ApiError, match="status 403"):
        played(calls().download("v", tmp_path / "film.mp4"), [LINK, content(403)])


def test_an_answer_without_a_link_is_said(tmp_path: Path) -> None:
    with pytest.raises(AnswerNotUnderstood, match="no link"):
        played(calls().download("v", tmp_path / "film.mp4"), [answer()])
    assert list(tmp_path.iterdir()) == []


def test_an_upload_is_sent_again_and_its_refusal_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"x")
    upload = Upload.model_validate({"id": "file_1", "url": "http://s3", "fields": {"key": "k"}})
    done = Answer(204, httpx.Headers())
    _, steps = played(send_file(upload, tmp_path / "x.png", None), [SENT, refusal(503), done])
    sends = [step for step in steps if isinstance(step, Send)]
    assert len(sends) == 3
    assert isinstance(sends[0].content, Form)
    assert sends[0] == sends[2]
    refused = Answer(400, httpx.Headers(), b"<Error><Message>Too large.</Message></Error>")
    with pytest.raises(UploadRefused, match=r"refused x\.png: Too large"):
        played(send_file(upload, tmp_path / "x.png", None), [refused])


# --- documents


def test_an_answer_of_another_version_is_understood() -> None:
    document = {"id": "v", "stage": "signing", "queue_position": 3, "clips": [{"state": "new", "more": 1}]}
    video = Video.model_validate(document)
    assert (video.stage, video.clips[0].state) == ("signing", "new")
    assert video.queue_position == 3  # type: ignore[attr-defined]
    assert (video.narrations, video.failure, video.prompt) == ([], None, None)
    assert video.to_dict() == document


@pytest.mark.parametrize(
    ("text", "says"), [("<html>", "not JSON"), ("[]", "valid dictionary"), ("{}", "id: Field required")]
)
def test_a_server_that_is_not_the_api_is_reported(text: str, says: str) -> None:
    with (
        client(lambda _: httpx.Response(200, text=text)) as api,
        pytest.raises(AnswerNotUnderstood, match=says),
    ):
        api.status("video_1")


# --- the address


def test_the_address_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELWORKS_BASE_URL", "https://films.example/v1/")
    monkeypatch.setenv("REELWORKS_API_KEY", "rk-secret")
    found = find_address()
    assert (found.base_url, found.api_key) == ("https://films.example/v1", "rk-secret")
    assert "rk-secret" not in repr(found)
    monkeypatch.delenv("REELWORKS_API_KEY")
    with pytest.raises(NoAddress, match="set both REELWORKS_BASE_URL and REELWORKS_API_KEY"):
        find_address()


@pytest.mark.parametrize(
    ("url", "key", "says"),
    [
        (URL, None, "set both base_url and api_key"),
        ("127.0.0.1:4566/v1", "k", "base_url must be a URL"),
        ("http://:99999/v1", "k", "base_url must be a URL"),
        ("http://", "k", "base_url must be a URL"),
        (URL, "clé", "api_key is invalid"),
        (URL, "k\n", "api_key is invalid"),
    ],
)
def test_a_wrong_address_is_said(url: str, key: str | None, says: str) -> None:
    with pytest.raises(NoAddress, match=says):
        Client(url, key)


# --- both clients


def test_the_clients_have_the_same_calls() -> None:
    public = [name for name in vars(Calls) if re.match("[a-z]", name)]
    for name in public:
        blocking, waiting, call = (getattr(of, name) for of in (Client, AsyncClient, Calls))
        assert all((blocking.__doc__, waiting.__doc__)), name
        parameters = [list(inspect.signature(one).parameters.values()) for one in (blocking, waiting, call)]
        assert parameters[0] == parameters[1] == parameters[2], name


def test_the_client_that_does_not_block_does_the_same(tmp_path: Path) -> None:
    told: list[str] = []

    def answers(request: httpx.Request) -> httpx.Response:
        if request.url.host == "s3":
            assert "authorization" not in request.headers
            return httpx.Response(200, stream=httpx.ByteStream(FILM), headers={"etag": '"a"'})
        assert request.headers["authorization"] == "Bearer rk-x"
        if request.url.path.endswith("/content"):
            return httpx.Response(302, headers={"location": "http://s3/film"})
        return httpx.Response(200, json={**VIDEO, "stage": "completed", "status": "completed"})

    async def on_update(video: Video) -> None:
        await asyncio.sleep(0)
        told.append(video.stage)

    async def use() -> None:
        async with AsyncClient(URL, "rk-x", transport=httpx.MockTransport(answers)) as api:
            video = await api.subscribe("A bee", on_update=on_update)
            assert video.status == "completed"
            assert [video.stage async for video in api.follow("video_1")] == ["completed"]
            assert await api.download("video_1", tmp_path / "film.mp4") == len(FILM)

    asyncio.run(use())
    assert told == ["completed"]
    with client(answers) as api:
        assert [video.stage for video in api.follow("video_1")] == ["completed"]
        assert api.download("video_1", tmp_path / "film.mp4") == len(FILM)
        assert api.request("GET", "usage")["id"] == "video_1"
    assert (tmp_path / "film.mp4").read_bytes() == FILM


def test_importing_reelworks_imports_no_http() -> None:
    code = "import sys, reelworks; sys.exit(bool({'httpx', 'pydantic', 'lambdas'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert reelworks.Client is Client
    assert reelworks.AsyncClient is AsyncClient
    with pytest.raises(AttributeError, match="Clients"):
        reelworks.Clients  # noqa: B018

"""The client behind `reel`, over a transport that answers in memory."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from reelworks.client import Address, ApiError, Client


def client(answer: Callable[[httpx.Request], httpx.Response]) -> Client:
    return Client(Address("http://127.0.0.1/v1", "rk-x"), transport=httpx.MockTransport(answer))


@pytest.mark.parametrize("video_id", ["", ".", "..", "../models", "a b", "video_1/content", "video_1?x", "é"])
def test_an_invalid_id_never_becomes_another_url(video_id: str) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={})

    with client(answer) as api:
        for call in (api.get, api.cancel, api.delete, lambda id_: api.download(id_, Path("film.mp4"))):
            with pytest.raises(ApiError, match="not a valid video id"):
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
        return httpx.Response(200, json={"id": "video_1"})

    with client(answer) as api:
        assert api.create(
            image=image,
            seed=7,
            enhance=False,
            fps=None,
            loras=[{"name": "paper"}],
            storyboard={"title": "Bees"},
        ) == {"id": "video_1"}


def test_a_server_that_is_not_the_api_is_reported() -> None:
    with (
        client(lambda _: httpx.Response(200, text="<html>")) as api,
        pytest.raises(ApiError, match="not a Reelworks API"),
    ):
        api.get("video_1")


def test_music_is_sent_as_a_file_and_an_edit_only_replaces_the_version_read(tmp_path: Path) -> None:
    (tmp_path / "tune.mp3").write_bytes(b"ID3")

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            assert b'name="music"; filename="tune.mp3"' in request.read()
            return httpx.Response(200, json={"id": "video_1"})
        if request.method == "PUT":
            assert request.headers["if-match"] == '"one"'
            return httpx.Response(200, json={}, headers={"ETag": '"two"'})
        return httpx.Response(200, json={"title": "Bees"}, headers={"ETag": '"one"'})

    with client(answer) as api:
        api.create(music=tmp_path / "tune.mp3", review=["storyboard"])
        storyboard, etag = api.storyboard("video_1")
        assert api.put_storyboard("video_1", storyboard, etag=etag) == '"two"'

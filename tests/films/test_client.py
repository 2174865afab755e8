"""The project's own clients make a film on the local cloud."""

import asyncio
from pathlib import Path

import pytest

from reelworks import AsyncClient, Client
from reelworks.client import InvalidRequest, UploadRefused, Video
from tests.cloud.deployment import png
from tests.films.conftest import Cloud
from tests.films.looking import look_at

FILM = {"model": "animatic", "seconds": 1, "size": "256x256", "fps": 8}


def test_a_film_from_a_file_that_was_sent_ahead(cloud: Cloud, tmp_path: Path) -> None:
    base_url, key = cloud.status["base_url"], cloud.json("keys", "create", "clients")["api_key"]
    picture, whole, resumed = tmp_path / "first.png", tmp_path / "film.mp4", tmp_path / "again.mp4"
    picture.write_bytes(png(6))
    told: list[Video] = []

    class Stopped(Exception):
        pass

    def stop(done: int, of: int) -> None:
        assert 0 < done <= of
        raise Stopped

    with Client(base_url, key) as client:
        upload = client.upload(picture)
        assert (upload.status, upload.bytes) == ("completed", picture.stat().st_size)
        with pytest.raises(InvalidRequest, match="music") as refused:
            client.submit("A bee", music=upload, **FILM)
        assert refused.value.request_id
        text = tmp_path / "first.txt"
        text.write_text("no picture")
        with pytest.raises(InvalidRequest, match="mime_type"):
            client.upload(text)
        (tmp_path / "empty.png").touch()
        with pytest.raises((UploadRefused, InvalidRequest)):
            client.upload(tmp_path / "empty.png", mime_type="image/png")
        video = client.subscribe("A bee on a flower", image=upload, on_update=told.append, **FILM)
        assert video.status == "completed"
        assert [one.stage for one in told][-1] == "completed"
        assert {event.type for event in client.events(video.id)} >= {"video.completed", "clip.completed"}
        assert video.model in [model.id for model in client.models()]

        size = client.download(video.id, whole)
        with pytest.raises(Stopped):
            client.download(video.id, resumed, on_progress=stop)
        [part] = tmp_path.glob(".*.part")
        assert 0 < part.stat().st_size <= size
        client.download(video.id, resumed)
    assert resumed.read_bytes() == whole.read_bytes()
    assert len(look_at(whole).frames) == 8

    async def ended() -> None:
        async with AsyncClient(base_url, key) as client:
            assert (await client.result(video.id)).id == video.id
            assert [one.id for one in (await client.list()).data] == [video.id]
            assert await client.download(video.id, tmp_path / "async.mp4") == size
            assert (await client.delete(video.id)).deleted

    asyncio.run(ended())
    assert (tmp_path / "async.mp4").read_bytes() == whole.read_bytes()

from typing import Any

import pytest

from lambdas.domain import keys
from lambdas.domain.storyboard import film_hash
from lambdas.domain.video import Source, Stage, Video
from lambdas.tasks import publish
from tests.cloud.deployment import Context
from tests.cloud.pipeline.bench import TENANT, Bench

FILM, POSTER = b"the film", b"the poster"


def run(bench: Bench, video: Video) -> Any:
    task = bench.task()
    publish.handler({"token": task.token, "tenant": TENANT, "video_id": video.id}, Context())
    return task.answer()


def assembled(bench: Bench, **changes: Any) -> Video:
    video = bench.video(stage=Stage.ASSEMBLING, **changes)
    content = film_hash(bench.storyboard(video))
    bench.outputs.put(keys.film(TENANT, content), FILM, "video/mp4")
    bench.outputs.put(keys.poster(TENANT, content), POSTER, "image/webp")
    return video


def test_the_film_is_delivered_the_record_says_so_and_an_event_tells(bench: Bench) -> None:
    video = assembled(bench)
    assert run(bench, video) == {"film": keys.delivered_film(TENANT, video.id)}
    done = bench.now(video)
    assert (done.stage, done.film_bytes, done.draft) == (Stage.COMPLETED, len(FILM), False)
    assert done.film
    assert done.thumbnail
    assert bench.outputs.get(done.film) == FILM
    assert bench.outputs.get(done.thumbnail) == POSTER
    assert bench.events(video) == ["video.completed"]
    assert [open_.id for open_ in bench.videos.open_videos() if open_.id == video.id] == []


def test_a_dropped_object_gets_its_film_beside_it(bench: Bench) -> None:
    video = assembled(bench, source=Source(bucket="input", key="drop/acme/kite.txt", etag="1"))
    run(bench, video)
    assert bench.outputs.get("drop/acme/kite.txt.mp4") == FILM


@pytest.mark.parametrize("stage", [Stage.PUBLISHING, Stage.COMPLETED])
def test_a_crash_before_the_event_repeats_the_step(bench: Bench, stage: Stage) -> None:
    video = assembled(bench)
    bench.videos.advance(TENANT, video.id, Stage.PUBLISHING)
    if stage is Stage.COMPLETED:
        bench.videos.advance(TENANT, video.id, Stage.COMPLETED)
    run(bench, video)
    assert bench.now(video).stage is Stage.COMPLETED
    assert bench.events(video) == ["video.completed"]


def test_a_video_that_was_cancelled_meanwhile_stays_cancelled(bench: Bench) -> None:
    video = assembled(bench)
    bench.videos.advance(TENANT, video.id, Stage.CANCELLED)
    assert run(bench, video)[0] == "VideoClosed"
    assert bench.now(video).stage is Stage.CANCELLED
    assert bench.events(video) == []


def test_a_film_that_is_gone_is_named(bench: Bench) -> None:
    video = bench.video(stage=Stage.ASSEMBLING)
    error, cause = run(bench, video)
    assert error == "ArtifactMissing"
    assert "films/" in cause["errorMessage"]
    assert bench.now(video).stage is Stage.PUBLISHING

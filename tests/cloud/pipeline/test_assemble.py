from typing import Any

import pytest

from lambdas.domain import keys
from lambdas.domain.storyboard import film_hash
from lambdas.domain.video import Stage, Video
from lambdas.media.probe import probe
from lambdas.tasks import assemble
from tests.cloud.deployment import Context
from tests.cloud.pipeline.bench import TENANT, Bench, film_clip


def run(bench: Bench, video: Video) -> Any:
    task = bench.task()
    assemble.handler({"token": task.token, "tenant": TENANT, "video_id": video.id}, Context())
    return task.answer()


def rendered(bench: Bench, engine: str = "cogvideox-nano", **request: Any) -> Video:
    video = bench.video(engine, Stage.RENDERING, request=request)
    for clip in bench.storyboard(video).clips:
        bench.put_clip(bench.storyboard(video), clip.index)
    return video


def film(bench: Bench, video: Video) -> str:
    return keys.film(TENANT, film_hash(bench.storyboard(video)))


def test_the_clips_become_a_film_to_the_frame(bench: Bench) -> None:
    video = rendered(bench)
    assert run(bench, video) == {"film": film(bench, video), "reused": False}
    joined = probe(bench.outputs.get(film(bench, video)))
    assert (joined.frames, joined.fps, joined.width, joined.height) == (96, 8, 96, 64)
    assert joined.duration == 12
    assert bench.outputs.get(film(bench, video).replace(".mp4", ".webp"))[8:12] == b"WEBP"
    assert bench.now(video).stage is Stage.ASSEMBLING


def test_the_film_says_what_it_is(bench: Bench) -> None:
    video = rendered(bench)
    run(bench, video)
    said = probe(bench.outputs.get(film(bench, video))).metadata
    assert said["title"] == "A bee on a flower"
    assert said["reelworks_engine"] == "cogvideox-nano"
    assert "reelworks_draft" not in said


def test_a_draft_says_that_it_is_one(bench: Bench) -> None:
    small = {"width": 96, "height": 64, "fps": 8, "seconds": 6}
    video = rendered(bench, "animatic", **small)
    run(bench, video)
    said = probe(bench.outputs.get(film(bench, video))).metadata
    assert said["reelworks_draft"] == "true"
    assert "Draft" in said["comment"]


def test_a_film_that_is_there_is_not_joined_again(bench: Bench) -> None:
    video = rendered(bench)
    run(bench, video)
    bench.outputs.delete(bench.put_clip(bench.storyboard(video), 0))
    assert run(bench, video) == {"film": film(bench, video), "reused": True}


def test_a_crash_before_the_film_joins_it_again(bench: Bench) -> None:
    video = rendered(bench)
    run(bench, video)
    bench.outputs.delete(film(bench, video))  # the poster is there already
    assert run(bench, video) == {"film": film(bench, video), "reused": False}


def test_a_broken_clip_is_named_and_thrown_away_so_that_the_next_attempt_makes_it_anew(bench: Bench) -> None:
    video = rendered(bench)
    broken = bench.put_clip(bench.storyboard(video), 1, film_clip(bench.storyboard(video), 1)[:-500])
    error, cause = run(bench, video)
    assert (error, cause["clip"]) == ("ClipUnreadable", 1)
    assert not bench.outputs.exists(broken)


@pytest.mark.parametrize(("changes", "what"), [({"fps": 16}, "fps"), ({"width": 64}, "size")])
def test_clips_that_can_t_be_joined_are_named(bench: Bench, changes: dict[str, int], what: str) -> None:
    video = rendered(bench)
    bench.put_clip(bench.storyboard(video), 1, film_clip(bench.storyboard(video), 1, **changes))
    error, cause = run(bench, video)
    assert (error, cause["clip"]) == ("ClipsDiffer", 1)
    assert f"its {what} is" in cause["errorMessage"]


def test_a_film_that_is_not_as_long_as_its_storyboard_is_refused(bench: Bench) -> None:
    video = rendered(bench)
    bench.put_clip(bench.storyboard(video), 1, film_clip(bench.storyboard(video), 1, count=40))
    error, cause = run(bench, video)
    assert error == "ClipMismatch"
    assert "88 frames" in cause["errorMessage"]
    assert not bench.outputs.exists(film(bench, video))


def test_a_clip_that_is_gone_is_named(bench: Bench) -> None:
    video = rendered(bench)
    bench.outputs.delete(bench.put_clip(bench.storyboard(video), 0))
    error, cause = run(bench, video)
    assert error == "ArtifactMissing"
    assert "clips/" in cause["errorMessage"]


def test_a_cancelled_video_is_not_assembled(bench: Bench) -> None:
    video = rendered(bench)
    bench.videos.advance(TENANT, video.id, Stage.CANCELLED)
    assert run(bench, video)[0] == "VideoClosed"

from typing import Any

import pytest

from lambdas.domain import keys
from lambdas.domain.stages import Stage
from lambdas.domain.storyboard import with_own
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipState
from lambdas.domain.webhooks import WebhookEvent
from lambdas.media.probe import as_source, probe
from lambdas.media.sound_input import has_sound
from lambdas.tasks import draw_clip, plan
from tests.cloud.deployment import Context, png
from tests.cloud.pipeline.bench import TENANT, Bench, a_brief
from tests.factories import a_shot
from tests.media.files import with_sound

SMALL = {"width": 96, "height": 64, "fps": 8, "seconds": 7}  # cut into two clips


def run(bench: Bench, video: Video, clip: int = 0) -> Any:
    return bench.answer(draw_clip.handler, video, clip=clip)


def artifact(bench: Bench, video: Video, clip: int = 0) -> bytes:
    content: bytes = bench.outputs.get(keys.clip(TENANT, bench.plan(video).clips[clip].key_hash))
    return content


def test_a_clip_is_drawn_to_the_frame(bench: Bench) -> None:
    video = bench.video("animatic", Stage.RENDERING, request=SMALL)
    assert run(bench, video, clip=1) == {"clip": 1, "reused": False}
    drawn = probe(artifact(bench, video, clip=1))
    assert (drawn.width, drawn.height, drawn.fps, drawn.frames) == (96, 64, 8, 28)
    waiting, done = bench.now(video).clips
    assert (waiting.state, done.state, done.reused) == (ClipState.WAITING, ClipState.DONE, False)
    assert done.started_ms
    assert done.finished_ms
    assert done.started_ms <= done.finished_ms
    seconds = (done.finished_ms - done.started_ms) / 1000
    assert done.cost == pytest.approx(seconds * Context.memory_limit_in_mb / 1024 * 0.0000133334)
    assert waiting.cost is None


def test_the_clip_starts_from_the_user_s_image(bench: Bench) -> None:
    bench.inputs.put("uploads/acme/a.png", png(), "image/png")
    image = {"key": "uploads/acme/a.png", "sha256": "0" * 64, "width": 320, "height": 180}
    video = bench.video("animatic", Stage.RENDERING, request={**SMALL, "image": image})
    run(bench, video)
    plain = bench.video("animatic", Stage.RENDERING, request=SMALL)
    run(bench, plain)
    assert artifact(bench, video) != artifact(bench, plain)


def test_each_scene_is_drawn_on_its_own_first_picture(bench: Bench) -> None:
    bench.inputs.put("uploads/acme/a.png", png(), "image/png")
    bench.outputs.put(keys.still(TENANT, "5" * 64), png(1), "image/png")
    image = {"key": "uploads/acme/a.png", "sha256": "0" * 64, "width": 320, "height": 180}

    def second(still: str | None, **request: Any) -> bytes:
        asked = {**SMALL, "seed": 7, **request}
        video = bench.video("animatic", Stage.RENDERING, request=asked, shots=[a_shot(), a_shot(still=still)])
        bench.outputs.delete(keys.clip(TENANT, bench.plan(video).clips[1].key_hash))
        assert run(bench, video, clip=1) == {"clip": 1, "reused": False}
        return artifact(bench, video, clip=1)

    plain, drawn_upon = second(None), second("5" * 64)
    assert plain != drawn_upon
    # The user's image is the first scene's.
    assert second(None, image=image) == plain
    assert second("5" * 64, image=image) == drawn_upon


def test_the_user_s_own_material_is_made_in_the_film_s_format(bench: Bench) -> None:
    bench.inputs.put(keys.upload(TENANT, "1" * 64, "mp4"), with_sound(2), "video/mp4")
    bench.inputs.put(keys.upload(TENANT, "2" * 64, "png"), png(), "image/png")
    scenes = [
        {"title": {"text": "Bees"}, "seconds": 1},
        {"clip": {"sha256": "1" * 64, "seconds": 2, "sound": True}, "clip_start": 0.5},
        {"picture": {"sha256": "2" * 64, "media_type": "image/png"}, "zoom": "in", "seconds": 1},
    ]
    brief = a_brief(*with_own({"scenes": scenes})["scenes"])
    video = bench.prepare(bench.video("animatic", request={"brief": brief, **SMALL, "clip_sound": "keep"}))
    summary = bench.answer(plan.handler, video)
    assert [one["renderer"] for scene in summary["scenes"] for one in scene["clips"]] == ["function"] * 3
    for clip, (frames, sound) in enumerate([(8, False), (12, True), (8, False)]):
        assert run(bench, video, clip) == {"clip": clip, "reused": False}
        made = artifact(bench, video, clip)
        drawn = probe(made)
        assert (drawn.width, drawn.height, drawn.fps, drawn.frames) == (96, 64, 8, frames)
        assert has_sound(as_source(made)) is sound
    assert bench.now(video).stills == []
    assert [scene.title for scene in bench.plan(video).scenes] == [
        "Bees",
        "The user's own clip.",
        "The user's own picture.",
    ]


def test_an_existing_clip_is_reused(bench: Bench) -> None:
    video = bench.video("animatic", Stage.RENDERING, request=SMALL)
    bench.put_clip(bench.plan(video), 0, b"made before")
    assert run(bench, video) == {"clip": 0, "reused": True}
    assert artifact(bench, video) == b"made before"
    assert (bench.now(video).clips[0].state, bench.now(video).clips[0].reused) == (ClipState.DONE, True)


def test_a_clip_is_told_with_one_id_when_its_task_is_repeated(bench: Bench) -> None:
    video = bench.video("animatic", Stage.RENDERING, request=SMALL)
    for _ in range(2):
        run(bench, video)
    told = [WebhookEvent.of(heard["detail-type"], heard["detail"]) for heard in bench.heard(video)]
    assert [event.data for event in told] == 2 * [{"id": video.id, "clip": 0, "clips": 2}]
    assert len({event.id for event in told}) == 1


def test_nothing_is_drawn_for_a_cancelled_video(bench: Bench) -> None:
    video = bench.video("animatic", Stage.RENDERING, request=SMALL)
    bench.videos.advance(TENANT, video.id, Stage.CANCELLED)
    assert run(bench, video)[0] == "VideoClosed"
    assert not bench.outputs.exists(keys.clip(TENANT, bench.plan(video).clips[0].key_hash))


@pytest.mark.parametrize("gone", ["plan", "image"])
def test_a_missing_input_is_named(bench: Bench, gone: str) -> None:
    image = {"key": "uploads/acme/gone.png", "sha256": "0" * 64, "width": 320, "height": 180}
    video = bench.video("animatic", Stage.RENDERING, request={**SMALL, "image": image})
    if gone == "plan":
        bench.outputs.delete(keys.film_plan(TENANT, video.id))
    error, cause = run(bench, video)
    assert error == "ArtifactMissing"
    assert ("plan.json" if gone == "plan" else "gone.png") in cause["errorMessage"]
    assert "Retry the video" in cause["advice"]

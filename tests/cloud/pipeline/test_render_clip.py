import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lambdas.adapters.engine_calls import CallState
from lambdas.domain import keys
from lambdas.domain.film_plan import Picture
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipState
from lambdas.media.images import cover
from lambdas.tasks import render_clip
from tests.cloud.deployment import png
from tests.cloud.pipeline.bench import TENANT, Bench, Task
from tests.factories import a_shot
from tests.media.clips import decoded

IMAGE = {"key": "uploads/acme/frame.png", "sha256": "1" * 64, "width": 320, "height": 180}


def run(bench: Bench, video: Video, clip: int = 0, *, task: Task | None = None, retry: int = 0) -> Task:
    task = task or bench.task()
    task.call(render_clip.handler, video, clip=clip, retry=retry)
    return task


def request(bench: Bench, inference_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bench.inputs.get(keys.engine_request(inference_id)))
    return found


def pixels(document: dict[str, Any]) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(document["image"]))))


def test_the_engine_s_endpoint_is_invoked_and_the_token_stored(bench: Bench) -> None:
    video = bench.video(stage=Stage.RENDERING)
    task = run(bench, video, clip=1)
    assert task.waits
    [inference] = bench.inferences.of_video(video.id)
    assert (inference.token, inference.clip, inference.settled) == (task.token, 1, False)
    [call] = bench.answers.invocations
    assert call["endpoint"] == "reelworks-cogvideox-nano"
    assert call["x-amzn-sagemaker-inference-id"] == inference.id
    assert call["x-amzn-sagemaker-inputlocation"] == f"s3://input/{keys.engine_request(inference.id)}"
    assert call["x-amzn-sagemaker-content-type"] == "application/json"
    assert call["x-amzn-sagemaker-invocationtimeoutseconds"] == "900"
    assert call["x-amzn-sagemaker-requestttlseconds"] == "3600"
    clip = bench.plan(video).clips[1]
    assert request(bench, inference.id) == {
        "prompt": clip.prompt,
        "negative_prompt": "",
        "width": 96,
        "height": 64,
        "frames": 9,
        "skip_frames": 1,
        "fps": 8,
        "seed": clip.seed,
        "steps": 20,
        "guidance": None,
        "image": None,
        "video": None,
        "strength": None,
        "loras": [],
        "speed": None,
    }
    assert bench.now(video).clips[1].state is ClipState.RENDERING


def test_the_request_has_the_speed_and_the_adapters(bench: Bench) -> None:
    asked = {"speed": "fast", "loras": [{"name": "paper", "scale": 0.8}, {"name": "sketch", "scale": 1.0}]}
    video = bench.video(stage=Stage.RENDERING, request=asked)
    run(bench, video)
    [inference] = bench.inferences.of_video(video.id)
    assert request(bench, inference.id).items() >= asked.items()


def test_the_first_clip_starts_from_the_user_s_image_at_the_clip_s_size(bench: Bench) -> None:
    bench.inputs.put(IMAGE["key"], png(size=(320, 180)), "image/png")
    video = bench.video("cogvideox-nano-i2v", Stage.RENDERING, request={"image": IMAGE})
    run(bench, video)
    [inference] = bench.inferences.of_video(video.id)
    assert pixels(request(bench, inference.id)).shape == (64, 96, 3)


def test_another_scene_starts_from_its_still_at_the_clip_s_size(bench: Bench) -> None:
    bench.inputs.put(IMAGE["key"], png(), "image/png")
    still = png(1, size=(96, 64))
    bench.outputs.put(keys.still(TENANT, "5" * 64), still, "image/png")
    shots = [a_shot(), a_shot(still="5" * 64)]
    video = bench.video("cogvideox-nano-i2v", Stage.RENDERING, request={"image": IMAGE}, shots=shots)
    run(bench, video, clip=1)
    [inference] = bench.inferences.of_video(video.id)
    assert np.array_equal(pixels(request(bench, inference.id)), np.asarray(Image.open(io.BytesIO(still))))


def test_only_a_scene_s_last_clip_gets_its_last_picture(bench: Bench) -> None:
    given, still = png(3), png(4, size=(96, 64))
    last = {"key": f"uploads/{TENANT}/last.png", "sha256": "3" * 64, "width": 8, "height": 8}
    bench.inputs.put(last["key"], given, "image/png")
    bench.outputs.put(keys.still(TENANT, "4" * 64), still, "image/png")
    meets = Picture(key=keys.still(TENANT, "4" * 64), sha256="4" * 64)
    shots = [a_shot(frames=16, ends_on=meets), a_shot(frames=8, still="4" * 64)]
    video = bench.video("cogvideox-nano", Stage.RENDERING, request={"last_image": last}, shots=shots)
    assert [len(scene.clips) for scene in bench.plan(video).scenes] == [2, 1]
    for index in range(3):
        run(bench, video, clip=index)
    asked = {one.clip: request(bench, one.id) for one in bench.inferences.of_video(video.id)}
    assert "last_image" not in asked[0]
    for index, picture in ((1, still), (2, given)):
        sent = Image.open(io.BytesIO(base64.b64decode(asked[index]["last_image"])))
        assert (sent.format, sent.size) == ("PNG", (96, 64))
        expected = Image.open(io.BytesIO(cover(picture, 96, 64)))
        assert np.array_equal(np.asarray(sent), np.asarray(expected))


def test_the_next_clip_starts_from_the_last_frame_of_the_one_before(bench: Bench) -> None:
    video = bench.video("cogvideox-nano-i2v", Stage.RENDERING, request={"image": IMAGE})
    before = bench.outputs.get(bench.put_clip(bench.plan(video), 0))
    run(bench, video, clip=1)
    [inference] = bench.inferences.of_video(video.id)
    assert np.array_equal(pixels(request(bench, inference.id)), decoded(before)[-1])


def test_an_existing_clip_is_reused(bench: Bench) -> None:
    video = bench.video(stage=Stage.RENDERING)
    bench.put_clip(bench.plan(video), 0)
    assert run(bench, video).answer() == {"clip": 0, "reused": True}
    assert bench.answers.invocations == []
    assert bench.now(video).clips[0].reused


def test_a_delivery_interrupted_before_its_call_is_repeated(bench: Bench) -> None:
    video = bench.video(stage=Stage.RENDERING)
    bench.answers.endpoints_busy = True
    task = run(bench, video)
    assert task.waits
    assert bench.answers.invocations == []
    bench.answers.endpoints_busy = False
    run(bench, video, task=task)
    [inference] = bench.inferences.of_video(video.id)
    assert inference.sent_ms is None, "it is in flight; upkeep sends it"
    assert set(bench.clips.engine(inference.engine).flights) == {inference.id}


def test_a_retry_is_a_new_inference_even_with_the_same_token(bench: Bench) -> None:
    video = bench.video(stage=Stage.RENDERING)
    task = run(bench, video, retry=0)
    run(bench, video, task=task, retry=1)
    asked = [call["x-amzn-sagemaker-inference-id"] for call in bench.answers.invocations]
    assert len(set(asked)) == 2
    assert {inference.id for inference in bench.inferences.of_video(video.id)} == set(asked)


# --- the queue


def waiting(bench: Bench, video: Video) -> list[str]:
    calls = bench.inferences.of_video(video.id)
    return [call.id for call in calls if call.state is CallState.WAITING]


def test_clips_wait_while_the_engine_has_no_place(bench: Bench) -> None:
    video = bench.video(stage=Stage.RENDERING)
    tasks = [run(bench, video, clip) for clip in (0, 1, 1)]
    assert len(bench.answers.invocations) == 2, "two for one instance"
    assert len(waiting(bench, video)) == 1
    assert all(task.waits for task in tasks)


def test_more_instances_take_more_clips(bench: Bench) -> None:
    bench.answers.instances = 2
    video = bench.video(stage=Stage.RENDERING)
    for clip in (0, 1, 0, 1, 0):
        run(bench, video, clip)
    assert len(bench.answers.invocations) == 4


def test_an_endpoint_without_instances_gets_clips_that_wake_it(bench: Bench) -> None:
    bench.answers.instances = 0
    video = bench.video(stage=Stage.RENDERING)
    run(bench, video)
    assert len(bench.answers.invocations) == 1


def test_a_clip_that_waits_is_not_shown_as_rendering(bench: Bench) -> None:
    first = bench.video(stage=Stage.RENDERING)
    for clip in (0, 1):
        run(bench, first, clip)
    video = bench.video(stage=Stage.RENDERING)
    run(bench, video)
    clip = bench.now(video).clips[0]
    assert (clip.state, clip.started_ms) == (ClipState.WAITING, None)


def test_a_retry_takes_the_place_of_a_try_that_still_waits(bench: Bench) -> None:
    other = bench.video(stage=Stage.RENDERING)
    for clip in (0, 1):
        run(bench, other, clip)
    video = bench.video(stage=Stage.RENDERING)
    run(bench, video, retry=0)
    [first] = waiting(bench, video)
    run(bench, video, retry=1)
    [second] = waiting(bench, video)
    assert second != first


def test_a_missing_endpoint_fails_each_clip_that_waits_for_it(bench: Bench) -> None:
    bench.answers.endpoints_exist = False
    video = bench.video(stage=Stage.RENDERING)
    tasks = [run(bench, video, clip) for clip in (0, 1)]
    assert [task.answer()[0] for task in tasks] == ["EngineFailed", "EngineFailed"]
    assert bench.clips.engine("cogvideox-nano").flights == {}


def test_a_missing_endpoint_is_named_with_advice(bench: Bench) -> None:
    bench.answers.endpoints_exist = False
    error, cause = run(bench, bench.video(stage=Stage.RENDERING)).answer()
    assert error == "EngineFailed"
    assert "reelworks-cogvideox-nano" in cause["errorMessage"]
    assert "engines stack" in cause["advice"]


def test_no_engine_is_invoked_for_a_cancelled_video(bench: Bench) -> None:
    video = bench.video(stage=Stage.RENDERING)
    bench.videos.advance(TENANT, video.id, Stage.CANCELLED)
    assert run(bench, video).answer()[0] == "VideoClosed"
    assert bench.answers.invocations == []


# --- films of another size and rate than the engine's

PORTRAIT = {
    "image": IMAGE, "width": 360, "height": 640, "fps": 24,
    "rendered_width": 96, "rendered_height": 64, "rendered_fps": 8,
}  # fmt: skip


def test_the_engine_is_asked_to_render_its_own_format_and_to_export_the_film_s(bench: Bench) -> None:
    bench.inputs.put(IMAGE["key"], png(size=(320, 180)), "image/png")
    video = bench.video("cogvideox-nano-i2v", Stage.RENDERING, request=PORTRAIT)
    run(bench, video)
    [inference] = bench.inferences.of_video(video.id)
    asked = request(bench, inference.id)
    assert (asked["width"], asked["height"], asked["fps"], asked["frames"]) == (96, 64, 8, 49)
    assert asked["film"] == {
        "width": 360, "height": 640, "fps": 24, "frames": 144, "fit": "cover", "fps_mode": "repeat",
    }  # fmt: skip
    assert pixels(asked).shape == (640, 360, 3), "what the film shows of the user's image"


@pytest.mark.parametrize("fit", ["contain", "blur"])
def test_where_nothing_is_cut_a_given_image_fills_the_engine_s_picture(bench: Bench, fit: str) -> None:
    bench.inputs.put(IMAGE["key"], png(size=(320, 180)), "image/png")
    video = bench.video("cogvideox-nano-i2v", Stage.RENDERING, request={**PORTRAIT, "fit": fit})
    run(bench, video)
    [inference] = bench.inferences.of_video(video.id)
    assert pixels(request(bench, inference.id)).shape == (64, 96, 3)


@pytest.mark.parametrize("fit", ["cover", "contain", "blur"])
def test_a_chained_clip_goes_on_from_the_film_s_own_picture(bench: Bench, fit: str) -> None:
    video = bench.video("cogvideox-nano-i2v", Stage.RENDERING, request={**PORTRAIT, "fit": fit})
    before = bench.outputs.get(bench.put_clip(bench.plan(video), 0))
    run(bench, video, clip=1)
    [inference] = bench.inferences.of_video(video.id)
    assert np.array_equal(pixels(request(bench, inference.id)), decoded(before)[-1])

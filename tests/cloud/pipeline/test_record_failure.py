import json
from typing import Any

import pytest

from lambdas.domain import keys
from lambdas.domain.errors import ClipsDiffer, NarrationRefused
from lambdas.domain.failures import cause
from lambdas.domain.stages import Stage
from lambdas.domain.video import Source, Video, execution_name
from lambdas.domain.video_parts import Failure
from lambdas.tasks import record_failure
from tests.cloud.pipeline.bench import TENANT, Bench

ERROR = {"Error": "ClipsDiffer", "Cause": cause(ClipsDiffer("clip 1 has another size", clip=1))}


def run(
    bench: Bench,
    video: Video,
    error: Any = ERROR,
    step: str = "Assemble",
    scene: int | None = None,
    attempt: int = 1,
) -> Any:
    places = {"scene": scene, "clip": None}
    execution = execution_name(video.id, attempt)
    return bench.answer(record_failure.handler, video, execution=execution, step=step, error=error, **places)


def test_the_record_says_which_step_and_clip_failed_why_and_what_to_do(bench: Bench) -> None:
    video = bench.video(stage=Stage.ASSEMBLING)
    assert run(bench, video) == {"recorded": True}
    failed = bench.now(video)
    assert failed.stage is Stage.FAILED
    assert failed.failure == Failure(
        step="Assemble",
        clip=1,
        code="ClipsDiffer",
        reason="clip 1 has another size",
        advice="Render all clips of a video with one engine, size and fps.",
    )
    assert bench.events(video) == ["video.failed"]


def test_the_record_says_which_scene_s_narration_failed(bench: Bench) -> None:
    video = bench.video(stage=Stage.PLANNING)
    bench.videos.advance(TENANT, video.id, Stage.PREPARING)
    error = {"Error": "NarrationRefused", "Cause": cause(NarrationRefused("Joanna can't speak it"))}
    run(bench, video, error, step="Narrate", scene=2)
    told = bench.now(video).failure
    assert told
    assert (told.step, told.scene, told.clip, told.code) == ("Narrate", 2, None, "NarrationRefused")


@pytest.mark.parametrize("stage", [Stage.QUEUED, Stage.PLANNING, Stage.RENDERING, Stage.PUBLISHING])
def test_a_video_can_fail_at_any_stage(bench: Bench, stage: Stage) -> None:
    video = bench.video(stage=stage)
    run(bench, video)
    assert bench.now(video).stage is Stage.FAILED


@pytest.mark.parametrize("error", [{}, {"Error": None, "Cause": 7}, {"Error": "Odd", "Cause": "[" * 5000}])
def test_any_error_ends_the_video(bench: Bench, error: Any) -> None:
    video = bench.video(stage=Stage.RENDERING)
    assert run(bench, video, error) == {"recorded": True}
    failure = bench.now(video).failure
    assert failure
    assert failure.reason
    assert failure.advice


@pytest.mark.parametrize("stage", [Stage.CANCELLED, Stage.COMPLETED])
def test_a_video_that_has_ended_otherwise_is_left_alone(bench: Bench, stage: Stage) -> None:
    video = bench.video(stage=Stage.PUBLISHING)
    bench.videos.advance(TENANT, video.id, stage)
    assert run(bench, video) == {"recorded": False}
    assert bench.now(video).stage is stage
    assert bench.events(video) == []


@pytest.mark.parametrize("stage", [Stage.QUEUED, Stage.RENDERING, Stage.FAILED])
def test_a_failure_of_an_earlier_attempt_does_not_affect_this_one(bench: Bench, stage: Stage) -> None:
    video = bench.video(stage=Stage.RENDERING)
    bench.videos.advance(TENANT, video.id, Stage.FAILED)
    again = bench.videos.requeue(bench.now(video))
    assert again
    for step in (Stage.PLANNING, Stage.RENDERING, Stage.FAILED):
        if bench.now(video).stage is not stage:
            again = bench.videos.advance(TENANT, video.id, step)
    assert run(bench, video, attempt=1) == {"recorded": False}
    assert bench.now(video) == again
    assert bench.events(video) == []
    assert run(bench, video, attempt=2) == {"recorded": True}
    assert bench.now(video).stage is Stage.FAILED


def test_a_deleted_video_is_not_restored(bench: Bench) -> None:
    video = bench.video()
    bench.videos.delete(TENANT, video.id)
    assert run(bench, video) == {"recorded": False}
    assert not bench.outputs.exists(keys.video_record(TENANT, video.id))


def test_a_crash_before_the_event_repeats_the_step_and_keeps_the_first_reason(bench: Bench) -> None:
    video = bench.video(stage=Stage.RENDERING)
    first = Failure(step="DrawClip", clip=0, code="ArtifactMissing", reason="gone", advice="Retry.")
    bench.videos.advance(TENANT, video.id, Stage.FAILED, failure=first)
    assert run(bench, video) == {"recorded": True}
    assert bench.now(video).failure == first
    assert bench.events(video) == ["video.failed"]


def test_a_dropped_object_gets_the_reason_beside_it(bench: Bench) -> None:
    video = bench.video(
        stage=Stage.ASSEMBLING, source=Source(bucket="input", key="drop/acme/wind.txt", etag="1")
    )
    run(bench, video)
    told = json.loads(bench.outputs.get("drop/acme/wind.txt.error.json"))
    assert told["code"] == "ClipsDiffer"
    assert told["reason"].startswith("clip 1 has another size Render all clips")


def test_engine_calls_are_withdrawn(bench: Bench) -> None:
    video = bench.video(stage=Stage.RENDERING)
    flying = bench.in_flight(bench.inference(video, 0))
    settled = bench.in_flight(bench.inference(video, 1))
    bench.inferences.settle(settled.id)
    waiting = bench.inference(video, 1)
    bench.clips.enqueue(waiting)
    bench.inputs.put(waiting.request, b"{}", "application/json")
    run(bench, video, {"Error": "EngineRejected", "Cause": ""}, step="RenderClip")
    assert not bench.inputs.exists(flying.request)
    assert not bench.inputs.exists(waiting.request)
    assert bench.inputs.exists(settled.request)
    assert bench.clips.waiting(waiting.engine).clips == 0

import json
from typing import Any

import pytest

from containers.serving.work_box import work_box
from lambdas.adapters.videos import now_ms
from lambdas.domain import keys
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipProgress, ClipState
from lambdas.media.quality import measure_clip
from lambdas.notices import settle_clip
from lambdas.production.plans import store_plan
from tests.cloud.deployment import Context
from tests.cloud.pipeline.bench import TENANT, Bench, Task, film_clip
from tests.media.flashes import muxed
from tests.media.sounds import tone

REFUSAL = {"error": {"code": "invalid_request", "param": "frames", "message": "frames must be 8N+1 up to 49"}}
MEMORY = {"error": {"code": "out_of_memory", "param": None, "message": "the GPU has 24 GB, 31 were needed"}}


class Asked:
    """A clip that was requested from an engine."""

    def __init__(self, bench: Bench, video: Video, clip: int = 0, token: str | None = None) -> None:
        self.bench, self.video, self.clip = bench, video, clip
        self.task: Task = bench.task()
        self.inference = bench.in_flight(
            bench.inference(video, clip, token=token or self.task.token, requested_ms=now_ms())
        )
        self.id = self.inference.id
        self.output = f"{keys.ENGINE_OUTPUT_PREFIX}{self.id}.out"
        self.failure = f"{keys.ENGINE_FAILURE_PREFIX}{self.id}-error.out"

    @property
    def artifact(self) -> str:
        return keys.clip(TENANT, self.bench.plan(self.video).clips[self.clip].key_hash)

    @property
    def settled(self) -> bool:
        inference = self.bench.inferences.get(self.id)
        assert inference
        assert inference.settled is (self.id not in self.flights), "a settled call has no place"
        return bool(inference.settled)

    @property
    def flights(self) -> set[str]:
        return set(self.bench.clips.engine(self.inference.engine).flights)

    def render(self, content: bytes | None = None, *, seconds: float | None = None) -> None:
        """Store the engine's output. `seconds`: how long it says that it worked."""
        content = content or film_clip(self.bench.plan(self.video), self.clip)
        if seconds is not None:
            content += work_box(seconds)
        self.bench.outputs.put(self.output, content, "video/mp4")

    def fail(self, body: bytes) -> None:
        self.bench.outputs.put(self.failure, body, "application/json")

    def notice(self, status: str, *, bucket: str = "output", **more: Any) -> None:
        """Call the function with the notice that SageMaker's topic sends."""
        said = {
            "awsRegion": "us-east-1",
            "eventTime": "2026-01-02T03:04:05.678Z",
            "receivedTime": "2026-01-02T03:04:05.678Z",
            "invocationStatus": status,
            "requestParameters": {"endpointName": "reelworks-cogvideox-nano"},
            "inferenceId": self.id,
            "eventVersion": "1.0",
            "eventSource": "aws:sagemaker",
            "eventName": "InferenceResult",
            **more,
        }
        if status == "Completed":
            location = f"s3://{bucket}/{self.output}"
            said["responseParameters"] = {"contentType": "video/mp4", "outputLocation": location}
        settle_clip.handler({"Records": [{"Sns": {"Message": json.dumps(said)}}]}, Context())


@pytest.fixture
def asked(bench: Bench) -> Asked:
    return Asked(bench, bench.video(stage=Stage.RENDERING))


def test_the_engine_s_clip_becomes_the_artifact_and_the_machine_goes_on(asked: Asked, bench: Bench) -> None:
    asked.render(seconds=12.5)
    asked.notice("Completed")
    assert asked.task.answer() == {"clip": 0, "reused": False}
    content = film_clip(bench.plan(asked.video), 0)
    assert bench.outputs.get(asked.artifact) == content
    assert bench.outputs.source(asked.artifact).measures == measure_clip(content).stored()
    assert not bench.outputs.exists(asked.output)
    assert asked.settled
    clip = bench.now(asked.video).clips[0]
    assert (clip.state, clip.reused, clip.started_ms) == (ClipState.DONE, False, asked.inference.started_ms)
    assert clip.finished_ms
    assert clip.cost == 0.0125, "for the seconds that the engine worked"
    assert bench.events(asked.video) == ["clip.completed"]


def test_those_who_wait_are_told_how_long_the_last_clip_took(asked: Asked, bench: Bench) -> None:
    asked.render(seconds=12.5)
    asked.notice("Completed")
    bench.clips.enqueue(waits := bench.inference(asked.video, 1))
    line = bench.clips.line(waits.engine, TENANT, asked.video.id)
    assert line is not None
    assert line.clip_seconds == 12.5


def test_the_cost_of_a_clip_is_unknown_if_its_engine_does_not_say_how_long_it_worked(
    asked: Asked, bench: Bench
) -> None:
    asked.render()
    asked.notice("Completed")
    assert bench.now(asked.video).clips[0].cost is None


def test_two_identical_clips_are_each_recorded(bench: Bench) -> None:
    """Scenes with the same words and seed, rendered in parallel."""
    video = bench.video(stage=Stage.RENDERING)
    plan = bench.plan(video)
    [scene] = plan.scenes
    clips = [*scene.clips, scene.clips[0].model_copy(update={"index": len(scene.clips)})]
    store_plan(bench.outputs, plan.model_copy(update={"scenes": [scene.model_copy(update={"clips": clips})]}))
    waiting = [ClipProgress(seconds=1) for _ in clips]
    bench.videos.advance(TENANT, video.id, Stage.RENDERING, clips=waiting)
    asked = Asked(bench, video, clip=clips[-1].index)
    asked.render()
    asked.notice("Completed")
    *others, last = [clip.state for clip in bench.now(video).clips]
    assert (set(others), last) == ({ClipState.WAITING}, ClipState.DONE)


def test_a_duplicate_notice_changes_nothing(asked: Asked, bench: Bench) -> None:
    asked.render()
    asked.notice("Completed")
    clip = bench.now(asked.video).clips[0]
    asked.notice("Completed")
    asked.notice("Failed", failureReason="late nonsense")
    assert asked.task.answer() == {"clip": 0, "reused": False}
    assert bench.now(asked.video).clips[0] == clip


@pytest.mark.parametrize("output_is_gone", [False, True])
def test_an_interrupted_settlement_is_finished_by_the_next_notice(
    asked: Asked, bench: Bench, output_is_gone: bool
) -> None:
    bench.put_clip(bench.plan(asked.video), 0)  # as far as the first try got
    if not output_is_gone:
        asked.render()
    asked.notice("Completed")
    assert asked.task.answer() == {"clip": 0, "reused": False}
    assert asked.settled


def test_an_abandoned_answer_still_stores_the_clip(bench: Bench) -> None:
    asked = Asked(bench, bench.video(stage=Stage.RENDERING), token="nobody's")
    asked.render()
    asked.notice("Completed")
    assert asked.settled
    assert bench.outputs.exists(asked.artifact)


def test_an_abandoned_failure_is_settled(bench: Bench) -> None:
    asked = Asked(bench, bench.video(stage=Stage.RENDERING), token="nobody's")
    asked.notice("Failed", failureReason="server error (500)")
    assert asked.settled


def test_a_video_that_was_deleted_meanwhile_is_left_deleted(asked: Asked, bench: Bench) -> None:
    asked.render()
    artifact = asked.artifact
    bench.outputs.delete_all(keys.video_folder(TENANT, asked.video.id))
    bench.videos.delete(TENANT, asked.video.id)
    asked.notice("Completed")
    assert not bench.outputs.exists(artifact)
    assert not bench.outputs.exists(asked.output)
    assert asked.settled
    assert asked.task.answer()[0] == "ArtifactMissing"


def test_notices_of_other_deployments_are_ignored(asked: Asked) -> None:
    asked.id = "video_of_someone_else.000.abcdefabcdef"
    asked.notice("Completed")
    assert asked.task.waits


def test_an_output_elsewhere_is_not_read(asked: Asked) -> None:
    with pytest.raises(ValueError, match="output bucket"):
        asked.notice("Completed", bucket="elsewhere")
    assert asked.task.waits


# --- clips that differ from the request


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"count": 7}, "frames 8; engine cogvideox-nano returned 7"),
        ({"width": 64}, "size 96x64; engine cogvideox-nano returned 64x64"),
        ({"fps": 16}, "fps 8; engine cogvideox-nano returned 16"),
    ],
)
def test_a_clip_of_the_wrong_length_size_or_rate_is_rejected(
    asked: Asked, bench: Bench, changes: dict[str, int], words: str
) -> None:
    asked.render(film_clip(bench.plan(asked.video), 0, **changes))
    asked.notice("Completed")
    error, cause = asked.task.answer()
    assert (error, cause["clip"]) == ("ClipMismatch", 0)
    assert words in cause["errorMessage"]
    assert asked.settled
    assert not bench.outputs.exists(asked.artifact)


def test_a_clip_whose_sound_can_t_be_decoded_is_rejected(bench: Bench) -> None:
    video = bench.video(stage=Stage.RENDERING)
    plan = bench.plan(video)
    clips = [clip.model_copy(update={"sound": True}) for clip in plan.clips]
    scene = plan.scenes[0].model_copy(update={"clips": clips})
    store_plan(bench.outputs, plan.model_copy(update={"scenes": [scene]}))
    for codec, outcome in (("ac3", "ClipUnreadable"), ("aac", None)):
        asked = Asked(bench, video)
        asked.render(muxed(film_clip(plan, 0), tone(1, 440), codec=codec))
        asked.notice("Completed")
        answer = asked.task.answer()
        if outcome is None:
            assert answer["clip"] == 0
        else:
            assert (answer[0], answer[1]["clip"]) == (outcome, 0)
            assert "its sound can't be used" in answer[1]["errorMessage"]
        assert bench.outputs.exists(asked.artifact) is (outcome is None)


WORKFLOW = {"width": 96, "height": 64, "fps": 8, "seconds": 1}


@pytest.mark.parametrize(
    "changes",
    [{}, {"count": 7}, {"width": 64}, {"height": 128}, {"count": 16, "fps": 16}, {"count": 25, "fps": 24}],
)
def test_a_workflow_s_clip_may_have_another_size_or_rate(bench: Bench, changes: dict[str, int]) -> None:
    video = bench.video("comfyui", Stage.RENDERING, request=WORKFLOW)
    asked = Asked(bench, video, 0)
    asked.render(film_clip(bench.plan(video), 0, **changes))
    asked.notice("Completed")
    assert asked.task.answer()["clip"] == 0
    assert bench.outputs.exists(asked.artifact)


@pytest.mark.parametrize("changes", [{"count": 6}, {"count": 10}, {"fps": 16}])
def test_a_workflow_s_clip_must_have_the_requested_length(bench: Bench, changes: dict[str, int]) -> None:
    video = bench.video("comfyui", Stage.RENDERING, request=WORKFLOW)
    asked = Asked(bench, video, 0)
    asked.render(film_clip(bench.plan(video), 0, **changes))
    asked.notice("Completed")
    error, cause = asked.task.answer()
    assert (error, cause["clip"]) == ("ClipMismatch", 0)
    assert "expected 1.000 s" in cause["errorMessage"]
    assert not bench.outputs.exists(asked.artifact)


@pytest.mark.parametrize("content", [b"no video", b""])
def test_an_output_that_is_not_a_video_is_rejected(asked: Asked, bench: Bench, content: bytes) -> None:
    bench.outputs.put(asked.output, content, "video/mp4")
    asked.notice("Completed")
    error, cause = asked.task.answer()
    assert (error, cause["clip"]) == ("ClipUnreadable", 0)
    assert not bench.outputs.exists(asked.artifact)


# --- failures


@pytest.mark.parametrize("place", ["failure object", "failureReason", "responseParameters", "client error"])
def test_the_engine_s_rejection_is_passed_on_verbatim(asked: Asked, place: str) -> None:
    quoted = f"Received client error (400) from primary with message '{json.dumps(REFUSAL)}'"
    match place:
        case "failure object":
            asked.fail(json.dumps(REFUSAL).encode())
            location = f"s3://output/{asked.failure}"
            asked.notice("Failed", responseParameters={"failureLocation": location})
        case "failureReason":
            asked.notice("Failed", failureReason=quoted)
        case "responseParameters":
            asked.notice("Failed", responseParameters={"failureReason": quoted})
        case "client error":
            asked.notice("Failed", failureReason="Received client error (400): frames must be 8N+1 up to 49")
    error, cause = asked.task.answer()
    assert error == "EngineRejected"
    assert "frames must be 8N+1 up to 49" in cause["errorMessage"]
    assert "Change the request" in cause["advice"]
    assert asked.settled


def test_an_engine_failure_is_retryable_and_noted(asked: Asked, bench: Bench) -> None:
    asked.fail(json.dumps(MEMORY).encode())
    asked.notice("Failed", failureLocation=f"s3://output/{asked.failure}", failureReason="server error (500)")
    error, cause = asked.task.answer()
    assert (error, cause["errorMessage"]) == ("EngineFailed", "the GPU has 24 GB, 31 were needed")
    video = asked.inference
    [failed] = bench.videos.failed_tries(video.tenant, video.video_id)
    assert (failed.step, failed.clip, failed.code) == ("RenderClip", 0, "EngineFailed")
    assert failed.reason == "the GPU has 24 GB, 31 were needed"


def test_a_failure_without_a_reason_says_so(asked: Asked) -> None:
    asked.notice("Failed", failureLocation=f"s3://output/{asked.failure}")
    error, cause = asked.task.answer()
    assert (error, cause["errorMessage"]) == ("EngineFailed", "the endpoint gave no reason")


EXPIRED = {"receivedTime": "2026-01-02T03:04:05.678Z", "eventTime": "2026-01-02T04:04:06.678Z"}


def test_an_expired_request_is_asked_again_and_nothing_has_failed(asked: Asked, bench: Bench) -> None:
    asked.notice("Expired", **EXPIRED)
    assert asked.task.waits
    assert asked.settled
    [call] = bench.answers.invocations
    again = call["x-amzn-sagemaker-inference-id"]
    assert again != asked.id
    assert call["x-amzn-sagemaker-inputlocation"] == f"s3://input/{asked.inference.request}"
    assert asked.flights == {again}
    asked.notice("Expired", **EXPIRED)
    assert len(bench.answers.invocations) == 1, "the notice came twice"
    asked.id = again
    asked.output = f"{keys.ENGINE_OUTPUT_PREFIX}{again}.out"
    asked.render()
    asked.notice("Completed")
    assert asked.task.answer() == {"clip": 0, "reused": False}


def test_a_request_may_expire_many_times(asked: Asked, bench: Bench) -> None:
    ids = {asked.id}
    for _ in range(12):
        asked.notice("Expired", **EXPIRED)
        [asked.id] = asked.flights
        assert len(asked.id) <= 64
        ids.add(asked.id)
    assert len(ids) == 13
    assert asked.task.waits


def test_an_engine_that_works_for_too_long_has_failed(asked: Asked) -> None:
    asked.notice("Expired", eventTime="2026-01-02T03:20:05.678Z")  # received 16 minutes before
    error, cause = asked.task.answer()
    assert error == "EngineFailed"
    assert "invocation_seconds" in cause["advice"]
    assert asked.settled


# --- the next clip


def test_the_next_clip_is_admitted_when_one_is_settled(bench: Bench) -> None:
    video = bench.video(stage=Stage.RENDERING)
    asked = [Asked(bench, video), Asked(bench, video, 1)]
    waiting = bench.inference(video, 1)
    bench.inputs.put(waiting.request, b"{}", "application/json")
    bench.clips.enqueue(waiting)
    asked[0].notice("Failed", failureReason="server error (500)")
    assert [call["x-amzn-sagemaker-inference-id"] for call in bench.answers.invocations] == [waiting.id]
    assert asked[0].flights == {asked[1].id, waiting.id}
    clip = bench.now(video).clips[1]
    assert clip.state is ClipState.RENDERING
    asked[0].notice("Failed", failureReason="server error (500)")
    assert len(bench.answers.invocations) == 1


def test_a_second_notice_admits_what_the_first_was_too_late_for(asked: Asked, bench: Bench) -> None:
    asked.notice("Failed", failureReason="server error (500)")
    waiting = bench.inference(asked.video, 1)
    bench.inputs.put(waiting.request, b"{}", "application/json")
    bench.clips.enqueue(waiting)
    asked.notice("Failed", failureReason="server error (500)")
    assert len(bench.answers.invocations) == 1


def test_a_clip_without_its_request_is_not_sent(bench: Bench) -> None:
    """Its video was cancelled."""
    asked = Asked(bench, bench.video(stage=Stage.RENDERING))
    waiting = bench.inference(asked.video, 1)
    bench.clips.enqueue(waiting)
    asked.notice("Failed", failureReason="server error (500)")
    assert bench.answers.invocations == []
    assert asked.flights == set()
    assert bench.clips.waiting(waiting.engine).clips == 0

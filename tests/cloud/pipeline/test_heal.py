import json
import time
from datetime import timedelta
from typing import Any

import pytest

from lambdas.adapters import stores
from lambdas.adapters.builds import Builds
from lambdas.adapters.clients import client
from lambdas.adapters.executions import Execution, Machine
from lambdas.adapters.objects import Objects
from lambdas.adapters.videos import Videos, now_ms
from lambdas.domain import keys
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video, execution_name
from lambdas.domain.video_parts import ClipProgress, ClipState, Decision, Review
from lambdas.domain.video_request import Gate
from lambdas.intake.accept import Intake
from lambdas.production.task_token import CalledBackTask
from lambdas.upkeep import heal
from lambdas.upkeep.lost_calls import Calls
from lambdas.upkeep.lost_drops import Drops
from tests.cloud.deployment import Context
from tests.cloud.pipeline.bench import TENANT, Bench, Task, film_clip
from tests.cloud.servers import wait_until

NO_GRACE = timedelta(0)
LONG_AGO = 1_700_000_000_000


class Timed(Context):
    """A context with time left."""

    def __init__(self, seconds: int = 300) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return self.seconds * 1000


def run(seconds: int = 300, **event: Any) -> dict[str, int]:
    """Run the scheduled function."""
    return heal.handler(event, Timed(seconds))


def look_at(bench: Bench, video: Video, **settings: str) -> bool:
    """Heal one video without a grace period."""
    return heal.Heal(bench.settings.model_copy(update=settings), NO_GRACE).video(TENANT, video.id)


def start(video: Video, machine: str) -> str:
    started = client("stepfunctions").start_execution(
        stateMachineArn=machine, name=execution_name(video.id, video.attempt), input="{}"
    )
    return str(started["executionArn"])


def ended(execution: str) -> bool:
    found = client("stepfunctions").describe_execution(executionArn=execution)
    return bool(found["status"] != "RUNNING")


def park(
    bench: Bench, video: Video, clip: int = 0, *, key_hash: str | None = None, **how: Any
) -> tuple[Task, str]:
    """Store an engine call in flight since long ago and return the waiting token and the inference's id.
    `key_hash` None: that of the plan's clip."""
    task = bench.task()
    changes = {"key_hash": key_hash} if key_hash else {}
    call = bench.inference(video, clip, token=task.token, requested_ms=LONG_AGO, **changes)
    return task, bench.in_flight(call, **how).id


def look_at_calls(bench: Bench) -> int:
    return Calls(bench.settings, NO_GRACE).engine("cogvideox-nano", lambda: True)


# --- decisions interrupted before their answer


def at_gate(bench: Bench, *, decision: Decision | None) -> tuple[Video, Task]:
    """Return a video whose execution waits at a gate, with its record."""
    video = bench.video(stage=Stage.PLANNING)
    start(video, bench.settings.state_machine_arn)
    task = bench.task()
    wait = Review(gate=Gate.STORYBOARD, until_ms=LONG_AGO)
    stores.reviews(bench.settings).park(video, wait, task.token)
    bench.videos.advance(TENANT, video.id, Stage.REVIEWING, review=wait)
    if decision is None:
        return bench.now(video), task
    decided = wait.model_copy(update={"decision": decision})
    return bench.videos.advance(TENANT, video.id, Stage.PLANNING, review=decided), task


@pytest.mark.parametrize("decision", Decision)
def test_a_decision_whose_token_still_waits_is_sent(bench: Bench, decision: Decision) -> None:
    video, task = at_gate(bench, decision=decision)
    assert look_at(bench, video)
    assert task.answer() == {"decision": decision}
    assert not look_at(bench, video)


def test_a_film_that_waits_for_its_user_is_left_alone(bench: Bench) -> None:
    video, task = at_gate(bench, decision=None)
    assert not look_at(bench, video)
    assert task.waits
    assert bench.now(video) == video


def test_a_film_whose_wait_was_lost_with_the_cloud_returns_to_its_gate(bench: Bench) -> None:
    video = bench.video(stage=Stage.PLANNING)
    wait = Review(gate=Gate.PREVIEWS, until_ms=LONG_AGO)
    bench.videos.advance(TENANT, video.id, Stage.REVIEWING, review=wait, approved=(Gate.STORYBOARD,))
    assert look_at(bench, video)
    again = bench.now(video)
    assert (again.stage, again.attempt, again.review) == (Stage.QUEUED, 2, None)
    assert again.approved == (Gate.STORYBOARD,)
    assert bench.requests(video) == 1


# --- builds that ended without an answer


def in_build(bench: Bench, status: str) -> tuple[Video, Task]:
    """Return a video that a build assembles or has assembled, with a running execution."""
    video = bench.video(stage=Stage.ASSEMBLING)
    start(video, bench.settings.state_machine_arn)
    task = bench.task()
    request = CalledBackTask(token=task.token, tenant=TENANT, video_id=video.id).model_dump_json()
    build = Builds(client("codebuild"), bench.settings.build_project).start(request, delivery=task.token)
    bench.answers.builds[build]["buildStatus"] = status
    return bench.videos.advance(TENANT, video.id, Stage.ASSEMBLING, build=build), task


@pytest.mark.parametrize("status", ["FAILED", "FAULT", "TIMED_OUT", "STOPPED", "SUCCEEDED"])
def test_a_build_that_ended_without_an_answer_fails_its_step(bench: Bench, status: str) -> None:
    video, task = in_build(bench, status)
    assert look_at(bench, video)
    error, cause = task.answer()
    assert error == "AssemblerFailed"
    assert status in cause["errorMessage"]
    assert not look_at(bench, video)  # no execution waits for it any more


def test_a_running_build_is_left_alone(bench: Bench) -> None:
    video, task = in_build(bench, "IN_PROGRESS")
    assert not look_at(bench, video)
    assert task.waits


def test_an_unknown_build_does_not_fail_the_video(bench: Bench) -> None:
    video, task = in_build(bench, "FAILED")
    bench.answers.builds.clear()
    assert not look_at(bench, video)
    assert task.waits


# --- messages and executions that were lost


def test_a_queued_video_whose_message_was_lost_is_queued_again(bench: Bench) -> None:
    video = bench.video(updated_ms=LONG_AGO)
    run()
    assert bench.requests(video) == 1
    now = bench.now(video)
    assert (now.stage, now.attempt) == (Stage.QUEUED, 1)
    run()
    assert bench.requests(video) == 0, "the stamp says that it was just sent"


def test_a_recently_queued_video_does_not_count_as_lost(bench: Bench) -> None:
    video = bench.video()
    run()
    assert bench.requests(video) == 0


def test_a_queued_video_whose_execution_has_started_is_left_alone(bench: Bench) -> None:
    video = bench.video(updated_ms=LONG_AGO)
    start(video, bench.settings.state_machine_arn)
    assert not look_at(bench, video)
    assert bench.requests(video) == 0


@pytest.mark.parametrize("stage", [Stage.PLANNING, Stage.RENDERING, Stage.ASSEMBLING, Stage.PUBLISHING])
def test_a_video_whose_execution_was_lost_is_retried(bench: Bench, stage: Stage) -> None:
    video = bench.video(stage=stage)
    assert look_at(bench, video)
    again = bench.now(video)
    assert (again.stage, again.attempt) == (Stage.QUEUED, 2)
    assert bench.requests(video) == 1


def test_a_video_is_retried_however_often_the_cloud_is_lost(bench: Bench) -> None:
    video = bench.video()
    for _ in range(12):
        video = bench.videos.advance(TENANT, video.id, Stage.PLANNING)
        assert look_at(bench, video)
    assert (bench.now(video).stage, bench.now(video).attempt) == (Stage.QUEUED, 13)


def test_a_video_resumed_meanwhile_is_not_reset(bench: Bench) -> None:
    seen = bench.video(stage=Stage.PLANNING)
    first = bench.videos.requeue(seen)
    assert first
    bench.videos.advance(TENANT, seen.id, Stage.PLANNING)
    assert bench.videos.requeue(seen) is None
    assert bench.videos.requeue(first) is None
    assert (bench.now(seen).stage, bench.now(seen).attempt) == (Stage.PLANNING, 2)


@pytest.mark.parametrize("stage", [Stage.COMPLETED, Stage.FAILED, Stage.CANCELLED])
def test_a_video_that_has_ended_is_left_alone(bench: Bench, stage: Stage) -> None:
    video = bench.video(stage=Stage.PUBLISHING)
    bench.videos.advance(TENANT, video.id, stage)
    assert not look_at(bench, video)
    assert bench.now(video).stage is stage


# --- executions that ended with their record open


def test_the_failure_that_the_machine_could_not_record_is_recorded(bench: Bench) -> None:
    error = {"Error": "EngineRejected", "Cause": json.dumps({"errorMessage": "frames must be 8N+1"})}
    failed = {
        "Type": "Fail",
        "Error": "EngineRejected",
        "Cause": json.dumps({"step": "RenderClip", "clip": 1, "error": error}),
    }
    machine = bench.machine("fails", {"StartAt": "Failed", "States": {"Failed": failed}})
    video = bench.video(stage=Stage.RENDERING)
    execution = start(video, machine)
    wait_until(lambda: ended(execution))
    assert look_at(bench, video, state_machine_arn=machine)
    failure = bench.now(video).failure
    assert failure
    assert (failure.step, failure.clip, failure.code) == ("RenderClip", 1, "EngineRejected")
    assert failure.reason == "frames must be 8N+1"
    assert bench.events(video) == ["video.failed"]


def test_a_stopped_execution_is_a_failure(bench: Bench) -> None:
    video = bench.video(stage=Stage.RENDERING)
    client("stepfunctions").stop_execution(executionArn=start(video, bench.settings.state_machine_arn))
    assert look_at(bench, video)
    failure = bench.now(video).failure
    assert failure
    assert failure.step == "ProduceVideo"
    assert "ABORTED" in failure.reason


def test_a_film_whose_execution_has_a_full_history_goes_on_in_a_new_attempt(bench: Bench) -> None:
    """As AWS ends an execution at its 25,000th event, which no Catch sees: seen on AWS by others
    (github.com/floci-io/floci, issue 2734)."""
    cause = "The execution reached the maximum number of history events (25000)."
    full = {"Type": "Fail", "Error": "States.Runtime", "Cause": cause}
    machine = bench.machine("full", {"StartAt": "Full", "States": {"Full": full}})
    video = bench.video(stage=Stage.RENDERING)
    call = bench.inference(video)
    bench.inputs.put(call.request, b"{}", "application/json")
    bench.clips.enqueue(call)
    execution = start(video, machine)
    wait_until(lambda: ended(execution))
    assert look_at(bench, video, state_machine_arn=machine)
    assert (bench.now(video).stage, bench.now(video).attempt) == (Stage.QUEUED, 2)
    assert bench.clips.waiting(call.engine).clips == 0, "its token belongs to the execution that ended"
    assert not bench.inputs.exists(call.request)


def test_a_video_whose_record_predates_its_execution_s_success_is_retried(bench: Bench) -> None:
    machine = bench.machine("succeeds", {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    video = bench.video(stage=Stage.PUBLISHING)
    execution = start(video, machine)
    wait_until(lambda: ended(execution))
    assert look_at(bench, video, state_machine_arn=machine)
    assert (bench.now(video).stage, bench.now(video).attempt) == (Stage.QUEUED, 2)


# --- notices that were lost


def test_a_clip_whose_notice_was_lost_is_settled(bench: Bench) -> None:
    video = bench.video(stage=Stage.RENDERING)
    start(video, bench.settings.state_machine_arn)
    task, inference_id = park(bench, video)
    content = film_clip(bench.plan(video), 0)
    bench.outputs.put(f"{keys.ENGINE_OUTPUT_PREFIX}{inference_id}.out", content, "video/mp4")
    assert look_at_calls(bench) == 1
    assert task.answer() == {"clip": 0, "reused": False}
    assert look_at_calls(bench) == 0
    assert bench.clips.engine("cogvideox-nano").flights == {}


def test_a_failure_whose_notice_was_lost_is_settled(bench: Bench) -> None:
    video = bench.video(stage=Stage.RENDERING)
    start(video, bench.settings.state_machine_arn)
    task, inference_id = park(bench, video, clip=1)
    body = json.dumps({"error": {"code": "engine_failed", "param": None, "message": "the GPU fell off"}})
    key = f"{keys.ENGINE_FAILURE_PREFIX}{inference_id}-error.out"
    bench.outputs.put(key, body.encode(), "application/json")
    assert look_at_calls(bench) == 1
    error, cause = task.answer()
    assert (error, cause["errorMessage"]) == ("EngineFailed", "the GPU fell off")


def test_a_clip_that_is_still_rendering_is_left_alone(bench: Bench) -> None:
    video = bench.video(stage=Stage.RENDERING)
    task, _ = park(bench, video, at_ms=now_ms())
    assert look_at_calls(bench) == 0
    assert task.waits
    assert bench.answers.invocations == []


# --- admissions that were interrupted


def sent(bench: Bench) -> list[str]:
    return [call["x-amzn-sagemaker-inference-id"] for call in bench.answers.invocations]


def test_a_clip_that_was_admitted_and_not_sent_is_sent(bench: Bench) -> None:
    task, inference_id = park(bench, bench.video(stage=Stage.RENDERING), sent=False)
    assert look_at_calls(bench) == 1
    assert sent(bench) == [inference_id]
    assert task.waits


def test_a_request_that_must_have_expired_is_asked_again(bench: Bench) -> None:
    """Its notice was lost."""
    task, inference_id = park(bench, bench.video(stage=Stage.RENDERING))
    assert look_at_calls(bench) == 1
    [again] = sent(bench)
    assert again.startswith(inference_id)
    assert set(bench.clips.engine("cogvideox-nano").flights) == {again}
    assert task.waits


def test_a_settled_call_gives_its_place_back(bench: Bench) -> None:
    _, inference_id = park(bench, bench.video(stage=Stage.RENDERING))
    bench.inferences.settle(inference_id)
    assert look_at_calls(bench) == 1
    assert bench.clips.engine("cogvideox-nano").flights == {}


def test_a_call_of_a_video_that_has_ended_gives_its_place_back(bench: Bench) -> None:
    video = bench.video(stage=Stage.RENDERING)
    _, inference_id = park(bench, video)
    bench.videos.advance(TENANT, video.id, Stage.CANCELLED)
    key = f"{keys.ENGINE_FAILURE_PREFIX}{inference_id}-error.out"
    bench.outputs.put(key, b"The request was withdrawn.", "text/plain")
    assert look_at_calls(bench) == 1
    assert bench.clips.engine("cogvideox-nano").flights == {}


def test_a_lost_admission_is_made_up_for(bench: Bench) -> None:
    call = bench.inference(bench.video(stage=Stage.RENDERING))
    bench.inputs.put(call.request, b"{}", "application/json")
    bench.clips.enqueue(call)
    run()
    assert sent(bench) == [call.id]


def test_the_clips_that_wait_are_measured_by_class_of_tenant(
    bench: Bench, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The largest tenant's name is in the log, not in a metric."""
    video = bench.video(stage=Stage.RENDERING)
    for _ in range(2):  # all that an endpoint takes
        park(bench, video)
    for tenant, clips in (("flood", 3), ("small", 1), ("other", 1)):
        for _ in range(clips):
            bench.clips.enqueue(bench.inference(video, tenant=tenant))
    Calls(bench.settings, timedelta(days=99_999)).engine("cogvideox-nano", lambda: True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    waiting = {line["tenant_class"]: line["ClipsWaiting"] for line in lines if "ClipsWaiting" in line}
    assert waiting == {"largest": [3.0], "others": [2.0]}
    (told,) = [vars(record) for record in caplog.records if record.message == "clips wait"]
    assert (told["tenant"], told["of_tenant"], told["clips"], told["tenants"]) == ("flood", 3, 5, 3)


# --- a film's time


def rendering_since(bench: Bench, started_ms: int | None) -> Video:
    video = bench.video(stage=Stage.RENDERING)
    start(video, bench.settings.state_machine_arn)
    state = ClipState.WAITING if started_ms is None else ClipState.RENDERING
    progress = ClipProgress(state=state, seconds=1, started_ms=started_ms)
    bench.videos.update_entry(TENANT, video.id, "clips", 1, progress)
    return video


def test_a_film_that_takes_too_long_fails_and_its_execution_ends(bench: Bench) -> None:
    video = rendering_since(bench, LONG_AGO)
    assert look_at(bench, video)
    failure = bench.now(video).failure
    assert failure
    assert failure.code == "FilmTimedOut"
    assert "144 h" in failure.reason
    machine = Machine(client("stepfunctions"), bench.settings.state_machine_arn)
    assert machine.state(execution_name(video.id, 1))[0] is Execution.FAILED
    assert bench.events(video) == ["video.failed"]


@pytest.mark.parametrize("since", ["now", "never"])
def test_a_film_s_time_counts_from_the_start_of_its_first_clip(bench: Bench, since: str) -> None:
    video = rendering_since(bench, now_ms() if since == "now" else None)
    assert not look_at(bench, video)
    assert bench.now(video).stage is Stage.RENDERING


# --- events


def test_a_failed_execution_is_looked_at_when_it_ends(bench: Bench) -> None:
    machine = bench.machine(
        "fails-soon", {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Broken"}}}
    )
    video = bench.video(stage=Stage.RENDERING)
    execution = start(video, machine)
    wait_until(lambda: ended(execution))
    name = execution_name(video.id, video.attempt)
    detail = {"name": name, "input": json.dumps({"tenant": TENANT, "video_id": video.id})}
    settings = bench.settings.model_copy(update={"state_machine_arn": machine})
    assert not heal.Heal(settings, NO_GRACE).execution_ended({**detail, "name": "an earlier attempt"})
    assert heal.Heal(settings, NO_GRACE).execution_ended(detail)
    failure = bench.now(video).failure
    assert failure
    assert failure.code == "Broken"
    assert not heal.Heal(settings, NO_GRACE).execution_ended(detail)


def test_the_end_of_an_execution_whose_video_was_deleted_changes_nothing(bench: Bench) -> None:
    detail = {"name": "video_0", "input": json.dumps({"tenant": TENANT, "video_id": "video_0"})}
    assert run(source="aws.states", detail=detail) == {"healed": 0}


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT"])
def test_a_build_is_looked_at_when_it_ends(bench: Bench, status: str) -> None:
    video, task = in_build(bench, status)
    detail = {"build-id": f"arn:aws:codebuild:us-east-1:000000000000:build/{bench.now(video).build}"}
    assert run(source="aws.codebuild", detail=detail) == {"healed": 1}
    assert task.answer()[0] == "AssemblerFailed"
    assert run(source="aws.codebuild", detail=detail) == {"healed": 0}


def test_an_output_whose_notice_was_lost_is_settled_after_a_while(bench: Bench) -> None:
    video = bench.video(stage=Stage.RENDERING)
    task, inference_id = park(bench, video, at_ms=now_ms())
    key = f"{keys.ENGINE_OUTPUT_PREFIX}{inference_id}.out"
    bench.outputs.put(key, film_clip(bench.plan(video), 0), "video/mp4")
    body = json.dumps({"detail": {"object": {"key": key}}})
    records = [{"eventSource": "aws:sqs", "body": body}]
    assert run(Records=records) == {"healed": 1}
    assert task.answer() == {"clip": 0, "reused": False}
    assert run(Records=records) == {"healed": 0}


# --- one run


def test_a_run_looks_at_a_page_and_the_next_run_continues(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heal, "PAGE", 1)
    everything = {video.id for video in bench.open_videos()} | {
        bench.video(updated_ms=LONG_AGO).id for _ in range(2)
    }
    looked_at: list[str] = []
    made = heal.Heal(bench.settings, timedelta(days=99_999))
    monkeypatch.setattr(made, "videos", lambda videos, _: looked_at.extend(video.id for video in videos))
    for _ in range(len(everything) + 1):
        made.next_page(lambda: True)
    assert set(looked_at) == everything


def test_films_in_review_are_not_looked_at(bench: Bench) -> None:
    video, _ = at_gate(bench, decision=None)
    assert video.id not in [one.id for one in bench.open_videos()]
    decided = Review(gate=Gate.STORYBOARD, until_ms=LONG_AGO, decision=Decision.APPROVED)
    bench.videos.advance(TENANT, video.id, Stage.PREPARING, review=decided)
    assert video.id in [one.id for one in bench.open_videos()]


def test_one_broken_video_does_not_block_the_others(bench: Bench) -> None:
    broken = bench.video(stage=Stage.RENDERING)
    start(broken, bench.settings.state_machine_arn)
    _, inference_id = park(bench, broken)
    bench.outputs.put(f"{keys.ENGINE_OUTPUT_PREFIX}{inference_id}.out", b"", "video/mp4")
    bench.outputs.put(keys.film_plan(TENANT, broken.id), b"not JSON", "application/json")
    video = bench.video(updated_ms=LONG_AGO + 1)
    run()
    assert bench.requests(video) == 1
    assert bench.now(broken) == broken
    assert bench.inferences.get(inference_id)


def test_without_time_left_the_next_run_continues(bench: Bench) -> None:
    video = bench.video(updated_ms=LONG_AGO)
    assert run(seconds=30)["healed"] == 0
    assert bench.requests(video) == 0


# --- a cloud that lost everything but its buckets


def lose(video: Video) -> None:
    pk, sk = keys.video_item(video.tenant, video.id)
    client("dynamodb").delete_item(TableName="videos", Key={"pk": {"S": pk}, "sk": {"S": sk}})


def test_lost_videos_are_restored_and_continue(bench: Bench) -> None:
    queued, rendering = bench.video(), bench.video(stage=Stage.RENDERING)
    done = bench.video(stage=Stage.PUBLISHING)
    done = bench.videos.advance(TENANT, done.id, Stage.COMPLETED)
    for video in (queued, rendering, done):
        lose(video)
    assert run(restore=True)["restored"] == 3
    assert (bench.now(queued).stage, bench.now(queued).attempt) == (Stage.QUEUED, 1)
    assert (bench.now(rendering).stage, bench.now(rendering).attempt) == (Stage.QUEUED, 2)
    assert bench.now(done) == done
    sent = [message["video_id"] for message in bench.deployment.messages()]
    assert (queued.id in sent, rendering.id in sent, done.id in sent) == (True, True, False)
    assert bench.events(done) == ["video.completed"], "its webhooks were lost with the cloud"


def test_the_end_of_a_film_is_told_again_only_for_a_day(bench: Bench) -> None:
    done = bench.video(stage=Stage.PUBLISHING)
    done = bench.videos.advance(TENANT, done.id, Stage.COMPLETED)
    lose(done)
    old = done.model_copy(update={"updated_ms": done.updated_ms - 25 * 3_600_000})
    bench.outputs.put(keys.video_record(TENANT, done.id), old.model_dump_json().encode(), "application/json")
    run(restore=True)
    assert bench.now(done).stage is Stage.COMPLETED
    assert bench.events(done) == []


def test_a_client_s_retry_after_a_loss_finds_the_video_of_its_first_try(bench: Bench) -> None:
    intake = Intake(bench.deployment.settings)
    fields = {"prompt": "A kite that was cut off", "seconds": 1}
    first = intake.accept(TENANT, fields)
    latest = intake.accept(TENANT, fields)
    for video in (first, latest):
        lose(video)
    pk, sk = keys.create_item(TENANT, latest.request.fingerprint())
    client("dynamodb").delete_item(TableName="videos", Key={"pk": {"S": pk}, "sk": {"S": sk}})
    run(restore=True)
    assert intake.accept(TENANT, fields, retry=True).id == latest.id


def test_existing_records_are_not_overwritten(bench: Bench) -> None:
    video = bench.video()
    journal = bench.outputs.get(keys.video_record(TENANT, video.id))
    bench.videos.advance(TENANT, video.id, Stage.CANCELLED)
    bench.outputs.put(keys.video_record(TENANT, video.id), journal, "application/json")
    run(restore=True)
    assert bench.now(video).stage is Stage.CANCELLED


def test_a_deleted_video_stays_deleted(bench: Bench) -> None:
    video = bench.video()
    bench.videos.delete(TENANT, video.id)
    run(restore=True)
    assert video.id not in [open_.id for open_ in bench.open_videos()]


class LateWriter(Objects):
    """A journal in which a writer that still found the record writes it again after its first deletion."""

    wrote = False

    def delete(self, key: str) -> None:
        late = None if self.wrote else self.get(key)
        super().delete(key)
        if late:
            self.put(key, late, "application/json")
            self.wrote = True


def test_a_deleted_video_stays_deleted_despite_late_writes(bench: Bench) -> None:
    video = bench.video()
    journal = LateWriter(client("s3"), bench.outputs.bucket)
    Videos(client("dynamodb"), bench.settings.videos_table, journal).delete(TENANT, video.id)
    assert run(restore=True)["restored"] == 0


def test_an_unreadable_record_does_not_block_the_others(bench: Bench) -> None:
    unreadable = keys.video_record(TENANT, "video_000")
    bench.outputs.put(unreadable, b'{"id": ', "application/json")
    video = bench.video()
    lose(video)
    run(restore=True)
    bench.outputs.delete(unreadable)
    assert bench.now(video).request == video.request


# --- drops whose event was lost


def ask_again(
    bench: Bench, looked_at: timedelta = timedelta(days=1), grace: timedelta = NO_GRACE
) -> list[Any]:
    """Return the events that Intake receives."""
    time.sleep(1.1)  # S3 stores whole seconds; even without a grace period an object must be a moment old
    Drops(bench.settings, grace, looked_at).ask_again(lambda: True)
    return bench.answers.events


def drop(bench: Bench, key: str) -> str:
    bench.inputs.put(key, b"A kite in the wind", "text/plain")
    return bench.inputs.etag(key)


@pytest.fixture
def drops(bench: Bench) -> Bench:
    for objects in (bench.inputs, bench.outputs):
        objects.delete_all(keys.DROP_PREFIX)
    return bench


@pytest.mark.parametrize("key", ["drop/acme/kite.txt", "drop/acme/deep/er/kite.json", "drop/kite.TXT"])
def test_an_unhandled_prompt_or_request_is_announced_again(drops: Bench, key: str) -> None:
    etag = drop(drops, key)
    assert ask_again(drops) == [
        {
            "function": "intake",
            "detail": {"bucket": {"name": "input"}, "object": {"key": key, "etag": etag}},
        }
    ]


def test_after_a_restart_the_oldest_are_announced_again(drops: Bench) -> None:
    drop(drops, "drop/acme/kite.txt")
    assert len(ask_again(drops, looked_at=timedelta.max)) == 1


@pytest.mark.parametrize("result", ["mp4", "error.json"])
def test_an_answered_object_is_left_alone(drops: Bench, result: str) -> None:
    drop(drops, "drop/acme/kite.txt")
    time.sleep(1.1)
    drops.outputs.put(keys.drop_result("drop/acme/kite.txt", result), b"", "text/plain")
    assert ask_again(drops) == []


@pytest.mark.parametrize("result", ["mp4", "error.json"])
def test_an_answer_to_an_earlier_version_does_not_count(drops: Bench, result: str) -> None:
    drops.outputs.put(keys.drop_result("drop/acme/kite.txt", result), b"", "text/plain")
    time.sleep(1.1)
    drop(drops, "drop/acme/kite.txt")
    assert len(ask_again(drops)) == 1


def test_an_object_with_a_video_is_left_alone_until_replaced(drops: Bench) -> None:
    etag = drop(drops, "drop/acme/kite.txt")
    drops.take_drop("drop/acme/kite.txt", etag)
    assert ask_again(drops) == []
    drops.inputs.put("drop/acme/kite.txt", b"Two kites in the wind", "text/plain")
    assert len(ask_again(drops)) == 1


def test_images_alone_request_nothing(drops: Bench) -> None:
    drop(drops, "drop/acme/kite.png")
    assert ask_again(drops) == []


def test_very_recent_and_very_old_objects_are_left_alone(drops: Bench) -> None:
    drop(drops, "drop/acme/kite.txt")
    assert ask_again(drops, grace=heal.GRACE) == []
    assert ask_again(drops, looked_at=timedelta(seconds=1)) == []

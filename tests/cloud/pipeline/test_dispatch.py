from typing import Any

from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from lambdas.intake import dispatch
from tests.cloud.deployment import Context
from tests.cloud.pipeline.bench import TENANT, Bench


def run(*bodies: str) -> Any:
    """Return the messages that failed."""
    records = [
        {"messageId": str(index), "body": body, "eventSource": "aws:sqs", "attributes": {}}
        for index, body in enumerate(bodies)
    ]
    answer = dispatch.handler({"Records": records}, Context())
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def body(video: Video) -> str:
    return f'{{"tenant": "{TENANT}", "video_id": "{video.id}"}}'


def test_a_queued_video_s_execution_starts_under_its_id(bench: Bench) -> None:
    video = bench.video()
    assert run(body(video)) == []
    assert bench.executions(video) == [video.id]


def test_a_duplicate_message_starts_one_execution(bench: Bench) -> None:
    video = bench.video()
    assert run(body(video), body(video)) == []
    assert run(body(video)) == []
    assert bench.executions(video) == [video.id]


def test_a_new_attempt_is_a_new_execution(bench: Bench) -> None:
    video = bench.video()
    run(body(video))
    requeued = bench.videos.requeue(bench.now(video))
    assert requeued
    assert run(body(requeued)) == []
    assert bench.executions(video) == [video.id, f"{video.id}-2"]


def test_deleted_ended_and_running_videos_are_skipped(bench: Bench) -> None:
    deleted, cancelled, running = bench.video(), bench.video(stage=Stage.CANCELLED), bench.video()
    bench.videos.delete(TENANT, deleted.id)
    bench.videos.advance(TENANT, running.id, Stage.PLANNING)
    assert run(body(deleted), body(cancelled), body(running)) == []
    assert bench.executions(deleted) + bench.executions(cancelled) + bench.executions(running) == []


def test_a_malformed_message_fails_alone(bench: Bench) -> None:
    video = bench.video()
    assert run("nonsense", body(video), '{"tenant": "acme"}') == ["0", "2"]
    assert bench.executions(video) == [video.id]


def test_a_completely_failed_batch_is_reported_message_by_message(bench: Bench) -> None:
    assert run("nonsense", "{}") == ["0", "1"]

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.domain import keys
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video, execution_name
from lambdas.domain.video_parts import Decision, Review
from lambdas.domain.video_request import Gate
from lambdas.domain.webhooks import EventType, WebhookEvent
from lambdas.tasks import review
from tests.cloud.pipeline.bench import TENANT, Bench, Task

ENTERED = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = 3600
UNTIL_MS = round(ENTERED.timestamp() * 1000) + HOUR * 1000


def at_gate(bench: Bench, **changes: Any) -> Video:
    """Return a video whose scenes are prepared."""
    video = bench.video(stage=Stage.PLANNING, **changes)
    return bench.videos.advance(TENANT, video.id, Stage.PREPARING)


def wait(
    bench: Bench,
    video: Video,
    gate: Gate = Gate.PREVIEWS,
    *,
    task: Task | None = None,
    entered: datetime = ENTERED,
    attempt: int = 1,
) -> Task:
    """Run the gate as the state machine does; a given task is delivered again."""
    task = task or bench.task()
    task.call(
        review.handler,
        video,
        execution=execution_name(video.id, attempt),
        gate=gate,
        entered=entered.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        seconds=HOUR,
    )
    return task


def decide(bench: Bench, video: Video, decision: Decision = Decision.APPROVED) -> Video:
    """Record a decision as the API does."""
    video = bench.now(video)
    assert video.review
    decided: dict[str, Any] = {"review": video.review.model_copy(update={"decision": decision})}
    stage = Stage.PLANNING
    if decision is Decision.APPROVED:
        stage = Stage.PREPARING
        decided["approved"] = (*video.approved, video.review.gate)
    changed = bench.videos.advance_from(video, stage, **decided)
    assert changed
    return changed


def answer(bench: Bench, video: Video) -> bool:
    return stores.reviews(bench.settings).answer(video)


def parked(bench: Bench, video: Video) -> dict[str, Any]:
    key = dict(zip(("pk", "sk"), ({"S": part} for part in keys.review_item(video.id)), strict=True))
    table = bench.settings.videos_table
    return dict(client("dynamodb").get_item(TableName=table, Key=key)["Item"])


def test_a_film_waits_until_its_user_has_decided(bench: Bench) -> None:
    video = at_gate(bench)
    task = wait(bench, video)
    waiting = bench.now(video)
    assert waiting.stage is Stage.REVIEWING
    assert waiting.review == Review(gate=Gate.PREVIEWS, until_ms=UNTIL_MS)
    assert task.waits
    assert not answer(bench, waiting)  # there is no decision yet
    assert answer(bench, decide(bench, video))
    assert task.answer() == {"decision": "approved"}


def test_a_change_is_answered_as_a_change(bench: Bench) -> None:
    video = at_gate(bench)
    task = wait(bench, video)
    assert answer(bench, decide(bench, video, Decision.CHANGED))
    assert task.answer() == {"decision": "changed"}


def test_the_token_is_in_neither_record_nor_journal_and_is_forgotten_in_time(bench: Bench) -> None:
    video = at_gate(bench)
    task = wait(bench, video)
    assert task.token not in bench.now(video).model_dump_json()
    assert task.token.encode() not in bench.outputs.get(keys.video_record(TENANT, video.id))
    item = parked(bench, video)
    assert item["token"]["S"] == task.token
    kept = int(item["expires"]["N"]) - UNTIL_MS // 1000
    assert timedelta() < timedelta(seconds=kept) < timedelta(days=2)


def test_a_duplicate_decision_is_answered_once(bench: Bench) -> None:
    video = at_gate(bench)
    task = wait(bench, video)
    decided = decide(bench, video)
    assert [answer(bench, decided) for _ in range(3)] == [True, False, False]
    assert task.answer() == {"decision": "approved"}


# --- duplicate messages


def test_a_duplicate_message_starts_one_wait(bench: Bench) -> None:
    video = at_gate(bench)
    task = wait(bench, video)
    wait(bench, video, task=task)
    assert bench.now(video).review == Review(gate=Gate.PREVIEWS, until_ms=UNTIL_MS)
    assert answer(bench, decide(bench, video))
    assert task.answer() == {"decision": "approved"}


@pytest.mark.parametrize("decision", Decision)
def test_a_wait_that_was_decided_meanwhile_is_answered_at_once(bench: Bench, decision: Decision) -> None:
    """The first try was interrupted after the record, and the decision found a token that was gone."""
    video = at_gate(bench)
    first = wait(bench, video)
    client("stepfunctions").send_task_failure(taskToken=first.token, error="Lambda.Unknown", cause="{}")
    decided = decide(bench, video, decision)
    assert not answer(bench, decided)
    again = wait(bench, video)
    assert again.answer() == {"decision": decision}
    assert bench.now(video) == decided


def test_a_wait_is_told_once_however_often_its_message_arrives(bench: Bench) -> None:
    video = at_gate(bench)
    wait(bench, video, task=wait(bench, video))
    told = [WebhookEvent.of(heard["detail-type"], heard["detail"]) for heard in bench.heard(video)]
    assert {event.type for event in told} == {EventType.VIDEO_REVIEW}
    assert len({event.id for event in told}) == 1
    assert told[0].data == {"id": video.id, "gate": "previews", "until": UNTIL_MS // 1000}


def test_a_retried_wait_uses_the_new_token(bench: Bench) -> None:
    video = at_gate(bench)
    first = wait(bench, video)
    again = wait(bench, video)
    assert answer(bench, decide(bench, video))
    assert again.answer() == {"decision": "approved"}
    assert first.waits  # which the machine has given up


def test_a_late_message_does_not_block_the_film(bench: Bench) -> None:
    video = at_gate(bench)
    task = wait(bench, video)
    answer(bench, decide(bench, video, Decision.CHANGED))
    bench.videos.advance(TENANT, video.id, Stage.PREPARING, review=None)  # it was rewritten
    late = wait(bench, video)
    assert late.answer()[0] == "VideoClosed"
    assert bench.now(video).stage is Stage.PREPARING
    following = wait(bench, video, entered=ENTERED + timedelta(minutes=1))
    assert wait(bench, video).answer()[0] == "VideoClosed"
    assert following.waits
    assert answer(bench, decide(bench, video))
    assert following.answer() == {"decision": "approved"}
    assert task.answer() == {"decision": "changed"}


# --- decisions on other waits


def test_a_decision_on_one_gate_does_not_decide_the_next(bench: Bench) -> None:
    video = at_gate(bench)
    wait(bench, video, Gate.STORYBOARD)
    decided = decide(bench, video)
    following = bench.task()
    later = Review(gate=Gate.PREVIEWS, until_ms=UNTIL_MS + 1)
    stores.reviews(bench.settings).park(decided, later, following.token)  # and not yet in the record
    assert not answer(bench, decided)
    assert following.waits


def test_a_change_does_not_answer_the_next_wait(bench: Bench) -> None:
    video = at_gate(bench)
    wait(bench, video)
    changed = decide(bench, video, Decision.CHANGED)
    answer(bench, changed)
    bench.videos.advance(TENANT, video.id, Stage.PREPARING, review=None)
    following = wait(bench, video, entered=ENTERED + timedelta(minutes=1))
    assert not answer(bench, changed)
    assert following.waits
    assert bench.now(video).stage is Stage.REVIEWING


def test_decisions_never_apply_to_another_attempt(bench: Bench) -> None:
    video = at_gate(bench)
    old = wait(bench, video)
    decided = decide(bench, video, Decision.CHANGED)
    assert bench.videos.requeue(decided)
    assert bench.now(video).review is None
    bench.videos.advance(TENANT, video.id, Stage.PLANNING)
    new = wait(bench, video, attempt=2)
    assert not answer(bench, decided)
    assert new.waits
    assert wait(bench, video, task=None, attempt=1).answer()[0] == "VideoClosed"
    assert answer(bench, decide(bench, video))
    assert new.answer() == {"decision": "approved"}
    assert old.waits


# --- videos that end while they wait


def test_an_ended_video_starts_no_wait(bench: Bench) -> None:
    cancelled = at_gate(bench)
    bench.videos.advance(TENANT, cancelled.id, Stage.CANCELLED)
    assert wait(bench, cancelled).answer()[0] == "VideoClosed"
    deleted = at_gate(bench)
    bench.videos.delete(TENANT, deleted.id)
    assert wait(bench, deleted).answer()[0] == "VideoNotFound"


def test_a_decision_on_a_stopped_execution_has_no_effect(bench: Bench) -> None:
    video = at_gate(bench)
    task = wait(bench, video)
    client("stepfunctions").send_task_failure(taskToken=task.token, error="VideoClosed", cause="{}")
    assert not answer(bench, decide(bench, video))
    assert parked(bench, video)["settled"]["BOOL"]

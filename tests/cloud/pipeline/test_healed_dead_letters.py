"""Dead letters leave their queue once there is nothing left to do about them."""

import json
from datetime import timedelta
from typing import Any

import pytest

from lambdas.adapters.clients import client
from lambdas.adapters.engine_calls import Inference
from lambdas.domain import keys
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from lambdas.upkeep.healed_dead_letters import HealedDeadLetters
from lambdas.upkeep.lost_drops import Drops
from tests.cloud.deployment import event
from tests.cloud.pipeline.bench import TENANT, Bench

KITE = "drop/acme/kite.txt"


@pytest.fixture
def letters(bench: Bench) -> Bench:
    """The bench with no dead letters."""
    client("sqs").purge_queue(QueueUrl=bench.dead_letters)
    return bench


def put(bench: Bench, body: dict[str, Any], **attributes: str) -> None:
    told = {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()}
    client("sqs").send_message(
        QueueUrl=bench.dead_letters, MessageBody=json.dumps(body), MessageAttributes=told
    )


def put_event(bench: Bench, event: dict[str, Any]) -> None:
    put(bench, event, TARGET_ARN="arn:of:function", ERROR_MESSAGE="throttled")


def remove(bench: Bench) -> int:
    drops = Drops(bench.settings, timedelta(0), timedelta.max)
    return HealedDeadLetters(bench.settings, drops).remove(lambda: True)


def left(bench: Bench) -> int:
    found = client("sqs").get_queue_attributes(QueueUrl=bench.dead_letters, AttributeNames=["All"])
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


def request(video: Video, **changes: str) -> dict[str, str]:
    return {"tenant": video.tenant, "video_id": video.id} | changes


def call(bench: Bench, video: Video, *, settled: bool) -> dict[str, Any]:
    """Store an engine call; return a notice about it, as SNS leaves it."""
    id_ = keys.inference_id(video.id, 0, "0123456789ab")
    bench.clips.enqueue(
        Inference(
            id=id_,
            token="t",
            tenant=TENANT,
            video_id=video.id,
            clip=0,
            key_hash="h",
            engine="cogvideox-2b",
            request=keys.engine_request(id_),
            seconds=6,
            requested_ms=1,
        )
    )
    if settled:
        bench.inferences.settle(id_)
    return notice(id_)


def notice(inference_id: str) -> dict[str, Any]:
    return event("dead_letter_topic") | {"Message": json.dumps({"inferenceId": inference_id})}


def test_a_request_stays_until_its_execution_has_started(letters: Bench) -> None:
    video = letters.video(stage=Stage.QUEUED)
    put(letters, request(video))
    assert (remove(letters), left(letters)) == (0, 1), "and can be received again at once"
    letters.videos.advance(TENANT, video.id, Stage.PLANNING)
    assert (remove(letters), left(letters)) == (1, 0)


def test_a_request_of_a_deleted_video_goes(letters: Bench) -> None:
    put(letters, request(letters.video(), video_id="video_gone"))
    assert (remove(letters), left(letters)) == (1, 0)


def test_a_notice_stays_until_its_call_is_settled(letters: Bench) -> None:
    video = letters.video(stage=Stage.RENDERING)
    told = call(letters, video, settled=False)
    put(letters, told)
    assert (remove(letters), left(letters)) == (0, 1)
    letters.inferences.settle(keys.inference_id(video.id, 0, "0123456789ab"))
    assert (remove(letters), left(letters)) == (1, 0)


def test_an_output_s_event_stays_until_its_call_is_settled(letters: Bench) -> None:
    video = letters.video(stage=Stage.RENDERING)
    call(letters, video, settled=False)
    id_ = keys.inference_id(video.id, 0, "0123456789ab")
    written = {"key": f"{keys.ENGINE_OUTPUT_PREFIX}{id_}.out", "etag": "e"}
    put_event(letters, {"source": "aws.s3", "detail": {"object": written}})
    assert (remove(letters), left(letters)) == (0, 1)
    letters.inferences.settle(id_)
    assert (remove(letters), left(letters)) == (1, 0)


def test_a_notice_for_an_ended_video_or_an_unknown_call_goes(letters: Bench) -> None:
    cancelled = letters.video(stage=Stage.CANCELLED)
    put(letters, call(letters, cancelled, settled=False))
    put(letters, notice("video_gone.000.0123456789ab"))
    failed = event("dead_letter_function")  # as Lambda leaves it
    put(letters, failed)
    assert (remove(letters), left(letters)) == (3, 0)


def test_a_dropped_object_stays_until_it_has_a_result(letters: Bench) -> None:
    letters.inputs.put(KITE, b"A kite", "text/plain")
    dropped = {"key": KITE, "etag": letters.inputs.etag(KITE)}
    put_event(letters, {"source": "aws.s3", "detail": {"object": dropped}})
    assert (remove(letters), left(letters)) == (0, 1)
    letters.inputs.delete(KITE)
    assert (remove(letters), left(letters)) == (1, 0)


def test_a_lost_run_of_upkeep_goes_and_an_execution_s_end_waits_for_its_video(letters: Bench) -> None:
    put_event(letters, {"source": "aws.events", "detail-type": "Scheduled Event"})
    video = letters.video(stage=Stage.RENDERING)
    ended = {"source": "aws.states", "detail": {"input": json.dumps(request(video))}}
    put_event(letters, ended)
    assert (remove(letters), left(letters)) == (1, 1)
    letters.videos.advance(TENANT, video.id, Stage.CANCELLED)
    assert (remove(letters), left(letters)) == (1, 0)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"video_id": 7},
        {"source": "aws.states", "detail": 1},
        {"source": "aws.codebuild"},
        {"Records": []},
    ],
)
def test_what_nobody_understands_stays(letters: Bench, body: dict[str, Any]) -> None:
    put(letters, body)
    put_event(letters, body)
    assert (remove(letters), left(letters)) == (0, 2)


def test_without_time_the_rest_stays(letters: Bench) -> None:
    for _ in range(3):
        put(letters, request(letters.video(), video_id="video_gone"))
    drops = Drops(letters.settings, timedelta(0), timedelta.max)
    assert HealedDeadLetters(letters.settings, drops).remove(lambda: False) == 1
    assert (left(letters), remove(letters)) == (2, 2)

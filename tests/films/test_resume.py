"""Nothing is lost or duplicated: kills, duplicates, lost notices, cancelled videos."""

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from reelworks.client import ApiError
from tests.films.conftest import Cloud
from tests.films.looking import look_at
from tests.films.requests import Api, board, finish, wait_for


def test_a_kill_in_the_middle_loses_no_video_and_no_finished_clip(cloud: Cloud, tmp_path: Path) -> None:
    client = cloud.client()
    base_url = cloud.status["base_url"]
    videos = [
        client.create(f"A river in spring, take {take}", seconds="18", size="640x360")["id"]
        for take in range(2)
    ]
    wait_for(client, videos[0], lambda v: any(clip["state"] == "done" for clip in v.get("clips") or []))
    os.kill(cloud.pid(), signal.SIGKILL)
    assert cloud.reel("status").stdout.strip() == "down"
    cloud.reel("up")
    assert cloud.status["base_url"] == base_url, "clients go on with the address they have"
    for video_id in videos:
        finish(client, video_id)
        client.download(video_id, tmp_path / "film.mp4")
        film = look_at(tmp_path / "film.mp4")
        assert len(film.frames) == 18 * 24
        assert film.duration == 18
    assert any(clip["reused"] for clip in client.get(videos[0])["clips"]), (
        "clips made before the kill are kept"
    )


def test_a_kill_loses_no_request_no_review_and_no_cancellation(cloud: Cloud) -> None:
    client = cloud.client()
    reviewed = Api(cloud, "patients")
    waiting = reviewed.create(storyboard=board("bee"), review=["storyboard"])
    reviewed.waits(waiting, "storyboard")
    cancelled = client.create("A long walk", seconds="60", size="1280x720")["id"]
    wait_for(client, cancelled, lambda v: v["stage"] == "rendering")
    answer = client.cancel(cancelled)
    assert answer["status"] == "failed"
    assert answer["error"]["code"] == "cancelled"
    accepted = client.create("A door opens", seconds="1", size="320x180")["id"]
    os.kill(cloud.pid(), signal.SIGKILL)  # right after the answer
    cloud.reel("up")
    finish(client, accepted)
    assert reviewed.waits(waiting, "storyboard")["attempt"] == 2
    reviewed.call("POST", f"/{waiting}/approve")
    finish(reviewed.client, waiting)
    assert client.get(cancelled)["stage"] == "cancelled", "it stays so while upkeep resumes the others"


def test_a_message_delivered_twice_makes_one_film(cloud: Cloud) -> None:
    client = cloud.client()
    video = client.create("A clock strikes", seconds="6", size="320x180")
    body = json.dumps({"tenant": "local", "video_id": video["id"]})
    for _ in range(3):
        cloud.aws("sqs").send_message(QueueUrl=cloud.outputs["RequestsQueueUrl"], MessageBody=body)
    finish(client, video["id"])
    executions = cloud.aws("stepfunctions").list_executions(stateMachineArn=cloud.outputs["StateMachineArn"])
    assert [e["name"] for e in executions["executions"]].count(video["id"]) == 1


def test_a_lost_notice_is_recovered(cloud: Cloud) -> None:
    sns, topic = cloud.aws("sns"), cloud.outputs["SuccessTopicArn"]
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    try:
        client = cloud.client()
        # One clip: upkeep runs each minute.
        video = client.create("A candle", model="cogvideox-nano", seconds="1")
        finish(client, video["id"], seconds=240)
    finally:
        sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=subscription["Endpoint"])


def test_a_duplicate_notice_changes_nothing(cloud: Cloud) -> None:
    client = cloud.client()
    video = client.create("A candle burns", model="cogvideox-nano", seconds="2")
    finish(client, video["id"])
    before = client.get(video["id"])
    requests = cloud.aws("s3").list_objects_v2(
        Bucket=cloud.outputs["InputBucket"], Prefix=f"requests/{video['id']}"
    )
    inference = requests["Contents"][0]["Key"].removeprefix("requests/").removesuffix(".json")
    notice = {
        "eventName": "InferenceResult",
        "invocationStatus": "Completed",
        "inferenceId": inference,
        "responseParameters": {
            "contentType": "video/mp4",
            "outputLocation": f"s3://{cloud.outputs['OutputBucket']}/engine/out/{inference}.out",
        },
    }
    cloud.aws("sns").publish(TopicArn=cloud.outputs["SuccessTopicArn"], Message=json.dumps(notice))
    time.sleep(3)
    assert client.get(video["id"]) == before


def test_a_tenant_sees_only_its_own(cloud: Cloud) -> None:
    mine = cloud.client()
    theirs = cloud.client(cloud.json("keys", "create", "other-team")["api_key"])
    video = mine.create("A secret", seconds="1", size="320x180")
    for call in (theirs.get, theirs.delete, theirs.cancel):
        with pytest.raises(ApiError) as refused:
            call(video["id"])
        assert refused.value.status == 404
    assert video["id"] not in [v["id"] for v in theirs.list(limit=100)["data"]]
    finish(mine, video["id"])


@pytest.mark.parametrize("function", ["DrawClip", "Narrate", "Assemble"])
def test_a_killed_function_is_tried_again_at_once(cloud: Cloud, function: str) -> None:
    """A state that waits for a token would otherwise wait for fifteen minutes."""
    client = cloud.client()
    parts = board(f"fox that {function} met", f"owl that {function} met")  # nothing is made already
    video = client.create(storyboard=parts, size="1280x720")["id"]
    killed = kill_once(cloud, function, until=lambda: client.get(video)["status"] in ("completed", "failed"))
    assert killed, f"{function} was never seen at work"
    finish(client, video, seconds=120)


def kill_once(cloud: Cloud, function: str, until: Callable[[], bool]) -> bool:
    """Kill the function's process as soon as the cloud reports that it works."""
    while not until():
        if any(name.endswith(f"-{function}") for name in running(cloud)):
            for process in psutil.Process(cloud.pid()).children():
                with suppress(psutil.Error):
                    if process.environ().get("AWS_LAMBDA_FUNCTION_NAME", "").endswith(f"-{function}"):
                        process.kill()
                        return True
        time.sleep(0.02)
    return False


def running(cloud: Cloud) -> dict[str, int]:
    functions = httpx.get(f"{cloud.status['aws_endpoint_url']}/_reelworks", timeout=30).json()["functions"]
    counts: dict[str, int] = functions["running"]
    return counts

"""Messages and notices that are lost or arrive twice; tenants."""

import json
import time

import pytest

from reelworks.client import ApiError
from tests.films.conftest import Cloud
from tests.films.requests import finish


def test_a_message_delivered_twice_makes_one_film(cloud: Cloud) -> None:
    client = cloud.client()
    video = client.submit("A clock strikes", seconds="1", size="320x180")
    body = json.dumps({"tenant": "local", "video_id": video.id})
    for _ in range(3):
        cloud.aws("sqs").send_message(QueueUrl=cloud.outputs["RequestsQueueUrl"], MessageBody=body)
    finish(client, video.id)
    executions = cloud.aws("stepfunctions").list_executions(stateMachineArn=cloud.outputs["StateMachineArn"])
    assert [e["name"] for e in executions["executions"]].count(video.id) == 1


def test_a_lost_notice_is_recovered(cloud: Cloud) -> None:
    sns, topic = cloud.aws("sns"), cloud.outputs["SuccessTopicArn"]
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    sqs, outputs = cloud.aws("sqs"), cloud.outputs["OutputsQueueUrl"]
    attribute = sqs.get_queue_attributes(QueueUrl=outputs, AttributeNames=["DelaySeconds"])["Attributes"]
    assert attribute == {"DelaySeconds": "60"}, "upkeep looks a minute after the engine's output"
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    sqs.set_queue_attributes(QueueUrl=outputs, Attributes={"DelaySeconds": "2"})
    try:
        client = cloud.client()
        video = client.submit("A candle", model="cogvideox-nano", seconds="1", steps=4)
        finish(client, video.id, seconds=240)
    finally:
        sqs.set_queue_attributes(QueueUrl=outputs, Attributes=attribute)
        sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=subscription["Endpoint"])


def test_a_duplicate_notice_changes_nothing(cloud: Cloud) -> None:
    client = cloud.client()
    video = client.submit("A candle burns", model="cogvideox-nano", seconds="1", steps=4)
    finish(client, video.id)
    before = client.status(video.id)
    requests = cloud.aws("s3").list_objects_v2(
        Bucket=cloud.outputs["InputBucket"], Prefix=f"requests/{video.id}"
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
    links = {"url": None, "thumbnail_url": None}  # each is a new one
    assert client.status(video.id).to_dict() | links == before.to_dict() | links


def test_a_tenant_sees_only_its_own(cloud: Cloud) -> None:
    mine = cloud.client()
    theirs = cloud.client(cloud.json("keys", "create", "other-team")["api_key"])
    video = mine.submit("A secret", seconds="1", size="320x180")
    for call in (theirs.status, theirs.delete, theirs.cancel):
        with pytest.raises(ApiError) as refused:
            call(video.id)
        assert refused.value.status == 404
    assert video.id not in [v.id for v in theirs.list(limit=100).data]
    finish(mine, video.id)

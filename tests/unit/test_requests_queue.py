"""The messages that ask for videos."""

import json

import boto3
from botocore.stub import Stubber

from lambdas.adapters.requests_queue import RequestsQueue
from tests.factories import a_video

URL = "https://sqs.eu-west-1.amazonaws.com/1/requests"


def test_a_message_names_its_tenant_so_that_the_queue_is_fair() -> None:
    """Amazon SQS fair queues: a standard queue tells tenants apart by the group."""
    video = a_video(tenant="acme")
    sqs = boto3.client("sqs", "eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")
    with Stubber(sqs) as stub:
        body = json.dumps({"tenant": "acme", "video_id": video.id}, separators=(",", ":"))
        expected = {"QueueUrl": URL, "MessageBody": body, "MessageGroupId": "acme"}
        stub.add_response("send_message", {"MessageId": "1"}, expected)
        RequestsQueue(sqs, URL).send(video)
        stub.assert_no_pending_responses()

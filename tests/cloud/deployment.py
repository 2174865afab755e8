"""What the functions find deployed, on a local AWS: the table, the buckets, the queue, a state machine that
waits, and a user pool. Handlers are called with API Gateway's and EventBridge's events."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from PIL import Image

from lambdas.adapters.api_keys import ApiKeys
from lambdas.adapters.clients import client, stills_client, writing_client
from lambdas.adapters.clip_queue import BY_TURN
from lambdas.adapters.objects import Objects
from lambdas.adapters.tenants import Tenants
from lambdas.adapters.webhooks import BY_CREATED
from lambdas.domain.prices import AWS
from lambdas.settings import ApiSettings, AuthorizerSettings, env_of
from tests.cloud.servers import local_aws, wait_until

EVENTS = Path(__file__).parent.parent / "events"
_ROLE = "arn:aws:iam::000000000000:role/any"
_WAITING = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 600, "End": True}}}


class Context:
    """What the functions read of Lambda's context."""

    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:function"
    aws_request_id = "11111111-2222-3333-4444-555555555555"

    def __init__(self, remaining_ms: int = 29_000) -> None:
        self._remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        return self._remaining_ms


@dataclass(frozen=True)
class Deployment:
    url: str
    settings: ApiSettings
    authorizer: AuthorizerSettings

    @property
    def api_keys(self) -> ApiKeys:
        journal = Objects(client("s3"), self.settings.output_bucket)
        return ApiKeys(client("dynamodb"), self.authorizer.api_keys_table, journal)

    @property
    def tenants(self) -> Tenants:
        journal = Objects(client("s3"), self.settings.output_bucket)
        return Tenants(client("dynamodb"), self.settings.api_keys_table, journal)

    def messages(self) -> list[dict[str, Any]]:
        """Takes all messages from the requests queue."""
        queue, found = self.settings.requests_queue_url, []
        while batch := client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in batch:
                client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(message["Body"]))
        return found

    def keys(self, bucket: str, prefix: str = "") -> set[str]:
        pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {entry["Key"] for page in pages for entry in page.get("Contents", [])}


@contextmanager
def deployed() -> Iterator[Deployment]:
    """Sets the functions' environment too, and takes it back."""
    with local_aws() as url, pytest.MonkeyPatch.context() as environment:
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            environment.setenv(name, value)
        _forget_clients()
        deployment = _deploy(url)
        for settings in (deployment.settings, deployment.authorizer):
            for name, value in env_of(settings).items():
                environment.setenv(name, value)
        yield deployment
        _forget_clients()


def next_message(queue: str) -> str:
    """Wait for a message, take it from the queue and return its body."""
    found: list[dict[str, str]] = []

    def received() -> bool:
        answer = client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=1, WaitTimeSeconds=1)
        found.extend(answer.get("Messages", []))
        return bool(found)

    wait_until(received)
    client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=found[0]["ReceiptHandle"])
    return found[0]["Body"]


def _forget_clients() -> None:
    """They keep the endpoints of the environment they were made in."""
    for made in (client, writing_client, stills_client):
        made.cache_clear()


def _deploy(url: str) -> Deployment:
    for bucket in ("input", "output"):
        boto3.client("s3").create_bucket(Bucket=bucket)
    _create_table("videos", {"by_created": ("tenant", "created"), "open": ("open", "updated_ms")})
    _create_table("api-keys", {"by_tenant": ("tenant", "created")}, numbers=("created",))
    create_clips_table("clips")
    create_webhooks_table("webhooks")
    webhooks = boto3.client("sqs").create_queue(QueueName="webhooks")["QueueUrl"]
    queue = boto3.client("sqs").create_queue(QueueName="requests")["QueueUrl"]
    machine = boto3.client("stepfunctions").create_state_machine(
        name="produce-video", definition=json.dumps(_WAITING), roleArn=_ROLE
    )
    cognito = boto3.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName="users")["UserPool"]["Id"]
    app = cognito.create_user_pool_client(
        UserPoolId=pool,
        ClientName="client",
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    )
    return Deployment(
        url=url,
        settings=ApiSettings(
            videos_table="videos",
            clips_table="clips",
            input_bucket="input",
            output_bucket="output",
            requests_queue_url=queue,
            engines="animatic,cogvideox-2b,cogvideox-5b-i2v",
            default_engine="animatic",
            model_aliases="sora-2=cogvideox-2b",
            retention_days=90,
            prices=AWS.model_dump_json(),
            api_keys_table="api-keys",
            state_machine_arn=machine["stateMachineArn"],
            text_model="amazon.nova-lite-v1:0",
            text_seconds="90",
            voice="Joanna",
            voice_engine="neural",
            webhooks_table="webhooks",
            webhooks_queue_url=webhooks,
            deliver_function="deliver",
        ),
        authorizer=AuthorizerSettings(
            api_keys_table="api-keys",
            user_pool_id=pool,
            user_pool_client_ids=app["UserPoolClient"]["ClientId"],
        ),
    )


_PROJECTIONS: dict[str, dict[str, Any]] = {
    "by_created": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["parts"]},
    "open": {"ProjectionType": "KEYS_ONLY"},
    "by_tenant": {"ProjectionType": "ALL"},
}


def _create_table(
    name: str, indexes: dict[str, tuple[str, str]], numbers: tuple[str, ...] = ("updated_ms",)
) -> None:
    def key(attribute: str, kind: str) -> dict[str, str]:
        return {"AttributeName": attribute, "KeyType": kind}

    boto3.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": "N" if attribute in numbers else "S"}
            for attribute in sorted({"pk", "sk", *(one for pair in indexes.values() for one in pair)})
        ],
        KeySchema=[key("pk", "HASH"), key("sk", "RANGE")],
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": [key(partition, "HASH"), key(sort, "RANGE")],
                "Projection": _PROJECTIONS[index],
            }
            for index, (partition, sort) in indexes.items()
        ],
    )


def create_clips_table(name: str) -> None:
    """Create the table of cdk/clip_queue.py."""
    _create_table_with_local_index(name, BY_TURN, "turn")


def create_webhooks_table(name: str) -> None:
    """Create the table of cdk/webhooks.py."""
    _create_table_with_local_index(name, BY_CREATED, "created")


def _create_table_with_local_index(name: str, index: str, attribute: str) -> None:
    def key(sort: str) -> list[dict[str, str]]:
        return [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": sort, "KeyType": "RANGE"},
        ]

    boto3.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name_, "AttributeType": kind}
            for name_, kind in (("pk", "S"), ("sk", "S"), (attribute, "N"))
        ],
        KeySchema=key("sk"),
        LocalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": key(attribute),
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


# --- events and documents


def event(name: str) -> dict[str, Any]:
    """A golden event of tests/events/."""
    found: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return found


def rest_event(
    method: str,
    path: str,
    *,
    body: bytes | str | dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    tenant: str = "acme",
    scopes: str = "read create admin",
) -> dict[str, Any]:
    """API Gateway's REST proxy event. Bytes are a binary body, a dict is JSON."""
    made = event("rest_retrieve")
    made |= {"httpMethod": method, "path": path, "queryStringParameters": query}
    made["multiValueQueryStringParameters"] = {name: [value] for name, value in (query or {}).items()} or None
    given = {"content-type": "application/json"} | (headers or {})
    made["headers"] = given
    made["multiValueHeaders"] = {name: [value] for name, value in given.items()}
    made["requestContext"]["authorizer"] |= {"tenant": tenant, "scopes": scopes}
    if isinstance(body, bytes):
        made |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    elif isinstance(body, dict):
        made["body"] = json.dumps(body)
    else:
        made["body"] = body
    return made


def plain_png(colour: str = "black", size: tuple[int, int] = (96, 64)) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def png(seed: int = 0, size: tuple[int, int] = (320, 180)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()

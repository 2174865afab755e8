"""A deployed pipeline stack, seen with an operator's AWS credentials: its logs and its API keys.

The PC's cloud when it is up and no AWS_PROFILE says otherwise, else the stack of the account.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, Self

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import TypeAdapter, ValidationError

from lambdas.adapters.api_keys import ApiKeys, hash_of, new_key
from lambdas.adapters.objects import Objects
from lambdas.domain.video_request import Tenant

STACK = "Reelworks-Pipeline"
_FUNCTION_OUTPUT = "Function"


class DeploymentError(Exception):
    """There is no deployment to be found, or it refused; the message says which."""


class Deployment:
    def __init__(self, client: Callable[..., Any], outputs: dict[str, str]) -> None:
        """`client` gives a boto3 client of a service."""
        self._client = client
        self._outputs = outputs

    @classmethod
    def find(cls) -> Self:
        """Raises DeploymentError where neither a local nor an AWS deployment is found."""
        from reelworks.cloud import aws, home
        from reelworks.cloud.lifecycle import start_stop

        if "AWS_PROFILE" not in os.environ:
            status = start_stop.status(home.Home.locate())
            if status.aws_endpoint_url is not None:
                return cls(partial(aws.client, base_url=status.aws_endpoint_url), status.outputs)
        try:
            session = boto3.Session()
            stacks = session.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        except (BotoCoreError, ClientError) as error:
            raise DeploymentError(
                f"no deployment found: the PC's cloud is down (`reel up`), and on AWS: {error}"
            ) from error
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}
        return cls(session.client, outputs)

    @property
    def functions(self) -> dict[str, str]:
        """Physical name of each function by its name in the template."""
        return {
            key.removeprefix(_FUNCTION_OUTPUT): value
            for key, value in self._outputs.items()
            if key.startswith(_FUNCTION_OUTPUT)
        }

    def log_events(
        self, *, video_id: str | None, function: str | None, minutes: int
    ) -> Iterator[dict[str, Any]]:
        """{"at_ms", "function", "message"} of each log event, in the order of time. A line of ours is the
        JSON object that it was logged as.

        Raises DeploymentError for an unknown function, or where the logs can't be read.
        """
        if function is not None and function not in self.functions:
            raise DeploymentError(f"no function {function!r}; there are: {', '.join(sorted(self.functions))}")
        logs = self._client("logs")
        lambdas = self._client("lambda")
        since = int((time.time() - minutes * 60) * 1000)
        events: list[dict[str, Any]] = []
        for name, physical in self.functions.items():
            if function not in (None, name):
                continue
            configuration = lambdas.get_function_configuration(FunctionName=physical)
            group = configuration.get("LoggingConfig", {}).get("LogGroup", f"/aws/lambda/{physical}")
            query: dict[str, Any] = {"logGroupName": group, "startTime": since}
            if video_id is not None:
                query["filterPattern"] = json.dumps(video_id)
            try:
                for page in logs.get_paginator("filter_log_events").paginate(**query):
                    events += [
                        {"function": name, **_read(event["message"].rstrip(), event["timestamp"])}
                        for event in page["events"]
                    ]
            except logs.exceptions.ResourceNotFoundException:
                continue  # a function that has not run yet has no log
            except (BotoCoreError, ClientError) as error:
                raise DeploymentError(f"the log of {name} can't be read: {error}") from error
        yield from sorted(events, key=lambda event: event["at_ms"])

    def create_key(self, tenant: str, name: str) -> str:
        """A new API key of a tenant. Raises DeploymentError for a tenant name that is not allowed."""
        try:
            TypeAdapter(Tenant).validate_python(tenant)
        except ValidationError:
            raise DeploymentError(
                f"tenant {tenant!r} is not allowed: 1 to 63 of a-z, 0-9 and hyphens, no hyphen first"
            ) from None
        key = new_key()
        self._keys().register(key, tenant, name)
        return key

    def revoke_key(self, key: str) -> None:
        """Of the key itself, or its SHA-256. Raises DeploymentError where there is no such key."""
        is_hash = len(key) == 64 and all(letter in "0123456789abcdef" for letter in key)
        if not self._keys().revoke(key if is_hash else hash_of(key)):
            raise DeploymentError("there is no such key; give the key itself or its SHA-256")

    def _keys(self) -> ApiKeys:
        journal = Objects(self._client("s3"), self._outputs["OutputBucket"])
        return ApiKeys(self._client("dynamodb"), self._outputs["VideosTable"], journal=journal)


def _read(line: str, at_ms: int) -> dict[str, Any]:
    """A line that a function logged, and when: its own time, since a function's lines may reach the log
    together when it ends."""
    try:
        message = json.loads(line)
        logged = datetime.strptime(message["timestamp"], "%Y-%m-%d %H:%M:%S,%f%z")
    except (ValueError, KeyError, TypeError):  # a line of Lambda's own, or of a library
        return {"at_ms": at_ms, "message": line}
    return {"at_ms": int(logged.timestamp() * 1000), "message": message}

"""Access a deployed pipeline stack with an operator's AWS credentials: its clients, logs and API keys.

Uses the PC's cloud if it is up and AWS_PROFILE is not set, otherwise the stack in the AWS account whose
prefix is in REELWORKS_PREFIX or in cdk.json.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import TypeAdapter, ValidationError

from lambdas.adapters.api_keys import ApiKeys, UsedKey, hash_of, new_key
from lambdas.adapters.objects import Objects
from lambdas.adapters.tenant_counters import TenantCounters
from lambdas.adapters.tenants import Tenants
from lambdas.domain import scopes
from lambdas.domain.quotas import Quotas
from lambdas.domain.scopes import Scope
from lambdas.domain.video_request import Tenant

if TYPE_CHECKING:
    from reelworks.cloud.home import Home

_FUNCTION_OUTPUT = "Function"


class DeploymentError(Exception):
    """No deployment was found, or it refused the call; the message says which."""


class Deployment:
    def __init__(
        self, client: Callable[..., Any], outputs: dict[str, str], home: "Home | None" = None
    ) -> None:
        """`client` returns a boto3 client for a service. `outputs` are the stack's. `home`: the folder of a
        PC's cloud, which keeps what must outlast its process; None on AWS."""
        self._client = client
        self._outputs = outputs
        self.home = home

    def client(self, service: str) -> Any:
        return self._client(service)

    @property
    def outputs(self) -> Mapping[str, str]:
        return self._outputs

    @classmethod
    def find(cls) -> Self:
        """Find the deployment. Raises DeploymentError if there is neither a local nor an AWS deployment."""
        from reelworks.cloud import aws, credentials, errors, home
        from reelworks.cloud.lifecycle import cloud_status

        if "AWS_PROFILE" not in os.environ:
            here = home.Home.locate()
            status = cloud_status.status(here)
            if status.aws_endpoint_url is not None:
                try:
                    signed = credentials.read_credentials(here.aws_credentials)
                except errors.CloudError as error:
                    raise DeploymentError(f"{error.message} {error.advice}") from error
                client = partial(aws.client, base_url=status.aws_endpoint_url, credentials=signed)
                return cls(client, status.outputs, here)
        from cdk.settings import DeploymentSettings, SettingsError

        try:
            stack = DeploymentSettings.of_checkout().stack_name("Pipeline")
        except SettingsError as error:
            raise DeploymentError(str(error)) from error
        try:
            session = boto3.Session()
            stacks = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        except (BotoCoreError, ClientError) as error:
            raise DeploymentError(
                f"no deployment found: the PC's cloud is down (start it with `reel up`), and on AWS: {error}"
            ) from error
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}
        return cls(session.client, outputs)

    @property
    def functions(self) -> dict[str, str]:
        """Map each function's name in the template to its physical name."""
        return {
            key.removeprefix(_FUNCTION_OUTPUT): value
            for key, value in self._outputs.items()
            if key.startswith(_FUNCTION_OUTPUT)
        }

    def settings_of(self, function: str) -> dict[str, str]:
        """Return a function's environment variables, which hold its settings (lambdas.settings)."""
        found = self._client("lambda").get_function_configuration(FunctionName=self.functions[function])
        variables: dict[str, str] = found["Environment"]["Variables"]
        return variables

    def log_events(
        self, *, video_id: str | None, function: str | None, minutes: int
    ) -> Iterator[dict[str, Any]]:
        """Yield {"at_ms", "function", "message"} of each log event, oldest first. For lines that the
        functions log themselves, the message is the logged JSON object.

        Raises DeploymentError if the function is unknown or the logs cannot be read.
        """
        if function is not None and function not in self.functions:
            raise DeploymentError(
                f"no function {function!r}; use one of: {', '.join(sorted(self.functions))}"
            )
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
                continue  # a function that has never run has no log
            except (BotoCoreError, ClientError) as error:
                raise DeploymentError(f"cannot read the log of {name}: {error}") from error
        yield from sorted(events, key=lambda event: event["at_ms"])

    def create_key(self, tenant: str, name: str, granted: Sequence[Scope] = scopes.OF_A_TENANT) -> str:
        """Create an API key for a tenant, with these scopes. Raises DeploymentError if the tenant name is not
        allowed."""
        check_tenant(tenant)
        key = new_key()
        self._keys().register(key, tenant, name, granted)
        return key

    def list_keys(self, tenant: str) -> list[UsedKey]:
        """Return a tenant's keys, the newest first. Raises DeploymentError if the tenant name is not
        allowed."""
        check_tenant(tenant)
        return self._keys().list(tenant)

    def revoke_key(self, key: str) -> None:
        """Revoke a key, given by itself or by its SHA-256. Raises DeploymentError if it does not exist."""
        is_hash = len(key) == 64 and all(letter in "0123456789abcdef" for letter in key)
        if not self._keys().revoke(key if is_hash else hash_of(key)):
            raise DeploymentError("key does not exist; give the key itself or its SHA-256")

    def restore_keys(self) -> int:
        """Restore every key, and the tenants' quotas, of the journal to the table. Return how many keys."""
        self.tenants().restore_all()
        return self._keys().restore_all()

    @property
    def default_quotas(self) -> Quotas:
        """The quotas of tenants that have none of their own."""
        return Quotas.model_validate_json(self.settings_of("Api")["REELWORKS_QUOTAS"])

    def tenants(self) -> Tenants:
        """Return the tenants' own quotas."""
        journal = Objects(self._client("s3"), self._outputs["OutputBucket"])
        return Tenants(self._client("dynamodb"), self._outputs["ApiKeysTable"], journal=journal)

    def counters(self) -> TenantCounters:
        """Return what the tenants have used."""
        return TenantCounters(self._client("dynamodb"), self._outputs["VideosTable"])

    def _keys(self) -> ApiKeys:
        journal = Objects(self._client("s3"), self._outputs["OutputBucket"])
        return ApiKeys(self._client("dynamodb"), self._outputs["ApiKeysTable"], journal=journal)


def check_tenant(tenant: str) -> None:
    """Raise DeploymentError if a tenant may not have this name."""
    try:
        TypeAdapter(Tenant).validate_python(tenant)
    except ValidationError:
        raise DeploymentError(
            f"tenant must be 1 to 63 characters of a-z, 0-9 and hyphens, with no hyphen first; got {tenant!r}"
        ) from None


def _read(line: str, at_ms: int) -> dict[str, Any]:
    """Parse a log line and its time. The line's own timestamp wins, because a function's lines may reach the
    log together when it ends."""
    try:
        message = json.loads(line)
        logged = datetime.strptime(message["timestamp"], "%Y-%m-%d %H:%M:%S,%f%z")
    except (ValueError, KeyError, TypeError):  # a line logged by Lambda itself or by a library
        return {"at_ms": at_ms, "message": line}
    return {"at_ms": int(logged.timestamp() * 1000), "message": message}

"""The record of what is deployed: written by `up`, read by the cloud's process and by `status`."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from reelworks.cloud.home import Home, read_json, write_private


class Output(StrEnum):
    """The outputs of the pipeline stack that the cloud needs."""

    REST_API_ID = "RestApiId"
    REST_API_STAGE = "RestApiStage"
    ENDPOINT_PREFIX = "EndpointPrefix"
    OUTPUT_BUCKET = "OutputBucket"
    SUCCESS_TOPIC_ARN = "SuccessTopicArn"
    ERROR_TOPIC_ARN = "ErrorTopicArn"
    UPKEEP_FUNCTION = "UpkeepFunction"
    API_KEYS_TABLE = "ApiKeysTable"
    WEBHOOKS_TABLE = "WebhooksTable"


@dataclass(frozen=True)
class Deployment:
    """A stack in the process `pid`. When the process ends, only the buckets remain."""

    pid: int
    source: str  # fingerprint of the deployed sources and settings
    outputs: dict[str, str]  # the stack's
    ready: bool  # the journal is restored, so the API may answer
    workflow: str = ""  # revision of the workflow that renders clips


def write_deployment(home: Home, deployment: Deployment) -> None:
    write_private(home.record, json.dumps(asdict(deployment), indent=2) + "\n")


def deployment_of(home: Home, pid: int) -> Deployment | None:
    """Return what is deployed in the process `pid`; None without a record of that process."""
    document = read_json(home.record)
    deployment = Deployment(**document) if document else None
    return deployment if deployment and deployment.pid == pid else None


@dataclass(frozen=True)
class RestApi:
    """The deployed API: its id, which is new with each deployment, and its stage."""

    id: str
    stage: str


class Deployed:
    """This process's deployment, read from its home folder and reloaded when the record is replaced."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._version: int | None = None
        self._deployment: Deployment | None = None

    def outputs(self) -> Mapping[str, str]:
        """Return the stack's outputs; empty until the stack is deployed."""
        deployment = self._current()
        return deployment.outputs if deployment else {}

    def workflow(self) -> str:
        """Return the revision of the clip workflow that the stack was deployed with; empty without one."""
        deployment = self._current()
        return deployment.workflow if deployment else ""

    def api(self) -> RestApi | None:
        """Return the deployed API; None until the journal is restored."""
        deployment = self._current()
        if deployment is None or not deployment.ready:
            return None
        return RestApi(deployment.outputs[Output.REST_API_ID], deployment.outputs[Output.REST_API_STAGE])

    def _current(self) -> Deployment | None:
        try:
            version = self._home.record.stat().st_mtime_ns
        except FileNotFoundError:
            return None
        if version != self._version:
            self._deployment = deployment_of(self._home, os.getpid())
            self._version = version
        return self._deployment

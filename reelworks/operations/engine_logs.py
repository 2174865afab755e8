"""What an engine's servers logged."""

import json
from collections.abc import Iterator
from typing import Any

from lambdas.domain.names import endpoint_name
from reelworks.deployment import Deployment

# Fields of an engine's lines (containers/diffusion/log.py), as functions name them. `_aws` describes metrics.
_NAMES = {"event": "message", "time": "timestamp", "traceback": "exception"}


def engine_log_events(
    deployment: Deployment, engine: str, since_ms: int, until_ms: int, *, text: str | None = None
) -> Iterator[dict[str, Any]]:
    """Yield {"at_ms", "engine", "instance", "message"} of each line, oldest first; the message of a JSON line
    is its object, with the names that functions use. `text`: only lines that contain it. Yield none if the
    engine has never run."""
    logs = deployment.client("logs")
    group = f"/aws/sagemaker/Endpoints/{endpoint_name(deployment.outputs['EndpointPrefix'], engine)}"
    query: dict[str, Any] = {"logGroupName": group, "startTime": since_ms, "endTime": until_ms}
    if text is not None:
        query["filterPattern"] = json.dumps(text)
    try:
        for page in logs.get_paginator("filter_log_events").paginate(**query):
            for event in page["events"]:
                yield {
                    "at_ms": event["timestamp"],
                    "engine": engine,
                    "instance": event["logStreamName"].rpartition("/")[2],
                    "message": _message(event["message"]),
                }
    except logs.exceptions.ResourceNotFoundException:
        return


def _message(line: str) -> str | dict[str, Any]:
    try:
        logged = json.loads(line)
    except ValueError:
        return line.rstrip()
    if not isinstance(logged, dict):
        return line.rstrip()
    names = [str(name) for name in logged if name != "_aws"]
    return {_NAMES.get(name, name): logged[name] for name in names}

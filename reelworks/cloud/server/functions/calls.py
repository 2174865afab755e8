"""An invocation of a function, as far as its turn depends on it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# On Lambda, a function's memory setting determines its processors: 1,769 MB equal one
# (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html).
MEMORY_OF_ONE_PROCESSOR = 1769  # MB


@dataclass(frozen=True)
class Call:
    """`awaited`: a client waits for the answer, or the queue of new requests does; such calls are short.
    `processors` is the share that others can't use meanwhile, at most 1. `owner` is the tenant, or whoever
    else should get no more turns than others. `film` groups the calls of one film."""

    function: str
    awaited: bool
    processors: float = 1.0
    owner: str = ""
    film: str = ""
    is_read: bool = False


def call_of(config: Mapping[str, Any], event: Any, *, is_step: bool) -> Call:
    """Return the call that an invocation is. `config` is the function's configuration as Lambda's
    GetFunctionConfiguration returns it; `is_step` says that a state machine invokes it."""
    name = str(config.get("FunctionName", ""))
    share = min(1.0, int(config.get("MemorySize") or 128) / MEMORY_OF_ONE_PROCESSOR)
    document = event if isinstance(event, dict) else {}
    if is_step:
        film = str(document.get("video_id", ""))
        return Call(name, awaited=False, processors=share, owner=str(document.get("tenant", "")), film=film)
    if "methodArn" in document:  # an authorizer's: the tenant is not known yet
        return Call(name, awaited=True, owner=_secret_owner(document))
    if isinstance(context := document.get("requestContext"), dict) and "httpMethod" in document:
        is_read = document["httpMethod"] in ("GET", "HEAD", "OPTIONS")
        tenant = str((context.get("authorizer") or {}).get("tenant", ""))
        return Call(name, awaited=True, owner=tenant, is_read=is_read)
    # A test of a webhook is awaited, too: Api invokes Deliver and waits.
    return Call(name, awaited=_is_queue(document) or "test" in document, processors=share)


def _secret_owner(event: Mapping[str, Any]) -> str:
    headers = {str(key).lower(): str(value) for key, value in (event.get("headers") or {}).items()}
    return hashlib.sha256(headers.get("authorization", "").encode()).hexdigest()


def _is_queue(event: Mapping[str, Any]) -> bool:
    records = event.get("Records")
    first = records[0] if isinstance(records, list) and records else None
    return isinstance(first, dict) and first.get("eventSource") == "aws:sqs"

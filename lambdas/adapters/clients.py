"""AWS clients, created once per process, and the only place that translates ClientError.

They are botocore's: boto3 would add its resources and s3transfer to the start of every function.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError, IncompleteReadError
from botocore.session import Session, get_session

from lambdas.domain import names
from lambdas.domain.errors import DiskFull, ServiceUnavailable
from lambdas.domain.failures import OUT_OF_DISK, is_full_disk
from lambdas.telemetry import count, logger

# Calls of one client to make at the same time: it keeps ten connections.
AT_ONCE = 8

_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=5, read_timeout=60)
_CONFIGS = {
    # By default botocore presigns with the old signature in us-east-1 and other early regions. That signature
    # can't read KMS-encrypted objects, and ministack doesn't recognize it.
    # It also presigns for the global endpoint, from which S3 redirects to a new bucket's region for hours; a
    # form can't follow. With this style it signs for the region. A PC's address keeps the bucket in the path.
    "s3": _CONFIG.merge(Config(signature_version="s3v4", s3={"addressing_style": "virtual"})),
    # For the guardrail, while a user waits. A text model and the image models have clients of their own.
    "bedrock-runtime": _CONFIG.merge(
        Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=8)
    ),
    # Polly answers within a second; a PC that first loads a voice, while engines use all cores, takes longer.
    "polly": _CONFIG.merge(Config(read_timeout=180)),
}
# A still takes the AWS service about ten seconds and a PC's model minutes.
_STILLS_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=300
)

# A PC's cloud gives up on its text model after exactly the seconds set, and then says why.
_ANSWER_MARGIN_SECONDS = 15

# Codes that mean "the same call may succeed later" (botocore's own retryable set and the services' pages).
_THROTTLED = frozenset(
    {
        "AccountLimitExceededException",  # CodeBuild: the limit of running and queued builds is reached
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_PASSING = _THROTTLED | {
    "InternalServerError",
    "InternalError",
    "InternalFailure",
    "ModelNotReadyException",
    "ModelTimeoutException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "TransactionConflictException",
}

MISSING = frozenset({"NoSuchKey", "404", "NotFound"})  # S3's error codes for a missing object


@cache
def client(service: str) -> Any:
    """Return the process's client for a service; the environment sets endpoint, region and credentials."""
    return _watched(_session().create_client(service, config=_CONFIGS.get(service, _CONFIG)))


@cache
def writing_client(seconds: int) -> Any:
    """Return the process's client for a text model that may take `seconds` for an answer.

    It never repeats a question by itself: the model might still be answering it.
    """
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=5,
        read_timeout=seconds + _ANSWER_MARGIN_SECONDS,
    )
    return _watched(_session().create_client("bedrock-runtime", config=config))


@cache
def stills_client(region: str) -> Any:
    """Return the process's client for the image models, which only some regions have."""
    return _watched(_session().create_client("bedrock-runtime", region_name=region, config=_STILLS_CONFIG))


@cache
def _session() -> Session:
    return get_session()


def _watched(made: Any) -> Any:
    """Count the client's throttled calls, also those that its own retries hide, and pass traces on."""
    made.meta.events.register("response-received", _count_throttle)
    made.meta.events.register("before-call.sfn.StartExecution", _continue_trace)
    return made


def _continue_trace(params: dict[str, Any], **others: Any) -> None:
    """Send an execution's trace as the HTTP header, too.

    Step Functions prefers the header to the call's `traceHeader` (its API reference), and in Lambda, botocore
    sets it to the function's own trace, which for a queue's consumer is another one than the message's.
    """
    if trace := json.loads(params["body"]).get("traceHeader"):
        params["headers"]["X-Amzn-Trace-Id"] = trace


def _count_throttle(event_name: str, parsed_response: dict[str, Any] | None, **others: Any) -> None:
    """`event_name`: response-received.{service}.{operation}, once for each try (botocore's endpoint.py)."""
    code = (parsed_response or {}).get("Error", {}).get("Code")
    if code in _THROTTLED:
        _, called, operation = event_name.split(".")
        logger.warning("call throttled", extra={"called": called, "operation": operation, "error": code})
        count(names.METRIC_THROTTLES, called=called)


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: ClientError) -> str:
    """Return the service's own message, without boto's wording around it."""
    return str(error.response.get("Error", {}).get("Message") or error)


def may_pass(error: ClientError) -> bool:
    """Return whether the same call may succeed later."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error_code(error) in _PASSING or status >= 500


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Translate temporary failures of an AWS call into ServiceUnavailable, or DiskFull.

    Others stay ClientError, which no step catches: they are deployment faults and reach record_failure with
    their text.
    """
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status >= 500 and is_full_disk(error_message(error)):  # a PC's cloud, whose S3 is a folder
            raise DiskFull(f"{OUT_OF_DISK}. {what}: {error_message(error)}") from error
        if may_pass(error):
            raise ServiceUnavailable(f"{what}: {error}") from error
        raise
    except (ConnectionError, HTTPClientError, IncompleteReadError) as error:
        raise ServiceUnavailable(f"{what}: {error}") from error

"""boto3 clients, made once per process, and the one place that translates ClientError."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError, IncompleteReadError

from lambdas.domain.errors import ServiceUnavailable

_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=5, read_timeout=60)
_CONFIGS = {
    # botocore presigns with the old signature in us-east-1 and other early regions unless told otherwise;
    # that one reads nothing that KMS encrypts, and ministack takes it for none.
    "s3": _CONFIG.merge(Config(signature_version="s3v4")),
    # One quick retry, so that Plan's 900 s are enough for a film of several paragraphs whose model doesn't
    # answer: it is made without the model.
    "bedrock-runtime": Config(
        retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=5, read_timeout=45
    ),
    # Polly answers in a second; a PC that has to load a voice first, while engines have all cores, does not.
    "polly": _CONFIG.merge(Config(read_timeout=180)),
}
# A still takes a service some ten seconds, and a PC's model minutes.
_STILLS_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=300
)

# A model on a PC may write for minutes (the PC's stand-in waits 240 s for it); the question and the one that
# has its answer mended end within WriteStoryboard's 900 s.
_WRITING_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=5, read_timeout=400
)

# Codes that mean "the same call may succeed later" (botocore's own retryable set and the services' pages).
_PASSING = frozenset(
    {
        "AccountLimitExceededException",  # CodeBuild: as many builds as may be are at work and queued
        "InternalServerError",
        "InternalError",
        "InternalFailure",
        "ModelNotReadyException",
        "ModelTimeoutException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
    }
)

MISSING = frozenset({"NoSuchKey", "404", "NotFound"})  # what S3 calls an object that is not there


@cache
def client(service: str) -> Any:
    """The process's client of a service; endpoint, region and credentials come from the environment."""
    return boto3.client(service, config=_CONFIGS.get(service, _CONFIG))  # type: ignore[call-overload]


@cache
def writing_client() -> Any:
    """The process's client for texts that take a model minutes, such as storyboards on a PC."""
    return boto3.client("bedrock-runtime", config=_WRITING_CONFIG)


@cache
def stills_client(region: str) -> Any:
    """The process's client for the image models, which only some regions have."""
    return boto3.client("bedrock-runtime", region_name=region, config=_STILLS_CONFIG)


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: ClientError) -> str:
    """What the service says, without boto's words around it."""
    return str(error.response.get("Error", {}).get("Message") or error)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turns passing failures of an AWS call into ServiceUnavailable; others stay ClientError, which
    no step catches: they are faults of the deployment and end in record_failure with their text."""
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if error_code(error) in _PASSING or status >= 500:
            raise ServiceUnavailable(f"{what}: {error}") from error
        raise
    except (ConnectionError, HTTPClientError, IncompleteReadError) as error:
        raise ServiceUnavailable(f"{what}: {error}") from error

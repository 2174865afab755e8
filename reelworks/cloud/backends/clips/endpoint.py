"""Endpoint configuration of the PC's cloud, in place of SageMaker's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Endpoint:
    """A SageMaker endpoint and its configuration, with a command in place of the image.

    In `command`, `{socket}` is replaced by the server's Unix socket. `env` is added to the environment, from
    which the AWS variables are removed. The S3 paths are `s3://bucket/prefix`.
    """

    name: str
    command: tuple[str, ...]
    s3_output_path: str
    s3_failure_path: str
    success_topic_arn: str | None = None
    error_topic_arn: str | None = None
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    instances: int = 1  # each is a process that renders one job at a time
    startup_seconds: float = 900  # enough to read a 5B model from a slow disk
    idle_seconds: float = 300  # then the process stops and frees its memory

"""What the PC's cloud knows of an endpoint, in place of SageMaker's endpoint configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Endpoint:
    """What an endpoint and its configuration say in SageMaker, with a command in place of the image.

    `command` has `{port}` where the server's loopback port goes; `env` is added to the environment, of
    which a server gets no AWS variable. The S3 paths are `s3://bucket/prefix`.
    """

    name: str
    command: tuple[str, ...]
    s3_output_path: str
    s3_failure_path: str
    success_topic_arn: str | None = None
    error_topic_arn: str | None = None
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    instances: int = 1  # each a process that renders one job at a time
    startup_seconds: float = 900  # a 5B model is read from a slow disk
    idle_seconds: float = 300  # then the process ends and gives its memory back

"""boto3 clients of the PC's cloud, whatever the user's shell and ~/.aws say."""

import os
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

REGION = "us-east-1"
ACCOUNT = "000000000000"  # ministack's, for a key id that is not itself an account number
# What ministack takes from everyone; the guard keeps strangers out.
ACCESS_KEY = "test"
SECRET_KEY = "test"  # noqa: S105  not a secret

# No proxy is for loopback. A function may run for minutes; a call that is not done is not repeated.
_CONFIG = Config(
    proxies={}, read_timeout=300, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}
)


def client(service: str, base_url: str) -> Any:
    """A client of a service of the cloud at `base_url`."""
    return _session().client(service, endpoint_url=base_url, config=_CONFIG)  # type: ignore[call-overload]


def _session() -> boto3.Session:
    """A session that reads no configuration: a profile of the shell that does not exist would be an error,
    one that does could carry settings for the real AWS."""
    core = botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
    return boto3.Session(
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name=REGION,
        botocore_session=core,
    )

"""boto3 clients for the PC's cloud, independent of the user's shell and ~/.aws."""

import os
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader, create_loader

from reelworks.cloud.addresses import REGION
from reelworks.cloud.credentials import Credentials

# Loopback needs no proxy. A function may run for minutes; a call still in progress must not be repeated.
_CONFIG = Config(
    proxies={}, read_timeout=300, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}
)


def client(service: str, base_url: str, credentials: Credentials) -> Any:
    """Return a boto3 client for `service` of the cloud at `base_url`."""
    session: Any = _session(credentials)
    return session.client(service, endpoint_url=base_url, config=_CONFIG)


def _session(credentials: Credentials) -> boto3.Session:
    """Return a session that reads no configuration: a missing profile named in the shell would raise an
    error, an existing one could carry settings for the real AWS."""
    core = botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
    core.register_component("data_loader", _loader())
    return boto3.Session(
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        region_name=REGION,
        botocore_session=core,
    )


@cache
def _loader() -> Loader:
    """Return what reads botocore's models of the services; shared, since it reads each of them once."""
    return create_loader()

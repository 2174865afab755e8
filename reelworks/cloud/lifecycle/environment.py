"""The environment of the cloud's process, which every Lambda function inherits
(ministack/core/lambda_runtime.py, Worker._spawn)."""

import os
from collections.abc import Mapping

from reelworks.cloud.addresses import REGION
from reelworks.cloud.credentials import Credentials
from reelworks.cloud.home import Home

# An allowlist, so that nothing else in the user's shell reaches a function: no AWS credential or profile, no
# API key, no proxy, no PYTHONPATH.
INHERITED = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "PATH",
    "TZ",
    # what engine servers need to find the GPU and the weights
    "CUDA_VISIBLE_DEVICES",
    "HF_HOME",
    "LD_LIBRARY_PATH",
    "XDG_CACHE_HOME",
)

# Set in every process of a cloud to its home folder. It identifies leftover processes after a kill -9.
MARK = "REELWORKS_CLOUD_OF"

# The user's settings as JSON, with their API keys, for the stand-ins only: the cloud removes it from its
# environment before it runs a function.
SETTINGS = "REELWORKS_SETTINGS"


def cloud_environment(
    home: Home, base_url: str, credentials: Credentials, shell: Mapping[str, str]
) -> dict[str, str]:
    """Return all variables of the cloud's process. ministack reads its settings when it is imported."""
    inherited = {name: shell[name] for name in INHERITED if name in shell}
    return inherited | {
        MARK: str(home.folder),
        "TMPDIR": str(home.scratch),
        # functions and stand-ins
        "AWS_ENDPOINT_URL": base_url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # ministack
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": base_url.rpartition(":")[2],
        "MINISTACK_REGION": REGION,
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(home.s3),
        "PERSIST_STATE": "0",
        # The user pool's signing keys; ministack's default is a folder in /tmp that everyone can read. They
        # end with the pool, which is not persisted.
        "STATE_DIR": str(home.scratch / "state"),
        "LAMBDA_WARM_TTL_SECONDS": "60",  # else a burst's surplus processes keep their memory for 5 minutes
        "IOT_MTLS_ENABLED": "0",  # else a second port is opened
        "SFTP_ENABLED": "0",
        # Nothing here uses Docker, and at start ministack would remove another ministack's containers.
        "DOCKER_HOST": f"unix://{home.scratch}/no-docker.sock",
    }

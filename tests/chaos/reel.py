"""`reel`, whose cloud is tests.chaos.faulty_cloud. REELWORKS_CHAOS_FAULTS names the file of its faults."""

import os
import sys
from typing import Any

from reelworks.cli import app
from tests.chaos.faulty_cloud import FAULTS_FILE

_spawn = os.posix_spawn


def _with_faults(path: str, arguments: list[str], environment: dict[str, str], **options: Any) -> int:
    if "reelworks.cloud" in arguments:
        arguments = ["tests.chaos.faulty_cloud" if one == "reelworks.cloud" else one for one in arguments]
        environment = environment | {name: os.environ[name] for name in (FAULTS_FILE, "PYTHONPATH")}
    return _spawn(path, arguments, environment, **options)


if __name__ == "__main__":
    os.posix_spawn = _with_faults
    sys.exit(app())

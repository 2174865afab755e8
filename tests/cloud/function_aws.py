"""A local AWS whose functions run as in the PC's cloud, which reports exceptions by their classes' names as
Lambda does. Served by `local_aws`."""

import tempfile
from pathlib import Path

from ministack.app import app

from reelworks.cloud.server.functions.runtime import FunctionRuntime

__all__ = ["app"]

FunctionRuntime(Path(tempfile.mkdtemp()) / "disk-reserve").install()

"""Recover from the last run when the cloud starts: repair torn objects and resume unfinished videos.

ministack stores an object as two files, first the data, then a sidecar `*.meta.json` with its size and
checksums, each replaced atomically (ministack/services/s3.py, _persist_object). If the cloud is killed while
an object is overwritten, the object has new data with the old sidecar, and reading it would fail.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from reelworks.cloud.aws import client
from reelworks.cloud.credentials import Credentials
from reelworks.cloud.deployment_record import Output
from reelworks.cloud.errors import CloudError

SIDECAR = ".meta.json"


def repair_torn_objects(s3: Path) -> None:
    """Clear size and checksums in each sidecar older than its data, so that ministack recomputes them."""
    for sidecar in s3.rglob(f"*{SIDECAR}"):
        data = sidecar.with_name(sidecar.name.removesuffix(SIDECAR))
        if data.is_file() and data.stat().st_mtime_ns > sidecar.stat().st_mtime_ns:
            meta = json.loads(sidecar.read_bytes())
            sidecar.write_text(json.dumps({**meta, "size": None, "etag": None, "checksums": {}}))


def restore_videos(base_url: str, credentials: Credentials, outputs: Mapping[str, str]) -> None:
    """Invoke `upkeep` to rebuild the records from the journal and resume unfinished videos.

    Raises CloudError if the function fails.
    """
    answer = client("lambda", base_url, credentials).invoke(
        FunctionName=outputs[Output.UPKEEP_FUNCTION], Payload=json.dumps({"restore": True}).encode()
    )
    if "FunctionError" in answer:
        raise CloudError(f"The videos could not be restored: {answer['Payload'].read().decode()}")

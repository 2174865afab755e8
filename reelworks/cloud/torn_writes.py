"""Mends the buckets after a kill -9.

ministack stores an object as two files, first the data, then a sidecar `*.meta.json` with its size and
checksums, each replaced in one step (ministack/services/s3.py, _persist_object). An object that was being
overwritten when the cloud was killed has new data and the old sidecar, and reading it would fail.
"""

import json
from pathlib import Path

SIDECAR = ".meta.json"


def mend(s3: Path) -> None:
    """Has ministack take size and checksums from the data wherever these are newer than the sidecar."""
    for sidecar in s3.rglob(f"*{SIDECAR}"):
        data = sidecar.with_name(sidecar.name.removesuffix(SIDECAR))
        if data.is_file() and data.stat().st_mtime_ns > sidecar.stat().st_mtime_ns:
            meta = json.loads(sidecar.read_bytes())
            sidecar.write_text(json.dumps({**meta, "size": None, "etag": None, "checksums": {}}))

"""Run in a sandbox: render one clip on a server, and print as JSON what was not allowed.

python -m tests.sandboxed_clip MODEL SCRATCH
"""

import hashlib
import json
import os
import socket
import sys
from pathlib import Path

from tests.cloud.engine_server import running
from tests.contract import document


def refusal(action: object) -> str:
    """Return the name of the error that an action raises."""
    try:
        action()  # type: ignore[operator]
    except OSError as error:
        return os.strerror(error.errno or 0)
    return "allowed"


if __name__ == "__main__":
    model, scratch = map(Path, sys.argv[1:])
    with running(model, scratch / "log") as server:
        server.until("ready", "failed")
        clip = server.clip(document("clip_request.text"))
        engine = Path(f"/proc/{server.engine_pid()}/status").read_text()
    found = {
        "sha256": hashlib.sha256(clip).hexdigest(),
        "engine_capabilities": int(engine.split("CapEff:")[1].split()[0], 16),
        "write": {
            folder: refusal(lambda folder=folder: (Path(folder) / "file").write_text(""))
            for folder in (str(model), os.getcwd(), "/var/tmp")
        },
        "connect": refusal(lambda: socket.create_connection(("192.0.2.1", 80), 5)),
        "left_behind": sorted(path.name for path in scratch.iterdir()),
    }
    print(json.dumps(found))

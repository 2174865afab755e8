"""An engine that does what its requests say, in the process that the diffusion server starts for its engine.

    python -m tests.scripted_engine FOLDER

Loading does what FOLDER/loading says, a line for each start: `ready`, `wait` (until FOLDER/go exists), `die`,
or an error's name; FOLDER/pid is its process. A request is {"do": …}: `clip`, `steps` (many short ones,
counted in FOLDER/steps), `hang`, `die`, `exit`, or an error's name. Tests of the server need an engine with
predictable timing.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from containers.diffusion import errors
from containers.diffusion.log import log_as_json
from containers.diffusion.messages import Clip
from containers.diffusion.worker import serve
from tests.contract import document

STEP_SECONDS = 0.01


class ScriptedEngine:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self) -> None:
        starts = self._folder / "starts"
        number = int(starts.read_text()) if starts.exists() else 0
        starts.write_text(str(number + 1))
        (self._folder / "pid").write_text(str(os.getpid()))
        script = self._folder / "loading"
        lines = script.read_text().splitlines() if script.exists() else ["ready"]
        self._do(lines[min(number, len(lines) - 1)])

    def describe(self) -> dict[str, Any]:
        ready: dict[str, Any] = document("ping.ready")
        return {name: value for name, value in ready.items() if name not in ("status", "reason")}

    def render(self, body: bytes, go_on: Callable[[], None]) -> Clip:
        request = json.loads(body)
        if request["do"] == "steps":
            for number in range(request["steps"]):
                go_on()
                (self._folder / "steps").write_text(str(number + 1))
                time.sleep(STEP_SECONDS)
        else:
            self._do(request["do"])
        return Clip(b"an MP4 of " + body, {"X-Said": "of it"})

    def _do(self, what: str) -> None:
        match what:
            case "ready" | "clip":
                return
            case "wait":
                while not (self._folder / "go").exists():
                    time.sleep(STEP_SECONDS)
            case "hang":
                time.sleep(3600)
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                os._exit(3)
            case "InvalidRequest":
                raise errors.InvalidRequest(
                    "frames",
                    "frames must be 8N+1 up to 49 (9, 17, …, 49); 10 was given, the nearest is 9",
                )
            case "OutOfMemory":
                raise errors.OutOfMemory("49 frames of 720×480 do not fit into memory")
            case "DeviceLost":
                raise errors.DeviceLost("the GPU failed: CUDA error: an illegal memory access")
            case "BadCheckpoint":
                raise errors.BadCheckpoint(
                    "/opt/ml/model/model_index.json cannot be read: No such file or directory"
                )
            case _:
                raise RuntimeError(what)


if __name__ == "__main__":
    log_as_json()
    serve(ScriptedEngine(Path(sys.argv[1])))

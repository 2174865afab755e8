"""An engine for tests, on the server that all engines share: it renders until it is stopped.

`python -m tests.cloud.stoppable_engine --socket PATH RECORD`. Prompts: `endless`; any other is echoed. The
file RECORD gets a line for each event: `begun PROMPT`, `stopped PROMPT`, `made PROMPT`.
"""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

import uvicorn

from containers.diffusion.errors import Busy
from containers.diffusion.messages import Clip
from containers.serving.app import create_app


class StoppableEngine:
    def __init__(self, record: Path) -> None:
        self._record = record
        self._rendering = False

    async def health(self) -> tuple[bool, dict[str, Any]]:
        return True, {"status": "busy" if self._rendering else "ready"}

    def check(self) -> None:
        if self._rendering:
            raise Busy("a clip is being rendered")

    async def render(self, body: bytes) -> Clip:
        self.check()
        prompt = json.loads(body)["prompt"]
        self._rendering = True
        self._note("begun", prompt)
        try:
            if prompt == "endless":
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self._note("stopped", prompt)
            raise
        finally:
            self._rendering = False
        self._note("made", prompt)
        return Clip(prompt.encode(), {})

    async def close(self) -> None:
        pass

    def _note(self, event: str, prompt: str) -> None:
        with self._record.open("a") as record:
            record.write(f"{event} {prompt}\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", required=True)
    parser.add_argument("record", type=Path)
    options = parser.parse_args()
    app = create_app(StoppableEngine(options.record))
    uvicorn.run(app, uds=options.socket, log_level="warning")


if __name__ == "__main__":
    main()

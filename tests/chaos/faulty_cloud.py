"""The PC's cloud with faults between its functions and its AWS, and in the events that start functions.

Run as `python -m tests.chaos.faulty_cloud LOCK_FD LISTENER_FD`, in place of `python -m reelworks.cloud`. What
fails is in a file, which is read as it changes: see `Faults`.
"""

import asyncio
import json
import os
import random
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FAULTS_FILE = "REELWORKS_CHAOS_FAULTS"
# Functions that an event starts, which AWS may deliver twice or late.
OF_EVENTS = ("Dispatch", "SettleClip", "Intake", "Deliver", "Upkeep")
_TOO_BUSY = {"__type": "ThrottlingException", "message": "Rate exceeded"}
_BROKEN = {"__type": "InternalServerError", "message": "An internal error occurred"}
_BUSY_XML = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
_BROKEN_XML = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"


@dataclass(frozen=True)
class Faults:
    """Shares from 0 to 1. `throttled`: of the functions' AWS calls, without effect; `lost`: of their
    answers, after the effect. `doubled`, `late` (up to `late_seconds`) and `dropped`: of the events that
    start functions."""

    throttled: float = 0.0
    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    late_seconds: float = 30.0
    dropped: float = 0.0

    def write(self, path: Path) -> None:
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(self)))
        new.replace(path)


class FaultsFile:
    """The faults of now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = (0, Faults())

    @property
    def now(self) -> Faults:
        try:
            changed = self._path.stat().st_mtime_ns
            if changed != self._read[0]:
                self._read = changed, Faults(**json.loads(self._path.read_text()))
        except (OSError, ValueError):
            return Faults()
        return self._read[1]


class FaultyAws:
    """An ASGI app whose signed AWS calls fail as the file says; the REST API, which has keys, does not."""

    def __init__(self, app: Any, faults: FaultsFile) -> None:
        self._app = app
        self._faults = faults
        self._random = random.Random(os.getpid())

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers") or ())
        signed = headers.get(b"authorization", b"").startswith(b"AWS4-HMAC-SHA256")
        if scope["type"] != "http" or not signed:
            await self._app(scope, receive, send)
            return
        faults, drawn = self._faults.now, self._random.random()
        is_json = b"x-amz-target" in headers
        if drawn < faults.throttled:
            while (await receive()).get("more_body"):
                pass  # else it would be taken for the next request
            await _answer(
                send, 400 if is_json else 503, json.dumps(_TOO_BUSY).encode() if is_json else _BUSY_XML
            )
        elif drawn < faults.throttled + faults.lost:

            async def unheard(message: Any) -> None:
                del message

            await self._app(scope, receive, unheard)
            await _answer(send, 500, json.dumps(_BROKEN).encode() if is_json else _BROKEN_XML)
        else:
            await self._app(scope, receive, send)


async def _answer(send: Any, status: int, body: bytes) -> None:
    kind = b"application/x-amz-json-1.0" if body.startswith(b"{") else b"application/xml"
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", kind), (b"content-length", str(len(body)).encode())],
        }
    )
    await send({"type": "http.response.body", "body": body})
    await asyncio.sleep(0)


def unreliable_events(faults: FaultsFile) -> None:
    """Have ministack's events start functions twice, late or never."""
    from ministack.services import lambda_svc

    execute = lambda_svc._execute_function
    drawing = random.Random(os.getpid())
    nested = threading.local()

    def unreliably(func: dict[str, Any], event: Any) -> dict[str, Any]:
        name = str((func.get("config") or func).get("FunctionName", ""))
        if getattr(nested, "inside", False) or not name.endswith(OF_EVENTS):
            return dict(execute(func, event))
        nested.inside = True
        try:
            now = faults.now
            if drawing.random() < now.dropped:
                return {"body": None, "error": False}
            if drawing.random() < now.late:
                time.sleep(drawing.uniform(0, now.late_seconds))
            if drawing.random() < now.doubled:
                execute(func, event)
            return dict(execute(func, event))
        finally:
            nested.inside = False

    lambda_svc._execute_function = unreliably


def main() -> None:
    os.environ.pop("PYTHONPATH", None)  # functions inherit the environment
    faults = FaultsFile(Path(os.environ.pop(FAULTS_FILE)))
    from reelworks.cloud import __main__ as cloud
    from reelworks.cloud.server import app as server

    create = server.create_app

    def with_faults(*arguments: Any) -> Any:
        made = create(*arguments)
        unreliable_events(faults)
        return FaultyAws(made, faults)

    server.create_app = with_faults
    cloud.main()


if __name__ == "__main__":
    sys.exit(main())

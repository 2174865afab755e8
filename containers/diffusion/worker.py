"""Engine process: loads the model, then renders what the server hands it, one clip at a time.

It talks to the server over its standard input, which is a socket, and ends with it. It is a separate process
so that /ping answers while the model computes, and so that nothing that happens to the model (a failed GPU,
the kernel's out-of-memory killer, a crash in native code) takes the server down.
"""

import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NoReturn, Protocol

from containers.diffusion.errors import DeviceLost, EngineError, EngineFailed, InvalidRequest, Stopped
from containers.diffusion.log import log_as_json
from containers.diffusion.messages import HEADER, Clip, Kind, packed

logger = logging.getLogger(__name__)


class Engine(Protocol):
    """Engine that the process runs."""

    def load(self) -> None:
        """Load the engine; called once, before any request. Raises if the engine cannot serve."""

    def describe(self) -> dict[str, Any]:
        """Return the fields for /ping, once loaded."""

    def render(self, body: bytes, go_on: Callable[[], None]) -> Clip:
        """Render the clip for a request. Raises EngineError.

        Calls `go_on` regularly, which raises Stopped once no client waits for the clip.
        """


def serve(engine: Engine) -> NoReturn:
    """Load `engine` and render with it until the server ends."""
    # The server decides when to stop; Ctrl-C or a SIGTERM to the process group reaches both.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    channel = _Channel(_take_standard_input())
    try:
        engine.load()
    except Exception as error:  # whatever it is, /ping must report it
        logger.exception("model failed to load")
        channel.send(Kind.FAILED, f"{type(error).__name__}: {error}".encode())
        _end()
    channel.send(Kind.READY, json.dumps(engine.describe()).encode())
    while True:
        kind, answer = _answer(engine, channel.requests.get(), channel.go_on)
        channel.send(kind, answer)
        if kind is Kind.LAST_ERROR:
            _end()


def _answer(engine: Engine, body: bytes, go_on: Callable[[], None]) -> tuple[Kind, bytes]:
    try:
        return Kind.CLIP, engine.render(body, go_on).body()
    except (InvalidRequest, Stopped) as refusal:
        logger.info("clip refused", extra={"param": refusal.param, "reason": str(refusal)})
        error: EngineError = refusal
    except EngineError as failure:
        logger.exception("clip failed", extra={"code": failure.code})
        error = failure
    except Exception as fault:
        logger.exception("clip failed", extra={"code": EngineFailed.code})
        error = EngineFailed(f"{type(fault).__name__}: {fault}")
    answer = json.dumps({"status": error.status, "document": error.document()}).encode()
    return Kind.LAST_ERROR if isinstance(error, DeviceLost) else Kind.ERROR, answer


class _Channel:
    """Socket to the server, read on its own thread: the server can end, or stop a clip, during rendering."""

    def __init__(self, socket_: socket.socket) -> None:
        self.requests: SimpleQueue[bytes] = SimpleQueue()
        self._socket = socket_
        self._stop = threading.Event()
        threading.Thread(target=self._read, name="orders", daemon=True).start()

    def send(self, kind: Kind, body: bytes) -> None:
        try:
            self._socket.sendall(packed(kind, body))
        except OSError:
            _end()  # the server is gone

    def go_on(self) -> None:
        if self._stop.is_set():
            raise Stopped("the clip was stopped: no client is waiting for it")

    def _read(self) -> None:
        with self._socket.makefile("rb") as orders:
            while len(header := orders.read(HEADER.size)) == HEADER.size:
                kind, length = HEADER.unpack(header)
                body = orders.read(length)
                if kind == Kind.STOP:
                    self._stop.set()
                elif len(body) == length:
                    # A stop that came too late for the previous clip must not stop this one.
                    self._stop.clear()
                    self.requests.put(body)
        _end()


def _take_standard_input() -> socket.socket:
    """Return standard input as a socket, which it is; later readers of standard input find it empty."""
    channel = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return channel


def _end() -> NoReturn:
    # Not sys.exit: with a failed GPU, the libraries' own cleanup may hang or abort.
    logging.shutdown()
    os._exit(0)


def main() -> None:
    # Imported here so that the code above stays independent of any engine.
    from containers.diffusion.engine import DiffusionEngine
    from containers.diffusion.export import Export
    from containers.diffusion.options import parse
    from containers.diffusion.speed import Speed

    options = parse(sys.argv[1:])
    log_as_json()
    speed, export = Speed(options.speed), Export(crf=options.crf, splice_seconds=options.splice)
    compiled = {"auto": None, "on": True, "off": False}[options.compile]
    serve(DiffusionEngine(options.model, options.name, options.device, speed, export, compiled))


if __name__ == "__main__":
    main()

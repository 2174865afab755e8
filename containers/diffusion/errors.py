"""Errors of an engine server.

EngineError            code, HTTP status
├── InvalidRequest     invalid_request, 4xx: the request can never succeed; names the field
├── Busy               busy, 503: the server renders one clip at a time; retry later
├── NotReady           not_ready, 503: the model is loading, or could not be loaded
│   └── Stopped        the clip was stopped: its client disconnected, or the server is stopping
├── OutOfMemory        out_of_memory, 507: the clip does not fit into this device's memory
└── EngineFailed       engine_failed, 500: a fault of the server or the model
    ├── Broken         broken, 500: fails in the same way until someone repairs it: a node of a workflow fails
    │   └── BadCheckpoint  the model folder is missing, broken, or of a family not known here
    └── DeviceLost     the GPU is in a state that only a new process can recover from
"""

from typing import Any


class EngineError(Exception):
    """Base class; `str(error)` is the message shown to the caller."""

    code = "engine_failed"
    status = 500
    param: str | None = None

    def document(self) -> dict[str, dict[str, str | None]]:
        """Return the body of the HTTP response."""
        return {"error": {"code": self.code, "param": self.param, "message": str(self)}}


class InvalidRequest(EngineError):
    """The request breaks a rule; `param` is the field, or None for the body as a whole."""

    code = "invalid_request"

    def __init__(self, param: str | None, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.param = param
        self.status = status


class Busy(EngineError):
    code = "busy"
    status = 503


class NotReady(EngineError):
    code = "not_ready"
    status = 503


class Stopped(NotReady):
    pass


class OutOfMemory(EngineError):
    code = "out_of_memory"
    status = 507


class EngineFailed(EngineError):
    pass


class Broken(EngineFailed):
    """Another try fails in the same way; the message says what to repair."""

    code = "broken"


class BadCheckpoint(Broken):
    pass


class DeviceLost(EngineFailed):
    pass


def of_document(status: int, document: dict[str, dict[str, Any]]) -> EngineError:
    """Return the error that an engine process answered with."""
    error = EngineError(document["error"]["message"])
    error.status, error.code, error.param = status, document["error"]["code"], document["error"]["param"]
    return error

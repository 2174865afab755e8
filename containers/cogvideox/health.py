"""Whether the server can take a clip: starting → ready ⇄ busy, or failed until it is restarted."""

import threading
from typing import Literal

from containers.cogvideox.errors import Busy, NotReady

Status = Literal["starting", "ready", "busy", "failed"]


class Health:
    """The server's state, read by /ping on one thread and changed by the engine's on another."""

    def __init__(self) -> None:
        self.status: Status = "starting"
        self.reason: str | None = None
        self._lock = threading.Lock()

    @property
    def serving(self) -> bool:
        """The model is loaded; SageMaker wants 200 from /ping then, also while a clip is rendered."""
        return self.status in ("ready", "busy")

    def loaded(self) -> None:
        self.status = "ready"

    def failed(self, reason: str) -> None:
        self.reason, self.status = reason, "failed"

    def take(self) -> None:
        """Claim the one place for a clip; raises Busy or NotReady."""
        with self._lock:
            if self.status == "busy":
                raise Busy("a clip is being rendered; this server renders one at a time")
            if self.status != "ready":
                raise NotReady(self.reason or "the model is still loading")
            self.status = "busy"

    def release(self) -> None:
        """Give the place back, unless the server failed meanwhile."""
        with self._lock:
            if self.status == "busy":
                self.status = "ready"

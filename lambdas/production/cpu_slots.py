"""Limit CPU-bound work to one job per core of the machine.

A Lambda instance is its own machine, so nothing waits there. On a PC, all instances are processes of the same
machine and a dozen videos have dozens of clips to draw: run all at once, each would exceed its function's
timeout and none would finish.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import gettempdir

_LOOK_EVERY_SECONDS = 0.2


@contextmanager
def cpu_slot(places: int | None = None) -> Iterator[None]:
    """Wait for one of `places` slots (default: one per core) and hold it. Slots are file locks, which the
    kernel releases however the process ends."""
    with ExitStack() as resources:
        locks = [
            resources.enter_context((Path(gettempdir()) / f"cpu-slot-{place}.lock").open("w"))
            for place in range(places or os.cpu_count() or 1)
        ]
        while not any(_taken(lock.fileno()) for lock in locks):
            time.sleep(_LOOK_EVERY_SECONDS)
        yield


def _taken(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

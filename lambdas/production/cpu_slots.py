"""Work that takes whole cores waits its turn: on one machine, as much is done at once as it has cores.

A Lambda instance is a machine of its own, so nothing waits there. On a PC, where each instance is a process
of the same machine, a dozen videos have dozens of clips to draw: all at once, each would take until its
function is out of time, and none be finished.
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
    """Waits for one of `places` (as many as cores), and holds it. They are locks on files, which the kernel
    frees however the process ends."""
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

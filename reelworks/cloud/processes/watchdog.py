"""Run a server that can't outlive the cloud: `python watchdog.py COMMAND …`.

The cloud holds the write end of this process's standard input and writes nothing to it. When that pipe
closes, because the cloud stops the server or was itself killed, the command's whole process group gets
SIGTERM, and SIGKILL after GRACE_SECONDS. A pipe works on every POSIX system; Linux's PR_SET_PDEATHSIG would
miss the server's own children and fires when the forking thread ends.
Exits with the command's exit code, or 128 + the signal that killed it. Standard library only.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

GRACE_SECONDS = 5.0


def run(command: Sequence[str]) -> None:
    """Run `command` until it exits or standard input closes; does not return."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    server = subprocess.Popen(  # noqa: S603  the command is the endpoint's
        command, stdin=subprocess.DEVNULL, start_new_session=True
    )
    reaper = threading.Thread(target=_exit_with, args=(server,), daemon=True)
    reaper.start()
    try:
        while os.read(sys.stdin.fileno(), 1024):
            pass
    finally:
        _signal_group(server.pid, signal.SIGTERM)
        reaper.join(GRACE_SECONDS)
        _signal_group(server.pid, signal.SIGKILL)
        reaper.join()


def _exit_with(server: "subprocess.Popen[bytes]") -> None:
    code = server.wait()
    _signal_group(server.pid, signal.SIGKILL)  # leftover children of the server
    os._exit(code if code >= 0 else 128 - code)


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    run(sys.argv[1:])

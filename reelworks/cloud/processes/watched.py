"""Starts programs that end with the cloud, however it ends (watchdog.py)."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from reelworks.cloud.processes import watchdog


def start_watched(
    command: Sequence[str], *, log: Path, cwd: Path | None, env: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """A process that ends, with all it started, when its standard input is closed or this process ends.
    `log` gets its output; the output of the run before is kept beside it as `*.1`. Raises OSError."""
    # Not asyncio's subprocess: when its loop closes, it kills the watchdog before that can end the process.
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_name(log.name + ".1"))
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603  the command is the endpoint's or the project's
            [sys.executable, "-I", "-S", watchdog.__file__, *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
            start_new_session=True,  # a Ctrl-C at the terminal is for the cloud, which then stops us
        )

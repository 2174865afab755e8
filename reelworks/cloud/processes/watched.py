"""Start programs that end with the cloud, even when it is killed (watchdog.py)."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from reelworks.cloud.processes import watchdog


def start_watched(
    command: Sequence[str], *, log: Path, cwd: Path | None, env: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a process that ends, with all its children, when its standard input closes or this process ends.

    Its output goes to `log`; the previous run's output is kept as `*.1`. Raises OSError if it can't be
    started.
    """
    # Not asyncio's subprocess: when its loop closes, it kills the watchdog before that can stop the process.
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
            start_new_session=True,  # Ctrl-C in the terminal goes to the cloud, which then stops us
        )

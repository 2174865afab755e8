"""The useful end of a program's output: why it failed, not what it said while it started."""

import json
from typing import Any

from lambdas.domain.failures import shortened

LONGEST = 700  # characters; with the reason in front of it, a failure's record keeps it whole
_MOST_LINES = 12
_TRACEBACK = "Traceback (most recent call last)"
_QUIET = frozenset({"DEBUG", "INFO", "NOTSET"})


def useful_end(output: str, longest: int = LONGEST) -> str:
    """Return the last lines of a program's output, at most `longest` characters.

    Of a traceback, only the error remains; of log lines in JSON (containers/diffusion/log.py), those that
    report a problem, in words. Without any such line, the last lines as they are.
    """
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    read = [_read(line) for line in lines]
    telling = [line for one in read for line in one.splitlines()]
    kept = _without_frames(telling) or [_message(line) or line for line in lines]
    return shortened("\n".join(kept[-_MOST_LINES:]), longest)


def _read(line: str) -> str:
    """Return a line in words; empty for a log line that reports no problem."""
    entry = _entry(line)
    if entry is None:
        return line
    if str(entry.get("level", "")).upper() in _QUIET:
        return ""
    details = [str(entry[name]) for name in ("reason", "traceback") if entry.get(name)]
    return "\n".join([str(entry["event"]), *details])


def _message(line: str) -> str:
    return str((_entry(line) or {}).get("event", ""))


def _entry(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and "event" in entry else None


def _without_frames(lines: list[str]) -> list[str]:
    """Return the lines from the last traceback's error on; all lines without a traceback."""
    begun = [number for number, line in enumerate(lines) if _TRACEBACK in line]
    if not begun:
        return lines
    after = begun[-1] + 1
    while after < len(lines) and lines[after].startswith((" ", "\t")):
        after += 1
    return lines[after:] or lines[begun[-1] :]

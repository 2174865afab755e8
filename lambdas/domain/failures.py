"""Carry an error through the state machine and turn it into the failure in the video's record.

Step Functions passes on a name and a text. The text is JSON in the form that Lambda gives an uncaught
exception (`errorType`, `errorMessage`), so that our errors, Lambda's and the state machine's read alike.
"""

import errno
import json
import re
from typing import Any

from lambdas.domain import errors
from lambdas.domain.control_characters import visible
from lambdas.domain.documents import json_object
from lambdas.domain.errors import DiskFull, Fault, FunctionDied, OutOfMemory, ReelworksError
from lambdas.domain.video_parts import Failure

LONGEST_REASON = 1_000  # characters

# What the system calls a full disk (errno ENOSPC; EDQUOT for a user's quota), and what a message is given.
OUT_OF_DISK = "The disk is full"
_FULL_DISK = re.compile(r"No space left on device|Disk quota exceeded|\bENOSPC\b|\bEDQUOT\b")

_REASONS = {
    "States.Timeout": "The step did not end within its time limit.",
    "Sandbox.Timedout": "The function did not end within its time limit.",
    "Lambda.TooManyRequestsException": "The account has reached its limit of concurrent Lambda functions.",
}

# Lambda's names for a function whose process ended before it answered, as Step Functions shows them. A
# function that exceeds its memory has the text "Runtime exited with error: signal: killed".
_OUT_OF_MEMORY = frozenset({"Runtime.OutOfMemory", "MemoryError"})
_DIED = frozenset({"Runtime.ExitError", "Runtime.Unknown", "Lambda.Unknown"})
_EXIT = re.compile(r"Runtime exited (?:with error: )?(.+)")


def cause(error: Exception) -> str:
    """Return the text that accompanies an error's class name."""
    document: dict[str, Any] = {"errorType": type(error).__name__, "errorMessage": str(error)}
    if isinstance(error, ReelworksError):
        document["advice"] = error.advice
    if (clip := getattr(error, "clip", None)) is not None:
        document["clip"] = clip
    return json.dumps(document)


def named(error: Exception) -> Exception:
    """Return our error for one of Python's that says the machine ran short of something."""
    if isinstance(error, MemoryError):
        return OutOfMemory("The function ran out of memory.")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"{OUT_OF_DISK}: {error}")
    return error


def is_full_disk(text: str) -> bool:
    """Return whether a service's message says that its disk is full."""
    return bool(_FULL_DISK.search(text))


def failure(
    step: str, error: dict[str, Any], *, scene: int | None = None, clip: int | None = None
) -> Failure:
    """Return the failure to record for an error from a Catch: {"Error": name, "Cause": text}.

    Never raises: whatever the error looks like, the video ends with a reason.
    """
    name = str(error.get("Error") or "Unknown")
    text = str(error.get("Cause") or "")
    told = json_object(text)
    if isinstance(told.get("error"), dict) and "step" in told:
        # The output of the machine's Failed state, when an execution ended without a recorded reason.
        places = {place: _index(told.get(place)) for place in ("scene", "clip")}
        return failure(str(told["step"]), told["error"], **places)
    if "errorMessage" in (ours := json_object(str(told.get("errorMessage")))):
        told = ours  # raised by a task: the message is the `cause`
    message = str(told.get("errorMessage") or "")
    if (death := _death(name, message if told else text)) is not None:
        name, message = type(death).__name__, death.message
    elif name == "Sandbox.Timedout":
        message = _REASONS[name]
    reason = message or _REASONS.get(name) or text or f"The step failed: {name}."
    return Failure(
        step=step,
        scene=scene,
        clip=clip if clip is not None else _index(told.get("clip")),
        code=name,
        reason=shortened(visible(reason, lines=True)),
        advice=shortened(visible(str(told.get("advice") or ""), lines=True) or _advice(name)),
    )


def fault_of(failed: Failure) -> Fault:
    """Return whose fault a failure is."""
    if failed.step == "RenderClip" and failed.code == "States.Timeout":
        return Fault.ENGINE  # the state waits for the engine
    kind = getattr(errors, failed.code, None)
    if isinstance(kind, type) and issubclass(kind, ReelworksError):
        return kind.fault
    return Fault.PIPELINE


def _death(name: str, message: str) -> ReelworksError | None:
    """Return our error for a function that died, from Lambda's name and message for it."""
    if name not in _OUT_OF_MEMORY | _DIED and getattr(errors, name, None) is not None:
        return None
    if is_full_disk(message):
        return DiskFull(f"{OUT_OF_DISK}: {message}")
    if name in _OUT_OF_MEMORY:
        return OutOfMemory("The function ran out of memory.")
    if name not in _DIED:
        return None
    ended = found[1] if (found := _EXIT.search(message)) else message or "no reason is known"
    if "killed" in ended:
        return FunctionDied("The function's process was killed, or ran out of memory.")
    return FunctionDied(f"The function's process ended before it answered: {ended}")


def _index(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def shortened(text: str, longest: int = LONGEST_REASON) -> str:
    """Return the text with at most `longest` characters, its middle left out: it begins with what failed and
    ends with why, which is a traceback's last line."""
    if len(text) <= longest:
        return text
    end = 2 * longest // 3
    return f"{text[: longest - end - 1]}…{text[-end:]}"


def _advice(name: str) -> str:
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, ReelworksError):
        return kind.advice
    return ReelworksError.advice

from typing import Any

import pytest

from reelworks.cli.cloud import _functions


def report(**given: Any) -> dict[str, Any]:
    return {"running": {}, "waiting": {}, "processes": 0, "memory_bytes": 0, **given}


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (report(), "functions: 0 running, 0 waiting; 0 processes hold 0 MB"),
        (
            report(
                running={"reelworks-Api": 1, "reelworks-DrawClip": 2},
                waiting={"reelworks-Plan": 3, "reelworks-DrawClip": 100},
                processes=1,
                memory_bytes=1_234_567_890,
            ),
            "functions: 3 running (2 DrawClip, 1 Api), 103 waiting (100 DrawClip, 3 Plan); "
            "1 process holds 1,235 MB",
        ),
        (None, "functions: the cloud is too busy to say; it is working"),
    ],
)
def test_a_line_says_what_runs_waits_and_holds_memory(told: dict[str, Any] | None, line: str) -> None:
    assert _functions(told) == line

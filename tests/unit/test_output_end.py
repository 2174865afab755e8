"""The useful end of a program's output."""

import json

import pytest

from reelworks.cloud.processes.output_end import LONGEST, useful_end

FRAMES = "Traceback (most recent call last):\n" + 40 * '  File "a.py", line 1, in load\n    run()\n'
ERROR = "onnxruntime.InvalidProtobuf: [ONNXRuntimeError] : 7 : Load model from /v.onnx failed"
STARTED = json.dumps({"time": "t", "level": "INFO", "event": "Uvicorn running on http://127.0.0.1:1"})


@pytest.mark.parametrize(
    ("output", "end"),
    [
        ("", ""),
        (FRAMES + ERROR, ERROR),
        (f"loading\n{FRAMES}{ERROR}\n  hint: pull it again\n", f"{ERROR}\n  hint: pull it again"),
        (f"{FRAMES}KeyError: 1\n\nDuring handling, another exception occurred:\n\n{FRAMES}{ERROR}", ERROR),
        (f"{STARTED}\n{FRAMES}{ERROR}\n{STARTED}", ERROR),
        (
            f"{STARTED}\n"
            + json.dumps({"level": "ERROR", "event": "model failed to load", "traceback": FRAMES + ERROR}),
            ERROR,
        ),
        (
            STARTED + "\n" + json.dumps({"level": "WARNING", "event": "clip failed", "reason": "no disk"}),
            "clip failed\nno disk",
        ),
        (STARTED, "Uvicorn running on http://127.0.0.1:1"),
        ("no CUDA\n", "no CUDA"),
        ("{not JSON\n[1]", "{not JSON\n[1]"),
    ],
)
def test_what_says_why(output: str, end: str) -> None:
    assert useful_end(output).startswith(end)
    assert useful_end(output).endswith(end.splitlines()[-1] if end else "")


def test_it_is_short_and_keeps_the_last_words() -> None:
    end = useful_end(f"{FRAMES}{ERROR} {'x' * 5000} at last")
    assert len(end) <= LONGEST
    assert end.startswith(ERROR[:20])
    assert end.endswith("at last")
    assert len(useful_end("\n".join(map(str, range(10_000))))) <= LONGEST

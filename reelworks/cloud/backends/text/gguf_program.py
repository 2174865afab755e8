"""A program that writes with a GGUF file by llama.cpp: `python -m …gguf_program FILE CONTEXT_TOKENS`.

Each line of standard input is a request of OpenAI's chat completions in JSON. The answer is one line: ANSWER
and the completion, or {"error": …} as llama.cpp says it. Nothing is downloaded, and nobody else can ask the
model: llama.cpp's server, which xllamacpp starts with it, listens on a socket in a private folder.
"""

import json
import os
import sys
import tempfile
import threading
from queue import SimpleQueue
from typing import Any

ANSWER = "@answer "
_ERRORS_ONLY = 1  # of llama.cpp's log


def main(file: str, context_tokens: int) -> None:
    lines: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="writer-") as folder:
        server: Any = None
        while True:
            line = lines.get()
            try:
                server = server or load(file, context_tokens, f"{folder}/http.sock")
                answer = _ask(server, json.loads(line))
            except Exception as error:  # noqa: BLE001  any error of a model goes to the caller
                answer = {"error": {"message": f"{type(error).__name__}: {error}"}}
            # On a line of its own, also after a log line that has not ended.
            print(f"\n{ANSWER}{json.dumps(answer)}", flush=True)  # noqa: T201  the protocol


def load(file: str, context_tokens: int, socket: str) -> Any:
    """Load the model. Raises RuntimeError if it can't be; llama.cpp's log says why."""
    import psutil
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = file
    params.n_ctx = context_tokens
    params.n_parallel = 1  # else the questions that may be asked at once share the context
    params.hostnames = [socket]
    # All but one: its threads wait for each other at every step, so one that must wait for a core stops all.
    params.cpuparams.n_threads = max(1, (psutil.cpu_count(logical=False) or 1) - 1)
    params.ui = False
    params.verbosity = _ERRORS_ONLY
    return xllamacpp.Server(params)


def _ask(server: Any, request: dict[str, Any]) -> Any:
    """Return llama.cpp's answer, which may be an error. It raises if it can't read what the model wrote; that
    counts as an empty answer, so that the caller asks again."""
    try:
        return server.handle_chat_completions(request)
    except RuntimeError as error:
        print(error, flush=True)  # noqa: T201  the log
        return {"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}


def _read(lines: SimpleQueue[str]) -> None:
    """Pass on the lines, and end the program with its input, even in the middle of an answer."""
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

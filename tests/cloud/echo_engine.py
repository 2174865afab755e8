"""A real engine server for tests: implements the engine contract and does what the prompt says.

`python -m tests.cloud.echo_engine --socket PATH [--load SECONDS] [--fail-to-start]`. Prompts: `sleep 3`,
`refuse`, `fail`, `crash`, `garble`, `busy` (at first), `environment`, `command`,
`headers`; any other prompt is echoed.
"""

import argparse
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingMixIn, UnixStreamServer


class UnixServer(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


class Engine(BaseHTTPRequestHandler):
    ready_at = 0.0
    failed = False
    busy_answers = 2
    rendering = threading.Lock()

    def do_GET(self) -> None:
        if Engine.failed:
            self.answer(503, {"status": "failed", "reason": "the checkpoint is truncated"})
        elif time.monotonic() < Engine.ready_at:
            self.answer(503, {"status": "starting"})
        else:
            self.answer(200, {"status": "ready"})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        prompt: str = request["prompt"]
        if not Engine.rendering.acquire(blocking=False):
            self.answer(500, {"error": {"code": "engine_failed", "message": "two renders at a time"}})
            return
        try:
            status, body = self.render(prompt)
        finally:
            Engine.rendering.release()
        self.answer(status, body, encoding="gzip" if prompt == "garble" else "identity")

    def render(self, prompt: str) -> tuple[int, object]:
        match prompt.split():
            case ["sleep", seconds]:
                time.sleep(float(seconds))
            case ["refuse"]:
                error = {"code": "invalid_request", "param": "frames", "message": "frames must be 8N+1"}
                return 400, {"error": error}
            case ["fail"]:
                return 500, {"error": {"code": "out_of_memory", "message": "out of memory"}}
            case ["busy"] if Engine.busy_answers > 0:
                Engine.busy_answers -= 1
                return 503, {"error": {"code": "busy", "message": "rendering"}}
            case ["crash"]:
                print("the GPU fell off the bus", file=sys.stderr, flush=True)
                os._exit(3)
            case ["environment"]:
                return 200, json.dumps({"pid": os.getpid(), **os.environ})
            case ["command"]:
                return 200, json.dumps(sys.argv)
            case ["headers"]:
                return 200, json.dumps({k.lower(): v for k, v in self.headers.items()})
        return 200, prompt

    def address_string(self) -> str:
        return "a client"  # of a Unix socket, which has no address

    def answer(self, status: int, body: object, encoding: str = "identity") -> None:
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "video/mp4" if isinstance(body, str) else "application/json")
        self.send_header("content-encoding", encoding)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", required=True)
    parser.add_argument("--load", type=float, default=0)
    parser.add_argument("--fail-to-start", action="store_true")
    arguments = parser.parse_args()
    Engine.ready_at = time.monotonic() + arguments.load
    Engine.failed = arguments.fail_to_start
    UnixServer(arguments.socket, Engine).serve_forever()


if __name__ == "__main__":
    main()

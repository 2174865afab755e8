"""An engine server that renders noise in the format that it is asked for: python -m tests.cloud.clip_engine
--socket PATH. A prompt that begins with `fail` fails; with `wait`, it renders without end."""

import argparse
import json
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.cloud.echo_engine import UnixServer
from tests.media.clips import clip


class ClipEngine(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(200, b'{"status": "ready"}')

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if request["prompt"].startswith("fail"):
            error = {"code": "out_of_memory", "param": None, "message": "out of memory"}
            self._answer(500, json.dumps({"error": error}).encode())
            return
        if request["prompt"].startswith("wait"):
            time.sleep(3600)  # the server doesn't wait for this thread when it ends
        self._answer(200, _render(request), "video/mp4")

    def _answer(self, status: int, content: bytes, content_type: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def address_string(self) -> str:
        return "a client"  # of a Unix socket, which has no address


def _render(request: dict[str, Any]) -> bytes:
    film = request.get("film") or {**request, "frames": request["frames"] - request["skip_frames"]}
    return clip(film["frames"], width=film["width"], height=film["height"], fps=film["fps"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", required=True)
    UnixServer(parser.parse_args().socket, ClipEngine).serve_forever()

"""python -m containers.cogvideox [--model DIR] [--name NAME] [--port N | --socket PATH] [--device DEVICE]"""

import sys

import uvicorn

from containers.cogvideox.log import log_as_json
from containers.cogvideox.options import parse

try:
    from containers.cogvideox.server import create_app
    from containers.cogvideox.supervisor import Supervisor
except ModuleNotFoundError as error:
    sys.exit(f"{error}. Install what the CogVideoX engines need: pip install -e '.[cogvideox]'")


def main() -> None:
    arguments = sys.argv[1:]
    options = parse(arguments)
    command = [sys.executable, "-m", "containers.cogvideox.worker", *arguments]
    description = {"engine": "cogvideox", "model": options.name, "device": options.device}
    run(
        Supervisor(command, description), host=options.host, port=options.port, socket=options.socket,
        grace=options.grace,
    )  # fmt: skip


def run(supervisor: Supervisor, *, host: str, port: int, socket: str | None = None, grace: int) -> None:
    """Serve at the Unix socket, or at the port without one, until SIGTERM or SIGINT; a clip in progress then
    gets `grace` seconds to finish."""
    log_as_json()
    # No access log: /ping is called every few seconds, and each job has its own line.
    uvicorn.run(
        create_app(supervisor), host=host, port=port, uds=socket, log_config=None, access_log=False,
        timeout_graceful_shutdown=grace,
    )  # fmt: skip


if __name__ == "__main__":
    main()

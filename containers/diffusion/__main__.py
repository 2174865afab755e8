"""python -m containers.diffusion [--model DIR] [--name NAME] [--port N | --socket PATH] [--device DEVICE]"""

import sys
from pathlib import Path

import uvicorn

from containers.diffusion.log import log_as_json
from containers.diffusion.options import parse

try:
    from containers.diffusion.checkpoint import read_configs
    from containers.diffusion.errors import BadCheckpoint
    from containers.diffusion.server import create_app
    from containers.diffusion.supervisor import Supervisor
except ModuleNotFoundError as error:
    sys.exit(f"{error}. Install what the diffusion engines need: pip install -e '.[diffusion]'")


def main() -> None:
    arguments = sys.argv[1:]
    options = parse(arguments)
    command = [sys.executable, "-m", "containers.diffusion.worker", *arguments]
    description = {"engine": _family(options.model), "model": options.name, "device": options.device}
    run(
        Supervisor(command, description), host=options.host, port=options.port, socket=options.socket,
        grace=options.grace,
    )  # fmt: skip


def _family(model: Path) -> str:
    """Return the name of the model's family, for /ping until the engine has loaded it."""
    try:
        return read_configs(model)[0].name
    except BadCheckpoint:  # which the engine reports
        return "diffusion"


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

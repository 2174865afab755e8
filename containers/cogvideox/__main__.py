"""python -m containers.cogvideox [--model DIR] [--name NAME] [--host HOST] [--port N] [--device DEVICE]"""

import sys

import uvicorn

from containers.cogvideox.log import log_as_json
from containers.cogvideox.options import parse
from containers.cogvideox.server import create_app
from containers.cogvideox.supervisor import Supervisor


def main() -> None:
    arguments = sys.argv[1:]
    options = parse(arguments)
    log_as_json()
    supervisor = Supervisor(
        [sys.executable, "-m", "containers.cogvideox.worker", *arguments],
        {"engine": "cogvideox", "model": options.name, "device": options.device},
    )
    # No access log: /ping is called every few seconds, and each job has its own line.
    uvicorn.run(
        create_app(supervisor), host=options.host, port=options.port, log_config=None, access_log=False,
        timeout_graceful_shutdown=options.grace,
    )  # fmt: skip


if __name__ == "__main__":
    main()

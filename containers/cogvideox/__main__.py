"""python -m containers.cogvideox [--model DIR] [--name NAME] [--host HOST] [--port N] [--device DEVICE]

Each option can be given as a variable of the environment instead: COGVIDEOX_MODEL, COGVIDEOX_PORT, …
"""

import argparse
import os
from pathlib import Path

import uvicorn

from containers.cogvideox.engine import CogVideoXEngine
from containers.cogvideox.log import log_as_json
from containers.cogvideox.server import create_app


def main() -> None:
    options = _parser().parse_args()
    log_as_json()
    engine = CogVideoXEngine(options.model, options.name or options.model.resolve().name, options.device)
    # No access log: /ping is called every few seconds, and each job has its own line.
    uvicorn.run(
        create_app(engine), host=options.host, port=options.port, log_config=None, access_log=False,
        timeout_graceful_shutdown=1,
    )  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    environment = os.environ.get
    parser = argparse.ArgumentParser(
        prog="python -m containers.cogvideox", description="CogVideoX engine server"
    )
    # SageMaker starts a container as `docker run IMAGE serve`.
    parser.add_argument("serve", nargs="?", choices=["serve"], help=argparse.SUPPRESS)
    parser.add_argument(
        "--model",
        type=Path,
        default=Path(environment("COGVIDEOX_MODEL", "/opt/ml/model")),
        help="the checkpoint's folder (COGVIDEOX_MODEL; %(default)s)",
    )
    parser.add_argument(
        "--name",
        default=environment("COGVIDEOX_NAME"),
        help="the model's name in logs and metadata (COGVIDEOX_NAME; the folder's name)",
    )
    parser.add_argument(
        "--host", default=environment("COGVIDEOX_HOST", "127.0.0.1"), help="(COGVIDEOX_HOST; %(default)s)"
    )
    parser.add_argument(
        "--port",
        type=int,
        default=environment("COGVIDEOX_PORT", "8080"),
        help="(COGVIDEOX_PORT; %(default)s, which SageMaker calls)",
    )
    parser.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda"],
        default=environment("COGVIDEOX_DEVICE", "auto"),
        help="(COGVIDEOX_DEVICE; %(default)s: cuda where there is one)",
    )
    return parser


if __name__ == "__main__":
    main()

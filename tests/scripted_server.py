"""The diffusion server with the scripted engine: python -m tests.scripted_server FOLDER GRACE."""

import os
import sys

from containers.diffusion.__main__ import run
from containers.diffusion.supervisor import Supervisor

if __name__ == "__main__":
    folder, grace = sys.argv[1:]
    run(
        Supervisor([sys.executable, "-m", "tests.scripted_engine", folder], {"model": "cogvideox-nano"}),
        host="127.0.0.1",
        port=int(os.environ["DIFFUSION_PORT"]),
        grace=int(grace),
    )

"""The cloud's process, started by `start_stop.up` as `python -m reelworks.cloud LOCK_FD LISTENER_FD`."""

import os
import socket
import sys
from pathlib import Path

from reelworks.cloud.home import PRIVATE_UMASK, Home
from reelworks.cloud.lifecycle import process_lock
from reelworks.cloud.lifecycle.environment import MARK, SETTINGS

GRACE_SECONDS = 2  # for requests in progress at SIGTERM


def main() -> None:
    os.umask(PRIVATE_UMASK)  # functions, engine servers and builds inherit it
    lock, listener_fd = (int(argument) for argument in sys.argv[1:])
    listener = socket.socket(fileno=listener_fd)
    process = process_lock.claim(lock, listener)  # before the imports that take a second
    home = Home(Path(os.environ[MARK]))
    settings = os.environ.pop(SETTINGS)  # functions inherit the other variables

    from lambdas import importing  # isort: split

    import logging

    import uvicorn

    from reelworks.cloud.server.app import create_app
    from reelworks.cloud.server.http_protocol import bounded_http
    from reelworks.cloud.settings import Settings

    importing.done()
    logging.getLogger().setLevel(logging.WARNING)  # ministack sets INFO and logs every call
    # It warns of each invalid request: anyone on the machine could fill the disk.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    config = uvicorn.Config(
        create_app(home, process.address, Settings.model_validate_json(settings)),
        http=bounded_http(),
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # X-Forwarded-For would replace the address that the guard checks
        server_header=False,
        date_header=False,  # ministack sends its own
        ws="none",
        timeout_keep_alive=75,  # as in ministack's own server: boto3 keeps connections open
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()

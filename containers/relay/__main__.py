"""python -m containers.relay --url URL --model MODEL [--kind KIND] [--port N | --socket PATH]"""

import asyncio
import logging
import os
import sys

import uvicorn

from containers.diffusion.log import log_as_json
from containers.relay.client import Videos
from containers.relay.options import KEY_VARIABLE, parse
from containers.relay.relay import Relay, Target
from containers.relay.upstream import Upstream
from containers.serving.app import create_app

# Time to cancel a job when the server stops. No client waits for a clip then.
GRACE_SECONDS = 1


async def serve() -> None:
    options = parse(sys.argv[1:])
    target = Target(
        name=options.name,
        kind=options.kind,
        model=options.model,
        extra=options.extra,
        sound=options.sound,
        seconds=options.seconds,
        patience_seconds=options.patience,
        down_seconds=options.down,
    )
    videos = Videos(options.url, os.environ.pop(KEY_VARIABLE, None), options.api_key_file)
    upstream = Upstream(options.start) if options.start else None
    if upstream:
        await upstream.start()
    # No access log: /ping is called every few seconds, and each clip has its own line.
    config = uvicorn.Config(
        create_app(Relay(videos, target, upstream)), host=options.host, port=options.port, uds=options.socket,
        log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_SECONDS,
    )  # fmt: skip
    await uvicorn.Server(config).serve()


def main() -> None:
    log_as_json()
    logging.getLogger("httpx").setLevel(logging.WARNING)  # or it logs every poll
    asyncio.run(serve())


if __name__ == "__main__":
    main()

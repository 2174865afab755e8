"""python -m containers.comfyui --workflow FILE [--revision R] [--comfyui URL] [--port N | --socket PATH]"""

import sys

import uvicorn

from containers.comfyui.bridge import Bridge
from containers.comfyui.client import ComfyUI
from containers.comfyui.options import parse
from containers.diffusion.log import log_as_json
from containers.serving.app import create_app

# Time to cancel a prompt when the server stops. No client waits for a clip then.
GRACE_SECONDS = 1


def main() -> None:
    options = parse(sys.argv[1:])
    log_as_json()
    bridge = Bridge(ComfyUI(options.comfyui), options.workflow, options.seconds, options.revision)
    # No access log: /ping is called every few seconds, and each clip has its own line.
    uvicorn.run(
        create_app(bridge), host=options.host, port=options.port, uds=options.socket, log_config=None,
        access_log=False, timeout_graceful_shutdown=GRACE_SECONDS,
    )  # fmt: skip


if __name__ == "__main__":
    main()

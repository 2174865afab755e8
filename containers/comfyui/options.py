"""The options of the server."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Each option can be given as an environment variable instead: COMFYUI_URL, COMFYUI_WORKFLOW, …"""
    environment = os.environ.get
    parser = argparse.ArgumentParser(
        prog="python -m containers.comfyui", description="Engine server that renders by a ComfyUI server"
    )
    workflow = environment("COMFYUI_WORKFLOW")
    parser.add_argument(
        "--workflow",
        type=Path,
        default=workflow,
        required=workflow is None,
        help="the workflow, as ComfyUI exports it for programs (COMFYUI_WORKFLOW)",
    )
    parser.add_argument(
        "--revision",
        default=environment("COMFYUI_REVISION"),
        help="render by no other than this, which GET /ping calls `workflow`, though the file be changed; "
        "without it, by whatever the file has (COMFYUI_REVISION)",
    )
    parser.add_argument(
        "--comfyui",
        metavar="URL",
        default=environment("COMFYUI_URL", "http://127.0.0.1:8188"),
        help="the ComfyUI server (COMFYUI_URL; %(default)s)",
    )
    parser.add_argument(
        "--host", default=environment("COMFYUI_HOST", "127.0.0.1"), help="(COMFYUI_HOST; %(default)s)"
    )
    parser.add_argument(
        "--port", type=int, default=environment("COMFYUI_PORT", "8080"), help="(COMFYUI_PORT; %(default)s)"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=environment("COMFYUI_SECONDS", "3600"),
        help="until a clip is given up (COMFYUI_SECONDS; %(default)s, as long as SageMaker waits)",
    )
    return parser.parse_args(arguments)

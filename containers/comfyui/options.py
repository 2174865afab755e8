"""Command-line options of the server."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse `arguments`. Environment variables can set the options too: COMFYUI_URL, COMFYUI_WORKFLOW, …"""
    environment = os.environ.get
    parser = argparse.ArgumentParser(
        prog="python -m containers.comfyui", description="Run the engine server that renders with ComfyUI."
    )
    workflow = environment("COMFYUI_WORKFLOW")
    parser.add_argument(
        "--workflow",
        type=Path,
        default=workflow,
        required=workflow is None,
        help="Workflow file, exported from ComfyUI in API format (COMFYUI_WORKFLOW).",
    )
    parser.add_argument(
        "--revision",
        default=environment("COMFYUI_REVISION"),
        help="Required workflow revision, which GET /ping reports as `workflow`; a changed file is refused "
        "(COMFYUI_REVISION; default: whatever the file contains).",
    )
    parser.add_argument(
        "--comfyui",
        metavar="URL",
        default=environment("COMFYUI_URL", "http://127.0.0.1:8188"),
        help="URL of the ComfyUI server (COMFYUI_URL; default: %(default)s).",
    )
    parser.add_argument(
        "--host",
        default=environment("COMFYUI_HOST", "127.0.0.1"),
        help="Address to listen on (COMFYUI_HOST; default: %(default)s).",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=environment("COMFYUI_PORT", "8080"),
        help="Port to listen on (COMFYUI_PORT; default: %(default)s).",
    )
    parser.add_argument(
        "--socket",
        metavar="PATH",
        default=environment("COMFYUI_SOCKET"),
        help="Unix socket to listen on instead of a port (COMFYUI_SOCKET).",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=environment("COMFYUI_SECONDS", "3600"),
        help="Timeout of a clip in seconds (COMFYUI_SECONDS; default: %(default)s, as long as SageMaker "
        "waits).",
    )
    return parser.parse_args(arguments)

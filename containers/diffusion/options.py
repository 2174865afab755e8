"""Command-line options of the server; its engine process gets the same ones."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from containers.diffusion.export import Export
from containers.diffusion.speed import Speed


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse `arguments`. Environment variables can set the options too: DIFFUSION_MODEL, DIFFUSION_PORT, …"""
    parser = argparse.ArgumentParser(
        prog="python -m containers.diffusion",
        description="Run the engine server for diffusers' video models.",
    )
    # SageMaker starts a container as `docker run IMAGE serve`.
    parser.add_argument("serve", nargs="?", choices=["serve"], help=argparse.SUPPRESS)
    parser.add_argument(
        "--model",
        type=Path,
        default=Path("/opt/ml/model"),
        help="Checkpoint folder (DIFFUSION_MODEL; default: %(default)s).",
    )
    parser.add_argument(
        "--name",
        help="Model name in logs and metadata (DIFFUSION_NAME; default: the folder's name).",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="Address to listen on (DIFFUSION_HOST; default: %(default)s)."
    )
    parser.add_argument(
        "--port",
        type=int,
        default=8080,
        help="Port to listen on (DIFFUSION_PORT; default: %(default)s, which SageMaker calls).",
    )
    parser.add_argument(
        "--socket", metavar="PATH", help="Unix socket to listen on instead of a port (DIFFUSION_SOCKET)."
    )
    parser.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda"],
        default="auto",
        help="Device to render on (DIFFUSION_DEVICE; default: %(default)s, cuda if available).",
    )
    parser.add_argument(
        "--speed",
        choices=[speed.value for speed in Speed],
        default="exact",
        help="Speed for requests without one (DIFFUSION_SPEED; default: %(default)s).",
    )
    parser.add_argument(
        "--crf",
        type=int,
        choices=range(52),
        metavar="0…51",
        default=Export.crf,
        help="x264 quality; lower is better and larger (DIFFUSION_CRF; default: %(default)s, visually "
        "lossless).",
    )
    parser.add_argument(
        "--splice",
        type=float,
        default=Export.splice_seconds,
        help="Longest crossfade, in seconds, that leaves the rest of a clip unchanged "
        "(DIFFUSION_SPLICE; default: %(default)s).",
    )
    parser.add_argument(
        "--compile",
        choices=["auto", "on", "off"],
        default="auto",
        help="Whether torch compiles the model for balanced and fast; needs a C compiler, and minutes to "
        "start (DIFFUSION_COMPILE; default: %(default)s, on with a GPU).",
    )
    parser.add_argument(
        "--grace",
        type=int,
        default=25,
        help="Seconds to finish a clip when the server stops (DIFFUSION_GRACE; default: %(default)s; "
        "SageMaker kills after 30).",
    )
    # Passed as arguments before the given ones, because argparse does not validate defaults.
    names = vars(parser.parse_args([])).keys() - {"serve"}
    settings = {name: os.environ.get(f"DIFFUSION_{name.upper()}") for name in names}
    given = [f"--{name}={value}" for name, value in settings.items() if value is not None]
    options = parser.parse_args([*given, *arguments])
    options.name = options.name or options.model.resolve().name
    return options

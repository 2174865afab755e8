"""Things that are expensive to make and the same for every test: made once per run, shared by all workers."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from reelworks.cloud.home import Home
from reelworks.cloud.lifecycle.cloud_assembly import synthesize

FOLDER = "REELWORKS_TEST_SHARED"  # names the run's folder; workers inherit it (tests/conftest.py)


def made_once(name: str, make: Callable[[Path], object]) -> Path:
    """Return the folder `name` of this run, which the first caller has `make` fill. Do not write to it."""
    if FOLDER not in os.environ:  # outside a test run
        os.environ[FOLDER] = tempfile.mkdtemp()
    shared = Path(os.environ[FOLDER])
    folder = shared / name
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            half_made = Path(tempfile.mkdtemp(dir=shared))
            make(half_made)
            half_made.rename(folder)
    return folder


def copy_assembly_of_a_pc(folder: Path) -> Path:
    """Copy the cloud assembly that `reel up` synthesizes into `folder`; return `folder`."""

    def make(scratch: Path) -> None:
        synthesize(Home(scratch))

    return Path(shutil.copytree(made_once("pc", make) / "cdk.out", folder))

"""What all tests need: a folder for what is made once per run, and torch on one thread per worker."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from tests.shared import FOLDER

# One worker runs per core. With tensors as small as the tests', more threads only wait for each other.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")


# The same examples in each run, and no limit on the time of one: a red run is then always a change's.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    if FOLDER not in os.environ:  # the controller, or a run without workers
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="reelworks-tests-")
        config.add_cleanup(lambda: shutil.rmtree(os.environ.pop(FOLDER), ignore_errors=True))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mix the folders' files, so that tests that wait for a cloud run beside those that compute."""
    folders: dict[Path, list[Path]] = {}
    for file in dict.fromkeys(item.path for item in items):
        folders.setdefault(file.parent, []).append(file)
    places = {
        file: (number + 0.5) / len(files) for files in folders.values() for number, file in enumerate(files)
    }
    items.sort(key=lambda item: places[item.path])

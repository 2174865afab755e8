"""What all tests need: a folder for what is made once per run, and torch on one thread per worker."""

import gc
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import cdk  # noqa: F401 - chooses the Node that aws_cdk starts, which some tests import first
from tests.shared import FOLDER

# One worker runs per core. With tensors as small as the tests', more threads only wait for each other.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")


# The same examples in each run, and no limit on the time of one: a red run is then always a change's.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.load_profile("suite")


# Of the files of tests/films, those that the first of their two workers runs: they take half of the time.
FIRST_WORKER = {
    f"test_{name}.py"
    for name in ("films", "arcreel", "litellm", "music", "openai_npm", "operations", "remake")
}
OWN_CLOUDS = {"test_comfyui.py", "test_wheel.py"}  # start clouds of their own


def pytest_configure(config: pytest.Config) -> None:
    if FOLDER not in os.environ:  # the controller, or a run without workers
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="reelworks-tests-")
        config.add_cleanup(lambda: shutil.rmtree(os.environ.pop(FOLDER), ignore_errors=True))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the films, which take longest, and end with the media and unit tests, which are short: then
    all workers end together. Between them, mix the folders' files: then tests that wait for a cloud run
    beside those that compute."""
    folders: dict[Path, list[Path]] = {}
    for file in dict.fromkeys(item.path for item in items):
        folders.setdefault(file.parent, []).append(file)
    places = {
        file: (
            {"films": 0, "studio": 0, "media": 2, "unit": 2}.get(folder.name, 1),
            (number + 0.5) / len(files),
        )
        for folder, files in folders.items()
        for number, file in enumerate(files)
    }
    items.sort(key=lambda item: places[item.path])


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Import tests without collecting garbage: none is there, and looking takes a third of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`, let two workers run the films that share a cloud, and one the studio's tests:
    each worker that runs one of them starts a cloud, with its functions and engine servers."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class SharedClouds(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = Path(super()._split_scope(nodeid))
            if file.parent.name == "studio":
                return "studio"
            if file.parent.name != "films" or file.name in OWN_CLOUDS:
                return str(file)
            return f"films, {'first' if file.name in FIRST_WORKER else 'second'} worker"

    return SharedClouds(config, log)

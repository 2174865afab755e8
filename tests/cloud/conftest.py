"""A running cloud with the small stack."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reelworks.cloud.daemon import Status, down, status, up
from reelworks.cloud.home import Home
from tests.cloud import small_stack


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home with a checkout of the small stack, and no cloud yet."""
    home = Home(tmp_path / "home", small_stack.write_checkout(tmp_path / "checkout", small_stack.template()))
    yield home
    down(home)


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One whose cloud is up, for tests that leave it as it is."""
    folder = tmp_path_factory.mktemp("cloud")
    home = Home(folder / "home", small_stack.write_checkout(folder / "checkout", small_stack.template()))
    up(home)
    yield home
    down(home)


@pytest.fixture
def cloud(shared_home: Home) -> Status:
    return status(shared_home)

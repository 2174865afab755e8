from pathlib import Path

import pytest

from reelworks.cloud.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "checkout" / "models" / "cogvideox-nano").mkdir(parents=True)
    (tmp_path / "checkout" / "models" / "cogvideox-nano" / "manifest.json").write_text("shipped")
    return Home(tmp_path / "home", tmp_path / "checkout")


def manifest(home: Home) -> str:
    return (home.models / "cogvideox-nano" / "manifest.json").read_text()


def test_a_home_has_the_models_of_its_checkout(home: Home) -> None:
    for _ in range(2):
        home.create()
        assert manifest(home) == "shipped"


def test_a_user_s_own_model_is_kept(home: Home) -> None:
    (home.models / "cogvideox-nano").mkdir(parents=True)
    (home.models / "cogvideox-nano" / "manifest.json").write_text("own")
    home.create()
    assert manifest(home) == "own"


def test_a_checkout_that_was_moved_leaves_no_broken_link(home: Home, tmp_path: Path) -> None:
    home.create()
    (tmp_path / "checkout").rename(tmp_path / "moved")
    moved = Home(home.folder, tmp_path / "moved")
    moved.create()
    assert manifest(moved) == "shipped"


def test_a_checkout_without_models_works(tmp_path: Path) -> None:
    Home(tmp_path / "home", tmp_path / "checkout").create()
    assert list((tmp_path / "home" / "models").iterdir()) == []

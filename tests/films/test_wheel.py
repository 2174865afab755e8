"""A wheel, installed outside the repository, makes a film."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import av
import pytest

from reelworks.cloud.home import install_command
from reelworks.cloud.lifecycle.cloud_assembly import SOURCES

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from an sdist as an installer does that finds no wheel."""
    folder = tmp_path_factory.mktemp("dist")
    for target in ("sdist", "wheel"):
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)],
            cwd=REPOSITORY,
            check=True,
            capture_output=True,
        )
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has the wheel, and this one's libraries without this one's Reelworks."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "python"


def test_a_wheel_has_the_files_that_run(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", *SOURCES, "reelworks", "containers", "models"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    tracked = {f"reelworks_source/{name}" for name in listed.stdout.splitlines() if not name.endswith(".pth")}
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert files - tracked == {"reelworks.pth"}
    assert tracked - files == set()


def test_advice_names_the_package(python: Path, tmp_path: Path) -> None:
    asked = "from reelworks.cloud.home import install_command; print(install_command('mcp'))"
    told = subprocess.run([python, "-c", asked], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert told.stdout == "pip install 'reelworks[mcp]'\n"
    assert install_command("mcp") == "pip install -e '.[mcp]'", "in a checkout"


def test_a_film_is_made_outside_the_repository(python: Path, tmp_path: Path) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("REELWORKS_", "PYTHON"))
    }
    # The CDK is unpacked already.
    cache = os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")
    environment |= {"JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(Path(cache, "aws", "jsii", "package-cache"))}
    environment |= {"HOME": str(tmp_path), "REELWORKS_TEXT_KIND": "rules"}

    def reel(*arguments: str) -> str:
        done = subprocess.run(
            [python, "-m", "reelworks", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    try:
        reel("up")
        reel("make", "A fox in the snow", "--seconds", "2", "--size", "320x180", "--output", "fox.mp4")
    finally:
        reel("down")
    assert (tmp_path / ".reelworks" / "cdk.out").is_dir()
    with av.open(str(tmp_path / "fox.mp4")) as film:
        assert (film.streams.video[0].width, sum(1 for _ in film.decode(video=0))) == (320, 48)

"""The container installs the same packages as the PC's extra, and copies what the server imports."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from containers.cogvideox import VERSION

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "containers" / "cogvideox"


def requirements(lines: list[str]) -> dict[str, Requirement]:
    parsed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {requirement.name: requirement for requirement in parsed}


@pytest.fixture(scope="module")
def pinned() -> dict[str, Requirement]:
    return requirements((FOLDER / "requirements.txt").read_text().splitlines())


def test_the_container_pins_the_project_s_requirements(pinned: dict[str, Requirement]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = requirements(project["optional-dependencies"]["cogvideox"])
    asked = requirements(project["dependencies"]) | extra
    assert pinned.keys() >= extra.keys()
    for name, requirement in pinned.items():
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        assert asked[name].specifier.contains(pin.version), name


def test_the_engine_s_version_is_the_project_s() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


def test_the_server_starts_with_only_the_image_s_files(tmp_path: Path) -> None:
    image = tmp_path / "containers" / "cogvideox"
    image.mkdir(parents=True)
    (image.parent / "__init__.py").touch()
    (image.parent / "serving").mkdir()
    for file in (*FOLDER.glob("*.py"), *(FOLDER.parent / "serving").glob("*.py")):
        (image.parent / file.parent.name / file.name).write_bytes(file.read_bytes())
    # -P and no site: neither this repository nor its installation is on the path, only the libraries.
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    command = "import sys; sys.path += {!r}; import containers.cogvideox.__main__, containers.cogvideox.model"
    code = command.format(libraries) + "; print(containers.cogvideox.__main__.__file__)"
    result = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert Path(result.stdout.strip()).parent == image

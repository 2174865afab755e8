"""The container installs the same packages as the PC's extra."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from containers.diffusion import VERSION

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "containers" / "diffusion"


def requirements(lines: list[str]) -> dict[str, Requirement]:
    parsed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {requirement.name: requirement for requirement in parsed}


@pytest.fixture(scope="module")
def pinned() -> dict[str, Requirement]:
    return requirements((FOLDER / "requirements.txt").read_text().splitlines())


def test_the_container_pins_the_project_s_requirements(pinned: dict[str, Requirement]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = requirements(project["optional-dependencies"]["diffusion"])
    asked = requirements(project["dependencies"]) | extra
    assert pinned.keys() >= extra.keys()
    for name, requirement in pinned.items():
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        assert asked[name].specifier.contains(pin.version), name


def test_the_engine_s_version_is_the_project_s() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION

"""The functions' code as an asset."""

import re
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from aws_cdk import FileSystem, IgnoreMode

from cdk.code import EXCLUDE, ROOT, SERVICES, BundlingError, bundle
from tests.template.reading import Template, properties

REQUIREMENTS = ("requirements.txt", "requirements-media.txt")


def test_a_pc_gets_only_the_source(assembly: Path, pipeline: Template) -> None:
    keys = {
        function["Handler"] == "lambdas.studio.serve.handler": function["Code"]["S3Key"]
        for function in properties(pipeline, "AWS::Lambda::Function").values()
    }
    assert len({f["Code"]["S3Key"] for f in properties(pipeline, "AWS::Lambda::Function").values()}) == 2
    for of_studio, key in keys.items():
        asset = assembly / f"asset.{key.removesuffix('.zip')}"
        assert {path.name for path in asset.iterdir()} == {"lambdas"} | ({"studio"} if of_studio else set())
        assert (asset / "lambdas" / "api" / "app.py").is_file()
        assert not list(asset.rglob("*.pyc"))


def test_the_studio_s_code_has_its_files_and_no_library(tmp_path: Path) -> None:
    bundle(tmp_path, [], ["studio"], None)
    assert {path.name for path in tmp_path.iterdir()} == {"lambdas", "studio"}
    assert (tmp_path / "studio" / "index.html").is_file()


def test_only_changes_to_lambdas_change_the_asset(tmp_path: Path) -> None:
    source = tmp_path / "lambdas" / "api.py"
    source.parent.mkdir()
    source.write_text("a = 1\n")
    before = _fingerprint(tmp_path)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_api.py").write_text("b = 1\n")
    (tmp_path / "lambdas" / "__pycache__").mkdir()
    (tmp_path / "lambdas" / "__pycache__" / "api.cpython-311.pyc").write_bytes(b"c")
    assert _fingerprint(tmp_path) == before
    source.write_text("a = 2\n")
    assert _fingerprint(tmp_path) != before


def _fingerprint(folder: Path) -> str:
    return FileSystem.fingerprint(str(folder), exclude=EXCLUDE, ignore_mode=IgnoreMode.GIT)


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_requirements_are_pinned_to_the_tested_versions(name: str) -> None:
    lines = [line for line in (ROOT / "lambdas" / name).read_text().splitlines() if not line.startswith("#")]
    assert lines
    for line in lines:
        package, pinned = line.split("==")
        assert version(package) == pinned


def test_requirements_include_their_own_requirements() -> None:
    pinned = {
        _normal(line.split("==")[0])
        for name in REQUIREMENTS
        for line in (ROOT / "lambdas" / name).read_text().splitlines()
        if not line.startswith("#")
    }
    for package in pinned:
        for requirement in requires(package) or []:
            if "extra ==" not in requirement and "python_version" not in requirement:
                match = re.match(r"[\w.-]+", requirement)
                assert match
                assert _normal(match.group()) in pinned, f"{package} requires {requirement}"


def _normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def test_the_services_that_functions_call_are_bundled() -> None:
    called = {
        service
        for path in (ROOT / "lambdas").rglob("*.py")
        for service in re.findall(r'client\(\s*"([a-z0-9-]+)"', path.read_text())
    }
    assert called == SERVICES


def test_a_requirement_without_a_wheel_is_reported(tmp_path: Path) -> None:
    wanted = tmp_path / "requirements.txt"
    wanted.write_text("./no-such-package\n")
    with pytest.raises(BundlingError, match="pip install"):
        bundle(tmp_path / "code", [wanted], [], None)

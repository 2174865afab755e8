import subprocess
import sys
from pathlib import Path

import pytest

from containers.diffusion.options import parse


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (
        "MODEL",
        "NAME",
        "HOST",
        "PORT",
        "SOCKET",
        "DEVICE",
        "SPEED",
        "CRF",
        "SPLICE",
        "COMPILE",
        "GRACE",
    ):
        monkeypatch.delenv(f"DIFFUSION_{name}", raising=False)
    return monkeypatch


def test_defaults_are_what_sagemaker_expects() -> None:
    options = parse(["serve"])
    assert (options.model, options.name, options.port) == (Path("/opt/ml/model"), "model", 8080)
    assert (options.device, options.speed, options.grace) == ("auto", "exact", 25)


def test_an_argument_overrides_the_environment(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("DIFFUSION_SPEED", "fast")
    environment.setenv("DIFFUSION_GRACE", "3")
    options = parse(["--grace", "4"])
    assert (options.speed, options.grace) == ("fast", 4)


@pytest.mark.parametrize(
    ("name", "value"),
    [("speed", "warp"), ("device", "gpu"), ("crf", "52"), ("compile", "yes"), ("port", "")],
)
def test_an_environment_variable_is_validated_like_its_option(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    environment.setenv(f"DIFFUSION_{name.upper()}", value)
    with pytest.raises(SystemExit):
        parse([])
    assert f"argument --{name}: invalid" in capsys.readouterr().err


def test_a_missing_package_says_how_to_install_it() -> None:
    program = (
        "import runpy, sys; sys.modules['fastapi'] = None; "
        "runpy.run_module('containers.diffusion', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "fastapi" in done.stderr
    assert "pip install -e '.[diffusion]'" in done.stderr

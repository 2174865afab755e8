"""The relay's container has what the relay imports, at the project's versions."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from containers.relay.form import Kind
from containers.relay.options import parse

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "containers" / "relay"
# Of the standard library and the repository's own.
IMPORTED = """
import sys
import containers.relay.__main__
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def pinned() -> dict[str, str]:
    lines = (FOLDER / "requirements.txt").read_text().splitlines()
    pairs = (line.partition("==") for line in lines if line and not line.startswith("#"))
    return {name: version for name, _, version in pairs}


def test_the_container_pins_the_project_s_versions() -> None:
    constraints = (ROOT / "constraints.txt").read_text().splitlines()
    for name, version in pinned().items():
        assert f"{name}=={version}" in constraints


def test_the_relay_imports_nothing_else() -> None:
    command = [sys.executable, "-c", IMPORTED]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    imported = set(done.stdout.split())
    assert {"av", "httpx", "numpy", "PIL", "pydantic", "starlette", "uvicorn"} <= imported
    assert not imported & {"torch", "diffusers", "transformers", "fastapi", "boto3", "lambdas"}


def test_the_dockerfile_copies_what_the_relay_imports() -> None:
    dockerfile = (FOLDER / "Dockerfile").read_text()
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    for copied in ("containers/relay/*.py", "containers/serving/*.py", "containers/diffusion/*.py"):
        assert f"COPY {copied} " in dockerfile
        assert f"!{copied}" in ignored


def test_the_container_s_relay_starts_the_server_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    dockerfile = (FOLDER / "Dockerfile").read_text()
    variables = dict(re.findall(r"\b([A-Z_]+)=(\S+)", dockerfile[dockerfile.index("\nENV ") :]))
    for name, value in (variables | {"RELAY_MODEL": "m"}).items():
        monkeypatch.setenv(name, value)
    options = parse(["serve"])
    assert options.url == f"http://{variables['SM_VLLM_HOST']}:{variables['SM_VLLM_PORT']}"
    assert (options.host, options.port, options.kind) == ("0.0.0.0", 8080, Kind.VLLM_OMNI)
    assert (options.start, options.down) == (["/usr/local/bin/sagemaker_entrypoint.sh"], 3600)

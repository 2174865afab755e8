"""The templates, synthesized once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdk.app import reelworks

STACKS = ("Pipeline", "Image", "Engines", "Operations")
SOURCE_ONLY: dict[str, Any] = {"aws:cdk:bundling-stacks": []}
# The default settings offer no engine that needs an endpoint.
WITH_ENGINES: dict[str, Any] = {
    **SOURCE_ONLY,
    "reelworks": {"engines": ["animatic", "cogvideox-5b", "cogvideox-5b-i2v"]},
}

Resources = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def account() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CDK_DEFAULT_ACCOUNT", "111122223333")
        environment.setenv("CDK_DEFAULT_REGION", "eu-west-1")
        yield


@pytest.fixture(scope="session")
def assembly(account: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cdk.out")
    reelworks(outdir=str(folder), context=WITH_ENGINES).synth()
    return folder


@pytest.fixture(scope="session")
def templates(assembly: Path) -> dict[str, dict[str, Any]]:
    return {
        stack: json.loads((assembly / f"Reelworks-{stack}.template.json").read_text()) for stack in STACKS
    }


@pytest.fixture(scope="session")
def pipeline(templates: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return templates["Pipeline"]


@pytest.fixture(scope="session")
def engines(templates: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return templates["Engines"]


@pytest.fixture(scope="session")
def operations(templates: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return templates["Operations"]

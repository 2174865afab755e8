"""The three templates with several settings, each synthesized once per run with cdk-nag's packs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Validations
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks, ServerlessChecks

from cdk.app import reelworks
from cdk.permissions import Pack
from tests.shared import made_once

STACKS = ("Pipeline", "Image", "RelayImage", "Engines", "Operations")
SOURCE_ONLY: dict[str, Any] = {"aws:cdk:bundling-stacks": []}
# The default settings offer no engine that needs an endpoint.
ENGINES = ["animatic", "cogvideox-5b", "cogvideox-5b-i2v"]

PACKS = {
    Pack.SOLUTIONS: AwsSolutionsChecks,
    Pack.SERVERLESS: ServerlessChecks,
    Pack.NIST: NIST80053R5Checks,
}
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
WAN: dict[str, Any] = {
    "model": "Wan-AI/Wan2.2-TI2V-5B-Diffusers",
    "sizes": ["1280x704", "704x1280"],
    "fps": [24],
    "environment": {"SM_VLLM_ENFORCE_EAGER": "true"},
}
ENDPOINTS: dict[str, Any] = {
    engine: {"instance_types": ["ml.g6e.2xlarge"], "max_instances": 2} for engine in (*ENGINES[1:], "wan")
}
# What accounts require, by name.
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {"engines": ENGINES},
    "drafts": {
        "prefix": "drafts",
        "engines": ["animatic"],
        "endpoints": {},
        "kms_key": KEY,
        "api_logs": "create-role",
        "snap_start": True,
        "alarm_email": "ops@example.com",
        "failed_film_notices": ["pipeline", "engine", "user"],
        "monthly_budget": 50,
        "allowed_cidrs": ["203.0.113.0/24"],
        "tenant_requests": {"per_second": 10, "burst": 100},
        "address_requests": 2000,
        "quotas": {"videos_in_flight": 20},
    },
    "hardened": {
        "prefix": "hardened",
        "engines": [*ENGINES, "wan"],
        "relays": {"wan": WAN},
        "endpoints": ENDPOINTS,
        "kms_key": KEY,
        "vpc": {
            "id": "vpc-0123456789abcdef0",
            "subnets": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
            "security_groups": ["sg-0123456789abcdef0"],
        },
        "guardrail": {"id": "gr12345abcde", "version": "3"},
        "permissions_boundary": "arn:aws:iam::111122223333:policy/teams/Boundary",
        "tags": {"team": "films", "cost-center": "42"},
        "alarm_topic": "arn:aws:sns:eu-west-1:111122223333:pages",
        "failed_film_notices": ["pipeline", "engine"],
        "monthly_budget": 500,
        "runbooks": "https://runbooks.test",
        "api_logs": "existing-role",
        "api_domain": {
            "name": "video.example.com",
            "certificate": "arn:aws:acm:eu-west-1:111122223333:certificate/1234abcd",
        },
        "deletion_protection": True,
        "journal_version_days": 14,
    },
}

PREFIXES = ("reel", "reel-two")
OF_TWO: dict[str, Any] = {
    "engines": [*ENGINES, "wan"],
    "relays": {"wan": WAN},
    "endpoints": ENDPOINTS,
    "api_logs": "existing-role",
    "alarm_email": "ops@example.com",
    "failed_film_notices": ["pipeline", "engine"],
    "monthly_budget": 500,
    "runbooks": "https://runbooks.test",
}

Resources = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def account() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CDK_DEFAULT_ACCOUNT", "111122223333")
        environment.setenv("CDK_DEFAULT_REGION", "eu-west-1")
        yield


def assembled(name: str) -> Path:
    """Return the cloud assembly with the settings of that name; it has cdk-nag's report."""

    def make(folder: Path) -> None:
        app = reelworks(outdir=str(folder), context={**SOURCE_ONLY, "reelworks": SETTINGS[name]})
        Validations.of(app).add_plugins(*(pack(app) for pack in PACKS.values()))
        app.synth()  # raises with the findings if one is not acknowledged

    return made_once(f"settings-{name}", make)


def templates_of(name: str) -> dict[str, dict[str, Any]]:
    """Return the templates with the settings of that name, by stack; without engines there are two, and
    without added ones no RelayImage."""
    found = {}
    for stack in STACKS:
        for path in assembled(name).glob(f"*-{stack}.template.json"):
            found[stack] = json.loads(path.read_text())
    return found


@pytest.fixture(scope="session")
def assembly(account: None) -> Path:
    return assembled("default")


@pytest.fixture(scope="session")
def templates(account: None) -> dict[str, dict[str, Any]]:
    return templates_of("default")


@pytest.fixture(scope="session")
def drafts(account: None) -> dict[str, dict[str, Any]]:
    return templates_of("drafts")


@pytest.fixture(scope="session")
def hardened(account: None) -> dict[str, dict[str, Any]]:
    return templates_of("hardened")


@pytest.fixture(scope="session")
def two(account: None) -> dict[str, dict[str, dict[str, Any]]]:
    """The templates of two deployments in one account, whose prefixes begin alike, by prefix and stack."""

    def make(folder: Path) -> None:
        for prefix in PREFIXES:
            settings = {**OF_TWO, "prefix": prefix}
            reelworks(outdir=str(folder / prefix), context={**SOURCE_ONLY, "reelworks": settings}).synth()

    made = made_once("two-deployments", make)
    return {
        prefix: {
            path.name.removesuffix(".template.json"): json.loads(path.read_text())
            for path in (made / prefix).glob("*.template.json")
        }
        for prefix in PREFIXES
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

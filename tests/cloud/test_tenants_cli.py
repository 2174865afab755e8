"""`reel tenants` over a local AWS."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from typer.testing import CliRunner, Result

from lambdas.adapters import api_keys
from lambdas.adapters.clients import client
from lambdas.domain.quotas import Quotas
from lambdas.intake.accept import Intake
from reelworks.cli import app
from tests.cloud.deployment import Deployment


@pytest.fixture(scope="module")
def stack(aws: Deployment) -> str:
    """The prefix of a stack with what the command reads of a deployment, which allows 5 films in flight."""
    variables = {"REELWORKS_QUOTAS": Quotas(videos_in_flight=5).model_dump_json()}
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": "quotas-Api",
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Role": "arn:aws:iam::000000000000:role/any",
            "Code": {"ZipFile": "def handler(event, context): pass"},
            "Environment": {"Variables": variables},
        },
    }
    outputs = {
        "ApiKeysTable": "api-keys",
        "OutputBucket": "output",
        "VideosTable": "videos",
        "FunctionApi": "quotas-Api",
    }
    template = {
        "Resources": {"Api": function},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(StackName="Quotas-Pipeline", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="Quotas-Pipeline", WaiterConfig={"Delay": 1}
    )
    return "quotas"


@pytest.fixture
def tenant(stack: str, aws: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A tenant of the test's own."""
    monkeypatch.setenv("REELWORKS_PREFIX", stack)
    monkeypatch.setenv("REELWORKS_HOME", str(tmp_path))  # no PC's cloud is up there
    yield f"tenant-{uuid4().hex[:8]}"
    aws.messages()


def reel(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["tenants", *arguments])


def answered(*arguments: str) -> Any:
    result = reel(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def shown(tenant: str) -> dict[str, Any]:
    return {row["quota"]: row for row in answered("show", tenant)["quotas"]}


def test_quotas_are_set_shown_and_unset_one_by_one(aws: Deployment, tenant: str) -> None:
    assert shown(tenant)["videos_in_flight"] == {
        "quota": "videos_in_flight", "limit": 5, "used": 0, "remaining": 5, "own": False,
    }  # fmt: skip
    set_ = answered("set", tenant, "--clips-per-day", "100", "--videos-in-flight", "unlimited")
    assert set_ == {"tenant": tenant, "own": {"videos_in_flight": None, "clips_per_day": 100}}
    Intake(aws.settings).accept(tenant, {"prompt": "A bee", "seconds": 12})
    rows = shown(tenant)
    assert (rows["videos_in_flight"]["limit"], rows["videos_in_flight"]["used"]) == (None, 1)
    assert (rows["clips_per_day"]["used"], rows["clips_per_day"]["remaining"]) == (2, 98)
    assert answered("set", tenant, "--usd-per-month", "2.5")["own"]["clips_per_day"] == 100
    assert answered("list")["tenants"][tenant]["usd_per_month"] == 2.5
    assert answered("unset", tenant, "videos-in-flight")["own"] == {
        "clips_per_day": 100,
        "usd_per_month": 2.5,
    }
    assert shown(tenant)["videos_in_flight"]["limit"] == 5
    assert answered("unset", tenant)["own"] == {}
    assert tenant not in answered("list")["tenants"]
    assert aws.tenants.own_quotas(tenant) is None


def test_tables_for_people(aws: Deployment, tenant: str) -> None:
    assert "clips_per_day 7" in reel("set", tenant, "--clips-per-day", "7").output
    assert "unlimited" in reel("list").output
    assert "deployment" in reel("show", tenant).output
    assert "the quotas of the deployment" in reel("unset", tenant).output


def test_quotas_that_were_lost_are_restored_from_the_journal(aws: Deployment, tenant: str) -> None:
    own = Quotas(clips_per_day=7)
    aws.tenants.set(tenant, own)
    key = {"pk": {"S": f"tenant#{tenant}"}, "sk": {"S": "quotas"}}
    client("dynamodb").delete_item(TableName="api-keys", Key=key)
    assert aws.tenants.own_quotas(tenant) is None
    assert CliRunner().invoke(app, ["keys", "restore"]).exit_code == 0
    assert aws.tenants.own_quotas(tenant) == own


def test_a_key_is_created_with_scopes(aws: Deployment, tenant: str) -> None:
    made = CliRunner().invoke(app, ["keys", "create", tenant, "--scope", "create", "--scope", "read"])
    found = api_keys.find(client("dynamodb"), "api-keys", made.output.strip())
    assert found is not None
    assert (found.key.tenant, found.key.scopes) == (tenant, ("read", "create"))
    wrong = CliRunner().invoke(app, ["keys", "create", tenant, "--scope", "write"])
    assert wrong.exit_code != 0
    assert "--scope must be read, create, admin, operate; got write" in wrong.output


def test_keys_are_listed_and_revoked_by_their_hash(aws: Deployment, tenant: str) -> None:
    def keys(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["keys", *arguments])

    def listed() -> list[dict[str, Any]]:
        return list(json.loads(keys("list", tenant, "--json").output))

    assert listed() == []
    made = keys("create", tenant, "--name", "[red]render farm", "--scope", "read").output.strip()
    [key] = listed()
    assert (key["name"], key["scopes"], key["last_used"]) == ("[red]render farm", ["read"], None)
    assert made.startswith(key["shown"])
    shown = keys("list", tenant).output
    assert made not in shown
    for told in (key["hash"], "[red]render farm", "never"):
        assert told in shown
    assert keys("revoke", key["hash"]).exit_code == 0
    assert listed() == []
    assert "tenant must be" in keys("list", "a b").output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("set", "acme"), "a quota is required"),
        (("set", "acme", "--clips-per-day", "many"), "--clips-per-day"),
        (("set", "acme", "--videos-per-minute", "0"), "--videos-per-minute"),
        (("set", "acme", "--usd-per-month", "inf"), "--usd-per-month"),
        (("set", "Acme", "--clips-per-day", "1"), "tenant must be"),
        (("unset", "acme", "films"), "quota must be one of"),
        (("show", "a b"), "tenant must be"),
    ],
)
def test_a_wrong_command(aws: Deployment, tenant: str, arguments: tuple[str, ...], told: str) -> None:
    result = reel(*arguments)
    assert result.exit_code != 0
    assert told in " ".join(result.output.split())

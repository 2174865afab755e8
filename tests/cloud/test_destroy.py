"""`make destroy` on the real template."""

import os
from functools import partial
from pathlib import Path

import pytest

from cdk.destroy import Kept, delete_stacks, kept, names_of, protected, remove, stacks
from cdk.settings import DeploymentSettings
from reelworks.cloud.addresses import REGION
from reelworks.deployment import Deployment, DeploymentError
from tests.cloud.real_template import ANYBODY, Client, deployed, synthesize
from tests.shared import FOLDER

NAMES = names_of(DeploymentSettings.of_checkout({}))
ANOTHER_S = names_of(DeploymentSettings.of_checkout({"REELWORKS_PREFIX": "reelworks-two"}))
KEPT = {"AWS::S3::Bucket": 3, "AWS::DynamoDB::Table": 3, "AWS::Cognito::UserPool": 1}
PRESENT = {**KEPT, "AWS::DynamoDB::Table": 4}  # the table of waiting clips is deleted with its stack


def count(found: list[Kept]) -> dict[str, int]:
    types = [one.type for one in found]
    return {type_: types.count(type_) for type_ in types}


def left(client: Client) -> list[object]:
    """Everything the template can leave, as reported by the services themselves."""
    return [
        *(b["Name"] for b in client("s3").list_buckets()["Buckets"] if b["Name"].startswith("reelworks")),
        *client("dynamodb").list_tables()["TableNames"],
        *client("cognito-idp").list_user_pools(MaxResults=10)["UserPools"],
        *client("logs").describe_log_groups()["logGroups"],
        *client("lambda").list_functions()["Functions"],
        *client("sqs").list_queues().get("QueueUrls", []),
        *client("sns").list_topics()["Topics"],
        *client("stepfunctions").list_state_machines()["stateMachines"],
        *client("apigateway").get_rest_apis()["items"],
    ]


def looks_up_its_own(url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `reel keys` and `reel logs` find in an account follows the prefix."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "REELWORKS_"))]:
        if name != FOLDER:
            monkeypatch.delenv(name)
    for name, value in {
        "REELWORKS_HOME": str(home),  # of a PC whose cloud is down
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ANYBODY.access_key_id,
        "AWS_SECRET_ACCESS_KEY": ANYBODY.secret_access_key,
    }.items():
        monkeypatch.setenv(name, value)
    assert Deployment.find().functions["Plan"] == "reelworks-Plan"
    monkeypatch.setenv("REELWORKS_PREFIX", "reelworks-two")
    with pytest.raises(DeploymentError, match="Reelworks-two-Pipeline"):
        Deployment.find()
    monkeypatch.setenv("REELWORKS_PREFIX", "Two")
    with pytest.raises(DeploymentError, match="prefix: "):
        Deployment.find()
    monkeypatch.delenv("REELWORKS_PREFIX")


def test_nothing_remains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthesize(tmp_path / "cdk.out")
    with deployed(tmp_path / "cdk.out") as (url, client, outputs):
        looks_up_its_own(url, tmp_path / "home", monkeypatch)
        for number in range(3):
            client("s3").put_object(Bucket=outputs["OutputBucket"], Key=f"videos/t/{number}", Body=b"film")
        # As the settings deletion_protection and journal_version_days leave them.
        protection = partial(client("cloudformation").update_termination_protection, StackName=NAMES[-1])
        protection(EnableTerminationProtection=True)
        assert protected(client, NAMES) == ["Reelworks-Pipeline"]
        protection(EnableTerminationProtection=False)
        assert protected(client, NAMES) == []
        output = {"Bucket": outputs["OutputBucket"]}
        client("s3").put_bucket_versioning(**output, VersioningConfiguration={"Status": "Enabled"})
        for version in (b"first", b"second"):
            client("s3").put_object(**output, Key="records/videos/t/v", Body=version)
        client("s3").delete_object(**output, Key="records/videos/t/v")

        assert stacks(client, NAMES) == ["Reelworks-Pipeline"]
        assert count(kept(client, NAMES)) == PRESENT
        assert (stacks(client, ANOTHER_S), kept(client, ANOTHER_S)) == ([], [])

        delete_stacks(client, NAMES)
        assert stacks(client, NAMES) == []
        # The next run finds what a run interrupted here has left.
        remaining = kept(client, NAMES)
        assert kept(client, ANOTHER_S) == []
        assert count(remaining) == KEPT
        assert client("s3").list_objects_v2(Bucket=outputs["OutputBucket"])["KeyCount"] >= 3

        for one in remaining:
            remove(client, one)
        assert kept(client, NAMES) == []
        assert left(client) == []

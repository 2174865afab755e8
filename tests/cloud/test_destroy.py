"""`make destroy` on the real template."""

from pathlib import Path

from cdk.destroy import Kept, delete_stacks, kept, remove, stacks
from tests.cloud.real_template import Client, deployed, synthesize

KEPT = {"AWS::S3::Bucket": 3, "AWS::DynamoDB::Table": 2, "AWS::Cognito::UserPool": 1}


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


def test_nothing_remains(tmp_path: Path) -> None:
    synthesize(tmp_path / "cdk.out")
    with deployed(tmp_path / "cdk.out") as (_, client, outputs):
        for number in range(3):
            client("s3").put_object(Bucket=outputs["OutputBucket"], Key=f"videos/t/{number}", Body=b"film")
        assert stacks(client) == ["Reelworks-Pipeline"]
        assert count(kept(client)) == KEPT

        delete_stacks(client)
        assert stacks(client) == []
        # The next run finds what a run interrupted here has left.
        remaining = kept(client)
        assert count(remaining) == KEPT
        assert client("s3").list_objects_v2(Bucket=outputs["OutputBucket"])["KeyCount"] >= 3

        for one in remaining:
            remove(client, one)
        assert kept(client) == []
        assert left(client) == []

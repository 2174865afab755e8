"""Remove the stacks, then the resources they retain: python -m cdk.destroy [--yes].

The stacks are those of the prefix in REELWORKS_PREFIX, otherwise in cdk.json.

A deleted stack retains its buckets, its table and its user pool, so that nobody loses films by accident
(docs/decisions/0006-bucket-names.md). CloudFormation reports for 90 days what a deleted stack retained,
so the next run finishes an interrupted one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, cast

import boto3
import typer
from botocore.exceptions import ClientError

from cdk.settings import DeploymentSettings, SettingsError, StackKind

_GONE = frozenset({"NoSuchBucket", "ResourceNotFoundException"})
_TRIES = 5  # another log may arrive in the log bucket while it is emptied

Client = Callable[[str], Any]


@dataclass(frozen=True)
class Kept:
    """A resource that its stack retains."""

    type: str
    id: str


def names_of(settings: DeploymentSettings) -> tuple[str, ...]:
    """Return the names of the deployment's stacks; those that depend on others come first."""
    kinds: tuple[StackKind, ...] = ("Engines", "Image", "RelayImage", "Operations", "Pipeline")
    return tuple(settings.stack_name(kind) for kind in kinds)


def protected(client: Client, names: Sequence[str]) -> list[str]:
    """Return those of the stacks `names` that the setting deletion_protection protects."""
    pages = client("cloudformation").get_paginator("describe_stacks").paginate()
    found = {s["StackName"] for page in pages for s in page["Stacks"] if s.get("EnableTerminationProtection")}
    return [name for name in names if name in found]


def stacks(client: Client, names: Sequence[str]) -> list[str]:
    """Return those of the stacks `names` that exist."""
    pages = client("cloudformation").get_paginator("describe_stacks").paginate()
    present = {stack["StackName"] for page in pages for stack in page["Stacks"]}
    return [name for name in names if name in present]


def kept(client: Client, names: Sequence[str]) -> list[Kept]:
    """Return the existing resources of the kinds that stacks retain: all of present stacks, and those that
    deleted ones left behind."""
    found = dict.fromkeys((*_to_be_kept(client, names), *_left_behind(client, names)))
    return [one for one in found if one.type in _REMOVE and _EXISTS[one.type](client, one.id)]


def _to_be_kept(client: Client, names: Sequence[str]) -> Iterator[Kept]:
    resources = client("cloudformation").get_paginator("list_stack_resources")
    for name in stacks(client, names):
        for page in resources.paginate(StackName=name):
            for resource in page["StackResourceSummaries"]:
                yield Kept(resource["ResourceType"], resource.get("PhysicalResourceId", ""))


def _left_behind(client: Client, names: Sequence[str]) -> Iterator[Kept]:
    """Yield the resources that deleted stacks retained: CloudFormation keeps their events for 90 days."""
    cloudformation = client("cloudformation")
    deleted = cloudformation.get_paginator("list_stacks").paginate(StackStatusFilter=["DELETE_COMPLETE"])
    for stack in (stack for page in deleted for stack in page["StackSummaries"]):
        if stack["StackName"] in names:
            events = cloudformation.get_paginator("describe_stack_events")
            for page in events.paginate(StackName=stack["StackId"]):
                for event in page["StackEvents"]:
                    if event["ResourceStatus"] == "DELETE_SKIPPED":
                        yield Kept(event["ResourceType"], event["PhysicalResourceId"])


def delete_stacks(client: Client, names: Sequence[str]) -> None:
    cloudformation = client("cloudformation")
    for name in stacks(client, names):
        cloudformation.delete_stack(StackName=name)
        # Deleting endpoints takes minutes; the waiter's default limit is one hour.
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=name, WaiterConfig={"Delay": 5, "MaxAttempts": 720}
        )


def remove(client: Client, resource: Kept) -> None:
    """Remove the resource and its contents."""
    _REMOVE[resource.type](client, resource.id)


def _there(call: Callable[[], object]) -> bool:
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] in _GONE | {"404", "NoSuchEntity"}:
            return False
        raise
    return True


def _remove_bucket(client: Client, name: str) -> None:
    s3 = client("s3")
    for attempt in range(_TRIES):
        # Versions too, if the setting journal_version_days keeps any; without it, each object has one.
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
            objects = [
                {"Key": entry["Key"], "VersionId": entry["VersionId"]}
                for entry in (*page.get("Versions", []), *page.get("DeleteMarkers", []))
            ]
            if objects:
                s3.delete_objects(Bucket=name, Delete={"Objects": objects, "Quiet": True})
        try:
            s3.delete_bucket(Bucket=name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "BucketNotEmpty" or attempt == _TRIES - 1:
                raise
        else:
            return


_REMOVE: dict[str, Callable[[Client, str], object]] = {
    "AWS::S3::Bucket": _remove_bucket,
    "AWS::DynamoDB::Table": lambda client, name: client("dynamodb").delete_table(TableName=name),
    "AWS::Cognito::UserPool": lambda client, id: client("cognito-idp").delete_user_pool(UserPoolId=id),
}
_EXISTS: dict[str, Callable[[Client, str], bool]] = {
    "AWS::S3::Bucket": lambda client, name: _there(lambda: client("s3").head_bucket(Bucket=name)),
    "AWS::DynamoDB::Table": lambda client, name: _there(
        lambda: client("dynamodb").describe_table(TableName=name)
    ),
    "AWS::Cognito::UserPool": lambda client, id: _there(
        lambda: client("cognito-idp").describe_user_pool(UserPoolId=id)
    ),
}


def main(
    yes: Annotated[bool, typer.Option("--yes", help="Skip the confirmation prompt.")] = False,
) -> None:
    """Remove everything that `make deploy` created: the stacks and every film, record, key and user."""
    try:
        names = names_of(DeploymentSettings.of_checkout())
    except SettingsError as error:
        raise SystemExit(str(error)) from error
    session = boto3.Session()
    client = cast(Client, session.client)
    here, keeping = stacks(client, names), kept(client, names)
    if not here and not keeping:
        typer.echo("Nothing to remove.")
        return
    account = client("sts").get_caller_identity()["Account"]
    typer.echo(f"In account {account}, region {session.region_name}:")
    for line in (*here, *(f"{one.type} {one.id} and its contents" for one in keeping)):
        typer.echo(f"  {line}")
    if locked := protected(client, names):
        typer.echo(
            f"{', '.join(locked)}: protected from deletion. Set deletion_protection to false, "
            "run make deploy, then run this command again.",
            err=True,
        )
        raise typer.Exit(1)
    if not yes:
        typer.confirm("Remove these permanently?", abort=True)
    delete_stacks(client, names)
    for one in keeping:
        remove(client, one)
        typer.echo(f"Removed {one.id}.")


if __name__ == "__main__":
    typer.run(main)

"""Deploy the pipeline's template to a cloud that has just started.

The buckets and their objects remain from the last run; the stack does not (ministack persists S3 only).
CloudFormation adopts existing resources with an import change set, whose template must not change them. So
deployment has two steps: a change set that imports or creates the buckets by name, then an update to the
full template, which sets the buckets' properties and creates the other resources.
"""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from reelworks.cloud.aws import client
from reelworks.cloud.credentials import Credentials
from reelworks.cloud.errors import CloudError
from reelworks.cloud.lifecycle.cloud_assembly import Assembly, Asset

BUCKET = "AWS::S3::Bucket"
POLL_SECONDS = 0.1
LONGEST_SECONDS = 120.0  # a deployment takes 1 or 2 s


def deploy(
    assembly: Assembly, base_url: str, credentials: Credentials, parameters: Mapping[str, str]
) -> dict[str, str]:
    """Deploy the stack and return its outputs. The cloud at `base_url` must not have the stack yet.

    Raises CloudError with the reason of each failed resource.
    """
    upload(assembly.assets, client("s3", base_url, credentials))
    stack = _Stack(assembly.stack_name, client("cloudformation", base_url, credentials))
    stack.adopt(_buckets(assembly.template))
    template = assembly.template_asset
    return stack.update(f"{base_url}/{template.bucket}/{template.key}", parameters)


def upload(assets: tuple[Asset, ...], s3: Any) -> None:
    """Upload the assets to their buckets and delete those of earlier deployments, which persist like
    everything in S3."""
    for bucket in {asset.bucket for asset in assets}:
        with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=bucket)
        current = {asset.key: asset for asset in assets if asset.bucket == bucket}
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for stored in page.get("Contents", []):
                if stored["Key"] not in current:
                    s3.delete_object(Bucket=bucket, Key=stored["Key"])
        for key, asset in current.items():
            s3.put_object(Bucket=bucket, Key=key, Body=asset.content())


class _Stack:
    def __init__(self, name: str, cloudformation: Any) -> None:
        self._name = name
        self._cloudformation = cloudformation

    def adopt(self, buckets: Mapping[str, str]) -> None:
        """Create a stack of `buckets`, logical id to name; existing ones keep their objects."""
        resources = {
            logical_id: {
                "Type": BUCKET,
                "DeletionPolicy": "RetainExceptOnCreate",  # required of imported resources
                "Properties": {"BucketName": name},
            }
            for logical_id, name in buckets.items()
        }
        change_set = {"StackName": self._name, "ChangeSetName": "adopt"}
        try:
            self._cloudformation.create_change_set(
                **change_set,
                ChangeSetType="CREATE",
                ImportExistingResources=True,
                DisableValidation=True,  # it would refuse existing names
                TemplateBody=json.dumps({"Resources": resources}),
            )
            made = self._cloudformation.describe_change_set(**change_set)
            if made["Status"] != "CREATE_COMPLETE":
                raise CloudError(f"The buckets could not be adopted: {made.get('StatusReason')}")
            self._cloudformation.execute_change_set(**change_set)
        except ClientError as error:
            raise CloudError(f"The buckets could not be adopted: {error}") from error
        self._settle()

    def update(self, template_url: str, parameters: Mapping[str, str]) -> dict[str, str]:
        try:
            self._cloudformation.update_stack(
                StackName=self._name,
                TemplateURL=template_url,  # a TemplateBody may have at most 51,200 bytes
                Parameters=[
                    {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
                ],
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
            )
        except ClientError as error:
            raise CloudError(f"CloudFormation refused the stack: {error}") from error
        return {output["OutputKey"]: output["OutputValue"] for output in self._settle().get("Outputs", [])}

    def _settle(self) -> dict[str, Any]:
        """Wait until nothing is in progress; return the stack. Raises CloudError on failure or timeout."""
        until = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < until:
            stack: dict[str, Any] = self._cloudformation.describe_stacks(StackName=self._name)["Stacks"][0]
            status = stack["StackStatus"]
            if not status.endswith("_IN_PROGRESS"):
                if status in ("CREATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_COMPLETE"):
                    return stack
                raise CloudError(f"The stack ended with status {status}: {self._reasons()}")
            time.sleep(POLL_SECONDS)
        raise CloudError(f"The stack was not deployed within {LONGEST_SECONDS:g} s: {self._reasons()}")

    def _reasons(self) -> str:
        events = self._cloudformation.describe_stack_events(StackName=self._name)["StackEvents"]
        failures = [
            f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
            for event in reversed(events)
            if event["ResourceStatus"].endswith("_FAILED") and event.get("ResourceStatusReason")
        ]
        return "; ".join(failures) or "no resource reported a reason"


def _buckets(template: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of the template's buckets by logical id."""
    buckets = {
        logical_id: resource.get("Properties", {}).get("BucketName")
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == BUCKET
    }
    for logical_id, name in buckets.items():
        if not isinstance(name, str):
            raise CloudError(
                f"The bucket {logical_id} has no literal name and would lose its objects at the next start.",
                advice="Name the bucket in cdk/ from the account and region, which are literal at synthesis.",
            )
    return buckets

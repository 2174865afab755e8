"""Grants that no test exercises under enforced IAM, each with the reason.

A new grant belongs here only if this machine can't make its call; otherwise make the call in
tests/cloud/enforced_work.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.cloud.policy_mutants import Grant


@dataclass(frozen=True)
class Unexercised:
    """Grants, each part by a pattern of fnmatch. `roles` are `Stack/Role`. `sampled`: one grant of each role
    is exercised and stands for the others, which differ only in the name of the resource."""

    roles: str
    actions: str
    why: str
    resources: str = "*"
    sampled: bool = False

    def covers(self, grant: Grant) -> bool:
        pairs = (
            (grant.role, self.roles),
            (grant.action, self.actions),
            (grant.resource, self.resources),
        )
        return all(fnmatchcase(name, pattern) for name, pattern in pairs)


_TRACES = "Lambda and Step Functions send traces with the role; there is no X-Ray here."
_SOURCE = "CodeBuild itself reads the project's source and writes its log."
_BY_NAME = "The same call for every engine or model; each is granted by its name."

UNEXERCISED = (
    Unexercised("Pipeline/*", "xray:*", _TRACES),
    Unexercised(
        "Pipeline/ProduceVideo",
        "logs:*",
        "Step Functions sets up the delivery of its log; ministack doesn't.",
    ),
    Unexercised("Pipeline/AssemblyBuild", "logs:*", _SOURCE),
    Unexercised("Pipeline/AssemblyBuild", "s3:GetObjectVersion", _SOURCE),
    Unexercised("Pipeline/AssemblyBuild", "s3:GetBucket*", _SOURCE),
    Unexercised(
        "Pipeline/ProduceVideo",
        "lambda:InvokeFunction",
        "Only for a film that takes a function too long; tests/cloud/test_state_machine.py runs the state.",
        resources="*-AssembleLong",
    ),
    Unexercised(
        "Pipeline/*", "sagemaker:InvokeEndpointAsync", _BY_NAME, resources="*:endpoint/*", sampled=True
    ),
    Unexercised("Pipeline/*", "sagemaker:DescribeEndpoint", _BY_NAME, resources="*:endpoint/*", sampled=True),
    Unexercised("Pipeline/DrawStill", "bedrock:InvokeModel", _BY_NAME, sampled=True),
    Unexercised(
        "Pipeline/*",
        "bedrock:ApplyGuardrail",
        "Only with the setting guardrail; tests/cloud/test_content_filter.py makes the call.",
    ),
    Unexercised(
        "*Image/Build", "*", "CodeBuild and Docker build and push the engines' images; neither is here."
    ),
    Unexercised(
        "Engines/Engine",
        "*",
        "SageMaker fetches the image, the model and requests, and writes outputs and logs.",
    ),
    Unexercised("*", "kms:*", "With the setting kms_key, the services use the key; there is no KMS here."),
    Unexercised(
        "*", "ec2:*", "With the setting vpc, the services attach their compute; there is no VPC here."
    ),
)


def covering(grant: Grant, entries: Iterable[Unexercised] = UNEXERCISED) -> list[Unexercised]:
    return [entry for entry in entries if entry.covers(grant)]

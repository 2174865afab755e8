"""Permissions of roles, each wildcard with its reason."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_iam as iam
from constructs import IConstruct


class Pack(StrEnum):
    """A pack of cdk-nag's rules."""

    SOLUTIONS = "AwsSolutions"
    SERVERLESS = "Serverless"
    NIST = "NIST.800.53.R5"


def acknowledge(construct: IConstruct, rule: str, reason: str, *, pack: Pack = Pack.SOLUTIONS) -> None:
    """Record why findings of a rule are intended, e.g. rule "IAM5[Action::s3:*]", in all that is below
    `construct`."""
    finding = Acknowledgment(id=f"{pack}::{pack}-{rule}", reason=reason)
    Validations.of(construct).acknowledge(finding)


def allow(
    role: iam.IRole,
    *actions: str,
    on: Sequence[str],
    why_wildcard: str = "",
    conditions: Mapping[str, Any] | None = None,
) -> None:
    """Allow actions on resources.

    Raises ValueError if a resource has a `*` in its ARN and `why_wildcard` is empty.
    """
    role.add_to_principal_policy(
        iam.PolicyStatement(actions=list(actions), resources=list(on), conditions=conditions)
    )
    for arn in on:
        text = flat(Stack.of(role).resolve(arn))
        if "*" in text:
            if not why_wildcard:
                raise ValueError(f"{role.node.path}: why_wildcard is required for the wildcard in {text}")
            acknowledge(role, f"IAM5[Resource::{text}]", why_wildcard)


def flat(value: Any) -> str:
    """Return a resolved ARN as cdk-nag writes it in a finding: references in angle brackets."""
    match value:
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(flat, parts))
        case {"Fn::GetAtt": [resource, attribute]}:
            return f"<{resource}.{attribute}>"
        case {"Ref": name} | {"Fn::ImportValue": name}:
            return f"<{name}>"
        case _:
            return str(value)

"""Permission to sign films with the deployment's key."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from cdk.permissions import allow
from lambdas.domain.names import signing_secret


def grant_sign(role: iam.IRole, prefix: str, kms_key: str) -> None:
    """Allow reading the secret with the certificates, and signing with the KMS key if there is one (ARN)."""
    stack = Stack.of(role)
    secrets = f"arn:{stack.partition}:secretsmanager:{stack.region}:{stack.account}:secret"
    allow(
        role,
        "secretsmanager:GetSecretValue",
        # The name alone stands for a secret that is not there: without it, a missing one is a denied call.
        on=[f"{secrets}:{signing_secret(prefix)}", f"{secrets}:{signing_secret(prefix)}-??????"],
        why_wildcard="Secrets Manager appends six random characters to a secret's name.",
    )
    if kms_key:
        allow(role, "kms:Sign", on=[kms_key])

"""The permission to ask the text model."""

import re

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from cdk.permissions import allow

# Inference profiles are named by where they may take a request, then the model.
_PROFILE = re.compile(r"^(global|[a-z]{2,4})\.(?P<model>[a-z0-9]+\..+)$")


def grant_ask(role: iam.IRole, model: str) -> None:
    """Allows Converse with a Bedrock model id or a cross-region inference profile."""
    stack = Stack.of(role)
    models = f"arn:{stack.partition}:bedrock"
    profile = _PROFILE.match(model)
    if profile is None:
        allow(role, "bedrock:InvokeModel", on=[f"{models}:{stack.region}::foundation-model/{model}"])
        return
    profile_arn = f"{models}:{stack.region}:{stack.account}:inference-profile/{model}"
    allow(role, "bedrock:InvokeModel", on=[profile_arn])
    allow(
        role,
        "bedrock:InvokeModel",
        on=[f"{models}:*::foundation-model/{profile['model']}"],
        why_wildcard="The profile chooses the region, and the model only by way of the profile.",
        conditions={"StringEquals": {"bedrock:InferenceProfileArn": profile_arn}},
    )

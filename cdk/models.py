"""The permissions to have models write, speak and draw."""

import re

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from cdk.permissions import allow
from lambdas.adapters import stills

# Inference profiles are named by where they may take a request, then the model.
_PROFILE = re.compile(r"^(global|[a-z]{2,4})\.(?P<model>[a-z0-9]+\..+)$")


def grant_ask(role: iam.IRole, *models: str) -> None:
    """Allows Converse with Bedrock model ids and cross-region inference profiles."""
    for model in models:
        _grant_ask(role, model)


def _grant_ask(role: iam.IRole, model: str) -> None:
    stack = Stack.of(role)
    profile = _PROFILE.match(model)
    if profile is None:
        allow(role, "bedrock:InvokeModel", on=[_foundation_model(role, stack.region, model)])
        return
    profile_arn = f"arn:{stack.partition}:bedrock:{stack.region}:{stack.account}:inference-profile/{model}"
    allow(role, "bedrock:InvokeModel", on=[profile_arn])
    allow(
        role,
        "bedrock:InvokeModel",
        on=[_foundation_model(role, "*", profile["model"])],
        why_wildcard="The profile chooses the region, and the model only by way of the profile.",
        conditions={"StringEquals": {"bedrock:InferenceProfileArn": profile_arn}},
    )


def grant_speak(role: iam.IRole) -> None:
    """Allows speech by any voice."""
    allow(
        role,
        "polly:SynthesizeSpeech",
        on=["*"],
        why_wildcard="A voice is no resource of Polly; only a lexicon is, and none is used.",
    )


def grant_draw(role: iam.IRole) -> None:
    """Allows the image models of every quality, in the one region that has them."""
    models = sorted(stills.MODELS.values())
    allow(role, "bedrock:InvokeModel", on=[_foundation_model(role, stills.REGION, model) for model in models])


def _foundation_model(role: iam.IRole, region: str, model: str) -> str:
    return f"arn:{Stack.of(role).partition}:bedrock:{region}::foundation-model/{model}"

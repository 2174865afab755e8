"""Permissions to use models for text, speech and images."""

import re

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from cdk.permissions import allow
from cdk.settings import GuardrailSettings
from lambdas.adapters import stills

# An inference profile's name starts with the geography it may route a request to, followed by the model.
_PROFILE = re.compile(r"^(global|[a-z]{2,4})\.(?P<model>[a-z0-9]+\..+)$")


def grant_ask(role: iam.IRole, *models: str) -> None:
    """Allow Converse with Bedrock model ids and cross-region inference profiles."""
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
        why_wildcard="The profile chooses the region; the model is only allowed through the profile.",
        conditions={"StringEquals": {"bedrock:InferenceProfileArn": profile_arn}},
    )


def grant_check(role: iam.IRole, guardrail: GuardrailSettings | None) -> None:
    """Allow checking texts with the deployment's guardrail, if it has one."""
    if guardrail is not None:
        arn = Stack.of(role).format_arn(service="bedrock", resource="guardrail", resource_name=guardrail.id)
        allow(role, "bedrock:ApplyGuardrail", on=[arn])


def grant_speak(role: iam.IRole) -> None:
    """Allow speech synthesis with any voice."""
    allow(
        role,
        "polly:SynthesizeSpeech",
        on=["*"],
        why_wildcard="A Polly voice is not a resource; only a lexicon is, and none is used.",
    )


def grant_list_voices(role: iam.IRole) -> None:
    """Allow listing Polly's voices."""
    allow(role, "polly:DescribeVoices", on=["*"], why_wildcard="A Polly voice is not a resource.")


def grant_draw(role: iam.IRole) -> None:
    """Allow the image models of every quality, in the one region that offers them."""
    models = sorted(stills.MODELS.values())
    allow(role, "bedrock:InvokeModel", on=[_foundation_model(role, stills.REGION, model) for model in models])


def _foundation_model(role: iam.IRole, region: str, model: str) -> str:
    return f"arn:{Stack.of(role).partition}:bedrock:{region}::foundation-model/{model}"

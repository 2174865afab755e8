"""Check that Bedrock's models answer the deployer.

The first call of a third-party model subscribes the account to it, with the caller's rights; later callers
need none of those. So the deployer calls first: the functions' roles have no marketplace rights
(docs.aws.amazon.com/bedrock/latest/userguide/model-access.html).
"""

import json
from typing import Any

from cdk.settings import DeploymentSettings
from lambdas.adapters import stills
from reelworks.finding import Finding
from reelworks.preflight.account import Account, CallFailed

_QUESTION: dict[str, Any] = {
    "messages": [{"role": "user", "content": [{"text": "Answer with one word: yes."}]}],
    "inferenceConfig": {"maxTokens": 16},
}
_PICTURE = {"prompt": "A red apple", "mode": "text-to-image", "aspect_ratio": "1:1", "output_format": "png"}
_AVAILABLE = {
    "authorizationStatus": "AUTHORIZED",
    "entitlementAvailability": "AVAILABLE",
    "regionAvailability": "AVAILABLE",
}

_NEWER = "set {setting} to a newer model: aws bedrock list-foundation-models --region {region}"

# What an error's message says, in lower case, and its remedy. The messages are those that AWS's pages quote:
# repost.aws/knowledge-center/bedrock-resolve-marketplace-permission, and Bedrock's troubleshooting of error
# codes. {model}, {region} and {setting} are filled in.
_REMEDIES = (
    (
        "use case details",
        "send Anthropic's use case form once for the account: choose the model in Bedrock's model catalog "
        "(https://{region}.console.aws.amazon.com/bedrock/home?region={region}#/model-catalog)",
    ),
    (
        "aws-marketplace",
        "run `reel preflight` once as a role that may call aws-marketplace:Subscribe and "
        "aws-marketplace:ViewSubscriptions; it takes effect within 2 minutes",
    ),
    ("payment", "add a valid payment method to the account: https://console.aws.amazon.com/billing/"),
    (
        "inference profile",
        "set {setting} to an inference profile of the model: "
        "aws bedrock list-inference-profiles --region {region}",
    ),
    (
        "identifier is invalid",
        "set {setting} to a model of this region: aws bedrock list-foundation-models --region {region} or "
        "aws bedrock list-inference-profiles --region {region}",
    ),
    ("end of its life", _NEWER),
    ("legacy", _NEWER),
)


def text_models(account: Account, settings: DeploymentSettings) -> list[Finding]:
    """Return a finding for each text model of the settings, which is asked one short question."""
    named = dict.fromkeys(settings.text_models, "text_models") | {settings.text_model: "text_model"}
    return [_text_model(account, model, setting) for model, setting in named.items()]


def image_models(account: Account) -> list[Finding]:
    """Return a finding for each image model. A model that the account already has draws nothing: a picture
    costs several cents."""
    return [_image_model(account, model) for model in sorted(stills.MODELS.values())]


def _text_model(account: Account, model: str, setting: str) -> Finding:
    what = f"Text model {model}"
    try:
        answer = account.call("bedrock-runtime", "converse", modelId=model, **_QUESTION)
        with account.calling():
            answer["output"]["message"]["content"]
    except CallFailed as error:
        return _refused(account, what, error, account.region, setting)
    return Finding(what, True, False, "it answers")


def _image_model(account: Account, model: str) -> Finding:
    what, region = f"Image model {model}", stills.REGION
    try:
        state = account.call("bedrock", "get_foundation_model_availability", region=region, modelId=model)
    except CallFailed as error:
        return account.unknown(what, error, "bedrock:GetFoundationModelAvailability")
    if _has(state):
        return Finding(what, True, False, f"the account has it ({region})")
    try:
        answer = account.call(
            "bedrock-runtime", "invoke_model", region=region, modelId=model, body=json.dumps(_PICTURE)
        )
        with account.calling():
            json.loads(answer["body"].read(stills.MAX_BYTES))["images"]
    except CallFailed as error:
        return _refused(account, what, error, region, "stills")
    return Finding(what, True, False, f"it draws ({region})")


def _has(state: dict[str, Any]) -> bool:
    agreed = state.get("agreementAvailability", {}).get("status") == "AVAILABLE"
    return agreed and all(state.get(name) == value for name, value in _AVAILABLE.items())


def _refused(account: Account, what: str, error: CallFailed, region: str, setting: str) -> Finding:
    said = str(error).lower()
    for words, remedy in _REMEDIES:
        if words in said:
            todo = remedy.format(region=region, setting=setting)
            return Finding(what, False, False, str(error), todo, warning=True)
    return account.unknown(what, error, "bedrock:InvokeModel")

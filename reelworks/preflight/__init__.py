"""Check what an AWS account must have before a deployment, what is missing, and how to get it."""

from cdk.settings import DeploymentSettings
from reelworks.finding import Finding
from reelworks.preflight.account import Account
from reelworks.preflight.bedrock import image_models, text_models
from reelworks.preflight.bootstrap import bootstrap
from reelworks.preflight.credentials import sign_in
from reelworks.preflight.engine_models import engine_models
from reelworks.preflight.machine import tools
from reelworks.preflight.polly import voice
from reelworks.preflight.quotas import build_quotas, function_quota, instance_quotas


def examine(settings: DeploymentSettings) -> list[Finding]:
    """Return all findings; only the first ones if there is no account to ask."""
    findings = tools(settings)
    account, identity = sign_in()
    findings += identity
    return findings if account is None else findings + examine_account(account, settings)


def examine_account(account: Account, settings: DeploymentSettings) -> list[Finding]:
    return [
        bootstrap(account),
        function_quota(account),
        *build_quotas(account, settings),
        *instance_quotas(account, settings),
        *engine_models(account, settings),
        *text_models(account, settings),
        voice(account, settings),
        *image_models(account),
    ]

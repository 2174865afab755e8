"""Findings of cdk-nag that hold for the whole app, each with the reason why it is intended.

Those about one resource are acknowledged where it is made; those that a setting answers return without it.
"""

from aws_cdk import App

from cdk.permissions import Pack, acknowledge
from cdk.settings import DeploymentSettings

_DEAD_LETTERS = (
    "Functions that events invoke have a destination for failures (a test checks it); the callers of the "
    "others get the error."
)
_BY_KMS = "AWS's own keys encrypt it without a cost per call; the setting kms_key names a key of the account."

_ALWAYS: dict[Pack, dict[str, str]] = {
    Pack.SERVERLESS: {
        "LambdaDLQ": _DEAD_LETTERS,
        "LambdaEventSourceMappingDestination": "SQS itself moves a message to its dead-letter queue; SQS "
        "sources take no destination.",
        "LambdaLatestVersion": "The newest runtime with which all pinned wheels are tested.",
    },
    Pack.NIST: {
        "APIGWAssociatedWithWAF": "A web ACL has a monthly cost and is shared by a team's APIs: associate "
        "yours with the stage. Throttling and allowed_cidrs limit access.",
        "APIGWCacheEnabledAndEncrypted": "Answers belong to one tenant and change while films are made.",
        "APIGWSSLEnabled": "A client certificate is for HTTP backends; the integration is a function, called "
        "with IAM.",
        "DynamoDBInBackupPlan": "Point-in-time recovery is on, and S3 has a journal that restores the table.",
        "IAMNoInlinePolicy": "Each policy is one role's, names its resources and is deleted with it.",
        "LambdaConcurrency": "Reserved concurrency takes from the account's quota; queues and the state "
        "machine bound how many run.",
        "LambdaDLQ": _DEAD_LETTERS,
        "S3BucketReplicationEnabled": "Films expire and can be made again; a copy doubles the cost.",
    },
}


def acknowledge_findings(app: App, settings: DeploymentSettings) -> None:
    for pack, rules in _ALWAYS.items():
        for rule, reason in rules.items():
            acknowledge(app, rule, reason, pack=pack)
    if not settings.kms_key:
        for rule in (
            "CloudWatchLogGroupEncrypted",
            "S3DefaultEncryptionKMS",
            "SageMakerEndpointConfigurationKMSKeyConfigured",
        ):
            acknowledge(app, rule, _BY_KMS, pack=Pack.NIST)
    if settings.vpc is None:
        acknowledge(
            app,
            "LambdaInsideVPC",
            "Functions call only AWS's services, by TLS and IAM; the setting vpc runs them in a VPC.",
            pack=Pack.NIST,
        )

"""The buckets: input, output and access logs."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Aws, Duration, RemovalPolicy, Stack, Token
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk.permissions import Pack, acknowledge, allow
from lambdas.domain import keys
from lambdas.domain.uploads import KEPT_DAYS

# The folders of the buckets (lambdas/domain/keys.py).
UPLOADS = keys.UPLOADS_PREFIX
REQUESTS = "requests/"
INCOMING = keys.INCOMING_PREFIX
ARTIFACTS = keys.ARTIFACTS_PREFIX
VIDEOS = "videos/"
ENGINE = "engine/"

# Everything expires except records/keys/: an API key is valid until it is revoked; and characters/ and
# descriptions/: a character is a tenant's until it is deleted.
_INPUT_PREFIXES = (keys.DROP_PREFIX, UPLOADS, REQUESTS)
_OUTPUT_PREFIXES = (keys.DROP_PREFIX, ARTIFACTS, VIDEOS, ENGINE, keys.VIDEO_RECORDS_PREFIX)


class Buckets(Construct):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        prefix: str,
        retention_days: int,
        log_retention_days: int,
        journal_version_days: int,
    ) -> None:
        """`journal_version_days` is how long an earlier version of a record is kept; 0 for no versions."""
        super().__init__(scope, id)
        self._prefix = prefix
        self.logs = self._bucket(
            "logs", lifecycle_rules=[*_expiry(log_retention_days, [""]), _ABORT_MULTIPART]
        )
        acknowledge(self.logs, "S1", "The access logs' own bucket: logging it to itself would never end.")
        self.input = self._bucket(
            "input",
            lifecycle_rules=[
                *_expiry(retention_days, _INPUT_PREFIXES),
                *_expiry(min(KEPT_DAYS, retention_days), [INCOMING]),
                _ABORT_MULTIPART,
            ],
            server_access_logs_bucket=self.logs,
            server_access_logs_prefix="input/",
        )
        self.output = self._bucket(
            "output",
            lifecycle_rules=[
                *_expiry(retention_days, _OUTPUT_PREFIXES),
                *_expiry_of_versions(journal_version_days),
                _ABORT_MULTIPART,
            ],
            versioned=journal_version_days > 0,
            server_access_logs_bucket=self.logs,
            server_access_logs_prefix="output/",
        )
        for bucket in (self.input, self.output):
            # The L2's event_bridge_enabled=True adds a custom resource; this one property does the same.
            resource = bucket.node.default_child
            assert isinstance(resource, s3.CfnBucket)  # noqa: S101 - for the type checker
            resource.add_property_override(
                "NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", True
            )
        for bucket in (self.logs, self.input):
            why = "No object in it is written twice."
            acknowledge(bucket, "S3BucketVersioningEnabled", why, pack=Pack.NIST)
        why = "S3 delivers access logs only to a bucket with S3's own key."
        acknowledge(self.logs, "S3DefaultEncryptionKMS", why, pack=Pack.NIST)
        if not journal_version_days:
            acknowledge(
                self.output,
                "S3BucketVersioningEnabled",
                "Content is named by its hash; the setting journal_version_days keeps versions of records.",
                pack=Pack.NIST,
            )

    def allow_pages_of(self, origin: str) -> None:
        """Allow scripts of pages of that origin to read by the links that the API gives, and to send forms.
        A link or form is signed, whoever sends it."""
        for bucket, methods in (
            (self.output, [s3.HttpMethods.GET, s3.HttpMethods.HEAD]),
            (self.input, [s3.HttpMethods.POST]),
        ):
            bucket.add_cors_rule(
                allowed_origins=[origin], allowed_methods=methods, allowed_headers=["*"], max_age=3600
            )

    def _bucket(self, name: str, **options: Any) -> s3.Bucket:
        return s3.Bucket(
            self,
            name.capitalize(),
            bucket_name=bucket_name(self, self._prefix, name),
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            **options,
        )


_ABORT_MULTIPART = s3.LifecycleRule(
    id="abandoned-uploads", abort_incomplete_multipart_upload_after=Duration.days(7)
)


def _expiry(days: int, prefixes: Sequence[str]) -> list[s3.LifecycleRule]:
    return [
        s3.LifecycleRule(
            id=f"expire-{prefix.strip('/').replace('/', '-') or 'all'}",
            prefix=prefix or None,
            expiration=Duration.days(days),
        )
        for prefix in prefixes
    ]


def _expiry_of_versions(days: int) -> list[s3.LifecycleRule]:
    """Keep earlier versions of the journal for `days`; those of everything else for a day, S3's minimum."""
    if not days:
        return []
    others = sorted({f"{prefix.split('/')[0]}/" for prefix in _OUTPUT_PREFIXES} - {keys.RECORDS_PREFIX})
    return [
        s3.LifecycleRule(
            id=f"expire-versions-{prefix.strip('/')}",
            prefix=prefix,
            noncurrent_version_expiration=Duration.days(kept),
            expired_object_delete_marker=prefix == keys.RECORDS_PREFIX or None,
        )
        for prefix, kept in ((keys.RECORDS_PREFIX, days), *((prefix, 1) for prefix in others))
    ]


def bucket_name(scope: Construct, prefix: str, name: str) -> str:
    """Return a bucket's name: literal if account and region are known.

    See docs/decisions/0006-bucket-names.md.
    """
    stack = Stack.of(scope)
    account = Aws.ACCOUNT_ID if Token.is_unresolved(stack.account) else stack.account
    region = Aws.REGION if Token.is_unresolved(stack.region) else stack.region
    return f"{prefix}-{name}-{account}-{region}"


def grant_objects(
    bucket: s3.IBucket,
    role: iam.IRole,
    *,
    read: Sequence[str] = (),
    write: Sequence[str] = (),
    delete: Sequence[str] = (),
    resume: Sequence[str] = (),
) -> None:
    """Allow reading, writing and deleting objects under prefixes, and finding their interrupted uploads."""
    for action, prefixes in (
        ("GetObject", read),
        ("PutObject", write),
        ("DeleteObject", delete),
        ("ListMultipartUploadParts", resume),
    ):
        if prefixes:
            allow(
                role,
                f"s3:{action}",
                on=[bucket.arn_for_objects(f"{prefix}*") for prefix in prefixes],
                why_wildcard="The keys under a prefix are only known at run time.",
            )
    if read:
        # Without ListBucket, S3 returns 403 for a missing object instead of 404.
        allow(role, "s3:ListBucket", on=[bucket.bucket_arn])
    if resume:
        allow(role, "s3:ListBucketMultipartUploads", on=[bucket.bucket_arn])


def object_created(bucket_name: str, *prefixes: str) -> events.EventPattern:
    """Return the pattern of EventBridge's events about new objects whose key begins with a prefix."""
    return events.EventPattern(
        source=["aws.s3"],
        detail_type=["Object Created"],
        detail={
            "bucket": {"name": [bucket_name]},
            "object": {"key": [{"prefix": prefix} for prefix in prefixes]},
        },
    )

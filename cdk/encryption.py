"""Encryption with an existing key of the account, in place of the keys that AWS owns.

Applied to whole stacks, so that a new resource or role needs no line of its own.
"""

from aws_cdk import Stack
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import IConstruct

from cdk.permissions import allow

# What a principal does with the key when it calls S3, SQS, SNS, DynamoDB or Step Functions.
_USE = tuple(
    f"kms:{call}"
    for call in ("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo")
)
_LOGS_FOR_GATEWAY = "CloudWatchRole"  # the role that API Gateway writes its logs with


def encrypt(stack: Stack, key_arn: str) -> None:
    """Encrypt what the stack stores with the key, and allow the stack's roles to use it."""
    for construct in stack.node.find_all():
        if isinstance(construct, iam.Role) and construct.node.id != _LOGS_FOR_GATEWAY:
            allow(construct, *_USE, on=[key_arn])
        else:
            _encrypt(construct, key_arn)


def _encrypt(resource: IConstruct, key_arn: str) -> None:
    match resource:
        # Access logs can only be delivered to a bucket with S3's own key (S3's guide, "Enabling Amazon S3
        # server access logging"); that bucket is the one without logs of its own.
        case s3.CfnBucket() if resource.logging_configuration is not None:
            by_key = s3.CfnBucket.ServerSideEncryptionByDefaultProperty(
                sse_algorithm="aws:kms", kms_master_key_id=key_arn
            )
            rule = s3.CfnBucket.ServerSideEncryptionRuleProperty(
                server_side_encryption_by_default=by_key, bucket_key_enabled=True
            )
            resource.bucket_encryption = s3.CfnBucket.BucketEncryptionProperty(
                server_side_encryption_configuration=[rule]
            )
        case dynamodb.CfnTable():
            resource.sse_specification = dynamodb.CfnTable.SSESpecificationProperty(
                sse_enabled=True, sse_type="KMS", kms_master_key_id=key_arn
            )
        case sqs.CfnQueue():
            resource.sqs_managed_sse_enabled = None
            resource.kms_master_key_id = key_arn
        case sns.CfnTopic():
            resource.kms_master_key_id = key_arn
        case logs.CfnLogGroup():
            resource.kms_key_id = key_arn
        case lambda_.CfnFunction():
            resource.kms_key_arn = key_arn
        case events.CfnEventBus():
            resource.kms_key_identifier = key_arn
        case codebuild.CfnProject():
            resource.encryption_key = key_arn
        case sagemaker.CfnEndpointConfig():
            # The volumes; local storage is encrypted by the instance itself (CreateEndpointConfig).
            resource.kms_key_id = key_arn
        case sfn.CfnStateMachine():
            resource.encryption_configuration = sfn.CfnStateMachine.EncryptionConfigurationProperty(
                type="CUSTOMER_MANAGED_KMS_KEY", kms_key_id=key_arn
            )
        case _:
            pass

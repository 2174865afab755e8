"""Protection from deletion: of stacks, tables and user pools. S3 deletes no bucket with objects anyway."""

from aws_cdk import Stack
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_dynamodb as dynamodb


def protect(stack: Stack) -> None:
    """Have CloudFormation, DynamoDB and Cognito refuse to delete the stack, its tables and its users."""
    stack.termination_protection = True
    for construct in stack.node.find_all():
        if isinstance(construct, dynamodb.CfnTable):
            construct.deletion_protection_enabled = True
        elif isinstance(construct, cognito.CfnUserPool):
            construct.deletion_protection = "ACTIVE"

"""A VPC of the account that the functions, the assembly build and the endpoints run in.

The build of the engines' image stays outside: it downloads packages from the internet.
"""

from aws_cdk import Stack
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sagemaker as sagemaker

from cdk.assembly_build import AssemblyBuild
from cdk.engine_role import EngineRole
from cdk.permissions import allow
from cdk.settings import VpcSettings

_INTERFACES = ("CreateNetworkInterface", "DeleteNetworkInterface", "DescribeNetworkInterfaces")
_LOOK_UP = ("DescribeDhcpOptions", "DescribeSecurityGroups", "DescribeSubnets", "DescribeVpcs")
# What a service does as a role to attach its compute to a subnet: the policy
# AWSLambdaVPCAccessExecutionRole, and the guides of CodeBuild and SageMaker.
_FOR_LAMBDA = (*_INTERFACES, "DescribeSubnets", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses")
_FOR_CODEBUILD = (*_INTERFACES, *_LOOK_UP)
_FOR_SAGEMAKER = (
    *_INTERFACES,
    *_LOOK_UP,
    *("CreateNetworkInterfacePermission", "DeleteNetworkInterfacePermission"),
)


def place(stack: Stack, vpc: VpcSettings) -> None:
    """Run the stack's compute in the VPC, and allow its roles to attach it."""
    subnets, groups = list(vpc.subnets), list(vpc.security_groups)
    for construct in stack.node.find_all():
        match construct:
            case lambda_.Function():
                _allow(construct.role, _FOR_LAMBDA)
            case lambda_.CfnFunction():
                construct.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
                    subnet_ids=subnets, security_group_ids=groups
                )
            case AssemblyBuild():
                _allow(construct.role, _FOR_CODEBUILD)
                _allow_builds_to_attach(construct.role, vpc)
                construct.project.vpc_config = codebuild.CfnProject.VpcConfigProperty(
                    vpc_id=vpc.id, subnets=subnets, security_group_ids=groups
                )
            case EngineRole():
                _allow(construct.role, _FOR_SAGEMAKER)
            case sagemaker.CfnModel():
                construct.vpc_config = sagemaker.CfnModel.VpcConfigProperty(
                    subnets=subnets, security_group_ids=groups
                )
            case _:
                pass


def _allow(role: iam.IRole | None, calls: tuple[str, ...]) -> None:
    assert role is not None  # noqa: S101 - for the type checker
    allow(
        role,
        *(f"ec2:{call}" for call in calls),
        on=["*"],
        why_wildcard="The service creates the network interface, and describing takes no resource.",
    )


def _allow_builds_to_attach(role: iam.IRole, vpc: VpcSettings) -> None:
    stack = Stack.of(role)
    allow(
        role,
        "ec2:CreateNetworkInterfacePermission",
        on=[stack.format_arn(service="ec2", resource="network-interface", resource_name="*")],
        why_wildcard="CodeBuild creates the network interface; the conditions limit it to these subnets.",
        conditions={
            "StringEquals": {
                "ec2:AuthorizedService": "codebuild.amazonaws.com",
                "ec2:Subnet": [
                    stack.format_arn(service="ec2", resource="subnet", resource_name=subnet)
                    for subnet in vpc.subnets
                ],
            }
        },
    )

"""Settings that accounts require: a key, a network, a boundary, tags, a topic, a domain, protection."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cdk.code import ROOT
from tests.template.conftest import KEY, SETTINGS, assembled, templates_of
from tests.template.reading import Template, listed, of_type, properties, target

Templates = dict[str, Template]
HARDENED = SETTINGS["hardened"]


def _of_every_stack(templates: Templates, type_: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for template in templates.values():
        for id_, resource in template["Resources"].items():
            if resource["Type"] == type_:
                yield id_, resource.get("Properties", {})


# --- the content filter


def test_who_takes_texts_may_ask_the_guardrail_and_nothing_else(
    hardened: Templates, pipeline: Template
) -> None:
    asking = [
        (one, statement)
        for one, policy in properties(hardened["Pipeline"], "AWS::IAM::Policy").items()
        for statement in policy["PolicyDocument"]["Statement"]
        if "bedrock:ApplyGuardrail" in listed(statement["Action"])
    ]
    assert len(asking) == 2
    assert all("Api" in role or "Intake" in role for role, _ in asking)
    for _, statement in asking:
        assert "guardrail/gr12345abcde" in json.dumps(statement["Resource"])
        assert listed(statement["Action"]) == ["bedrock:ApplyGuardrail"]
    assert hardened["Pipeline"]["Parameters"]["Guardrail"]["Default"] == "gr12345abcde:3"
    assert pipeline["Parameters"]["Guardrail"]["Default"] == ""
    assert "ApplyGuardrail" not in json.dumps(pipeline)


# --- logs of the API


def test_the_role_of_all_apis_is_left_alone_by_default(pipeline: Template, hardened: Templates) -> None:
    for template in (pipeline, hardened["Pipeline"]):
        assert "AWS::ApiGateway::Account" not in {r["Type"] for r in template["Resources"].values()}


def test_without_a_role_the_stage_writes_no_logs(pipeline: Template) -> None:
    """Otherwise its creation fails: the account has no role for API Gateway's logs."""
    ((_, stage),) = properties(pipeline, "AWS::ApiGateway::Stage").items()
    assert "AccessLogSetting" not in stage
    assert all(method.get("LoggingLevel", "OFF") == "OFF" for method in stage["MethodSettings"])
    for group in properties(pipeline, "AWS::Logs::LogGroup").values():
        assert "gateway" not in json.dumps(group["LogGroupName"]).lower()


def test_with_the_account_s_role_the_stage_writes_logs(hardened: Templates, drafts: Templates) -> None:
    for templates in (hardened, drafts):
        ((_, stage),) = properties(templates["Pipeline"], "AWS::ApiGateway::Stage").items()
        assert "status" in stage["AccessLogSetting"]["Format"]
        assert [method["LoggingLevel"] for method in stage["MethodSettings"]] == ["ERROR"]


def test_the_stage_waits_for_a_role_that_is_created(drafts: Templates) -> None:
    ((account, _),) = of_type(drafts["Pipeline"], "AWS::ApiGateway::Account").items()
    ((_, stage),) = of_type(drafts["Pipeline"], "AWS::ApiGateway::Stage").items()
    assert account in listed(stage["DependsOn"])


# --- the key


ENCRYPTED_BY = {
    "AWS::DynamoDB::Table": ("SSESpecification", "KMSMasterKeyId"),
    "AWS::SQS::Queue": ("KmsMasterKeyId",),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
    "AWS::Logs::LogGroup": ("KmsKeyId",),
    "AWS::Lambda::Function": ("KmsKeyArn",),
    "AWS::Events::EventBus": ("KmsKeyIdentifier",),
    "AWS::CodeBuild::Project": ("EncryptionKey",),
    "AWS::StepFunctions::StateMachine": ("EncryptionConfiguration", "KmsKeyId"),
    "AWS::SageMaker::EndpointConfig": ("AsyncInferenceConfig", "OutputConfig", "KmsKeyId"),
}


@pytest.mark.parametrize("type_", ENCRYPTED_BY)
def test_the_key_encrypts_what_is_stored(hardened: Templates, type_: str) -> None:
    found = dict(_of_every_stack(hardened, type_))
    assert found
    for id_, value in found.items():
        for name in ENCRYPTED_BY[type_]:
            value = value[name]
        assert value == KEY, id_


def test_the_key_encrypts_all_buckets_but_that_of_access_logs(hardened: Templates) -> None:
    for bucket in properties(hardened["Pipeline"], "AWS::S3::Bucket").values():
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        algorithm = rule["ServerSideEncryptionByDefault"]
        if "-logs-" in bucket["BucketName"]:
            assert algorithm == {"SSEAlgorithm": "AES256"}
        else:
            assert algorithm == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
            assert rule["BucketKeyEnabled"] is True


def test_no_key_is_created(hardened: Templates) -> None:
    assert not list(_of_every_stack(hardened, "AWS::KMS::Key"))
    for _, config in _of_every_stack(hardened, "AWS::SageMaker::EndpointConfig"):
        assert config["KmsKeyId"] == KEY


def test_every_role_may_use_the_key_and_no_other(hardened: Templates) -> None:
    allowed = set()
    for stack in ("Pipeline", "Engines"):
        for policy in properties(hardened[stack], "AWS::IAM::Policy").values():
            for statement in policy["PolicyDocument"]["Statement"]:
                if any(action.startswith("kms:") for action in listed(statement["Action"])):
                    assert statement["Resource"] == KEY
                    allowed |= {(stack, target(role)) for role in policy["Roles"]}
    roles = {
        (stack, id_)
        for stack in ("Pipeline", "Engines")
        for id_ in of_type(hardened[stack], "AWS::IAM::Role")
    }
    assert allowed == roles


def test_the_role_for_the_gateway_s_logs_needs_no_key(drafts: Templates) -> None:
    roles = {id_ for id_ in of_type(drafts["Pipeline"], "AWS::IAM::Role") if "CloudWatchRole" in id_}
    assert len(roles) == 1
    for policy in properties(drafts["Pipeline"], "AWS::IAM::Policy").values():
        assert not roles & {target(role) for role in policy["Roles"]}


def test_the_key_encrypts_the_alarms_topic(drafts: Templates) -> None:
    ((_, topic),) = properties(drafts["Operations"], "AWS::SNS::Topic").items()
    assert topic["KmsMasterKeyId"] == KEY
    assert not list(_of_every_stack(drafts, "AWS::KMS::Key"))


# --- the network


def test_functions_builds_and_endpoints_run_in_the_vpc(hardened: Templates) -> None:
    vpc = HARDENED["vpc"]
    functions = dict(_of_every_stack(hardened, "AWS::Lambda::Function"))
    assert functions
    for id_, function in functions.items():
        assert function["VpcConfig"] == {
            "SubnetIds": vpc["subnets"],
            "SecurityGroupIds": vpc["security_groups"],
        }, id_
    for _, project in _of_every_stack(_without_image(hardened), "AWS::CodeBuild::Project"):
        assert project["VpcConfig"] == {
            "VpcId": vpc["id"],
            "Subnets": vpc["subnets"],
            "SecurityGroupIds": vpc["security_groups"],
        }
    for _, model in _of_every_stack(hardened, "AWS::SageMaker::Model"):
        assert model["VpcConfig"] == {"Subnets": vpc["subnets"], "SecurityGroupIds": vpc["security_groups"]}


def test_roles_in_the_vpc_may_attach_interfaces(hardened: Templates) -> None:
    attaching = set()
    for stack in ("Pipeline", "Engines"):
        for policy in properties(hardened[stack], "AWS::IAM::Policy").values():
            for statement in policy["PolicyDocument"]["Statement"]:
                if "ec2:CreateNetworkInterface" in listed(statement["Action"]):
                    attaching |= {target(role) for role in policy["Roles"]}
    running = {
        target(resource[role])
        for type_, role in (
            ("AWS::Lambda::Function", "Role"),
            ("AWS::CodeBuild::Project", "ServiceRole"),
            ("AWS::SageMaker::Model", "ExecutionRoleArn"),
        )
        for _, resource in _of_every_stack(_without_image(hardened), type_)
    }
    assert attaching == running


def _without_image(templates: Templates) -> Templates:
    """The images' builds download packages from the internet, which the VPC may not reach."""
    return {stack: template for stack, template in templates.items() if not stack.endswith("Image")}


def test_no_role_touches_networks_by_default(templates: Templates) -> None:
    assert "ec2:" not in json.dumps(templates)
    assert "VpcConfig" not in json.dumps(templates)


def test_the_endpoints_that_a_vpc_needs_are_documented(hardened: Templates) -> None:
    """Functions and builds call only services that have a row in docs/deploy.md."""
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    section = page[page.index("### In a VPC") : page.index("## Settings")]
    pipeline = hardened["Pipeline"]
    running = {
        target(resource[role])
        for type_, role in (("AWS::Lambda::Function", "Role"), ("AWS::CodeBuild::Project", "ServiceRole"))
        for resource in properties(pipeline, type_).values()
    }
    called = {
        action.split(":")[0]
        for policy in properties(pipeline, "AWS::IAM::Policy").values()
        if running & {target(role) for role in policy["Roles"]}
        for statement in policy["PolicyDocument"]["Statement"]
        for action in listed(statement["Action"])
    }
    assert {"s3", "dynamodb", "sqs", "bedrock"} <= called
    # Called by AWS's services on the function's behalf, outside the VPC.
    for service in called - {"ec2", "kms", "xray"}:
        endpoint = {"bedrock": "bedrock-runtime", "sagemaker": "sagemaker.runtime"}.get(service, service)
        assert f"`{endpoint}`" in section, service


# --- boundary, tags, protection


def test_every_role_has_the_boundary(hardened: Templates, templates: Templates) -> None:
    roles = dict(_of_every_stack(hardened, "AWS::IAM::Role"))
    assert roles
    assert {role["PermissionsBoundary"] for role in roles.values()} == {HARDENED["permissions_boundary"]}
    assert "PermissionsBoundary" not in json.dumps(templates)


def test_resources_are_tagged(hardened: Templates) -> None:
    wanted = [{"Key": key, "Value": value} for key, value in sorted(HARDENED["tags"].items())]
    for type_ in ("AWS::S3::Bucket", "AWS::Lambda::Function", "AWS::SageMaker::Endpoint", "AWS::IAM::Role"):
        found = dict(_of_every_stack(hardened, type_))
        assert found
        for id_, resource in found.items():
            assert resource["Tags"] == wanted, id_


def test_protection_from_deletion(hardened: Templates, templates: Templates) -> None:
    pipeline = hardened["Pipeline"]
    for table in properties(pipeline, "AWS::DynamoDB::Table").values():
        assert table["DeletionProtectionEnabled"] is True
    for pool in properties(pipeline, "AWS::Cognito::UserPool").values():
        assert pool["DeletionProtection"] == "ACTIVE"
    assert "DeletionProtection" not in json.dumps(templates)


def test_stacks_are_protected(account: None) -> None:
    for settings, protected in (("hardened", True), ("default", False)):
        artifacts = json.loads((assembled(settings) / "manifest.json").read_text())["artifacts"]
        stacks = [one for one in artifacts.values() if one["type"] == "aws:cloudformation:stack"]
        assert len(stacks) == len(templates_of(settings)) > 1
        assert {one["properties"]["terminationProtection"] for one in stacks} == {protected}


# --- topic, domain, versions


def test_alarms_notify_the_existing_topic(hardened: Templates) -> None:
    operations = hardened["Operations"]
    assert "AWS::SNS::Topic" not in {r["Type"] for r in operations["Resources"].values()}
    for alarm in properties(operations, "AWS::CloudWatch::Alarm").values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [HARDENED["alarm_topic"]]


def test_the_api_has_the_domain(hardened: Templates) -> None:
    pipeline = hardened["Pipeline"]
    ((id_, domain),) = properties(pipeline, "AWS::ApiGateway::DomainName").items()
    assert domain["DomainName"] == "video.example.com"
    assert domain["RegionalCertificateArn"] == HARDENED["api_domain"]["certificate"]
    assert domain["SecurityPolicy"] == "TLS_1_2"
    ((_, mapping),) = properties(pipeline, "AWS::ApiGateway::BasePathMapping").items()
    assert target(mapping["DomainName"]) == id_
    assert "BasePath" not in mapping  # so that the URL is the domain, then /v1
    ((stage, _),) = of_type(pipeline, "AWS::ApiGateway::Stage").items()
    assert target(mapping["Stage"]) == stage
    assert json.dumps(pipeline["Outputs"]["ApiUrl"]["Value"]).count("/v1") == 1
    assert target(pipeline["Outputs"]["ApiDomainTarget"]["Value"]) == id_


def test_earlier_versions_of_records_are_kept(hardened: Templates, pipeline: Template) -> None:
    for template, versioned in ((hardened["Pipeline"], {"output"}), (pipeline, set())):
        buckets = {b["BucketName"].split("-")[1]: b for b in properties(template, "AWS::S3::Bucket").values()}
        assert {name for name, bucket in buckets.items() if "VersioningConfiguration" in bucket} == versioned
        rules = {
            rule["Prefix"]: rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
            for bucket in buckets.values()
            for rule in bucket["LifecycleConfiguration"]["Rules"]
            if "NoncurrentVersionExpiration" in rule
        }
        others = dict.fromkeys(("artifacts/", "drop/", "engine/", "videos/"), 1)
        assert rules == ({"records/": 14, **others} if versioned else {})

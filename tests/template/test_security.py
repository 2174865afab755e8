"""Security properties that must hold for all templates."""

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest

from cdk.permissions import flat
from lambdas.domain import keys
from tests.template.reading import Template, listed, of_type, properties, statements, target

Templates = dict[str, Template]

POLICIES = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
RESOURCE_POLICIES = ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")

# Actions that take no resource, and their callers.
WITHOUT_RESOURCE = {
    "xray:PutTelemetryRecords": "Lambda and Step Functions, for traces",
    "xray:PutTraceSegments": "Lambda and Step Functions, for traces",
    "xray:GetSamplingRules": "Step Functions, for traces",
    "xray:GetSamplingTargets": "Step Functions, for traces",
    "logs:CreateLogDelivery": "Step Functions, setting up its log",
    "logs:GetLogDelivery": "Step Functions, setting up its log",
    "logs:UpdateLogDelivery": "Step Functions, setting up its log",
    "logs:DeleteLogDelivery": "Step Functions, setting up its log",
    "logs:ListLogDeliveries": "Step Functions, setting up its log",
    "logs:PutResourcePolicy": "Step Functions, setting up its log",
    "logs:DescribeResourcePolicies": "Step Functions, setting up its log",
    "logs:DescribeLogGroups": "Step Functions, setting up its log",
    "polly:SynthesizeSpeech": "Narrate; a voice is not a resource",
    "polly:DescribeVoices": "Api and Intake; a voice is not a resource",
    "cloudwatch:PutMetricData": "SageMaker, for the endpoints' metrics; limited by namespace",
    "ecr:GetAuthorizationToken": "SageMaker, fetching the container",
}


@pytest.mark.parametrize("stack", ["Pipeline", "Image", "Engines", "Operations"])
def test_roles_name_their_resources(templates: Templates, stack: str) -> None:
    for id_, statement in statements(templates[stack], *POLICIES):
        actions = listed(statement["Action"])
        assert not [action for action in actions if "*" in action], id_
        if "*" in listed(statement["Resource"]):
            assert set(actions) <= set(WITHOUT_RESOURCE), id_


@pytest.mark.parametrize("stack", ["Pipeline", "Image", "Engines", "Operations"])
def test_arns_have_the_partition_of_the_account(templates: Templates, stack: str) -> None:
    """In aws-cn and aws-us-gov an ARN of the partition `aws` is refused."""
    assert "arn:aws" not in json.dumps(templates[stack])
    assert "${Partition}" in json.dumps(templates["Pipeline"])


@pytest.mark.parametrize("stack", ["Pipeline", "Image", "Engines", "Operations"])
def test_there_are_no_custom_resources(templates: Templates, stack: str) -> None:
    types = {resource["Type"] for resource in templates[stack]["Resources"].values()}
    assert not [type_ for type_ in types if type_.startswith("Custom::") or "CustomResource" in type_]


@pytest.mark.parametrize("stack", ["Pipeline", "Image", "Engines"])
def test_logs_expire_and_are_deleted_with_their_stack(templates: Templates, stack: str) -> None:
    for id_, group in of_type(templates[stack], "AWS::Logs::LogGroup").items():
        assert group["Properties"]["RetentionInDays"] == 30, id_
        assert group["DeletionPolicy"] == "Delete", id_


def test_buckets_are_encrypted_private_and_kept(pipeline: Template) -> None:
    for id_, bucket in of_type(pipeline, "AWS::S3::Bucket").items():
        settings = bucket["Properties"]
        assert settings["BucketEncryption"]["ServerSideEncryptionConfiguration"], id_
        assert set(settings["PublicAccessBlockConfiguration"].values()) == {True}, id_
        assert len(settings["PublicAccessBlockConfiguration"]) == 4, id_
        assert bucket["DeletionPolicy"] == "RetainExceptOnCreate", id_
        assert bucket["UpdateReplacePolicy"] == "Retain", id_


def test_buckets_have_literal_names(pipeline: Template) -> None:
    names = {bucket["BucketName"] for bucket in properties(pipeline, "AWS::S3::Bucket").values()}
    assert names == {f"reelworks-{name}-111122223333-eu-west-1" for name in ("input", "output", "logs")}


def test_everything_expires_except_api_keys_and_characters(pipeline: Template) -> None:
    buckets = {b["BucketName"].split("-")[1]: b for b in properties(pipeline, "AWS::S3::Bucket").values()}
    expiring = {
        name: {
            rule.get("Prefix", "")
            for rule in bucket["LifecycleConfiguration"]["Rules"]
            if rule.get("ExpirationInDays")
        }
        for name, bucket in buckets.items()
    }
    assert expiring == {
        "input": {"drop/", "uploads/", "requests/", "incoming/"},
        "output": {"drop/", "artifacts/", "videos/", "engine/", "records/videos/"},
        "logs": {""},
    }
    for bucket in buckets.values():
        rules = bucket["LifecycleConfiguration"]["Rules"]
        assert [r["AbortIncompleteMultipartUpload"] for r in rules if "AbortIncompleteMultipartUpload" in r]


def test_access_to_buckets_is_logged(pipeline: Template) -> None:
    for id_, bucket in properties(pipeline, "AWS::S3::Bucket").items():
        assert ("LoggingConfiguration" in bucket) is ("-logs-" not in bucket["BucketName"]), id_


def test_only_tls_is_allowed(templates: Templates) -> None:
    protected: set[str] = set()
    wanted: set[str] = set()
    for template in templates.values():
        for policy in template["Resources"].values():
            if policy["Type"] in RESOURCE_POLICIES and _denies_plain_http(policy["Properties"]):
                of = policy["Properties"]
                protected |= {
                    target(one) for one in listed(of.get("Bucket") or of.get("Queues") or of["Topics"])
                }
        wanted |= {
            id_
            for id_, resource in template["Resources"].items()
            if resource["Type"] in ("AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::SNS::Topic")
        }
    assert len(wanted) == 12
    assert protected == wanted


def _denies_plain_http(policy: dict[str, Any]) -> bool:
    return any(
        statement["Effect"] == "Deny"
        and statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport") == "false"
        for statement in policy["PolicyDocument"]["Statement"]
    )


def test_queues_topics_and_tables_are_encrypted(templates: Templates) -> None:
    pipeline = templates["Pipeline"]
    for id_, queue in properties(pipeline, "AWS::SQS::Queue").items():
        assert queue["SqsManagedSseEnabled"] is True, id_
    for stack in ("Pipeline", "Operations"):
        for id_, topic in properties(templates[stack], "AWS::SNS::Topic").items():
            assert topic["KmsMasterKeyId"], id_
    for id_, table in of_type(pipeline, "AWS::DynamoDB::Table").items():
        settings = table["Properties"]
        assert settings["SSESpecification"]["SSEEnabled"] is True, id_
        assert settings["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True, id_
        # Clips that wait end with the stack's functions.
        kept = "Delete" if id_.startswith("Clips") else "RetainExceptOnCreate"
        assert table["DeletionPolicy"] == kept, id_


def test_only_the_function_of_their_routes_writes_api_keys_and_no_role_writes_quotas(
    pipeline: Template,
) -> None:
    """Neither in their table nor in the journal, from which an operator restores them."""
    (table,) = [id_ for id_ in of_type(pipeline, "AWS::DynamoDB::Table") if id_.startswith("ApiKeys")]
    allowed = [
        (id_, one) for id_, one in statements(pipeline, "AWS::IAM::Policy") if one["Effect"] == "Allow"
    ]
    on_table = {
        (id_.removeprefix("Functions").partition("Role")[0], action.removeprefix("dynamodb:")): one.get(
            "Condition"
        )
        for id_, one in allowed
        for action in listed(one["Action"])
        if any(table in json.dumps(resource) for resource in listed(one["Resource"]))
    }
    of_keys = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["key#*"]}}
    of_quotas = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["tenant#*"]}}
    last_use = {"ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "sk", "used"]}}
    assert on_table == {
        ("Authorizer", "GetItem"): None,
        ("Authorizer", "UpdateItem"): last_use,
        ("ApiKeys", "GetItem"): of_keys,
        ("ApiKeys", "UpdateItem"): of_keys,
        ("ApiKeys", "DeleteItem"): of_keys,
        ("ApiKeys", "Query"): None,  # of the index, which has no quotas
        ("Api", "GetItem"): of_quotas,
        ("Intake", "GetItem"): of_quotas,
    }
    for record in (keys.key_record("0" * 64), keys.tenant_record("acme")):
        writers = _writers(allowed, record)
        assert writers == ({"ApiKeys"} if record.startswith(keys.KEY_RECORDS_PREFIX) else set())


def _writers(allowed: list[tuple[str, Any]], record: str) -> set[str]:
    """Return the functions that may read or write an object of the journal."""
    on_objects = [
        one for one in allowed if any(action.startswith("s3:") for action in listed(one[1]["Action"]))
    ]
    return {
        id_.removeprefix("Functions").partition("Role")[0]
        for id_, one in on_objects
        if any(fnmatchcase(record, flat(of).partition("/")[2]) for of in listed(one["Resource"]))
    }


def test_only_two_functions_read_the_secrets_of_webhooks(pipeline: Template) -> None:
    """Neither in their table nor in the journal, from which `reel up` restores them."""
    (table,) = [id_ for id_ in of_type(pipeline, "AWS::DynamoDB::Table") if id_.startswith("Webhooks")]
    allowed = [
        (id_, one) for id_, one in statements(pipeline, "AWS::IAM::Policy") if one["Effect"] == "Allow"
    ]
    readers = {
        id_
        for id_, one in allowed
        if any(table in json.dumps(resource) for resource in listed(one["Resource"]))
    }
    assert {id_[: id_.index("Role")] for id_ in readers} == {"FunctionsApi", "FunctionsDeliver"}
    record = keys.webhooks_record("acme")
    on_record = {
        (id_[: id_.index("Role")], action)
        for id_, one in allowed
        for action in listed(one["Action"])
        for resource in map(flat, listed(one["Resource"]))
        if action.startswith("s3:") and fnmatchcase(record, resource.partition("/")[2])
    }
    assert on_record == {("FunctionsApi", "s3:PutObject"), ("FunctionsDeliver", "s3:PutObject")}


def test_self_sign_up_is_disabled(pipeline: Template) -> None:
    ((_, pool),) = properties(pipeline, "AWS::Cognito::UserPool").items()
    assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    assert pool["Policies"]["PasswordPolicy"]["MinimumLength"] >= 12

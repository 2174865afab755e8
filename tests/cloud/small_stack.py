"""A cloud assembly made by hand: a stack with what `up` needs, and a function that shows what it was told."""

import json
import shutil
from pathlib import Path
from typing import Any

from reelworks.cloud.aws import client
from reelworks.cloud.credentials import read_credentials
from reelworks.cloud.lifecycle.cloud_status import Status

STACK = "Small-Pipeline"
BUCKET = "small-output-000000000000"
ASSETS_BUCKET = "small-assets-${AWS::AccountId}-${AWS::Region}"

# `serve` answers the API; `note` writes each event it gets, and each name of its environment, to S3.
CODE = """
import json, os, time, uuid
import boto3

def serve(event, context):
    return {"statusCode": 200, "body": json.dumps({name: event[name] for name in ("path", "headers")})}

def note(event, context):
    note = json.dumps({"event": event, "environment": dict(os.environ)}).encode()
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key=f"notes/{uuid.uuid4()}", Body=note)

def sleep(event, context):
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key="asleep")
    time.sleep(event["seconds"])
"""


def template(**extra: Any) -> dict[str, Any]:
    """`extra` adds or replaces resources."""
    code = {
        "S3Bucket": ASSETS_BUCKET.replace("${AWS::AccountId}", "000000000000").replace(
            "${AWS::Region}", "us-east-1"
        ),
        "S3Key": "code.zip",
    }

    def function(handler: str) -> dict[str, Any]:
        return {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Handler": f"code.{handler}",
                "Runtime": "python3.12",
                "Timeout": 60,
                "Code": code,
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Environment": {"Variables": {"BUCKET": BUCKET}},
            },
        }

    resources = {
        "Output": {
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "Retain",
            "Properties": {
                "BucketName": BUCKET,
                "CorsConfiguration": {
                    "CorsRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://a.example"]}]
                },
                "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
            },
        },
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [
                    {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")
                ],
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
            },
        },
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": "sts:AssumeRole",
                            "Principal": {"Service": "lambda.amazonaws.com"},
                        }
                    ],
                }
            },
        },
        "Serve": function("serve"),
        "Note": function("note"),
        "Sleep": function("sleep"),
        "Dropped": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventPattern": {
                    "source": ["aws.s3"],
                    "detail-type": ["Object Created"],
                    "detail": {"bucket": {"name": [BUCKET]}, "object": {"key": [{"prefix": "drop/"}]}},
                },
                "Targets": [{"Id": "note", "Arn": {"Fn::GetAtt": ["Note", "Arn"]}}],
            },
        },
        "Permission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": "Note"},
                "Principal": "events.amazonaws.com",
                "SourceArn": {"Fn::GetAtt": ["Dropped", "Arn"]},
            },
        },
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "small"}},
        "Path": {
            "Type": "AWS::ApiGateway::Resource",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
                "PathPart": "{proxy+}",
            },
        },
        "Method": {
            "Type": "AWS::ApiGateway::Method",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "ResourceId": {"Ref": "Path"},
                "HttpMethod": "ANY",
                "AuthorizationType": "NONE",
                "Integration": {
                    "Type": "AWS_PROXY",
                    "IntegrationHttpMethod": "POST",
                    "Uri": {
                        "Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
                        "${Serve.Arn}/invocations"
                    },
                },
            },
        },
        "Deployment": {
            "Type": "AWS::ApiGateway::Deployment",
            "DependsOn": ["Method"],
            "Properties": {"RestApiId": {"Ref": "Api"}},
        },
        "Stage": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "DeploymentId": {"Ref": "Deployment"},
                "StageName": "live",
            },
        },
        **extra,
    }
    outputs = {
        "RestApiId": {"Ref": "Api"},
        "RestApiStage": {"Ref": "Stage"},
        "EndpointPrefix": "small",
        "OutputBucket": {"Ref": "Output"},
        "ErrorTopicArn": {"Ref": "Topic"},
        "SuccessTopicArn": {"Ref": "Topic"},
        "UpkeepFunction": {"Ref": "Note"},
        "SleepFunction": {"Ref": "Sleep"},
        "ApiKeysTable": {"Ref": "Table"},
        "WebhooksTable": {"Ref": "Table"},
        "AddedEngines": {"Ref": "AddedEngines"},
        "Engines": {"Ref": "Engines"},
        "ModelAliases": {"Ref": "ModelAliases"},
        "TextSeconds": {"Ref": "TextSeconds"},
        "Workflow": {"Ref": "Workflow"},
        "Voice": {"Ref": "Voice"},
        "VoiceEngine": {"Ref": "VoiceEngine"},
        "Prices": {"Ref": "Prices"},
        "WebhooksToLoopback": {"Ref": "WebhooksToLoopback"},
        "StudioSignIn": {"Ref": "StudioSignIn"},
    }
    return {
        "Parameters": {
            name: {"Type": "String", "Default": "none"}
            for name in (
                "AddedEngines",
                "Engines",
                "ModelAliases",
                "Workflow",
                "TextSeconds",
                "Voice",
                "VoiceEngine",
                "Prices",
                "WebhooksToLoopback",
                "StudioSignIn",
            )
        },
        "Resources": resources,
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }


def write_assembly(folder: Path, template: dict[str, Any], code: str = CODE) -> Path:
    """Writes what `cdk synth` leaves in cdk.out (aws-cdk-lib/cloud-assembly-schema)."""
    (folder / "asset.code").mkdir(parents=True)
    (folder / "asset.code" / "code.py").write_text(code)
    files = {f"{STACK}.template.json": ("file", "template.json"), "asset.code": ("zip", "code.zip")}
    documents = {
        "manifest.json": {
            "artifacts": {
                "Tree": {"type": "cdk:tree", "properties": {"file": "tree.json"}},
                f"app-{STACK}.assets": {
                    "type": "cdk:asset-manifest",
                    "properties": {"file": f"{STACK}.assets.json"},
                },
                f"app-{STACK}": {
                    "type": "aws:cloudformation:stack",
                    "properties": {"templateFile": f"{STACK}.template.json", "stackName": STACK},
                },
                "Other": {
                    "type": "aws:cloudformation:stack",
                    "properties": {"templateFile": "Other.template.json"},
                },
            }
        },
        f"{STACK}.assets.json": {
            "files": {
                path: {
                    "source": {"path": path, "packaging": packaging},
                    "destinations": {"here": {"bucketName": ASSETS_BUCKET, "objectKey": key}},
                }
                for path, (packaging, key) in files.items()
            }
        },
        f"{STACK}.template.json": template,
    }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document))
    return folder


APP = """
import json, os, shutil
assert json.loads(os.environ["CDK_CONTEXT_JSON"]) == {"aws:cdk:bundling-stacks": []}
assert (os.environ["CDK_DEFAULT_ACCOUNT"], os.environ["CDK_DEFAULT_REGION"]) == ("000000000000", "us-east-1")
shutil.copytree("cdk/assembly", os.environ["CDK_OUTDIR"])
"""


def write_checkout(folder: Path, template: dict[str, Any], code: str = CODE) -> Path:
    """A checkout whose CDK app makes the small stack; written again, it is a changed checkout."""
    shutil.rmtree(folder, ignore_errors=True)
    write_assembly(folder / "cdk" / "assembly", template, code)
    (folder / "app.py").write_text(APP)
    return folder


def aws(cloud: Status, service: str) -> Any:
    """A client of the running cloud, with its credentials."""
    assert cloud.aws_endpoint_url
    assert cloud.aws_credentials_file
    return client(service, cloud.aws_endpoint_url, read_credentials(Path(cloud.aws_credentials_file)))


def notes(s3: Any) -> list[dict[str, Any]]:
    """What `note` was called with so far."""
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix="notes/").get("Contents", [])
    return [json.loads(s3.get_object(Bucket=BUCKET, Key=found["Key"])["Body"].read()) for found in listed]

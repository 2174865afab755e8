"""The pipeline stack: its parts must agree with each other and with the code."""

import importlib
import inspect
import json
import re
import warnings
from typing import Any

import pytest
from pydantic import ValidationError

from cdk.api import _REFUSALS
from cdk.buckets import ARTIFACTS, ENGINE, REQUESTS, UPLOADS, VIDEOS
from cdk.functions import FUNCTIONS
from cdk.settings import DeploymentSettings
from cdk.state_machine import DEFINITION
from lambdas.adapters.clip_queue import BY_TURN
from lambdas.adapters.receiver import LIMIT_SECONDS
from lambdas.api.document import ANY, SOME
from lambdas.domain import keys, names
from lambdas.domain.prices import Prices
from lambdas.domain.webhooks import EventType
from lambdas.settings import (
    ADDED_ENGINES,
    TASK_VARIABLE,
    ApiSettings,
    AssemblyBuildSettings,
    PricedSettings,
    UpkeepSettings,
)
from tests.template.reading import Template, function_ids, listed, of_type, properties, target

OUTPUTS = {
    "ApiUrl",
    "RestApiId",
    "RestApiStage",
    "InputBucket",
    "OutputBucket",
    "LogsBucket",
    "VideosTable",
    "ApiKeysTable",
    "ClipsTable",
    "RequestsQueueUrl",
    "RequestsDeadLetterQueueUrl",
    "OutputsQueueUrl",
    "FailedEventsQueueUrl",
    "WebhooksTable",
    "WebhooksQueueUrl",
    "WebhooksDeadLetterQueueUrl",
    "StateMachineArn",
    "UserPoolId",
    "UserPoolClientId",
    "SuccessTopicArn",
    "ErrorTopicArn",
    "EventBusName",
    "UpkeepFunction",
    "EndpointPrefix",
    "StudioUrl",
    *(f"Function{name}" for name in FUNCTIONS),
}
ASYNCHRONOUS = {"Intake", "SettleClip", "Upkeep"}


def test_outputs(pipeline: Template) -> None:
    exports = {name for name in pipeline["Outputs"] if name.startswith("ExportsOutput")}
    assert set(pipeline["Outputs"]) - exports == OUTPUTS


def test_engines_voice_workflow_and_prices_are_parameters(pipeline: Template) -> None:
    parameters = dict(pipeline["Parameters"])
    prices = parameters.pop("Prices")
    assert Prices.model_validate_json(prices["Default"]).instance_second("cogvideox-5b") is not None
    assert parameters == {
        "AddedEngines": {
            "Type": "String",
            "Default": "",
            "Description": "Engines that this deployment adds to the catalogue, as JSON",
        },
        "Engines": {
            "Type": "String",
            "Default": "animatic,cogvideox-5b,cogvideox-5b-i2v",
            "Description": "Names of the available engines, comma-separated",
        },
        "Guardrail": {
            "Type": "String",
            "Default": "",
            "Description": "ID:VERSION of the Bedrock guardrail that checks what users write; empty: none",
        },
        "ModelAliases": {
            "Type": "String",
            "Default": "",
            "Description": "Other names for engines, as ALIAS=ENGINE, comma-separated",
        },
        "StudioSignIn": {
            "Type": "String",
            "Default": "cognito",
            "AllowedValues": ["cognito", "link"],
            "Description": "How users sign in to the studio: link, by a one-time link, only on a PC",
        },
        "TextSeconds": {
            "Type": "String",
            "Default": "300",
            "AllowedPattern": "\\d+",
            "Description": "Seconds that the text model may take for an answer",
        },
        "Voice": {
            "Type": "String",
            "Default": "Joanna",
            "Description": "Default narration voice",
        },
        "VoiceEngine": {
            "Type": "String",
            "Default": "neural",
            "Description": "Engine of the default voice",
        },
        "WebhooksToLoopback": {
            "Type": "String",
            "Default": "false",
            "AllowedValues": ["false", "true"],
            "Description": "Whether webhooks may go to this machine: true only on a PC",
        },
        "Workflow": {
            "Type": "String",
            "Default": "",
            "Description": "Inputs of the user's ComfyUI workflow, as JSON",
        },
    }


def test_the_local_cloud_supports_all_its_resource_types(pipeline: Template) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        provisioners = importlib.import_module("ministack.services.cloudformation.provisioners")
    # Cognito's login is only on AWS.
    types = {resource["Type"] for resource in pipeline["Resources"].values() if "Condition" not in resource}
    assert types <= set(provisioners._RESOURCE_HANDLERS)


# --- functions


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_environment_matches_the_function_s_settings(pipeline: Template, name: str) -> None:
    variables = dict(_function(pipeline, name)["Environment"]["Variables"])
    assert variables.pop(ADDED_ENGINES) == {"Ref": "AddedEngines"}
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in variables.items()}
    settings = FUNCTIONS[name].settings.from_env(texts)
    ours = {key for key in texts if key.startswith("REELWORKS_")}
    assert len(ours) == len(settings.model_dump())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_environment_is_smaller_than_lambda_allows(pipeline: Template, name: str) -> None:
    def longest(value: Any) -> int:
        if isinstance(value, str):
            return len(value)
        # A value that is only known at deployment is a name, a URL or an ARN.
        parameter = pipeline["Parameters"].get(value.get("Ref"))
        return len(parameter["Default"]) if parameter else 200

    variables = _function(pipeline, name)["Environment"]["Variables"]
    assert sum(len(key) + longest(value) for key, value in variables.items()) < 4096


def test_a_missing_variable_is_reported(pipeline: Template) -> None:
    variables = {
        key: str(value) for key, value in _function(pipeline, "Upkeep")["Environment"]["Variables"].items()
    }
    del variables["REELWORKS_EVENT_BUS"], variables[ADDED_ENGINES]
    with pytest.raises(ValidationError, match="event_bus"):
        UpkeepSettings.from_env(variables)


def test_the_engines_offered_come_from_the_parameter(pipeline: Template) -> None:
    for name in ("Api", "Intake"):
        assert _function(pipeline, name)["Environment"]["Variables"]["REELWORKS_ENGINES"] == {
            "Ref": "Engines"
        }


def test_the_voice_comes_from_the_parameters(pipeline: Template) -> None:
    variables = _function(pipeline, "Narrate")["Environment"]["Variables"]
    assert variables["REELWORKS_VOICE"] == {"Ref": "Voice"}
    assert variables["REELWORKS_VOICE_ENGINE"] == {"Ref": "VoiceEngine"}


def test_functions_that_record_costs_have_the_prices(pipeline: Template) -> None:
    for name, spec in FUNCTIONS.items():
        variables = _function(pipeline, name)["Environment"]["Variables"]
        if issubclass(spec.settings, PricedSettings):
            assert variables["REELWORKS_PRICES"] == {"Ref": "Prices"}
        else:
            assert "REELWORKS_PRICES" not in variables


def test_aliases_are_read_as_they_are_written() -> None:
    fields = dict.fromkeys(ApiSettings.model_fields, "1") | {"model_aliases": "sora-2=animatic,x=y"}
    assert ApiSettings.model_validate(fields).aliases == {"sora-2": "animatic", "x": "y"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_handler_exists(pipeline: Template, name: str) -> None:
    module, _, attribute = _function(pipeline, name)["Handler"].rpartition(".")
    handler = getattr(importlib.import_module(module), attribute)
    assert len(inspect.signature(handler).parameters) >= 2


def test_functions_run_on_one_platform(pipeline: Template) -> None:
    for id_, function in properties(pipeline, "AWS::Lambda::Function").items():
        assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"]), id_
        assert function["TracingConfig"] == {"Mode": "Active"}, id_


def test_each_function_has_its_own_log_and_role(pipeline: Template) -> None:
    functions = properties(pipeline, "AWS::Lambda::Function")
    groups = properties(pipeline, "AWS::Logs::LogGroup")
    for id_, function in functions.items():
        group = groups[target(function["LoggingConfig"]["LogGroup"])]
        assert group["LogGroupName"] == f"/aws/lambda/{function['FunctionName']}", id_
    assert len({target(function["Role"]) for function in functions.values()}) == len(FUNCTIONS)


def _function(pipeline: Template, name: str) -> dict[str, Any]:
    return properties(pipeline, "AWS::Lambda::Function")[function_ids(pipeline)[name]]


# --- the build


def test_the_build_runs_the_functions_code_with_the_media_libraries(pipeline: Template) -> None:
    ((_, project),) = properties(pipeline, "AWS::CodeBuild::Project").items()
    code = _function(pipeline, "Assemble")["Code"]
    assert project["Source"]["Type"] == "S3"
    assert f"{code['S3Bucket']}/{code['S3Key']}" in json.dumps(project["Source"]["Location"])
    buildspec = json.loads(project["Source"]["BuildSpec"])
    python = buildspec["phases"]["install"]["runtime-versions"]["python"]
    assert f"python{python}" == _function(pipeline, "Assemble")["Runtime"]
    (command,) = buildspec["phases"]["build"]["commands"]
    assert callable(importlib.import_module(command.removeprefix("python -m ")).main)


def test_the_build_s_environment_matches_its_program_s_settings(pipeline: Template) -> None:
    ((_, project),) = properties(pipeline, "AWS::CodeBuild::Project").items()
    variables = {
        one["Name"]: json.dumps(one["Value"]) for one in project["Environment"]["EnvironmentVariables"]
    }
    assert json.loads(variables.pop(ADDED_ENGINES)) == {"Ref": "AddedEngines"}
    assert AssemblyBuildSettings.from_env(variables | {TASK_VARIABLE: "{}"}).task == "{}"


def test_the_build_has_the_permissions_of_the_function(pipeline: Template) -> None:
    ((_, project),) = properties(pipeline, "AWS::CodeBuild::Project").items()
    build, function = target(project["ServiceRole"]), target(_function(pipeline, "Assemble")["Role"])
    services = ("dynamodb:", "s3:", "states:")
    of_function, of_build = (
        {
            (action, json.dumps(resource))
            for id_, policy in properties(pipeline, "AWS::IAM::Policy").items()
            if role in {target(one) for one in policy["Roles"]}
            for statement in policy["PolicyDocument"]["Statement"]
            for action in listed(statement["Action"])
            for resource in listed(statement["Resource"])
            if action.startswith(services)
        }
        for role in (function, build)
    )
    assert of_function <= of_build
    source = {"s3:GetObject", "s3:GetObjectVersion", "s3:GetBucketAcl", "s3:GetBucketLocation"}
    answer = {"states:SendTaskSuccess", "states:SendTaskFailure"}  # the function returns instead
    assert {action for action, _ in of_build - of_function} == source | answer


# --- events


def test_asynchronous_functions_have_a_destination_for_failures(pipeline: Template) -> None:
    functions = {id_: name for name, id_ in function_ids(pipeline).items()}
    failed = _queue_id(pipeline, "FailedEventsQueueUrl")
    destinations = {
        functions[target(config["FunctionName"])]: target(
            config["DestinationConfig"]["OnFailure"]["Destination"]
        )
        for config in properties(pipeline, "AWS::Lambda::EventInvokeConfig").values()
    }
    assert destinations == dict.fromkeys(ASYNCHRONOUS, failed)
    assert {name for name, spec in FUNCTIONS.items() if spec.asynchronous} == ASYNCHRONOUS


def test_events_that_reach_no_function_are_kept(pipeline: Template) -> None:
    failed = _queue_id(pipeline, "FailedEventsQueueUrl")
    for rule in properties(pipeline, "AWS::Events::Rule").values():
        for one in rule["Targets"]:
            assert target(one["DeadLetterConfig"]["Arn"]) == failed
    for subscription in properties(pipeline, "AWS::SNS::Subscription").values():
        assert target(subscription["RedrivePolicy"]["deadLetterTargetArn"]) == failed


def test_requests_are_redelivered_and_then_kept(pipeline: Template) -> None:
    queue = properties(pipeline, "AWS::SQS::Queue")[_queue_id(pipeline, "RequestsQueueUrl")]
    assert queue["VisibilityTimeout"] >= 6 * FUNCTIONS["Dispatch"].timeout
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 5
    dead = target(queue["RedrivePolicy"]["deadLetterTargetArn"])
    assert dead == _queue_id(pipeline, "RequestsDeadLetterQueueUrl")
    [mapping] = [
        mapping
        for id_, mapping in properties(pipeline, "AWS::Lambda::EventSourceMapping").items()
        if "Dispatch" in id_
    ]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_input_and_output_buckets_send_events(pipeline: Template) -> None:
    buckets = properties(pipeline, "AWS::S3::Bucket").values()
    sending = {b["BucketName"].split("-")[1] for b in buckets if "NotificationConfiguration" in b}
    assert sending == {"input", "output"}
    rules = properties(pipeline, "AWS::Events::Rule").items()
    [rule] = [rule for id_, rule in rules if id_.startswith("DropFolder")]
    assert rule["EventPattern"]["detail"]["object"] == {"key": [{"prefix": keys.DROP_PREFIX}]}


def _queue_id(pipeline: Template, output: str) -> str:
    return target(pipeline["Outputs"][output]["Value"])


def test_events_of_videos_wait_for_their_webhooks(pipeline: Template) -> None:
    queue = properties(pipeline, "AWS::SQS::Queue")[_queue_id(pipeline, "WebhooksQueueUrl")]
    assert queue["VisibilityTimeout"] >= 6 * FUNCTIONS["Deliver"].timeout
    dead = target(queue["RedrivePolicy"]["deadLetterTargetArn"])
    assert dead == _queue_id(pipeline, "WebhooksDeadLetterQueueUrl")
    [mapping] = [
        mapping
        for id_, mapping in properties(pipeline, "AWS::Lambda::EventSourceMapping").items()
        if "Deliver" in id_
    ]
    assert mapping["BatchSize"] == 1, "a slow receiver holds up no other message"
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 10}
    [rule] = [
        rule for id_, rule in properties(pipeline, "AWS::Events::Rule").items() if id_.startswith("Webhooks")
    ]
    assert rule["EventPattern"] == {"source": ["reelworks"], "detail-type": list(EventType)}
    assert FUNCTIONS["Deliver"].timeout >= LIMIT_SECONDS + 10
    assert FUNCTIONS["Api"].timeout >= LIMIT_SECONDS + 10, "a test waits for the receiver"


# --- the state machine


def test_every_placeholder_is_substituted(pipeline: Template) -> None:
    ((_, machine),) = properties(pipeline, "AWS::StepFunctions::StateMachine").items()
    definition = machine["DefinitionString"]
    assert set(re.findall(r"\$\{(\w+)\}", definition)) == set(machine["DefinitionSubstitutions"])
    assert definition == DEFINITION.read_text()


def test_the_machine_may_call_its_functions_and_no_others(pipeline: Template) -> None:
    ((_, machine),) = properties(pipeline, "AWS::StepFunctions::StateMachine").items()
    substituted = {
        target(value)
        for name, value in machine["DefinitionSubstitutions"].items()
        if name.endswith("FunctionArn")
    }
    role = target(machine["RoleArn"])
    invoked = {
        target(arn)
        for policy in properties(pipeline, "AWS::IAM::Policy").values()
        if role in {target(one) for one in policy["Roles"]}
        for statement in policy["PolicyDocument"]["Statement"]
        if "lambda:InvokeFunction" in listed(statement["Action"])
        for arn in listed(statement["Resource"])
    }
    assert invoked == substituted
    assert len(invoked) == 13


def test_a_film_may_wait_for_its_engine_and_its_user_for_as_long_as_an_execution_lasts(
    pipeline: Template,
) -> None:
    """Upkeep ends a film that takes too long after its first clip has started."""
    ((_, machine),) = properties(pipeline, "AWS::StepFunctions::StateMachine").items()
    substituted = machine["DefinitionSubstitutions"]
    assert int(substituted["ReviewTimeoutSeconds"]) == 7 * 24 * 3600
    limits = DeploymentSettings.model_json_schema()["properties"]
    year = 365 * 24 * 3600  # Step Functions' quota
    for what in ("RenderClipTimeoutSeconds", "FilmTimeoutSeconds"):
        assert 10 * limits["review_hours"]["maximum"] * 3600 < int(substituted[what]) < year
    assert limits["film_hours"]["maximum"] * 3600 < year / 2
    variables = _function(pipeline, "Upkeep")["Environment"]["Variables"]
    assert variables["REELWORKS_FILM_HOURS"] == "144"


def test_functions_that_hand_clips_to_endpoints_may_look_how_many_instances_there_are(
    pipeline: Template,
) -> None:
    allowed = [
        (policy["Roles"][0]["Ref"], set(listed(statement["Action"])))
        for policy in properties(pipeline, "AWS::IAM::Policy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if "sagemaker:InvokeEndpointAsync" in listed(statement["Action"])
    ]
    assert len(allowed) == 3
    for role, actions in allowed:
        assert any(name in role for name in ("RenderClip", "SettleClip", "Upkeep"))
        assert actions == {"sagemaker:InvokeEndpointAsync", "sagemaker:DescribeEndpoint"}


def test_functions_that_take_decisions_may_answer_tokens(pipeline: Template) -> None:
    [policy] = [
        policy
        for policy in properties(pipeline, "AWS::IAM::Policy").values()
        if any(
            "states:SendTaskSuccess" in listed(statement["Action"])
            for statement in policy["PolicyDocument"]["Statement"]
        )
    ]
    roles = " ".join(role["Ref"] for role in policy["Roles"])
    for name in ("Api", "Upkeep", "Review"):
        assert f"{name}Role" in roles


def test_tasks_time_out_no_sooner_than_their_function(pipeline: Template) -> None:
    ((_, machine),) = properties(pipeline, "AWS::StepFunctions::StateMachine").items()
    for name, state in _tasks(_definition(machine)):
        assert state["TimeoutSeconds"] >= FUNCTIONS[name].timeout, name


def test_the_machine_waits_for_a_build_longer_than_it_may_queue_and_run(pipeline: Template) -> None:
    ((_, project),) = properties(pipeline, "AWS::CodeBuild::Project").items()
    minutes = project["TimeoutInMinutes"] + project["QueuedTimeoutInMinutes"]
    ((_, machine),) = properties(pipeline, "AWS::StepFunctions::StateMachine").items()
    assert dict(_tasks(_definition(machine)))["AssembleLong"]["TimeoutSeconds"] > minutes * 60


def _definition(machine: dict[str, Any]) -> dict[str, Any]:
    """Return the state machine's definition with its timeouts filled in."""
    text = machine["DefinitionString"]
    for name, value in machine["DefinitionSubstitutions"].items():
        if isinstance(value, str):
            text = text.replace(f"${{{name}}}", value)
    found: dict[str, Any] = json.loads(text)
    return found


def _tasks(definition: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for name, state in definition["States"].items():
        if state["Type"] == "Task":
            found.append((name, state))
        elif state["Type"] == "Map":
            found += _tasks(state["ItemProcessor"])
    return found


# --- the API


def test_every_route_but_the_documentation_and_the_studio_is_authorized_by_the_authorizer(
    pipeline: Template,
) -> None:
    resources = properties(pipeline, "AWS::ApiGateway::Resource")
    open_to_all = set()
    for id_, method in properties(pipeline, "AWS::ApiGateway::Method").items():
        if method["AuthorizationType"] == "NONE":
            assert method["HttpMethod"] in ("GET", "HEAD")
            open_to_all.add("/" + "/".join(_path(resources, method["ResourceId"])))
        else:
            assert method["AuthorizationType"] == "CUSTOM", id_
    studio = {names.STUDIO_PATH.rstrip("/"), names.STUDIO_PATH + "{proxy+}"}
    assert open_to_all == {*names.PUBLIC_PATHS, *studio}
    authorizers = properties(pipeline, "AWS::ApiGateway::Authorizer")
    assert {one["Type"] for one in authorizers.values()} == {"REQUEST"}
    headers = {id_: one["IdentitySource"] for id_, one in authorizers.items()}
    assert sorted(headers.values()) == [
        "method.request.header.Authorization",
        "method.request.header.x-goog-api-key",
    ]
    # The function reads the header under which the gateway caches its answer.
    for id_, method in properties(pipeline, "AWS::ApiGateway::Method").items():
        if method["AuthorizationType"] == "CUSTOM":
            of_google = names.GOOGLE_PATH.strip("/") in json.dumps(_path(resources, method["ResourceId"]))
            assert ("goog" in headers[method["AuthorizerId"]["Ref"]]) is of_google, id_


def _path(resources: dict[str, Any], id_: dict[str, Any]) -> list[str]:
    if "Ref" not in id_:  # the root
        return []
    resource = resources[id_["Ref"]]
    return [*_path(resources, resource["ParentId"]), resource["PathPart"]]


def test_the_gateway_s_errors_have_openai_s_shape(pipeline: Template) -> None:
    responses = properties(pipeline, "AWS::ApiGateway::GatewayResponse")
    assert {"UNAUTHORIZED", "ACCESS_DENIED", "DEFAULT_4XX", "DEFAULT_5XX", "THROTTLED"} <= {
        response["ResponseType"] for response in responses.values()
    }
    for id_, response in responses.items():
        template = response["ResponseTemplates"]["application/json"]
        error = json.loads(template.replace("$context.error.messageString", '"why"'))["error"]
        assert set(error) == {"message", "type", "param", "code"}, id_
        headers = dict(response["ResponseParameters"])
        later = headers.pop("gatewayresponse.header.retry-after", None)
        assert (later is not None) is (error["code"] == "rate_limit_exceeded")
        assert headers == {"gatewayresponse.header.x-request-id": "context.requestId"}


def test_uploads_arrive_as_bytes(pipeline: Template) -> None:
    ((_, api),) = properties(pipeline, "AWS::ApiGateway::RestApi").items()
    assert api["BinaryMediaTypes"] == ["multipart/form-data"]
    assert "Policy" not in api


# --- keys


def test_the_buckets_folders_match_the_keys() -> None:
    assert keys.upload("t", "hash", "png").startswith(UPLOADS)
    assert keys.engine_request("id").startswith(REQUESTS)
    for artifact in (keys.clip, keys.film, keys.poster, keys.spritesheet, keys.sound, keys.joint):
        assert artifact("t", "h").startswith(ARTIFACTS)
    assert keys.conformed_clip("t", "h", "f").startswith(ARTIFACTS)
    assert keys.video_folder("t", "v").startswith(VIDEOS)
    assert keys.ENGINE_OUTPUT_PREFIX.startswith(ENGINE)
    assert keys.ENGINE_FAILURE_PREFIX.startswith(ENGINE)


def test_the_table_has_the_keys_and_indexes_that_the_adapters_query(pipeline: Template) -> None:
    tables = of_type(pipeline, "AWS::DynamoDB::Table")
    for table in tables.values():
        assert _key(table["Properties"]) == ["pk", "sk"]
    (settings,) = [one["Properties"] for id_, one in tables.items() if id_.startswith("Videos")]
    assert "LocalSecondaryIndexes" not in settings  # a tenant would have at most 10 GB
    indexes = settings["GlobalSecondaryIndexes"]
    assert [(index["IndexName"], _key(index), index["Projection"]) for index in indexes] == [
        (
            "by_created",
            ["tenant", "created"],
            {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["parts"]},
        ),
        ("open", ["open", "updated_ms"], {"ProjectionType": "KEYS_ONLY"}),
    ]
    assert settings["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}


def test_upkeep_hears_what_ends_and_reconciles_each_minute(pipeline: Template) -> None:
    rules = properties(pipeline, "AWS::Events::Rule")
    upkeep = {id_: rule for id_, rule in rules.items() if id_.startswith("Upkeep")}
    patterns = [rule["EventPattern"] for rule in upkeep.values() if "EventPattern" in rule]
    found = {(pattern["source"][0], pattern["detail-type"][0]): pattern["detail"] for pattern in patterns}
    assert set(found) == {
        ("aws.states", "Step Functions Execution Status Change"),
        ("aws.codebuild", "CodeBuild Build State Change"),
        ("aws.s3", "Object Created"),
    }
    assert found["aws.states", "Step Functions Execution Status Change"]["status"] == [
        "FAILED",
        "TIMED_OUT",
        "ABORTED",
    ]
    prefixes = found["aws.s3", "Object Created"]["object"]["key"]
    assert prefixes == [{"prefix": keys.ENGINE_OUTPUT_PREFIX}, {"prefix": keys.ENGINE_FAILURE_PREFIX}]
    assert [rule["ScheduleExpression"] for rule in upkeep.values() if "ScheduleExpression" in rule] == [
        "rate(1 minute)"
    ]
    [queue] = [
        queue for id_, queue in properties(pipeline, "AWS::SQS::Queue").items() if "QueuesOutputs" in id_
    ]
    assert queue["DelaySeconds"] == 60
    for bucket in ("BucketsInput", "BucketsOutput"):
        [made] = [b for id_, b in properties(pipeline, "AWS::S3::Bucket").items() if id_.startswith(bucket)]
        assert made["NotificationConfiguration"]["EventBridgeConfiguration"]["EventBridgeEnabled"] is True


def test_the_clips_wait_in_a_table_with_the_index_that_the_queue_reads(pipeline: Template) -> None:
    tables = of_type(pipeline, "AWS::DynamoDB::Table")
    [table] = [table for id_, table in tables.items() if id_.startswith("Clips")]
    settings = table["Properties"]
    assert _key(settings) == ["pk", "sk"]
    assert [(i["IndexName"], _key(i)) for i in settings["LocalSecondaryIndexes"]] == [
        (BY_TURN, ["pk", "turn"])
    ]
    assert settings["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}


def _key(index: dict[str, Any]) -> list[str]:
    return [part["AttributeName"] for part in index["KeySchema"]]


def test_the_api_s_access_log_has_the_tenant_and_the_latency(hardened: dict[str, Template]) -> None:
    ((_, stage),) = properties(hardened["Pipeline"], "AWS::ApiGateway::Stage").items()
    line = json.loads(stage["AccessLogSetting"]["Format"])
    assert line["tenant"] == "$context.authorizer.tenant"
    assert line["responseLatency"] == "$context.responseLatency"
    # The authorizer gives the tenant under this name.
    assert '"context": {"tenant": ' in inspect.getsource(importlib.import_module("lambdas.api.authorizer"))


def test_what_the_gateway_itself_answers_is_documented() -> None:
    documented = {(status.value, code) for status, (codes, _) in ANY.items() for code in codes}
    documented |= {(status.value, code) for status, (codes, _) in SOME.items() for code in codes}
    documented.add((404, "not_found"))
    for refusal in _REFUSALS.values():
        if refusal.status is not None:
            assert (refusal.status, refusal.code) in documented

"""The engines stack."""

import json

import pytest

from cdk.code import ROOT
from containers.relay.options import parse
from tests.template.conftest import WAN
from tests.template.reading import Template, listed, properties, statements

ENGINES = ("cogvideox-5b", "cogvideox-5b-i2v")


def test_each_engine_has_an_endpoint_named_after_it(engines: Template) -> None:
    names = {e["EndpointName"] for e in properties(engines, "AWS::SageMaker::Endpoint").values()}
    assert names == {f"reelworks-{engine}" for engine in ENGINES}


def test_containers_have_no_network_and_models_come_uncompressed(engines: Template) -> None:
    uris = set()
    for model in properties(engines, "AWS::SageMaker::Model").values():
        assert model["EnableNetworkIsolation"] is True
        source = model["PrimaryContainer"]["ModelDataSource"]["S3DataSource"]
        assert (source["S3DataType"], source["CompressionType"]) == ("S3Prefix", "None")
        uris.add(source["S3Uri"])
    bucket = "reelworks-models-111122223333-eu-west-1"
    assert uris == {f"s3://{bucket}/models/{engine}/" for engine in ENGINES}


def test_results_and_failures_are_published_to_topics(engines: Template) -> None:
    for config in properties(engines, "AWS::SageMaker::EndpointConfig").values():
        asynchronous = config["AsyncInferenceConfig"]
        assert asynchronous["ClientConfig"] == {"MaxConcurrentInvocationsPerInstance": 1}
        output = asynchronous["OutputConfig"]
        bucket = "s3://reelworks-output-111122223333-eu-west-1"
        assert output["S3OutputPath"] == f"{bucket}/engine/out/"
        assert output["S3FailurePath"] == f"{bucket}/engine/failed/"
        topics = output["NotificationConfig"]
        assert topics["SuccessTopic"] != topics["ErrorTopic"]


def test_an_idle_endpoint_scales_to_zero(engines: Template) -> None:
    for instances in properties(engines, "AWS::ApplicationAutoScaling::ScalableTarget").values():
        assert (instances["MinCapacity"], instances["MaxCapacity"]) == (0, 2)
    policies = properties(engines, "AWS::ApplicationAutoScaling::ScalingPolicy").values()
    tracking = [p for p in policies if p["PolicyType"] == "TargetTrackingScaling"]
    for policy in tracking:
        settings = policy["TargetTrackingScalingPolicyConfiguration"]
        metric = settings["CustomizedMetricSpecification"]["MetricName"]
        assert (metric, settings["TargetValue"]) == ("ApproximateBacklogSizePerInstance", 1)
    waking = [p for p in policies if p["PolicyType"] == "StepScaling"]
    assert len(tracking) == len(waking) == len(ENGINES)
    metrics = [alarm["MetricName"] for alarm in properties(engines, "AWS::CloudWatch::Alarm").values()]
    assert metrics.count("HasBacklogWithoutCapacity") == len(ENGINES)


def test_a_scaling_target_waits_for_its_endpoint(engines: Template) -> None:
    endpoints = {id_ for id_, r in engines["Resources"].items() if r["Type"] == "AWS::SageMaker::Endpoint"}
    for resource in engines["Resources"].values():
        if resource["Type"] == "AWS::ApplicationAutoScaling::ScalableTarget":
            assert endpoints & set(listed(resource["DependsOn"]))


def test_endpoints_read_requests_and_models_and_write_their_results(engines: Template) -> None:
    allowed = {
        action: str(statement["Resource"])
        for _, statement in statements(engines, "AWS::IAM::Policy")
        for action in listed(statement["Action"])
    }
    assert "requests/*" in allowed["s3:GetObject"]
    assert "models/*" in allowed["s3:GetObject"]
    assert "engine/out/*" in allowed["s3:PutObject"]
    assert "sns:Publish" in allowed
    assert "s3:DeleteObject" not in allowed


def test_an_endpoint_falls_back_to_other_instance_types(engines: Template) -> None:
    for config in properties(engines, "AWS::SageMaker::EndpointConfig").values():
        (variant,) = config["ProductionVariants"]
        assert "InstanceType" not in variant
        assert variant["InstancePools"] == [
            {"InstanceType": "ml.g6e.2xlarge", "Priority": 1},
            {"InstanceType": "ml.g6e.4xlarge", "Priority": 2},
        ]
        assert variant["InferenceAmiVersion"] == "al2023-ami-sagemaker-inference-gpu-4-1"


def test_a_failed_update_is_rolled_back(engines: Template) -> None:
    alarms = {
        alarm["AlarmName"]: name
        for name, alarm in properties(engines, "AWS::CloudWatch::Alarm").items()
        if alarm["MetricName"] == "InvocationFailures"
    }
    assert set(alarms) == {f"reelworks-{engine}-rollback" for engine in ENGINES}
    for endpoint in properties(engines, "AWS::SageMaker::Endpoint").values():
        update = endpoint["DeploymentConfig"]
        (alarm,) = update["AutoRollbackConfiguration"]["Alarms"]
        assert alarm["AlarmName"] == {"Ref": alarms[f"{endpoint['EndpointName']}-rollback"]}
        policy = update["BlueGreenUpdatePolicy"]
        assert policy["TrafficRoutingConfiguration"]["Type"] == "ALL_AT_ONCE"
        assert policy["TerminationWaitInSeconds"] >= 600, "a clip takes minutes"
    (described,) = [
        statement["Resource"]
        for _, statement in statements(engines, "AWS::IAM::Policy")
        if statement["Action"] == "cloudwatch:DescribeAlarms"
    ]
    assert {arn["Fn::Join"][1][-1].split(":alarm:")[1] for arn in described} == set(alarms)


def test_an_update_keeps_the_instances_that_run(engines: Template) -> None:
    for endpoint in properties(engines, "AWS::SageMaker::Endpoint").values():
        assert endpoint["RetainAllVariantProperties"] is True
        # Nothing is left out: then the counts of instances would be the configuration's again.
        assert "ExcludeRetainedVariantProperties" not in endpoint


def test_an_added_engine_runs_the_relay_in_front_of_its_server(hardened: dict[str, Template]) -> None:
    (container,) = (
        model["PrimaryContainer"]
        for model in properties(hardened["Engines"], "AWS::SageMaker::Model").values()
        if "RELAY_NAME" in model["PrimaryContainer"]["Environment"]
    )
    variables = container["Environment"]
    assert (variables["RELAY_NAME"], variables["RELAY_KIND"]) == ("wan", "vllm-omni")
    assert variables["RELAY_MODEL"] == variables["SM_VLLM_SERVED_MODEL_NAME"] == WAN["model"]
    assert variables["SM_VLLM_ENFORCE_EAGER"] == "true"
    assert container["ModelDataSource"]["S3DataSource"]["S3Uri"].endswith("/models/wan/")
    assert json.dumps(container["Image"]).endswith(
        f':{hardened["RelayImage"]["Outputs"]["Tag"]["Value"]}"]]}}'
    )
    # The options that the container's own command reads are those that the template sets.
    with pytest.MonkeyPatch.context() as environment:
        for name, value in variables.items():
            environment.setenv(name, value)
        options = parse(["serve"])
    assert (options.name, options.model, options.sound, options.extra) == ("wan", WAN["model"], False, {})


def test_an_added_engine_s_image_is_made_of_the_server_s(hardened: dict[str, Template]) -> None:
    (project,) = properties(hardened["RelayImage"], "AWS::CodeBuild::Project").values()
    spec = json.dumps(project["Source"]["BuildSpec"])
    assert "--file containers/relay/Dockerfile" in spec
    base = json.loads((ROOT / "cdk.json").read_text())["context"]["reelworks"]["relay_image"]
    assert f"--build-arg BASE_IMAGE={base}" in spec
    dockerfile = (ROOT / "containers" / "relay" / "Dockerfile").read_text()
    assert f"ARG BASE_IMAGE={base}" in dockerfile
    assert (ROOT / "cdk.json").read_text().count(base) == 1


def test_the_functions_know_an_added_engine_and_may_call_it(hardened: dict[str, Template]) -> None:
    pipeline = hardened["Pipeline"]
    (engine,) = json.loads(pipeline["Parameters"]["AddedEngines"]["Default"])
    assert (engine["name"], engine["fps"], engine["frame_step"]) == ("wan", [24], 4)
    for id_, function in properties(pipeline, "AWS::Lambda::Function").items():
        if "POWERTOOLS_SERVICE_NAME" in function["Environment"]["Variables"]:
            assert function["Environment"]["Variables"]["REELWORKS_ADDED_ENGINES"] == {
                "Ref": "AddedEngines"
            }, id_
    called = [
        str(statement["Resource"])
        for _, statement in statements(pipeline, "AWS::IAM::Policy")
        if "sagemaker:InvokeEndpointAsync" in listed(statement["Action"])
    ]
    assert len(called) == 3
    assert all("endpoint/hardened-wan" in resource for resource in called)

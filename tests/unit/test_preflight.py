"""`reel preflight`: each outcome of each check, on stubbed clients."""

import io
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError, ProxyConnectionError, ReadTimeoutError
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from cdk.settings import DeploymentSettings
from lambdas.adapters import stills
from reelworks.finding import Finding, all_needed_is_there
from reelworks.models import MANIFEST
from reelworks.preflight.account import Account, CallFailed, calling
from reelworks.preflight.bedrock import image_models, text_models
from reelworks.preflight.bootstrap import CDK, PARAMETER, bootstrap
from reelworks.preflight.credentials import identify, sign_in
from reelworks.preflight.engine_models import engine_models
from reelworks.preflight.machine import tools
from reelworks.preflight.polly import voice
from reelworks.preflight.quotas import (
    ENOUGH_FUNCTIONS,
    build_quotas,
    function_quota,
    instance_quotas,
    quota_name,
)

ROOT = Path(__file__).parents[2]
REGION, NUMBER = "eu-west-1", "111122223333"
G6E, G6E_LARGER = "ml.g6e.2xlarge", "ml.g6e.4xlarge"


@cache
def client(service: str, region: str) -> Any:
    """A client takes long to make; tests take turns with it."""
    return boto3.client(  # type: ignore[call-overload]
        service, region, aws_access_key_id="a", aws_secret_access_key="b"
    )


class Stubs:
    """An account whose services are stubbed; `stubs("ssm")` is the stub of one."""

    def __init__(self) -> None:
        self._stubs: dict[tuple[str, str], Stubber] = {}
        self.account = Account(self._client, NUMBER, REGION, secrets=("sEcReT",))

    def __call__(self, service: str, region: str = REGION) -> Stubber:
        if (service, region) not in self._stubs:
            self._stubs[service, region] = Stubber(client(service, region))
            self._stubs[service, region].activate()
        return self._stubs[service, region]

    def _client(self, service: str, *, region_name: str) -> Any:
        return self(service, region_name).client

    def check(self) -> None:
        for stub in self._stubs.values():
            stub.deactivate()
            stub.assert_no_pending_responses()


@pytest.fixture
def stubs() -> Iterator[Stubs]:
    stubs = Stubs()
    yield stubs
    stubs.check()


def settings(**given: Any) -> DeploymentSettings:
    return DeploymentSettings.of_checkout({}, given)


WITH_ENGINES = settings(engines=["animatic", "cogvideox-5b", "cogvideox-5b-i2v"])


def state(finding: Finding) -> tuple[bool, bool, bool]:
    return finding.ok, finding.needed, finding.warning


FAILS, WORKS_LESS = (False, True, False), (False, False, True)


# --- calls


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://sts.eu-west-1.amazonaws.com"),
        ReadTimeoutError(endpoint_url="https://sts.eu-west-1.amazonaws.com"),
        ProxyConnectionError(proxy_url="http://user:pass@proxy:3128"),
        OSError("no route to host"),
        KeyError("Account"),
    ],
)
def test_no_answer_is_a_failed_call(error: Exception) -> None:
    with pytest.raises(CallFailed) as raised, calling():
        raise error
    assert raised.value.code == ""
    assert "pass" not in str(raised.value)


def test_a_reason_is_one_line_without_secrets(stubs: Stubs) -> None:
    signed = "The signature does not match sEcReT.\nThe Canonical String …\nx-amz-security-token:sEcReT"
    stubs("sts").add_client_error("get_caller_identity", "SignatureDoesNotMatch", signed)
    account, (finding,) = identify(stubs.account)
    assert (account, state(finding)) == (None, FAILS)
    assert finding.found == "SignatureDoesNotMatch: The signature does not match …."


# --- credentials and region


def test_valid_credentials(stubs: Stubs) -> None:
    caller = {"Account": "444455556666", "Arn": "arn:aws:iam::444455556666:user/ann"}
    stubs("sts").add_response("get_caller_identity", caller)
    account, (finding,) = identify(stubs.account)
    assert account is not None
    assert account.number == "444455556666"
    assert finding.ok
    assert finding.found == "arn:aws:iam::444455556666:user/ann, account 444455556666"


def test_expired_credentials(stubs: Stubs) -> None:
    stubs("sts").add_client_error("get_caller_identity", "ExpiredToken", "The token is expired")
    _, (finding,) = identify(stubs.account)
    assert state(finding) == FAILS
    assert finding.todo.startswith("aws sso login")


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """A shell without AWS settings but the given ones."""
    for name in ("PROFILE", "REGION", "DEFAULT_REGION", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))

    def with_variables(config: str = "", **variables: str) -> None:
        (tmp_path / "config").write_text(config)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return with_variables


@pytest.mark.parametrize(
    ("config", "variables", "what", "found", "todo"),
    [
        ("", {}, "Region", "none is set", "export AWS_REGION="),
        ("", {"AWS_PROFILE": "film"}, "Credentials", "profile (film) could not be found", "AWS_PROFILE"),
        (
            "[default]\nregion = eu-west-1",
            {"AWS_REGION": "us-east-1"},
            "Region",
            "AWS_REGION is us-east-1, but AWS_DEFAULT_REGION or the profile says eu-west-1",
            "export AWS_DEFAULT_REGION=us-east-1",
        ),
        ("[default]\nregion = eu-west-1", {}, "Credentials", "none found", "aws configure sso"),
        (
            "[default]\nregion = eu-west-1\ncredential_process = /nowhere/keys",
            {},
            "Credentials",
            "/nowhere/keys",
            "aws configure sso",
        ),
    ],
)
def test_nothing_to_sign_in_with(
    shell: Callable[..., None], config: str, variables: dict[str, str], what: str, found: str, todo: str
) -> None:
    shell(config, **variables)
    account, findings = sign_in()
    finding = findings[-1]
    assert (account, finding.what, state(finding)) == (None, what, FAILS)
    assert found in finding.found
    assert todo in finding.todo


def test_a_region_that_only_the_cdk_reads(shell: Callable[..., None]) -> None:
    shell(AWS_REGION="us-east-1")
    _, (region, credentials) = sign_in()
    assert state(region) == WORKS_LESS
    assert region.todo == "export AWS_DEFAULT_REGION=us-east-1"
    assert credentials.found == "none found"


def test_npx_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (missing,) = tools(settings())
    assert state(missing) == FAILS
    (tmp_path / "npx").touch(mode=0o755)
    assert tools(settings())[0].ok


BY_DOCKER = settings(engines=["animatic", "cogvideox-5b"], image_builder="docker")


@pytest.mark.parametrize(
    ("program", "found"),
    [
        (None, "No such file or directory"),
        ("echo 'unknown command' >&2; exit 1", "`docker buildx`: unknown command"),
        ("test $1 = buildx || { echo 'no daemon' >&2; exit 1; }", "`docker version`: no daemon"),
        ("exec sleep 60", "did not answer within 0.2 s"),
    ],
)
def test_docker_is_needed_where_it_builds_the_image(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str | None, found: str
) -> None:
    monkeypatch.setattr("reelworks.preflight.machine._PATIENCE_SECONDS", 0.2 if found.endswith("s") else 20)
    if program is not None:
        (tmp_path / "docker").write_text(f"#!/bin/sh\nPATH=/bin:/usr/bin\n{program}\n")
        (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    _, docker = tools(BY_DOCKER)
    assert (docker.what, state(docker)) == ("Docker", FAILS)
    assert found in docker.found


def test_docker_that_can_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\necho 29.0.1\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    _, docker = tools(BY_DOCKER)
    assert (docker.ok, docker.found) == (True, "29.0.1")


def test_codebuild_needs_no_docker() -> None:
    assert [finding.what for finding in tools(WITH_ENGINES)] == ["npx"]


# --- bootstrap


@pytest.mark.parametrize(("version", "ok"), [("30", True), ("6", True), ("5", False)])
def test_the_version_of_the_bootstrap(stubs: Stubs, version: str, ok: bool) -> None:
    stubs("ssm").add_response("get_parameter", {"Parameter": {"Value": version}}, {"Name": PARAMETER})
    finding = bootstrap(stubs.account)
    assert (finding.ok, finding.needed) == (ok, True)


def test_no_bootstrap(stubs: Stubs) -> None:
    stubs("ssm").add_client_error("get_parameter", "ParameterNotFound")
    finding = bootstrap(stubs.account)
    assert state(finding) == FAILS
    assert finding.todo == f"{CDK} bootstrap aws://111122223333/eu-west-1"
    assert CDK in (ROOT / "Makefile").read_text().replace("--yes ", "")


def test_a_check_that_is_not_allowed_fails_no_deployment(stubs: Stubs) -> None:
    stubs("ssm").add_client_error("get_parameter", "AccessDeniedException", "not authorized")
    finding = bootstrap(stubs.account)
    assert state(finding) == WORKS_LESS
    assert "ssm:GetParameter" in finding.todo
    assert all_needed_is_there([finding])


def test_an_answer_that_is_not_a_version(stubs: Stubs) -> None:
    stubs("ssm").add_response("get_parameter", {"Parameter": {"Value": "new"}})
    assert state(bootstrap(stubs.account)) == WORKS_LESS


# --- quotas


@pytest.mark.parametrize(
    ("total", "free", "ok"),
    [(1000, 1000, True), (ENOUGH_FUNCTIONS, ENOUGH_FUNCTIONS, True), (10, 10, False), (1000, 20, False)],
)
def test_functions_at_once(stubs: Stubs, total: int, free: int, ok: bool) -> None:
    limit = {"ConcurrentExecutions": total, "UnreservedConcurrentExecutions": free}
    stubs("lambda").add_response("get_account_settings", {"AccountLimit": limit})
    finding = function_quota(stubs.account)
    assert (finding.ok, finding.needed, finding.warning) == (ok, False, not ok)
    assert ok or "--service-code lambda --quota-code L-B99A9384 --desired-value 1000" in finding.todo


def quota(name: str, value: float) -> dict[str, Any]:
    return {"QuotaName": name, "QuotaCode": f"L-{name[3:6].upper()}", "Value": value}


def add_quotas(stubs: Stubs, applied: dict[str, float], defaults: dict[str, float] | None = None) -> None:
    """Add an applied list of two pages, and the list of defaults if it is needed."""
    stub = stubs("service-quotas")
    first = {"Quotas": [quota("ml.g6e.2xlarge for training job usage", 99)], "NextToken": "2"}
    stub.add_response("list_service_quotas", first, {"ServiceCode": "sagemaker"})
    pages = [quota(quota_name(name), value) for name, value in applied.items()]
    more = {"ServiceCode": "sagemaker", "NextToken": "2"}
    stub.add_response("list_service_quotas", {"Quotas": pages}, more)
    if defaults is not None:
        listed = [quota(quota_name(name), value) for name, value in defaults.items()]
        stub.add_response("list_aws_default_service_quotas", {"Quotas": listed}, {"ServiceCode": "sagemaker"})


def test_quotas_that_allow_an_update(stubs: Stubs) -> None:
    add_quotas(stubs, {G6E: 8, G6E_LARGER: 8})
    assert [finding.ok for finding in instance_quotas(stubs.account, WITH_ENGINES)] == [True, True]


def test_a_new_account_has_no_instances(stubs: Stubs) -> None:
    add_quotas(stubs, {}, {G6E: 0, G6E_LARGER: 0})
    first, second = instance_quotas(stubs.account, WITH_ENGINES)
    assert (state(first), state(second)) == (FAILS, WORKS_LESS)
    assert first.what == "Quota ml.g6e.2xlarge"
    assert "0 instances for endpoints; the deployment starts 2" in first.found
    assert first.todo == (
        "aws service-quotas request-service-quota-increase --service-code sagemaker --quota-code L-G6E "
        "--desired-value 8 --region eu-west-1"
    )
    assert "stands in" in second.found


def test_an_applied_quota_counts_more_than_the_default(stubs: Stubs) -> None:
    add_quotas(stubs, {G6E: 2}, {G6E: 0, G6E_LARGER: 8})
    first, second = instance_quotas(stubs.account, WITH_ENGINES)
    assert (state(first), second.ok) == (WORKS_LESS, True)
    assert first.found == "2 instances for endpoints; 8 allow 4 to be replaced in an update"


def test_an_instance_type_that_the_region_does_not_have(stubs: Stubs) -> None:
    add_quotas(stubs, {G6E_LARGER: 8}, {G6E_LARGER: 8})
    first, second = instance_quotas(stubs.account, WITH_ENGINES)
    assert (state(first), second.ok) == (FAILS, True)
    assert "eu-west-1 may not have ml.g6e.2xlarge" in first.todo


def test_quotas_that_nobody_lists(stubs: Stubs) -> None:
    stubs("service-quotas").add_client_error("list_service_quotas", "AccessDeniedException")
    (finding,) = instance_quotas(stubs.account, WITH_ENGINES)
    assert state(finding) == WORKS_LESS
    assert "servicequotas:ListServiceQuotas" in finding.todo


FILM_BUILDS = "Concurrently running builds for ARM/Small environment"
IMAGE_BUILDS = "Concurrently running builds for Linux/Medium environment"


def add_builds(stubs: Stubs, **values: float) -> None:
    names = {"film": FILM_BUILDS, "image": IMAGE_BUILDS}
    listed = [{"QuotaName": names[one], "QuotaCode": f"L-{one}", "Value": v} for one, v in values.items()]
    asked = {"ServiceCode": "codebuild"}
    stubs("service-quotas").add_response("list_service_quotas", {"Quotas": listed}, asked)


def test_builds_that_may_run(stubs: Stubs) -> None:
    add_builds(stubs, film=1, image=1)
    assert all(finding.ok for finding in build_quotas(stubs.account, WITH_ENGINES))


def test_a_new_account_may_run_no_build(stubs: Stubs) -> None:
    add_builds(stubs, film=0, image=0)
    films, image = build_quotas(stubs.account, WITH_ENGINES)
    assert (state(films), state(image)) == (WORKS_LESS, FAILS)
    assert "--service-code codebuild --quota-code L-image" in image.todo
    assert image.todo.endswith('set image_builder to "docker" in cdk.json')


@pytest.mark.parametrize("chosen", [settings(), BY_DOCKER])
def test_only_codebuild_needs_builds_of_the_image(stubs: Stubs, chosen: DeploymentSettings) -> None:
    add_builds(stubs, film=1)
    (films,) = build_quotas(stubs.account, chosen)
    assert films.ok


def test_no_engine_on_an_endpoint_needs_no_quota(stubs: Stubs) -> None:
    assert instance_quotas(stubs.account, settings()) == []
    assert engine_models(stubs.account, settings()) == []


# --- models

ONE_ENGINE = settings(engines=["animatic", "cogvideox-5b"], model_bucket="films-models")
FOLDER = "models/cogvideox-5b/"
FILES = {"model_index.json": 3, "vae/model.safetensors": 4_000_000_000}


def add_model(stubs: Stubs, objects: dict[str, int], manifest: bytes | None = None) -> None:
    s3 = stubs("s3")
    entries = [{"Key": FOLDER + path, "Size": size} for path, size in objects.items()]
    asked = {"Bucket": "films-models", "Prefix": FOLDER}
    s3.add_response("list_objects_v2", {"Contents": entries, "IsTruncated": False}, asked)
    if manifest is not None:
        body = {"Body": StreamingBody(io.BytesIO(manifest), len(manifest))}
        s3.add_response("get_object", body, {"Bucket": "films-models", "Key": FOLDER + MANIFEST})


def manifest(files: dict[str, int]) -> bytes:
    records = {path: {"bytes": size, "sha256": "0" * 64} for path, size in files.items()}
    return json.dumps({"model": "cogvideox-5b", "revision": "abc", "files": records}).encode()


def test_a_model_as_its_manifest_lists_it(stubs: Stubs) -> None:
    add_model(stubs, FILES | {MANIFEST: 1}, manifest(FILES))
    (finding,) = engine_models(stubs.account, ONE_ENGINE)
    assert finding.ok
    assert finding.found == "s3://films-models/models/cogvideox-5b/: 2 files, 4.0 GB, abc"


@pytest.mark.parametrize(
    ("objects", "content", "found"),
    [
        ({}, None, "has no model"),
        (FILES, None, "an incomplete model: no manifest"),
        (FILES | {MANIFEST: 1}, b"{}", "is not a valid manifest"),
        (FILES | {MANIFEST: 1, "more.bin": 1}, manifest(FILES), "differs from its manifest: more.bin"),
        (FILES | {MANIFEST: 1, "model_index.json": 4}, manifest(FILES), "manifest: model_index.json"),
        ({"model_index.json": 3, MANIFEST: 1}, manifest(FILES), "manifest: vae/model.safetensors"),
    ],
)
def test_a_model_that_its_engine_would_refuse(
    stubs: Stubs, objects: dict[str, int], content: bytes | None, found: str
) -> None:
    add_model(stubs, objects, content)
    (finding,) = engine_models(stubs.account, ONE_ENGINE)
    assert state(finding) == FAILS
    assert found in finding.found
    assert finding.todo == "reel models pull cogvideox-5b && reel models push cogvideox-5b"


def test_no_bucket_of_models(stubs: Stubs) -> None:
    nano = settings(
        engines=["cogvideox-nano"],
        default_engine="cogvideox-nano",
        endpoints={"cogvideox-nano": {"instance_types": ["ml.g5.2xlarge"], "max_instances": 1}},
    )
    stubs("s3").add_client_error("list_objects_v2", "NoSuchBucket")
    (finding,) = engine_models(stubs.account, nano)
    assert state(finding) == FAILS
    assert finding.found == "bucket reelworks-models-111122223333-eu-west-1 does not exist"
    assert finding.todo == "reel models push cogvideox-nano"


def test_a_bucket_that_the_deployer_may_not_read(stubs: Stubs) -> None:
    stubs("s3").add_client_error("list_objects_v2", "AccessDenied", "Access Denied")
    (finding,) = engine_models(stubs.account, ONE_ENGINE)
    assert state(finding) == WORKS_LESS
    assert "s3:ListBucket" in finding.todo


def test_a_model_of_a_server_that_has_no_manifest(stubs: Stubs) -> None:
    endpoints = {"wan": {"instance_types": ["ml.g6e.2xlarge"], "max_instances": 1}}
    relay = {"model": "Wan-AI/Wan2.2", "sizes": ["832x480"], "fps": [16]}
    added = settings(
        engines=["animatic", "wan"], relays={"wan": relay}, endpoints=endpoints, model_bucket="films-models"
    )
    asked = {"Bucket": "films-models", "Prefix": "models/wan/"}
    entries = [{"Key": f"models/wan/{path}", "Size": size} for path, size in FILES.items()]
    stubs("s3").add_response("list_objects_v2", {"Contents": entries}, asked)
    (finding,) = engine_models(stubs.account, added)
    assert (finding.ok, finding.found) == (True, "s3://films-models/models/wan/: 2 files, 4.0 GB")
    stubs("s3").add_response("list_objects_v2", {}, asked)
    (finding,) = engine_models(stubs.account, added)
    assert state(finding) == FAILS
    assert finding.found == "s3://films-models/models/wan/ has no files"
    assert finding.todo.startswith("aws s3 sync FOLDER s3://films-models/models/wan/")


# --- text models

MODEL = settings().text_model


def test_every_text_model_is_asked_once(stubs: Stubs) -> None:
    answer = {
        "output": {"message": {"role": "assistant", "content": [{"text": "Yes."}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 9, "outputTokens": 2, "totalTokens": 11},
        "metrics": {"latencyMs": 300},
    }
    for model in ("amazon.nova-lite-v1:0", MODEL):
        asked = {"modelId": model, "messages": ANY, "inferenceConfig": ANY}
        stubs("bedrock-runtime").add_response("converse", answer, asked)
    given = settings(text_models=["amazon.nova-lite-v1:0", MODEL])
    assert [finding.ok for finding in text_models(stubs.account, given)] == [True, True]


@pytest.mark.parametrize(
    ("code", "message", "todo"),
    [
        (
            "ResourceNotFoundException",
            "Model use case details have not been submitted for this account. Fill out the Anthropic use "
            "case details form before using the model.",
            "https://eu-west-1.console.aws.amazon.com/bedrock/home?region=eu-west-1#/model-catalog",
        ),
        (
            "AccessDeniedException",
            "Model access is denied due to IAM user or service role is not authorized to perform the "
            "required AWS Marketplace actions (aws-marketplace:ViewSubscriptions, aws-marketplace:Subscribe)",
            "may call aws-marketplace:Subscribe",
        ),
        (
            "AccessDeniedException",
            "Model access is denied due to INVALID_PAYMENT_INSTRUMENT: A valid payment instrument must be "
            "provided.",
            "add a valid payment method",
        ),
        (
            "ValidationException",
            "Invocation of model ID x with on-demand throughput isn’t supported. Retry your request with the "
            "ID or ARN of an inference profile that contains this model.",
            "set text_model to an inference profile",
        ),
        ("ValidationException", "The provided model identifier is invalid.", "set text_model to a model"),
        (
            "ResourceNotFoundException",
            "This model version has reached the end of its life.",
            "to a newer model",
        ),
        (
            "AccessDeniedException",
            "User: x is not authorized to perform: bedrock:InvokeModel",
            "allow bedrock",
        ),
        ("ThrottlingException", "Too many requests", "run `reel preflight` again"),
    ],
)
def test_a_text_model_that_does_not_answer(stubs: Stubs, code: str, message: str, todo: str) -> None:
    """A deployment without its text model works: films are made from their prompts unchanged."""
    stubs("bedrock-runtime").add_client_error("converse", code, message)
    (finding,) = text_models(stubs.account, settings())
    assert (finding.what, state(finding)) == (f"Text model {MODEL}", WORKS_LESS)
    assert todo in finding.todo
    assert message[:40] in finding.found


# --- image models


def availability(agreement: str = "AVAILABLE") -> dict[str, Any]:
    return {
        "modelId": "any",
        "agreementAvailability": {"status": agreement},
        "authorizationStatus": "AUTHORIZED",
        "entitlementAvailability": "AVAILABLE",
        "regionAvailability": "AVAILABLE",
    }


def test_an_image_model_that_the_account_has_draws_nothing(stubs: Stubs) -> None:
    for _ in stills.MODELS:
        stubs("bedrock", stills.REGION).add_response("get_foundation_model_availability", availability())
    assert all(finding.ok for finding in image_models(stubs.account))


def test_an_image_model_draws_once_to_subscribe_the_account(stubs: Stubs) -> None:
    first, second = sorted(stills.MODELS.values())
    for _ in (first, second):
        stubs("bedrock", stills.REGION).add_response(
            "get_foundation_model_availability", availability("NOT_AVAILABLE")
        )
    picture = b'{"images": ["iVBO"]}'
    drawn = {"body": StreamingBody(io.BytesIO(picture), len(picture)), "contentType": "application/json"}
    runtime = stubs("bedrock-runtime", stills.REGION)
    runtime.add_response("invoke_model", drawn, {"modelId": first, "body": ANY})
    runtime.add_client_error("invoke_model", "AccessDeniedException", "aws-marketplace:Subscribe is required")
    draws, refuses = image_models(stubs.account)
    assert (draws.ok, draws.found) == (True, "it draws (us-west-2)")
    assert state(refuses) == WORKS_LESS
    assert "aws-marketplace:Subscribe" in refuses.todo


def test_an_image_model_that_may_not_be_looked_up(stubs: Stubs) -> None:
    for _ in stills.MODELS:
        stubs("bedrock", stills.REGION).add_client_error(
            "get_foundation_model_availability", "AccessDeniedException"
        )
    for finding in image_models(stubs.account):
        assert state(finding) == WORKS_LESS
        assert "bedrock:GetFoundationModelAvailability" in finding.todo


# --- voice


def test_a_voice_that_speaks(stubs: Stubs) -> None:
    asked = {"Text": ANY, "VoiceId": "Joanna", "Engine": "neural", "OutputFormat": "mp3"}
    sound = {"AudioStream": StreamingBody(io.BytesIO(b"mp3"), 3), "ContentType": "audio/mpeg"}
    stubs("polly").add_response("synthesize_speech", sound, asked)
    assert voice(stubs.account, settings()).ok


@pytest.mark.parametrize(
    ("code", "todo"),
    [
        ("EngineNotSupportedException", "aws polly describe-voices --engine neural --region eu-west-1"),
        ("ValidationException", "aws polly describe-voices"),
        ("AccessDeniedException", "allow polly:SynthesizeSpeech"),
        ("ServiceFailureException", "run `reel preflight` again"),
    ],
)
def test_a_voice_that_does_not_speak(stubs: Stubs, code: str, todo: str) -> None:
    stubs("polly").add_client_error("synthesize_speech", code, "the voice does not speak")
    finding = voice(stubs.account, settings())
    assert state(finding) == WORKS_LESS
    assert todo in finding.todo

"""A local AWS that enforces IAM as AWS does and remembers each decision. Serve it by `local_aws`, AUTH=true.

ministack (1.5.33) enforces the calls that functions make to it. Added here, all with its own evaluator:

- the calls to our stand-ins: Bedrock, Polly, SageMaker and CodeBuild;
- the calls that a service makes with a role that it was given: Lambda's to a function's queue, log and
  dead-letter queue, Step Functions' to its functions, CodeBuild's to its source;
- a missing object, which S3 only tells to those who may list its bucket;
- the state machine that a task token belongs to, and TLS, which AWS's clients use.

GET /_decisions returns [[role, action, resource, condition keys, allowed], …], each once.
POST /_engine with {"command", "outputs", "missing"} says how each endpoint's server starts, what the stack's
outputs are, and which engines have no endpoint.
POST /_hold with {"role", "path"}, both patterns of fnmatch, holds each PUT of such a role to such a path from
then on. GET /_hold returns how many are held, DELETE /_hold releases them.
"""

import asyncio
import json
import os
import re
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ministack import app as ministack
from ministack.core import iam_evaluator
from ministack.services import lambda_svc, stepfunctions
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lambdas.domain.engines import CATALOGUE, Renderer
from lambdas.domain.keys import ENGINE_FAILURE_PREFIX, ENGINE_OUTPUT_PREFIX
from lambdas.domain.names import endpoint_name
from reelworks.cloud.addresses import REGION
from reelworks.cloud.aws import client
from reelworks.cloud.backends.clips.endpoint import Endpoint
from reelworks.cloud.credentials import ACCOUNT, Credentials
from reelworks.cloud.server.dispatch import Dispatcher, signed_for
from reelworks.cloud.server.functions.runtime import FunctionRuntime
from reelworks.cloud.services.aws_events import emit
from reelworks.cloud.services.bedrock import BedrockRuntime
from reelworks.cloud.services.codebuild import CodeBuild
from reelworks.cloud.services.polly import Polly
from reelworks.cloud.services.sagemaker import SageMakerRuntime
from reelworks.cloud.services.wire import replayed
from reelworks.cloud.settings import Settings, TextServer
from tests.cloud.policy_mutants import TEXT_SERVER

_ROOT = Credentials("test", "test")
_KEY = re.compile(r"Credential=([^/,\s]+)/")
_OBJECT = re.compile(r"/([^/]+)/(.+)")


# --- decisions

_decisions: set[tuple[str, str, str, str, bool]] = set()


def _remember(role: str, action: str, resource: str, context: Mapping[str, Any], allowed: bool) -> None:
    keys = {name.lower(): value for name, value in context.items() if value is not None}
    _decisions.add((role, action, resource, json.dumps(keys, sort_keys=True), allowed))


def _remembering(enforce: Callable[..., Any]) -> Callable[..., Any]:
    """ministack's `enforce`, which each call of a role passes."""

    def enforced(
        key: str,
        action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        if action.startswith("states:SendTask"):
            resource_arn = _machine()["stateMachineArn"]
        refusal = enforce(key, action, service, region, resource_arn, service_context)
        if role := _role_of(key):
            _remember(role, action, resource_arn, service_context or {}, refusal is None)
        return refusal

    return enforced


def _role_of(key: str) -> str | None:
    """The role whose session an access key belongs to; None for the account's root."""
    principal = iam_evaluator.resolve_principal(key, ACCOUNT)
    if getattr(principal, "policies", None) is None:
        return None
    return iam_evaluator._role_name_from_assumed_arn(principal.arn)


def _machine() -> dict[str, Any]:
    """The state machine; a deployment has one."""
    [machine] = stepfunctions._state_machines._data.values()
    return dict(machine)


def _allowed(role: str, action: str, resource: str, **context: str) -> bool:
    asked = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/service",
        principal_type="AssumedRole",
        principal_account=ACCOUNT,
        action=action,
        resource_arn=resource,
        region=REGION,
        service_context=context,
    )
    policies = iam_evaluator._gather_role_policies(role, ACCOUNT)
    allowed = bool(iam_evaluator.evaluate(asked, policies).decision == "Allow")
    _remember(role, action, resource, context, allowed)
    return allowed


def _role(resource: Mapping[str, Any], name: str) -> str:
    """The name of the role that a resource was given."""
    return str(resource[name]).rpartition("/")[2]


# --- what services do with a role


def _enforce_what_services_do() -> None:
    write_log, poll = lambda_svc._emit_lambda_logs, lambda_svc._dispatch_esm_batch
    fail, call = lambda_svc._route_async_failure, stepfunctions._call_lambda

    def log_written(function: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        config = function.get("config") or function
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
        stream = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:log-stream:of-an-instance"
        calls = ("logs:CreateLogStream", "logs:PutLogEvents")
        if all(_allowed(_role(config, "Role"), one, stream) for one in calls):
            write_log(function, *args, **kwargs)

    def polled(id_: str, run: Any, mapping: dict[str, Any], function: dict[str, Any], *args: Any) -> None:
        role, queue = _role(function["config"], "Role"), mapping["EventSourceArn"]
        # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html, "Execution role"
        calls = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
        if all(_allowed(role, one, queue) for one in calls):
            poll(id_, run, mapping, function, *args)

    def failed(queue: str, name: str, *args: Any) -> None:
        if _allowed(_role(lambda_svc._functions[name]["config"], "Role"), "sqs:SendMessage", queue):
            fail(queue, name, *args)

    def called(function: str, event: Any) -> Any:
        role = _role(_machine(), "roleArn")
        if not _allowed(role, "lambda:InvokeFunction", function):
            denied = f"{role} is not authorized to perform: lambda:InvokeFunction on resource: {function}"
            raise stepfunctions._ExecutionError("Lambda.AWSLambdaException", denied)
        return call(function, event)

    lambda_svc._emit_lambda_logs, lambda_svc._dispatch_esm_batch = log_written, polled
    lambda_svc._route_async_failure, stepfunctions._call_lambda = failed, called


class _Projects:
    """CodeBuild's projects, whose builds have the credentials of their role."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._codebuild, self._sts = client("codebuild", url, _ROOT), client("sts", url, _ROOT)

    def batch_get_projects(self, names: list[str]) -> dict[str, Any]:
        found: dict[str, Any] = self._codebuild.batch_get_projects(names=names)
        for project in found["projects"]:
            role, source = _role(project, "serviceRole"), f"arn:aws:s3:::{project['source']['location']}"
            if not _allowed(role, "s3:GetObject", source):
                raise PermissionError(f"{role} is not authorized to perform: s3:GetObject on {source}")
            lent = self._sts.assume_role(RoleArn=project["serviceRole"], RoleSessionName="build")[
                "Credentials"
            ]
            variables = {
                "AWS_ENDPOINT_URL": self._url,
                "AWS_DEFAULT_REGION": REGION,
                "AWS_ACCESS_KEY_ID": lent["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": lent["SecretAccessKey"],
                "AWS_SESSION_TOKEN": lent["SessionToken"],
            }
            project["environment"]["environmentVariables"] += [
                {"name": name, "value": value} for name, value in variables.items()
            ]
        return found


# --- what functions ask the stand-ins

Calls = list[tuple[str, str, dict[str, str]]]  # action, resource, condition keys in lower case
_PROFILE = re.compile(r"(global|[a-z]{2,4})\.([a-z0-9]+\..+)")


def _bedrock_calls(path: str, region: str, _: bytes) -> Calls:
    """A call of a profile needs the profile, and through it the model."""
    model = unquote(path.split("/")[2])
    action = "bedrock:InvokeModel"
    if not (profile := _PROFILE.fullmatch(model)):
        return [(action, f"arn:aws:bedrock:{region}::foundation-model/{model}", {})]
    arn = f"arn:aws:bedrock:{region}:{ACCOUNT}:inference-profile/{model}"
    of_profile = {"bedrock:inferenceprofilearn": arn}
    return [
        (action, arn, {}),
        (action, f"arn:aws:bedrock:eu-central-1::foundation-model/{profile[2]}", of_profile),
    ]


def _polly_calls(path: str, *_: object) -> Calls:
    return [("polly:DescribeVoices" if path.startswith("/v1/voices") else "polly:SynthesizeSpeech", "*", {})]


def _sagemaker_calls(path: str, region: str, body: bytes) -> Calls:
    call, name = (
        ("InvokeEndpointAsync", path.split("/")[2])
        if path.startswith("/endpoints/")
        else ("DescribeEndpoint", json.loads(body)["EndpointName"])
    )
    return [(f"sagemaker:{call}", f"arn:aws:sagemaker:{region}:{ACCOUNT}:endpoint/{name}", {})]


def _codebuild_calls(_: str, region: str, body: bytes) -> Calls:
    asked = json.loads(body)
    arn = f"arn:aws:codebuild:{region}:{ACCOUNT}:project/"
    if "ids" in asked:
        return [("codebuild:BatchGetBuilds", arn + id_.partition(":")[0], {}) for id_ in asked["ids"]]
    return [("codebuild:StartBuild", arn + asked["projectName"], {})]


def _enforced(app: ASGIApp, calls: Callable[[str, str, bytes], Calls]) -> ASGIApp:
    """The stand-in, for those whose role may make the calls that a request means."""

    async def enforced(scope: Scope, receive: Receive, send: Send) -> None:
        role = _caller(scope)
        if role is None:
            await app(scope, receive, send)
            return
        body = await Request(scope, receive).body()
        region = Headers(scope=scope)["authorization"].split("/")[2]
        for action, resource, context in calls(scope["path"], region, body):
            if not _allowed(role, action, resource, **context):
                await _denial(role, action, resource)(scope, receive, send)
                return
        await app(scope, replayed(body, receive), send)

    return enforced


def _caller(scope: Scope) -> str | None:
    """The role that a request is signed by; None for the account's root."""
    headers = Headers(scope=scope)
    key = _KEY.search(headers.get("authorization", "") or unquote(scope["query_string"].decode()))
    return _role_of(key[1]) if key else None


def _denial(role: str, action: str, resource: str) -> Response:
    message = f"User: {role} is not authorized to perform: {action} on resource: {resource}"
    return JSONResponse(
        {"__type": "AccessDeniedException", "message": message},
        403,
        {"x-amzn-errortype": "AccessDeniedException"},
    )


def _hiding_what_is_missing(app: ASGIApp) -> ASGIApp:
    """Answer 403 for a missing object to those who may not list its bucket
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Permissions")."""

    async def hiding(scope: Scope, receive: Receive, send: Send) -> None:
        found = _OBJECT.fullmatch(scope["path"]) if scope["type"] == "http" else None
        headers = Headers(scope=scope) if found else {}
        reads = found and (scope["method"] in ("GET", "HEAD") or "x-amz-copy-source" in headers)
        role = _caller(scope) if reads and signed_for(scope) == "s3" else None
        hidden = False

        async def told(message: Message) -> None:
            nonlocal hidden
            if message["type"] == "http.response.start" and message["status"] == 404 and role and found:
                copied = unquote(headers.get("x-amz-copy-source", "")).strip("/").partition("/")[0]
                bucket = f"arn:aws:s3:::{copied or found[1]}"
                if not _allowed(role, "s3:ListBucket", bucket):
                    hidden = True
                    text = f"{role} is not authorized to perform: s3:ListBucket on resource: {bucket}"
                    error = f"<Error><Code>AccessDenied</Code><Message>{text}</Message></Error>"
                    await Response(error, 403, media_type="application/xml")(scope, receive, send)
            if not hidden:
                await send(message)

        await app(scope, receive, told)

    return hiding


# --- the cloud


class _Endpoints(dict[str, Endpoint]):
    """An endpoint for each engine, once the stack is deployed."""

    def fill(self, command: list[str], outputs: Mapping[str, str], missing: list[str]) -> None:
        for engine in CATALOGUE.values():
            if engine.renderer is Renderer.ENDPOINT and engine.name not in missing:
                name = endpoint_name(outputs["EndpointPrefix"], engine.name)
                self[name] = Endpoint(
                    name=name,
                    command=tuple(command),
                    s3_output_path=f"s3://{outputs['OutputBucket']}/{ENGINE_OUTPUT_PREFIX}",
                    s3_failure_path=f"s3://{outputs['OutputBucket']}/{ENGINE_FAILURE_PREFIX}",
                    success_topic_arn=outputs["SuccessTopicArn"],
                    error_topic_arn=outputs["ErrorTopicArn"],
                )


class _Hold:
    """Holds PUTs, so that something else comes first."""

    def __init__(self) -> None:
        self._patterns: tuple[str, str] | None = None
        self._held: list[asyncio.Event] = []

    async def passed(self, scope: Scope) -> None:
        """Return once a request may go on."""
        if self._patterns is None or scope["method"] != "PUT":
            return
        role, path = self._patterns
        if fnmatchcase(scope["path"], path) and fnmatchcase(_caller(scope) or "", role):
            self._held.append(released := asyncio.Event())
            await released.wait()

    async def answer(self, request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse(len(self._held))
        for released in self._held:
            released.set()
        self._held.clear()
        told = await request.json() if request.method == "POST" else None
        self._patterns = told and (told["role"], told["path"])
        return Response(status_code=204)


async def _no_room_needed() -> None:
    pass


def _create() -> ASGIApp:
    url = f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"
    scratch = Path(tempfile.mkdtemp())
    iam_evaluator.enforce = _remembering(iam_evaluator.enforce)
    pin = iam_evaluator.pin_request_origin
    ministack.pin_request_origin = lambda address, _: pin(address, True)
    iam_evaluator._request_origin = ContextVar("origin", default=("127.0.0.1", True))
    # The work uses all functions by turns; a process for each is dear to start.
    FunctionRuntime(scratch / "disk-reserve", processors=4, idle_seconds=600).install()
    _enforce_what_services_do()
    endpoints, hold = _Endpoints(), _Hold()
    s3 = client("s3", url, _ROOT)
    text = TextServer(url=os.environ[TEXT_SERVER], model="director")
    bedrock, polly = BedrockRuntime(Settings(text=text)), Polly({})
    sagemaker = SageMakerRuntime(
        endpoints, s3=s3, sns=client("sns", url, _ROOT), logs=scratch, make_room=_no_room_needed
    )
    codebuild = CodeBuild(
        ministack.app, projects=_Projects(url), s3=s3, scratch=scratch, logs=scratch, emit=emit
    )
    stand_ins = {
        "bedrock": _enforced(bedrock, _bedrock_calls),
        "polly": _enforced(polly, _polly_calls),
        "sagemaker": _enforced(sagemaker, _sagemaker_calls),
        "codebuild": _enforced(codebuild, _codebuild_calls),
    }
    dispatcher = Dispatcher(_hiding_what_is_missing(ministack.app), stand_ins, lambda: None)
    stops: list[Callable[[], Awaitable[None]]] = [
        each.stop for each in (sagemaker, codebuild, bedrock, polly)
    ]

    async def cloud(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await dispatcher(scope, _heard(receive, stops), send)
        elif scope["path"] == "/_decisions":
            await JSONResponse(list(_decisions))(scope, receive, send)
        elif scope["path"] == "/_engine":
            endpoints.fill(**await Request(scope, receive).json())
            await Response(status_code=204)(scope, receive, send)
        elif scope["path"] == "/_hold":
            await (await hold.answer(Request(scope, receive)))(scope, receive, send)
        else:
            await hold.passed(scope)
            await dispatcher(scope, receive, send)

    return cloud


def _heard(receive: Receive, stops: list[Callable[[], Awaitable[None]]]) -> Receive:
    """Stop the stand-ins before ministack."""

    async def heard() -> Message:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            for stop in stops:
                await stop()
        return message

    return heard


app = _create()

"""SageMaker on this machine, in the service's wire format: InvokeEndpointAsync of its runtime, and
ListEndpoints and DescribeEndpoint.

Limits and header names come from botocore's models of sagemaker-runtime, 2017-05-13, and sagemaker,
2017-07-24.
"""

import json
import re
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from lambdas.domain.names import VARIANT
from reelworks.cloud.addresses import REGION
from reelworks.cloud.backends.clips.endpoint import Endpoint
from reelworks.cloud.credentials import ACCOUNT
from reelworks.cloud.errors import ServiceError
from reelworks.cloud.services.inference_queue import EndpointQueue, Job, MakeRoom
from reelworks.cloud.services.wire import service

if TYPE_CHECKING:  # boto3 types are a development dependency
    from types_boto3_s3 import S3Client
    from types_boto3_sns import SNSClient

LONGEST_INLINE_BODY = 128_000  # bytes
INVOCATION_SECONDS = (1, 3600, 900)  # least, most, default
TTL_SECONDS = (60, 21_600, 21_600)
S3_OBJECT = re.compile(r"s3://[^/]+/.+")
INFERENCE_ID = re.compile(r"\S[\x20-\x7e]{0,63}")
_TARGET = "SageMaker."
UNSUPPORTED = ("x-amzn-sagemaker-filename", "x-amzn-sagemaker-s3outputpathextension")


class SageMakerRuntime:
    """An ASGI app for requests signed for `sagemaker`: the service's and its runtime's.

    `endpoints`, keyed by name, is read at each request, so its owner may fill it after deploying the stack,
    whose topics and buckets the endpoints name. Servers write their output under `logs`. `make_room` runs
    before each job. The queues are in memory by design: see EndpointQueue.
    """

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        *,
        s3: "S3Client",
        sns: "SNSClient",
        logs: Path,
        make_room: MakeRoom,
    ) -> None:
        self._endpoints = endpoints
        self._s3 = s3
        self._sns = sns
        self._logs = logs
        self._make_room = make_room
        self._queues: dict[str, EndpointQueue] = {}
        self._started = time.time()
        self._app = service(
            [
                Route("/endpoints/{name}/async-invocations", self._invoke_endpoint_async, methods=["POST"]),
                Route("/", self._call, methods=["POST"]),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def stop(self) -> None:
        """Stop every server process. Jobs that are queued or in progress are dropped."""
        while self._queues:
            _, queue = self._queues.popitem()
            await queue.stop()

    def gauges(self) -> list[dict[str, Any]]:
        """Return what SageMaker puts into CloudWatch each minute, in AWS/SageMaker, as of now."""
        return [
            {
                "MetricName": "ApproximateBacklogSize",
                "Dimensions": [{"Name": "EndpointName", "Value": name}],
                "Value": self._queues[name].backlog if name in self._queues else 0,
                "Timestamp": datetime.now(UTC),
            }
            for name in self._endpoints
        ]

    async def _call(self, request: Request) -> JSONResponse:
        """Answer a call of SageMaker's own API."""
        asked = json.loads(await _body(request) or b"{}")
        match request.headers.get("x-amz-target", "").removeprefix(_TARGET):
            case "ListEndpoints":
                found = [name for name in sorted(self._endpoints) if asked.get("NameContains", "") in name]
                return JSONResponse({"Endpoints": [self._summary(name) for name in found]})
            case "DescribeEndpoint":
                return JSONResponse(self._description(asked.get("EndpointName", "")))
            case operation:
                raise _refused("UnknownOperationException", f"{operation} is not supported here.")

    def _summary(self, name: str) -> dict[str, Any]:
        return {
            "EndpointName": name,
            "EndpointArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{name}",
            "EndpointStatus": "InService",
            "CreationTime": self._started,
            "LastModifiedTime": self._started,
        }

    def _description(self, name: str) -> dict[str, Any]:
        """Return an endpoint. Its instances are server processes, which start on demand."""
        if name not in self._endpoints:
            raise _refused("ValidationException", f'Could not find endpoint "{name}".')
        running = self._queues[name].running if name in self._queues else 0
        variant = {"VariantName": VARIANT, "CurrentInstanceCount": running, "DesiredInstanceCount": running}
        return self._summary(name) | {"EndpointConfigName": name, "ProductionVariants": [variant]}

    async def _invoke_endpoint_async(self, request: Request) -> JSONResponse:
        endpoint = self._endpoints.get(request.path_params["name"])
        if endpoint is None:
            raise _invalid(f"Endpoint {request.path_params['name']} not found.")
        job = _job(endpoint, request.headers, await _body(request))
        if endpoint.name not in self._queues:
            self._queues[endpoint.name] = EndpointQueue(
                endpoint, s3=self._s3, sns=self._sns, logs=self._logs, make_room=self._make_room
            )
        self._queues[endpoint.name].submit(job)
        headers = {
            "x-amzn-sagemaker-outputlocation": job.output_location,
            "x-amzn-sagemaker-failurelocation": job.failure_location,
        }
        return JSONResponse({"InferenceId": job.inference_id}, 202, headers)


def _job(endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> Job:
    for name in UNSUPPORTED:
        if name in headers:
            raise _invalid(f"{name} is not supported by this stand-in.")
    location = headers.get("x-amzn-sagemaker-inputlocation")
    if (location is None) == (not body):
        raise _invalid("Provide exactly one of InputLocation and Body.")
    if location is not None and not S3_OBJECT.fullmatch(location):
        raise _invalid(f"InputLocation must be s3://bucket/key; got {location!r}.")
    inference_id = headers.get("x-amzn-sagemaker-inference-id", str(uuid.uuid4()))
    if not INFERENCE_ID.fullmatch(inference_id):
        raise _invalid("InferenceId must have 1 to 64 printable characters.")
    attributes = headers.get("x-amzn-sagemaker-custom-attributes", "")
    if len(attributes) > 1024:
        raise _invalid("CustomAttributes must have at most 1024 characters.")
    return Job(
        inference_id=inference_id,
        input=body if location is None else location,
        output_location=f"{endpoint.s3_output_path.rstrip('/')}/{inference_id}.out",
        failure_location=f"{endpoint.s3_failure_path.rstrip('/')}/{inference_id}-error.out",
        invocation_seconds=_seconds(headers, "InvocationTimeoutSeconds", INVOCATION_SECONDS),
        ttl_seconds=_seconds(headers, "RequestTTLSeconds", TTL_SECONDS),
        headers={
            "content-type": headers.get("x-amzn-sagemaker-content-type", "application/octet-stream"),
            "accept": headers.get("x-amzn-sagemaker-accept", "*/*"),
            "x-amzn-sagemaker-custom-attributes": attributes,
        },
    )


async def _body(request: Request) -> bytes:
    """Read the request's body. Raises ServiceError as soon as it exceeds the limit."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_INLINE_BODY:
            raise _invalid(f"Body must have at most {LONGEST_INLINE_BODY} bytes.")
    return body


def _seconds(headers: Mapping[str, str], name: str, limits: tuple[int, int, int]) -> int:
    least, most, default = limits
    value = headers.get(f"x-amzn-sagemaker-{name.lower()}", str(default))
    if not value.isdecimal() or not least <= int(value) <= most:
        raise _invalid(f"{name} must be an integer from {least} to {most}; got {value!r}.")
    return int(value)


def _invalid(message: str) -> ServiceError:
    return ServiceError(400, "ValidationError", message)


def _refused(code: str, message: str) -> ServiceError:
    """Return an error of SageMaker's own API, whose JSON protocol names it in the body."""
    return ServiceError(400, code, message, __type=code)

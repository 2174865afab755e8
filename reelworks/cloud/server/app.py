"""The PC's cloud as one ASGI app: guard → studio links → access → call counts → dispatcher → stand-ins, REST
API, ministack.

Import it only in a process with `cloud_environment`: ministack reads its settings when it is imported.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.app import app as ministack
from ministack.services.s3 import _parse_multipart_form as parse_form
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reelworks.cloud.addresses import IDENTITY_PATH
from reelworks.cloud.aws import client
from reelworks.cloud.backends.clips.engine_servers import EngineEndpoints
from reelworks.cloud.backends.voice.catalogue import speech_servers
from reelworks.cloud.credentials import read_credentials
from reelworks.cloud.deployment_record import Deployed
from reelworks.cloud.home import Home
from reelworks.cloud.server.access import Access
from reelworks.cloud.server.call_counts import CallCounts
from reelworks.cloud.server.dispatch import Dispatcher
from reelworks.cloud.server.functions.runtime import FunctionRuntime
from reelworks.cloud.server.guard import Guard
from reelworks.cloud.server.studio_links import StudioLinks
from reelworks.cloud.server.unpersisted_writes import UnpersistedWrites
from reelworks.cloud.services.aws_events import emit
from reelworks.cloud.services.bedrock import BedrockRuntime
from reelworks.cloud.services.codebuild import CodeBuild
from reelworks.cloud.services.engine_logs import EngineLogs
from reelworks.cloud.services.execution_history import ExecutionHistory
from reelworks.cloud.services.log_metrics import LogMetrics
from reelworks.cloud.services.message_moves import MessageMoves
from reelworks.cloud.services.polly import Polly
from reelworks.cloud.services.sagemaker import SageMakerRuntime
from reelworks.cloud.services.scaling import scaling
from reelworks.cloud.settings import Settings


def create_app(home: Home, base_url: str, settings: Settings) -> ASGIApp:
    """Return the app to serve at `base_url`, on loopback only."""
    deployed = Deployed(home)
    credentials = read_credentials(home.aws_credentials)
    functions = FunctionRuntime(home.scratch / "disk-reserve")
    functions.install()
    bedrock = BedrockRuntime(settings, home.models)
    polly = Polly(settings.speech.voices, speech_servers(settings.speech))
    sagemaker = SageMakerRuntime(
        EngineEndpoints(home, deployed, settings.comfyui, settings.engines.relays),
        s3=client("s3", base_url, credentials),
        sns=client("sns", base_url, credentials),
        logs=home.engine_logs,
        make_room=bedrock.free,
    )
    codebuild = CodeBuild(
        ministack,
        projects=client("codebuild", base_url, credentials),
        s3=client("s3", base_url, credentials),
        scratch=home.scratch,
        logs=home.build_logs,
        emit=emit,
    )
    history = ExecutionHistory(
        ministack, states=client("stepfunctions", base_url, credentials), folder=home.executions
    )
    moves = MessageMoves(ministack, sqs=client("sqs", base_url, credentials))
    metrics = LogMetrics(
        ministack,
        logs=client("logs", base_url, credentials),
        cloudwatch=client("cloudwatch", base_url, credentials),
        gauges=sagemaker.gauges,
    )

    async def stop() -> None:
        await history.stop()
        await moves.stop()
        await sagemaker.stop()
        await codebuild.stop()
        await bedrock.stop()
        await polly.stop()
        await asyncio.to_thread(functions.stop)

    stand_ins: dict[str, ASGIApp] = {
        "sagemaker": sagemaker,
        "bedrock": bedrock,
        "polly": polly,
        "codebuild": codebuild,
        "states": history,
        "sqs": moves,
        "monitoring": metrics,
        "logs": EngineLogs(ministack, home.engine_logs),
        "application-autoscaling": scaling(),
    }
    dispatcher = Dispatcher(_stopping(UnpersistedWrites(ministack), stop), stand_ins, deployed.api)
    calls = CallCounts(dispatcher)
    access = Access(calls, credentials, parse_form)
    links = StudioLinks(access, home.key_file.read_text, base_url)
    return Guard(_identified(links, functions.report, calls.report), int(base_url.rpartition(":")[2]))


def _identified(
    app: ASGIApp, functions: Callable[[], dict[str, Any]], calls: Callable[[], dict[str, Any]]
) -> ASGIApp:
    """Return the pid at GET /_reelworks, so that `up` and `status` can verify that this process has the port,
    what its functions do (FunctionRuntime.report), and which calls they made (CallCounts.report)."""

    async def identified(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == IDENTITY_PATH:
            doing = await asyncio.to_thread(functions)
            answer = {"pid": os.getpid(), "functions": doing, "calls": calls()}
            await JSONResponse(answer)(scope, receive, send)
        else:
            await app(scope, receive, send)

    return identified


def _stopping(app: ASGIApp, stop: Callable[[], Awaitable[None]]) -> ASGIApp:
    """Call `stop` before ministack shuts down, for what depends on ministack."""

    async def stopping(scope: Scope, receive: Receive, send: Send) -> None:
        async def heard() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await stop()
            return message

        await app(scope, heard if scope["type"] == "lifespan" else receive, send)

    return stopping

"""CodeBuild on this machine: StartBuild runs the project's commands as a process, BatchGetBuilds reports it.

ministack handles projects and all other calls; its own builds need Docker or do nothing (1.5.33:
services/codebuild.py). A project here has its source in S3 and an inline buildspec in JSON. Only the commands
of the phase `build` run, with the interpreter that runs the functions: the requirements are installed
already. Formats are those of botocore's model of codebuild, 2016-10-06.
"""

import asyncio
import io
import json
import logging
import os
import shutil
import sys
import time
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from reelworks.cloud.processes.watched import start_watched
from reelworks.cloud.services.aws_events import Emit

logger = logging.getLogger(__name__)

_TARGET = b"CodeBuild_20161006."
_LOOK_EVERY_SECONDS = 0.1


class CodeBuild:
    """An ASGI app for requests signed for `codebuild`. Builds are in memory by design: what waits for them is
    lost with the cloud, too. `scratch` is for their sources, `logs` for their output; `emit` tells
    EventBridge."""

    def __init__(
        self, ministack: ASGIApp, *, projects: Any, s3: Any, scratch: Path, logs: Path, emit: Emit
    ) -> None:
        self._ministack = ministack
        self._projects = projects
        self._s3 = s3
        self._scratch = scratch
        self._logs = logs
        self._emit = emit
        self._builds: dict[str, dict[str, Any]] = {}
        self._started: dict[str, str] = {}  # build ids by idempotency token
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        target = dict(scope["headers"]).get(b"x-amz-target", b"").removeprefix(_TARGET)
        calls = {b"StartBuild": self._start_build, b"BatchGetBuilds": self._batch_get_builds}
        if target not in calls:
            await self._ministack(scope, receive, send)
            return
        answer = await calls[target](await Request(scope, receive).json())
        await answer(scope, receive, send)

    async def stop(self) -> None:
        """Stop every build and all its processes."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _start_build(self, request: dict[str, Any]) -> JSONResponse:
        name = request["projectName"]
        found = await asyncio.to_thread(self._projects.batch_get_projects, names=[name])
        token = request.get("idempotencyToken")
        if token in self._started:
            return JSONResponse({"build": self._builds[self._started[token]]})
        if not found["projects"]:
            error = {"__type": "ResourceNotFoundException", "message": f"Project cannot be found: {name}"}
            return JSONResponse(error, 400)
        build = _build(found["projects"][0], request.get("environmentVariablesOverride", []))
        self._builds[build["id"]] = build
        if token:
            self._started[token] = build["id"]
        task = asyncio.create_task(self._run(build))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return JSONResponse({"build": build})

    async def _batch_get_builds(self, request: dict[str, Any]) -> JSONResponse:
        known = [self._builds[id_] for id_ in request["ids"] if id_ in self._builds]
        unknown = [id_ for id_ in request["ids"] if id_ not in self._builds]
        return JSONResponse({"builds": known, "buildsNotFound": unknown})

    async def _run(self, build: dict[str, Any]) -> None:
        status = "FAULT"
        folder = self._scratch / build["id"].replace(":", "-")
        try:
            await self._fetched(build["source"]["location"], folder)
            status = await self._work(build, folder)
        except Exception:
            logger.exception("build broke off", extra={"build": build["id"]})
        finally:
            build.update(
                buildStatus=status, buildComplete=True, currentPhase="COMPLETED", endTime=time.time()
            )
            shutil.rmtree(folder, ignore_errors=True)
        # In a thread: its targets are functions, which call this cloud.
        await asyncio.to_thread(self._emit, "aws.codebuild", "CodeBuild Build State Change", _change(build))

    async def _fetched(self, location: str, folder: Path) -> None:
        """Fetch the build's source in a thread; if cancelled, wait until the thread no longer writes."""
        fetching = asyncio.create_task(asyncio.to_thread(self._fetch, location, folder))
        try:
            await asyncio.shield(fetching)
        except asyncio.CancelledError:
            await asyncio.wait([fetching])
            raise

    def _fetch(self, location: str, folder: Path) -> None:
        bucket, _, key = location.partition("/")
        content = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(folder)  # it never writes outside the folder

    async def _work(self, build: dict[str, Any], folder: Path) -> str:
        """Run the build's commands and return its final status."""
        commands = json.loads(build["source"]["buildspec"])["phases"]["build"]["commands"]
        process = start_watched(
            ["/bin/sh", "-e", "-c", "\n".join(commands)],
            log=self._logs / f"{folder.name}.log",
            cwd=folder,
            env=os.environ | _variables(build) | {"PATH": _path()},
        )
        try:
            async with asyncio.timeout(build["timeoutInMinutes"] * 60):
                while process.poll() is None:
                    await asyncio.sleep(_LOOK_EVERY_SECONDS)
        except TimeoutError:
            return "TIMED_OUT"
        finally:
            assert process.stdin is not None  # noqa: S101  it was started with a pipe
            process.stdin.close()  # the watchdog does the rest, even if nobody waits for it any more
            await asyncio.to_thread(process.wait)
        return "SUCCEEDED" if process.returncode == 0 else "FAILED"


def _build(project: Mapping[str, Any], overrides: list[dict[str, str]]) -> dict[str, Any]:
    """Return a build as it starts, with the request's variables overriding the project's."""
    id_ = f"{project['name']}:{uuid.uuid4()}"
    overridden = {one["name"] for one in overrides}
    variables = [
        one for one in project["environment"]["environmentVariables"] if one["name"] not in overridden
    ]
    return {
        "id": id_,
        "arn": project["arn"].replace(f":project/{project['name']}", f":build/{id_}"),
        "projectName": project["name"],
        "startTime": time.time(),
        "currentPhase": "BUILD",
        "buildStatus": "IN_PROGRESS",
        "buildComplete": False,
        "source": project["source"],
        "environment": {**project["environment"], "environmentVariables": variables + overrides},
        "timeoutInMinutes": project["timeoutInMinutes"],
    }


def _change(build: Mapping[str, Any]) -> dict[str, Any]:
    """Return the detail of the event that a build has ended
    (docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications.html)."""
    return {
        "build-status": build["buildStatus"],
        "project-name": build["projectName"],
        "build-id": build["arn"],
        "current-phase": build["currentPhase"],
        "version": "1",
    }


def _variables(build: Mapping[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in build["environment"]["environmentVariables"]}


def _path() -> str:
    """Return a PATH on which `python` is the interpreter with the functions' requirements."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])

"""An async endpoint: a queue of inference jobs, and the instances that process it."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from reelworks.cloud.backends.clips.endpoint import Endpoint
from reelworks.cloud.backends.clips.server_process import ServerBroken, ServerFailed, ServerProcess

if TYPE_CHECKING:  # boto3 types are a development dependency
    from types_boto3_s3 import S3Client
    from types_boto3_sns import SNSClient

logger = logging.getLogger(__name__)

Status = Literal["Completed", "Failed", "Expired"]
# How often to check that a running job's input object still exists: a cancelled video's engine stops within
# seconds (docs/decisions/0032-what-a-cancel-reaches.md).
WITHDRAWN_EVERY_SECONDS = 1.0
_GONE = frozenset({"404", "NoSuchKey", "NotFound"})  # S3's error codes for a missing object
# Unloads other models to free the memory that a server needs for a job.
MakeRoom = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Job:
    """One accepted InvokeEndpointAsync call. `input` is an s3:// URI, or the body itself."""

    inference_id: str
    input: str | bytes
    output_location: str
    failure_location: str
    invocation_seconds: float
    ttl_seconds: float
    headers: Mapping[str, str]  # of the request to the server
    received: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def expired(self) -> bool:
        return datetime.now(UTC) > self.received + timedelta(seconds=self.ttl_seconds)


class JobFailed(Exception):
    """Why a job failed, and the content for the failure path: the server's own response if there is one."""

    def __init__(self, reason: str, content: bytes | None = None, content_type: str = "text/plain") -> None:
        super().__init__(reason)
        self.reason = reason
        self.content = reason.encode() if content is None else content
        self.content_type = content_type


class EndpointQueue:
    """A first-in, first-out queue in memory. A killed cloud loses the queued and running jobs, and the
    executions that wait for them. The pipeline's upkeep restarts both, so a journal here would only create
    work that nobody waits for."""

    def __init__(
        self, endpoint: Endpoint, *, s3: "S3Client", sns: "SNSClient", logs: Path, make_room: MakeRoom
    ) -> None:
        self._jobs: asyncio.Queue[Job] = asyncio.Queue()
        self._open: set[str] = set()  # ids of the jobs that are queued or in progress
        self._instances = [
            Instance(
                endpoint,
                s3=s3,
                sns=sns,
                log=logs / f"{endpoint.name}-{number}.log",
                make_room=make_room,
            )
            for number in range(endpoint.instances)
        ]
        self._tasks = [
            asyncio.create_task(instance.run(self._jobs, self._open.discard)) for instance in self._instances
        ]

    @property
    def backlog(self) -> int:
        """The number of jobs that are queued or in progress."""
        return len(self._open)

    @property
    def running(self) -> int:
        """The number of server processes that are ready."""
        return sum(instance.running for instance in self._instances)

    def submit(self, job: Job) -> None:
        """Queue a job. One that is queued or in progress is not queued again: its call was sent twice,
        because the answer to the first was lost."""
        if job.inference_id not in self._open:
            self._open.add(job.inference_id)
            self._jobs.put_nowait(job)

    async def stop(self) -> None:
        """Drop the jobs that are queued or in progress, and stop the server processes."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Instance:
    """One worker of the queue with its server process, which runs from the first job until it is idle."""

    def __init__(
        self, endpoint: Endpoint, *, s3: "S3Client", sns: "SNSClient", log: Path, make_room: MakeRoom
    ) -> None:
        self._endpoint = endpoint
        self._make_room = make_room
        self._s3 = s3
        self._sns = sns
        self._log = log
        self._server: ServerProcess | None = None

    @property
    def running(self) -> bool:
        return self._server is not None and self._server.running

    async def run(self, jobs: asyncio.Queue[Job], ended: Callable[[str], None]) -> None:
        """Work off the jobs. `ended` is called with the id of each one that has ended."""
        try:
            while True:
                try:
                    async with asyncio.timeout(self._endpoint.idle_seconds if self._server else None):
                        job = await jobs.get()
                except TimeoutError:
                    await self._stop_server()
                    continue
                try:
                    await self._work_off(job)
                except Exception:
                    # Nothing may end this loop: the endpoint would accept jobs and never run them.
                    logger.exception("job lost", extra={"inference_id": job.inference_id})
                finally:
                    ended(job.inference_id)
        finally:
            await self._stop_server()

    async def _work_off(self, job: Job) -> None:
        if job.expired:
            reason = f"The request was queued for more than its TTL of {job.ttl_seconds:g} s."
            await self._notify(job, "Expired", failureReason=reason)
            return
        try:
            content_type = await self._infer(job)
        except JobFailed as failure:
            await self._fail(job, failure)
            return
        except Exception as error:
            # Report any error: otherwise the caller waits for the job for hours.
            logger.exception("job broke off", extra={"inference_id": job.inference_id})
            await self._fail(job, JobFailed(f"The endpoint could not run the job: {error!r}"))
            return
        result = {"contentType": content_type, "outputLocation": job.output_location}
        await self._notify(job, "Completed", responseParameters=result)

    async def _infer(self, job: Job) -> str:
        """Store the server's response at the output location; return its content type."""
        content = await self._fetch(job)  # first, so that a job with deleted input starts no server
        await self._make_room()
        try:
            server = await self._running_server()
            response = await self._unless_withdrawn(
                job, server.invoke(content, job.headers, job.invocation_seconds)
            )
        except ServerBroken as error:
            await self._stop_server()
            # As an engine itself reports it (tests/contracts/error.broken.json).
            document = {"error": {"code": "broken", "param": None, "message": str(error)}}
            raise JobFailed(str(error), json.dumps(document).encode(), "application/json") from error
        except ServerFailed as error:
            await self._stop_server()
            raise JobFailed(str(error)) from error
        content_type: str = response.headers.get("content-type", "application/octet-stream")
        if not response.is_success:
            kind = "client" if response.is_client_error else "server"
            message = response.text[:1000]
            reason = f"Received {kind} error ({response.status_code}) from model with message {message!r}"
            raise JobFailed(reason, response.content, content_type)
        try:
            await self._put(job.output_location, response.content, content_type)
        except (BotoCoreError, ClientError) as error:
            raise JobFailed(f"The output could not be written to {job.output_location}: {error}") from error
        return content_type

    async def _unless_withdrawn(
        self, job: Job, invocation: Coroutine[Any, Any, httpx.Response]
    ) -> httpx.Response:
        """Return the response, or abandon the invocation once the job's input object is deleted: the caller
        no longer wants the result. The server notices that its client is gone, and stops. Raises JobFailed
        then."""
        answered = asyncio.create_task(invocation)
        withdrawn = asyncio.create_task(self._until_withdrawn(job))
        try:
            await asyncio.wait({answered, withdrawn}, return_when=asyncio.FIRST_COMPLETED)
            if answered.done():
                return answered.result()
            raise JobFailed(f"The request was withdrawn: its input {job.input!r} was deleted.")
        finally:
            answered.cancel()
            withdrawn.cancel()
            # The connection to the server is closed when this returns.
            await asyncio.gather(answered, withdrawn, return_exceptions=True)

    async def _until_withdrawn(self, job: Job) -> None:
        """Return once the input object is gone; never for an input in the call's body."""
        if isinstance(job.input, bytes):
            await asyncio.Event().wait()
            return
        bucket, key = split_s3_uri(job.input)
        while True:
            try:
                await asyncio.to_thread(self._s3.head_object, Bucket=bucket, Key=key)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in _GONE:
                    return
                logger.warning("input not checked", extra={"inference_id": job.inference_id})
            except BotoCoreError:
                logger.warning("input not checked", extra={"inference_id": job.inference_id})
            await asyncio.sleep(WITHDRAWN_EVERY_SECONDS)

    async def _running_server(self) -> ServerProcess:
        if self._server is None or not self._server.running:
            await self._stop_server()
            self._server = await ServerProcess.start(
                self._endpoint.command,
                log=self._log,
                cwd=self._endpoint.cwd,
                env=self._endpoint.env,
                startup_seconds=self._endpoint.startup_seconds,
            )
        return self._server

    async def _stop_server(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.stop()

    async def _fetch(self, job: Job) -> bytes:
        if isinstance(job.input, bytes):
            return job.input
        bucket, key = split_s3_uri(job.input)
        try:
            return await asyncio.to_thread(lambda: self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except (BotoCoreError, ClientError) as error:
            raise JobFailed(f"The input {job.input} could not be read: {error}") from error

    async def _put(self, location: str, content: bytes, content_type: str) -> None:
        bucket, key = split_s3_uri(location)
        await asyncio.to_thread(
            self._s3.put_object, Bucket=bucket, Key=key, Body=content, ContentType=content_type
        )

    async def _fail(self, job: Job, failure: JobFailed) -> None:
        logger.warning("job failed", extra={"inference_id": job.inference_id, "reason": failure.reason})
        try:
            await self._put(job.failure_location, failure.content, failure.content_type)
        except (BotoCoreError, ClientError):
            logger.exception("failure object not written", extra={"inference_id": job.inference_id})
        await self._notify(
            job,
            "Failed",
            failureReason=failure.reason,
            responseParameters={"failureLocation": job.failure_location},
        )

    async def _notify(self, job: Job, status: Status, **result: object) -> None:
        topic = self._endpoint.success_topic_arn if status == "Completed" else self._endpoint.error_topic_arn
        if topic is None:
            return
        notice = {
            "awsRegion": self._sns.meta.region_name,
            "eventTime": _timestamp(datetime.now(UTC)),
            "receivedTime": _timestamp(job.received),
            "invocationStatus": status,
            "requestParameters": {
                "accept": job.headers["accept"],
                "contentType": job.headers["content-type"],
                "endpointName": self._endpoint.name,
            }
            | ({"inputLocation": job.input} if isinstance(job.input, str) else {}),
            **result,
            "inferenceId": job.inference_id,
            "eventVersion": "1.0",
            "eventSource": "aws:sagemaker",
            "eventName": "InferenceResult",
        }
        try:
            await asyncio.to_thread(self._sns.publish, TopicArn=topic, Message=json.dumps(notice))
        except (BotoCoreError, ClientError):
            # Notices can be lost on AWS too; upkeep finds the output in S3.
            logger.exception("notice not published", extra={"inference_id": job.inference_id})


def split_s3_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of `s3://bucket/key`."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _timestamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

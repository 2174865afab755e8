"""A deployment for the functions between the requests queue and the film, and access to their results: real
S3, DynamoDB, SQS, EventBridge and Step Functions. A server that records requests stands in for Lambda and
for services that a local AWS lacks."""

import base64
import json
import re
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.engine_calls import Inference
from lambdas.adapters.videos import OpenVideo
from lambdas.domain import keys, planning
from lambdas.domain.characters import Image
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.film_plan import FilmPlan
from lambdas.domain.planning import Shot, make_plan
from lambdas.domain.prices import AWS
from lambdas.domain.stages import Stage
from lambdas.domain.video import Source, Video, execution_name
from lambdas.domain.video_parts import ClipProgress
from lambdas.domain.video_request import VideoRequest
from lambdas.intake.drop_folder import DropFolder
from lambdas.settings import UpkeepSettings
from lambdas.tasks import draw_still, narrate, write_storyboard
from tests.cloud.deployment import Context, Deployment, next_message, png
from tests.cloud.servers import wait_until
from tests.factories import a_plan
from tests.media.clips import clip as real_clip
from tests.media.sounds import encoded, tone

TENANT = "acme"
PRICES = AWS.with_instances({"cogvideox-nano": 3.60})
ANSWER_COST = PRICES.text("amazon.nova-lite-v1:0", 1, 1)  # of each Converse response, see converse_answer
_ROLE = "arn:aws:iam::000000000000:role/any"

# An execution that sends its task token to a queue and then waits for the answer.
_WAITER = {
    "QueryLanguage": "JSONata",
    "StartAt": "Wait",
    "States": {
        "Wait": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Arguments": {"QueueUrl": "QUEUE", "MessageBody": "{% $states.context.Task.Token %}"},
            "End": True,
        }
    },
}


class Answers:
    """Fakes SageMaker's runtime, Bedrock, Polly, Lambda and CodeBuild, and records their requests."""

    def __init__(self) -> None:
        self.forget()
        self.app = Starlette(
            routes=[
                Route("/endpoints/{name}/async-invocations", self._invoke_endpoint, methods=["POST"]),
                Route("/model/{model}/converse", self._converse, methods=["POST"]),
                Route("/model/{model}/invoke", self._draw, methods=["POST"]),
                Route("/v1/speech", self._speak, methods=["POST"]),
                Route("/2015-03-31/functions/{name}/invocations", self._invoke, methods=["POST"]),
                Route("/", self._call, methods=["POST"]),
            ]
        )

    def forget(self) -> None:
        self.invocations: list[dict[str, str]] = []  # headers of InvokeEndpointAsync
        self.questions: list[dict[str, Any]] = []  # bodies of Converse
        self.events: list[dict[str, Any]] = []  # payloads of asynchronous Invoke
        self.converse: tuple[int, dict[str, Any]] = (200, converse_answer(""))
        self.spoken: list[dict[str, Any]] = []  # bodies of SynthesizeSpeech
        self.drawn: list[dict[str, Any]] = []  # bodies of InvokeModel, each with its model
        self.sound = spoken_sound(SENTENCE_SECONDS)
        self.picture: dict[str, Any] = {"seeds": [1], "finish_reasons": [None], "images": [a_picture()]}
        # Errors returned first by SynthesizeSpeech and InvokeModel, in order: status, error code, message.
        self.refusals: list[tuple[int, str, str]] = []
        self.endpoints_exist = True
        self.endpoints_busy = False  # refuse InvokeEndpointAsync for a moment
        self.instances = 1
        self.builds: dict[str, dict[str, Any]] = {}  # by id, each with its start request
        self.builds_allowed = True

    async def _invoke_endpoint(self, request: Request) -> Response:
        if not self.endpoints_exist:
            message = f"Endpoint {request.path_params['name']} of account 000000000000 not found."
            return JSONResponse({"message": message}, 400, headers={"x-amzn-errortype": "ValidationError"})
        if self.endpoints_busy:
            error = {"x-amzn-errortype": "ServiceUnavailable"}
            return JSONResponse({"message": "busy"}, 503, headers=error)
        self.invocations.append({**request.headers, "endpoint": request.path_params["name"]})
        return JSONResponse({"InferenceId": request.headers["x-amzn-sagemaker-inference-id"]}, 202)

    async def _converse(self, request: Request) -> Response:
        self.questions.append(await request.json())
        status, body = self.converse
        headers = {} if status == 200 else {"x-amzn-errortype": body["code"]}
        return JSONResponse(body, status, headers=headers)

    async def _speak(self, request: Request) -> Response:
        asked = await request.json()
        self.spoken.append(asked)
        if refused := self._refused():
            return refused
        if asked["OutputFormat"] == "json":
            return Response(_word_marks(asked["Text"]), media_type="application/x-json-stream")
        return Response(self.sound, media_type="audio/mpeg")

    async def _draw(self, request: Request) -> Response:
        self.drawn.append({"model": request.path_params["model"], **await request.json()})
        return self._refused() or JSONResponse(self.picture)

    def _refused(self) -> Response | None:
        if not self.refusals:
            return None
        status, code, message = self.refusals.pop(0)
        return JSONResponse({"message": message}, status, headers={"x-amzn-errortype": code})

    async def _invoke(self, request: Request) -> Response:
        assert request.headers["x-amz-invocation-type"] == "Event"
        self.events.append({"function": request.path_params["name"], **await request.json()})
        return Response(status_code=202)

    async def _call(self, request: Request) -> Response:
        asked = await request.json()
        if request.headers["x-amz-target"] == "SageMaker.DescribeEndpoint":
            return self._describe_endpoint(asked)
        if request.headers["x-amz-target"] == "CodeBuild_20161006.BatchGetBuilds":
            return JSONResponse({"builds": [self.builds[id_] for id_ in asked["ids"] if id_ in self.builds]})
        if not self.builds_allowed:
            return JSONResponse({"__type": "AccountLimitExceededException", "message": "Too many."}, 400)
        variables = asked["environmentVariablesOverride"]
        build = {
            "id": f"{asked['projectName']}:{len(self.builds)}",
            "buildStatus": "IN_PROGRESS",
            "environment": {"environmentVariables": [{"name": "OTHER", "value": "x"}, *variables]},
        }
        self.builds[build["id"]] = {**build, "request": asked}
        return JSONResponse({"build": build})

    def _describe_endpoint(self, asked: dict[str, Any]) -> Response:
        if not self.endpoints_exist:
            message = f"Could not find endpoint {asked['EndpointName']!r}."
            return JSONResponse({"__type": "ValidationException", "message": message}, 400)
        variant = {"VariantName": "AllTraffic", "CurrentInstanceCount": self.instances}
        described = dict.fromkeys(("EndpointName", "EndpointArn"), asked["EndpointName"])
        times = {"CreationTime": 0, "LastModifiedTime": 0}
        return JSONResponse(
            {**described, **times, "EndpointStatus": "InService", "ProductionVariants": [variant]}
        )


def converse_answer(text: str, stop_reason: str = "end_turn", by: str = "director") -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
        "stopReason": stop_reason,
        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
        "metrics": {"latencyMs": 1},
        "additionalModelResponseFields": {"answered_by": by},
    }


def tool_answer(filled: Any, by: str = "director") -> dict[str, Any]:
    """Return a response that uses the model's tool."""
    use = {"toolUse": {"toolUseId": "t1", "name": "storyboard", "input": filled}}
    answer = converse_answer("", "tool_use", by)
    answer["output"]["message"]["content"] = [use]
    return answer


SIGNING_SECRET = "bench/content-credentials"
SENTENCE_SECONDS = 0.43  # not a whole number of frames at any rate


def _word_marks(text: str) -> bytes:
    """Return Polly's word marks of a text without markup: a word each 100 ms."""
    words = [(match.start(), match.group()) for match in re.finditer(r"\w+", text)]
    marks = [
        {
            "time": 100 * number,
            "type": "word",
            "start": (start := len(text[:place].encode())),
            "end": start + len(word.encode()),
            "value": word,
        }
        for number, (place, word) in enumerate(words)
    ]
    return "".join(json.dumps(mark) + "\n" for mark in marks).encode()


def spoken_sound(seconds: float, hertz: float = 440) -> bytes:
    """Return an MP3 of a tone, as Polly encodes it."""
    return encoded(tone(seconds, hertz, rate=24_000), "mp3", rate=24_000).getvalue()


def a_picture() -> str:
    return base64.b64encode(png(size=(48, 32))).decode()


def a_scene(said: str | None = None, seen: str = "A bee on a flower.", **fields: Any) -> dict[str, Any]:
    """Return a storyboard scene with this narration (None: silent) and picture."""
    narration = {"narration": {"text": said}} if said else {}
    return {"image": {"positive_prompt": seen}, "video": {"positive_prompt": seen}, **narration, **fields}


def a_brief(*scenes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a brief with a complete storyboard."""
    storyboard = {"title": "Bees", "style": "Warm light.", "scenes": [*scenes]}
    return {"topic": "Bees", "narrate": False, "given": storyboard, **fields}


# A task's function.
Handler = Callable[[dict[str, Any], Any], dict[str, Any] | None]


@dataclass(frozen=True)
class Task:
    """A task token that an execution waits on."""

    token: str
    execution: str

    def call(self, handler: Handler, video: Video, **payload: Any) -> None:
        """Call a function that has another party answer the token. Fail the task with its exception, as Step
        Functions does."""
        event = {"token": self.token, "tenant": TENANT, "video_id": video.id, **payload}
        try:
            handler(event, Context())
        except Exception as error:  # noqa: BLE001
            client("stepfunctions").send_task_failure(
                taskToken=self.token, error=type(error).__name__, cause=str(error)
            )

    def answer(self) -> Any:
        """Return the answer to the token: the output, or (error, cause)."""
        states = client("stepfunctions")

        def ended() -> bool:
            return bool(states.describe_execution(executionArn=self.execution)["status"] != "RUNNING")

        wait_until(ended)
        found = states.describe_execution(executionArn=self.execution)
        if found["status"] == "SUCCEEDED":
            return json.loads(found["output"])
        return found["error"], json.loads(found["cause"])

    @property
    def waits(self) -> bool:
        found = client("stepfunctions").describe_execution(executionArn=self.execution)
        return bool(found["status"] == "RUNNING")


class Bench:
    """The stores, and helpers to see what a function did. Also sets the function's environment."""

    def __init__(self, deployment: Deployment, answers: Answers) -> None:
        self.deployment = deployment
        self.answers = answers
        self.dead_letters, _ = _queue("dead-letters")
        self.undelivered, _ = _queue("undelivered")  # webhooks
        self.settings = UpkeepSettings(
            **deployment.settings.model_dump(include=set(UpkeepSettings.model_fields) - {"prices"}),
            event_bus="videos",
            build_project="assemble",
            intake_function="intake",
            prices=PRICES.model_dump_json(),
            dead_letter_queue_urls=self.dead_letters,
            endpoint_prefix="reelworks",
            invocation_seconds=900,
            request_ttl_seconds=3600,
            film_hours=144,
        )
        self.videos = stores.videos(self.settings)
        self.inputs = stores.inputs(self.settings)
        self.outputs = stores.outputs(self.settings)
        self.inferences = stores.inferences(self.settings)
        self.clips = stores.clip_queue(self.settings)
        self._tokens, _ = _queue("tokens")
        self._heard, heard_arn = _queue("heard")
        waiter = json.loads(json.dumps(_WAITER).replace("QUEUE", self._tokens))
        self._waiter = self.machine("waiter", waiter)
        client("events").create_event_bus(Name=self.settings.event_bus)
        rule = {"Name": "all", "EventBusName": self.settings.event_bus}
        client("events").put_rule(**rule, EventPattern=json.dumps({"source": ["reelworks"]}))
        client("events").put_targets(
            Rule="all", EventBusName=self.settings.event_bus, Targets=[{"Id": "heard", "Arn": heard_arn}]
        )

    def machine(self, name: str, definition: dict[str, Any]) -> str:
        """Create a state machine for a test and return its ARN."""
        made = client("stepfunctions").create_state_machine(
            name=name, definition=json.dumps(definition), roleArn=_ROLE
        )
        return str(made["stateMachineArn"])

    # --- videos

    def video(self, engine: str = "cogvideox-nano", stage: Stage = Stage.QUEUED, **changes: Any) -> Video:
        """Record a video, with two clips unless `request` says otherwise, and bring it to a stage. `shots`:
        the plan's shots, if it has more than one scene."""
        shots = changes.pop("shots", None)
        request = {
            "prompt": "A bee on a flower",
            "enhance": False,
            "seconds": 2 * CATALOGUE[engine].longest_clip,
            **changes.pop("request", {}),
        }
        catalogued = CATALOGUE[engine]
        width, height = catalogued.sizes.default
        defaults = {"engine": engine, "width": width, "height": height, "fps": catalogued.fps[0]}
        now = time.time_ns() // 1_000_000
        video, _ = self.videos.create(
            Video(
                id=f"video_{uuid.uuid4().hex}",
                tenant=TENANT,
                request=VideoRequest.model_validate({**defaults, **request}),
                created_ms=now,
                updated_ms=changes.pop("updated_ms", now),
                expires_ms=now + 86_400_000,
                **changes,
            )
        )
        order = (Stage.PLANNING, Stage.RENDERING, Stage.ASSEMBLING, Stage.PUBLISHING)
        if stage in order:
            plan = self._store_plan(video, shots)
            waiting = [ClipProgress(seconds=clip.film_frames / plan.fps) for clip in plan.clips]
            for step in order[: order.index(stage) + 1]:
                video = self.videos.advance(TENANT, video.id, step, clips=waiting)
        elif stage is not Stage.QUEUED:
            video = self.videos.advance(TENANT, video.id, stage)
        return video

    def take_drop(self, key: str, etag: str) -> None:
        """Do what Intake does with a dropped prompt."""
        DropFolder(self.deployment.settings, pair_seconds=0).take(key, etag)

    def _store_plan(self, video: Video, shots: Sequence[Shot] | None) -> FilmPlan:
        engine = CATALOGUE[video.request.engine]
        count = len(planning.clip_lengths(video.request, engine))
        prompts = [f"{video.id} {index}" for index in range(count)]  # its own artifacts
        plan = make_plan(video, engine, "Bees", shots) if shots else a_plan(video, prompts)
        key = keys.film_plan(TENANT, video.id)
        self.outputs.put(key, plan.model_dump_json().encode(), "application/json")
        return plan

    def plan(self, video: Video) -> FilmPlan:
        return FilmPlan.model_validate_json(self.outputs.get(keys.film_plan(TENANT, video.id)))

    def put_clip(self, plan: FilmPlan, index: int, content: bytes | None = None) -> str:
        """Store a clip's artifact: a real clip of the right length unless `content` is given."""
        _, clip = plan.clip(index)
        key = keys.clip(TENANT, clip.key_hash)
        self.outputs.put(key, content or film_clip(plan, index), "video/mp4")
        return key

    def inference(self, video: Video, clip: int = 0, **changes: Any) -> Inference:
        """Return an engine call for a clip of the video's plan, not stored yet."""
        plan = self.plan(video)
        id_ = keys.inference_id(video.id, clip, uuid.uuid4().hex)
        call: dict[str, Any] = {
            "id": id_,
            "token": "nobody's",
            "tenant": video.tenant,
            "video_id": video.id,
            "clip": clip,
            "key_hash": plan.clips[clip].key_hash,
            "engine": plan.engine,
            "request": keys.engine_request(id_),
            "seconds": plan.clip_seconds[clip],
            "requested_ms": video.updated_ms,
        }
        return Inference(**{**call, **changes})

    def in_flight(self, inference: Inference, *, at_ms: int | None = None, sent: bool = True) -> Inference:
        """Store an engine call that has been handed to the endpoint. No other clip of the engine may wait."""
        assert self.clips.enqueue(inference)
        at_ms = inference.requested_ms if at_ms is None else at_ms
        admitted = self.clips.admit(inference.engine, 10_000, at_ms)
        assert admitted
        assert admitted.id == inference.id
        self.inputs.put(inference.request, b"{}", "application/json")
        if sent:
            self.inferences.sent(inference.id, at_ms)
        return admitted

    def open_videos(self, page: int = 50) -> list[OpenVideo]:
        """Return the videos that upkeep looks at, read by the page."""
        found, after = self.videos.open_page(None, page)
        found = list(found)
        while after:
            more, after = self.videos.open_page(after, page)
            assert len(more) <= page
            found += more
        return found

    def clear_queue(self) -> None:
        """Forget every clip that waits or is in flight."""
        table = self.settings.clips_table
        for item in client("dynamodb").scan(TableName=table)["Items"]:
            key = {name: item[name] for name in ("pk", "sk")}
            client("dynamodb").delete_item(TableName=table, Key=key)

    def now(self, video: Video) -> Video:
        return self.videos.get(TENANT, video.id)

    # --- tokens

    def answer(self, handler: Handler, video: Video, **payload: Any) -> Any:
        """Return a task's output, or its error as (name, cause)."""
        try:
            return handler({"tenant": TENANT, "video_id": video.id, **payload}, Context())
        except Exception as error:  # noqa: BLE001
            return type(error).__name__, json.loads(str(error))

    def prepare(self, video: Video) -> Video:
        """Write a video's storyboard and create its narrations and stills."""
        for scene in self.answer(write_storyboard.handler, video)["scenes"]:
            if scene["narrate"]:
                self.answer(narrate.handler, video, scene=scene["index"])
            if scene["still"]:
                self.answer(draw_still.handler, video, scene=scene["index"])
        return self.now(video)

    def task(self) -> Task:
        started = client("stepfunctions").start_execution(stateMachineArn=self._waiter, input="{}")
        return Task(next_message(self._tokens), started["executionArn"])

    # --- what others hear

    def events(self, video: Video) -> list[str]:
        """Return the names of the events emitted for a video."""
        return [heard["detail-type"] for heard in self.heard(video)]

    def heard(self, video: Video) -> list[dict[str, Any]]:
        """Return the events emitted for a video; forget all others."""
        found = []
        while (
            batch := client("sqs")
            .receive_message(QueueUrl=self._heard, MaxNumberOfMessages=10)
            .get("Messages")
        ):
            for message in batch:
                client("sqs").delete_message(QueueUrl=self._heard, ReceiptHandle=message["ReceiptHandle"])
                heard = json.loads(message["Body"])
                assert heard["source"] == "reelworks"
                if heard["detail"]["id"] == video.id:
                    found.append(heard)
        return found

    def requests(self, video: Video) -> int:
        """Count the messages for the video in the requests queue; receives them all."""
        return sum(message["video_id"] == video.id for message in self.deployment.messages())

    def executions(self, video: Video) -> list[str]:
        listed = client("stepfunctions").list_executions(stateMachineArn=self.settings.state_machine_arn)
        names = [execution_name(video.id, attempt) for attempt in range(1, 9)]
        return sorted(found["name"] for found in listed["executions"] if found["name"] in names)


def _queue(name: str) -> tuple[str, str]:
    """Return URL and ARN."""
    url = client("sqs").create_queue(QueueName=name)["QueueUrl"]
    answer = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, answer["Attributes"]["QueueArn"]


def film_clip(plan: FilmPlan, index: int, **changes: int) -> bytes:
    """Return a clip as the engine should return it, except for the changes."""
    _, clip = plan.clip(index)
    asked = {
        "count": clip.film_frames,
        "width": plan.width,
        "height": plan.height,
        "fps": plan.fps,
    }
    return real_clip(**{**asked, **changes}, seed=index)


def image_of(key: str) -> Image:
    return Image(key=key, sha256="0" * 64, width=320, height=180)


def source_of(key: str) -> Source:
    return Source(bucket="input", key=key, etag="etag")

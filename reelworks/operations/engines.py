"""The engines of a deployment: SageMaker's endpoints, or the PC's servers behind the same calls."""

import base64
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

from PIL import Image

from lambdas.adapters.objects import Objects
from lambdas.domain import keys
from lambdas.domain.engine_failure import engine_failure
from lambdas.domain.engine_request import EngineRequest
from lambdas.domain.engines import CATALOGUE, Engine, Renderer
from lambdas.domain.names import VARIANT, endpoint_name
from lambdas.settings import ADDED_ENGINES
from reelworks.deployment import Deployment, DeploymentError
from reelworks.operations.failures import FailedFilm, failures_since
from reelworks.operations.metrics import Metric, values

_DIMENSION = "sagemaker:variant:DesiredInstanceCount"
_WARM_ENDS = "reel-engines-warm-ends"  # the scheduled action
_RECENT = timedelta(minutes=5)
_POLL_SECONDS = 1.0
_FAILED_WITHIN = timedelta(days=1)


@dataclass(frozen=True)
class EngineState:
    """`least`, `most`: bounds of the instances, None if nothing scales them. `backlog`: clips that wait or
    are rendered; None if CloudWatch has no recent number. `warm_until`: when `warm` ends."""

    name: str
    endpoint: str
    status: str
    instances: int = 0
    wanted: int = 0
    least: int | None = None
    most: int | None = None
    warm_until: str | None = None
    backlog: int | None = None
    reason: str = ""

    def document(self) -> dict[str, Any]:
        return asdict(self)


class Engines:
    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._prefix = deployment.outputs["EndpointPrefix"]
        self._sagemaker = deployment.client("sagemaker")
        self._scaling = deployment.client("application-autoscaling")

    def offered(self) -> list[dict[str, str | None]]:
        """Return the engines that requests may name: {"name", "summary", "endpoint", "status"}. Those without
        an endpoint draw in a function."""
        settings = self._settings()
        statuses = {one["EndpointName"]: one["EndpointStatus"] for one in self._endpoints()}
        offered: list[dict[str, str | None]] = []
        for name in settings["REELWORKS_ENGINES"].split(","):
            engine = CATALOGUE[name.strip()]
            on_endpoint = engine.renderer is Renderer.ENDPOINT
            endpoint = endpoint_name(self._prefix, engine.name) if on_endpoint else None
            status = statuses.get(endpoint, "missing") if endpoint else "ready"
            offered.append(
                {"name": engine.name, "summary": engine.summary, "endpoint": endpoint, "status": status}
            )
        return offered

    def states(self, name: str | None = None) -> list[EngineState]:
        """Return the state of each engine on an endpoint, or of the one of that name. Raises DeploymentError
        if there is no such endpoint."""
        return [self._state(engine) for engine in self._names(name)]

    def failures(self, name: str) -> list[FailedFilm]:
        """Return the films of an engine that failed within a day at its clips, the newest first."""
        found = failures_since(self._deployment, datetime.now(UTC) - _FAILED_WITHIN)
        return [film for film in found.films if film.engine == name and film.failure.step == "RenderClip"]

    # --- how many instances

    def warm(self, name: str, instances: int, span: timedelta) -> datetime:
        """Keep so many instances for a time span, after which the endpoint scales to zero again. Return when
        that ends. Raises DeploymentError if the endpoint has no such many, or does not scale."""
        target = self._target(name)
        if not 1 <= instances <= target["MaxCapacity"]:
            raise DeploymentError(
                f"instances must be 1 to {target['MaxCapacity']}, the setting max_instances of {name}; "
                f"got {instances}"
            )
        until = datetime.now(UTC) + span
        # The end first: what is interrupted in between must not leave instances running for ever.
        self._scaling.put_scheduled_action(
            **self._variant(name),
            ScheduledActionName=_WARM_ENDS,
            Schedule=f"at({until:%Y-%m-%dT%H:%M:%S})",
            ScalableTargetAction={"MinCapacity": 0},
        )
        # For a registered target, this also raises the number of instances (its API reference).
        self._scaling.register_scalable_target(**self._variant(name), MinCapacity=instances)
        return until

    def cool(self, name: str, *, even_if_busy: bool = False) -> None:
        """Release all instances now. Raises DeploymentError if clips wait or are rendered, which would have
        to start again, unless `even_if_busy`."""
        self._target(name)
        [state] = self.states(name)
        if state.backlog and not even_if_busy:
            raise DeploymentError(
                f"engine {name} has {state.backlog} clips that wait or are rendered; "
                "use --force to interrupt them, or wait until it is idle"
            )
        self._scaling.register_scalable_target(**self._variant(name), MinCapacity=0)
        with suppress(self._scaling.exceptions.ObjectNotFoundException):  # it was not warmed, or that ended
            self._scaling.delete_scheduled_action(**self._variant(name), ScheduledActionName=_WARM_ENDS)
        self._sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=state.endpoint,
            DesiredWeightsAndCapacities=[{"VariantName": VARIANT, "DesiredInstanceCount": 0}],
        )

    # --- one clip

    def try_out(self, name: str, prompt: str, *, steps: int | None, seconds: float) -> "Tried":
        """Send one clip straight to the endpoint, bypassing the pipeline. Wait at most `seconds`.

        Raises DeploymentError with the engine's reason if it fails or takes longer.
        """
        [engine] = self._names(name)
        outputs = self._deployment.outputs
        inputs = Objects(self._deployment.client("s3"), outputs["InputBucket"])
        id_ = f"try-{uuid.uuid4().hex}"
        request = keys.engine_request(id_)
        inputs.put(request, _request(CATALOGUE[engine], prompt, steps).body(), "application/json")
        began = time.monotonic()
        try:
            answer = self._deployment.client("sagemaker-runtime").invoke_endpoint_async(
                EndpointName=endpoint_name(self._prefix, engine),
                InputLocation=f"s3://{inputs.bucket}/{request}",
                InferenceId=id_,
                ContentType="application/json",
                Accept="video/mp4",
            )
            clip = self._await(answer, began, seconds)
        finally:
            inputs.delete(request)  # on a PC this also stops a clip in progress
        return Tried(engine, time.monotonic() - began, clip)

    def _await(self, answer: dict[str, Any], began: float, seconds: float) -> bytes:
        """Return the clip when it is in S3."""
        results = Objects(self._deployment.client("s3"), self._deployment.outputs["OutputBucket"])
        there = f"s3://{results.bucket}/"
        output = answer["OutputLocation"].removeprefix(there)
        failure = answer["FailureLocation"].removeprefix(there)
        while time.monotonic() < began + seconds:
            if results.exists(output):
                clip = results.get(output)
                results.delete(output)
                return clip
            if results.exists(failure):
                reason = engine_failure(results.get(failure).decode(errors="replace"), "")
                results.delete(failure)
                raise DeploymentError(f"{reason.message} {reason.advice}")
            time.sleep(_POLL_SECONDS)
        raise DeploymentError(
            f"no clip within {seconds:g} s; see `reel engines status` and `reel engines logs`. An endpoint "
            "without instances needs several minutes to start one: use a longer --timeout"
        )

    # --- AWS

    def _settings(self) -> dict[str, str]:
        """Return the settings of the API. From then on, the catalogue has the deployment's own engines."""
        settings = self._deployment.settings_of("Api")
        CATALOGUE.add(settings.get(ADDED_ENGINES, ""))
        return settings

    def _endpoints(self) -> list[dict[str, Any]]:
        pages = self._sagemaker.get_paginator("list_endpoints").paginate(NameContains=self._prefix)
        return [endpoint for page in pages for endpoint in page["Endpoints"]]

    def _names(self, name: str | None = None) -> list[str]:
        """Return the engines that have an endpoint."""
        self._settings()
        there = {endpoint["EndpointName"] for endpoint in self._endpoints()}
        every = [engine for engine in CATALOGUE if endpoint_name(self._prefix, engine) in there]
        if name is not None and name not in every:
            raise DeploymentError(
                f"no engine {name!r} on an endpoint; use one of: {', '.join(every) or 'none is deployed'}"
            )
        return every if name is None else [name]

    def _state(self, engine: str) -> EngineState:
        endpoint = endpoint_name(self._prefix, engine)
        found = self._sagemaker.describe_endpoint(EndpointName=endpoint)
        variants = found.get("ProductionVariants") or [{}]
        target = self._scalable_target(engine)
        return EngineState(
            name=engine,
            endpoint=endpoint,
            status=found["EndpointStatus"],
            instances=variants[0].get("CurrentInstanceCount", 0),
            wanted=variants[0].get("DesiredInstanceCount", 0),
            least=target.get("MinCapacity"),
            most=target.get("MaxCapacity"),
            warm_until=self._warm_until(engine) if target.get("MinCapacity") else None,
            backlog=self._backlog(endpoint),
            reason=found.get("FailureReason", ""),
        )

    def _backlog(self, endpoint: str) -> int | None:
        metric = Metric("AWS/SageMaker", "ApproximateBacklogSize", (("EndpointName", endpoint),), "Maximum")
        now = datetime.now(UTC)
        found = values(
            self._deployment.client("cloudwatch"),
            {endpoint: metric},
            now - _RECENT,
            now + timedelta(minutes=1),  # a PC's cloud puts the number there when it is asked
            period=60,
        )[endpoint]
        return int(found[0]) if found else None

    def _warm_until(self, engine: str) -> str | None:
        actions = self._scaling.describe_scheduled_actions(
            **self._variant(engine), ScheduledActionNames=[_WARM_ENDS]
        )["ScheduledActions"]
        return actions[0]["Schedule"].removeprefix("at(").removesuffix(")") if actions else None

    def _target(self, name: str) -> dict[str, Any]:
        [engine] = self._names(name)
        found = self._scalable_target(engine)
        if not found:
            raise DeploymentError(
                f"engine {engine} does not scale; on a PC, its server starts with the first clip and stops "
                "when idle"
            )
        return found

    def _scalable_target(self, engine: str) -> dict[str, Any]:
        """Return what scales the engine's endpoint; nothing if it does not scale."""
        found: list[dict[str, Any]] = self._scaling.describe_scalable_targets(
            ServiceNamespace="sagemaker", ResourceIds=[self._variant(engine)["ResourceId"]]
        )["ScalableTargets"]
        return found[0] if found else {}

    def _variant(self, engine: str) -> dict[str, str]:
        return {
            "ServiceNamespace": "sagemaker",
            "ResourceId": f"endpoint/{endpoint_name(self._prefix, engine)}/variant/{VARIANT}",
            "ScalableDimension": _DIMENSION,
        }


@dataclass(frozen=True)
class Tried:
    engine: str
    seconds: float  # from the request to the clip, waiting included
    clip: bytes


def _request(engine: Engine, prompt: str, steps: int | None) -> EngineRequest:
    """Return the request for the engine's shortest clip of at least a second."""
    width, height = engine.sizes.default
    fps = engine.fps[0]
    image = None
    if engine.image == "required":
        file = BytesIO()
        Image.new("RGB", (width, height), "grey").save(file, "PNG")
        image = base64.b64encode(file.getvalue()).decode()
    return EngineRequest(
        prompt=prompt,
        width=width,
        height=height,
        frames=engine.frames_to_render(fps),
        skip_frames=0,
        fps=fps,
        seed=0,
        steps=steps,
        image=image,
    )

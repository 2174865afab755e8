"""Hand waiting clips to their engine's endpoint, as many as its instances can take."""

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.endpoints import Endpoints
from lambdas.adapters.engine_calls import Inference
from lambdas.adapters.executions import Machine
from lambdas.adapters.videos import now_ms
from lambdas.domain import names
from lambdas.domain.errors import EngineFailed, ReelworksError, TransientError, VideoNotFound
from lambdas.domain.failures import cause
from lambdas.domain.flight import most_in_flight
from lambdas.production.clip_progress import begun
from lambdas.production.failed_tries import note_failed_try
from lambdas.settings import RenderClipSettings
from lambdas.telemetry import logger, rate

# For how long the number of instances is taken as known: an instance takes minutes to start.
_INSTANCES_MS = 30_000


class Admission:
    def __init__(self, settings: RenderClipSettings) -> None:
        self._prefix = settings.endpoint_prefix
        self._videos = stores.videos(settings)
        self._inputs = stores.inputs(settings)
        self._inferences = stores.inferences(settings)
        self._queue = stores.clip_queue(settings)
        self._machine = Machine(client("stepfunctions"))
        self._endpoints = Endpoints(
            client("sagemaker-runtime"),
            client("sagemaker"),
            invocation_seconds=settings.invocation_seconds,
            request_ttl_seconds=settings.request_ttl_seconds,
        )

    def admit(self, engine: str) -> None:
        """Hand clips to the engine while it has places and clips wait.

        Never raises a temporary error: the clip that the caller works on is safe in the queue, and upkeep
        admits it, or sends one again that is in flight and was not sent.
        """
        try:
            most = most_in_flight(self._instances(engine))
            while inference := self._queue.admit(engine, most, now_ms()):
                self.send(inference)
        except TransientError as error:
            logger.warning("admission postponed", extra={"engine": engine, "reason": error.message})

    def send(self, inference: Inference) -> None:
        """Send a call in flight to the endpoint. It may be called again if it was interrupted: at worst an
        engine renders the clip twice, and both write the same artifact.

        Raises ServiceUnavailable.
        """
        if not self._inputs.exists(inference.request):  # withdrawn, as its video was cancelled or has failed
            self.done(inference)
            return
        endpoint = names.endpoint_name(self._prefix, inference.engine)
        try:
            if not inference.asked_before:
                begun(
                    self._videos, inference.tenant, inference.video_id, inference.clip,
                    seconds=inference.seconds, started_ms=inference.started_ms or now_ms(),
                )  # fmt: skip
            self._endpoints.invoke(
                endpoint, bucket=self._inputs.bucket, key=inference.request, inference_id=inference.id
            )
        except (EngineFailed, VideoNotFound) as error:
            self.fail(inference, error)
            return
        self._inferences.sent(inference.id, now_ms())
        logger.info("clip requested", extra={"inference_id": inference.id, "endpoint": endpoint})

    def fail(self, inference: Inference, error: ReelworksError) -> None:
        """Answer a call's token with an error, and free its place."""
        name = type(error).__name__
        answered = self._machine.fail(inference.token, name, cause(error))
        if answered:
            note_failed_try(
                self._videos, inference.tenant, inference.video_id, "RenderClip", error, clip=inference.clip
            )
        logger.warning("clip failed", extra={"error": name, "reason": error.message, "answered": answered})
        rate(names.METRIC_CLIP_FAILURE_RATE, error.fault, engine=inference.engine)
        self.done(inference)

    def ask_again(self, inference: Inference) -> None:
        """Queue a clip again whose request expired, with the same token: for its film nothing has failed.

        Each step can be repeated. The call is a new one, so that a late or second notice of the expired one
        changes nothing.
        """
        again = inference.again()
        self._queue.enqueue(again)
        self.done(inference)
        logger.warning("request expired, asked again", extra={"inference_id": again.id})

    def done(self, inference: Inference, clip_seconds: float | None = None) -> None:
        """Free a call's place, then mark it settled: if this is interrupted, the next try repeats both.
        `clip_seconds`: as for ClipQueue.release."""
        self._queue.release(inference.engine, inference.id, clip_seconds)
        self._inferences.settle(inference.id)

    def _instances(self, engine: str) -> int:
        """Return the number of the endpoint's instances, which all functions look up together."""
        calls = self._queue.engine(engine)
        if calls.instances_ms + _INSTANCES_MS > now_ms():
            return calls.instances
        try:
            instances = self._endpoints.instances(names.endpoint_name(self._prefix, engine))
        except TransientError as error:
            logger.warning("instances unknown", extra={"engine": engine, "reason": error.message})
            return calls.instances
        self._queue.note_instances(engine, instances, now_ms())
        return instances

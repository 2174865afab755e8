"""Finish engine calls in flight that were interrupted or whose notice was lost, and admit what waits."""

from collections.abc import Callable
from datetime import timedelta

from lambdas.adapters import stores
from lambdas.adapters.engine_calls import Inference
from lambdas.adapters.videos import now_ms
from lambdas.domain import keys, names
from lambdas.domain.engines import CATALOGUE, Renderer
from lambdas.notices.settle_clip import SettleClip
from lambdas.production.admission import Admission
from lambdas.settings import UpkeepSettings
from lambdas.telemetry import count, logger, measure

_MOST = 100  # calls of an engine per run, the oldest first; the next run takes the rest
# For the notice of a request that has expired.
_NOTICE_SECONDS = 300


class Calls:
    def __init__(self, settings: UpkeepSettings, grace: timedelta) -> None:
        """`grace`: how long a call must be in flight to be looked at."""
        self._grace_ms = grace // timedelta(milliseconds=1)
        self._lost_ms = 1000 * (settings.request_ttl_seconds + settings.invocation_seconds + _NOTICE_SECONDS)
        self._queue = stores.clip_queue(settings)
        self._inferences = stores.inferences(settings)
        self._outputs = stores.outputs(settings)
        self._settler = SettleClip(settings)
        self._admission = Admission(settings)

    def all_engines(self, time_left: Callable[[], bool]) -> int:
        """Return how many calls were repaired."""
        # All of the catalogue: clips may still wait for an engine that the settings no longer offer.
        engines = (name for name, engine in CATALOGUE.items() if engine.renderer is Renderer.ENDPOINT)
        return sum(self.engine(engine, time_left) for engine in engines if time_left())

    def engine(self, engine: str, time_left: Callable[[], bool]) -> int:
        flights = sorted(self._queue.engine(engine).flights.items(), key=lambda flight: flight[1])
        repaired = 0
        for inference_id, since_ms in flights[:_MOST]:
            if since_ms + self._grace_ms > now_ms() or not time_left():
                break
            try:
                repaired += self._repair(engine, inference_id)
            except Exception:  # noqa: BLE001  (one broken call must not block the others)
                logger.exception("call not repaired", extra={"inference_id": inference_id})
                count(names.METRIC_UPKEEP_FAILURES)
        self._admission.admit(engine)
        waiting = self._queue.waiting(engine)
        if waiting.largest:
            # Tenants' names are in the log only: as a metric's dimension each would cost by the month.
            told = {"engine": engine, "clips": waiting.clips, "tenants": len(waiting.by_tenant)}
            largest = {"tenant": waiting.largest, "of_tenant": waiting.by_tenant[waiting.largest]}
            logger.info("clips wait", extra={**told, **largest})
        if waiting.clips or flights:
            for tenant_class, clips in waiting.by_class.items():
                measure(names.METRIC_CLIPS_WAITING, clips, engine=engine, tenant_class=tenant_class)
            measure(names.METRIC_CLIPS_IN_FLIGHT, len(flights), engine=engine)
            age_ms = 0 if waiting.since_ms is None else now_ms() - waiting.since_ms
            measure(names.METRIC_OLDEST_CLIP_SECONDS, age_ms // 1000, engine=engine)
        return repaired

    def _repair(self, engine: str, inference_id: str) -> bool:
        """Return whether there was something to repair."""
        inference = self._inferences.get(inference_id)
        if inference is None or inference.settled:
            self._queue.release(engine, inference_id)
        elif not self.settle(inference):
            if inference.sent_ms is None:
                self._admission.send(inference)
            elif inference.sent_ms + self._lost_ms < now_ms():
                self._admission.ask_again(inference)
            else:
                return False
        logger.info("call repaired", extra={"inference_id": inference_id})
        return True

    def written(self, key: str) -> bool:
        """Settle the call whose output or failure was written a while ago, if its notice was lost. Return
        whether it was."""
        inference = self._inferences.get(keys.inference_of_output(key))
        if inference is None or inference.settled or not self.settle(inference):
            return False
        logger.info("lost notice found", extra={"inference_id": inference.id})
        self._admission.admit(inference.engine)
        return True

    def settle(self, inference: Inference) -> bool:
        """Return whether the engine had responded. SageMaker names what it writes after the inference."""
        if output := self._first(keys.ENGINE_OUTPUT_PREFIX + inference.id + "."):
            self._settler.completed(inference, output)
        elif failure_object := self._first(keys.ENGINE_FAILURE_PREFIX + inference.id + "-"):
            self._settler.failed(inference, "", failure_object)
        else:
            return False
        return True

    def _first(self, prefix: str) -> str | None:
        return next((key for key, _ in self._outputs.list(prefix)), None)

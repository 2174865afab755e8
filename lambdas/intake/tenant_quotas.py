"""Check a film against its tenant's quotas and count it: the deployment's quotas, with the tenant's own."""

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.tenant_counters import Admission
from lambdas.adapters.tenants import own_quotas
from lambdas.adapters.videos import now_ms
from lambdas.domain import quotas
from lambdas.domain.engines import deployed
from lambdas.domain.estimate import estimate
from lambdas.domain.quotas import Demand, Quotas, State
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipState
from lambdas.settings import IntakeSettings


class TenantQuotas:
    def __init__(self, settings: IntakeSettings) -> None:
        self._settings = settings
        self._counters = stores.videos(settings).counters

    def admit(self, tenant: str, demand: Demand) -> Admission:
        """Return what counts a film with its record. Raises QuotaExceeded."""
        return Admission(self._counters, tenant, self._of(tenant), demand, now_ms())

    def admit_again(self, video: Video) -> Admission:
        """Return what counts a new attempt at a video that has ended. Raises QuotaExceeded."""
        done = sum(clip.state is ClipState.DONE for clip in video.clips)
        engine = deployed(video.request.engine, self._settings.workflow)
        request = video.request.model_copy(update={"shapes": tuple(video.shapes)})
        expected = estimate(request, engine, self._settings.makers, done=done)
        return self.admit(video.tenant, expected.demand)

    def states(self, tenant: str) -> list[State]:
        """Return how far a tenant's quotas are used up."""
        now = now_ms()
        return quotas.states(self._of(tenant), self._counters.now(tenant, now), now)

    def _of(self, tenant: str) -> Quotas:
        own = own_quotas(client("dynamodb"), self._settings.api_keys_table, tenant)
        return self._settings.default_quotas.with_own(own)

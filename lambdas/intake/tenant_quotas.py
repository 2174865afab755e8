"""Check a film against its tenant's quotas and count it: the deployment's quotas, with the tenant's own."""

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.tenant_counters import Admission
from lambdas.adapters.tenants import own_quotas
from lambdas.adapters.videos import now_ms
from lambdas.domain import quotas
from lambdas.domain.demand import demand_of
from lambdas.domain.engines import deployed
from lambdas.domain.quotas import Quotas, State
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipState
from lambdas.domain.video_request import VideoRequest
from lambdas.settings import IntakeSettings


class TenantQuotas:
    def __init__(self, settings: IntakeSettings) -> None:
        self._settings = settings
        self._counters = stores.videos(settings).counters

    def admit(self, tenant: str, request: VideoRequest, *, done: int = 0) -> Admission:
        """Return what counts a film with its record. `done`: clips that an earlier attempt has rendered.

        Raises QuotaExceeded.
        """
        engine = deployed(request.engine, self._settings.workflow)
        demand = demand_of(request, engine, self._settings.price_list, done=done)
        return Admission(self._counters, tenant, self._of(tenant), demand, now_ms())

    def admit_again(self, video: Video) -> Admission:
        """Return what counts a new attempt at a video that has ended. Raises QuotaExceeded."""
        done = sum(clip.state is ClipState.DONE for clip in video.clips)
        return self.admit(video.tenant, video.request, done=done)

    def states(self, tenant: str) -> list[State]:
        """Return how far a tenant's quotas are used up."""
        now = now_ms()
        return quotas.states(self._of(tenant), self._counters.now(tenant, now), now)

    def _of(self, tenant: str) -> Quotas:
        own = own_quotas(client("dynamodb"), self._settings.api_keys_table, tenant)
        return self._settings.default_quotas.with_own(own)

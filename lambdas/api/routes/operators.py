"""Route of what operators see of all tenants. Another function than the other routes' serves it
(cdk/functions.py). An answer takes a bounded number of calls and bytes, whatever the deployment holds."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice

from lambdas.adapters import stores
from lambdas.adapters.clients import AT_ONCE
from lambdas.adapters.tenant_counters import TenantCounters
from lambdas.adapters.videos import SHARDS, Videos
from lambdas.api import operations_format
from lambdas.api.answers import EngineLoad, OpenFilms, OperationsObject, RecentFailures, Spend
from lambdas.api.operations import Routes
from lambdas.api.request import operations_settings
from lambdas.api.response import Response, answer
from lambdas.domain import runbooks
from lambdas.domain.engines import CATALOGUE, Renderer
from lambdas.domain.errors import VideoNotFound
from lambdas.domain.usage import months_of
from lambdas.domain.video import Video

_MOST = 25 * SHARDS  # films looked at, of each kind
_FAILED_WITHIN = timedelta(days=1)
_MOST_USAGE = 20_000  # sums by tenant, day and engine, of at most two months: a few MB

routes = Routes("Operations", "The whole deployment, for its operators. They need the scope `operate`.")


@routes.get("/v1/operations", answer=OperationsObject)
def retrieve_operations() -> Response:
    """Retrieve what runs, waits and failed

    Of all tenants. Only whoever has the deployment's AWS credentials can give a key the scope that it needs:
    `reel keys create TENANT --scope operate`. Films are counted up to a limit; `has_more` says if there are
    more.
    """
    now, folder = datetime.now(UTC), operations_settings().runbooks
    videos = stores.videos(operations_settings())
    spend, reason = _spend(videos.counters, now, folder)
    found: OperationsObject = {
        "object": "operations",
        "at": int(now.timestamp()),
        "open": _open(videos, now, folder),
        "engines": list(_engines(now, folder)),
        "failures": _failures(videos, now, folder),
        "spend": spend,
        "spend_reason": reason,
        "runbook": runbooks.link(folder, runbooks.INDEX),
    }
    return answer(found, headers={"Cache-Control": "no-store"})


def _open(videos: Videos, now: datetime, folder: str) -> OpenFilms:
    entries, more = videos.oldest_open(_MOST)
    found = [*videos.outlines(entries)]
    shown = _with_parts(videos, operations_format.oldest(found))
    return operations_format.open_films(found, shown, more, _ms(now), folder)


def _with_parts(videos: Videos, outlines: Iterable[Video]) -> Iterator[Video]:
    """Yield the videos with their clips, without those that were deleted meanwhile."""

    def whole(video: Video) -> Video | None:
        try:
            return videos.get(video.tenant, video.id)
        except VideoNotFound:
            return None

    with ThreadPoolExecutor(AT_ONCE) as readers:
        yield from filter(None, readers.map(whole, outlines))


def _engines(now: datetime, folder: str) -> Iterator[EngineLoad]:
    settings = operations_settings()
    queue = stores.clip_queue(settings)
    for name, engine in CATALOGUE.items():
        if name in settings.offered and engine.renderer is Renderer.ENDPOINT:
            yield operations_format.engine_load(name, queue.look(name), queue.waiting(name), _ms(now), folder)


def _failures(videos: Videos, now: datetime, folder: str) -> RecentFailures:
    since_ms = _ms(now - _FAILED_WITHIN)
    entries, more = videos.latest_failed(since_ms, _MOST)
    return operations_format.failures(videos.outlines(entries), more, since_ms, folder)


def _spend(counters: TenantCounters, now: datetime, folder: str) -> tuple[Spend | None, str | None]:
    """Return what was spent, or why that is unknown."""
    today = now.date()
    months = months_of(operations_format.first_day(today), today)
    counted = [*islice(counters.usage(months), _MOST_USAGE + 1)]
    if len(counted) > _MOST_USAGE:
        return None, (
            f"Adding it up would take more than {_MOST_USAGE:,} sums of tenants, days and engines. "
            "Use `reel ops cost`."
        )
    return operations_format.spend(counted, today, folder), None


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)

"""What operators see of all tenants, from records and counts."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

from lambdas.adapters.clip_queue import EngineCalls, WaitingClips
from lambdas.api import openai_format
from lambdas.api.answers import (
    EngineLoad,
    EngineSpend,
    FailedFilm,
    OpenFilm,
    OpenFilms,
    RecentFailures,
    Spend,
)
from lambdas.domain import runbooks
from lambdas.domain.stages import Stage
from lambdas.domain.usage import By, DailyUsage, grouped
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipState, Failure

SHOWN = 20  # films, or tenants of an engine
SPEND_DAYS = 7


def oldest(videos: Iterable[Video]) -> list[Video]:
    """Return the open films to show: those that entered their stage longest ago."""
    return sorted(_being_made(videos), key=lambda video: video.in_stage_since_ms)[:SHOWN]


def _being_made(videos: Iterable[Video]) -> Iterator[Video]:
    """The index that names them may be a moment behind."""
    return (video for video in videos if video.being_made)


def open_films(
    videos: Sequence[Video], shown: Iterable[Video], more: bool, now_ms: int, folder: str
) -> OpenFilms:
    """`videos`: all that were looked at, perhaps without their parts; `shown`: some of them, with theirs.
    `folder`: the setting `runbooks`, here as below."""
    stages = Counter(video.stage for video in _being_made(videos))
    return {
        "total": stages.total(),
        "stages": {stage: stages[stage] for stage in Stage if stage in stages},
        "has_more": more,
        "oldest": [_open_film(video, now_ms, folder) for video in _being_made(shown)],
    }


def _open_film(video: Video, now_ms: int, folder: str) -> OpenFilm:
    page = runbooks.of_open_film(video.stage, _span(video.progressed_ms, now_ms))
    return {
        "id": video.id,
        "tenant": video.tenant,
        "model": video.request.engine,
        "stage": video.stage,
        "since": video.in_stage_since_ms // 1000,
        "progressed_at": video.progressed_ms // 1000,
        "waits_for": video.waits_for,
        "clips_done": sum(clip.state is ClipState.DONE for clip in video.clips),
        "clips_total": len(video.clips),
        "runbook": page and runbooks.link(folder, page),
    }


def engine_load(
    name: str, calls: EngineCalls | None, waiting: WaitingClips, now_ms: int, folder: str
) -> EngineLoad:
    """`calls`: None if the engine never had any."""
    calls = calls or EngineCalls()
    instances = calls.instances if calls.instances_ms else None
    page = None
    if waiting.since_ms is not None:
        page = runbooks.of_waiting_clips(_span(waiting.since_ms, now_ms), instances)
    largest = sorted(waiting.by_tenant.items(), key=lambda one: (-one[1], one[0]))[:SHOWN]
    return {
        "name": name,
        "in_flight": len(calls.flights),
        "waiting": waiting.clips,
        "waiting_by_tenant": [{"tenant": tenant, "clips": clips} for tenant, clips in largest],
        "waiting_since": None if waiting.since_ms is None else waiting.since_ms // 1000,
        "instances": instances,
        "instances_at": calls.instances_ms // 1000 if calls.instances_ms else None,
        "runbook": page and runbooks.link(folder, page),
    }


def failures(videos: Iterable[Video], more: bool, since_ms: int, folder: str) -> RecentFailures:
    """Return the films that failed since then, among `videos`: others of them may have changed meanwhile, or
    have failed before."""
    failed = [
        (at_ms, video, video.failure)
        for video in videos
        if video.stage is Stage.FAILED and video.failure and (at_ms := video.failed_ms or 0) >= since_ms
    ]
    failed.sort(key=lambda one: -one[0])
    kinds = Counter((failure.step, failure.code) for _, _, failure in failed)
    of_kind = {(failure.step, failure.code): failure for _, _, failure in failed}
    return {
        "since": since_ms // 1000,
        "total": len(failed),
        "has_more": more,
        "kinds": [
            {
                "step": step,
                "code": code,
                "films": films,
                "runbook": runbooks.link(folder, runbooks.of_failure(of_kind[step, code])),
            }
            for (step, code), films in kinds.most_common()
        ],
        "latest": [_failed_film(at_ms, video, failure, folder) for at_ms, video, failure in failed[:SHOWN]],
    }


def _failed_film(at_ms: int, video: Video, failure: Failure, folder: str) -> FailedFilm:
    return {
        "id": video.id,
        "tenant": video.tenant,
        "model": video.request.engine,
        "at": at_ms // 1000,
        "step": failure.step,
        "code": failure.code,
        "reason": failure.reason,
        "runbook": runbooks.link(folder, runbooks.of_failure(failure)),
    }


def first_day(today: date) -> date:
    """Return the first of the days that `spend` shows."""
    return today - timedelta(days=SPEND_DAYS - 1)


def spend(counted: Sequence[DailyUsage], today: date, folder: str) -> Spend:
    """`counted`: of all tenants, at least since `first_day`."""
    first = first_day(today)
    return {
        "today": _by_engine(counted, today, today),
        "week": _by_engine(counted, first, today),
        "week_from": first.isoformat(),
        "runbook": runbooks.link(folder, runbooks.SPEND),
    }


def _by_engine(counted: Iterable[DailyUsage], first: date, last: date) -> list[EngineSpend]:
    within = (one for one in counted if first.isoformat() <= one.day <= last.isoformat())
    return [
        {"model": engine, **openai_format.usage_sums(sums)}
        for (engine,), sums in grouped(within, (By.ENGINE,)).items()
    ]


def _span(since_ms: int, now_ms: int) -> timedelta:
    return timedelta(milliseconds=now_ms - since_ms)

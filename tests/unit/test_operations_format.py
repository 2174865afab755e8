"""What operators see of all tenants, from records and counts."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from lambdas.adapters.clip_queue import EngineCalls, WaitingClips
from lambdas.api import operations_format
from lambdas.api.operations_format import SHOWN
from lambdas.domain.scopes import OF_A_TENANT, Scope, scope_of
from lambdas.domain.stages import Stage
from lambdas.domain.usage import DailyUsage, Usage
from lambdas.domain.video import Video
from tests.factories import a_request, a_video

NOW = 1_700_000_000_000
MINUTE = 60_000
BOOKS = "https://books.example"


def a_film(number: int, stage: Stage, minutes: float, **fields: Any) -> Video:
    """A film that entered its stage so many minutes ago."""
    at_ms = NOW - round(minutes * MINUTE)
    return a_video(
        id=f"video_{number:032x}",
        stage=stage,
        updated_ms=at_ms,
        history=[{"stage": stage, "at_ms": at_ms}],
        **fields,
    )


def failed(number: int, minutes: float, step: str, code: str) -> Video:
    failure = {"step": step, "code": code, "reason": "It broke.", "advice": ""}
    return a_film(number, Stage.FAILED, minutes, failure=failure)


def test_open_films_are_counted_and_those_longest_at_their_stage_shown() -> None:
    films = [a_film(number, Stage.RENDERING, number) for number in range(25)]
    ended = [a_film(30, Stage.REVIEWING, 99), a_film(31, Stage.COMPLETED, 99)]
    films += [*ended, a_film(32, Stage.QUEUED, 24.5)]
    shown = operations_format.oldest(films)
    found = operations_format.open_films(films, shown, True, NOW, BOOKS)
    assert (found["total"], found["has_more"]) == (26, True)
    assert found["stages"] == {"queued": 1, "rendering": 25}
    assert [film["id"] for film in found["oldest"]] == [
        films[number].id for number in (-1, *range(24, 24 - SHOWN + 1, -1))
    ]


def test_an_open_film_names_its_clips_and_its_runbook() -> None:
    clips = [
        {"state": "done", "seconds": 3, "finished_ms": NOW - 2 * MINUTE},
        {"state": "rendering", "seconds": 3},
    ]
    found = operations_format.open_films(
        films := [
            a_film(1, Stage.QUEUED, 16, waits_for="text_model"),
            a_film(2, Stage.QUEUED, 14),
            a_film(3, Stage.RENDERING, 61),
            a_film(4, Stage.RENDERING, 61, clips=clips, request=a_request(engine="cogvideox-2b")),
            a_film(5, Stage.PREPARING, 61),
        ],
        films,
        False,
        NOW,
        BOOKS,
    )
    assert [film["runbook"] for film in found["oldest"]] == [
        f"{BOOKS}/requests-wait.md",
        None,
        f"{BOOKS}/clips-wait.md",
        None,  # a clip was finished two minutes ago
        f"{BOOKS}/index.md",
    ]
    assert found["oldest"][0]["waits_for"] == "text_model"
    assert found["oldest"][3] == {
        "id": films[3].id,
        "tenant": "acme",
        "model": "cogvideox-2b",
        "stage": "rendering",
        "since": NOW // 1000 - 61 * 60,
        "progressed_at": NOW // 1000 - 120,
        "waits_for": None,
        "clips_done": 1,
        "clips_total": 2,
        "runbook": None,
    }


def test_an_engine_that_never_had_a_clip() -> None:
    assert operations_format.engine_load("cogvideox-2b", None, WaitingClips(), NOW, BOOKS) == {
        "name": "cogvideox-2b",
        "in_flight": 0,
        "waiting": 0,
        "waiting_by_tenant": [],
        "waiting_since": None,
        "instances": None,
        "instances_at": None,
        "runbook": None,
    }


@pytest.mark.parametrize(
    ("minutes", "instances", "runbook"),
    [
        (29, 0, None),
        (31, 0, "engine-without-instance"),
        (31, 1, None),
        (181, 1, "clips-wait"),
        (181, 0, "engine-without-instance"),
    ],
)
def test_an_engine_s_load(minutes: int, instances: int, runbook: str | None) -> None:
    tenants = {f"tenant-{number:02d}": number for number in range(1, 31)}
    waiting = WaitingClips(by_tenant=tenants, since_ms=NOW - minutes * MINUTE)
    calls = EngineCalls(flights={"a": NOW, "b": NOW}, instances=instances, instances_ms=NOW - MINUTE)
    found = operations_format.engine_load("cogvideox-2b", calls, waiting, NOW, BOOKS)
    assert (found["in_flight"], found["waiting"]) == (2, sum(range(31)))
    assert [one["clips"] for one in found["waiting_by_tenant"]] == [*range(30, 30 - SHOWN, -1)]
    assert (found["instances"], found["instances_at"]) == (instances, NOW // 1000 - 60)
    assert found["waiting_since"] == NOW // 1000 - 60 * minutes
    assert found["runbook"] == (runbook and f"{BOOKS}/{runbook}.md")


def test_failures_are_counted_by_step_and_code_and_the_latest_shown() -> None:
    films = [failed(number, number, "RenderClip", "EngineFailed") for number in range(24)]
    films += [failed(40, 5.5, "Plan", "KeyError"), failed(41, 6.5, "WriteStoryboard", "TransitionTooLong")]
    films += [failed(50, 61, "Plan", "KeyError"), a_film(51, Stage.RENDERING, 1)]
    found = operations_format.failures(films, False, NOW - 60 * MINUTE, BOOKS)
    assert (found["total"], found["has_more"], found["since"]) == (26, False, NOW // 1000 - 3600)
    assert [(kind["step"], kind["code"], kind["films"]) for kind in found["kinds"]] == [
        ("RenderClip", "EngineFailed", 24),
        ("Plan", "KeyError", 1),
        ("WriteStoryboard", "TransitionTooLong", 1),
    ]
    assert [kind["runbook"] for kind in found["kinds"]] == [
        f"{BOOKS}/engine-failures.md",
        f"{BOOKS}/pipeline-failures.md",
        f"{BOOKS}/failed-film.md",
    ]
    assert [film["at"] for film in found["latest"]] == sorted(
        (film["at"] for film in found["latest"]), reverse=True
    )
    assert len(found["latest"]) == SHOWN
    assert found["latest"][0] == {
        "id": films[0].id,
        "tenant": "acme",
        "model": "animatic",
        "at": NOW // 1000,
        "step": "RenderClip",
        "code": "EngineFailed",
        "reason": "It broke.",
        "runbook": f"{BOOKS}/engine-failures.md",
    }


def test_what_was_spent_today_and_within_a_week() -> None:
    counted = [
        DailyUsage("acme", "2026-12-02", "animatic", Usage(1, 0, 4, 12, Decimal("0.25"), 0)),
        DailyUsage("bees", "2026-12-02", "animatic", Usage(1, 1, 4, 12, Decimal("0.5"), 1)),
        DailyUsage("acme", "2026-11-26", "cogvideox-2b", Usage(1, 0, 2, 6, Decimal(3), 0)),
        DailyUsage("acme", "2026-11-25", "cogvideox-2b", Usage(1, 0, 2, 6, Decimal(9), 0)),
        DailyUsage("acme", "2026-12-03", "animatic", Usage(1, 0, 2, 6, Decimal(9), 0)),
    ]
    found = operations_format.spend(counted, date(2026, 12, 2), BOOKS)
    drafts = {"films": 2, "failed": 1, "clips": 8, "seconds": 24, "cost": 0.75, "unknown": 1}
    assert found["today"] == [{"model": "animatic", **drafts}]
    assert [(row["model"], row["cost"]) for row in found["week"]] == [
        ("animatic", 0.75),
        ("cogvideox-2b", 3.0),
    ]
    assert (found["week_from"], found["runbook"]) == ("2026-11-26", f"{BOOKS}/spend.md")


# --- who may see it


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/v1/operations", "/v1/operations/", "/v1/operations/x"])
def test_operations_need_a_scope_that_no_tenant_can_give(method: str, path: str) -> None:
    assert scope_of(method, path) is Scope.OPERATE
    assert Scope.OPERATE not in OF_A_TENANT


def test_any_caller_may_ask_who_it_is() -> None:
    assert scope_of("GET", "/v1/caller") is None
    assert scope_of("POST", "/v1/caller") is Scope.CREATE
    assert scope_of("GET", "/v1/callers") is Scope.READ

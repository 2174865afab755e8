"""What operators see of all tenants, over a local AWS: films of two tenants, open, waiting and failed."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from lambdas.adapters import stores
from lambdas.adapters.videos import SHARDS
from lambdas.api import authorizer
from lambdas.api.request import operations_settings, settings
from lambdas.api.routes import operators
from lambdas.domain.scopes import Scope
from lambdas.domain.stages import Stage
from lambdas.domain.video_parts import ClipProgress, ClipState, Failure
from tests.cloud.deployment import Context, Deployment, event
from tests.cloud.rest import Answer, call, complete, create
from tests.cloud.test_waiting import ENGINE, counted, engine, waiting

__all__ = ["engine"]  # a fixture

PATH = "/v1/operations"
BOOKS = "https://books.example"


@pytest.fixture(autouse=True)
def _settings(aws: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("REELWORKS_RUNBOOKS", BOOKS)
    for cached in (operations_settings, authorizer._settings):
        cached.cache_clear()
    yield
    for cached in (operations_settings, authorizer._settings):
        cached.cache_clear()


def operations(tenant: str = "operators") -> Answer:
    answer = call("GET", PATH, tenant=tenant, scopes=Scope.OPERATE)
    assert answer.status == 200, answer.text
    return answer


@pytest.mark.usefixtures("engine")
def test_an_operator_sees_the_films_of_all_tenants() -> None:
    acme, bees = (f"{name}-{uuid4().hex[:8]}" for name in ("acme", "bees"))
    videos = stores.videos(settings())
    rendered, queued = waiting(acme, 3), str(create(bees)["id"])
    done = ClipProgress(seconds=6, state=ClipState.DONE, finished_ms=1)
    videos.update_entry(acme, rendered, "clips", 0, done)
    failed, ended = (str(create(bees)["id"]) for _ in range(2))
    reason = Failure(step="Plan", code="KeyError", reason="'scenes' <b>is</b> missing", advice="")
    videos.advance(bees, failed, Stage.FAILED, failure=reason)
    complete(ended, bees)

    answer = operations()
    assert answer.headers["cache-control"] == "no-store"
    shown = answer.json
    oldest = {film["id"]: film for film in shown["open"]["oldest"]}
    assert oldest.keys() >= {rendered, queued}
    assert not oldest.keys() & {failed, ended}
    film = oldest[rendered]
    assert (film["tenant"], film["stage"], film["clips_done"], film["clips_total"]) == (
        acme,
        "rendering",
        1,
        3,
    )
    assert shown["open"]["total"] == sum(shown["open"]["stages"].values()) >= 2
    loads = {load["name"]: load for load in shown["engines"]}
    assert "animatic" not in loads
    assert {"tenant": acme, "clips": 3} in loads[ENGINE]["waiting_by_tenant"]
    assert loads[ENGINE]["waiting_since"] == 0
    assert loads[ENGINE]["runbook"] == f"{BOOKS}/clips-wait.md"
    [told] = [film for film in shown["failures"]["latest"] if film["tenant"] == bees]
    assert (told["id"], told["reason"]) == (failed, reason.reason)
    assert told["runbook"] == f"{BOOKS}/pipeline-failures.md"
    assert {"animatic"} <= {row["model"] for row in shown["spend"]["today"]}
    assert shown["spend_reason"] is None


@pytest.mark.usefixtures("engine")
def test_an_answer_takes_a_bounded_number_of_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = f"tenant-{uuid4().hex[:8]}"
    for _ in range(3):
        waiting(tenant, 1)
    with counted() as calls:
        operations()
    films = 20 + 2 * SHARDS  # each shown film, and the shards of open and of failed ones
    assert calls.count("Query") <= films + 2 + 2 * (1 + 100)  # two months; two engines and their tenants
    assert calls.count("BatchGetItem") <= 2 * 4
    assert set(calls) <= {"Query", "BatchGetItem", "GetItem"}
    monkeypatch.setattr(operators, "_MOST", SHARDS)
    for _ in range(SHARDS + 1):
        create(tenant)
    shown = operations().json["open"]
    assert shown["has_more"]
    assert shown["total"] <= SHARDS


def test_what_was_spent_is_unknown_if_it_takes_too_long_to_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        tenant = f"tenant-{uuid4().hex[:8]}"
        complete(str(create(tenant)["id"]), tenant)
    monkeypatch.setattr(operators, "_MOST_USAGE", 1)
    shown = operations().json
    assert shown["spend"] is None
    assert "reel ops cost" in shown["spend_reason"]


def test_no_tenant_sees_it() -> None:
    """Not even its administrators, whose keys can't give the scope either."""
    answer = call("GET", PATH, scopes="read create admin")
    assert (answer.status, answer.error["code"]) == (403, "insufficient_scope")
    for scopes in ("read create admin", "read create admin operate"):
        body = {"name": "x", "scopes": ["operate"]}
        refused = call("POST", "/v1/api_keys", body=body, scopes=scopes)
        assert (refused.status, refused.error["param"]) == (400, "scopes[0]"), refused.text
        assert refused.error["message"] == "scopes[0] must be read, create or admin; got 'operate'."


def test_a_key_of_the_deployment_s_operator(aws: Deployment) -> None:
    secret = f"rk-{uuid4().hex}"
    aws.api_keys.register(secret, "operators", "on call", [Scope.OPERATE])
    asked = event("authorize")
    asked["headers"]["authorization"] = f"Bearer {secret}"
    context = authorizer.handler(asked, Context())["context"]
    assert (context["tenant"], context["scopes"]) == ("operators", "operate")
    caller = call("GET", "/v1/caller", tenant="operators", scopes=context["scopes"])
    assert caller.json["scopes"] == ["operate"]
    assert call("GET", "/v1/videos", scopes=context["scopes"]).status == 403
    assert authorizer.scopes_of({"sub": "ada", "cognito:groups": ["scope:read", "scope:operate"]}) == (
        Scope.READ,
        Scope.OPERATE,
    )

"""What a film would take, asked of the API: nothing is created; and the limit on what it may cost."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import openai
import pytest

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.videos import now_ms
from lambdas.api.request import settings
from lambdas.domain.prices import AWS
from lambdas.domain.quotas import Counters, Quotas
from lambdas.domain.stages import Stage
from tests.cloud.deployment import Deployment
from tests.cloud.rest import Answer, call, complete, create, gateway
from tests.cloud.servers import serving

ENGINE = "cogvideox-5b"


@pytest.fixture
def tenant(aws: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A tenant of the test's own, where the engine's instance has a price."""
    monkeypatch.setenv("REELWORKS_PRICES", AWS.with_instances({ENGINE: 2.80}).model_dump_json())
    monkeypatch.setenv("REELWORKS_ENGINES", f"animatic,cogvideox-2b,{ENGINE}")
    settings.cache_clear()
    yield f"tenant-{uuid4().hex[:8]}"
    settings.cache_clear()
    aws.messages()


def post(tenant: str, dry_run: str | None = "true", headers: Any = None, **fields: Any) -> Answer:
    body = {"prompt": "A bee", "model": ENGINE, "seconds": "12", "enhance": False, **fields}
    query = {} if dry_run is None else {"dry_run": dry_run}
    return call("POST", "/v1/videos", body=body, tenant=tenant, query=query, headers=headers)


def everything(aws: Deployment) -> dict[str, Any]:
    """Return all that a create writes."""
    s3, table = client("s3"), aws.settings.videos_table
    return {
        "items": client("dynamodb").scan(TableName=table)["Items"],
        "objects": [
            sorted(one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", []))
            for bucket in (aws.settings.input_bucket, aws.settings.output_bucket)
        ],
        "messages": aws.messages(),
    }


def test_the_highest_cost_is_that_of_second_tries_of_all_clips(aws: Deployment, tenant: str) -> None:
    told = post(tenant, on_warning="retry_once").json
    assert told["highest_cost"] == pytest.approx(told["cost"] + told["costs"]["clips"]["usd"])


def test_a_dry_run_says_what_the_film_would_take_and_creates_nothing(aws: Deployment, tenant: str) -> None:
    aws.messages()
    before = everything(aws)
    answer = post(tenant, size="720x1280", fps=24, headers={"Idempotency-Key": "k"})
    assert answer.status == 200
    told = answer.json
    costs = {name: part["usd"] for name, part in told.pop("costs").items()}
    assert costs["clips"] == pytest.approx(2 * 209 * 2.80 / 3600)
    assert (costs["writing"], costs["narration"], costs["stills"]) == (0, 0, 0)
    assert told["highest_cost"] == told["cost"] == pytest.approx(sum(costs.values()))
    del told["highest_cost"], told["cost"]
    assert 418 < told.pop("expected_seconds") < 450
    turned, repeated = told.pop("notes")
    assert "to keep all of it, send fit=contain" in turned.lower()
    assert "frames are repeated to make 24" in repeated
    assert told == {
        "object": "video.estimate",
        "model": ENGINE,
        "clips": 2,
        "seconds": "12",
        "size": "720x1280",
        "fps": 24,
        "rendered_size": "720x480",
        "rendered_fps": 8,
        "max_cost": None,
        "expected_seconds_reason": None,
        "refusals": [],
    }
    assert everything(aws) == before
    assert stores.videos(settings()).counters.now(tenant, now_ms()) == Counters()


def test_a_dry_run_refuses_an_invalid_request_as_a_create_does(tenant: str) -> None:
    wrong = {"seconds": "0"}, {"size": "1x1"}, {"tone": "dark"}, {"model": "sora-3"}, {"max_cost": 0}
    for fields in wrong:
        dry, real = post(tenant, **fields), post(tenant, dry_run=None, **fields)
        assert dry.status == real.status == 400
        assert dry.error == real.error
    assert post(tenant, dry_run="perhaps").error["param"] == "dry_run"


def test_a_dry_run_tells_what_the_quotas_and_its_limit_would_refuse(aws: Deployment, tenant: str) -> None:
    aws.tenants.set(tenant, Quotas(clips_per_day=1))
    told = post(tenant, max_cost=0.1).json
    assert [(one["code"], one["param"]) for one in told["refusals"]] == [
        ("max_cost_exceeded", "max_cost"),
        ("quota_exceeded", "clips_per_day"),
    ]
    assert told["cost"] > told["max_cost"] == 0.1
    assert post(tenant, dry_run=None).error == told["refusals"][1]


def test_an_unknown_cost_is_null_and_says_why(tenant: str) -> None:
    told = post(tenant, model="cogvideox-2b").json
    assert told["cost"] is told["costs"]["clips"]["usd"] is told["expected_seconds"] is None
    assert "cogvideox-2b" in told["costs"]["clips"]["reason"]
    assert told["expected_seconds_reason"]


@pytest.mark.filterwarnings("ignore:.*Sora:DeprecationWarning")
def test_the_openai_client_asks_before_it_creates(tenant: str) -> None:
    with (
        serving(gateway(tenant)) as base,
        openai.OpenAI(base_url=f"{base}/v1", api_key="x") as api,
    ):
        video = api.videos.create(prompt="A bee", extra_query={"dry_run": True})
    assert json.loads(video.model_dump_json())["object"] == "video.estimate"


def test_a_film_above_its_limit_is_refused_before_anything_is_kept(aws: Deployment, tenant: str) -> None:
    refused = post(tenant, dry_run=None, max_cost="0.1")
    assert refused.status == 400
    assert (refused.error["code"], refused.error["param"]) == ("max_cost_exceeded", "max_cost")
    assert aws.messages() == []
    assert stores.videos(settings()).counters.now(tenant, now_ms()) == Counters()
    accepted = post(tenant, dry_run=None, max_cost="1.5")
    assert accepted.json["max_cost"] == 1.5


def test_a_retry_may_raise_the_limit(tenant: str) -> None:
    video = post(tenant, dry_run=None, max_cost=1).json
    path = f"/v1/videos/{video['id']}/retry"
    assert call("POST", path, tenant=tenant).json["max_cost"] == 1
    assert call("POST", path, tenant=tenant, query={"max_cost": "2"}).json["max_cost"] == 2
    stores.videos(settings()).advance(tenant, video["id"], Stage.FAILED)
    retried = call("POST", path, tenant=tenant, query={"max_cost": "3.5"}).json
    assert (retried["max_cost"], retried["attempt"]) == (3.5, 2)
    assert call("POST", path, tenant=tenant, query={"max_cost": "-1"}).error["param"] == "max_cost"


def test_a_remix_has_a_limit_of_its_own(tenant: str) -> None:
    source = create(tenant, model=ENGINE, seconds="12", max_cost=1)["id"]
    complete(source, tenant)
    path = f"/v1/videos/{source}/remix"
    outputs, plan = stores.outputs(settings()), f"videos/{tenant}/{source}/plan.json"
    outputs.put(plan, b"{}", "application/json")
    assert call("POST", path, body={"prompt": "At night"}, tenant=tenant).json["max_cost"] is None
    limited = call("POST", path, body={"prompt": "At dawn", "max_cost": 0.01}, tenant=tenant)
    assert limited.json["max_cost"] == 0.01

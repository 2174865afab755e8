"""What the API says of a video that waits for its engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.engine_calls import Inference
from lambdas.api.request import settings
from lambdas.domain import keys
from lambdas.domain.prices import AWS
from lambdas.domain.stages import Stage
from lambdas.domain.video_parts import ClipProgress, ClipState
from tests.cloud.deployment import Deployment
from tests.cloud.rest import call, create

ENGINE = "cogvideox-2b"  # 75 s for a clip


@pytest.fixture
def engine(aws: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("REELWORKS_PRICES", AWS.with_instances({ENGINE: 2.80}).model_dump_json())
    settings.cache_clear()
    yield
    settings.cache_clear()
    queue = stores.clip_queue(settings())
    while taken := queue.admit(ENGINE, 10_000, 1):
        queue.release(ENGINE, taken.id)
    aws.messages()


def waiting(tenant: str, clips: int) -> str:
    """Return a video whose clips wait."""
    id_ = str(create(tenant, model=ENGINE, seconds=str(6 * clips), enhance=False)["id"])
    videos = stores.videos(settings())
    videos.advance(tenant, id_, Stage.PLANNING)
    videos.advance(tenant, id_, Stage.RENDERING, clips=clips * [ClipProgress(seconds=6)])
    for clip in range(clips):
        inference = keys.inference_id(id_, clip, uuid4().hex)
        queued = Inference(
            id=inference,
            token="nobody's",
            tenant=tenant,
            video_id=id_,
            clip=clip,
            key_hash="0" * 64,
            engine=ENGINE,
            request=keys.engine_request(inference),
            seconds=6,
            requested_ms=1,
        )
        assert stores.clip_queue(settings()).enqueue(queued)
    return id_


@contextmanager
def counted() -> Iterator[list[str]]:
    """Yield the DynamoDB calls that are made meanwhile."""
    made: list[str] = []

    def note(model: Any, **others: Any) -> None:
        made.append(model.name)

    events = client("dynamodb").meta.events
    events.register("before-call.dynamodb", note)
    try:
        yield made
    finally:
        events.unregister("before-call.dynamodb", note)


@pytest.mark.usefixtures("engine")
def test_a_video_that_waits_has_its_place_and_its_time() -> None:
    # Who begins to wait before any turn is given has an equal turn, and goes by name.
    first, second = (f"{letter}-{uuid4().hex[:8]}" for letter in "ab")
    large, small = waiting(first, 4), waiting(second, 2)
    for video, tenant, position, clips in ((large, first, 0, 6), (small, second, 1, 4)):
        answer = call("GET", f"/v1/videos/{video}", tenant=tenant)
        assert answer.json["queue_position"] == position
        assert answer.json["expected_seconds"] == 480 + clips * 75
        assert answer.headers["openai-poll-after-ms"] == "30000"
    listed = call("GET", "/v1/videos", tenant=first).json["data"]
    assert [video["queue_position"] for video in listed] == [None]


@pytest.mark.usefixtures("engine")
def test_only_a_video_that_waits_is_read_with_its_queue() -> None:
    tenant = f"tenant-{uuid4().hex[:8]}"
    video = waiting(tenant, 2)
    with counted() as calls:
        call("GET", f"/v1/videos/{video}", tenant=tenant)
    assert calls == ["Query", "Query", "Query"]
    begun = ClipProgress(seconds=6, state=ClipState.RENDERING, started_ms=1)
    stores.videos(settings()).update_entry(tenant, video, "clips", 0, begun)
    with counted() as calls:
        answer = call("GET", f"/v1/videos/{video}", tenant=tenant)
    assert calls == ["Query"]
    assert (answer.json["queue_position"], answer.json["expected_seconds"]) == (None, None)
    assert answer.headers["openai-poll-after-ms"] == "2000"

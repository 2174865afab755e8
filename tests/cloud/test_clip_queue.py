"""The queue of clips on a local DynamoDB: order, fairness, the limit, and that no clip is lost or counted
twice however its writers collide or lose answers."""

import random
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.clip_queue import ClipQueue
from lambdas.adapters.engine_calls import CallState, Inference, Inferences
from lambdas.domain import keys
from tests.cloud.deployment import Deployment
from tests.cloud.lost_answers import Losses, deployed_losing_answers

_MANY = 10_000


@pytest.fixture(scope="module")
def lossy() -> Iterator[tuple[Deployment, Losses]]:
    with deployed_losing_answers() as lossy:
        yield lossy


@pytest.fixture
def queue(lossy: tuple[Deployment, Losses]) -> Iterator[ClipQueue]:
    yield stores.clip_queue(lossy[0].settings)
    lossy[1].none()


@pytest.fixture
def calls(lossy: tuple[Deployment, Losses]) -> Inferences:
    return stores.inferences(lossy[0].settings)


@pytest.fixture
def engine() -> str:
    return f"engine-{uuid.uuid4().hex}"  # each test has its own queue


def a_call(engine: str, tenant: str = "acme", clip: int = 0, **changes: Any) -> Inference:
    id_ = keys.inference_id(f"video_{uuid.uuid4().hex}", clip, uuid.uuid4().hex)
    call: dict[str, Any] = {
        "id": id_,
        "token": "token",
        "tenant": tenant,
        "video_id": id_.split(".")[0],
        "clip": clip,
        "key_hash": "0" * 64,
        "engine": engine,
        "request": keys.engine_request(id_),
        "seconds": 6,
        "requested_ms": 1,
    }
    return Inference(**{**call, **changes})


def film(engine: str, tenant: str, clips: int, at_ms: int = 1) -> list[Inference]:
    return [a_call(engine, tenant, clip, requested_ms=at_ms) for clip in range(clips)]


def admitted(queue: ClipQueue, engine: str, most: int = _MANY) -> list[Inference]:
    return list(iter(lambda: queue.admit(engine, most, 5), None))  # type: ignore[arg-type]


def test_a_clip_waits_and_is_in_flight_and_settled(queue: ClipQueue, calls: Inferences, engine: str) -> None:
    call = a_call(engine)
    assert queue.enqueue(call)
    waiting = queue.waiting(engine)
    assert (waiting.by_tenant, waiting.since_ms) == ({"acme": 1}, 1)
    assert queue.admit(engine, 1, 7) == call.model_copy(
        update={"state": CallState.IN_FLIGHT, "started_ms": 7}
    )
    assert queue.waiting(engine).clips == 0
    assert queue.engine(engine).flights == {call.id: 7}
    queue.release(engine, call.id)
    queue.release(engine, call.id)
    calls.settle(call.id)
    assert queue.engine(engine).flights == {}
    stored = calls.get(call.id)
    assert stored
    assert stored.settled


def test_no_more_clips_are_in_flight_than_allowed(queue: ClipQueue, engine: str) -> None:
    for call in film(engine, "acme", 4):
        queue.enqueue(call)
    first, second = admitted(queue, engine, 2)
    assert admitted(queue, engine, 2) == []
    queue.release(engine, first.id)
    [third] = admitted(queue, engine, 2)
    assert [call.clip for call in (first, second, third)] == [0, 1, 2]


def test_nothing_is_admitted_from_an_empty_queue(queue: ClipQueue, engine: str) -> None:
    assert queue.admit(engine, 1, 0) is None


def test_a_tenant_s_clips_come_in_the_order_of_their_requests(queue: ClipQueue, engine: str) -> None:
    later, earlier = film(engine, "acme", 2, at_ms=20), film(engine, "acme", 2, at_ms=3)
    for call in later + earlier:
        queue.enqueue(call)
    assert [call.id for call in admitted(queue, engine)] == [call.id for call in earlier + later]


def test_a_large_film_does_not_hold_back_a_small_one(queue: ClipQueue, engine: str) -> None:
    for call in film(engine, "large", 20):
        queue.enqueue(call)
    for _ in range(5):  # some are rendered before the small film comes
        assert queue.admit(engine, _MANY, 5)
    for call in film(engine, "small", 3):
        queue.enqueue(call)
    tenants = [call.tenant for call in admitted(queue, engine)]
    places = [place for place, tenant in enumerate(tenants) if tenant == "small"]
    assert places[-1] <= 6, "at most one clip of the other before each of its own, and one at the start"
    assert len(tenants) == 18


def test_turns_go_round_all_tenants_that_wait(queue: ClipQueue, engine: str) -> None:
    for tenant, clips in (("a", 4), ("b", 2), ("c", 3)):
        for call in film(engine, tenant, clips):
            queue.enqueue(call)
    order = [call.tenant for call in admitted(queue, engine)]
    for round_ in (order[0:3], order[3:6]):
        assert sorted(round_) == ["a", "b", "c"]
    assert sorted(order[6:]) == ["a", "a", "c"]


def test_whoever_asks_for_one_clip_at_a_time_gets_no_more_turns_than_others(
    queue: ClipQueue, engine: str
) -> None:
    """As a film does whose clips each start from the one before."""
    for call in film(engine, "large", 5):
        queue.enqueue(call)
    order = []
    for clip in range(4):
        queue.enqueue(a_call(engine, "chained", clip))
        for _ in range(2):
            call = queue.admit(engine, _MANY, 5)
            assert call
            order.append(call.tenant)
    assert Counter(order) == {"large": 4, "chained": 4}


@pytest.mark.parametrize("seed", range(4))
def test_a_video_s_place_is_the_number_of_clips_admitted_before_it(
    queue: ClipQueue, engine: str, seed: int
) -> None:
    chance = random.Random(seed)
    films = [
        film(engine, chance.choice(["acme", "globex", "initech"]), chance.randint(1, 4), at_ms)
        for at_ms in range(5)
    ]
    for number, clips in enumerate(films):
        for clip in clips:
            own = clip.model_copy(
                update={"id": f"{clips[0].video_id}.{clip.clip:03d}.x", "video_id": clips[0].video_id}
            )
            queue.enqueue(own)
        if number == 2:
            queue.admit(engine, 1, 5)
    waits = {
        clips[0].video_id: line.clips_before()
        for clips in films
        if (line := queue.line(engine, clips[0].tenant, clips[0].video_id)) is not None
    }
    order = [call.video_id for call in admitted(queue, engine)]
    assert waits == {video: order.index(video) for video in set(order)}
    assert queue.line(engine, "acme", films[0][0].video_id) is None


def test_the_line_says_what_is_in_flight_and_how_long_the_last_clip_took(
    queue: ClipQueue, engine: str
) -> None:
    first, second = film(engine, "acme", 2)
    queue.enqueue(first)
    queue.enqueue(second)
    assert queue.admit(engine, 1, 5) == first.model_copy(
        update={"state": CallState.IN_FLIGHT, "started_ms": 5}
    )
    queue.note_instances(engine, 3, 5)
    line = queue.line(engine, "acme", second.video_id)
    assert line is not None
    assert (line.before, line.in_flight, line.instances, line.clip_seconds) == (0, 1, 3, None)
    for seconds in (12.5, None):  # a place that is freed again says nothing of the time
        queue.release(engine, first.id, seconds)
        line = queue.line(engine, "acme", second.video_id)
        assert line is not None
        assert (line.in_flight, line.clip_seconds) == (0, 12.5)


def test_the_same_call_is_queued_once(queue: ClipQueue, engine: str) -> None:
    call = a_call(engine)
    assert queue.enqueue(call)
    assert not queue.enqueue(call)
    assert len(admitted(queue, engine)) == 1
    assert not queue.enqueue(call), "it is in flight"
    assert queue.waiting(engine).clips == 0


def test_a_withdrawn_clip_has_left_the_queue(queue: ClipQueue, calls: Inferences, engine: str) -> None:
    first, second = film(engine, "acme", 2)
    other = a_call(engine, "other")
    for call in (first, second, other):
        queue.enqueue(call)
    assert queue.withdraw(first)
    assert not queue.withdraw(first)
    assert queue.withdraw(second)
    assert [call.id for call in admitted(queue, engine)] == [other.id]
    assert not queue.withdraw(other), "it is in flight"
    assert [call.settled for call in calls.of_video(first.video_id)] == [True]


def test_a_call_that_waits_does_not_expire(queue: ClipQueue, engine: str, aws_table: str) -> None:
    call = a_call(engine)
    queue.enqueue(call)
    pk, sk = keys.inference_item(call.id)
    key = {"pk": {"S": pk}, "sk": {"S": sk}}
    assert "expires" not in client("dynamodb").get_item(TableName=aws_table, Key=key)["Item"]
    queue.withdraw(call)
    assert "expires" in client("dynamodb").get_item(TableName=aws_table, Key=key)["Item"]


@pytest.fixture
def aws_table(lossy: tuple[Deployment, Losses]) -> str:
    return lossy[0].settings.clips_table


def test_many_writers_lose_no_clip_and_admit_none_twice(queue: ClipQueue, engine: str) -> None:
    most = 5
    everything = [call for tenant in ("a", "b", "c") for call in film(engine, tenant, 5)]
    random.Random(3).shuffle(everything)
    done: list[str] = []

    def work(call: Inference) -> None:
        queue.enqueue(call)
        while moved := queue.admit(engine, most, 5):
            assert len(queue.engine(engine).flights) <= most
            done.append(moved.id)
            queue.release(engine, moved.id)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, everything))
    done += [call.id for call in admitted(queue, engine)]
    assert sorted(done) == sorted(call.id for call in everything)
    assert queue.waiting(engine).by_tenant == {}


@pytest.mark.parametrize("how", ["closed", "cut", "500"])
def test_a_lost_answer_moves_a_clip_once(
    lossy: tuple[Deployment, Losses], queue: ClipQueue, engine: str, how: str
) -> None:
    losses = lossy[1]
    losses.how = how  # type: ignore[assignment]
    first, second = film(engine, "acme", 2)
    losses.first_answers("TransactWriteItems")
    assert queue.enqueue(first)
    assert losses.lost
    losses.none()
    queue.enqueue(second)
    assert queue.waiting(engine).clips == 2
    losses.first_answers("TransactWriteItems", "UpdateItem")
    call = queue.admit(engine, _MANY, 5)
    assert call
    assert call.id == first.id
    assert (queue.waiting(engine).clips, len(queue.engine(engine).flights)) == (1, 1)
    assert queue.withdraw(second)
    assert queue.waiting(engine).clips == 0
    queue.release(engine, first.id)
    assert queue.engine(engine).flights == {}

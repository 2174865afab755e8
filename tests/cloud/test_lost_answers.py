"""AWS calls that take effect while their answer is lost: boto3 sends them again, and nothing is made twice or
taken for another's."""

import random
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lambdas.adapters import objects, stores, upload
from lambdas.adapters.clients import client
from lambdas.adapters.executions import Execution, Machine
from lambdas.adapters.items import item_key
from lambdas.adapters.objects import Objects
from lambdas.adapters.recent_creates import Creates
from lambdas.adapters.videos import Videos, now_ms
from lambdas.api.request import settings
from lambdas.domain import keys
from lambdas.domain.errors import VideoClosed
from lambdas.domain.quotas import Counters, month_of
from lambdas.domain.stages import Stage
from lambdas.domain.usage import Usage
from lambdas.domain.video import Video, execution_name
from lambdas.domain.video_parts import ClipProgress, ClipState, Decision, Review
from lambdas.domain.video_request import Gate
from lambdas.intake.accept import Intake
from tests.cloud.deployment import Deployment
from tests.cloud.lost_answers import Losses, deployed_losing_answers
from tests.cloud.rest import call
from tests.factories import a_video

TENANT = "acme"
WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "PUT /.*", "DELETE /.*", "POST /.*")


@pytest.fixture(scope="module")
def lossy() -> Iterator[tuple[Deployment, Losses]]:
    settings.cache_clear()
    with deployed_losing_answers() as lossy:
        yield lossy


@pytest.fixture
def aws(lossy: tuple[Deployment, Losses]) -> Iterator[Deployment]:
    yield lossy[0]
    lossy[1].none()


@pytest.fixture(params=["closed", "cut", "500"])
def losses(request: pytest.FixtureRequest, lossy: tuple[Deployment, Losses]) -> Losses:
    lossy[1].how = request.param
    return lossy[1]


@pytest.fixture
def videos(aws: Deployment) -> Videos:
    return stores.videos(aws.settings)


@pytest.fixture
def outputs(aws: Deployment) -> Objects:
    return stores.outputs(aws.settings)


def new_video(**fields: Any) -> Video:
    now = now_ms()
    times = {"created_ms": now, "updated_ms": now, "expires_ms": now + 86_400_000}
    return a_video(id=f"video_{uuid.uuid4().hex}", **times, **fields)


def at(videos: Videos, *stages: Stage) -> Video:
    video, _ = videos.create(new_video())
    for stage in stages:
        video = videos.advance(TENANT, video.id, stage)
    return video


def journal(aws: Deployment, video: Video) -> Video:
    body = stores.outputs(aws.settings).get(keys.video_record(TENANT, video.id))
    return Video.model_validate_json(body)


# --- the record


def test_a_created_video_is_new_and_in_the_journal(aws: Deployment, losses: Losses, videos: Videos) -> None:
    asked = new_video()
    losses.first_answers(*WRITES)
    video, is_new = videos.create(asked)
    assert (video, is_new) == (asked, True)
    assert "TransactWriteItems" in losses.lost
    assert journal(aws, video) == video
    assert videos.create(asked) == (asked, False)  # a second create is still known as one


def test_a_restored_video_is_restored_once(aws: Deployment, losses: Losses, videos: Videos) -> None:
    video = at(videos)
    key = item_key(*keys.video_item(TENANT, video.id))
    client("dynamodb").delete_item(TableName=aws.settings.videos_table, Key=key)
    losses.first_answers(*WRITES)
    assert videos.restore(keys.video_record(TENANT, video.id)) == video
    assert videos.restore(keys.video_record(TENANT, video.id)) is None


ADVANCES = [
    ((), Stage.PLANNING),
    ((Stage.PLANNING,), Stage.PREPARING),
    ((Stage.PLANNING,), Stage.REVIEWING),
    ((Stage.PLANNING, Stage.RENDERING), Stage.ASSEMBLING),
    ((Stage.PLANNING, Stage.RENDERING, Stage.ASSEMBLING), Stage.PUBLISHING),
    # These can't be entered twice, so a write that doesn't know itself ends as VideoClosed.
    ((Stage.PLANNING, Stage.RENDERING, Stage.ASSEMBLING, Stage.PUBLISHING), Stage.COMPLETED),
    ((Stage.PLANNING,), Stage.FAILED),
    ((), Stage.CANCELLED),
]


@pytest.mark.parametrize(("before", "stage"), ADVANCES, ids=[stage for _, stage in ADVANCES])
def test_a_video_advances_once(
    aws: Deployment, losses: Losses, videos: Videos, before: tuple[Stage, ...], stage: Stage
) -> None:
    video = at(videos, *before)
    losses.first_answers(*WRITES)
    changed = videos.advance_from(video, stage)
    assert changed is not None
    assert (changed.stage, changed.version) == (stage, video.version + 1)
    assert len({"UpdateItem", "TransactWriteItems"} & set(losses.lost)) == 1
    assert videos.get(TENANT, video.id) == changed == journal(aws, video)


def test_a_film_is_counted_once_although_the_answers_are_lost(
    aws: Deployment, losses: Losses, videos: Videos
) -> None:
    tenant = f"tenant-{uuid.uuid4().hex[:8]}"
    losses.first_answers(*WRITES)
    made = Intake(aws.settings).accept(tenant, {"prompt": "A bee"})
    assert videos.counters.now(tenant, now_ms()).videos_in_flight == 1
    videos.advance(tenant, made.id, Stage.CANCELLED)
    videos.delete(tenant, made.id)
    assert losses.lost.count("TransactWriteItems") == 3
    assert videos.counters.now(tenant, now_ms()) == Counters()
    (one,) = videos.counters.usage([month_of(now_ms())], tenant)
    assert one.usage == Usage(failed=1)


def test_a_video_advances_once_from_whatever_it_is(aws: Deployment, losses: Losses, videos: Videos) -> None:
    video = at(videos)
    losses.first_answers(*WRITES)
    assert videos.advance(TENANT, video.id, Stage.CANCELLED).version == video.version + 1


def test_a_video_is_amended_and_requeued_once(aws: Deployment, losses: Losses, videos: Videos) -> None:
    video = at(videos, Stage.FAILED)
    losses.first_answers(*WRITES)
    amended = videos.amend(video, approved=(Gate.STORYBOARD,))
    assert amended is not None
    requeued = videos.requeue(amended)
    assert requeued is not None
    assert requeued.attempt == 2
    assert videos.get(TENANT, video.id) == requeued


def test_another_s_change_is_not_taken_for_one_s_own(aws: Deployment, losses: Losses, videos: Videos) -> None:
    """Even the same change: only one of two cancellations cancelled."""
    video = at(videos)
    losses.first_answers(*WRITES)
    assert videos.advance_from(video, Stage.CANCELLED) is not None
    assert videos.advance_from(video, Stage.CANCELLED) is None
    with pytest.raises(VideoClosed):
        videos.advance(TENANT, video.id, Stage.CANCELLED)


def test_a_write_is_known_although_others_wrote_since(aws: Deployment, losses: Losses) -> None:
    """Between two tries of one write, up to a minute may pass."""
    videos = stores.videos(aws.settings)
    video = at(videos, Stage.PLANNING)

    def others_write(answered: Any, **_: object) -> None:
        """Runs between a lost answer and the next try."""
        if answered.get("attempts") == 1 and answered["operation"].name == "UpdateItem":
            losses.none()
            for _ in range(9):
                other.advance(TENANT, video.id, Stage.PREPARING)

    other = Videos(_a_client("dynamodb"), aws.settings.videos_table, stores.outputs(aws.settings))
    own = _a_client("dynamodb")
    own.meta.events.register_first("needs-retry.dynamodb.UpdateItem", lambda **given: others_write(given))
    losses.first_answers("UpdateItem")
    mine = Videos(own, aws.settings.videos_table, stores.outputs(aws.settings))
    assert mine.advance_from(video, Stage.PREPARING) is not None
    assert videos.get(TENANT, video.id).version >= video.version + 2


def _a_client(service: str) -> Any:
    """A client of its own, so that its events concern no other."""
    client.cache_clear()
    made = client(service)
    client.cache_clear()
    return made


def test_an_entry_is_written_once(aws: Deployment, losses: Losses, videos: Videos) -> None:
    video = at(videos)
    video = videos.advance(TENANT, video.id, Stage.PLANNING, clips=[ClipProgress(seconds=3)])
    losses.first_answers(*WRITES)
    begun = ClipProgress(seconds=3, state=ClipState.RENDERING, started_ms=1)
    done = begun.model_copy(update={"state": ClipState.DONE, "finished_ms": 2})
    videos.write_part(video, "clips", 0, begun)
    videos.write_part(video, "clips", 0, done, over=begun)
    assert losses.lost == ["PutItem", "PutItem"]
    assert videos.get(TENANT, video.id).clips == [done]


# --- keys, creates, tokens


def test_a_key_is_registered_and_revoked(aws: Deployment, losses: Losses) -> None:
    losses.first_answers(*WRITES)
    key = aws.api_keys.register(f"rk-{uuid.uuid4().hex}", TENANT, "name")
    assert aws.api_keys.revoke(key.hash)
    assert not aws.api_keys.revoke(key.hash)


def test_a_first_try_and_its_retry_make_one_video(aws: Deployment, losses: Losses) -> None:
    creates = Creates(client("dynamodb"), aws.settings.videos_table)
    losses.first_answers(*WRITES)
    for first, second in ((False, True), (True, False)):  # a retry may overtake its first try
        fingerprint = uuid.uuid4().hex
        assert creates.claim(TENANT, fingerprint, "video_1", retry=first) == "video_1"
        assert creates.claim(TENANT, fingerprint, "video_2", retry=second) == "video_1"
    # Joined once: the next create of the same request is a new one.
    assert creates.claim(TENANT, fingerprint, "video_3", retry=False) == "video_3"


def test_a_review_is_parked_once_and_answered(aws: Deployment, losses: Losses) -> None:
    machine = Machine(client("stepfunctions"))
    reviews = stores.reviews(aws.settings)
    review = Review(gate=Gate.STORYBOARD, until_ms=now_ms() + 60_000)
    video = new_video(stage=Stage.REVIEWING, review=review)
    losses.first_answers(*WRITES, "SendTaskSuccess")
    assert reviews.park(video, review, "token")
    assert reviews.park(video, review, "token")  # the same wait
    decided = video.model_copy(update={"review": review.model_copy(update={"decision": Decision.APPROVED})})
    assert not reviews.answer(decided)  # no execution has this token
    assert not reviews.park(video, review, "token")  # decided
    assert not machine.succeed("token", {})


# --- executions, queue, objects


def test_an_execution_is_started_and_stopped_once(aws: Deployment, losses: Losses) -> None:
    machine = Machine(client("stepfunctions"), aws.settings.state_machine_arn)
    name = execution_name(f"video_{uuid.uuid4().hex}", 1)
    losses.first_answers("StartExecution", "StopExecution")
    machine.start(name, {"tenant": TENANT})
    assert machine.state(name) == (Execution.RUNNING, {})
    machine.stop(name, "cancelled")
    assert machine.state(name)[0] is Execution.FAILED
    assert losses.lost == ["StartExecution", "StopExecution"]


def test_objects_are_written_copied_and_deleted(aws: Deployment, losses: Losses, outputs: Objects) -> None:
    name = uuid.uuid4().hex
    losses.first_answers(*WRITES)
    outputs.put(f"{name}/a", b"content", "text/plain", by="me")
    outputs.copy(f"{name}/a", f"{name}/b", "text/plain")
    assert outputs.get(f"{name}/b") == b"content"
    outputs.delete_all(f"{name}/")
    assert not outputs.exists(f"{name}/a")


def test_a_copy_in_parts_is_completed_once(
    aws: Deployment, losses: Losses, outputs: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = 5 * 1024 * 1024
    monkeypatch.setattr(objects, "_COPIED_AT_ONCE", part)
    name, content = uuid.uuid4().hex, bytes(range(256)) * (2 * part // 256) + b"end"
    outputs.put(f"{name}/a", content, "video/mp4")
    losses.first_answers(*WRITES)
    outputs.copy(f"{name}/a", f"{name}/b", "video/mp4")
    assert any("uploadId" in one and one.startswith("POST") for one in losses.lost)
    assert outputs.get(f"{name}/b") == content


class Content:
    size = 2 * 5 * 1024 * 1024 + 3

    def stream(self, offset: int = 0) -> Iterator[bytes]:
        yield (b"reel" * (self.size // 4 + 1))[offset : self.size]


def test_an_upload_in_parts_is_completed_once(
    aws: Deployment, losses: Losses, outputs: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "PART", 5 * 1024 * 1024)
    name = uuid.uuid4().hex
    sent: list[int] = []
    losses.first_answers(*WRITES)
    outputs.put_streamed(name, Content(), "video/mp4", sent=sent.append)
    assert sent[-1] == Content.size
    assert outputs.get(name) == b"".join(Content().stream())


# --- the API


def create() -> str:
    answer = call("POST", "/v1/videos", body={"prompt": f"A bee {uuid.uuid4().hex}"})
    assert answer.status == 200, answer
    return str(answer.json["id"])


def test_a_cancel_whose_write_is_lost_cancels(aws: Deployment, losses: Losses) -> None:
    id_ = create()
    losses.first_answers(*WRITES)
    answer = call("POST", f"/v1/videos/{id_}/cancel")
    assert (answer.status, answer.json["stage"]) == (200, "cancelled")


def test_a_client_s_retry_of_a_cancel_or_deletion_succeeds(aws: Deployment, losses: Losses) -> None:
    """Its first try was answered, but the answer did not arrive."""
    id_, again = create(), {"x-stainless-retry-count": "1"}
    for method, tail in (("POST", "/cancel"), ("DELETE", "")):
        assert call(method, f"/v1/videos/{id_}{tail}").status == 200
        assert call(method, f"/v1/videos/{id_}{tail}", headers=again).status == 200
        assert call(method, f"/v1/videos/{id_}{tail}").status in (404, 409)
    unknown = f"/v1/videos/video_{'0' * 32}"
    assert call("DELETE", unknown, headers=again).status == 404


# --- many films


def test_forty_films_advance_to_their_end_although_one_answer_in_ten_is_lost(
    aws: Deployment, losses: Losses, videos: Videos
) -> None:
    if losses.how != "closed":
        pytest.skip("one way of losing is enough for so many")
    intake = Intake(aws.settings)
    lost = random.Random(32)
    losses.lost.clear()
    losses.chosen = lambda call: call.attempt < 4 and lost.random() < 0.1  # boto3 tries four times

    def film(number: int) -> list[int]:
        nonce = f"{number} {uuid.uuid4().hex}"
        id_ = intake.accept(TENANT, {"prompt": f"A bee {nonce}"}, nonce=nonce).id
        versions = [1]
        for stage in (
            Stage.PLANNING, Stage.REVIEWING, Stage.PREPARING, Stage.RENDERING,
            Stage.ASSEMBLING, Stage.PUBLISHING, Stage.COMPLETED,
        ):  # fmt: skip
            changed = videos.advance_from(videos.get(TENANT, id_), stage)
            assert changed is not None, f"{id_}: its own change to {stage} was taken for another's"
            versions.append(changed.version)
        assert videos.get(TENANT, id_).stage is Stage.COMPLETED
        return versions

    with ThreadPoolExecutor(8) as films:
        assert [*films.map(film, range(40))] == [[*range(1, 9)]] * 40
    assert len(losses.lost) > 20
    assert {"TransactWriteItems", "UpdateItem"} <= set(losses.lost)
    losses.none()
    assert len({message["video_id"] for message in aws.messages()}) >= 40  # none was left unqueued

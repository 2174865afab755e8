"""A video's items: their sizes, what a film writes, and late tasks, which must not change a later attempt."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.items import item_key
from lambdas.adapters.videos import LISTS, SHARDS, Videos, now_ms
from lambdas.domain import keys
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipProgress, ClipState, Failure, PartProgress
from lambdas.intake.accept import Intake
from lambdas.tasks import assemble, draw_clip, plan, publish, write_storyboard
from tests.cloud.pipeline.bench import TENANT, Bench
from tests.cloud.pipeline.units import counting, items_of, size_of
from tests.factories import a_video

TABLE = "videos"
BEGUN = ClipProgress(seconds=3, state=ClipState.RENDERING, started_ms=1)
DONE = ClipProgress(
    seconds=3, state=ClipState.DONE, cost=0.0123, started_ms=1_700_000_000_000, finished_ms=1_700_000_060_000
)


def rendering(bench: Bench, clips: int = 2, tenant: str = TENANT) -> Video:
    """A video whose clips all wait."""
    now = now_ms()
    times = {"created_ms": now, "updated_ms": now, "expires_ms": now + 86_400_000}
    video, _ = bench.videos.create(a_video(id=f"video_{uuid.uuid4().hex}", tenant=tenant, **times))
    return planned(bench, video, clips)


def planned(bench: Bench, video: Video, clips: int = 2) -> Video:
    bench.videos.advance(video.tenant, video.id, Stage.PLANNING)
    waiting = clips * [ClipProgress(seconds=3)]
    return bench.videos.advance(video.tenant, video.id, Stage.RENDERING, clips=waiting)


def items(video: Video) -> list[dict[str, Any]]:
    return items_of(TABLE, keys.video_partition(video.tenant, video.id))


# --- sizes and units


def test_a_film_of_1000_clips_has_small_items_and_is_read_in_one_query(bench: Bench) -> None:
    video = rendering(bench, clips=1000)
    (record,) = items(video)
    assert size_of(record) < 12_000  # none of the clips has an item yet
    with ThreadPoolExecutor(8) as tasks:
        for _ in tasks.map(lambda index: bench.videos.write_part(video, "clips", index, DONE), range(1000)):
            pass
    sizes = {item["sk"]["S"]: size_of(item) for item in items(video)}
    assert len(sizes) == 1001
    assert sizes.pop(keys.VIDEO) == size_of(record)
    assert max(sizes.values()) < 512  # far below the KB that a write unit covers
    with counting(TABLE) as units:
        assert bench.now(video).clips == 1000 * [DONE]
        assert bench.videos.outline(TENANT, video.id).clips == 1000 * [ClipProgress(seconds=3)]
    assert units.calls == {"Query": 1, "GetItem": 1}
    assert units.read < 100
    bench.videos.delete(TENANT, video.id)
    assert [item["sk"]["S"] for item in items(video)] == ["deleted"]


def test_a_clip_costs_a_write_when_it_begins_and_one_when_it_ends(bench: Bench) -> None:
    video = rendering(bench, clips=2)
    with counting(TABLE) as units:
        for progress in (BEGUN, DONE):
            bench.videos.update_entry(TENANT, video.id, "clips", 1, progress)
    assert units.calls == {"GetItem": 2, "PutItem": 2}
    assert (units.write, units.index) == (2, 0)
    assert bench.now(video).clips == [ClipProgress(seconds=3), DONE]


@pytest.mark.parametrize("clips", [1, 12])
def test_what_a_film_writes(bench: Bench, clips: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The tasks themselves, from the record to the film. Prints what decision 33 quotes."""
    request = {"width": 96, "height": 64, "fps": 8, "seconds": 6 * clips}
    with counting(TABLE) as units:
        video = bench.video("animatic", request=request)
        created = units.copy()
        for step in (write_storyboard, plan):
            bench.answer(step.handler, video)
        before_clips = units.copy()
        for clip in range(clips):
            bench.answer(draw_clip.handler, video, clip=clip)
        of_clips = units - before_clips
        for step in (assemble, publish):
            bench.answer(step.handler, video)
    made = bench.now(video)
    assert (made.stage, len(made.clips)) == (Stage.COMPLETED, clips)
    assert created.calls["TransactWriteItems"] == 1
    assert of_clips.calls["PutItem"] == of_clips.write == 2 * clips
    assert of_clips.index == 0
    stored = {item["sk"]["S"]: size_of(item) for item in items(video)}
    record = stored.pop(keys.VIDEO)
    with capsys.disabled():
        print(
            f"\n{clips} clips: record {record} B, clip {max(stored.values())} B; units: create "
            f"{created.write} + {created.index} to indexes, film {units.write} + {units.index}, read "
            f"{units.read}; calls {dict(units.calls)}"
        )
    assert record < 4096
    assert units.write < 2 * clips + 40


def test_an_index_holds_keys_only_and_open_videos_are_spread_over_its_shards(bench: Bench) -> None:
    made = [rendering(bench) for _ in range(12)]
    found = [video for video in bench.open_videos(page=5) if video.id in {one.id for one in made}]
    assert sorted(found) == sorted((one.tenant, one.id, one.updated_ms) for one in made)
    shards = {video.id: int(items(video)[0]["open"]["S"]) for video in made}
    assert len(set(shards.values())) > 1
    assert set(shards.values()) <= set(range(SHARDS))
    places = [(shards[video.id], video.updated_ms) for video in found]
    assert places == sorted(places)  # shard by shard, in each the least recently updated first
    for video in made:
        bench.videos.advance(TENANT, video.id, Stage.CANCELLED)
        assert "open" not in items(video)[0]
    assert not {one.id for one in made} & {one.id for one in bench.open_videos()}


def test_failed_videos_have_shards_of_their_own(bench: Bench) -> None:
    begun = now_ms()
    made = [rendering(bench) for _ in range(3)]
    failure = Failure(step="Plan", code="PlanFailed", reason="No plan.", advice="")
    for video in made[:2]:
        bench.videos.advance(TENANT, video.id, Stage.FAILED, failure=failure)
    ids = {one.id for one in made}
    still, _ = bench.videos.oldest_open(100 * SHARDS)
    assert [one.id for one in still if one.id in ids] == [made[2].id]
    failed, more = bench.videos.latest_failed(begun, 100 * SHARDS)
    assert [one.id for one in failed if one.id in ids] == [made[1].id, made[0].id]
    assert not more
    assert [one.stage for one in bench.videos.outlines(failed) if one.id in ids] == 2 * [Stage.FAILED]
    assert ids.isdisjoint(one.id for one in bench.videos.latest_failed(now_ms() + 1, 100 * SHARDS)[0])
    bench.videos.requeue(bench.videos.get(TENANT, made[0].id))
    bench.videos.delete(TENANT, made[1].id)
    failed, _ = bench.videos.latest_failed(begun, 100 * SHARDS)
    assert ids.isdisjoint(one.id for one in failed), "one was tried again, one deleted"


# --- late tasks


def test_a_task_of_an_earlier_attempt_writes_nothing_that_a_later_one_shows(bench: Bench) -> None:
    early = rendering(bench)
    bench.videos.write_part(early, "clips", 0, DONE)
    requeued = bench.videos.requeue(bench.now(early))
    assert requeued
    bench.videos.update_entry(TENANT, early.id, "clips", 1, DONE)  # it isn't planned yet
    assert bench.now(early).clips == []
    late = planned(bench, requeued)
    assert bench.now(late).clips == 2 * [ClipProgress(seconds=3)]
    bench.videos.write_part(early, "clips", 1, DONE)  # before the later attempt writes
    assert bench.now(late).clips == 2 * [ClipProgress(seconds=3)]
    bench.videos.write_part(late, "clips", 1, BEGUN)
    bench.videos.write_part(early, "clips", 1, DONE)  # and after
    assert bench.now(late).clips == [ClipProgress(seconds=3), BEGUN]


def test_a_part_that_was_asked_for_anew_is_not_finished_by_who_began_it(bench: Bench) -> None:
    video = rendering(bench)
    begun = PartProgress(scene=4, state=ClipState.RENDERING, started_ms=1)
    asked = bench.videos.advance(TENANT, video.id, Stage.RENDERING, stills=[PartProgress(scene=4)])
    bench.videos.write_part(asked, "stills", 0, begun)
    bench.videos.write_part(asked, "stills", 0, begun.model_copy(update={"started_ms": 2}))
    done = begun.model_copy(update={"state": ClipState.DONE, "artifact": "artifacts/a.png"})
    bench.videos.write_part(asked, "stills", 0, done, over=begun)
    assert bench.now(video).stills[0].started_ms == 2
    again = bench.videos.advance(TENANT, video.id, Stage.RENDERING, stills=[PartProgress(scene=4)])
    bench.videos.write_part(asked, "stills", 0, done)
    assert bench.now(video).stills == again.stills == [PartProgress(scene=4)]


def test_a_part_that_is_done_stays_so_until_it_is_asked_for_anew(bench: Bench) -> None:
    """A send that is repeated after its clip was settled says again that the clip has begun, and a step that
    is tried again finds its own clip and would say that it was reused at no cost."""
    video = rendering(bench)
    paid = DONE.model_copy(update={"cost": 0.5})
    for late in (BEGUN, DONE.model_copy(update={"reused": True, "cost": 0.0})):
        bench.videos.write_part(video, "clips", 0, paid)
        bench.videos.write_part(video, "clips", 0, late)
        assert bench.now(video).clips[0] == paid
    asked = bench.videos.advance(TENANT, video.id, Stage.RENDERING, clips=2 * [ClipProgress(seconds=3)])
    bench.videos.write_part(asked, "clips", 0, BEGUN)
    assert bench.now(video).clips[0] == BEGUN


def test_parts_that_stay_in_a_new_list_keep_their_progress(bench: Bench) -> None:
    """As after an edit of one scene: the others' voices stay, at other places of the list."""
    video = rendering(bench)
    three = [PartProgress(scene=scene) for scene in range(3)]
    asked = bench.videos.advance(TENANT, video.id, Stage.RENDERING, narrations=three)
    begun = PartProgress(scene=2, state=ClipState.RENDERING, started_ms=1)
    bench.videos.write_part(asked, "narrations", 2, begun)
    kept = bench.videos.advance(TENANT, video.id, Stage.RENDERING, narrations=[begun, three[0]])
    assert bench.now(video).narrations == kept.narrations == [begun, three[0]]
    done = begun.model_copy(update={"state": ClipState.DONE})
    bench.videos.write_part(asked, "narrations", 2, done, over=begun)  # by the task that began it
    assert bench.now(video).narrations == [done, three[0]]


def test_a_late_task_of_a_deleted_video_writes_nothing_that_its_successor_shows(bench: Bench) -> None:
    """The same Idempotency-Key gives the same id."""
    first = rendering(bench)
    bench.videos.delete(TENANT, first.id)
    bench.videos.write_part(first, "clips", 0, DONE)
    with pytest.raises(Exception, match="There is no video"):
        bench.videos.update_entry(TENANT, first.id, "clips", 0, DONE)
    again, is_new = bench.videos.create(a_video(id=first.id, created_ms=now_ms(), expires_ms=now_ms()))
    assert is_new
    assert (again.attempt, again.version) == (first.attempt + 1, first.version + 1)
    late = planned(bench, again)
    assert bench.now(late).clips == 2 * [ClipProgress(seconds=3)]
    bench.videos.write_part(late, "clips", 0, BEGUN)
    assert bench.now(late).clips == [BEGUN, ClipProgress(seconds=3)]


def test_a_video_that_changes_while_it_is_deleted_leaves_the_trace_of_its_last_version(bench: Bench) -> None:
    video = rendering(bench)
    changes = iter([Stage.CANCELLED])

    own = boto3.client("dynamodb")

    def change_first(**_: Any) -> None:
        """Runs between the trace and the deletion."""
        for stage in changes:
            bench.videos.advance(TENANT, video.id, stage)

    own.meta.events.register("provide-client-params.dynamodb.TransactWriteItems", change_first)
    Videos(own, TABLE, bench.outputs).delete(TENANT, video.id)
    (trace,) = items(video)
    assert (trace["sk"]["S"], int(trace["version"]["N"])) == ("deleted", video.version + 1)


# --- listing and creating


def test_a_list_leaves_out_what_its_index_shows_too_long_and_stays_full(bench: Bench) -> None:
    tenant = f"lister-{uuid.uuid4().hex[:8]}"
    made = [rendering(bench, tenant=tenant).id for _ in range(5)]
    own = boto3.client("dynamodb")
    shown = own.query

    def stale(**query: Any) -> Any:
        """An index that still shows two deleted videos, newest first."""
        page = shown(**query)
        if query.get("IndexName") == "by_created" and "ExclusiveStartKey" not in query:
            gone = [
                {**one, "pk": {"S": keys.video_partition(tenant, f"gone{n}")}}
                for n, one in enumerate(page["Items"][:2])
            ]
            page["Items"] = gone + page["Items"]
        return page

    own.query = stale
    videos = Videos(own, TABLE, bench.outputs)
    found, more = videos.list(tenant, after=None, limit=3, newest_first=True)
    assert (len(found), more) == (3, True)
    rest, more = videos.list(tenant, after=found[-1].id, limit=3, newest_first=True)
    assert not more
    assert {video.id for video in found + rest if video.id in made} == set(made)


def test_a_list_is_one_query_and_one_read_of_its_videos_as_they_are(bench: Bench) -> None:
    tenant = f"lister-{uuid.uuid4().hex[:8]}"
    made = [rendering(bench, tenant=tenant) for _ in range(3)]
    videos = bench.videos
    for video in made:
        videos.update_entry(tenant, video.id, "clips", 1, DONE)
    now = [videos.get(tenant, video.id) for video in made]
    with counting(TABLE) as units:
        found, _ = videos.list(tenant, after=None, limit=20, newest_first=False)
    assert units.calls == {"Query": 1, "BatchGetItem": 1}
    assert list(found) == now


def test_a_list_whose_index_is_behind_shows_videos_as_they_are(bench: Bench) -> None:
    tenant = f"lister-{uuid.uuid4().hex[:8]}"
    video = rendering(bench, tenant=tenant)
    bench.videos.update_entry(tenant, video.id, "clips", 1, DONE)
    own = boto3.client("dynamodb")
    shown = own.query

    def behind(**query: Any) -> Any:
        page = shown(**query)
        if query.get("IndexName") == "by_created":
            page["Items"] = [{**one, "parts": {"S": "{}"}} for one in page["Items"]]
        return page

    own.query = behind
    found, _ = Videos(own, TABLE, bench.outputs).list(tenant, after=None, limit=20, newest_first=True)
    assert list(found) == [bench.videos.get(tenant, video.id)]


def test_a_list_reads_again_what_dynamodb_left_and_a_video_of_many_parts_by_itself(bench: Bench) -> None:
    tenant = f"lister-{uuid.uuid4().hex[:8]}"
    small, large = (rendering(bench, clips, tenant) for clips in (2, 101))
    own = boto3.client("dynamodb")
    read, calls = own.batch_get_item, []

    def throttled(RequestItems: dict[str, Any]) -> Any:  # noqa: N803 - boto3's name
        wanted = RequestItems[TABLE]
        calls.append(len(wanted["Keys"]))
        answer = read(RequestItems={TABLE: {**wanted, "Keys": wanted["Keys"][:2]}})
        left = wanted["Keys"][2:]
        return {**answer, "UnprocessedKeys": {TABLE: {"Keys": left}} if left else {}}

    own.batch_get_item = throttled
    found, _ = Videos(own, TABLE, bench.outputs).list(tenant, after=None, limit=20, newest_first=False)
    assert list(found) == [bench.videos.get(tenant, video.id) for video in (small, large)]
    assert calls == [3, 1]


def test_creating_reads_no_index(bench: Bench) -> None:
    """An index may be behind, so that a create, its repetition and its retry must not depend on one."""
    intake = Intake(bench.deployment.settings)
    fields = {"prompt": f"A bee {uuid.uuid4().hex}", "seconds": 1}
    queried: list[str] = []
    events = client("dynamodb").meta.events
    events.register(
        "provide-client-params.dynamodb.Query",
        lambda params, **_: queried.append(params.get("IndexName", "table")),
        "queried",
    )
    try:
        with counting(TABLE) as units:
            first = intake.accept(TENANT, fields, nonce="n")
        assert units.calls["TransactWriteItems"] == 1
        assert intake.accept(TENANT, fields, nonce="n").id == first.id
        retried = intake.accept(TENANT, fields, retry=True)
        assert intake.accept(TENANT, fields).id == retried.id
    finally:
        events.unregister("provide-client-params.dynamodb.Query", unique_id="queried")
    assert set(queried) == {"table"}


# --- the journal


def test_a_restored_video_has_its_parts(bench: Bench) -> None:
    video = rendering(bench)
    bench.videos.write_part(video, "clips", 1, DONE)
    for stage in (Stage.ASSEMBLING, Stage.PUBLISHING, Stage.COMPLETED):
        video = bench.videos.advance(TENANT, video.id, stage)
    lost = items(video)
    assert len(lost) == 2
    for item in lost:
        key = item_key(item["pk"]["S"], item["sk"]["S"])
        client("dynamodb").delete_item(TableName=TABLE, Key=key)
    videos = stores.videos(bench.settings)
    assert videos.restore(keys.video_record(TENANT, video.id)) == video
    assert bench.now(video) == video
    assert bench.now(video).clips == [ClipProgress(seconds=3), DONE]
    assert videos.restore(keys.video_record(TENANT, video.id)) is None


def test_a_record_of_an_earlier_version_is_restored(bench: Bench) -> None:
    """One that says nothing of generations."""
    video = rendering(bench)
    bench.videos.write_part(video, "clips", 0, DONE)
    video = bench.videos.advance(TENANT, video.id, Stage.CANCELLED)
    record = keys.video_record(TENANT, video.id)
    old = video.model_dump_json(exclude={"generations"}).encode()
    bench.videos.delete(TENANT, video.id)
    bench.outputs.put(record, old, "application/json")
    restored = bench.videos.restore(record)
    assert restored
    assert bench.now(video).clips == video.clips
    assert {name: getattr(restored, name) for name in LISTS} == {name: getattr(video, name) for name in LISTS}

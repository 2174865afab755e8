"""The videos table and its journal in S3.

A video's items share one partition, so that one Query reads them all: its record, and an item for each clip,
narration and still that has been begun, so that parallel tasks write different items. The record lists its
parts, each with the version of the record that asked for it, its *generation*. A part's item has the same
generation, or else it is what a task of an earlier attempt still wrote: it is not read, and it can't replace
a newer one. A part that is done is not replaced by one of its own generation. Every change of the record is
also written to the journal (`records/` in the output bucket), from which the table can be rebuilt.

A record remembers the marks of its latest conditional writes (see conditional_writes), each in an attribute
of its own: between two tries of one write, other writers may change the record too.

A deleted video leaves a trace until its record would have expired. The trace holds the video's place in the
list, so that a client that deletes while it pages can continue after it; and its last attempt and version,
because the same Idempotency-Key gives the same id again, an execution's name can be used only once in 90
days, and a late task must not write into the new video.

What a film takes of its tenant's quotas, and what it has used in the end, is counted in the transactions that
create, end and delete its record or start a new attempt (tenant_counters). A record that is open has no time
to live, because it holds a place in flight.

Both indexes are global and hold keys only, and that of a tenant's videos which parts they have
(docs/decisions/0033-a-videos-items.md). What they say may be a moment old, so nothing but listing, upkeep and
the operators' overview reads them.
"""

import json
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from lambdas.adapters.clients import AT_ONCE, error_code, translated
from lambdas.adapters.conditional_writes import MARK, ConditionalWrites, update_arguments
from lambdas.adapters.items import CONDITION_FAILED, item_key
from lambdas.adapters.objects import Objects
from lambdas.adapters.tenant_counters import Admission, TenantCounters
from lambdas.adapters.transactions import CONDITION_FAILED as IN_TRANSACTION
from lambdas.adapters.transactions import Item, tries, write_all
from lambdas.domain import keys
from lambdas.domain.errors import VideoClosed, VideoNotFound
from lambdas.domain.quotas import Counters, Quotas, Reservation
from lambdas.domain.stages import Stage, stages_before
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipProgress, ClipState, FailedTry, PartProgress, StageEntry

PARTS = "parts"  # attribute of a record: which parts it has
BY_CREATED = "by_created"  # index: tenant, created; contains the records of videos, with PARTS
OPEN = "open"  # index: shard, updated_ms; contains the records of videos that are being made or failed
SHARDS = 16  # of the index of open videos: a partition takes 1,000 writes a second, a stage costs two
CLIPS = "clips"
_FAILED = "failed#"  # begins the shards of failed videos
LISTS = (CLIPS, "narrations", "stills")  # a video's parts
_MARKS = 16  # marks that a record remembers: more changes than it gets within a minute, a call's timeout
_BATCH = 25  # items that DynamoDB deletes in one call
_THROTTLED_SECONDS = 0.1
_READ_TOGETHER = 100  # items that DynamoDB reads in one call

Progress = ClipProgress | PartProgress


class OpenVideo(NamedTuple):
    """An entry of the index of open and failed videos."""

    tenant: str
    id: str
    updated_ms: int


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Videos:
    def __init__(self, dynamodb: Any, table: str, journal: Objects) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._writes = ConditionalWrites(dynamodb, table)
        self._journal = journal
        self.counters = TenantCounters(dynamodb, table)

    # --- one video

    def create_noted(self, video: Video, note: Item, admission: Admission) -> Video | None:
        """Write the record of a video whose id was just drawn, and its note (recent_creates). Return None
        and write nothing if the note's condition is false or another writer was faster.

        `admission`: counts the film; raises QuotaExceeded.
        """
        video = _numbered(_holding(video, admission))
        actions = [self._new_record(video), note, *admission.actions(video)]
        if write_all(self._dynamodb, "create video", actions) is not None:
            return None
        self._write_journal(video)
        return video

    def create(self, video: Video, admission: Admission | None = None) -> tuple[Video, bool]:
        """Write the record unless the id is taken. Return the current record and whether it is new.

        `admission`: counts the film; raises QuotaExceeded if others were faster.
        """
        trace = self._item(*keys.deleted_video_item(video.tenant, video.id))
        if trace is not None:
            after = {name: int(trace[name]["N"]) + 1 for name in ("attempt", "version")}
            video = video.model_copy(update=after)
        if admission is not None:
            video = _holding(video, admission)
        video = _numbered(video)
        if not self._put(video, lambda: [] if admission is None else admission.actions(video)):
            return self.get(video.tenant, video.id), False
        self._write_journal(video)
        return video, True

    def restore(self, journal_key: str) -> Video | None:
        """Restore a record of the journal to the table. Return None if the table already has it.

        Its parts come first: a record whose restoration was interrupted is restored again.
        """
        video = _numbered(Video.model_validate_json(self._journal.get(journal_key)))
        if self._item(*keys.video_item(video.tenant, video.id)) is not None:
            return None
        self._put_parts(video)
        return video if self._put(video, lambda: self._restored_counters(video)) else None

    def _restored_counters(self, video: Video) -> list[Item]:
        """Return what counts a film again whose counters were lost with its record."""
        if not video.closed:
            return self.counters.reserve(video, Quotas(), Counters())
        held = Reservation(at_ms=video.attempt_ms, clips=0, usd=Decimal(0))
        return self.counters.end(video, held, video.in_stage_since_ms, releases=False)

    def _put(self, video: Video, counted: Callable[[], list[Item]]) -> bool:
        return self._write("create video", self._new_record(video), counted)

    def _new_record(self, video: Video) -> Item:
        put = {
            "TableName": self._table,
            "Item": _record_item(video),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        return {"Put": put}

    def _write(self, what: str, record: Item, counted: Callable[[], list[Item]]) -> bool:
        """Write a record together with its tenant's counters. Return False if the record's condition is
        false. `counted` returns the counters' actions, anew for each try; raises QuotaExceeded."""
        for _ in tries(what):
            reasons = write_all(self._dynamodb, what, [record, *counted()])
            if reasons is None:
                return True
            if reasons[0] == IN_TRANSACTION:
                return False
        raise AssertionError  # `tries` never ends

    def get(self, tenant: str, video_id: str) -> Video:
        """Return a video's record. Raises VideoNotFound, also for another tenant's video."""
        items = self._items(tenant, video_id)
        if not items or items[0]["sk"]["S"] != keys.VIDEO:
            raise _not_found(video_id)
        return _video(*items)

    def outline(self, tenant: str, video_id: str) -> Video:
        """Return a video's record as if none of its parts were begun: a small read, however many there are.
        Use it to check a video, not to change it. Raises VideoNotFound as `get` does."""
        item = self._item(*keys.video_item(tenant, video_id))
        if item is None:
            raise _not_found(video_id)
        return _video(item)

    def note_failed_try(self, tenant: str, video_id: str, failed: FailedTry) -> None:
        """Keep the reason why a try at a part failed, though the part may be tried again. Raises
        VideoNotFound."""
        video = self.outline(tenant, video_id)
        part = f"scene {failed.scene}" if failed.clip is None else f"clip {failed.clip}"
        item = {
            **item_key(*keys.failed_try_item(tenant, video_id, failed.at_ms, part)),
            "document": {"S": failed.model_dump_json(exclude_none=True)},
            "expires": {"N": str(video.expires_ms // 1000)},
        }
        with translated("note failed try"):
            self._dynamodb.put_item(TableName=self._table, Item=item)

    def failed_tries(self, tenant: str, video_id: str) -> Sequence[FailedTry]:
        """Return the video's failed tries at parts, the oldest first."""
        items = self._items(tenant, video_id, keys.FAILED_TRY)
        return [FailedTry.model_validate_json(item["document"]["S"]) for item in items]

    def _items(self, tenant: str, video_id: str, kind: str = keys.VIDEO) -> list[dict[str, Any]]:
        """Return the record, which comes first, and its parts, or its items of another kind; a Query's page
        has up to 1 MB."""
        items: list[dict[str, Any]] = []
        with translated("get video"):
            for page in self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :video AND begins_with(sk, :kind)",
                ExpressionAttributeValues={
                    ":video": {"S": keys.video_partition(tenant, video_id)},
                    ":kind": {"S": kind},
                },
                ConsistentRead=True,
            ):
                items += page["Items"]
        return items

    def _item(self, pk: str, sk: str) -> dict[str, Any] | None:
        with translated("get video"):
            response = self._dynamodb.get_item(
                TableName=self._table, Key=item_key(pk, sk), ConsistentRead=True
            )
        item: dict[str, Any] | None = response.get("Item")
        return item

    def advance(
        self, tenant: str, video_id: str, stage: Stage, *, of_attempt: int | None = None, **changes: Any
    ) -> Video:
        """Move a video to a stage, and change other fields.

        Raises VideoClosed if the stage can't follow the video's current one, or another attempt than
        `of_attempt` has begun, VideoNotFound if it is missing.
        """
        while True:
            video = self.get(tenant, video_id)
            if of_attempt not in (None, video.attempt):
                raise VideoClosed(f"video {video.id} is in attempt {video.attempt}, not {of_attempt}")
            if changed := self.advance_from(video, stage, **changes):
                return changed

    def advance_from(self, video: Video, stage: Stage, **changes: Any) -> Video | None:
        """Like `advance`, for a record as it was read. Return None and change nothing if it has changed
        since. Raises VideoClosed as `advance` does."""
        return self._change(video, stage, changes)

    def amend(self, video: Video, **changes: Any) -> Video | None:
        """Change fields without changing the stage, also after the video has ended. Return None as
        `advance_from` does."""
        return self._change(video, None, changes)

    def requeue(self, video: Video, admission: Admission | None = None, **changes: Any) -> Video | None:
        """Start a new attempt. Return None as `advance_from` does, if the video has been changed meanwhile.

        The previous attempt's results don't count as done; its texts are reused at no cost. `admission`:
        counts the attempt of a video that had ended; raises QuotaExceeded as `create` does.
        """
        begun: dict[str, Any] = {
            "attempt": video.attempt + 1,
            "failure": None,
            "review": None,
            "deleting": False,
            "writer": video.writer and video.writer.model_copy(update={"cost": 0.0}),
            "enhancement": video.enhancement and video.enhancement.model_copy(update={"cost": 0.0}),
            "clips": [],
            "second_tries": None,
            "looked": None,
            "assembly": None,
            "shaping": None,
            "spent": video.spent_so_far,
        }
        return self._change(video, Stage.QUEUED, {**begun, **changes}, admission)

    def _change(
        self, video: Video, stage: Stage | None, changes: dict[str, Any], admission: Admission | None = None
    ) -> Video | None:
        """`stage` None: as before."""
        if stage is not None and video.stage not in stages_before(stage):
            raise VideoClosed(f"video {video.id} is {video.stage} and can't become {stage}")
        lists = [name for name in LISTS if name in changes]
        changed = _asked_anew(_at_stage(video, stage or video.stage, changes), video, lists)
        if changed.closed:
            changed = changed.model_copy(update={"reserved": None})
        elif video.closed:
            changed = _holding(changed, admission)
        if not self._replace(changed, video, admission):
            return None
        self._put_parts(changed, changed.version)
        self._write_journal(changed)
        return changed

    def _replace(self, video: Video, before: Video, admission: Admission | None) -> bool:
        """Write a record over the one that was read, with the counters if an attempt begins or ends."""
        key = item_key(*keys.video_item(video.tenant, video.id))
        attributes, remove = _state_attributes(video), [*_absent_attributes(video)]
        condition, values = "#version = :old", {":old": {"N": str(before.version)}}
        if video.closed == before.closed and video.attempt == before.attempt:
            written = self._writes.update(
                "update video",
                key,
                attributes,
                condition,
                remove=remove,
                values=values,
                mark=_mark(video),
            )
            return written is not None
        update = update_arguments(key, attributes, condition, remove=remove, values=values)
        return self._write(
            "update video",
            {"Update": {"TableName": self._table, **update}},
            lambda: self._counted(video, before, admission),
        )

    def _counted(self, video: Video, before: Video, admission: Admission | None) -> list[Item]:
        """Return what changes the tenant's counters with a record whose attempt begins or ends."""
        if before.closed:
            return [] if admission is None else admission.actions(video)
        # An attempt that is lost ends, too; what it held is held by the next.
        ended = video if video.closed else before
        return self.counters.end(ended, before.reserved, video.updated_ms, releases=video.closed)

    # --- its parts

    def update_entry(self, tenant: str, video_id: str, name: str, index: int, progress: Progress) -> None:
        """Write the progress of one entry of one of the LISTS, as the record now has it; others may be
        written at the same time. Raises VideoNotFound."""
        self.write_part(self.outline(tenant, video_id), name, index, progress)

    def write_part(
        self, video: Video, name: str, index: int, progress: Progress, *, over: Progress | None = None
    ) -> None:
        """Write the progress of an entry that a video had when it was read. Nothing happens if the entry is
        done, was asked for anew since, or, given `over`, does not equal it any more.

        What is done stays so until it is asked for anew: a step that is repeated, such as the sending of a
        clip, must not make it look begun, nor what was paid for it reused.
        """
        if index >= len(getattr(video, name)):
            return  # a new attempt has begun and is not yet planned
        item = _part_item(video, name, index, progress)
        condition = (
            "attribute_not_exists(pk) OR #generation < :generation"
            " OR (#generation = :generation AND attribute_not_exists(done))"
        )
        values: dict[str, Any] = {}
        if over is not None:
            condition = "#generation = :generation AND #document = :over"
            values[":over"] = {"S": _document(over)}
        arguments: dict[str, Any] = {
            "TableName": self._table,
            "Item": item,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {"#generation": "generation"}
            | ({"#document": "document"} if over else {}),
            "ExpressionAttributeValues": {":generation": item["generation"], **values},
        }
        with translated(f"update {name}"):
            try:
                self._dynamodb.put_item(**arguments)
            except ClientError as error:
                if error_code(error) != CONDITION_FAILED:
                    raise

    def _put_parts(self, video: Video, generation: int | None = None) -> None:
        """Write the parts, of one generation or of all, that have been begun."""
        for name in LISTS:
            for index, part in enumerate(getattr(video, name)):
                if part != _waiting(part) and generation in (None, video.generations[name][index]):
                    self.write_part(video, name, index, part)

    def delete(self, tenant: str, video_id: str) -> None:
        """Delete a video.

        The journal comes first: a leftover record can be deleted again, but a leftover journal entry would
        bring the video back. It is deleted again at the end, because a late writer (see _write_journal) that
        still found the record may have restored its entry. The record comes last of the items, so that a
        deletion that is cut off can be repeated. A part that a late task writes at the same moment remains
        until it expires; nothing reads it.
        """
        self._journal.delete(keys.video_record(tenant, video_id))
        while (item := self._item(*keys.video_item(tenant, video_id))) is not None:
            self._leave_trace(_video(item), item)
            self._delete_parts(tenant, video_id)
            if self._delete_record(item):
                break
        self._journal.delete(keys.video_record(tenant, video_id))

    def _delete_parts(self, tenant: str, video_id: str) -> None:
        parts = [item for item in self._items(tenant, video_id) if item["sk"]["S"] != keys.VIDEO]
        parts += self._items(tenant, video_id, keys.FAILED_TRY)
        for start in range(0, len(parts), _BATCH):
            some = parts[start : start + _BATCH]
            requests = [{"DeleteRequest": {"Key": {"pk": one["pk"], "sk": one["sk"]}}} for one in some]
            with translated("delete parts"):
                while True:
                    answer = self._dynamodb.batch_write_item(RequestItems={self._table: requests})
                    requests = answer.get("UnprocessedItems", {}).get(self._table)
                    if not requests:
                        break
                    time.sleep(_THROTTLED_SECONDS)  # DynamoDB left some of them undone

    def _delete_record(self, item: dict[str, Any]) -> bool:
        """Return False if the record has changed since it was read. What its film still holds of the quotas
        is released."""
        video = _video(item)
        delete = {
            "TableName": self._table,
            "Key": {"pk": item["pk"], "sk": item["sk"]},
            "ConditionExpression": "#version = :version",
            "ExpressionAttributeNames": {"#version": "version"},
            "ExpressionAttributeValues": {":version": item["version"]},
        }
        held = video.reserved
        return self._write(
            "delete video",
            {"Delete": delete},
            lambda: [] if held is None else self.counters.end(video, held, now_ms(), releases=True),
        )

    def was_deleted(self, tenant: str, video_id: str) -> bool:
        """Return whether there was such a video, until its record would have expired."""
        return self._item(*keys.deleted_video_item(tenant, video_id)) is not None

    def _leave_trace(self, video: Video, item: dict[str, Any]) -> None:
        trace = {
            **item_key(*keys.deleted_video_item(video.tenant, video.id)),
            "place": {"S": _place(video)},
            "attempt": {"N": str(video.attempt)},
            "version": item["version"],
            "expires": _expires(video),
        }
        with translated("leave trace"):
            self._dynamodb.put_item(TableName=self._table, Item=trace)

    # --- many videos

    def list(
        self, tenant: str, *, after: str | None, limit: int, newest_first: bool
    ) -> tuple[list[Video], bool]:
        """Return a page of a tenant's videos by creation time, and whether there are more.

        The index says which videos there are, and may be a moment behind: a new video is listed within about
        a second. All are then read together as they are now, and one that was deleted is left out. `after` is
        the id of the previous page's last video, which may have been deleted since. Raises VideoNotFound if
        it never existed.
        """
        place = None if after is None else self._place_of(tenant, after)
        entries = self._listed(tenant, after=place, newest_first=newest_first, page=limit + 1)
        found: list[Video] = []
        while len(found) <= limit and (some := list(islice(entries, limit + 1 - len(found)))):
            found += self._as_they_are(tenant, some)
        return found[:limit], len(found) > limit

    def _as_they_are(self, tenant: str, entries: Sequence[Item]) -> Iterator[Video]:
        """Yield the videos of entries of the index, in their order, without those that were deleted.

        They are read together: the entries say which parts each has. Where the index is behind, the rest is
        read, too. A video of many parts is read by a Query of its own.
        """
        large = [one for one in entries if len(_keys_of_parts(one)) > _READ_TOGETHER]
        wanted = [
            key for one in entries if one not in large for key in (_key_of_record(one), *_keys_of_parts(one))
        ]
        items = self._items_of(wanted)
        shown = [items[key] for one in entries if (key := _key_of_record(one)) in items]
        unknown = {key for record in shown for key in _keys_of_parts(record)} - set(wanted)
        items |= self._items_of(sorted(unknown))
        with ThreadPoolExecutor(AT_ONCE) as readers:
            ids = [keys.video_in(one["pk"]["S"])[1] for one in large]
            queried = dict(zip(ids, readers.map(lambda id_: self._find(tenant, id_), ids), strict=True))
        for one in entries:
            id_ = keys.video_in(one["pk"]["S"])[1]
            if (video := queried.get(id_)) is not None:
                yield video
            elif (record := items.get(_key_of_record(one))) is not None:
                yield _video(record, *(items[key] for key in _keys_of_parts(record) if key in items))

    def _items_of(self, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Item]:
        """Return those items of these keys that exist, by key, as they are now."""
        found: dict[tuple[str, str], Item] = {}
        waiting = [item_key(*key) for key in wanted]
        while waiting:
            some, waiting = waiting[:_READ_TOGETHER], waiting[_READ_TOGETHER:]
            asked = {self._table: {"Keys": some, "ConsistentRead": True}}
            with translated("list videos"):
                answer = self._dynamodb.batch_get_item(RequestItems=asked)
            for item in answer["Responses"].get(self._table, []):
                found[item["pk"]["S"], item["sk"]["S"]] = item
            if left := answer.get("UnprocessedKeys", {}).get(self._table):
                waiting = left["Keys"] + waiting  # more than 16 MB, or throttled
                time.sleep(_THROTTLED_SECONDS)
        return found

    def _listed(self, tenant: str, *, after: str | None, newest_first: bool, page: int) -> Iterator[Item]:
        """Yield the index's entries of a tenant's videos in the order of their places."""
        condition, values = "#tenant = :tenant", {":tenant": {"S": tenant}}
        if after is not None:
            condition += f" AND #created {'<' if newest_first else '>'} :after"
            values[":after"] = {"S": after}
        query: dict[str, Any] = {
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": {"#tenant": "tenant"} | ({"#created": "created"} if after else {}),
            "ExpressionAttributeValues": values,
            "ScanIndexForward": not newest_first,
            "Limit": page,
        }
        while True:
            with translated("list videos"):
                found = self._dynamodb.query(TableName=self._table, IndexName=BY_CREATED, **query)
            yield from found["Items"]
            if "LastEvaluatedKey" not in found:
                return
            query["ExclusiveStartKey"] = found["LastEvaluatedKey"]

    def _find(self, tenant: str, video_id: str) -> Video | None:
        try:
            return self.get(tenant, video_id)
        except VideoNotFound:
            return None

    def _place_of(self, tenant: str, video_id: str) -> str:
        item = self._item(*keys.video_item(tenant, video_id))
        if item is not None:
            return str(item["created"]["S"])
        trace = self._item(*keys.deleted_video_item(tenant, video_id))
        if trace is None:
            raise _not_found(video_id)
        return str(trace["place"]["S"])

    def open_page(self, after: str | None, most: int) -> tuple[Sequence[OpenVideo], str | None]:
        """Return at most `most` of the videos that are being made, and where the next page begins; None after
        the last. Films that wait for their user are not among them.

        Pages go shard by shard, in each the least recently updated first. The index may be a moment behind.
        """
        shard, start = json.loads(after) if after else (0, None)
        found: list[OpenVideo] = []
        while shard < SHARDS and len(found) < most:
            with translated("open videos"):
                page = self._dynamodb.query(
                    TableName=self._table,
                    IndexName=OPEN,
                    KeyConditionExpression="#open = :shard",
                    ExpressionAttributeNames={"#open": "open"},
                    ExpressionAttributeValues={":shard": {"S": str(shard)}},
                    Limit=most - len(found),
                    **({"ExclusiveStartKey": start} if start else {}),
                )
            for item in page["Items"]:
                found.append(_entry(item))
            start = page.get("LastEvaluatedKey")
            if start is None:
                shard += 1
        return found, None if shard == SHARDS else json.dumps([shard, start])

    def oldest_open(self, most: int) -> tuple[Sequence[OpenVideo], bool]:
        """Return at most `most` of the videos that are being made, the least recently updated first, and
        whether there may be more. `most` is a multiple of SHARDS, and each shard has its share. The index may
        be a moment behind."""
        return self._of_shards("", most)

    def latest_failed(self, since_ms: int, most: int) -> tuple[Sequence[OpenVideo], bool]:
        """Return at most `most` of the failed videos that were updated since then, the latest first;
        otherwise as `oldest_open`."""
        found, more = self._of_shards(_FAILED, most, since_ms=since_ms)
        return found[::-1], more

    def _of_shards(
        self, prefix: str, most: int, since_ms: int | None = None
    ) -> tuple[Sequence[OpenVideo], bool]:
        """Return of each shard the least recently updated videos, or the most recently updated ones since
        `since_ms`, in the order of their updates, and whether there are more."""

        def query(shard: int) -> dict[str, Any]:
            condition, values = "#open = :shard", {":shard": {"S": f"{prefix}{shard}"}}
            if since_ms is not None:
                condition += " AND updated_ms >= :since"
                values[":since"] = {"N": str(since_ms)}
            with translated("videos of all tenants"):
                page: dict[str, Any] = self._dynamodb.query(
                    TableName=self._table,
                    IndexName=OPEN,
                    KeyConditionExpression=condition,
                    ExpressionAttributeNames={"#open": "open"},
                    ExpressionAttributeValues=values,
                    ScanIndexForward=since_ms is None,
                    Limit=most // SHARDS,
                )
            return page

        with ThreadPoolExecutor(AT_ONCE) as readers:
            pages = [*readers.map(query, range(SHARDS))]
        found = [_entry(item) for page in pages for item in page["Items"]]
        more = any("LastEvaluatedKey" in page for page in pages)
        return sorted(found, key=lambda one: one.updated_ms), more

    def outlines(self, entries: Sequence[OpenVideo]) -> Iterator[Video]:
        """Yield the videos of entries of the index as they are now, in their order and as `outline` returns
        them; those that were deleted meanwhile are left out."""
        wanted = [keys.video_item(one.tenant, one.id) for one in entries]
        items = self._items_of(wanted)
        yield from (_video(items[key]) for key in wanted if key in items)

    # --- the journal

    def _write_journal(self, video: Video) -> None:
        """Write the record to the journal.

        Two writers may reach S3 in the wrong order; the later one then sees the newer record and writes
        again, so that the journal ends with the table's latest state.
        """
        while True:
            body = video.model_dump_json().encode()
            self._journal.put(keys.video_record(video.tenant, video.id), body, "application/json")
            try:
                latest = self.outline(video.tenant, video.id)
            except VideoNotFound:
                self._journal.delete(keys.video_record(video.tenant, video.id))
                return
            if latest.version == video.version:
                return
            video = self._find(video.tenant, video.id) or video

    def journal(self) -> Iterator[str]:
        """Yield the key of every record in the journal."""
        for key, _ in self._journal.list(keys.VIDEO_RECORDS_PREFIX):
            yield key


def _not_found(video_id: str) -> VideoNotFound:
    return VideoNotFound(f"There is no video {video_id!r}.", param="id")


def _entry(item: Item) -> OpenVideo:
    return OpenVideo(*keys.video_in(item["pk"]["S"]), int(item["updated_ms"]["N"]))


def _place(video: Video) -> str:
    """Return the sort key of a video among its tenant's, by creation time."""
    return f"{video.created_ms:015d}#{video.id}"


def _mark(video: Video) -> str:
    """Return the attribute that holds the mark of the write of this version."""
    return f"{MARK}_{video.version % _MARKS}"


def _at_stage(video: Video, stage: Stage, changes: dict[str, Any]) -> Video:
    """Return the next version of a record."""
    now = now_ms()
    history = video.history
    if video.stage is not stage or not history:
        failed = changes.get("failure") if stage is Stage.FAILED else None
        history = [*history, StageEntry(stage=stage, at_ms=now, failure=failed)]
    return video.model_copy(
        update={
            "stage": stage,
            "version": video.version + 1,
            "updated_ms": now,
            "history": history,
            "waits_for": None,  # unless the change says otherwise
            **changes,
        }
    )


def _record_item(video: Video) -> dict[str, Any]:
    return {
        **item_key(*keys.video_item(video.tenant, video.id)),
        "tenant": {"S": video.tenant},
        "created": {"S": _place(video)},
        **_state_attributes(video),
    }


def _state_attributes(video: Video) -> dict[str, Any]:
    attributes = {
        "document": {"S": video.model_dump_json(exclude={*LISTS, "generations"})},
        PARTS: {"S": json.dumps(_outline(video), separators=(",", ":"))},
        "stage": {"S": video.stage},
        "version": {"N": str(video.version)},
        "updated_ms": {"N": str(video.updated_ms)},
    }
    shard = zlib.crc32(video.id.encode()) % SHARDS
    if video.being_made:  # upkeep looks at it
        attributes["open"] = {"S": str(shard)}
    elif video.stage is Stage.FAILED:
        attributes["open"] = {"S": f"{_FAILED}{shard}"}
    if video.closed:
        attributes["expires"] = _expires(video)
    return attributes


def _absent_attributes(video: Video) -> set[str]:
    """Return which attributes that a record may have are not those of its state."""
    return {"open", "expires"} - _state_attributes(video).keys()


def _expires(video: Video) -> dict[str, str]:
    return {"N": str(video.expires_ms // 1000)}


def _holding(video: Video, admission: Admission | None) -> Video:
    """Return the video with what it holds of its tenant's quotas."""
    return video.model_copy(update={"reserved": admission and admission.reservation})


# --- parts


def _outline(video: Video) -> dict[str, list[tuple[float, int]]]:
    """Return what the record says of its parts: of each the seconds of a clip, or else the scene, and the
    generation."""
    return {
        name: [
            (part.seconds if isinstance(part, ClipProgress) else part.scene, generation)
            for part, generation in zip(getattr(video, name), video.generations[name], strict=True)
        ]
        for name in LISTS
        if getattr(video, name)
    }


def _numbered(video: Video) -> Video:
    """Return a video with the generation of each of its parts: its version, unless it has one."""
    generations = dict(video.generations)
    for name in LISTS:
        parts = getattr(video, name)
        if len(generations.get(name, [])) != len(parts):
            generations[name] = len(parts) * [video.version]
    return video.model_copy(update={"generations": generations})


def _asked_anew(video: Video, before: Video, names: Iterable[str]) -> Video:
    """Return a video whose lists of those names are new. A part that has been begun and is the same in
    `before` stays, with its generation; every other is asked for by this version of the record."""
    generations = dict(before.generations)
    for name in names:
        parts = getattr(video, name)
        kept = (_generation_in(before, name, index, part) for index, part in enumerate(parts))
        generations[name] = [video.version if one is None else one for one in kept]
    known = {name: of_parts for name, of_parts in generations.items() if of_parts}
    return video.model_copy(update={"generations": known})


def _generation_in(before: Video, name: str, index: int, part: Progress) -> int | None:
    """Return the generation of the same part, begun, in `before`; None if it has none."""
    if part == _waiting(part):
        return None
    parts = getattr(before, name)
    if isinstance(part, PartProgress):
        index = next((place for place, one in enumerate(parts) if one.scene == part.scene), len(parts))
    same = index < len(parts) and parts[index] == part
    return before.generations[name][index] if same else None


def _waiting(part: Progress) -> Progress:
    """Return a part as it is before it is begun."""
    if isinstance(part, ClipProgress):
        return ClipProgress(seconds=part.seconds)
    return PartProgress(scene=part.scene)


def _part_item(video: Video, name: str, index: int, part: Progress) -> dict[str, Any]:
    number = index if isinstance(part, ClipProgress) else part.scene
    return {
        **item_key(*keys.part_item(video.tenant, video.id, name, number)),
        "document": {"S": _document(part)},
        **({"done": {"BOOL": True}} if part.state is ClipState.DONE else {}),
        "generation": {"N": str(video.generations[name][index])},
        "expires": _expires(video),
    }


def _key_of_record(entry: Item) -> tuple[str, str]:
    return entry["pk"]["S"], entry["sk"]["S"]


def _keys_of_parts(entry: Item) -> Sequence[tuple[str, str]]:
    """Return the keys of the parts that a record, or its entry in the index, says it has."""
    return [
        (entry["pk"]["S"], keys.part_sort_key(name, index if name == CLIPS else int(what)))
        for name, outline in json.loads(entry[PARTS]["S"]).items()
        for index, (what, _) in enumerate(outline)
    ]


def _document(part: Progress) -> str:
    return part.model_dump_json(exclude_defaults=True)


def _video(record: dict[str, Any], *parts: dict[str, Any]) -> Video:
    """Return the video of a record and of those parts that it asked for; its other parts wait."""
    document = json.loads(record["document"]["S"])
    found = {part["sk"]["S"]: part for part in parts}
    document["generations"] = {}
    for name, outline in json.loads(record[PARTS]["S"]).items():
        document["generations"][name] = [generation for _, generation in outline]
        document[name] = []
        for index, (what, generation) in enumerate(outline):
            number = index if name == CLIPS else int(what)
            item = found.get(keys.part_sort_key(name, number))
            if item is not None and int(item["generation"]["N"]) == generation:
                document[name].append(json.loads(item["document"]["S"]))
            else:
                document[name].append({"seconds" if name == CLIPS else "scene": what})
    return Video.model_validate(document)

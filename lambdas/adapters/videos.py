"""The videos table and its journal in S3.

A record's document is stored as JSON in one attribute; `clips`, `narrations` and `stills` are separate lists,
so that parallel tasks change only their own entries. Every change of the document is also written to the
journal (`records/` in the output bucket), from which the table can be rebuilt.

A record remembers the marks of its latest conditional writes (see conditional_writes), each in an attribute
of its own: between two tries of one write, other writers may change the record too.

A deleted video leaves a trace until its record would have expired. The trace holds the video's place in the
list, so that a client that deletes while it pages can continue after it; and its last attempt, because the
same Idempotency-Key gives the same id again, and an execution's name can be used only once in 90 days.
"""

import json
import time
from collections.abc import Iterator, Sequence, Set
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.clients import error_code, translated
from lambdas.adapters.conditional_writes import MARK, ConditionalWrites
from lambdas.adapters.items import CONDITION_FAILED, item_key
from lambdas.adapters.objects import Objects
from lambdas.domain import keys
from lambdas.domain.errors import VideoClosed, VideoNotFound
from lambdas.domain.stages import Stage, stages_before
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipProgress, PartProgress, StageEntry

BY_CREATED = "by_created"  # local index: tenant, created
# Written by parallel tasks, each its own entry.
LISTS = frozenset({"clips", "narrations", "stills"})
_MARKS = 16  # marks that a record remembers: more changes than it gets within a minute, a call's timeout
OPEN = "open"  # global index: "open", updated_ms; contains the videos that are being made


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Videos:
    def __init__(self, dynamodb: Any, table: str, journal: Objects) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._writes = ConditionalWrites(dynamodb, table)
        self._journal = journal

    # --- one video

    def create(self, video: Video) -> tuple[Video, bool]:
        """Write the record unless the id is taken. Return the current record and whether it is new."""
        trace = self._item(*keys.deleted_video_item(video.tenant, video.id))
        if trace is not None:
            video = video.model_copy(update={"attempt": int(trace["attempt"]["N"]) + 1})
        if not self._put_new(video):
            return self.get(video.tenant, video.id), False
        self._write_journal(video)
        return video, True

    def restore(self, journal_key: str) -> Video | None:
        """Restore a record of the journal to the table. Return None if the table already has it."""
        video = Video.model_validate_json(self._journal.get(journal_key))
        return video if self._put_new(video) else None

    def _put_new(self, video: Video) -> bool:
        pk, sk = keys.video_item(video.tenant, video.id)
        item = {
            "pk": {"S": pk},
            "sk": {"S": sk},
            "created": {"S": _place(video)},
            **_state_attributes(video),
            **{name: _list_attribute(video, name) for name in LISTS},
        }
        return self._writes.put("create video", item, "attribute_not_exists(pk)", mark=_mark(video))

    def get(self, tenant: str, video_id: str) -> Video:
        """Return a video's record. Raises VideoNotFound, also for another tenant's video."""
        item = self._item(*keys.video_item(tenant, video_id))
        if item is None:
            raise VideoNotFound(f"There is no video {video_id!r}.", param="id")
        return _video(item)

    def _item(self, pk: str, sk: str) -> dict[str, Any] | None:
        with translated("get video"):
            response = self._dynamodb.get_item(
                TableName=self._table, Key=item_key(pk, sk), ConsistentRead=True
            )
        item: dict[str, Any] | None = response.get("Item")
        return item

    def advance(self, tenant: str, video_id: str, stage: Stage, **changes: Any) -> Video:
        """Move a video to a stage, and change other fields.

        Raises VideoClosed if the stage can't follow the video's current one, VideoNotFound if it is missing.
        """
        while True:
            if changed := self.advance_from(self.get(tenant, video_id), stage, **changes):
                return changed

    def advance_from(self, video: Video, stage: Stage, **changes: Any) -> Video | None:
        """Like `advance`, for a record as it was read. Return None and change nothing if it has changed
        since. Raises VideoClosed as `advance` does."""
        if video.stage not in stages_before(stage):
            raise VideoClosed(f"video {video.id} is {video.stage} and can't become {stage}")
        return self._change(video, stage, changes)

    def amend(self, video: Video, **changes: Any) -> Video | None:
        """Change fields without changing the stage, also after the video has ended. Return None as
        `advance_from` does."""
        return self._change(video, video.stage, changes)

    def requeue(self, video: Video, **changes: Any) -> Video | None:
        """Start a new attempt. Return None as `advance_from` does, if the video has been changed meanwhile.

        The previous attempt's results don't count as done; its texts are reused at no cost.
        """
        begun: dict[str, Any] = {
            "attempt": video.attempt + 1,
            "failure": None,
            "review": None,
            "writer": video.writer and video.writer.model_copy(update={"cost": 0.0}),
            "enhancement": video.enhancement and video.enhancement.model_copy(update={"cost": 0.0}),
            "clips": [],
            "assembly": None,
        }
        return self.advance_from(video, Stage.QUEUED, **begun, **changes)

    def _change(self, video: Video, stage: Stage, changes: dict[str, Any]) -> Video | None:
        changed = _at_stage(video, stage, changes)
        if not self._replace(changed, version=video.version, lists=LISTS & changes.keys()):
            return None
        self._write_journal(changed)
        return changed

    def _replace(self, video: Video, *, version: int, lists: Set[str]) -> bool:
        attributes = _state_attributes(video) | {name: _list_attribute(video, name) for name in lists}
        written = self._writes.update(
            "update video",
            item_key(*keys.video_item(video.tenant, video.id)),
            attributes,
            "#version = :old",
            remove=() if _is_made(video) else ("open",),
            values={":old": {"N": str(version)}},
            mark=_mark(video),
        )
        return written is not None

    def update_entry(
        self,
        tenant: str,
        video_id: str,
        name: str,
        index: int,
        progress: ClipProgress | PartProgress,
        *,
        over: ClipProgress | PartProgress | None = None,
    ) -> None:
        """Write the progress of one entry of one of the LISTS; others may be written at the same time.
        `over`: write only if the entry still equals this; else it has been restarted and stays as it is.

        Raises VideoNotFound if the video does not exist.
        """
        condition, values = "attribute_exists(pk)", {":entry": {"S": progress.model_dump_json()}}
        if over is not None:
            condition = f"{name}[{index}] = :over"
            values[":over"] = {"S": over.model_dump_json()}
        with translated(f"update {name}"):
            try:
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=item_key(*keys.video_item(tenant, video_id)),
                    UpdateExpression=f"SET {name}[{index}] = :entry",
                    ConditionExpression=condition,
                    ExpressionAttributeValues=values,
                )
            except ClientError as error:
                if error_code(error) != CONDITION_FAILED:
                    raise
                if over is None:
                    raise VideoNotFound(f"There is no video {video_id!r}.", param="id") from error

    def delete(self, tenant: str, video_id: str) -> None:
        """Delete a video.

        The journal comes first: a leftover record can be deleted again, but a leftover journal entry would
        bring the video back. It is deleted again at the end, because a late writer (see _write_journal) that
        still found the record may have restored its entry.
        """
        self._journal.delete(keys.video_record(tenant, video_id))
        self._leave_trace(tenant, video_id)
        with translated("delete video"):
            self._dynamodb.delete_item(
                TableName=self._table, Key=item_key(*keys.video_item(tenant, video_id))
            )
        self._journal.delete(keys.video_record(tenant, video_id))

    def was_deleted(self, tenant: str, video_id: str) -> bool:
        """Return whether there was such a video, until its record would have expired."""
        return self._item(*keys.deleted_video_item(tenant, video_id)) is not None

    def _leave_trace(self, tenant: str, video_id: str) -> None:
        item = self._item(*keys.video_item(tenant, video_id))
        if item is None:
            return
        video = _video(item)
        trace = {
            **item_key(*keys.deleted_video_item(tenant, video_id)),
            "place": {"S": _place(video)},
            "attempt": {"N": str(video.attempt)},
            "expires": item["expires"],
        }
        with translated("leave trace"):
            self._dynamodb.put_item(TableName=self._table, Item=trace)

    # --- many videos

    def list(
        self, tenant: str, *, after: str | None, limit: int, newest_first: bool
    ) -> tuple[list[Video], bool]:
        """Return a page of a tenant's videos by creation time, and whether there are more.

        `after` is the id of the previous page's last video, which may have been deleted since. Raises
        VideoNotFound if it never existed.
        """
        query: dict[str, Any] = {}
        if after is not None:
            place = {"S": self._place_of(tenant, after)}
            query["ExclusiveStartKey"] = {**item_key(*keys.video_item(tenant, after)), "created": place}
        items: list[dict[str, Any]] = []
        with translated("list videos"):
            while len(items) <= limit:
                page = self._dynamodb.query(
                    TableName=self._table,
                    IndexName=BY_CREATED,
                    KeyConditionExpression="pk = :tenant",
                    ExpressionAttributeValues={":tenant": {"S": keys.tenant_partition(tenant)}},
                    ConsistentRead=True,
                    ScanIndexForward=not newest_first,
                    Limit=limit + 1 - len(items),
                    **query,
                )
                items += page["Items"]
                if "LastEvaluatedKey" not in page:
                    break
                query["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        return [_video(item) for item in items[:limit]], len(items) > limit

    def _place_of(self, tenant: str, video_id: str) -> str:
        try:
            return _place(self.get(tenant, video_id))
        except VideoNotFound:
            trace = self._item(*keys.deleted_video_item(tenant, video_id))
            if trace is None:
                raise
            return str(trace["place"]["S"])

    def open_page(self, after: str | None, most: int) -> tuple[Sequence[Video], str | None]:
        """Return at most `most` of the videos that are being made, the least recently updated first, and
        where the next page begins; None after the last. Films that wait for their user are not among them."""
        start = {"ExclusiveStartKey": json.loads(after)} if after else {}
        with translated("open videos"):
            page = self._dynamodb.query(
                TableName=self._table,
                IndexName=OPEN,
                KeyConditionExpression="#open = :open",
                ExpressionAttributeNames={"#open": "open"},
                ExpressionAttributeValues={":open": {"S": "open"}},
                Limit=most,
                **start,
            )
        last = page.get("LastEvaluatedKey")
        return [_video(item) for item in page["Items"]], json.dumps(last) if last else None

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
                latest = self.get(video.tenant, video.id)
            except VideoNotFound:
                self._journal.delete(keys.video_record(video.tenant, video.id))
                return
            if latest.version == video.version:
                return
            video = latest

    def journal(self) -> Iterator[str]:
        """Yield the key of every record in the journal."""
        for key, _ in self._journal.list(keys.VIDEO_RECORDS_PREFIX):
            yield key


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
        history = [*history, StageEntry(stage=stage, at_ms=now)]
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


def _state_attributes(video: Video) -> dict[str, Any]:
    attributes = {
        "document": {"S": video.model_dump_json(exclude=set(LISTS))},
        "stage": {"S": video.stage},
        "version": {"N": str(video.version)},
        "updated_ms": {"N": str(video.updated_ms)},
        "expires": {"N": str(video.expires_ms // 1000)},
    }
    if _is_made(video):
        attributes["open"] = {"S": "open"}
    return attributes


def _is_made(video: Video) -> bool:
    """Return whether the video is being made: upkeep looks at it. A film that waits for its user may do so
    for weeks; its decision, or the end of its execution, brings it back."""
    return not video.closed and video.stage is not Stage.REVIEWING


def _list_attribute(video: Video, name: str) -> dict[str, Any]:
    return {"L": [{"S": entry.model_dump_json()} for entry in getattr(video, name)]}


def _video(item: dict[str, Any]) -> Video:
    document = json.loads(item["document"]["S"])
    for name in LISTS:
        document[name] = [json.loads(entry["S"]) for entry in item.get(name, {}).get("L", [])]
    return Video.model_validate(document)

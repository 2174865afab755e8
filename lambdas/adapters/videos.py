"""The videos table and its journal in S3.

A record's document is kept as JSON in one attribute; `clips`, `narrations` and `stills` are lists beside it,
so that what is made side by side changes its own entry only. Every change of the document is also written to
the journal (`records/` of the output bucket), from which the table can be rebuilt.

Of a deleted video a trace stays until the record would have expired. It says where the video stood in the
list, so that a client that deletes while it pages can go on after it; and its last attempt, since the same
Idempotency-Key gives the same id again, and an execution's name is used once in 90 days.
"""

import json
import time
from collections.abc import Iterator, Set
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.clients import error_code, translated
from lambdas.adapters.items import CONDITION_FAILED, item_key
from lambdas.adapters.objects import Objects
from lambdas.domain import keys
from lambdas.domain.errors import VideoClosed, VideoNotFound
from lambdas.domain.stages import Stage, stages_before
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipProgress, PartProgress, StageEntry

BY_CREATED = "by_created"  # local index: tenant, created
# What tasks that run side by side write: each its own entry.
LISTS = frozenset({"clips", "narrations", "stills"})
OPEN = "open"  # global index: "open", updated_ms; holds the videos that have not ended


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Videos:
    def __init__(self, dynamodb: Any, table: str, journal: Objects) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._journal = journal

    # --- one video

    def create(self, video: Video) -> tuple[Video, bool]:
        """Writes the record unless the id is taken; returns the record that stands and whether it is new."""
        trace = self._item(*keys.deleted_video_item(video.tenant, video.id))
        if trace is not None:
            video = video.model_copy(update={"attempt": int(trace["attempt"]["N"]) + 1})
        if not self._put_new(video):
            return self.get(video.tenant, video.id), False
        self._write_journal(video)
        return video, True

    def restore(self, journal_key: str) -> Video | None:
        """Puts a record of the journal back where the table has none. None if the table has it."""
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
        with translated("create video"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)"
                )
            except ClientError as error:
                if error_code(error) == CONDITION_FAILED:
                    return False
                raise
        return True

    def get(self, tenant: str, video_id: str) -> Video:
        """Raises VideoNotFound, for another tenant's video too."""
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
        """Moves a video to a stage, with changes of other fields.

        Raises VideoClosed where the stage can't follow the one the video is at, VideoNotFound.
        """
        while True:
            if changed := self.advance_from(self.get(tenant, video_id), stage, **changes):
                return changed

    def advance_from(self, video: Video, stage: Stage, **changes: Any) -> Video | None:
        """As `advance`, of the record as it was read: None, and nothing is changed, where it has moved on
        since. Raises VideoClosed."""
        if video.stage not in stages_before(stage):
            raise VideoClosed(f"video {video.id} is {video.stage}: it can't become {stage}")
        return self._change(video, stage, changes)

    def amend(self, video: Video, **changes: Any) -> Video | None:
        """Other fields at the stage where it is, of a video that has ended too; None as of `advance_from`."""
        return self._change(video, video.stage, changes)

    def requeue(self, video: Video, **changes: Any) -> Video | None:
        """A new attempt, as `advance_from`: None where somebody is at work on the video by now. What the last
        one made doesn't count as done, and texts that it had written are used again, which costs nothing."""
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
        assignments = ", ".join(f"#{name} = :{name}" for name in attributes)
        expression = f"SET {assignments}" + (" REMOVE #open" if video.closed else "")
        names = {f"#{name}": name for name in attributes} | ({"#open": "open"} if video.closed else {})
        with translated("update video"):
            try:
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=item_key(*keys.video_item(video.tenant, video.id)),
                    UpdateExpression=expression,
                    ConditionExpression="#version = :old",
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues={f":{name}": value for name, value in attributes.items()}
                    | {":old": {"N": str(version)}},
                )
            except ClientError as error:
                if error_code(error) == CONDITION_FAILED:
                    return False
                raise
        return True

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
        """Writes the progress of one entry of one of the LISTS; others may be written at the same time.
        `over`: only where the entry is that; else somebody has begun it anew, and it stays as it is.

        Raises VideoNotFound.
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
        """The journal first: a record that is left over can be deleted again, a journal entry would
        bring the video back. And once more, since a late writer (see _write_journal) that still found the
        record has put its entry back."""
        self._journal.delete(keys.video_record(tenant, video_id))
        self._leave_trace(tenant, video_id)
        with translated("delete video"):
            self._dynamodb.delete_item(
                TableName=self._table, Key=item_key(*keys.video_item(tenant, video_id))
            )
        self._journal.delete(keys.video_record(tenant, video_id))

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
        """A page of a tenant's videos by time of creation, and whether there are more.

        `after` is the id of the last video of the page before, which may have been deleted since; raises
        VideoNotFound where there was none.
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

    def open_videos(self) -> Iterator[Video]:
        """All videos that have not ended, those longest untouched first."""
        with translated("open videos"):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                IndexName=OPEN,
                KeyConditionExpression="#open = :open",
                ExpressionAttributeNames={"#open": "open"},
                ExpressionAttributeValues={":open": {"S": "open"}},
            )
            for page in pages:
                for item in page["Items"]:
                    yield _video(item)

    # --- the journal

    def _write_journal(self, video: Video) -> None:
        """Two writers may reach S3 in the wrong order; the later one then sees the newer record and
        writes again, so the journal ends with the table's last state."""
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
        """The key of every record of the journal."""
        for key, _ in self._journal.list(keys.VIDEO_RECORDS_PREFIX):
            yield key


def _place(video: Video) -> str:
    """Where a video stands among its tenant's, by time of creation."""
    return f"{video.created_ms:015d}#{video.id}"


def _at_stage(video: Video, stage: Stage, changes: dict[str, Any]) -> Video:
    """The next version of a record."""
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
    if not video.closed:
        attributes["open"] = {"S": "open"}
    return attributes


def _list_attribute(video: Video, name: str) -> dict[str, Any]:
    return {"L": [{"S": entry.model_dump_json()} for entry in getattr(video, name)]}


def _video(item: dict[str, Any]) -> Video:
    document = json.loads(item["document"]["S"])
    for name in LISTS:
        document[name] = [json.loads(entry["S"]) for entry in item.get(name, {}).get("L", [])]
    return Video.model_validate(document)

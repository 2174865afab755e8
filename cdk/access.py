"""Each function's access to the buckets' objects and the table's items: one table, one loop."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aws_cdk import aws_iam as iam

from cdk.buckets import ARTIFACTS, ENGINE, REQUESTS, UPLOADS, VIDEOS, Buckets, grant_objects
from cdk.clip_queue import ClipQueue
from cdk.functions import Functions
from cdk.table import VideosTable
from lambdas.adapters.videos import BY_CREATED, OPEN
from lambdas.domain import keys


@dataclass(frozen=True, kw_only=True)
class Access:
    """Key prefixes, each as `bucket/prefix`, calls on the table of videos, and use of the queues of clips."""

    table: tuple[str, ...]  # DynamoDB's names
    clips: Callable[[ClipQueue, iam.IRole], None] | None = None
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    resume: tuple[str, ...] = ()  # resume interrupted uploads
    journal: bool = False  # changes videos, so it also writes the journal in S3
    index: str | None = None  # of the table, to list videos

    def of(self, bucket: str) -> dict[str, list[str]]:
        """Return the prefixes in one bucket as keyword arguments for grant_objects."""
        journal = (_JOURNAL,) if self.journal else ()
        every = {
            "read": self.read,
            "write": self.write + journal,
            "delete": self.delete + journal,
            "resume": self.resume,
        }
        return {
            action: [prefix.removeprefix(f"{bucket}/") for prefix in prefixes if prefix.startswith(bucket)]
            for action, prefixes in every.items()
        }


_DROPPED = f"input/{keys.DROP_PREFIX}"
_DROP_RESULTS = f"output/{keys.DROP_PREFIX}"
_UPLOADS = f"input/{UPLOADS}"
_REQUESTS = f"input/{REQUESTS}"
_INCOMING = f"input/{keys.INCOMING_PREFIX}"
_CHARACTERS = f"input/{keys.CHARACTERS_PREFIX}"
_DESCRIPTIONS = f"input/{keys.DESCRIPTIONS_PREFIX}"
_ARTIFACTS = f"output/{ARTIFACTS}"
# Which video uses which artifact.
_USES = (f"{_ARTIFACTS}*/uses/", f"{_ARTIFACTS}*/users/")
_HEIRS = f"{_ARTIFACTS}*/heirs/"
_VIDEOS = f"output/{VIDEOS}"  # storyboards and deliverables
_SAMPLES = f"{_ARTIFACTS}*/samples/"  # of voices
# The user can preview these before the film is delivered.
_CLIPS = f"{_ARTIFACTS}*/clips/"
_PREVIEWS = (f"{_ARTIFACTS}*/narrations/", f"{_ARTIFACTS}*/stills/", _CLIPS, f"{_ARTIFACTS}*/films/")
_ENGINE = f"output/{ENGINE}"
_JOURNAL = f"output/{keys.VIDEO_RECORDS_PREFIX}"
_WEBHOOKS = f"output/{keys.WEBHOOK_RECORDS_PREFIX}"  # has secrets, so no function reads it

_LOOK = ("GetItem",)  # one item, for example a record without its parts
_REPORT = (*_LOOK, "PutItem")  # how far a part is
_LET_BEGIN = (*_REPORT, "Query", "UpdateItem")  # a clip, within what its film may cost
_CHANGE = (*_LOOK, "Query", "UpdateItem")  # read a record with its parts, and change it

ACCESS: Mapping[str, Access] = {
    "Api": Access(
        table=(*_CHANGE, "PutItem", "DeleteItem", "BatchWriteItem", "BatchGetItem"),
        clips=ClipQueue.grant_withdraw,
        read=(_VIDEOS, *_PREVIEWS, _SAMPLES, _CHARACTERS, _DESCRIPTIONS, _INCOMING, _UPLOADS),
        write=(
            *(_UPLOADS, *_USES, _HEIRS, _SAMPLES, _DROP_RESULTS, _VIDEOS, _WEBHOOKS),
            *(_CHARACTERS, _INCOMING),
        ),
        delete=(
            *(_VIDEOS, _ARTIFACTS, _UPLOADS, _ENGINE, _DROP_RESULTS, _REQUESTS),
            *(_CHARACTERS, _DESCRIPTIONS),
        ),
        journal=True,
        index=BY_CREATED,
    ),
    # The records of all tenants, and no objects.
    "Operations": Access(table=("Query", "BatchGetItem"), clips=ClipQueue.grant_look, index=OPEN),
    "Intake": Access(
        table=(*_REPORT, "Query", "UpdateItem"),
        read=(_DROPPED, _DROP_RESULTS, _CHARACTERS, _INCOMING, _UPLOADS),
        write=(_UPLOADS, _DROP_RESULTS),
        delete=(_DROP_RESULTS,),
        journal=True,
    ),
    "Dispatch": Access(table=_LOOK),
    "WriteStoryboard": Access(
        table=_CHANGE,
        read=(_VIDEOS, _UPLOADS, _DESCRIPTIONS),
        write=(_VIDEOS, _DESCRIPTIONS),
        journal=True,
    ),
    "Narrate": Access(
        table=_REPORT, read=(_VIDEOS, _ARTIFACTS, _UPLOADS), write=(_ARTIFACTS,), delete=(_ARTIFACTS,)
    ),
    "DrawStill": Access(
        table=_REPORT, read=(_VIDEOS, _ARTIFACTS, _UPLOADS), write=(_ARTIFACTS,), delete=(_ARTIFACTS,)
    ),
    "Review": Access(table=(*_CHANGE, "PutItem"), journal=True),
    "Plan": Access(table=_CHANGE, read=(_VIDEOS, _ARTIFACTS, _UPLOADS), write=(_VIDEOS,), journal=True),
    "DrawClip": Access(
        table=_LET_BEGIN,
        read=(_VIDEOS, _UPLOADS, _ARTIFACTS),
        write=(_ARTIFACTS,),
        delete=(_ARTIFACTS,),
    ),
    "RenderClip": Access(
        table=_LET_BEGIN,
        clips=ClipQueue.grant_move,
        read=(_VIDEOS, _UPLOADS, _ARTIFACTS, _REQUESTS),
        write=(_REQUESTS, *_USES),
        delete=(_REQUESTS, _ARTIFACTS),
    ),
    "SettleClip": Access(
        table=_REPORT,
        clips=ClipQueue.grant_move,
        read=(_VIDEOS, _ENGINE, _ARTIFACTS, _REQUESTS),
        write=(_ARTIFACTS,),
        delete=(_ENGINE, _ARTIFACTS),
    ),
    "LookAtClips": Access(table=_CHANGE, read=(_VIDEOS, _CLIPS), write=(_VIDEOS,), journal=True),
    "CheckClips": Access(table=_CHANGE, read=(_VIDEOS, _CLIPS), write=(_VIDEOS,), journal=True),
    "Assemble": Access(
        table=_CHANGE,
        read=(_UPLOADS, _VIDEOS, _ARTIFACTS),
        write=(_ARTIFACTS,),
        delete=(_ARTIFACTS,),
        resume=(_ARTIFACTS,),
        journal=True,
    ),
    "AssembleLong": Access(table=_CHANGE, journal=True),
    "Publish": Access(
        table=_CHANGE,
        read=(_UPLOADS, _VIDEOS, _ARTIFACTS),
        write=(_VIDEOS, _DROP_RESULTS),
        delete=(_VIDEOS, _DROP_RESULTS),
        resume=(_VIDEOS,),
        journal=True,
    ),
    "RecordFailure": Access(
        table=_CHANGE,
        clips=ClipQueue.grant_withdraw,
        write=(_DROP_RESULTS,),
        delete=(_REQUESTS,),
        journal=True,
    ),
    "Deliver": Access(table=_LOOK, write=(_WEBHOOKS,)),
    "Upkeep": Access(
        table=(*_CHANGE, "PutItem"),
        clips=ClipQueue.grant_move,
        read=(_DROPPED, _DROP_RESULTS, _VIDEOS, _ENGINE, _ARTIFACTS, _JOURNAL, _REQUESTS),
        write=(_ARTIFACTS, _DROP_RESULTS),
        delete=(_ENGINE, _REQUESTS, _ARTIFACTS),
        journal=True,
        index=OPEN,
    ),
}


def grant_access(
    functions: Functions, *, buckets: Buckets, table: VideosTable, clip_queue: ClipQueue
) -> None:
    for name, access in ACCESS.items():
        role = functions.role(name)
        grant(role, access, buckets=buckets, table=table)
        if access.clips is not None:
            access.clips(clip_queue, role)


def grant(role: iam.IRole, access: Access, *, buckets: Buckets, table: VideosTable) -> None:
    grant_objects(buckets.input, role, **access.of("input"))
    grant_objects(buckets.output, role, **access.of("output"))
    table.grant(role, access.table)
    if access.index is not None:
        table.grant_list(role, access.index)

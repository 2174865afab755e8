"""Each function's access to the buckets' objects and the table's items: one table, one loop."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import aws_iam as iam

from cdk.buckets import ARTIFACTS, ENGINE, REQUESTS, UPLOADS, VIDEOS, Buckets, grant_objects
from cdk.functions import Functions
from cdk.table import VideosTable
from lambdas.domain import keys


@dataclass(frozen=True, kw_only=True)
class Access:
    """Key prefixes, each as `bucket/prefix`."""

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    resume: tuple[str, ...] = ()  # resume interrupted uploads
    journal: bool = False  # changes videos, so it also writes the journal in S3
    indexes: bool = False  # lists videos

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
_ARTIFACTS = f"output/{ARTIFACTS}"
_VIDEOS = f"output/{VIDEOS}"  # storyboards and deliverables
# The user can preview these before the film is rendered.
_PREVIEWS = (f"{_ARTIFACTS}*/narrations/", f"{_ARTIFACTS}*/stills/")
_ENGINE = f"output/{ENGINE}"
_RECORDS = f"output/{keys.RECORDS_PREFIX}"
_JOURNAL = f"output/{keys.VIDEO_RECORDS_PREFIX}"

# All of these read and write items of the table.
ACCESS: Mapping[str, Access] = {
    "Api": Access(
        read=(_VIDEOS, *_PREVIEWS),
        write=(_UPLOADS, _DROP_RESULTS, _VIDEOS),
        delete=(_VIDEOS, _DROP_RESULTS, _REQUESTS),
        journal=True,
        indexes=True,
    ),
    "Intake": Access(
        read=(_DROPPED, _DROP_RESULTS),
        write=(_UPLOADS, _DROP_RESULTS),
        delete=(_DROP_RESULTS,),
        journal=True,
    ),
    "WriteStoryboard": Access(read=(_VIDEOS,), write=(_VIDEOS,), journal=True),
    "Narrate": Access(read=(_VIDEOS, _ARTIFACTS), write=(_ARTIFACTS,)),
    "DrawStill": Access(read=(_VIDEOS, _ARTIFACTS), write=(_ARTIFACTS,)),
    "Review": Access(journal=True),
    "Plan": Access(read=(_VIDEOS, _ARTIFACTS), write=(_VIDEOS,), journal=True),
    "DrawClip": Access(read=(_VIDEOS, _UPLOADS, _ARTIFACTS), write=(_ARTIFACTS,)),
    "RenderClip": Access(
        read=(_VIDEOS, _UPLOADS, _ARTIFACTS, _REQUESTS), write=(_REQUESTS,), delete=(_REQUESTS,)
    ),
    "SettleClip": Access(
        read=(_VIDEOS, _ENGINE, _ARTIFACTS, _REQUESTS), write=(_ARTIFACTS,), delete=(_ENGINE,)
    ),
    "Assemble": Access(
        read=(_UPLOADS, _VIDEOS, _ARTIFACTS),
        write=(_ARTIFACTS,),
        delete=(_ARTIFACTS,),
        resume=(_ARTIFACTS,),
        journal=True,
    ),
    "AssembleLong": Access(journal=True),
    "Publish": Access(
        read=(_VIDEOS, _ARTIFACTS),
        write=(_VIDEOS, _DROP_RESULTS),
        delete=(_VIDEOS, _DROP_RESULTS),
        journal=True,
    ),
    "RecordFailure": Access(write=(_DROP_RESULTS,), delete=(_REQUESTS,), journal=True),
    "Upkeep": Access(
        read=(_DROPPED, _DROP_RESULTS, _VIDEOS, _ENGINE, _ARTIFACTS, _RECORDS, _REQUESTS),
        write=(_ARTIFACTS, _DROP_RESULTS),
        delete=(_ENGINE, _REQUESTS),
        journal=True,
        indexes=True,
    ),
}

# These only read single items: an API key, a video.
LOOK_UP = ("Authorizer", "Dispatch")


def grant_access(functions: Functions, *, buckets: Buckets, table: VideosTable) -> None:
    for name, access in ACCESS.items():
        grant(functions.role(name), access, buckets=buckets, table=table)
    for name in LOOK_UP:
        table.grant_get(functions.role(name))


def grant(role: iam.IRole, access: Access, *, buckets: Buckets, table: VideosTable) -> None:
    grant_objects(buckets.input, role, **access.of("input"))
    grant_objects(buckets.output, role, **access.of("output"))
    table.grant_items(role)
    if access.indexes:
        table.grant_indexes(role)

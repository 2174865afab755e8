"""What each function may do with objects of the buckets and items of the table: one table, one loop."""

from collections.abc import Mapping
from dataclasses import dataclass

from cdk.buckets import ARTIFACTS, ENGINE, REQUESTS, UPLOADS, VIDEOS, Buckets, grant_objects
from cdk.functions import Functions
from cdk.table import VideosTable
from lambdas.domain import keys


@dataclass(frozen=True, kw_only=True)
class Access:
    """Key prefixes, each as `bucket/prefix`. Every function but the authorizer reads and writes items."""

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    indexes: bool = False  # lists videos

    def of(self, bucket: str) -> dict[str, list[str]]:
        """The prefixes in one bucket, as grant_objects takes them."""
        return {
            action: [prefix.removeprefix(f"{bucket}/") for prefix in prefixes if prefix.startswith(bucket)]
            for action, prefixes in (("read", self.read), ("write", self.write), ("delete", self.delete))
        }


_DROPPED = f"input/{keys.DROP_PREFIX}"
_DROP_RESULTS = f"output/{keys.DROP_PREFIX}"
_UPLOADS = f"input/{UPLOADS}"
_REQUESTS = f"input/{REQUESTS}"
_ARTIFACTS = f"output/{ARTIFACTS}"
_VIDEOS = f"output/{VIDEOS}"
_ENGINE = f"output/{ENGINE}"
_RECORDS = f"output/{keys.VIDEO_RECORDS_PREFIX}"  # the journal: written with each change of a video

ACCESS: Mapping[str, Access] = {
    "Api": Access(
        read=(_UPLOADS, _VIDEOS), write=(_UPLOADS, _RECORDS), delete=(_VIDEOS, _RECORDS), indexes=True
    ),
    "Intake": Access(
        read=(_DROPPED, _UPLOADS), write=(_UPLOADS, _DROP_RESULTS, _RECORDS), delete=(_RECORDS,)
    ),
    "Dispatch": Access(write=(_RECORDS,), delete=(_RECORDS,)),
    "Plan": Access(write=(_RECORDS, _VIDEOS), delete=(_RECORDS,)),
    "DrawClip": Access(read=(_UPLOADS, _ARTIFACTS), write=(_ARTIFACTS, _RECORDS), delete=(_RECORDS,)),
    "RenderClip": Access(read=(_UPLOADS, _ARTIFACTS), write=(_REQUESTS, _RECORDS), delete=(_RECORDS,)),
    "SettleClip": Access(
        read=(_ENGINE, _REQUESTS),
        write=(_ARTIFACTS, _RECORDS),
        delete=(_ENGINE, _REQUESTS, _RECORDS),
    ),
    "Assemble": Access(read=(_ARTIFACTS, _UPLOADS), write=(_ARTIFACTS, _RECORDS), delete=(_RECORDS,)),
    "Publish": Access(read=(_ARTIFACTS,), write=(_VIDEOS, _DROP_RESULTS, _RECORDS), delete=(_RECORDS,)),
    "RecordFailure": Access(write=(_DROP_RESULTS, _RECORDS), delete=(_RECORDS,)),
    "Upkeep": Access(
        read=(_DROPPED, _DROP_RESULTS, _ENGINE, _REQUESTS, _ARTIFACTS),
        write=(_ARTIFACTS, _DROP_RESULTS, _RECORDS),
        delete=(_ENGINE, _REQUESTS, _RECORDS),
        indexes=True,
    ),
}


def grant_access(functions: Functions, *, buckets: Buckets, table: VideosTable) -> None:
    for name, access in ACCESS.items():
        role = functions.role(name)
        grant_objects(buckets.input, role, **access.of("input"))
        grant_objects(buckets.output, role, **access.of("output"))
        table.grant_items(role)
        if access.indexes:
            table.grant_indexes(role)
    table.grant_get(functions.role("Authorizer"))

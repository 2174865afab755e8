"""What a tenant's films have used: sums by day, in UTC, and engine. A film counts on the day it ended."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from lambdas.domain.quotas import amount
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipState


class Usage(NamedTuple):
    """Sums over films. `usd` leaves out those whose cost is unknown, because a price is; `unknown` counts
    them."""

    films: int = 0  # completed
    failed: int = 0  # or cancelled
    clips: int = 0  # rendered, not reused
    seconds: int = 0  # of completed films
    usd: Decimal = Decimal(0)
    unknown: int = 0

    def plus(self, other: "Usage") -> "Usage":
        return Usage(
            self.films + other.films,
            self.failed + other.failed,
            self.clips + other.clips,
            self.seconds + other.seconds,
            self.usd + other.usd,
            self.unknown + other.unknown,
        )


class By(StrEnum):
    """What usage is grouped by, in this order."""

    TENANT = "tenant"
    DAY = "day"
    ENGINE = "engine"


class DailyUsage(NamedTuple):
    """The usage of a tenant and an engine on a day."""

    tenant: str
    day: str  # 2026-11-30
    engine: str
    usage: Usage


def total(usages: Iterable[Usage]) -> Usage:
    added = Usage()
    for usage in usages:
        added = added.plus(usage)
    return added


def grouped(usages: Iterable[DailyUsage], groups: Sequence[By]) -> dict[tuple[str, ...], Usage]:
    """Return the sums for each group, which is named by a value for each of `groups`, in order."""
    found: dict[tuple[str, ...], Usage] = {}
    for one in usages:
        key = tuple(str(getattr(one, by)) for by in groups)
        found[key] = found.get(key, Usage()).plus(one.usage)
    return dict(sorted(found.items()))


def months_of(first: date, last: date) -> list[str]:
    """Return the months, as 2026-11, that have a day from `first` to `last`."""
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    numbers = (first.year * 12 + first.month - 1 + month for month in range(count))
    return [f"{number // 12}-{number % 12 + 1:02d}" for number in numbers]


def of_attempt(video: Video) -> Usage:
    """Return what a video's current attempt has used; its film counts if it has ended."""
    cost = video.cost_of_attempt
    clips = sum(clip.state is ClipState.DONE and not clip.reused for clip in video.clips)
    completed = video.stage is Stage.COMPLETED
    return Usage(
        films=int(completed),
        failed=int(video.closed and not completed),
        clips=clips,
        seconds=video.seconds if completed else 0,
        usd=Decimal(0) if cost is None else amount(cost),
        unknown=int(cost is None and bool(video.clips)),
    )

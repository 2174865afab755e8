"""Films that failed, by code and step."""

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from lambdas.domain.stages import Stage
from lambdas.domain.video_parts import Failure
from reelworks.deployment import Deployment
from reelworks.operations.records import records_since


@dataclass(frozen=True)
class FailedFilm:
    at_ms: int
    tenant: str
    video_id: str
    engine: str
    failure: Failure

    def document(self) -> dict[str, Any]:
        return asdict(self) | {"failure": self.failure.model_dump()}


@dataclass(frozen=True)
class Failures:
    """The films that failed and are still failed, the newest first; and how many have been tried again since
    they failed."""

    films: list[FailedFilm]
    tried_again: int

    @property
    def groups(self) -> list[tuple[str, str, list[FailedFilm]]]:
        """(code, step, its films), the most frequent first."""
        counts = Counter((film.failure.code, film.failure.step) for film in self.films)
        return [
            (*kind, [film for film in self.films if (film.failure.code, film.failure.step) == kind])
            for kind, _ in counts.most_common()
        ]

    def document(self) -> dict[str, Any]:
        return {
            "groups": [
                {"code": code, "step": step, "films": [film.document() for film in films]}
                for code, step, films in self.groups
            ],
            "tried_again": self.tried_again,
        }


def failures_since(deployment: Deployment, since: datetime, *, tenant: str | None = None) -> Failures:
    since_ms = int(since.timestamp() * 1000)
    films: list[FailedFilm] = []
    tried_again = 0
    for video in records_since(deployment, since, tenant=tenant):
        at_ms = video.failed_ms
        if at_ms is None or at_ms < since_ms:
            continue
        if video.stage is Stage.FAILED and video.failure is not None:
            films.append(FailedFilm(at_ms, video.tenant, video.id, video.request.engine, video.failure))
        else:
            tried_again += 1
    return Failures(sorted(films, key=lambda film: -film.at_ms), tried_again)

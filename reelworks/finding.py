"""The result of one check, as `reel doctor` and `reel preflight` report it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    what: str
    ok: bool
    needed: bool  # nothing works without it: no film on a PC, no deployment on AWS
    found: str
    todo: str = ""
    warning: bool = False  # it works, but not as it could

    def document(self) -> dict[str, Any]:
        return asdict(self)


def all_needed_is_there(findings: Iterable[Finding]) -> bool:
    return all(finding.ok for finding in findings if finding.needed)

"""The result of a check, and requests to servers on this machine."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Finding:
    what: str
    ok: bool
    needed: bool  # no film can be made without it
    found: str
    todo: str = ""

    def document(self) -> dict[str, Any]:
        return asdict(self)


def get_json(url: str, headers: Mapping[str, str] | None = None) -> Any:
    return httpx.get(url, headers=headers, timeout=3, trust_env=False).raise_for_status().json()

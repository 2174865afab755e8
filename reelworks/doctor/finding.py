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
    warning: bool = False  # films are made, but not as they could be

    def document(self) -> dict[str, Any]:
        return asdict(self)


class Busy(Exception):
    """A server is there, and has no time to answer; the message says how that was seen."""


LOOK_SECONDS = 3


def get_json(url: str, headers: Mapping[str, str] | None = None) -> Any:
    """Return a server's answer. Raises Busy, and httpx.HTTPError or ValueError if there is none."""
    try:
        response = httpx.get(url, headers=headers, timeout=LOOK_SECONDS, trust_env=False)
    except (httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout) as error:
        raise Busy(f"it takes connections, but did not answer within {LOOK_SECONDS} s") from error
    if response.status_code in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE):
        raise Busy(f"it answered {response.status_code}: {response.text[:200].strip()}")
    try:
        return response.raise_for_status().json()
    except RecursionError:
        raise ValueError("its answer is nested too deeply") from None

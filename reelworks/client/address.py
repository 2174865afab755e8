"""Where the API is: given, in the environment, or on this PC."""

import os
from dataclasses import dataclass, field

import httpx

from reelworks.client.errors import NoAddress

_LOCAL = "or neither to use the PC's cloud"


@dataclass(frozen=True)
class Address:
    base_url: str  # ends in /v1
    api_key: str = field(repr=False)


def find_address(base_url: str | None = None, api_key: str | None = None) -> Address:
    """Return the address given, or that of REELWORKS_BASE_URL and REELWORKS_API_KEY, or the PC's cloud's.

    Raises NoAddress.
    """
    names = "base_url and api_key"
    if base_url is None and api_key is None:
        names = "REELWORKS_BASE_URL and REELWORKS_API_KEY"
        base_url, api_key = os.environ.get("REELWORKS_BASE_URL"), os.environ.get("REELWORKS_API_KEY")
    if not (base_url or api_key):
        return _of_this_pc()
    if not (base_url and api_key):
        raise NoAddress(f"set both {names}, {_LOCAL}", advice="Set both, or neither.")
    url_name, _, key_name = names.split()
    if not _is_url(base_url):
        raise NoAddress(
            f"{url_name} must be a URL, for example http://127.0.0.1:4566/v1; got {base_url!r}",
            advice="Use the address that `reel status` prints, or the output ApiUrl of a deployment.",
        )
    if not (api_key.isascii() and api_key.isprintable()):
        raise NoAddress(
            f"{key_name} is invalid: it contains non-ASCII or control characters",
            advice="Copy the key again.",
        )
    return Address(base_url.rstrip("/"), api_key)


def _is_url(text: str) -> bool:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        return False
    return url.scheme in ("http", "https") and bool(url.host)


def _of_this_pc() -> Address:
    from reelworks.cloud import home
    from reelworks.cloud.lifecycle import cloud_status

    found = cloud_status.status(home.Home.locate())
    if found.base_url is None or found.api_key is None:
        raise NoAddress("the PC's cloud is down; start it with `reel up`")
    return Address(found.base_url, found.api_key)

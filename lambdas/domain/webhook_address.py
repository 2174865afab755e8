"""Which addresses a webhook may go to. A tenant chooses the URL, but a function of the deployment calls it,
from inside the account's or the PC's network. So the URL is checked when it is given, and on each try every
address that its name resolves to (lambdas/adapters/receiver.py).

pydantic's parser follows the WHATWG, as browsers do: it turns each notation of an IPv4 address (0x7f.1,
2130706433, 017700000001, full-width digits) into four decimal numbers, so none passes as a name.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from pydantic_core import Url

from lambdas.domain.control_characters import visible
from lambdas.domain.errors import InvalidRequest

LONGEST_URL = 2_048
_LONGEST_NAME, _LONGEST_LABEL = 253, 63  # RFC 1035
_PORTS = {"https": 443, "http": 80}
_ALLOWED = f"an https:// URL of at most {LONGEST_URL:,} characters with a public host"
_HERE = ", or an http:// or https:// URL of this machine's loopback"
# Names that the public DNS does not have (RFC 6761, 6762 and 8375; ICANN reserved .internal in 2024).
_PRIVATE_NAMES = ("localhost", "localdomain", "local", "internal", "home.arpa")
# Browsers drop some of these and read \ as /; whoever wrote them meant something else.
_NOT_IN_A_URL = frozenset(' \\"<>^`{|}')

# Ranges for special purposes, from IANA's registries. `is_global` knows most of them, but not in each Python.
_SPECIAL_IPV4 = [
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, which networks in AWS use too
        "169.254.0.0/16",  # AWS's metadata services
        "192.0.0.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",
        "224.0.0.0/3",  # multicast and reserved
    )
]
_GIVEN_OUT_IPV6 = IPv6Network("2000::/3")
_SPECIAL_IPV6 = [
    IPv6Network(text)
    for text in (
        "2001::/23",  # Teredo, which contains an IPv4 address, and others
        "2001:db8::/32",
        "2002::/16",  # 6to4, which contains one too
        "3fff::/20",
    )
]
_NAT64 = IPv6Network("64:ff9b::/96")  # how a network without IPv4 reaches an IPv4 address


class Receiver(NamedTuple):
    """Where a webhook goes: a checked URL in parts. `host` is a name or an address without brackets."""

    scheme: str
    host: str
    port: int
    target: str  # path and query

    @property
    def authority(self) -> str:
        """Host and port, as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.origin}{self.target}"

    @property
    def origin(self) -> str:
        """The URL without path and query, which may hold a token."""
        return f"{self.scheme}://{self.authority}"


def receiver(url: str, *, loopback: bool, param: str) -> Receiver:
    """Return a webhook's URL in parts. `loopback`: this machine is allowed too.

    Raises InvalidRequest that names `param` and what is wrong.
    """
    wrong = _wrong_text(url)
    parts = None if wrong else _parsed(url)
    if parts is None:
        wrong = wrong or "it can't be parsed"
    else:
        found = _in_parts(parts)
        wrong = _wrong_parts(url, parts, found) or _wrong_host(found, loopback)
        if not wrong:
            return found
    allowed = _ALLOWED + (_HERE if loopback else "")
    raise InvalidRequest(f"{param} must be {allowed}; got {visible(url[:100])!r}: {wrong}.", param=param)


def allowed_address(text: str, *, loopback: bool) -> bool:
    """Return whether a webhook may go to an IP address: a public one, or this machine if `loopback`."""
    try:
        address = _contained(ip_address(text))
    except ValueError:  # with a zone, for example
        return False
    return _is_public(address) or (loopback and address.is_loopback)


def is_loopback(text: str) -> bool:
    return _contained(ip_address(text)).is_loopback


def _wrong_text(url: str) -> str:
    if len(url) > LONGEST_URL:
        return f"it has {len(url):,} characters"
    if not url.isprintable() or _NOT_IN_A_URL & set(url):
        return "it has spaces or other characters that must be percent-encoded"
    if not url.lower().startswith(("https://", "http://")):
        return "it doesn't begin with https://"
    return ""


def _parsed(url: str) -> Url | None:
    try:
        return Url(url)
    except ValueError:
        return None


def _in_parts(parts: Url) -> Receiver:
    return Receiver(
        scheme=parts.scheme,
        host=(parts.host or "").strip("[]").removesuffix("."),
        port=_PORTS[parts.scheme] if parts.port is None else parts.port,
        target=(parts.path or "/") + ("" if parts.query is None else f"?{parts.query}"),
    )


def _wrong_parts(url: str, parts: Url, found: Receiver) -> str:
    # An empty user name is not in the parts.
    if "@" in url.partition("://")[2].partition("/")[0].partition("?")[0].partition("#")[0]:
        return "it has a user name or password"
    if parts.fragment is not None:
        return "it has a fragment (#)"
    if found.port == 0:
        return "port 0 can't be reached"
    labels = found.host.split(".")
    if ":" not in found.host and (
        len(found.host) > _LONGEST_NAME or not all(0 < len(label) <= _LONGEST_LABEL for label in labels)
    ):
        return "its host is no name"
    return ""


def _wrong_host(found: Receiver, loopback: bool) -> str:
    address = _address(found.host)
    is_private_name = address is None and (
        "." not in found.host or found.host.endswith(tuple(f".{name}" for name in _PRIVATE_NAMES))
    )
    is_here = found.host == "localhost" if address is None else address.is_loopback
    if is_here and loopback:
        return ""
    if is_private_name or (address is not None and not allowed_address(found.host, loopback=False)):
        return "its host is not public"
    return "" if found.scheme == "https" else "it doesn't begin with https://"


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _contained(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that a mapped or translated IPv6 address leads to; others as they are."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        special = any(address in network for network in _SPECIAL_IPV4)
    else:
        special = address not in _GIVEN_OUT_IPV6 or any(address in network for network in _SPECIAL_IPV6)
    return address.is_global and not address.is_multicast and not special

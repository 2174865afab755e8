"""Sends a webhook to its receiver: one POST to an address that was checked.

Each try resolves the name once, checks all its addresses, and connects to those addresses instead of the
name, so a name that changes its addresses in between (DNS rebinding) gains nothing. TLS still verifies the
name. Redirects are not followed, the environment's proxies are not used, and of the answer only the status
and the headers are read.
"""

import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from threading import Thread

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError
from urllib3.util import Timeout

from lambdas.deadline import OutOfTime, time_limit
from lambdas.domain.webhook_address import Receiver, allowed_address, is_loopback
from lambdas.domain.webhooks import Answer

LIMIT_SECONDS = 15.0  # of a try, from the name to the answer's headers
_RESOLVE_SECONDS = 5.0
_CONNECT_SECONDS = 5.0
_MOST_ADDRESSES = 3  # that are tried

_SLOW_NAME = f"its host could not be resolved within {_RESOLVE_SECONDS:g} s"

Resolve = Callable[[str, int], list[str]]


class Unreachable(Exception):
    """No address of the receiver may be called, or none accepts the connection."""


def resolved(host: str, port: int) -> list[str]:
    """Return the addresses of a host, in the order of the system's preference. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Sender:
    def __init__(
        self,
        *,
        loopback: bool,
        resolve: Resolve = resolved,
        context: ssl.SSLContext | None = None,
        limit_seconds: float = LIMIT_SECONDS,
    ) -> None:
        """`loopback`: receivers on this machine are allowed, also without TLS. `context`: whose certificates
        are trusted; None: those of the system."""
        self._loopback = loopback
        self._resolve = resolve
        self._context = context
        self._limit_seconds = limit_seconds

    def post(self, receiver: Receiver, body: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            with time_limit(self._limit_seconds):
                return self._post(receiver, body, headers)
        except OutOfTime:
            return Answer(problem=f"no answer within {self._limit_seconds:g} s")
        except Unreachable as error:
            return Answer(problem=str(error))
        except SSLError as error:
            return Answer(problem=f"TLS failed: {_cause(error)}")
        except HTTPError as error:
            return Answer(problem=f"no answer: {_cause(error)}")

    def _post(self, receiver: Receiver, body: bytes, headers: Mapping[str, str]) -> Answer:
        refused: HTTPError | None = None
        for address in self._addresses(receiver)[:_MOST_ADDRESSES]:
            with self._pool(receiver, address) as pool:
                try:
                    response = pool.urlopen(
                        "POST",
                        receiver.target,
                        body=body,
                        headers={**headers, "Host": receiver.authority},
                        redirect=False,
                        retries=False,
                        preload_content=False,
                    )
                except (NewConnectionError, ConnectTimeoutError) as error:
                    refused = error
                    continue
                response.close()
                return _answer(response.status, response.headers)
        raise Unreachable(f"can't connect: {_cause(refused)}" if refused else "its host has no address")

    def _addresses(self, receiver: Receiver) -> list[str]:
        """Return the receiver's addresses, all checked. Raises Unreachable."""
        found = self._resolved_in_time(receiver)
        # Not which one: the answer would tell a tenant about names inside the network.
        if not found or not all(allowed_address(address, loopback=self._loopback) for address in found):
            raise Unreachable("its host has an address that is not public")
        if receiver.scheme == "http" and not all(map(is_loopback, found)):
            raise Unreachable("http:// is only for this machine; use https://")
        return found

    def _resolved_in_time(self, receiver: Receiver) -> list[str]:
        """Resolve the host in another thread: nothing interrupts the system's resolver, and a name server of
        the tenant's may keep it busy for longer than the function has."""
        found: list[list[str]] = []

        def resolve() -> None:
            with suppress(OSError, UnicodeError):
                found.append(self._resolve(receiver.host, receiver.port))

        resolver = Thread(target=resolve, daemon=True)
        resolver.start()
        resolver.join(_RESOLVE_SECONDS)
        if not found:
            raise Unreachable("its host has no address" if not resolver.is_alive() else _SLOW_NAME)
        return found[0]

    def _pool(self, receiver: Receiver, address: str) -> urllib3.HTTPConnectionPool:
        timeout = Timeout(connect=_CONNECT_SECONDS, read=LIMIT_SECONDS)
        if receiver.scheme == "http":
            return urllib3.HTTPConnectionPool(address, receiver.port, timeout=timeout)
        return urllib3.HTTPSConnectionPool(
            address,
            receiver.port,
            timeout=timeout,
            server_hostname=receiver.host,
            assert_hostname=receiver.host,
            ssl_context=self._context or ssl.create_default_context(),
        )


def _answer(status: int, headers: Mapping[str, str]) -> Answer:
    if 200 <= status < 300:
        return Answer(status=status)
    problem = f"answered {status}"
    if 300 <= status < 400:
        problem += ", a redirect, which is not followed"
    return Answer(status=status, problem=problem, retry_after_ms=_retry_after_ms(headers.get("Retry-After")))


def _retry_after_ms(text: str | None) -> int:
    """Return what a Retry-After header asks for: seconds or a date (RFC 9110, 10.2.3). 0: nothing."""
    if not text:
        return 0
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), 86_400) * 1000
    try:
        seconds = parsedate_to_datetime(text).timestamp() - time.time()
    except ValueError:
        return 0
    return max(0, min(round(seconds), 86_400)) * 1000


def _cause(error: BaseException) -> str:
    """Return the reason without urllib3's wording around it, which names the address."""
    reason: BaseException = error
    while (inner := reason.__cause__ or getattr(reason, "reason", None)) and isinstance(inner, BaseException):
        reason = inner
    text = reason.strerror if isinstance(reason, OSError) and reason.strerror else type(reason).__name__
    verify = getattr(reason, "verify_message", "")
    return f"{text}: {verify}"[:200] if verify else text[:200]

"""The account that a deployment goes to, as its deployer may call it."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from reelworks.finding import Finding

# A model may think for a while; everything else answers within a second.
CALLS = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 2})

_LOGIN_IN_URL = re.compile(r"://[^/@\s]+@")  # of a proxy
_LONGEST_REASON = 400  # characters
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})


class CallFailed(Exception):
    """A call was not answered, or answered with an error; the message is one line without secrets."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code  # AWS's error code; empty if there was no answer, or one that is not AWS's

    @property
    def denied(self) -> bool:
        return self.code in _DENIED


class Account:
    def __init__(
        self, client: Callable[..., Any], number: str, region: str, secrets: tuple[str, ...] = ()
    ) -> None:
        """`client` returns a boto3 client for a service and a region; no message shows one of `secrets`."""
        self._client = client
        self.number = number
        self.region = region
        self._secrets = secrets

    def call(
        self, service: str, operation: str, /, *, region: str | None = None, **parameters: Any
    ) -> dict[str, Any]:
        """Return the answer to one call. Raises CallFailed."""
        with self.calling():
            answer: dict[str, Any] = getattr(self.client(service, region), operation)(**parameters)
        return answer

    def pages(self, service: str, operation: str, /, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yield the pages of a list. Raises CallFailed."""
        with self.calling():
            yield from self.client(service).get_paginator(operation).paginate(**parameters)

    def calling(self) -> AbstractContextManager[None]:
        """Translate every error of a call, and of reading its answer, into CallFailed."""
        return calling(*self._secrets)

    def client(self, service: str, region: str | None = None) -> Any:
        return self._client(service, region_name=region or self.region)

    def unknown(self, what: str, error: CallFailed, action: str) -> Finding:
        """Return what a check reports that could not be made. `action`: the call, as IAM names it."""
        if error.denied:
            todo = f"allow {action} to the role that deploys, or check it in the console"
        elif error.code:
            todo = "do what the service says, or wait a minute; run `reel preflight` again"
        else:
            todo = f"check the network and the region ({self.region}); run `reel preflight` again"
        return Finding(what, False, False, f"not checked: {error}", todo, warning=True)


@contextmanager
def calling(*secrets: str) -> Iterator[None]:
    """Translate every error of a call into CallFailed."""
    try:
        yield
    except ClientError as error:
        known = error.response.get("Error", {})
        code = str(known.get("Code", ""))
        raise CallFailed(code, _line(f"{code}: {known.get('Message', '')}", secrets)) from None
    except (BotoCoreError, ResponseParserError, OSError) as error:
        raise CallFailed("", _line(str(error), secrets)) from None
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # For example a proxy's page in place of the service's answer.
        raise CallFailed("", _line(f"an answer that is not AWS's: {error!r}", secrets)) from None


def _line(text: str, secrets: tuple[str, ...]) -> str:
    """Return the first line: further ones repeat the signed request, with its session token."""
    text = _LOGIN_IN_URL.sub("://…@", text)
    for secret in filter(None, secrets):
        text = text.replace(secret, "…")
    line = next(iter(text.strip().splitlines()), "no reason given")
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}…"

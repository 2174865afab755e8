"""Requests to the API: headers, retries, errors."""

import json
import random
from collections.abc import Mapping
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError

from lambdas.domain.names import RETRY_COUNT_HEADER
from reelworks.client.address import Address
from reelworks.client.document import Document
from reelworks.client.errors import AnswerNotUnderstood, ApiUnreachable, error_of
from reelworks.client.steps import Answer, Flow, Lost, Send, Sleep

_LONGEST_WAIT = 60.0  # seconds; a `retry-after` above it is the caller's to wait for
_LAST_BACKOFF = 8.0

D = TypeVar("D", bound=Document)


class Exchange:
    def __init__(self, address: Address, retries: int) -> None:
        self.base_url = address.base_url
        self._key = address.api_key
        self._retries = retries

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content: Mapping[str, Any] | None = None,
        again: bool = True,
    ) -> Flow[Answer]:
        """Send a request and return its answer, below 400.

        `content`: what httpx takes for a body: json, data, files. `again`: the request may be carried out
        twice without harm, so that it is repeated if its answer is lost. Raises ApiError.
        """
        given = {name: value for name, value in (query or {}).items() if value is not None}
        made = httpx.Request(method, f"{self.base_url}/{path}", params=given or None, **(content or {}))
        body = made.read()
        kept = {"content-type": made.headers["content-type"]} if body else {}
        sent = kept | {"authorization": f"Bearer {self._key}"} | dict(headers or {})
        for attempt in range(self._retries + 1):
            last = attempt == self._retries
            counted = {RETRY_COUNT_HEADER: str(attempt)} if attempt else {}
            try:
                answer: Answer = yield Send(method, str(made.url), sent | counted, body)
            except Lost as error:
                if last or (error.sent and not again):
                    doubt = "; it may have been carried out" if error.sent and not again else ""
                    message = f"no response from {self.base_url}: {error.reason}{doubt}"
                    raise ApiUnreachable(message) from error
                wait = backoff(attempt)
            else:
                if answer.status < 400:
                    return answer
                said = _wait(answer, attempt, again=again)
                if last or said is None:
                    raise error_of(
                        answer.status,
                        _json(answer),
                        answer.content.decode("utf-8", "replace"),
                        request_id=answer.headers.get("x-request-id"),
                        retry_after=_retry_after(answer),
                    )
                wait = said
            yield Sleep(wait)
        raise AssertionError("the last try returns or raises")

    def call(self, of: type[D], method: str, path: str, **options: Any) -> Flow[D]:
        """Send a request and return the document that answers it. Raises ApiError."""
        answer = yield from self.send(method, path, **options)
        return self.document(of, answer)

    def document(self, of: type[D], answer: Answer) -> D:
        """Read an answer. Raises AnswerNotUnderstood."""
        found = self.json(answer)
        try:
            return of.model_validate(found)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise AnswerNotUnderstood(
                f"{self.base_url} does not answer as a Reelworks API: {place}: {first['msg']}"
            ) from error

    def json(self, answer: Answer) -> Any:
        """Read an answer. Raises AnswerNotUnderstood."""
        if (found := _json(answer)) is None:
            raise AnswerNotUnderstood(f"{self.base_url} is not a Reelworks API: its response is not JSON")
        return found


def backoff(attempt: int) -> float:
    """Return the seconds to wait after a try, counted from 0; not the same for all who wait."""
    return float(min(0.5 * 2**attempt, _LAST_BACKOFF) * random.uniform(0.75, 1.25))  # noqa: S311


def _wait(answer: Answer, attempt: int, *, again: bool) -> float | None:
    """Return the seconds after which to send a refused request again; None: don't."""
    if answer.headers.get("x-should-retry") == "false":
        return None
    if answer.status in (429, 503):
        said = _retry_after(answer)
        wait = backoff(attempt) if said is None else said
        return wait if wait <= _LONGEST_WAIT else None
    return backoff(attempt) if answer.status == 500 and again else None


def _retry_after(answer: Answer) -> float | None:
    try:
        return float(answer.headers["retry-after"])
    except (KeyError, ValueError):  # it may be a date, which the API doesn't send
        return None


def _json(answer: Answer) -> Any:
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        return None

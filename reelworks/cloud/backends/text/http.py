"""Requests of the HTTP backends, with their failures as Bedrock's errors."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from lambdas.domain.failures import shortened
from reelworks.cloud.backends.server_errors import complaint
from reelworks.cloud.errors import ServiceError

_CONNECT_SECONDS = 10.0
_LONGEST_REASON = 600  # characters


class Refused(ServiceError):
    """The server refused the request. `status_code`: its own; `reason`: what it says; `fields`: the request's
    fields that it names as wrong, as paths with dots, if it names them."""

    def __init__(self, url: str, status_code: int, reason: str, fields: frozenset[str]) -> None:
        status, code = _REFUSALS.get(status_code, (424, "ModelErrorException"))
        own = {} if status_code in _REFUSALS else {"originalStatusCode": status_code}
        said = shortened(reason, _LONGEST_REASON) or "nothing"
        super().__init__(status, code, f"{url} returned {status_code}: {said}", **own)
        self.status_code = status_code
        self.reason = reason
        self.fields = fields


async def post_json(
    http: httpx.AsyncClient, url: str, request: dict[str, Any], headers: Mapping[str, str], seconds: float
) -> dict[str, Any]:
    """Return the server's answer. Raises Refused, or ServiceError if the server is down, does not answer
    within `seconds`, or answers with anything but a JSON object."""
    # In total: a server may send something now and then without ever finishing.
    timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)
    try:
        async with asyncio.timeout(seconds):
            response = await http.post(url, json=request, headers=headers, timeout=timeout)
    except httpx.ConnectTimeout as error:
        raise _down(url, error) from error
    except TimeoutError as error:
        message = (
            f"{url} did not answer within {seconds:g} s; give it more time (timeout_seconds of [text] in "
            "reelworks.toml), or choose a faster model"
        )
        # Not ModelTimeoutException: it asks for another try, which would take as long again.
        raise ServiceError(424, "ModelErrorException", message) from error
    except (httpx.ConnectError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise _down(url, error) from error
    except httpx.TransportError as error:  # it broke off while answering: it may have been restarted
        message = f"{url} broke off its answer: {error or type(error).__name__}"
        raise ServiceError(503, "ServiceUnavailableException", message) from error
    except httpx.DecodingError as error:
        message = f"{url} returned a malformed response: {error}"
        raise ServiceError(424, "ModelErrorException", message) from error
    with reading_answer(url):
        answer = _document(response)
        if response.is_success and isinstance(answer, dict) and answer.get("error"):
            # Hosted services and LM Studio also report errors with status 200.
            raise Refused(url, 400, *complaint(answer, response.text))
        if not response.is_success:
            raise Refused(url, response.status_code, *complaint(answer, response.text))
        if not isinstance(answer, dict):
            raise TypeError("the answer is not a JSON object")
    return answer


def _down(url: str, error: Exception) -> ServiceError:
    # Not ServiceUnavailableException, which is tried again: a server that is not running does not start by
    # itself.
    message = f"{url} can't be reached: {error or type(error).__name__}; start the server, or change [text]"
    return ServiceError(424, "ModelErrorException", f"{message} in reelworks.toml")


_REFUSALS = {
    400: (400, "ValidationException"),
    401: (403, "AccessDeniedException"),
    403: (403, "AccessDeniedException"),
    404: (404, "ResourceNotFoundException"),
    408: (408, "ModelTimeoutException"),
    422: (400, "ValidationException"),
    429: (429, "ThrottlingException"),
    503: (503, "ServiceUnavailableException"),
}


def _document(response: httpx.Response) -> Any:
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        if response.is_success:
            raise ValueError(f"not JSON: {response.text[:200]!r}") from None
        return None


@contextmanager
def reading_answer(url: str) -> Iterator[None]:
    """Translate the errors of reading a malformed response into Bedrock's error."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        message = f"{url} returned a malformed response: {error!r}"
        raise ServiceError(424, "ModelErrorException", message) from error


# Parts of a message that are not its answer.
_NOT_TEXT = frozenset(
    {"thinking", "reasoning", "redacted_thinking", "reference", "tool_call", "tool_use", "refusal"}
)


def text_of(content: object) -> str:
    """Return a message's text: a text, or a list of parts as in {"type": "text", "text": "…"}."""
    if content is None:  # OpenAI's format for empty text
        return ""
    if isinstance(content, list):
        return "".join(_part(part) for part in content)
    if isinstance(content, dict):  # one part, or the JSON that was asked for
        return _part(content) if "type" in content else json.dumps(content, ensure_ascii=False)
    if not isinstance(content, str):
        raise TypeError("the message's content is not text")
    return content


def _part(part: object) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        raise TypeError("a part of the message's content is not an object")
    if part.get("type") in _NOT_TEXT:
        return ""
    return text_of(part["text"])


def message_text(message: dict[str, Any]) -> str:
    """Return a message's text; if it has none, the arguments of the tool that it calls."""
    text = text_of(message.get("content"))
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    if message.get("function_call"):  # the form before tools
        calls.append(message["function_call"])
    if text.strip() or not calls:
        return text
    arguments = calls[0]["arguments"]
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}

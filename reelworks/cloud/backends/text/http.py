"""Requests of the HTTP backends, with their failures as Bedrock's errors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from reelworks.cloud.errors import ServiceError

LONGEST_ANSWER_SECONDS = 240.0  # includes loading the model from disk


async def post_json(
    http: httpx.AsyncClient, url: str, request: dict[str, Any], headers: Mapping[str, str]
) -> dict[str, Any]:
    try:
        response = await http.post(url, json=request, headers=headers, timeout=LONGEST_ANSWER_SECONDS)
    except httpx.TimeoutException as error:
        raise ServiceError(
            408, "ModelTimeoutException", f"The text model at {url} did not answer in time."
        ) from error
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise ServiceError(
            503, "ServiceUnavailableException", f"The text model at {url} can't be reached: {error}"
        ) from error
    if not response.is_success:
        raise _refused(url, response)
    with reading_answer(url):
        answer = response.json()
        if not isinstance(answer, dict):
            raise TypeError("the answer is not an object")
    return answer


_REFUSALS = {
    400: (400, "ValidationException"),
    401: (403, "AccessDeniedException"),
    403: (403, "AccessDeniedException"),
    404: (404, "ResourceNotFoundException"),
    408: (408, "ModelTimeoutException"),
    429: (429, "ThrottlingException"),
    503: (503, "ServiceUnavailableException"),
}


def _refused(url: str, response: httpx.Response) -> ServiceError:
    message = f"The text model at {url} returned {response.status_code}: {response.text[:500]}"
    if response.status_code in _REFUSALS:
        return ServiceError(*_REFUSALS[response.status_code], message)
    return ServiceError(424, "ModelErrorException", message, originalStatusCode=response.status_code)


@contextmanager
def reading_answer(url: str) -> Iterator[None]:
    """Translate the errors of reading a malformed response into Bedrock's error."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        message = f"The text model at {url} returned a malformed response: {error!r}"
        raise ServiceError(424, "ModelErrorException", message) from error


def text_of(content: object) -> str:
    if content is None:  # OpenAI's format for empty text
        return ""
    if not isinstance(content, str):
        raise TypeError("the message's content is not text")
    return content


def given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}

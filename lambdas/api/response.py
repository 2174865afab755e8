"""The answers of the routes: JSON, a redirect to a link, or an error in OpenAI's format."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from lambdas.adapters import stores
from lambdas.api import openai_format
from lambdas.api.request import method, settings


@dataclass(frozen=True)
class Response:
    status: HTTPStatus
    content_type: str
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def event(self) -> dict[str, Any]:
        """Return it as API Gateway expects it of a function."""
        headers = {"Content-Type": self.content_type, **self.headers}
        return {
            "statusCode": self.status.value,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "body": self.body,
            "isBase64Encoded": False,
        }


def link_answer(key: str, file_name: str, media_type: str) -> Response:
    link = stores.outputs(settings()).link(
        key,
        settings().link_seconds,
        file_name=file_name,
        content_type=media_type,
        head=method() == "HEAD",
    )
    headers = {"Location": link, "Cache-Control": "no-store"}  # a cached redirect could outlive the link
    return Response(HTTPStatus.FOUND, "text/plain", "", headers)


def answer(
    body: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(status, "application/json", json.dumps(body), headers or {})


def error_answer(
    status: HTTPStatus,
    message: str,
    *,
    code: str,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    return answer(openai_format.error_object(status, message, code=code, param=param), status, headers)

"""Build the routes' responses: JSON, a redirect to a link, or an error in OpenAI's format."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response

from lambdas.adapters import stores
from lambdas.api import openai_format
from lambdas.api.request import router, settings


def link_answer(key: str, file_name: str, media_type: str) -> Response[str]:
    link = stores.outputs(settings()).link(
        key,
        settings().link_seconds,
        file_name=file_name,
        content_type=media_type,
        head=router.current_event.http_method == "HEAD",
    )
    headers = {"Location": link, "Cache-Control": "no-store"}  # a cached redirect could outlive the link
    return Response(HTTPStatus.FOUND, content_type="text/plain", body="", headers=headers)


def answer(
    body: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response[str]:
    return Response(
        status, content_type="application/json", body=json.dumps(body), headers=dict(headers or {})
    )


def error_answer(
    status: HTTPStatus,
    message: str,
    *,
    code: str,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[str]:
    return answer(openai_format.error_object(status, message, code=code, param=param), status, headers)

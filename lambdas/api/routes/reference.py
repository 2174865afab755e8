"""Routes of the API's document and its reference page, which need no key."""

from functools import cache
from http import HTTPStatus
from typing import Any

from lambdas.api.operations import Routes
from lambdas.api.response import Response, answer

routes = Routes("Reference", "This document, and a page that shows it.")

_CACHED = {"Cache-Control": "public, max-age=300"}


@routes.get("/openapi.json", public=True)
def openapi_document() -> Response:
    """Retrieve this document

    In OpenAPI 3.1, for tools that generate clients or call the API.
    """
    return answer(_document(), headers=_CACHED)


@routes.get("/docs", public=True, media_type="text/html; charset=utf-8")
def reference_page() -> Response:
    """Show this document as a page"""
    from lambdas.api.reference_page import POLICY, page  # as below

    headers = {**_CACHED, "Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
    return Response(HTTPStatus.OK, "text/html; charset=utf-8", page(_document()), headers)


@cache
def _document() -> dict[str, Any]:
    from lambdas.api.app import GROUPS  # this group is one of them
    from lambdas.api.document import document  # only who asks for it waits until it is written

    return document(GROUPS)

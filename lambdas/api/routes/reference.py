"""Routes of the API's document and its reference page, which need no key."""

from lambdas.api.operations import Routes
from lambdas.api.response import Response, answer

routes = Routes("Reference", "This document, and a page that shows it.")

_CACHED = {"Cache-Control": "public, max-age=300"}


@routes.get("/openapi.json", public=True)
def openapi_document() -> Response:
    """Retrieve this document

    In OpenAPI 3.1, for tools that generate clients or call the API.
    """
    from lambdas.api.app import GROUPS  # circular: this group is one of them
    from lambdas.api.document import document  # only who asks for it waits until it is written

    return answer(document(GROUPS), headers=_CACHED)

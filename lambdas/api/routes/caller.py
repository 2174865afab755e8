"""Route of whoever asks."""

from lambdas.api.answers import CallerObject
from lambdas.api.operations import Routes
from lambdas.api.request import granted_scopes, tenant
from lambdas.api.response import Response, answer

routes = Routes("Caller", "Who you are to the API.")


@routes.get("/v1/caller", answer=CallerObject)
def retrieve_caller() -> Response:
    """Retrieve who you are

    Says which tenant your key or token is of, and what it may do.
    """
    found: CallerObject = {"object": "caller", "tenant": tenant(), "scopes": list(granted_scopes())}
    return answer(found)

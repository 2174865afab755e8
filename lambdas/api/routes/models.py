"""Routes of the available engines, which OpenAI's API calls models."""

from lambdas.api import openai_format
from lambdas.api.answers import ModelList, ModelObject
from lambdas.api.operations import Routes
from lambdas.api.request import settings
from lambdas.api.response import Response, answer
from lambdas.domain.engines import CATALOGUE, deployed
from lambdas.domain.errors import ModelNotFound

routes = Routes("Models", "The engines that render clips: what each takes, its limits, times and prices.")


@routes.get("/v1/models", answer=ModelList)
def list_models() -> Response:
    """List the engines offered here"""
    found = settings()
    offered = [deployed(name, found.workflow) for name in CATALOGUE if name in found.offered]
    return answer(openai_format.model_list(offered, found.price_list))


@routes.get("/v1/models/<name>", answer=ModelObject, errors=(ModelNotFound,))
def retrieve_model(name: str) -> Response:
    """Retrieve an engine"""
    if name not in CATALOGUE or name not in settings().offered:
        raise ModelNotFound(
            f"There is no model {name[:100]!r}; GET /v1/models lists the available models.", param="model"
        )
    return answer(openai_format.model_object(deployed(name, settings().workflow), settings().price_list))

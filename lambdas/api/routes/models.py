"""Routes of the available engines, which OpenAI's API calls models."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from lambdas.api import openai_format
from lambdas.api.request import (
    settings,
)
from lambdas.api.response import answer, error_answer
from lambdas.domain.engines import CATALOGUE, deployed

router = Router()  # type: ignore[no-untyped-call]


@router.get("/v1/models")
def list_models() -> Response[str]:
    found = settings()
    offered = [deployed(name, found.workflow) for name in CATALOGUE if name in found.offered]
    return answer(openai_format.model_list(offered))


@router.get("/v1/models/<name>")
def retrieve_model(name: str) -> Response[str]:
    if name not in CATALOGUE or name not in settings().offered:
        return error_answer(
            HTTPStatus.NOT_FOUND,
            f"There is no model {name[:100]!r}; GET /v1/models lists the available models.",
            code="not_found",
            param="model",
        )
    return answer(openai_format.model_object(deployed(name, settings().workflow)))

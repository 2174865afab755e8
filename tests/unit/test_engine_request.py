"""The pipeline's side of the engine contract."""

import pytest

from lambdas.domain.engine_request import EngineRequest
from tests.contract import document


@pytest.mark.parametrize("kind", ["text", "image", "video"])
def test_the_contract_s_requests_are_what_the_pipeline_writes(kind: str) -> None:
    request = document(f"clip_request.{kind}")
    assert EngineRequest.model_validate(request).model_dump(mode="json") == request

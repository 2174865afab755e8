"""The pipeline's side of the engine contract."""

import json

import pytest

from containers.diffusion.errors import InvalidRequest
from containers.diffusion.request import parse_request
from lambdas.domain.engine_request import EngineRequest
from tests.contract import document


@pytest.mark.parametrize("kind", ["text", "image", "video", "last_image", "audio", "film"])
def test_the_pipeline_writes_the_contract_s_requests(kind: str) -> None:
    request = document(f"clip_request.{kind}")
    assert json.loads(EngineRequest.model_validate(request).body()) == request


def test_an_engine_without_last_frames_gets_no_such_field() -> None:
    request = EngineRequest.model_validate(document("clip_request.image"))
    assert "last_image" not in json.loads(request.body())


def test_an_engine_without_sound_input_gets_no_sound_field() -> None:
    assert "audio" not in document("clip_request.text")
    request = EngineRequest.model_validate(document("clip_request.text"))
    assert parse_request(request.body()).prompt == request.prompt
    with pytest.raises(InvalidRequest, match="audio"):
        parse_request(request.model_copy(update={"audio": "UklGRg=="}).body())

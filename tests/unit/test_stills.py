import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber
from PIL import Image

from lambdas.adapters.stills import MAX_BYTES, MODELS, Still, Stills, nearest_ratio
from lambdas.animatic.still import draw_still
from lambdas.domain.errors import ServiceUnavailable, StillRefused


@pytest.fixture
def stub() -> Iterator[Stubber]:
    client = boto3.client("bedrock-runtime", "us-west-2", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def image(width: int = 40, height: int = 24) -> str:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "green").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def answer(body: bytes) -> dict[str, Any]:
    return {"body": StreamingBody(io.BytesIO(body), len(body)), "contentType": "application/json"}


def drawn(**fields: Any) -> dict[str, Any]:
    return answer(json.dumps({"seeds": [8], "finish_reasons": [None], "images": [image()]} | fields).encode())


def draw(stub: Stubber, **fields: Any) -> Still:
    order = {"prompt": "A bee", "width": 32, "height": 18, "quality": "standard", "seed": 7} | fields
    return Stills(stub.client).draw(order.pop("prompt"), **order)


def test_a_still_has_the_requested_size(stub: Stubber) -> None:
    body = {
        "prompt": "A bee",
        "mode": "text-to-image",
        "aspect_ratio": "16:9",
        "output_format": "png",
        "seed": 8,
        "negative_prompt": "text",
    }
    json_type = "application/json"
    asked = {"modelId": MODELS["standard"], "contentType": json_type, "accept": json_type}
    stub.add_response("invoke_model", drawn(), asked | {"body": json.dumps(body)})
    still = draw(stub, negative_prompt="text")
    assert still.by == MODELS["standard"]
    with Image.open(io.BytesIO(still.png)) as picture:
        assert (picture.format, picture.size, picture.getpixel((16, 9))) == ("PNG", (32, 18), (0, 128, 0))


def test_quality_selects_the_model_and_the_model_is_reported(stub: Stubber) -> None:
    asked = {"modelId": MODELS["premium"], "body": ANY, "contentType": ANY, "accept": ANY}
    stub.add_response("invoke_model", drawn(answered_by="comfyui flux"), asked)
    assert draw(stub, quality="premium").by == "comfyui flux"


@pytest.mark.parametrize(("seed", "sent"), [(0, 1), (4_294_967_293, 4_294_967_294), (4_294_967_295, 2)])
def test_a_seed_is_never_sent_as_zero(stub: Stubber, seed: int, sent: int) -> None:
    seen: list[Any] = []
    events = stub.client.meta.events
    events.register(
        "provide-client-params.bedrock-runtime.InvokeModel", lambda params, **_: seen.append(params)
    )
    stub.add_response("invoke_model", drawn())
    draw(stub, seed=seed)
    assert json.loads(seen[0]["body"])["seed"] == sent


@pytest.mark.parametrize(
    ("size", "ratio"),
    [
        ((720, 480), "3:2"),
        ((480, 720), "2:3"),
        ((1360, 768), "16:9"),
        ((768, 1360), "9:16"),
        ((512, 512), "1:1"),
        ((640, 480), "5:4"),
        ((4096, 320), "21:9"),
    ],
)
def test_the_nearest_proportions(size: tuple[int, int], ratio: str) -> None:
    assert nearest_ratio(*size) == ratio


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("ValidationException", 400, StillRefused),
        ("ModelErrorException", 424, StillRefused),
        ("ThrottlingException", 429, ServiceUnavailable),
        ("ModelTimeoutException", 408, ServiceUnavailable),
        ("ServiceUnavailableException", 503, ServiceUnavailable),
        ("AccessDeniedException", 403, ClientError),
    ],
)
def test_errors_of_bedrock(stub: Stubber, code: str, status: int, error: type[Exception]) -> None:
    stub.add_client_error("invoke_model", code, "the reason", status)
    with pytest.raises(error, match="the reason"):
        draw(stub)


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ({"finish_reasons": ["Filter reason: prompt"]}, StillRefused, "Filter reason: prompt"),
        ({"finish_reasons": ["Inference error"]}, ServiceUnavailable, "Inference error"),
        ({"finish_reasons": [None], "images": []}, StillRefused, "no picture"),
        ({"images": ["!!"]}, StillRefused, "no picture"),
        ({"images": [base64.b64encode(b"GIF89a").decode()]}, StillRefused, "no picture"),
        ([], StillRefused, "no JSON object"),
    ],
)
def test_an_answer_without_a_picture(stub: Stubber, body: Any, error: type[Exception], message: str) -> None:
    stub.add_response("invoke_model", answer(json.dumps(body).encode()))
    with pytest.raises(error, match=message):
        draw(stub)


def test_an_oversized_answer(stub: Stubber) -> None:
    stub.add_response("invoke_model", answer(bytes(MAX_BYTES + 1)))
    with pytest.raises(StillRefused, match="more than"):
        draw(stub)


def test_a_drawn_still_follows_words_size_and_seed() -> None:
    bee = draw_still("A bee on a flower", width=64, height=48, seed=1)
    with Image.open(io.BytesIO(bee)) as picture:
        assert (picture.format, picture.size) == ("PNG", (64, 48))
    assert draw_still("A bee  on a Flower", width=64, height=48, seed=1) == bee
    assert draw_still("A bee on a flower", width=64, height=48, seed=2) != bee
    assert draw_still("A ship at night", width=64, height=48, seed=1) != bee

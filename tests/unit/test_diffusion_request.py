import json

import pytest

from containers.diffusion.errors import InvalidRequest
from containers.diffusion.request import check_tokens, parse_request
from tests.contract import bad_requests, document
from tests.unit.clip_checks import LIMITS, check

LORAS = ("paper", "sketch")


def refusal_of(body: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refusal:
        check(parse_request(body), loras=LORAS)
    return refusal.value


def test_the_contract_s_request_is_accepted() -> None:
    request = document("clip_request.text")
    parsed = parse_request(json.dumps(request).encode())
    check(parsed, loras=LORAS)
    assert parsed.model_dump(mode="json", exclude_none=True).items() <= request.items()
    assert parsed.film is None


def test_the_contract_s_film_is_accepted() -> None:
    request = document("clip_request.film")
    parsed = parse_request(json.dumps(request).encode())
    check(parsed, loras=LORAS)
    assert parsed.model_dump(mode="json", exclude={"last_image"}) == request


def test_a_film_that_outlasts_the_rendering_is_told_the_longest() -> None:
    request = document("clip_request.film")
    request["film"]["frames"] = 49
    # 17 frames less one at 8 fps are two seconds, which are 48 frames at 24 fps.
    assert "nearest is 48" in str(refusal_of(json.dumps(request).encode()))


def test_fields_with_a_default_may_be_left_out() -> None:
    required = ("prompt", "width", "height", "frames", "skip_frames", "fps", "seed")
    request = {name: document("clip_request.text")[name] for name in required}
    parsed = parse_request(json.dumps(request).encode())
    assert (parsed.negative_prompt, parsed.steps, parsed.guidance, parsed.image) == ("", None, None, None)


@pytest.mark.parametrize(
    ("request_", "param"),
    [(request, param) for why, request, param in bad_requests("text") if "token budget" not in why],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_bad_request_names_its_field(request_: dict[str, object], param: str) -> None:
    refusal = refusal_of(json.dumps(request_).encode())
    assert refusal.param == param
    assert param in str(refusal) or "the size" in str(refusal)


def test_ten_frames_get_the_contract_s_error() -> None:
    request = document("clip_request.text") | {"frames": 10}
    assert refusal_of(json.dumps(request).encode()).document() == document("error.invalid_request")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"a bee"', b"\xff\xfe"])
def test_a_body_other_than_a_json_object_names_no_field(body: bytes) -> None:
    refusal = refusal_of(body)
    assert refusal.param is None
    assert str(refusal).startswith("the body: ")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400"])
def test_guidance_is_a_number(number: str) -> None:
    body = json.dumps(document("clip_request.text")).replace('"guidance": null', f'"guidance": {number}')
    assert refusal_of(body.encode()).param == "guidance"


def test_half_a_surrogate_pair_is_rejected() -> None:
    body = json.dumps(document("clip_request.text") | {"prompt": "BEE"}).replace("BEE", r"\ud83d")
    assert refusal_of(body.encode()).param is None


def test_too_many_tokens_are_rejected_with_both_numbers() -> None:
    check_tokens("prompt", 226, LIMITS)
    with pytest.raises(InvalidRequest, match="at most 226 tokens; got 227"):
        check_tokens("prompt", 227, LIMITS)

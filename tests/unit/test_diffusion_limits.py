"""Limits of models that CogVideoX's do not have: several native sizes and rates, optional images, last
frames, adapters for few steps."""

import json
from typing import Any

import pytest

from containers.diffusion.errors import InvalidRequest
from containers.diffusion.limits import ListedSizes, SizeRange, Sizes
from containers.diffusion.request import parse_request
from containers.diffusion.source import source_of
from containers.diffusion.speed import Speed
from tests.contract import document
from tests.unit.clip_checks import LIMITS, check

LISTED = ListedSizes(((832, 480), (480, 832), (1280, 720), (720, 1280), (640, 640)))
RANGE = SizeRange((768, 512), (256, 1088), (256, 1920), 32)
IMAGE = document("clip_request.image")["image"]


@pytest.mark.parametrize(
    ("sizes", "given_size", "nearest"),
    [
        (LISTED, (832, 480), (832, 480)),
        (LISTED, (720, 1280), (720, 1280)),
        (LISTED, (1920, 1080), (1280, 720)),
        (LISTED, (500, 832), (480, 832)),
        (LISTED, (600, 600), (640, 640)),
        (LISTED, (848, 480), (832, 480)),
        (LISTED, (10**400, 480), (1280, 720)),
        (LISTED, (-5, 0), (832, 480)),
        (RANGE, (768, 512), (768, 512)),
        (RANGE, (512, 768), (512, 768)),
        (RANGE, (760, 500), (768, 512)),
        (RANGE, (4000, 3000), (1920, 1088)),
        (RANGE, (1, 1), (256, 256)),
        (RANGE, (-1, 10**400), (256, 1920)),
    ],
)
def test_the_nearest_size_is_allowed(sizes: Sizes, given_size: tuple[int, int], nearest: Any) -> None:
    assert sizes.nearest(*given_size) == nearest
    assert sizes.nearest(*nearest) == nearest


def test_the_largest_size_is_what_memory_is_planned_for() -> None:
    assert LISTED.largest == (1280, 720)
    assert RANGE.largest == (1920, 1088)


def refusal(param: str, limits: dict[str, Any] | None = None, **changes: Any) -> str:
    with pytest.raises(InvalidRequest) as refused:
        check(parsed(**changes), **(limits or {}))
    assert refused.value.param == param
    return str(refused.value)


def parsed(**changes: Any) -> Any:
    return parse_request(json.dumps(document("clip_request.text") | changes).encode())


def test_a_refusal_lists_the_sizes_and_names_the_nearest() -> None:
    said = refusal("width", {"sizes": LISTED}, width=1920, height=720)
    assert "832×480, 480×832, 1280×720, 720×1280 or 640×640; got 1920×720" in said
    assert said.endswith("the nearest is 1280×720")
    said = refusal("height", {"sizes": RANGE}, width=768, height=500)
    assert "a multiple of 32 from 256 to 1088 on the short side" in said


def test_a_refused_rate_comes_with_the_nearest() -> None:
    rates = {"fps": (24, 25, 30)}
    check(parsed(fps=25), **rates)
    assert refusal("fps", rates, fps=16) == "fps must be 24 or 25 or 30; got 16, the nearest is 24"
    assert refusal("fps", fps=16) == "fps must be 8; got 16"


@pytest.mark.parametrize("image", [None, IMAGE])
def test_a_model_may_take_text_with_or_without_an_image(image: str | None) -> None:
    check(parsed(image=image), image="optional")


def test_inputs_that_a_model_does_not_take_are_refused_by_name() -> None:
    assert refusal("image", image=IMAGE).endswith("accepts text or a video")
    assert refusal("image", {"video": "none"}, image=IMAGE).endswith("accepts text")
    assert refusal("image", {"image": "required"}).endswith("turns an image into video")
    optional = {"image": "optional", "video": "none"}
    assert refusal("video", optional, video="AAAA").endswith("accepts text or an image")
    both = {"image": "optional", "video": "optional"}
    assert refusal("video", both, image=IMAGE, video="AAAA") == "video must be null with an image"


def test_a_last_frame_is_for_models_that_take_one() -> None:
    takes = {"image": "optional", "last_image": "optional"}
    request = parsed(image=IMAGE, last_image=IMAGE)
    check(request, **takes)
    source = source_of(request)
    assert source.image is not None
    assert source.last_image is not None
    assert source.last_image.size == (96, 64)
    assert "takes no last frame" in refusal(
        "last_image", {"image": "optional"}, image=IMAGE, last_image=IMAGE
    )
    assert "takes no last frame" in refusal("last_image", last_image=IMAGE)
    assert refusal("last_image", takes, last_image=IMAGE) == "last_image must be null without an image"


@pytest.mark.parametrize("last_image", ["", "no base64!", "aGVsbG8="])
def test_a_bad_last_frame_is_named(last_image: str) -> None:
    with pytest.raises(InvalidRequest, match="last_image must be") as refused:
        source_of(parsed(image=IMAGE, last_image=last_image))
    assert refused.value.param == "last_image"


def test_turbo_is_for_models_with_adapters_for_it() -> None:
    assert refusal("speed", speed="turbo") == (
        "speed must be exact or balanced or fast for this model; got turbo"
    )
    offered = {"speeds": (Speed.EXACT, Speed.TURBO)}
    check(parsed(speed="turbo", guidance=None), **offered)
    check(parsed(speed="turbo", guidance=1.0), **offered)
    assert "without it; got 4" in refusal("guidance", offered, speed="turbo", guidance=4.0)


def test_lengths_of_a_finer_step_are_checked() -> None:
    finer = {"frame_step": 4, "longest": 81}
    check(parsed(frames=81), **finer)
    assert refusal("frames", finer, frames=80).endswith("the nearest is 81")
    assert LIMITS.longest == 49

"""The video of a video-to-video request: what is taken, and what is refused before any work."""

import base64
import json

import numpy as np
import pytest

from containers.cogvideox.catalogue import Checkpoint, Recipe
from containers.cogvideox.errors import InvalidRequest
from containers.cogvideox.export import mp4
from containers.cogvideox.limits import Limits
from containers.cogvideox.request import check_request, parse_request
from containers.cogvideox.source import source_of
from containers.cogvideox.video import video_frames
from tests.contract import bad_requests, document

LIMITS = Limits(
    width=96, height=64, any_long_side=False, takes_image=False, frame_step=8, longest=49, fps=8,
    prompt_tokens=226, rotary=False, patches_in_time=False,
)  # fmt: skip
NANO = Checkpoint(
    None, LIMITS, Recipe("float16", "ddim", dynamic_guidance=False, guidance=6.0, steps=50, frames=49)
)


def test_the_contract_s_video_is_read() -> None:
    request = parse_request(json.dumps(document("clip_request.video")).encode())
    check_request(request, NANO, ())
    video = source_of(request).video
    assert video is not None
    assert {frame.size for frame in video} == {(96, 64)}
    assert len(video) == 9


def test_the_pixels_are_those_that_were_encoded() -> None:
    y, x = np.mgrid[0:64, 0:96]
    colours = np.stack([x * 2, y * 3, 255 - x - y], axis=-1).astype(np.uint8)
    clip = mp4(np.stack([colours] * 9), 8, {})
    for frame in video_frames(base64.b64encode(clip).decode(), (96, 64), 9):
        # What chroma at half the size and CRF 16 leave; the matrix of BT.601 would be off by far more.
        assert np.abs(np.asarray(frame).astype(int) - colours).mean() < 2


def accept(document_: dict[str, object]) -> None:
    request = parse_request(json.dumps(document_).encode())
    check_request(request, NANO, ())
    source_of(request)


@pytest.mark.parametrize(
    ("request_", "param"),
    [pytest.param(request, param, id=why) for why, request, param in bad_requests("video")],
)
def test_every_bad_video_names_its_field(request_: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        accept(request_)
    assert refusal.value.param == param
    assert param in str(refusal.value)


def test_a_video_is_not_decoded_further_than_the_clip_needs() -> None:
    long = mp4(np.zeros((40, 64, 96, 3), np.uint8), 8, {})
    with pytest.raises(InvalidRequest, match="must have 9 frames, as the clip; it has more"):
        video_frames(base64.b64encode(long).decode(), (96, 64), 9)


def test_a_strength_that_leaves_no_step_comes_with_the_nearest() -> None:
    request = document("clip_request.video") | {"strength": 0.01, "steps": None}
    with pytest.raises(InvalidRequest, match=r"leaves none of 50 steps; the nearest is 0\.02$"):
        check_request(parse_request(json.dumps(request).encode()), NANO, ())
    nearest = parse_request(json.dumps(request | {"strength": 0.02}).encode())
    check_request(nearest, NANO, ())

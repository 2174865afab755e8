"""The video of a video-to-video request: what is accepted, and what is rejected before any work."""

import base64
import json

import numpy as np
import pytest

from containers.diffusion.errors import InvalidRequest
from containers.diffusion.export import mp4
from containers.diffusion.request import parse_request
from containers.diffusion.source import source_of
from containers.diffusion.video import video_frames
from tests.contract import bad_requests, document
from tests.unit.clip_checks import check


def test_the_contract_s_video_is_read() -> None:
    request = parse_request(json.dumps(document("clip_request.video")).encode())
    check(request)
    video = source_of(request).video
    assert video is not None
    assert {frame.size for frame in video} == {(96, 64)}
    assert len(video) == 9


def test_the_decoded_pixels_match_the_encoded_ones() -> None:
    y, x = np.mgrid[0:64, 0:96]
    colours = np.stack([x * 2, y * 3, 255 - x - y], axis=-1).astype(np.uint8)
    clip = mp4(np.stack([colours] * 9), 8, {})
    for frame in video_frames(base64.b64encode(clip).decode(), (96, 64), 9):
        # The error left by half-size chroma and CRF 16; BT.601's matrix would be off by far more.
        assert np.abs(np.asarray(frame).astype(int) - colours).mean() < 2


def accept(document_: dict[str, object]) -> None:
    request = parse_request(json.dumps(document_).encode())
    check(request)
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


def test_decoding_stops_at_the_frames_the_clip_needs() -> None:
    long = mp4(np.zeros((40, 64, 96, 3), np.uint8), 8, {})
    with pytest.raises(InvalidRequest, match="must have 9 frames, like the clip; got more"):
        video_frames(base64.b64encode(long).decode(), (96, 64), 9)


def test_a_video_s_metadata_may_have_any_encoding() -> None:
    clip = mp4(np.zeros((9, 64, 96, 3), np.uint8), 8, {"title": "a caf?"})
    assert clip.count(b"a caf?") == 1
    latin = clip.replace(b"a caf?", "a café".encode("latin-1"))
    assert len(video_frames(base64.b64encode(latin).decode(), (96, 64), 9)) == 9


def test_a_video_with_an_unknown_codec_is_rejected() -> None:
    clip = mp4(np.zeros((9, 64, 96, 3), np.uint8), 8, {}).replace(b"avc1", b"none")
    with pytest.raises(InvalidRequest, match=r"must be H\.264 in MP4; got codec unknown"):
        video_frames(base64.b64encode(clip).decode(), (96, 64), 9)


def checked_strength(steps: int | None, strength: float | None) -> None:
    request = document("clip_request.video") | {"strength": strength, "steps": steps}
    check(parse_request(json.dumps(request).encode()))


def test_a_strength_that_leaves_no_step_is_rejected_with_the_nearest() -> None:
    expected = r"must leave at least 1 of 50 steps; got 0\.01, the nearest is 0\.02$"
    with pytest.raises(InvalidRequest, match=expected):
        checked_strength(None, 0.01)
    for steps in range(1, 201):
        expected = f"strength must leave at least 1 of {steps} steps; got 0.001"
        with pytest.raises(InvalidRequest, match=expected) as refusal:
            checked_strength(steps, 0.001)
        assert refusal.value.param == "strength"
        nearest = float(str(refusal.value).rsplit(" ", 1)[1])
        checked_strength(steps, nearest)
        assert nearest < 1 / steps + 0.0002


def test_the_default_strength_is_rejected_if_it_leaves_no_step() -> None:
    expected = r"strength must leave at least 1 of 1 steps; got 0\.8, the nearest is 1\.0$"
    with pytest.raises(InvalidRequest, match=expected):
        checked_strength(1, None)
    checked_strength(2, None)

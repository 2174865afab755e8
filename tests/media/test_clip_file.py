"""A workflow's or server's output becomes the requested clip, or the error says what differs."""

import io
import json
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from containers.comfyui.bridge import SOURCE
from containers.diffusion.errors import EngineFailed
from containers.diffusion.export import mp4
from containers.diffusion.sound import RATE as SOUND_RATE
from containers.serving import clip_file
from containers.serving.clip_request import ClipRequest
from lambdas.media.sound_input import clip_samples
from lambdas.media.source import BytesSource
from tests.comfyui_server import film
from tests.contract import document
from tests.media.flashes import beeps_of, flashes_in

ASKED: dict[str, Any] = {"width": 96, "height": 64, "length": 17, "fps": 8}


def request(**changed: Any) -> ClipRequest:
    return ClipRequest.model_validate_json(json.dumps(document("clip_request.text") | changed))


def clip(video: bytes, asked: ClipRequest, metadata: dict[str, str], *, exact: bool = False) -> bytes:
    return clip_file.clip(video, asked, metadata, SOURCE, exact=exact)


def brightness(clip: bytes) -> list[float]:
    """Return the mean luma of each frame."""
    with av.open(io.BytesIO(clip)) as container:
        return [float(frame.to_ndarray()[: frame.height].mean()) for frame in container.decode(video=0)]


def loudness(clip: bytes) -> tuple[float, float]:
    """Return the sound's length in seconds and its root mean square."""
    with av.open(io.BytesIO(clip)) as container:
        samples = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    return len(samples) / SOUND_RATE, float(np.sqrt(np.mean(samples**2)))


@pytest.mark.parametrize("webm", [False, True], ids=["mp4", "webm"])
def test_the_clip_is_encoded_like_other_engines_clips(webm: bool) -> None:
    ours = clip(film(**ASKED, webm=webm), request(), {"engine": "comfyui"})
    other = mp4(np.zeros((17, 64, 96, 3), np.uint8), 8, {})
    with av.open(io.BytesIO(ours)) as made, av.open(io.BytesIO(other)) as rendered:
        video, expected = made.streams.video[0], rendered.streams.video[0]
        # The same parameter sets, so clips of both can be joined by copying.
        assert video.codec_context.extradata == expected.codec_context.extradata
        assert (video.codec_context.name, video.average_rate, video.frames) == ("h264", 8, 17)
        assert (video.duration, video.time_base) == (expected.duration, expected.time_base)
        assert not made.streams.audio
        assert made.metadata["engine"] == "comfyui"
        keyframes = [packet.is_keyframe for packet in made.demux(video) if packet.size]
        assert [n for n, key in enumerate(keyframes) if key] == [0, 4, 13]
    assert ours.index(b"moov") < ours.index(b"mdat")
    assert brightness(ours) == pytest.approx(brightness(film(**ASKED, webm=webm)), abs=1)


@pytest.mark.parametrize("webm", [False, True], ids=["mp4", "webm"])
@pytest.mark.parametrize("skip_frames", [0, 3])
def test_sound_is_in_step_with_the_pictures(webm: bool, skip_frames: int) -> None:
    video = film(**ASKED, webm=webm, sound=b"a beep", flashes=[5, 14])
    made = clip(video, request(skip_frames=skip_frames), {})
    assert flashes_in(made, fps=8) == [(5 - skip_frames) / 8, (14 - skip_frames) / 8]
    heard = np.concatenate(list(clip_samples(BytesSource(made), Fraction(0))), axis=1)
    assert beeps_of(heard.astype(np.float64), 440) == pytest.approx(flashes_in(made, fps=8), abs=0.02)


def test_colours_are_kept_if_a_file_does_not_state_its_matrix() -> None:
    red = np.zeros((64, 96, 3), np.uint8) + np.array([200, 30, 40], np.uint8)
    untagged = io.BytesIO()
    with av.open(untagged, "w", format="mp4") as container:  # as SaveVideo did
        stream = container.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for _ in range(2):
            frame = av.VideoFrame.from_ndarray(red, format="rgb24").reformat(format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    ours = clip(untagged.getvalue(), request(frames=2), {})
    with av.open(io.BytesIO(ours)) as container:
        frame = next(container.decode(video=0))
        assert frame.colorspace == 1, "BT.709"
        luma, _, red_difference = frame.to_ndarray()[[0, 64, 80], 0]
    # 16 + 219 × Y and 128 + 224 × Cr, by BT.709's weights of red, green and blue
    y = (0.2126 * 200 + 0.7152 * 30 + 0.0722 * 40) / 255
    assert luma == pytest.approx(16 + 219 * y, abs=1)
    assert red_difference == pytest.approx(128 + 224 * (200 / 255 - y) / 1.5748, abs=1)


def test_leading_frames_are_left_out_with_their_sound() -> None:
    whole = film(**ASKED, sound=b"heard")
    ours = clip(whole, request(skip_frames=8), {})
    assert brightness(ours) == pytest.approx(brightness(whole)[8:], abs=1)
    seconds, rms = loudness(ours)
    assert seconds == pytest.approx(9 / 8, abs=0.05)
    assert rms == pytest.approx(0.3 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("webm", [False, True], ids=["mp4", "webm"])
def test_sound_is_kept_and_ends_with_the_pictures(webm: bool) -> None:
    seconds, rms = loudness(clip(film(**ASKED, sound=b"heard", webm=webm), request(), {}))
    assert seconds == pytest.approx(17 / 8, abs=0.05)
    assert rms == pytest.approx(0.3 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize(
    ("gives", "says"),
    [
        ({"length": 16}, "the length .*must be 17; got 16 frames"),
        ({"length": 21}, "the length .*must be 17; got 21 frames"),
        ({"fps": 16}, "the rate .*must be 8; got 16 frames a second"),
    ],
)
def test_a_wrong_length_or_rate_is_reported(gives: dict[str, Any], says: str) -> None:
    with pytest.raises(EngineFailed, match=says):
        clip(film(**ASKED | gives), request(), {})


def test_a_video_of_another_size_keeps_its_size() -> None:
    with av.open(io.BytesIO(clip(film(**ASKED | {"width": 64}), request(), {}))) as made:
        video = made.streams.video[0]
        assert (video.width, video.height, video.frames) == (64, 64, 17)


def test_an_exact_size_is_checked() -> None:
    with pytest.raises(EngineFailed, match=r"the size .*must be 96x64; got 64x64"):
        clip(film(**ASKED | {"width": 64}), request(), {}, exact=True)


FILM = {"width": 72, "height": 128, "fps": 8, "frames": 17, "fit": "cover", "fps_mode": "repeat"}


@pytest.mark.parametrize("fit", ["cover", "contain", "blur"])
@pytest.mark.parametrize("gives", [{}, {"width": 64}, {"width": 128, "height": 128}])
def test_with_a_film_any_size_becomes_the_film_s(gives: dict[str, int], fit: str) -> None:
    ours = clip(film(**ASKED | gives), request(film=FILM | {"fit": fit}), {})
    with av.open(io.BytesIO(ours)) as made:
        video = made.streams.video[0]
        assert (video.width, video.height, video.frames, video.average_rate) == (72, 128, 17, 8)
        frame = next(made.decode(video)).to_ndarray(format="rgb24")
    (height, width) = (gives.get("height", 64), gives.get("width", 96))
    bar = (128 - round(72 * height / width)) // 2 - 2
    assert bool(frame[:bar].max() < 8) is (fit == "contain")
    other = mp4(np.zeros((17, 128, 72, 3), np.uint8), 8, {})
    with av.open(io.BytesIO(other)) as rendered, av.open(io.BytesIO(ours)) as made:
        expected = rendered.streams.video[0].codec_context.extradata
        assert made.streams.video[0].codec_context.extradata == expected


def test_with_a_film_the_rate_and_length_become_the_film_s() -> None:
    whole = film(**ASKED, sound=b"heard")
    asked = {"width": 96, "height": 64, "fps": 24, "frames": 48}
    ours = clip(whole, request(skip_frames=1, film=FILM | asked), {})
    grey = brightness(whole)[1:]
    assert brightness(ours) == pytest.approx([grey[number // 3] for number in range(48)], abs=1.5)
    seconds, _ = loudness(ours)
    assert seconds == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("skip_frames", [0, 1])
def test_sound_is_in_step_with_the_pictures_of_a_blended_film(skip_frames: int) -> None:
    whole = film(**ASKED, sound=b"a beep", flashes=[5])
    asked = {"width": 96, "height": 64, "fps": 24, "frames": 45, "fps_mode": "blend"}
    made = clip(whole, request(skip_frames=skip_frames, film=FILM | asked), {})
    brightest = int(np.argmax(brightness(made))) / 24
    assert brightest == pytest.approx((6 - skip_frames) / 8 - 1 / 24)
    heard = np.concatenate(list(clip_samples(BytesSource(made), Fraction(0))), axis=1)
    assert beeps_of(heard.astype(np.float64), 440) == pytest.approx([brightest], abs=0.02)


def test_with_a_film_of_its_own_format_a_clip_is_as_before() -> None:
    whole = film(**ASKED)
    same = FILM | {"width": 96, "height": 64, "frames": 16}
    ours, before = clip(whole, request(skip_frames=1, film=same), {}), clip(whole, request(skip_frames=1), {})
    assert ours == before


def test_a_rate_that_the_workflow_was_not_asked_for_is_still_reported() -> None:
    with pytest.raises(EngineFailed, match=r"the rate .*must be 8; got 16"):
        clip(film(**ASKED | {"fps": 16}), request(film=FILM), {})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"GIF89a and so on", "must be MP4, MOV, WebM or MKV"),
        (b"", "must be MP4, MOV, WebM or MKV"),
        (b"\0\0\0\x18ftypisom", "can't be decoded"),
        (film(**ASKED)[:900], "can't be decoded"),
    ],
)
def test_a_file_that_is_not_a_video_is_reported(content: bytes, says: str) -> None:
    with pytest.raises(EngineFailed, match=says):
        clip(content, request(), {})


def test_a_file_with_only_sound_is_reported() -> None:
    output = io.BytesIO()
    with av.open(output, "w", format="mp4") as container:
        track = container.add_stream("aac", rate=48000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), format="flt", layout="mono")
        silence.sample_rate = 48000
        container.mux(track.encode(silence))
        container.mux(track.encode(None))
    with pytest.raises(EngineFailed, match="no video track"):
        clip(output.getvalue(), request(), {})

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from lambdas.domain.errors import ClipUnreadable
from lambdas.media.encode import encode
from lambdas.media.frames import last_frame, poster
from tests.media.clips import clip, decoded, sound_only


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


@pytest.mark.parametrize("count", [1, 9, 16, 17, 40])
def test_last_frame_is_the_last_decoded_frame_as_png(count: int) -> None:
    mp4 = clip(count)
    image = opened(last_frame(mp4))
    assert image.format == "PNG"
    assert np.array_equal(np.asarray(image), decoded(mp4)[-1])


@pytest.mark.parametrize(("size", "shown"), [((1280, 720), (448, 252)), ((720, 1280), (252, 448))])
def test_poster_is_a_small_webp(size: tuple[int, int], shown: tuple[int, int]) -> None:
    image = opened(poster(clip(4, width=size[0], height=size[1])))
    assert (image.format, image.size) == ("WEBP", shown)
    assert opened(poster(clip(4))).size == (96, 64)


def test_poster_of_a_fade_from_black_is_not_black() -> None:
    dark = [np.zeros((64, 96, 3), np.uint8)] * 8
    bright = np.zeros((64, 96, 3), np.uint8)
    bright[:, 48:] = 220
    mp4 = encode([*dark, *[bright] * 4], width=96, height=64, fps=8, metadata={})
    assert np.asarray(opened(poster(mp4)).convert("L")).max() > 180


@pytest.mark.parametrize("broken", [b"", clip(9)[:150], sound_only()])
def test_a_broken_clip_has_no_poster_or_last_frame(broken: bytes) -> None:
    with pytest.raises(ClipUnreadable):
        last_frame(broken)
    with pytest.raises(ClipUnreadable):
        poster(broken)

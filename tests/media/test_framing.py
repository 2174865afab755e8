"""A draft's frame is the engine server's."""

import numpy as np
import pytest
from PIL import Image

from containers.diffusion.framing import Fit, to_film
from lambdas.domain.film_format import Framing
from lambdas.media.framing import Frame


@pytest.mark.parametrize("fit", Framing)
@pytest.mark.parametrize("film", [(360, 640), (640, 270), (480, 480), (256, 1024), (720, 480), (540, 360)])
@pytest.mark.parametrize("rendered", [(720, 480), (1360, 768), (768, 1360), (96, 64)])
def test_a_draft_is_framed_as_the_engine_s_server_frames_a_clip(
    film: tuple[int, int], rendered: tuple[int, int], fit: Framing
) -> None:
    frame = Frame(film, rendered, fit)
    width, height = frame.canvas
    assert width % 2 == height % 2 == 0
    assert width / height == pytest.approx(rendered[0] / rendered[1], rel=0.02)
    y, x = np.mgrid[0:height, 0:width]
    waves = [128 + 100 * np.sin(6 * x / width), 128 + 100 * np.cos(5 * y / height), x * 0 + 90.0]
    picture = Image.fromarray(np.stack(waves, axis=-1).astype(np.uint8))
    shown = frame.show(picture)
    assert shown.size == film
    engine = to_film(picture.resize(rendered, Image.Resampling.LANCZOS), film, Fit(fit))
    assert np.abs(np.subtract(shown, engine, dtype=int)).mean() < 2

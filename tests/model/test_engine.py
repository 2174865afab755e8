"""The engine with the nano checkpoint, as if its family gave sound."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from containers.diffusion.engine import DiffusionEngine
from containers.diffusion.errors import BadCheckpoint
from containers.diffusion.families.cogvideox import CogVideoX
from containers.diffusion.family import Decoded
from containers.diffusion.request import ClipRequest
from containers.diffusion.sound import Sound
from containers.diffusion.speed import Speed
from lambdas.media.probe import probe
from tests.contract import document

NANO = Path(__file__).parents[2] / "models" / "cogvideox-nano"


def test_the_clip_of_an_engine_with_sound_has_a_track(monkeypatch: pytest.MonkeyPatch) -> None:
    decode = CogVideoX.decode

    def with_sound(self: CogVideoX, pipeline: Any, output: Any, request: ClipRequest) -> Decoded:
        samples = np.zeros((2, 24_000 * request.frames // request.fps), np.float32)
        return Decoded(decode(self, pipeline, output, request).video, Sound(samples, 24_000))

    monkeypatch.setattr(CogVideoX, "decode", with_sound)
    engine = DiffusionEngine(NANO, "nano", "cpu")
    engine.load()
    assert engine.describe()["engine"] == "cogvideox"
    request = document("clip_request.text") | {"frames": 9, "skip_frames": 1, "steps": 1}
    film = document("clip_request.film")["film"] | {"frames": 20}
    for changes, seconds in (({}, Fraction(8, 8)), ({"film": film}, Fraction(20, film["fps"]))):
        info = probe(engine.render(json.dumps(request | changes).encode(), lambda: None).mp4)
        assert (info.has_audio, info.duration) == (True, seconds)


def test_a_server_s_speed_must_be_one_of_the_model_s() -> None:
    with pytest.raises(BadCheckpoint, match="speed is turbo, but .* offers exact, balanced, fast"):
        DiffusionEngine(NANO, "nano", "cpu", Speed.TURBO).load()

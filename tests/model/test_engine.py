"""The engine with the nano checkpoint, as if its family gave sound, in a process of its own as always."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

from lambdas.media.probe import probe
from tests.contract import document

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, sys
from pathlib import Path

import numpy as np

from containers.diffusion.engine import DiffusionEngine
from containers.diffusion.errors import BadCheckpoint
from containers.diffusion.families.cogvideox import CogVideoX
from containers.diffusion.family import Decoded
from containers.diffusion.sound import Sound
from containers.diffusion.speed import Speed

model, clips = Path("models/cogvideox-nano"), Path(sys.argv[1])
decode = CogVideoX.decode

def with_sound(self, pipeline, output, request):
    samples = np.zeros((2, 24_000 * request.frames // request.fps), np.float32)
    return Decoded(decode(self, pipeline, output, request).video, Sound(samples, 24_000))

CogVideoX.decode = with_sound
engine = DiffusionEngine(model, "nano", "cpu")
engine.load()
print(engine.describe()["engine"])
for number, request in enumerate(json.load(sys.stdin)):
    (clips / f"{number}.mp4").write_bytes(engine.render(json.dumps(request).encode(), lambda: None).mp4)
try:
    DiffusionEngine(model, "nano", "cpu", Speed.TURBO).load()
except BadCheckpoint as refusal:
    print(refusal)
"""


def test_the_engine_exports_its_family_s_sound_and_refuses_a_speed_that_its_model_lacks(
    tmp_path: Path,
) -> None:
    request = document("clip_request.text") | {"frames": 9, "skip_frames": 1, "steps": 1}
    film = document("clip_request.film")["film"] | {"frames": 20}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        input=json.dumps([request, request | {"film": film}]),
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    family, refusal = done.stdout.splitlines()
    assert family == "cogvideox"
    assert "speed is turbo, but" in refusal
    assert "offers exact, balanced, fast" in refusal
    for name, seconds in (("0.mp4", Fraction(8, 8)), ("1.mp4", Fraction(20, film["fps"]))):
        info = probe((tmp_path / name).read_bytes())
        assert (info.has_audio, info.duration) == (True, seconds)

"""Films rendered by a workflow in the user's ComfyUI."""

import io
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import numpy.typing as npt
import pytest
from av.audio.resampler import AudioResampler
from PIL import Image

from tests.cloud.servers import serving
from tests.comfyui_server import ComfyUIServer, Graph
from tests.films.conftest import REPOSITORY, Cloud
from tests.films.looking import look_at
from tests.media.flashes import beeps_in, flashes_in
from tests.shared import copy_assembly_of_a_pc

SIZE = ("--size", "96x64", "--fps", "8", "--seed", "7")


@pytest.fixture
def comfyui() -> ComfyUIServer:
    return ComfyUIServer()


@contextmanager
def cloud_with(sample: str, comfyui: ComfyUIServer, home: Path) -> Iterator[Cloud]:
    workflow = home / "workflows" / "comfyui.json"
    workflow.parent.mkdir()
    shutil.copy(REPOSITORY / "docs" / "comfyui" / f"{sample}.json", workflow)
    copy_assembly_of_a_pc(home / "cdk.out")
    with serving(comfyui.app) as url, ExitStack() as resources:
        (home / "reelworks.toml").write_text(f'[comfyui]\nurl = "{url}"\n')
        cloud = Cloud(home, resources)
        cloud.reel("up")
        try:
            yield cloud
        finally:
            cloud.reel("down")


def model(cloud: Cloud) -> dict[str, Any]:
    """Return the engine's description of itself."""
    status = cloud.status
    headers = {"Authorization": f"Bearer {status['api_key']}"}
    answer = httpx.get(f"{status['base_url']}/models/comfyui", headers=headers, timeout=60)
    document: dict[str, Any] = answer.raise_for_status().json()
    return document


def test_a_film_rendered_by_a_workflow(comfyui: ComfyUIServer, tmp_path: Path) -> None:
    # Of 33 frames, the film leaves out the first 5.
    comfyui.gives = {"sound": b"its own", "flashes": [8, 30]}
    with cloud_with("text-to-video", comfyui, tmp_path) as cloud:
        arguments = ("--engine", "comfyui", "--seconds", "7", *SIZE)
        video = cloud.json("make", "A lighthouse in the fog", *arguments)
        assert flashing(video) == [3 / 8, 25 / 8, 31 / 8, 53 / 8]
        film = look_at(Path(video["path"]), scale=1)
        assert (film.width, film.height, film.rate, len(film.frames)) == (96, 64, 8, 56)
        assert len(video["clips"]) == len(comfyui.prompts) == 2
        lengths = {graph["55"]["inputs"]["length"] for graph in comfyui.prompts}
        assert lengths == {33}, "8N+1 frames of 28 and one"
        assert len({graph["3"]["inputs"]["seed"] for graph in comfyui.prompts}) == 2

        taken = model(cloud)
        assert (taken["image"], taken["audio"], taken["refuses"]) == ("none", "none", [])
        assert (taken["sound"], taken["last_image"]) == (True, "none")
        refused = cloud.reel(
            *("make", "--topic", "Fog", "--stills", "standard", "--engine", "comfyui", *SIZE), check=False
        )
        assert "stills must be none or omitted: engine comfyui does not accept an image" in refused.stderr

        # Until the next `reel up`, a changed workflow renders nothing under the old one's name.
        workflow = cloud.home / "workflows" / "comfyui.json"
        workflow.write_text(workflow.read_text().replace("subtitles", "captions"))
        failed = cloud.json("make", "A ship in the fog", *arguments, check=False)
        assert failed["status"] == "failed"
        assert "run `reel up` again" in failed["error"]["message"]
        assert len(comfyui.prompts) == 2
        cloud.reel("up")
        # Clips of the old workflow are not reused.
        again = cloud.json("make", "A lighthouse in the fog", *arguments)
        assert [clip["reused"] for clip in again["clips"]] == [False, False]
        assert len(comfyui.prompts) == 4

        crossfaded = cloud.json("make", "A lighthouse in the fog", "--transition", "crossfade", *arguments)
        assert len(flashing(crossfaded)) == 4
        assert len(comfyui.prompts) == 6
        dropped = cloud.json("make", "A lighthouse in the fog", "--clip-sound", "drop", *arguments)
        assert [clip["reused"] for clip in dropped["clips"]] == [True, True]
        assert not heard(Path(dropped["path"])).any()


def flashing(video: dict[str, Any]) -> list[float]:
    """Return when a film flashes, after checking that it beeps at the same moments."""
    film = Path(video["path"]).read_bytes()
    flashes, beeps = flashes_in(film, fps=8), beeps_in(film, hertz=440)
    assert len(flashes) == len(beeps)
    assert max(abs(flash - beep) for flash, beep in zip(flashes, beeps, strict=True)) < 0.02
    return flashes


STORYBOARD = {
    "title": "Home by the light",
    "scenes": [
        {
            "narration": {
                "text": "Every morning the bees leave the hive before the sun is over the hill. "
                "They find the way home again by its light."
            },
            "image": {"positive_prompt": "A bee at a hive"},
            "video": {"positive_prompt": "The bee speaks at the hive"},
            "seconds": 9,
        },
        {
            "narration": {"text": "At noon they dance."},
            "image": {"positive_prompt": "A red flower on a hill"},
            "video": {"positive_prompt": "The flower nods"},
            "seconds": 4,
        },
    ],
}


def test_a_narrated_film_rendered_by_a_workflow_with_image_and_sound_inputs(
    comfyui: ComfyUIServer, tmp_path: Path
) -> None:
    with cloud_with("speech-to-video", comfyui, tmp_path) as cloud:
        taken = model(cloud)
        assert (taken["image"], taken["audio"]) == ("required", "required")
        refused = cloud.reel(
            "make", "--topic", "A bee", "--no-narrate", "--engine", "comfyui", *SIZE, check=False
        )
        assert "this film has no narration: send narrate=true" in refused.stderr
        (tmp_path / "bees.json").write_text(json.dumps(STORYBOARD))
        video = cloud.json("make", "--storyboard", str(tmp_path / "bees.json"), "--engine", "comfyui", *SIZE)
        s3, bucket = cloud.aws("s3"), cloud.outputs["OutputBucket"]
        stills = s3.list_objects_v2(Bucket=bucket, Prefix="artifacts/local/stills/")["Contents"]
        drawn = [pixels(s3.get_object(Bucket=bucket, Key=still["Key"])["Body"].read()) for still in stills]
    film = look_at(Path(video["path"]), scale=1)
    assert len(film.frames) == 13 * 8
    assert len(comfyui.prompts) == 3
    # The second scene's clip may have any position in the queue.
    (other,) = (graph for graph in comfyui.prompts if "flower" in graph["6"]["inputs"]["text"])
    first, second = (graph for graph in comfyui.prompts if graph is not other)

    # Each scene begins with its own still and continues from the last frame, which is the brightest.
    assert len(drawn) == 2
    for graph in (first, other):
        assert sum(np.array_equal(image(comfyui, graph), still) for still in drawn) == 1
    assert not np.array_equal(image(comfyui, first), image(comfyui, other))
    assert image(comfyui, second).min() > 200

    # Each clip gets the film's sound at its position; 5 frames and 1 are rendered before it is shown.
    in_film = heard(Path(video["path"]))
    for graph, start, frames, before in ((first, 0, 36, 5), (second, 36, 36, 5), (other, 72, 32, 1)):
        sound = heard(io.BytesIO(comfyui.input[graph["58"]["inputs"]["audio"]]))
        assert graph["93"]["inputs"]["length"] == frames + before
        assert len(sound) == (frames + before) * FRAME
        silent = before if graph is not second else 0  # the previous scene's speech is not audible
        assert not sound[: silent * FRAME].any()
        sent = loudness(sound[silent * FRAME :])
        shown = loudness(in_film[(start + silent - before) * FRAME : (start + frames) * FRAME])
        assert sent.max() > 0.02, "somebody speaks"
        # The same speech, and not a frame earlier or later. The voice differs a little each time it speaks.
        assert alike(sent, shown) > 0.9
        assert alike(sent, shown) > max(alike(sent[1:], shown[:-1]), alike(sent[:-1], shown[1:]))


def alike(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    return float(np.corrcoef(one, other)[0, 1])


FRAME = 6000  # samples of sound, at 48 kHz and 8 frames a second


def image(comfyui: ComfyUIServer, graph: Graph) -> npt.NDArray[np.uint8]:
    """Return the image that the workflow starts from."""
    return pixels(comfyui.input[graph["52"]["inputs"]["image"]])


def pixels(png: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def heard(file: Path | io.BytesIO) -> npt.NDArray[np.float32]:
    """Return the samples of its sound, at 48 kHz."""
    with av.open(str(file) if isinstance(file, Path) else file) as container:
        mono = AudioResampler(format="flt", layout="mono", rate=48_000)
        return np.concatenate(
            [block.to_ndarray()[0] for frame in container.decode(audio=0) for block in mono.resample(frame)]
        )


def loudness(sound: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the root mean square of each frame's samples."""
    whole = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    level: npt.NDArray[np.float32] = np.sqrt(np.mean(whole**2, axis=1))
    return level

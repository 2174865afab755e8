"""A film rendered by a workflow of the user's ComfyUI."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cloud.servers import serving
from tests.comfyui_server import ComfyUIServer
from tests.films.conftest import REPOSITORY, Cloud
from tests.films.looking import look_at


@pytest.fixture
def comfyui() -> ComfyUIServer:
    return ComfyUIServer()


@pytest.fixture
def cloud(comfyui: ComfyUIServer, tmp_path: Path) -> Iterator[Cloud]:
    workflow = tmp_path / "workflows" / "comfyui.json"
    workflow.parent.mkdir()
    shutil.copy(REPOSITORY / "docs" / "comfyui" / "text-to-video.json", workflow)
    with serving(comfyui.app) as url, ExitStack() as resources:
        (tmp_path / "reelworks.toml").write_text(f'[comfyui]\nurl = "{url}"\n')
        cloud = Cloud(tmp_path, resources)
        cloud.reel("up")
        yield cloud
        cloud.reel("down")


def test_a_film_by_a_workflow(cloud: Cloud, comfyui: ComfyUIServer) -> None:
    arguments = ("--engine", "comfyui", "--seconds", "7", "--size", "96x64", "--fps", "8", "--seed", "7")
    video = cloud.json("make", "A lighthouse in the fog", *arguments)
    film = look_at(Path(video["path"]), scale=1)
    assert (film.width, film.height, film.rate, len(film.frames)) == (96, 64, 8, 56)
    assert len(video["clips"]) == len(comfyui.prompts) == 2
    assert {graph["55"]["inputs"]["length"] for graph in comfyui.prompts} == {33}, "8N+1 frames of 28 and one"
    assert len({graph["3"]["inputs"]["seed"] for graph in comfyui.prompts}) == 2

    workflow = cloud.home / "workflows" / "comfyui.json"
    workflow.write_text(workflow.read_text().replace("wan2.2_vae.safetensors", "gone.safetensors"))
    failed = cloud.json("make", "A ship in the fog", *arguments, check=False)
    assert failed["status"] == "failed"
    assert "(VAELoader), input vae_name: Value not in list" in failed["error"]["message"]

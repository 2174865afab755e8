import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from containers.comfyui import options as comfyui_options
from containers.diffusion.options import parse
from reelworks.cloud.backends.clips.endpoint import Endpoint
from reelworks.cloud.backends.clips.engine_servers import local_engines, offered_engines, workflow_now
from reelworks.cloud.errors import CloudError
from reelworks.cloud.home import Home
from reelworks.cloud.lifecycle import start_stop
from reelworks.cloud.processes.watchdog import GRACE_SECONDS
from reelworks.cloud.settings import ComfyUI, Engines, Relay, Settings

SAMPLES = Path(__file__).parents[2] / "docs" / "comfyui"


def offered(
    home: Path, comfyui: ComfyUI | None = None, relays: Mapping[str, Relay] | None = None
) -> dict[str, Endpoint]:
    return local_engines(
        home,
        comfyui or ComfyUI(),
        relays or {},
        revision="5eed",
        prefix="reelworks",
        output_bucket="films",
        success_topic_arn="arn:success",
        error_topic_arn="arn:error",
    )


def test_an_engine_is_enabled_if_its_model_exists(tmp_path: Path) -> None:
    assert offered(tmp_path) == {}
    for folder in ("cogvideox-1.5-5b", "cogvideox-2b", "cogvideox-5b", "animatic", "other"):
        (tmp_path / "models" / folder).mkdir(parents=True)
        if folder != "cogvideox-5b":  # half a download
            (tmp_path / "models" / folder / "manifest.json").write_text("{}")
    assert set(offered(tmp_path)) == {"cogvideox-1.5-5b", "cogvideox-2b"}


def test_the_endpoint_of_an_engine(tmp_path: Path) -> None:
    model = tmp_path / "models" / "cogvideox-1.5-5b"
    model.mkdir(parents=True)
    (model / "manifest.json").write_text("{}")
    endpoint = offered(tmp_path)["cogvideox-1.5-5b"]
    assert endpoint.name.startswith("reelworks-")
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", endpoint.name)
    assert endpoint.s3_output_path == "s3://films/engine/out/"
    assert endpoint.s3_failure_path == "s3://films/engine/failed/"
    assert (endpoint.success_topic_arn, endpoint.error_topic_arn) == ("arn:success", "arn:error")
    assert endpoint.command[1:3] == ("-m", "containers.diffusion")
    options = parse([part.replace("{socket}", "/run/http") for part in endpoint.command[3:]])
    assert (options.model, options.socket) == (model, "/run/http")
    assert options.grace < GRACE_SECONDS, "the server ends by itself before the watchdog kills it"
    assert endpoint.cwd is not None
    assert (endpoint.cwd / "containers" / "diffusion" / "__main__.py").is_file()


def test_comfyui_is_enabled_if_a_workflow_exists_or_is_configured(tmp_path: Path) -> None:
    assert offered_engines(tmp_path, ComfyUI(), {}) == ["animatic"]
    workflow = tmp_path / "workflows" / "comfyui.json"
    workflow.parent.mkdir()
    workflow.write_text("{}")
    assert offered_engines(tmp_path, ComfyUI(), {}) == ["animatic", "comfyui"]
    command = offered(tmp_path)["comfyui"].command
    assert command[1:3] == ("-m", "containers.comfyui")
    options = comfyui_options.parse([part.replace("{socket}", "/run/http") for part in command[3:]])
    assert (options.workflow, options.comfyui) == (workflow, "http://127.0.0.1:8188")
    assert options.revision == "5eed"
    assert options.socket == "/run/http"
    elsewhere = ComfyUI(url="http://10.0.0.7:8188", workflow=Path("/mine.json"))
    command = offered(tmp_path / "none", elsewhere)["comfyui"].command
    options = comfyui_options.parse([part.replace("{socket}", "/run/http") for part in command[3:]])
    assert (options.workflow, options.comfyui) == (Path("/mine.json"), "http://10.0.0.7:8188")


def test_a_workflow_s_inputs_are_read_from_it(tmp_path: Path) -> None:
    assert workflow_now(tmp_path, ComfyUI()) is None
    file = tmp_path / "workflows" / "comfyui.json"
    file.parent.mkdir()
    shutil.copy(SAMPLES / "speech-to-video.json", file)
    speech = workflow_now(tmp_path, ComfyUI())
    assert speech is not None
    assert {"prompt", "image", "audio", "frames"} < set(speech.takes)
    text = workflow_now(tmp_path, ComfyUI(workflow=SAMPLES / "text-to-video.json"))
    assert text is not None
    assert not {"image", "audio"} & set(text.takes)
    assert text.revision != speech.revision


def test_up_reports_an_unusable_workflow(tmp_path: Path) -> None:
    with pytest.raises(CloudError, match=r"gone\.json can't be read"):
        workflow_now(tmp_path, ComfyUI(workflow=tmp_path / "gone.json"))
    file = tmp_path / "workflows" / "comfyui.json"
    file.parent.mkdir()
    file.write_text("{}")
    with pytest.raises(CloudError, match="is not a ComfyUI workflow"):
        workflow_now(tmp_path, ComfyUI())


@pytest.mark.parametrize(
    ("engine", "allowed"), [("animatic", True), ("comfyui", False), ("cogvideox-5b", False)]
)
def test_an_alias_names_an_engine_of_this_pc(tmp_path: Path, engine: str, allowed: bool) -> None:
    home = Home(tmp_path)
    settings = Settings(engines=Engines(aliases={"sora-2": engine}))
    if allowed:
        assert start_stop._parameters(home, settings, None)["ModelAliases"] == f"sora-2={engine}"
        return
    with pytest.raises(CloudError) as caught:
        start_stop._parameters(home, settings, None)
    said = caught.value.message
    assert said.startswith("aliases.sora-2 of [engines] must be one of this PC's engines: animatic")
    assert said.endswith(f"; got {engine!r}.")
    assert "\n" not in said

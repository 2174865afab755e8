"""Models whose licences must be accepted before they are downloaded or deployed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from containers.diffusion.families.ltx import LIMITS, SECONDS
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.licences import LICENCES, missing
from reelworks.cli import app
from reelworks.cloud.errors import CloudError
from reelworks.cloud.home import Home
from reelworks.cloud.settings import Settings
from reelworks.models import ModelError, pull, trust

LTX = [name for name in CATALOGUE if name.startswith("ltx")]


def refused(*_: object) -> None:
    raise AssertionError("nothing may be downloaded")


def test_only_what_is_not_accepted_is_missing() -> None:
    assert missing(("ltx-2", "gemma"), ()) == ["ltx-2", "gemma"]
    assert missing(("ltx-2", "gemma"), ["gemma", "other"]) == ["ltx-2"]
    assert missing((), ()) == []


@pytest.mark.parametrize("accepted", [(), ("gemma",)])
def test_a_model_is_pulled_only_with_its_licences(tmp_path: Path, accepted: tuple[str, ...]) -> None:
    with pytest.raises(ModelError) as refusal:
        pull(tmp_path, "ltx-2-19b", refused, accepted)
    said = str(refusal.value)
    for name, licence in LICENCES.items():
        shown = name not in accepted
        assert (f"--accept-licence {name}" in said) is shown
        assert (licence.url in said) is shown
    assert "10,000,000 USD" in said
    assert list(tmp_path.iterdir()) == []


def test_nor_is_a_folder_trusted_without_them(tmp_path: Path) -> None:
    (tmp_path / "ltx-2-19b-distilled").mkdir()
    with pytest.raises(ModelError, match="--accept-licence ltx-2 --accept-licence gemma"):
        trust(tmp_path, "ltx-2-19b-distilled")
    with pytest.raises(ModelError, match=r"model_index\.json cannot be read"):
        trust(tmp_path, "ltx-2-19b-distilled", ["ltx-2", "gemma"])


def test_the_command_shows_the_licences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELWORKS_HOME", str(tmp_path))
    (tmp_path / "models" / "ltx-2-19b-distilled").mkdir(parents=True)
    command = ["models", "trust", "ltx-2-19b-distilled", "--accept-licence", "gemma"]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 1
    assert "--accept-licence ltx-2" in shown.output.replace("\n", " ")
    (tmp_path / "reelworks.toml").write_text('[models]\naccepted_licences = ["ltx-2"]\n')
    assert "model_index.json" in CliRunner().invoke(app, command).output.replace("\n", "")


def test_the_settings_name_the_licences_there_are(tmp_path: Path) -> None:
    home = Home(tmp_path)
    variable = {"REELWORKS_MODELS_ACCEPTED_LICENCES": "ltx-2, gemma"}
    assert Settings.load(home, variable).models.accepted_licences == ("ltx-2", "gemma")
    assert Settings.load(home, {}).models.accepted_licences == ()
    with pytest.raises(CloudError, match="'ltx-2' or 'gemma'; got 'mit'"):
        Settings.load(home, {"REELWORKS_MODELS_ACCEPTED_LICENCES": "mit"})


@pytest.mark.parametrize("name", LTX)
def test_the_catalogue_promises_what_ltx_2_renders(name: str) -> None:
    engine = CATALOGUE[name]
    assert engine.licences == ("ltx-2", "gemma")
    assert (engine.image, engine.last_image) == (LIMITS.image, LIMITS.last_image)
    assert (engine.fps, engine.frame_step, engine.prompt_tokens, engine.longest_clip) == (
        LIMITS.fps, LIMITS.frame_step, LIMITS.prompt_tokens, SECONDS,
    )  # fmt: skip
    for fps in engine.fps:
        LIMITS.check_frames(engine.frames_to_render(engine.longest_clip * fps), 0)
    for size in (engine.sizes.default, (1280, 736), (736, 1280), (256, 256), (704, 704)):
        LIMITS.check_size(*size)
        assert engine.sizes.allows(*size)
    assert engine.rendered_size((1280, 720)) == (1248, 704)
    assert engine.rendered_size((1080, 1920)) == (704, 1248)
    json.dumps(engine.model_dump(mode="json"))

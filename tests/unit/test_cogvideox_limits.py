import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from containers.diffusion.checkpoint import read_checkpoint
from containers.diffusion.errors import BadCheckpoint, InvalidRequest
from containers.diffusion.families.cogvideox import PUBLISHED, limits_of
from containers.diffusion.limits import Limits
from lambdas.domain.engines import CATALOGUE

# The relevant parts of the published config.json files.
VAE = {"block_out_channels": [128, 256, 256, 512], "latent_channels": 16}
_2B = {"num_layers": 30, "num_attention_heads": 30}
_5B = {"num_layers": 42, "num_attention_heads": 48}
SD = {"sample_width": 90, "sample_height": 60, "sample_frames": 49, "max_text_seq_length": 226}
HD = {"sample_width": 170, "sample_height": 96, "sample_frames": 81, "max_text_seq_length": 226}
ROTARY = _5B | {"use_rotary_positional_embeddings": True}
TRANSFORMERS: dict[str, dict[str, Any]] = {
    "cogvideox-2b": SD | _2B | {"in_channels": 16},
    "cogvideox-5b": SD | ROTARY | {"in_channels": 16},
    "cogvideox-5b-i2v": SD | ROTARY | {"in_channels": 32},
    "cogvideox-1.5-5b": HD | ROTARY | {"in_channels": 16, "patch_size_t": 2},
    "cogvideox-1.5-5b-i2v": HD | ROTARY | {"in_channels": 32, "patch_size_t": 2},
}


def checkpoint(folder: Path, transformer: dict[str, Any]) -> Path:
    files = {"model_index.json": {"_class_name": "CogVideoXPipeline"}}
    files |= {"transformer/config.json": transformer, "vae/config.json": VAE}
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    return folder


def limits(folder: Path, name: str) -> Limits:
    return read_checkpoint(checkpoint(folder, TRANSFORMERS[name])).limits


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_the_published_checkpoints_can_render_what_the_catalogue_promises(tmp_path: Path, name: str) -> None:
    found, promised = limits(tmp_path, name), CATALOGUE[name]
    found.check_size(*promised.sizes.default)
    frames = promised.frames_to_render(promised.longest_clip * found.fps[0])
    found.check_frames(frames, 0)
    assert found.fps == promised.fps
    assert found.frame_step == promised.frame_step
    assert found.prompt_tokens == promised.prompt_tokens
    assert (found.image, found.video) == (promised.image, promised.video)
    assert found.last_image == "none"


def test_early_1_5_configurations_give_the_rotary_table_for_the_size(tmp_path: Path) -> None:
    early = TRANSFORMERS["cogvideox-1.5-5b"] | {"sample_width": 300, "sample_height": 300}
    found = read_checkpoint(checkpoint(tmp_path, early)).limits
    assert found.sizes.default == (1360, 768)


@pytest.mark.parametrize(
    ("given_size", "nearest"),
    [
        ((1360, 700), "1360×768"),
        ((1400, 768), "1360×768"),
        ((777, 768), "784×768"),
        ((768, 1361), "768×1360"),
        ((10**400, 768), "1360×768"),
    ],
)
def test_a_rejected_free_long_side_comes_with_the_nearest_size(
    tmp_path: Path, given_size: tuple[int, int], nearest: str
) -> None:
    with pytest.raises(InvalidRequest, match=f"the nearest is {nearest}$"):
        limits(tmp_path, "cogvideox-1.5-5b-i2v").check_size(*given_size)


@pytest.mark.parametrize("size", [(1360, 768), (768, 1360), (768, 768), (1024, 768)])
def test_a_free_long_side_may_be_the_height(tmp_path: Path, size: tuple[int, int]) -> None:
    limits(tmp_path, "cogvideox-1.5-5b-i2v").check_size(*size)


def test_a_rejected_fixed_size_comes_with_the_size_and_the_differing_field(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="must be 720×480; got 720×481") as refusal:
        limits(tmp_path, "cogvideox-2b").check_size(720, 481)
    assert refusal.value.param == "height"


@given(
    frames=st.integers(-1000, 1000) | st.sampled_from([10**400, -(10**400)]),
    name=st.sampled_from(["cogvideox-2b", "cogvideox-1.5-5b"]),
)
def test_a_rejected_number_of_frames_comes_with_an_accepted_one(frames: int, name: str) -> None:
    found = limits_of(TRANSFORMERS[name], VAE)
    allowed = range(found.frame_step + 1, found.longest + 1, found.frame_step)
    if frames in allowed:
        found.check_frames(frames, 0)
        return
    with pytest.raises(InvalidRequest) as refusal:
        found.check_frames(frames, 0)
    nearest = int(str(refusal.value).rsplit(" ", 1)[1])
    assert nearest in allowed
    assert abs(nearest - frames) == min(abs(number - frames) for number in allowed)


@pytest.mark.parametrize(
    ("transformer", "reason"),
    [
        (
            SD | {"in_channels": 48},
            r"48 input channels; expected 16 \(text-to-video\) or 32 \(image-to-video\)",
        ),
        ({"in_channels": 16}, "transformer/config.json: sample_width: Field required"),
        (SD | {"in_channels": 16, "sample_width": None}, "sample_width: Input should be a valid integer"),
        (SD | {"in_channels": 16, "sample_width": "90"}, "sample_width: Input should be a valid integer"),
        (SD | {"in_channels": 16, "sample_width": -90}, "sample_width: .*greater than or equal to 1"),
        (SD | {"in_channels": 16, "sample_width": 10**400}, "sample_width: "),
        (SD | {"in_channels": 16, "num_layers": [30]}, "num_layers: Input should be a valid integer"),
        (SD | {"in_channels": True}, "in_channels: Input should be a valid integer"),
    ],
)
def test_a_transformer_other_than_cogvideox_is_rejected_with_the_reason(
    tmp_path: Path, transformer: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BadCheckpoint, match=reason):
        read_checkpoint(checkpoint(tmp_path, transformer))


def test_missing_and_invalid_configuration_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"model_index\.json cannot be read: No such file"):
        read_checkpoint(tmp_path)
    folder = checkpoint(tmp_path, TRANSFORMERS["cogvideox-2b"])
    (folder / "vae" / "config.json").write_text("{")
    with pytest.raises(BadCheckpoint, match=r"vae/config\.json is not JSON"):
        read_checkpoint(folder)
    (folder / "model_index.json").write_text('{"_class_name": "MochiPipeline"}')
    with pytest.raises(BadCheckpoint, match=r"'MochiPipeline', which is not .* renders: CogVideoX"):
        read_checkpoint(folder)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_a_published_checkpoint_is_recognized_whatever_its_folder_name(tmp_path: Path, name: str) -> None:
    found = read_checkpoint(checkpoint(tmp_path, TRANSFORMERS[name]))
    assert found.name == name
    assert found in PUBLISHED.values()
    found.limits.check_frames(found.recipe.frames, 0)


@pytest.mark.parametrize(
    ("change", "like"),
    [
        ({"sample_width": 60}, "cogvideox-5b"),
        ({"num_layers": 12}, "cogvideox-5b"),
        ({"num_layers": 12}, "cogvideox-2b"),
        ({"num_layers": 12}, "cogvideox-1.5-5b"),
    ],
)
def test_another_checkpoint_renders_like_the_published_one_with_its_architecture(
    tmp_path: Path, change: dict[str, int], like: str
) -> None:
    found = read_checkpoint(checkpoint(tmp_path, TRANSFORMERS[like] | change))
    assert found.name is None
    assert found.recipe == next(known.recipe for known in PUBLISHED.values() if known.name == like)
    if "sample_width" in change:
        assert found.limits.sizes.default[0] == 480

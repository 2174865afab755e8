"""What Wan's published checkpoints render, told from their configuration, is what the catalogue promises."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from containers.diffusion.checkpoint import read_checkpoint
from containers.diffusion.errors import BadCheckpoint, InvalidRequest
from containers.diffusion.families.wan import PUBLISHED, Wan
from containers.diffusion.request import ClipRequest, check_request
from containers.diffusion.speed import Speed
from lambdas.domain.engines import CATALOGUE
from reelworks.models import SOURCES
from tests.contract import document

# The relevant parts of the published files.
VAE = {"base_dim": 96, "z_dim": 16, "dim_mult": [1, 2, 4, 4]}
VAE_5B = VAE | {
    "base_dim": 160, "decoder_base_dim": 256, "z_dim": 48, "patch_size": 2, "scale_factor_spatial": 16,
    "is_residual": True,
}  # fmt: skip
T2V: dict[str, Any] = {
    "num_layers": 40, "num_attention_heads": 40, "attention_head_dim": 128, "in_channels": 16,
    "out_channels": 16, "ffn_dim": 13824, "patch_size": [1, 2, 2], "image_dim": None,
}  # fmt: skip
I2V = T2V | {"in_channels": 36}
SMALL = T2V | {"num_layers": 30, "num_attention_heads": 12, "ffn_dim": 8960}
TI2V = SMALL | {"num_attention_heads": 24, "ffn_dim": 14336, "in_channels": 48, "out_channels": 48}
TRANSFORMER = ["diffusers", "WanTransformer3DModel"]
PICTURES = {
    "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
    "image_processor": ["transformers", "CLIPImageProcessor"],
}
NO_PICTURES = {part: [None, None] for part in PICTURES}


def experts(boundary: float) -> dict[str, Any]:
    return {"transformer_2": TRANSFORMER, "boundary_ratio": boundary}


CHECKPOINTS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "wan2.1-t2v-1.3b": ({}, SMALL, VAE),
    "wan2.1-t2v-14b": ({}, T2V, VAE),
    "wan2.1-i2v-14b": (PICTURES, I2V | {"image_dim": 1280}, VAE),
    "wan2.1-flf2v-14b": (PICTURES, I2V | {"image_dim": 1280, "pos_embed_seq_len": 514}, VAE),
    "wan2.2-ti2v-5b": ({"expand_timesteps": True, "boundary_ratio": None}, TI2V, VAE_5B),
    "wan2.2-t2v-a14b": (experts(0.875), T2V, VAE),
    "wan2.2-i2v-a14b": (NO_PICTURES | experts(0.9), I2V, VAE),
}
# The engine's name differs where one configuration is of two models.
ENGINES = {name: re.sub("(i2v-14b)-.*", r"\1", name) for name in CATALOGUE if name.startswith("wan")}


def checkpoint(
    folder: Path, name: str, index: dict[str, Any] | None = None, **changes: dict[str, Any]
) -> Wan:
    own, transformer, vae = CHECKPOINTS[name]
    documents = {"transformer": transformer, "vae": vae}
    own = {"_class_name": "WanImageToVideoPipeline", "transformer": TRANSFORMER} | own | (index or {})
    if own.get("transformer_2", [None, None]) != [None, None]:
        documents["transformer_2"] = transformer
    for part, config in documents.items():
        (folder / part).mkdir()
        (folder / part / "config.json").write_text(json.dumps(config | changes.get(part, {})))
    (folder / "model_index.json").write_text(json.dumps(own))
    found = read_checkpoint(folder)
    assert isinstance(found, Wan)
    return found


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_published_checkpoint_is_recognized_whatever_its_folder_name(tmp_path: Path, name: str) -> None:
    found = checkpoint(tmp_path, name)
    assert found in PUBLISHED.values()
    assert found.name == name
    found.limits.check_frames(found.recipe.frames, 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_published_checkpoints_render_what_the_catalogue_promises(tmp_path: Path, engine: str) -> None:
    found, promised = checkpoint(tmp_path, ENGINES[engine]), CATALOGUE[engine]
    assert engine in SOURCES
    for size in promised.sizes.sizes:  # type: ignore[union-attr]
        found.limits.check_size(*size)
    assert promised.frames_to_render(promised.longest_clip * found.limits.fps[0]) == found.limits.longest
    limits = found.limits
    assert (limits.fps, limits.frame_step) == (promised.fps, promised.frame_step)
    assert (limits.prompt_tokens, limits.image) == (promised.prompt_tokens, promised.image)
    assert (limits.last_image, limits.video) == (promised.last_image, promised.video)
    assert found.recipe.steps == promised.steps
    assert (Speed.TURBO in promised.speeds) == (SOURCES[engine].turbo is not None)
    assert found.turbo or not SOURCES[engine].turbo
    if SOURCES[engine].turbo:
        assert set(SOURCES[engine].turbo.files) == {
            part for part in ("transformer", "transformer_2") if (tmp_path / part).is_dir()
        }


def test_every_published_checkpoint_has_a_shape_for_every_film(tmp_path: Path) -> None:
    for wan in PUBLISHED.values():
        shapes = {(w > h) - (w < h) for w, h in wan.limits.sizes.sizes}  # type: ignore[attr-defined]
        assert shapes == {-1, 0, 1}, wan.name


@pytest.mark.parametrize(
    ("name", "index", "changes", "reason"),
    [
        ("wan2.2-t2v-a14b", {"transformer_2": [None, None]}, {}, "lacks the expert transformer_2"),
        ("wan2.2-t2v-a14b", {"boundary_ratio": None}, {}, "two experts, .* but no boundary_ratio"),
        ("wan2.2-t2v-a14b", {"boundary_ratio": 1.5}, {}, "boundary_ratio 1.5; expected a number from 0 to 1"),
        ("wan2.2-t2v-a14b", {"boundary_ratio": True}, {}, "boundary_ratio True"),
        ("wan2.2-t2v-a14b", {}, {"transformer_2": {"num_layers": 30}}, "differ in num_layers"),
        ("wan2.1-i2v-14b", {"image_encoder": [None, None]}, {}, "lacks its image_encoder"),
        ("wan2.1-i2v-14b", {"image_processor": None}, {}, "lacks its image_processor"),
        ("wan2.1-i2v-14b", {}, {"transformer": {"image_dim": None}}, "reads no pictures"),
        (
            "wan2.1-t2v-14b",
            {},
            {"transformer": {"in_channels": 24}},
            r"24 input channels; expected 16 .* or 36",
        ),
        (
            "wan2.1-t2v-14b",
            {},
            {"transformer": {"patch_size": 2}},
            "patch_size: Input should be a valid list",
        ),
        ("wan2.2-i2v-a14b", PICTURES, {"transformer": {"image_dim": 1280}}, "differ in image_dim"),
    ],
)
def test_a_checkpoint_that_lacks_something_is_refused_with_the_reason(
    tmp_path: Path, name: str, index: dict[str, Any], changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BadCheckpoint, match=reason):
        checkpoint(tmp_path, name, index, **changes)


def test_a_checkpoint_of_another_depth_may_have_any_size(tmp_path: Path) -> None:
    found = checkpoint(tmp_path, "wan2.2-ti2v-5b", transformer={"num_layers": 12})
    assert found.name is None
    assert found.limits.sizes.default == (1280, 704)
    found.limits.check_size(96, 64)
    with pytest.raises(InvalidRequest, match="the nearest is 96×64"):
        found.limits.check_size(100, 64)


def test_the_schedule_follows_the_size() -> None:
    by_name = {wan.name: wan.variant for wan in PUBLISHED.values()}
    assert by_name["wan2.1-i2v-14b"].shift_at(480, 832) == 3.0
    assert by_name["wan2.1-i2v-14b"].shift_at(1280, 720) == 5.0
    assert by_name["wan2.2-t2v-a14b"].shift_at(832, 480) == 12.0


def test_a_last_frame_is_required_where_the_model_moves_to_one(tmp_path: Path) -> None:
    both, a14b = (
        next(wan for wan in PUBLISHED.values() if wan.name == name)
        for name in ("wan2.1-flf2v-14b", "wan2.2-i2v-a14b")
    )
    fields = {"width": 1280, "height": 720, "frames": 81, "fps": 16, "image": "aaaa"}
    request = ClipRequest(**document("clip_request.text") | fields)
    given = request.model_copy(update={"last_image": "aaaa"})

    def check(wan: Wan, asked: ClipRequest) -> None:
        check_request(asked, wan.limits, steps=40, speed=Speed.EXACT, speeds=wan.speeds, loras=())

    check(a14b, request)
    check(a14b, given)
    check(both, given)
    with pytest.raises(InvalidRequest, match="last_image is required"):
        check(both, request)

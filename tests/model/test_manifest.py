"""A model folder is loaded only if a manifest covers every byte and none of it is code."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from containers.diffusion.errors import BadCheckpoint
from containers.diffusion.families.cogvideox import PARTS
from containers.diffusion.manifest import MANIFEST, Manifest, make_manifest, read_manifest
from containers.diffusion.tensors import check_tensors
from containers.diffusion.weights import check_weights, inspect, part_tensors, read_header
from tests.tiny_checkpoint import Generation, make_tiny_checkpoint

Tensors = dict[str, tuple[str, list[int]]]
Change = Callable[[Path], None]

INDEX = {
    "_class_name": "CogVideoXPipeline",
    "_diffusers_version": "0.42.1",
    "scheduler": ["diffusers", "CogVideoXDDIMScheduler"],
    "text_encoder": ["transformers", "T5EncoderModel"],
    "tokenizer": ["transformers", "T5Tokenizer"],
    "transformer": ["diffusers", "CogVideoXTransformer3DModel"],
    "vae": ["diffusers", "AutoencoderKLCogVideoX"],
}
SINGLE = "transformer/diffusion_pytorch_model.safetensors"
SHARDS = [f"text_encoder/model-0000{n}-of-00002.safetensors" for n in (1, 2)]
SHARD_INDEX = "text_encoder/model.safetensors.index.json"
VALUE_BYTES = {"F32": 4, "BF16": 2, "I64": 8}


def safetensors(tensors: Tensors) -> bytes:
    """Return a valid safetensors file filled with zeros."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (dtype, shape) in tensors.items():
        size = VALUE_BYTES[dtype]
        for side in shape:
            size *= side
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(end)


def write(folder: Path, path: str, content: bytes | object) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / path).write_bytes(data)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A nearly empty folder with the layout of a published checkpoint, and its manifest."""
    folder = tmp_path / "cogvideox-5b"
    write(folder, "model_index.json", INDEX)
    write(folder, "LICENSE", b"free")
    write(folder, "scheduler/scheduler_config.json", {})
    write(folder, "tokenizer/spiece.model", b"pieces")
    for component in ("text_encoder", "transformer", "vae"):
        write(folder, f"{component}/config.json", {})
    write(folder, SINGLE, safetensors({"a": ("BF16", [2, 3]), "b": ("F32", [])}))
    write(folder, "vae/diffusion_pytorch_model.safetensors", safetensors({"c": ("BF16", [4])}))
    for shard, name in zip(SHARDS, "xy", strict=True):
        write(folder, shard, safetensors({name: ("BF16", [2])}))
    write(folder, SHARD_INDEX, {"weight_map": {"x": Path(SHARDS[0]).name, "y": Path(SHARDS[1]).name}})
    make_manifest(folder, "cogvideox-5b", repository="zai-org/CogVideoX-5b", revision="8fc5").write(folder)
    return folder


def changed(path: str, content: bytes | object) -> Change:
    return lambda model: write(model, path, content)


def removed(path: str) -> Change:
    return lambda model: (model / path).unlink()


def flipped(path: str) -> Change:
    """Flip one bit of the file's last byte."""

    def change(model: Path) -> None:
        content = bytearray((model / path).read_bytes())
        content[-1] ^= 1
        (model / path).write_bytes(content)

    return change


def test_a_whole_folder_passes(model: Path) -> None:
    manifest = check_weights(model)
    assert manifest == read_manifest(model)
    assert (manifest.repository, manifest.identity) == ("zai-org/CogVideoX-5b", "8fc5")
    there = {path.relative_to(model).as_posix() for path in model.rglob("*") if path.is_file()}
    assert set(manifest.files) == there - {MANIFEST}
    assert manifest.total_bytes == sum((model / path).stat().st_size for path in manifest.files)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (removed("vae/config.json"), "vae/config.json is missing"),
        (removed(SINGLE), f"{SINGLE} is missing"),
        (flipped(SINGLE), f"{SINGLE} has changed"),
        (flipped("tokenizer/spiece.model"), "tokenizer/spiece.model has changed"),
        (changed("transformer/config.json", {"num_layers": 1}), "transformer/config.json has 17 bytes"),
        (changed("notes.txt", b"!"), "notes.txt is not in the manifest"),
        (changed("transformer/model.py", b"print()"), "transformer/model.py is not a model data file"),
        (changed("vae/evil.so", b"\x7fELF"), "vae/evil.so is not a model data file"),
        (changed("vae/weights.bin", pickle.dumps({})), "vae/weights.bin is a pickle"),
        (changed("text_encoder/model.PT", pickle.dumps({})), "text_encoder/model.PT is a pickle"),
        (removed(MANIFEST), "create one with `reel models trust cogvideox-5b`"),
        (changed(MANIFEST, b"{"), "is not a valid manifest"),
        (changed(MANIFEST, {"format": 2, "model": "m", "files": {}}), "is not a valid manifest: format"),
    ],
)
def test_a_folder_that_differs_from_its_manifest_is_rejected(
    model: Path, change: Change, reason: str
) -> None:
    change(model)
    with pytest.raises(BadCheckpoint) as refusal:
        check_weights(model)
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (changed(SINGLE, b""), "is not a safetensors file"),
        (changed(SINGLE, pickle.dumps({"a": [1]}) * 9), "is not a safetensors file"),
        (changed(SINGLE, safetensors({"a": ("BF16", [2])})[:-1]), "bytes; its header requires"),
        (changed(SINGLE, safetensors({"a": ("BF16", [2])}) + b"!"), "bytes; its header requires"),
        (changed(SINGLE, b"\x02\0\0\0\0\0\0\0[]"), "its header cannot be read"),
        (changed(SINGLE, safetensors({"a": ("I64", [2])})), "a has type I64"),
        (
            changed(SINGLE, safetensors({"a": ("BF16", [2])}).replace(b'"shape": [2]', b'"shape": [3]')),
            "do not match its shape [3]",
        ),
        (removed(SINGLE), f"{SINGLE} cannot be read"),
        (removed(SHARDS[1]), f"{SHARDS[1]} cannot be read"),
        (changed(SHARDS[1], safetensors({"z": ("BF16", [2])})), f"{SHARDS[1]} lacks the tensor y"),
        (
            changed(SHARD_INDEX, {"weight_map": {"x": "../vae/x.safetensors"}}),
            "not a file in the same folder",
        ),
        (changed(SHARD_INDEX, {}), "has no weight_map"),
        (changed("model_index.json", INDEX | {"vae": ["my_code", "Vae"]}), "['my_code', 'Vae'] as vae"),
        (changed("model_index.json", INDEX | {"extra": ["os", "system"]}), "has no such entry"),
        (changed("model_index.json", {**INDEX, "tokenizer": None}), "None as tokenizer"),
        (
            changed("model_index.json", INDEX | {"_class_name": "MochiPipeline"}),
            "not a checkpoint of a family",
        ),
        (changed("text_encoder/config.json", {"auto_map": {"AutoModel": "a.B"}}), "requests custom code"),
        (
            changed("text_encoder/config.json", rb'{"auto\u005fmap": {"AutoModel": "a.B"}}'),
            "requests custom code",
        ),
        (changed("tokenizer/added_tokens.json", b"{"), "tokenizer/added_tokens.json is not JSON"),
    ],
)
def test_files_are_inspected_before_a_manifest_is_written(model: Path, change: Change, reason: str) -> None:
    change(model)
    make_manifest(model, "m").write(model)
    for check in (inspect, check_weights):
        with pytest.raises(BadCheckpoint) as refusal:
            check(model)
        assert reason in str(refusal.value)


def test_what_downloads_leave_behind_is_no_part_of_the_model(model: Path) -> None:
    write(model, ".cache/huggingface/download/x.metadata", b"")
    write(model, ".gitattributes", b"")
    check_weights(model)


def test_a_link_to_a_folder_is_rejected(model: Path, tmp_path: Path) -> None:
    (model / "loras").symlink_to(tmp_path)
    with pytest.raises(BadCheckpoint, match="is a link to a folder"):
        check_weights(model)


def test_links_to_files_are_read_as_files(model: Path, tmp_path: Path) -> None:
    """The hub's own cache uses such links."""
    blob = tmp_path / "blob"
    (model / SINGLE).rename(blob)
    (model / SINGLE).symlink_to(blob)
    check_weights(model)
    blob.write_bytes(blob.read_bytes()[:-1] + b"\1")
    with pytest.raises(BadCheckpoint, match="has changed"):
        check_weights(model)


def test_a_user_s_folder_is_identified_by_its_files(model: Path) -> None:
    before = make_manifest(model, "m").identity
    assert before.startswith("sha256:")
    assert make_manifest(model, "another name").identity == before
    flipped(SINGLE)(model)
    assert make_manifest(model, "m").identity != before


def test_a_manifest_survives_a_round_trip(model: Path) -> None:
    manifest = make_manifest(model, "m", repository="a/b", revision="c")
    manifest.write(model)
    assert read_manifest(model) == manifest == Manifest.model_validate_json((model / MANIFEST).read_bytes())


# --- tensors that the configuration requires


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_checkpoint(tmp_path_factory.mktemp("models") / "tiny")


@pytest.mark.parametrize("generation", ["1.0", "1.5"])
@pytest.mark.parametrize("image_to_video", [False, True])
def test_every_kind_of_checkpoint_passes(
    tmp_path: Path, generation: Generation, image_to_video: bool
) -> None:
    directory = make_tiny_checkpoint(tmp_path, generation=generation, image_to_video=image_to_video)
    check_weights(directory)
    check_tensors(directory)


@pytest.mark.parametrize(
    ("component", "tensor"),
    [
        ("transformer", "transformer_blocks.1.attn1.to_q.weight"),
        ("vae", "decoder.conv_out.conv.bias"),
        ("text_encoder", "encoder.final_layer_norm.weight"),
        ("text_encoder", "shared.weight"),
    ],
)
def test_a_missing_tensor_is_named(tiny: Path, tmp_path: Path, component: str, tensor: str) -> None:
    directory = copy_with(
        tiny, tmp_path, component, lambda there: {n: t for n, t in there.items() if n != tensor}
    )
    inspect(directory)
    with pytest.raises(BadCheckpoint, match=f"lacks the tensor {tensor}"):
        check_tensors(directory)


def test_a_tensor_of_another_shape_is_named(tiny: Path, tmp_path: Path) -> None:
    def wider(there: Tensors) -> Tensors:
        return there | {"proj_out.bias": ("F32", [65])}

    directory = copy_with(tiny, tmp_path, "transformer", wider)
    with pytest.raises(BadCheckpoint, match=r"proj_out\.bias has shape \[65\]; expected \[64\]"):
        check_tensors(directory)


def copy_with(source: Path, target: Path, component: str, change: Callable[[Tensors], Tensors]) -> Path:
    """Copy a checkpoint with one component's tensors changed by `change` and filled with zeros."""
    for path in (path for path in source.rglob("*") if path.is_file()):
        write(target, path.relative_to(source).as_posix(), path.read_bytes())
    (weights,) = (target / component).glob("*.safetensors")
    there = {name: (tensor.dtype, list(tensor.shape)) for name, tensor in read_header(weights).items()}
    weights.write_bytes(safetensors(change(there)))
    assert part_tensors(target, component, PARTS[component]).keys() == change(there).keys()
    return target

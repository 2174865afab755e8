"""Model folders that nobody should have made, and folders that change while they are loaded."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from containers.diffusion.checkpoint import read_checkpoint
from containers.diffusion.errors import BadCheckpoint
from containers.diffusion.manifest import Snapshot, read_manifest
from containers.diffusion.weights import check_weights, inspect, read_header

NANO = Path(__file__).parents[2] / "models" / "cogvideox-nano"
DEEP = 100_000 * "[" + 100_000 * "]"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a whole model folder that may be changed."""
    return Path(shutil.copytree(NANO, tmp_path / "model"))


def tensor(**fields: Any) -> dict[str, Any]:
    return {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} | fields}


def test_the_nano_model_passes(folder: Path) -> None:
    assert check_weights(folder).model == "cogvideox-nano"
    assert read_checkpoint(folder).name == "cogvideox-nano"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (tensor(shape=[-1, -1]), "w.shape.0: Input should be greater than or equal to 0"),
        (tensor(shape=[2**60]), "w.shape.0"),
        (tensor(shape=[1.0]), "w.shape.0: Input should be a valid integer"),
        (tensor(shape=["1"]), "w.shape.0: Input should be a valid integer"),
        (tensor(shape=[True]), "w.shape.0: Input should be a valid integer"),
        (tensor(shape=[[1]]), "w.shape.0: Input should be a valid integer"),
        (tensor(shape="1"), "w.shape: Input should be a valid list"),
        (tensor(shape=[1] * 9), "w.shape"),
        (tensor(shape=None), "w.shape"),
        (tensor(dtype=["F32"]), "w.dtype: Input should be a valid string"),
        (tensor(dtype=3), "w.dtype: Input should be a valid string"),
        (tensor(dtype="F32" * 999), "has type F32F32"),
        (tensor(dtype="I64"), "has type I64; allowed: F64, F32"),
        (tensor(data_offsets=[0]), "w.data_offsets"),
        (tensor(data_offsets=[-4, 0]), "w.data_offsets.0"),
        (tensor(data_offsets=["0", "4"]), "w.data_offsets.0"),
        (tensor(data_offsets=[0, 10**300]), "w.data_offsets.1"),
        (tensor(data_offsets={"0": 4}), "w.data_offsets"),
        (tensor(extra=1), "w.extra: Extra inputs are not permitted"),
        ({"w": {}}, "w.dtype: Field required"),
        ({"w": 3}, "w: "),
        ([], "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"{", "Expecting property name"),
        (b"\xff\xfe", "codec"),
        (DEEP.encode(), "nested too deeply"),
        (b'{"w": ' + DEEP.encode() + b"}", "nested too deeply"),
        (b'{"w": {"dtype": "F32", "shape": [1e999], "data_offsets": [0, 4]}}', "w.shape.0"),
        (b'{"w": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 4]}}', "NaN is not a JSON number"),
        (b'{"w": {"dtype": "F32", "shape": [' + b"9" * 5000 + b'], "data_offsets": [0, 4]}}', "digits"),
        (b'{"w": 1, "w": 2}', "the name 'w' appears twice"),
    ],
)
def test_a_bad_header_is_refused_with_the_reason(tmp_path: Path, header: Any, reason: str) -> None:
    file = tmp_path / "w.safetensors"
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
    with pytest.raises(BadCheckpoint) as caught:
        read_header(file)
    assert str(file) in str(caught.value)
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 500 + len(str(file))


@pytest.mark.parametrize(
    "name",
    [
        "model_index.json",
        "transformer/config.json",
        "vae/config.json",
        "text_encoder/config.json",
        "tokenizer/tokenizer_config.json",
        "scheduler/scheduler_config.json",
    ],
)
@pytest.mark.parametrize(
    "content",
    ["", "[]", "null", '"a"', "3", "{", DEEP, "9" * 5000, '{"a": NaN}', '{"a": 1, "a": 2}', "\udcff"],
)
def test_a_json_file_that_is_no_object_is_refused(folder: Path, name: str, content: str) -> None:
    (folder / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadCheckpoint, match=name):
        inspect(folder)


def change_json(file: Path, fields: dict[str, Any]) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"_class_name": ["CogVideoXPipeline"]},
        {"_class_name": {}},
        {"_class_name": None},
        {"vae": [["diffusers"], "AutoencoderKLCogVideoX"]},
        {"vae": ["diffusers", ["AutoencoderKLCogVideoX"]]},
        {"vae": {"a": 1}},
        {"vae": "diffusers"},
        {"vae": json.loads(300 * "[" + 300 * "]")},
        {"extra": [None, None]},
    ],
)
def test_the_index_s_types_are_checked(folder: Path, fields: dict[str, Any]) -> None:
    change_json(folder / "model_index.json", fields)
    with pytest.raises(BadCheckpoint, match=r"model_index\.json"):
        inspect(folder)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("transformer", {"sample_width": "90"}),
        ("transformer", {"sample_height": 0}),
        ("transformer", {"in_channels": 1e300}),
        ("transformer", {"num_layers": {}}),
        ("transformer", {"patch_size_t": -1}),
        ("transformer", {"max_text_seq_length": 10**30}),
        ("vae", {"block_out_channels": []}),
        ("vae", {"block_out_channels": "1234"}),
        ("vae", {"block_out_channels": [8] * 5000}),
        ("vae", {"latent_channels": [16]}),
    ],
)
def test_the_configuration_s_numbers_are_checked(folder: Path, name: str, fields: dict[str, Any]) -> None:
    change_json(folder / name / "config.json", fields)
    (field,) = fields
    with pytest.raises(BadCheckpoint, match=f"{name}/config.json: {field}"):
        read_checkpoint(folder)


def listing(bytes_: str, sha256: str = 64 * "0") -> str:
    return f'{{"format": 1, "model": "m", "files": {{"a": {{"bytes": {bytes_}, "sha256": "{sha256}"}}}}}}'


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        DEEP,
        '{"format": 1, "model": "m", "files": []}',
        '{"format": 1, "model": "m", "files": {"a": 3}}',
        '{"format": 1, "model": 3, "files": {}}',
        '{"format": 2, "model": "m", "files": {}}',
        listing("-1"),
        listing("1e999"),
        listing(5000 * "9"),
        listing('"1"'),
        listing("[1]"),
        listing("1", "0"),
    ],
)
def test_a_bad_manifest_is_refused(folder: Path, content: str) -> None:
    (folder / "manifest.json").write_text(content)
    with pytest.raises(BadCheckpoint, match="is not a valid manifest"):
        read_manifest(folder)


def test_pipes_and_dead_links_are_refused(folder: Path) -> None:
    extra = folder / "vae" / "extra.safetensors"
    os.mkfifo(extra)
    with pytest.raises(BadCheckpoint, match=r"extra\.safetensors is neither a file nor a link to one"):
        check_weights(folder)
    extra.unlink()
    extra.symlink_to("nowhere")
    with pytest.raises(BadCheckpoint, match=r"extra\.safetensors is a link to a missing file"):
        check_weights(folder)


def test_a_pipe_in_place_of_the_manifest_is_refused(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    os.mkfifo(folder / "manifest.json")
    with pytest.raises(BadCheckpoint, match=r"manifest\.json is neither a file nor a link to one"):
        check_weights(folder)


@pytest.mark.parametrize("name", ["a\nb.json", "a\u202eb.json", "a\udcff.json", "a\x1b[2J.txt"])
def test_a_name_that_can_t_be_shown_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("{}")
    with pytest.raises(BadCheckpoint, match="a file whose name can't be shown: 'a"):
        check_weights(folder)


WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"


def replace(folder: Path) -> None:
    new = folder.parent / "new"
    new.write_bytes((folder / WEIGHTS).read_bytes())
    new.replace(folder / WEIGHTS)


def write_in_place(folder: Path) -> None:
    with (folder / WEIGHTS).open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")


def write_and_set_the_old_time(folder: Path) -> None:
    times = (folder / WEIGHTS).stat()
    write_in_place(folder)
    os.utime(folder / WEIGHTS, ns=(times.st_atime_ns, times.st_mtime_ns))


def swap_and_put_back(folder: Path) -> None:
    kept = folder.parent / "kept"
    (folder / WEIGHTS).rename(kept)
    (folder / WEIGHTS).write_bytes(b"other")
    kept.replace(folder / WEIGHTS)


def swap_the_folder_and_put_it_back(folder: Path) -> None:
    kept = folder.parent / "kept"
    (folder / "transformer").rename(kept)
    (folder / "transformer").mkdir()
    (folder / "transformer").rmdir()
    kept.rename(folder / "transformer")


def add_a_file(folder: Path) -> None:
    (folder / "vae" / "more.json").write_text("{}")


def remove_a_file(folder: Path) -> None:
    (folder / "README.md").unlink()


CHANGES = pytest.mark.parametrize(
    "change",
    [
        replace,
        write_in_place,
        write_and_set_the_old_time,
        swap_and_put_back,
        swap_the_folder_and_put_it_back,
        add_a_file,
        remove_a_file,
    ],
)


@CHANGES
def test_a_change_between_check_and_load_is_found(folder: Path, change: Callable[[Path], None]) -> None:
    change(folder)  # earlier changes are no matter, however recent
    (folder / "README.md").write_text("read me")
    (folder / "vae" / "more.json").unlink(missing_ok=True)
    snapshot = Snapshot.of(folder)
    snapshot.require_unchanged()
    change(folder)
    with pytest.raises(BadCheckpoint, match="has changed since it was checked"):
        snapshot.require_unchanged()


def test_single_files_can_be_looked_at(folder: Path) -> None:
    snapshot = Snapshot.of(folder)
    replace(folder)
    snapshot.require_unchanged(folder / "vae" / "config.json")
    with pytest.raises(BadCheckpoint, match="has changed"):
        snapshot.require_unchanged(folder / WEIGHTS)

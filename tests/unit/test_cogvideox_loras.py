import json
from pathlib import Path

import pytest

from containers.cogvideox.errors import BadCheckpoint, InvalidRequest
from containers.cogvideox.loras import find_loras
from containers.cogvideox.request import check_request, parse_request
from tests.contract import document
from tests.unit.test_cogvideox_video import NANO


def test_adapters_are_found_by_folder(tmp_path: Path) -> None:
    assert find_loras(tmp_path) == {}
    for name in ("sketch", "paper"):
        (tmp_path / "loras" / name).mkdir(parents=True)
        (tmp_path / "loras" / name / "weights.safetensors").touch()
    (tmp_path / "loras" / "README.md").touch()
    # Manifests do not list names that start with a dot.
    (tmp_path / "loras" / "paper" / "._weights.safetensors").touch()
    (tmp_path / "loras" / ".hidden").mkdir()
    (tmp_path / "loras" / ".hidden" / "weights.safetensors").touch()
    found = find_loras(tmp_path)
    assert list(found) == ["paper", "sketch"]
    assert found["paper"] == tmp_path / "loras" / "paper" / "weights.safetensors"


@pytest.mark.parametrize("files", [[], ["a.safetensors", "b.safetensors"], ["weights.bin"]])
def test_a_folder_holds_exactly_one_adapter(tmp_path: Path, files: list[str]) -> None:
    folder = tmp_path / "loras" / "paper"
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).touch()
    with pytest.raises(BadCheckpoint, match=r"paper must contain exactly one \.safetensors file"):
        find_loras(tmp_path)


def check(loras: list[dict[str, object]], known: tuple[str, ...]) -> None:
    request = document("clip_request.text") | {"loras": loras}
    check_request(parse_request(json.dumps(request).encode()), NANO, known)


def test_known_adapters_are_accepted() -> None:
    check([{"name": "paper", "scale": 0.5}, {"name": "sketch"}], ("paper", "sketch"))


@pytest.mark.parametrize(
    ("loras", "known", "message"),
    [
        ([{"name": "oil"}], ("paper", "sketch"), "unknown adapter 'oil'; allowed: paper, sketch$"),
        ([{"name": "oil"}], (), "unknown adapter 'oil'; this model has none$"),
        ([{"name": "paper"}, {"name": "paper"}], ("paper",), "must name each adapter only once"),
        ([{"name": "paper", "scale": 3}], ("paper",), "less than or equal to 2"),
    ],
)
def test_other_adapters_are_rejected(
    loras: list[dict[str, object]], known: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message) as refusal:
        check(loras, known)
    assert refusal.value.param == "loras"

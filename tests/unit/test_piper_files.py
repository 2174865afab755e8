"""A voice's files, which a user downloads from anywhere."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from reelworks.cloud.backends.voice.interface import VoiceFailed
from reelworks.cloud.backends.voice.piper import read_voice


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "amy.onnx").write_bytes(b"weights")
    return tmp_path / "amy.onnx"


def described(code: Any = "en_US", scale: Any = 1.0) -> str:
    return json.dumps({"language": {"code": code}, "inference": {"length_scale": scale}})


@pytest.mark.parametrize(
    ("code", "language"), [("en_US", "en-US"), ("ca", "ca"), ("zh_Hans_CN", "zh-Hans-CN")]
)
def test_a_voice_has_its_file_s_language(model: Path, code: str, language: str) -> None:
    Path(f"{model}.json").write_text(described(code, 1.5))
    voice = read_voice("Amy", model)
    assert (voice.language, voice.length_scale) == (language, 1.5)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"a":' * 100_000, "recursion"),
        ("[]", "indices"),
        ("\ufeff{}", "BOM"),
        (described(["en"]), "language.code must be a language such as en_US"),
        (described(""), "language.code must be"),
        (described("en\x1b[2J"), r"language.code must be .*\\x1b"),
        (described(scale=0), "length_scale must be a number above 0; got 0"),
        (described(scale=-1), "length_scale must be"),
        (described(scale=float("nan")), "length_scale must be .* got nan"),
        (described(scale=float("inf")), "length_scale must be .* got inf"),
        (described(scale=None), "float"),
    ],
)
def test_a_broken_description_is_refused_with_the_reason(model: Path, content: str, says: str) -> None:
    Path(f"{model}.json").write_text(content)
    with pytest.raises(VoiceFailed, match=f"(?s)amy.onnx.json next to it.*{says}"):
        read_voice("Amy", model)


def test_a_pipe_in_place_of_the_description_is_refused(model: Path) -> None:
    os.mkfifo(f"{model}.json")
    with pytest.raises(VoiceFailed, match=r"amy\.onnx\.json is not a file"):
        read_voice("Amy", model)

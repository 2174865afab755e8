"""The text backend for GGUF files, with llama.cpp and a tiny model in the real format."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from reelworks.cloud.backends.text import gguf, gguf_program
from reelworks.cloud.backends.text.gguf import Gguf
from reelworks.cloud.backends.text.interface import Conversation, Picture, Tool, Turn
from reelworks.cloud.errors import ServiceError
from reelworks.cloud.home import Home
from reelworks.cloud.services.bedrock import BedrockRuntime
from reelworks.cloud.services.text_models import connect
from reelworks.cloud.settings import Settings, TextServer
from reelworks.doctor.text import text_models
from tests.tiny_gguf import write_tiny_gguf


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_gguf(tmp_path_factory.mktemp("writer") / "tiny.gguf"))


def asked(text: str, tool: Tool | None = None, **fields: Any) -> Conversation:
    fields = {
        "max_tokens": 4_000,
        "temperature": 0.7,
        "top_p": None,
        "stop": (),
        "context_tokens": None,
    } | fields
    return Conversation("Write.", (Turn("user", text, fields.pop("images", ())),), tool, **fields)


def with_backend(file: str, work: Any, **settings: Any) -> Any:
    """Run `work`, which takes the backend, and then end the backend's program."""

    async def run() -> Any:
        async with httpx.AsyncClient() as http:
            backend = connect(TextServer(kind="gguf", model=file, **settings), http)
            try:
                return await work(backend)
            finally:
                await backend.free()

    return asyncio.run(run())


def refused(file: str, question: Conversation, **settings: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        with_backend(file, lambda backend: backend.answer(question), **settings)
    return caught.value


SCENE = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}
FILM = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "scenes": {
            "type": "array",
            "items": SCENE | {"additionalProperties": False},
            "minItems": 2,
            "maxItems": 2,
        },
    },
    "required": ["title", "scenes"],
    "additionalProperties": False,
}


def test_the_schema_is_followed_whatever_the_model_says(model: str) -> None:
    async def both(backend: Gguf) -> list[Any]:
        return [
            await backend.answer(asked("Tides.", Tool("film", "A film.", FILM))),
            await backend.answer(asked("Hello.", max_tokens=9)),
        ]

    film, plain = with_backend(model, both)
    assert film.stop_reason == "end_turn"
    written = json.loads(film.text)
    assert set(written) == {"title", "scenes"}
    assert [set(scene) for scene in written["scenes"]] == [{"text"}] * 2
    assert (plain.stop_reason, plain.output_tokens) == ("max_tokens", 9)


def test_it_answers_in_bedrock_s_place(model: str) -> None:
    async def converse() -> httpx.Response:
        runtime = BedrockRuntime(Settings(text=TextServer(kind="gguf", model=model)))
        body = {
            "messages": [{"role": "user", "content": [{"text": "Hello."}]}],
            "inferenceConfig": {"maxTokens": 9},
        }
        async with httpx.AsyncClient(transport=httpx.ASGITransport(runtime), base_url="http://b") as http:
            try:
                return await http.post("/model/any/converse", json=body)
            finally:
                await runtime.stop()

    answer = asyncio.run(converse()).json()
    assert answer["additionalModelResponseFields"] == {"answered_by": "llama.cpp tiny"}
    assert (answer["stopReason"], answer["usage"]["outputTokens"]) == ("max_tokens", 9)


def test_the_doctor_asks_it_a_question(model: str, tmp_path: Path) -> None:
    (finding,) = text_models(Settings(text=TextServer(kind="gguf", model=model)), Home(tmp_path), ())
    assert finding.ok
    assert finding.found == f"gguf {model}; it answers by a schema"


def test_a_question_longer_than_the_context_is_an_error(model: str) -> None:
    error = refused(model, asked("word " * 600), context_tokens=512)
    assert error.code == "ModelErrorException"
    assert "exceeds the available context size (512 tokens)" in str(error)


@pytest.mark.parametrize(
    ("question", "says"),
    [
        (asked("Hello.", context_tokens=4_096), "a context of 8192 tokens: omit num_ctx"),
        (asked("Hello.", images=(Picture("image/png", "aGVsbG8="),)), "can't see pictures"),
    ],
)
def test_what_it_can_t_do_is_refused(model: str, question: Conversation, says: str) -> None:
    assert says in refused(model, question).args[0]


def test_a_file_that_is_no_model_is_an_error_that_waiting_does_not_heal(tmp_path: Path) -> None:
    file = tmp_path / "text.gguf"
    file.write_bytes(b"no model " * 100)
    error = refused(str(file), asked("Hello."))
    assert (error.status, error.code) == (424, "ModelErrorException")
    assert "llama.cpp text: RuntimeError: Failed to init server" in str(error)
    assert "does not exist" in refused(str(tmp_path / "none.gguf"), asked("Hello.")).args[0]


def test_without_llama_cpp_it_says_how_to_install_it(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gguf, "is_installed", lambda: False)
    assert "pip install -e '.[writer]'" in refused(model, asked("Hello.")).args[0]


def test_the_program_ends_with_its_input_even_while_it_writes(model: str) -> None:
    command = [sys.executable, "-P", "-m", gguf_program.__name__, model, "16384"]
    endless = {"messages": [{"role": "user", "content": "Go on."}], "max_tokens": 16_000, "ignore_eos": True}
    done = subprocess.run(
        command, input=json.dumps(endless) + "\n", capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, gguf_program.ANSWER in done.stdout) == (0, False)

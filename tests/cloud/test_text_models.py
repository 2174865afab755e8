"""Which text model is used without being set: servers with the recorded formats, at other addresses than the
default ones."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from reelworks.cloud.backends.text import writers
from reelworks.cloud.backends.text.catalogue import TextKind
from reelworks.cloud.backends.text.discovery import LOOK_SECONDS, PLACES
from reelworks.cloud.services.text_models import TextInUse, text_in_use
from reelworks.cloud.settings import Settings, TextServer
from tests.cloud.model_servers import (
    ModelServer,
    listed_by_llama_cpp,
    listed_by_lm_studio,
    listed_by_vllm,
    places_at,
)
from tests.cloud.servers import serving


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def server(stack: ExitStack, **answers: Any) -> str:
    """Return the URL of a server with these answers, by the last word of their paths."""
    paths = {"tags": "/api/tags", "show": "/api/show", "v0": "/api/v0/models", "v1": "/v1/models"}
    model_server = ModelServer()
    model_server.answers = {paths[name]: answer for name, answer in answers.items()}
    return stack.enter_context(serving(model_server.app))


def used(settings: Settings | None = None, models: Path | None = None, **urls: str) -> TextInUse:
    async def look() -> TextInUse:
        async with httpx.AsyncClient(trust_env=False) as http:
            return await text_in_use(settings or Settings(), models, http, places_at(**urls))

    return asyncio.run(look())


OLLAMA = {
    "tags": JSONResponse({"models": [{"name": "nomic-embed-text:latest"}, {"name": "qwen3:8b"}]}),
    "show": lambda asked: JSONResponse(
        {"capabilities": ["completion" if asked["model"] == "qwen3:8b" else "embedding"]}
    ),
}
LM_STUDIO = listed_by_lm_studio(
    text_embedding_nomic=("embeddings", "loaded"),
    gemma_3=("vlm", "not-loaded"),
    qwen3_4b=("llm", "loaded"),
)


@pytest.mark.parametrize(
    ("place", "answers", "program", "kind", "model"),
    [
        ("ollama", OLLAMA, "Ollama", TextKind.OLLAMA, "qwen3:8b"),
        ("lm_studio", {"v0": LM_STUDIO}, "LM Studio", TextKind.OPENAI, "qwen3-4b"),
        (
            "llama_cpp",
            {"v1": listed_by_llama_cpp("models/Qwen3-4B-Q4_K_M.gguf")},
            "llama.cpp",
            TextKind.OPENAI,
            "models/Qwen3-4B-Q4_K_M.gguf",
        ),
        (
            "vllm",
            {"v1": listed_by_vllm("BAAI/bge-m3", "Qwen/Qwen3-8B")},
            "vLLM",
            TextKind.OPENAI,
            "Qwen/Qwen3-8B",
        ),
    ],
)
def test_a_server_is_recognised_and_its_chat_model_chosen(
    stack: ExitStack, place: str, answers: dict[str, Any], program: str, kind: TextKind, model: str
) -> None:
    url = server(stack, **answers)
    assert used(**{place: url}) == TextInUse(
        TextServer(kind=kind, url=url, model=model), f"found: {program} at {url}"
    )


def test_of_llama_cpp_s_models_a_loaded_one_is_chosen(stack: ExitStack) -> None:
    listed = [
        {"id": name, "object": "model", "owned_by": "llamacpp", "status": {"value": status}}
        for name, status in (("gemma", "unloaded"), ("qwen3", "loaded"))
    ]
    url = server(stack, v1=JSONResponse({"object": "list", "data": listed}))
    assert used(llama_cpp=url).server.model == "qwen3"


@pytest.mark.parametrize(
    "listed",
    [
        Response(b"<html>Tomcat</html>", media_type="text/html"),
        Response(b"[" * 100_000),
        JSONResponse({"object": "list", "data": []}),
        JSONResponse({"data": [{"id": "gpt-5", "object": "model", "owned_by": "openai"}]}),
        JSONResponse({"data": [{"id": "m"}]}),
        JSONResponse({"data": 3}),
        JSONResponse(None),
        JSONResponse({"models": []}, 503),
        listed_by_vllm("Wan-AI/Wan2.2-T2V", max_model_len=None),  # vLLM-Omni makes videos of it
        listed_by_vllm("Qwen/Qwen3-Embedding-8B"),
    ],
)
def test_an_unrelated_server_is_not_taken(stack: ExitStack, listed: Response) -> None:
    url = server(stack, v1=listed, v0=listed, tags=listed)
    found = used(ollama=url, lm_studio=url, llama_cpp=url, vllm=url)
    assert found.server == TextServer(kind=TextKind.RULES)
    assert found.why == "no text model; to get one: reel models pull qwen3-4b"


def test_ollama_comes_first_unless_it_has_no_model_that_chats(stack: ExitStack) -> None:
    vllm = server(stack, v1=listed_by_vllm("Qwen/Qwen3-8B"))
    assert used(vllm=vllm, ollama=server(stack, **OLLAMA)).server.kind is TextKind.OLLAMA
    assert used(vllm=vllm, ollama=server(stack, tags=JSONResponse({"models": []}))).server.url == vllm


def test_what_is_set_is_used_and_nothing_is_looked_for(stack: ExitStack) -> None:
    url = server(stack, v1=listed_by_vllm("Qwen/Qwen3-8B"))
    for text in (TextServer(url="http://127.0.0.1:9", model="m"), TextServer(kind=TextKind.RULES)):
        assert used(Settings(text=text), vllm=url) == TextInUse(text, "set in [text]")


def test_the_server_of_an_engine_is_not_taken(stack: ExitStack) -> None:
    url = server(stack, v1=listed_by_vllm("Qwen/Qwen3-8B"))
    relay = {"videos_url": f"{url}/v1", "model": "wan", "sizes": ["1280x704"], "fps": [24]}
    settings = Settings.model_validate({"engines": {"mine": relay}})
    assert used(settings, vllm=url).server.kind is TextKind.RULES


def test_a_server_that_hangs_is_not_waited_for(stack: ExitStack) -> None:
    def slowly(_: Any) -> Response:
        time.sleep(LOOK_SECONDS + 0.3)
        return listed_by_vllm("Qwen/Qwen3-8B")

    assert used(vllm=server(stack, v1=slowly)).server.kind is TextKind.RULES


def test_a_writer_that_was_pulled_comes_before_servers(
    stack: ExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server(stack, v1=listed_by_vllm("Qwen/Qwen3-8B"))
    file = tmp_path / "qwen2.5-1.5b" / writers.WRITERS["qwen2.5-1.5b"].file
    file.parent.mkdir()
    file.touch()
    assert used(models=tmp_path, vllm=url).server == TextServer(kind=TextKind.GGUF, model=str(file))
    monkeypatch.setattr(writers, "is_installed", lambda: False)
    assert used(models=tmp_path, vllm=url).server.url == url


def test_the_command_that_gets_a_text_model_fits_this_pc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert writers.how_to_get_one() == "reel models pull qwen3-4b"
    monkeypatch.setattr(writers, "is_installed", lambda: False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert writers.how_to_get_one() == "pip install -e '.[writer]' && reel models pull qwen3-4b"
    (tmp_path / "ollama").touch(0o755)
    assert writers.how_to_get_one() == "ollama pull qwen3:8b"


def test_the_default_places() -> None:
    assert [place.url.rpartition(":")[2] for place in PLACES] == ["11434", "1234", "8080", "8000"]

"""The text backends that a user can set: `kind` of [text] in reelworks.toml."""

from enum import StrEnum
from typing import Self

from reelworks.cloud.backends.text.ollama import Ollama
from reelworks.cloud.backends.text.openai_compatible import OpenAICompatible


class TextKind(StrEnum):
    """Each with its backend. A new backend is a module of this folder and a line here."""

    backend: type[Ollama] | type[OpenAICompatible]

    def __new__(cls, value: str, backend: type[Ollama] | type[OpenAICompatible]) -> Self:
        kind = str.__new__(cls, value)
        kind._value_ = value
        kind.backend = backend
        return kind

    OLLAMA = "ollama", Ollama
    OPENAI = "openai", OpenAICompatible  # what llama.cpp, vLLM and LM Studio speak, and Ollama too

"""The text backends that a user can choose: `kind` in [text] of reelworks.toml."""

from enum import StrEnum
from typing import Self

from reelworks.cloud.backends.text.ollama import Ollama
from reelworks.cloud.backends.text.openai_compatible import OpenAICompatible


class TextKind(StrEnum):
    """The kinds, each with its backend. A new backend is one module in this folder and one line here."""

    backend: type[Ollama] | type[OpenAICompatible]

    def __new__(cls, value: str, backend: type[Ollama] | type[OpenAICompatible]) -> Self:
        kind = str.__new__(cls, value)
        kind._value_ = value
        kind.backend = backend
        return kind

    OLLAMA = "ollama", Ollama
    OPENAI = "openai", OpenAICompatible  # the API of llama.cpp, vLLM and LM Studio; Ollama has it too

"""The text backends that a user can choose: `kind` in [text] of reelworks.toml."""

from collections.abc import Callable
from enum import StrEnum
from typing import Self

from reelworks.cloud.backends.text.gguf import Gguf
from reelworks.cloud.backends.text.interface import TextBackend
from reelworks.cloud.backends.text.ollama import Ollama
from reelworks.cloud.backends.text.openai_compatible import OpenAICompatible
from reelworks.cloud.backends.text.rule_based import RuleBasedDirector


class TextKind(StrEnum):
    """The kinds, each with its backend and the settings that it needs. A new backend is one module in this
    folder and one line here."""

    backend: Callable[..., TextBackend]
    needs: tuple[str, ...]

    def __new__(cls, value: str, backend: Callable[..., TextBackend], *needs: str) -> Self:
        kind = str.__new__(cls, value)
        kind._value_ = value
        kind.backend = backend
        kind.needs = needs
        return kind

    OLLAMA = "ollama", Ollama, "url", "model"
    # The API of llama.cpp, vLLM and LM Studio; Ollama has it too.
    OPENAI = "openai", OpenAICompatible, "url", "model"
    GGUF = "gguf", Gguf, "model"
    RULES = "rules", RuleBasedDirector  # whatever else is there

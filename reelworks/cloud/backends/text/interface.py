"""The interface of a text backend, which answers a conversation in place of Bedrock.

Every backend raises ServiceError with the code that Bedrock uses for the case.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal, Protocol

ANSWER_SECONDS = 300  # unless the settings say otherwise; includes loading the model from disk
CONTEXT_TOKENS = 8192  # sent explicitly: Ollama's documented defaults conflict, and a file's own may be huge

StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "content_filtered"]


@dataclass(frozen=True)
class Picture:
    """A picture that a turn shows: its media type and its bytes as base64."""

    media_type: str
    base64: str


@dataclass(frozen=True)
class Turn:
    role: Literal["user", "assistant"]
    text: str
    images: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Tool:
    """A tool whose input the answer must be: a JSON object that follows `schema`."""

    name: str
    description: str
    schema: dict[str, Any]


@dataclass(frozen=True)
class Conversation:
    """A Converse request; for None, the model's own value applies."""

    system: str
    turns: tuple[Turn, ...]
    tool: Tool | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    stop: tuple[str, ...]
    context_tokens: int | None

    @property
    def images(self) -> tuple[Picture, ...]:
        """All pictures of the conversation."""
        return tuple(image for turn in self.turns for image in turn.images)

    def messages(self) -> list[dict[str, str]]:
        """Return the messages in the format that Ollama and OpenAI share, which is that of texts: each server
        shows pictures in its own form.

        They include a tool's schema, because a server that enforces a schema doesn't show it to the model
        (docs.ollama.com/capabilities/structured-outputs).
        """
        parts = [self.system] if self.system else []
        if self.tool:
            parts.append(_instruction(self.tool))
        first = [{"role": "system", "content": "\n\n".join(parts)}] if parts else []
        return first + [{"role": turn.role, "content": turn.text} for turn in self.turns]


@dataclass(frozen=True)
class Answer:
    """An answer. `text` may be empty; for a tool, it is the JSON. Token counts come from the model. `note`:
    what the user should know about it."""

    text: str
    stop_reason: StopReason
    input_tokens: int
    output_tokens: int
    note: str | None = None


class TextBackend(Protocol):
    @property
    def name(self) -> str:
        """The backend's name, for the record."""

    @property
    def schema_refused(self) -> str | None:
        """How JSON is required instead, once the server has refused a schema; None: a schema is enough."""

    async def answer(self, conversation: Conversation) -> Answer: ...

    async def free(self) -> None:
        """Unload the model from the GPU, if the server supports it. Raises nothing."""


def _instruction(tool: Tool) -> str:
    return (
        f"Answer with one JSON object and nothing else: the input of the tool {tool.name!r}. "
        f"{tool.description}\nIts JSON schema: {json.dumps(tool.schema, ensure_ascii=False)}"
    )

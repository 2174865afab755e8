"""What a text backend is: it answers a conversation, in Bedrock's place.

Every backend raises ServiceError with the code that Bedrock has for the case.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal, Protocol

StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "content_filtered"]


@dataclass(frozen=True)
class Turn:
    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True)
class Tool:
    """What the answer is to be an input of: a JSON object by `schema`."""

    name: str
    description: str
    schema: dict[str, Any]


@dataclass(frozen=True)
class Conversation:
    """A Converse request; what is None is left to the model."""

    system: str
    turns: tuple[Turn, ...]
    tool: Tool | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    stop: tuple[str, ...]
    context_tokens: int | None

    def messages(self) -> list[dict[str, str]]:
        """In the form that Ollama and OpenAI share. A tool's schema stands in it, too: a server that keeps a
        model to a schema doesn't tell the model of it (docs.ollama.com/capabilities/structured-outputs)."""
        parts = [self.system] if self.system else []
        if self.tool:
            parts.append(_instruction(self.tool))
        first = [{"role": "system", "content": "\n\n".join(parts)}] if parts else []
        return first + [{"role": turn.role, "content": turn.text} for turn in self.turns]


@dataclass(frozen=True)
class Answer:
    """`text` may be empty; where a tool was asked for, it is the JSON. Tokens are the model's own count."""

    text: str
    stop_reason: StopReason
    input_tokens: int
    output_tokens: int


class TextBackend(Protocol):
    @property
    def name(self) -> str:
        """For the record: who answered."""

    async def answer(self, conversation: Conversation) -> Answer: ...

    async def free(self) -> None:
        """Has the model leave the GPU, as far as the server can be told so. Raises nothing."""


def _instruction(tool: Tool) -> str:
    return (
        f"Answer with one JSON object and nothing else: the input of the tool {tool.name!r}. "
        f"{tool.description}\nIts JSON schema: {json.dumps(tool.schema, ensure_ascii=False)}"
    )

"""OpenAI's chat completions: the request that asks a conversation's question, and its answer."""

from typing import Any

from reelworks.cloud.backends.text.dialect import Dialect, with_system
from reelworks.cloud.backends.text.http import given, message_text, reading_answer
from reelworks.cloud.backends.text.interface import Answer, Conversation, StopReason, Tool

# Of requiring JSON, the strictest first; llama-cpp-python's server takes the second.
FORMS = ("json_schema", "json_object with a schema", "json_object", "the prompt only")


def request_of(conversation: Conversation, model: str, dialect: Dialect) -> dict[str, Any]:
    """Return the request in a server's dialect."""
    options: dict[str, Any] = {
        "temperature": conversation.temperature,
        "top_p": conversation.top_p,
        "stop": list(conversation.stop) or None,
    }
    fields = {name: value for name, value in options.items() if name not in dialect.left_out}
    if dialect.limit:
        fields[dialect.limit] = conversation.max_tokens
    if conversation.tool:
        fields["response_format"] = _response_format(conversation.tool, dialect.form)
    messages = _with_images(with_system(conversation.messages(), dialect), conversation)
    return given({"model": model, "messages": messages, **fields})


def answer_of(document: dict[str, Any], url: str) -> Answer:
    """Return the answer of the server at `url`. Raises ServiceError if it is malformed."""
    stops: dict[str, StopReason] = {"length": "max_tokens", "content_filter": "content_filtered"}
    with reading_answer(url):
        choice = document["choices"][0]
        usage = document.get("usage") or {}
        message = choice["message"]
        text = message_text(message)
        stop = stops.get(choice.get("finish_reason"), "end_turn")
        if not text and message.get("refusal"):
            stop = "content_filtered"
        return Answer(
            text=text,
            stop_reason=stop,
            input_tokens=int(usage.get("prompt_tokens") or 0),
            output_tokens=int(usage.get("completion_tokens") or 0),
        )


def _with_images(messages: list[dict[str, str]], conversation: Conversation) -> list[dict[str, Any]]:
    """Return the messages with each turn's pictures as parts of its content. The turns' messages come last.

    Source: platform.openai.com/docs/guides/images-vision; llama.cpp, vLLM and LM Studio take the same.
    """
    if not conversation.images:
        return [*messages]
    first = len(messages) - len(conversation.turns)
    shown: list[dict[str, Any]] = [*messages[:first]]
    for message, turn in zip(messages[first:], conversation.turns, strict=True):
        urls = [f"data:{image.media_type};base64,{image.base64}" for image in turn.images]
        parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        content = [*parts, {"type": "text", "text": message["content"]}] if parts else message["content"]
        shown.append({**message, "content": content})
    return shown


def _response_format(tool: Tool, form: int) -> dict[str, Any] | None:
    forms: tuple[dict[str, Any] | None, ...] = (
        {"type": "json_schema", "json_schema": {"name": tool.name, "schema": tool.schema}},
        {"type": "json_object", "schema": tool.schema},
        {"type": "json_object"},
        None,
    )
    return forms[form]

"""Ask a text model through Bedrock's Converse."""

import time
from typing import Any

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError, ReadTimeoutError

from lambdas.adapters.clients import error_message, may_pass
from lambdas.domain.brief import Writing
from lambdas.domain.documents import Document
from lambdas.domain.errors import TextModelFailed, TextModelUnavailable
from lambdas.domain.json_answers import object_in
from lambdas.domain.prices import Prices
from lambdas.domain.storyboard_questions import Tool


class Answer(Document):
    text: str
    by: str  # the model that answered
    stop_reason: str
    cost: float | None  # USD


class ToolAnswer(Document):
    """An answer through a tool. `input` may not fit its schema; None: the model did not use the tool. `note`:
    what the user should know about the model."""

    input: Any
    by: str
    stop_reason: str
    cost: float | None  # USD
    note: str | None = None


class TextModel:
    def __init__(self, bedrock_runtime: Any, model: str, prices: Prices) -> None:
        self._bedrock = bedrock_runtime
        self._model = model
        self._prices = prices

    def ask(
        self,
        *,
        system: str,
        message: str,
        max_tokens: int,
        temperature: float,
        picture: bytes | None = None,
    ) -> Answer:
        """Ask one question and return the answer, with a second try if the service is busy for a moment.
        `picture`: a JPEG that the question is about.

        Raises TextModelFailed if the model can't answer, TextModelUnavailable if it may answer later.
        """
        inference = {"maxTokens": max_tokens, "temperature": temperature}
        try:
            response = self._converse(self._model, system, message, None, picture, inferenceConfig=inference)
        except TextModelUnavailable:
            time.sleep(_PAUSE_SECONDS)
            response = self._converse(self._model, system, message, None, picture, inferenceConfig=inference)
        return Answer(
            text="".join(block.get("text", "") for block in _content(response)),
            by=_answered_by(response, self._model),
            stop_reason=str(response.get("stopReason", "")),
            cost=self._cost(response, self._model),
        )

    def fill(self, *, system: str, message: str, tool: Tool, max_tokens: int, writing: Writing) -> ToolAnswer:
        """Ask one question and return one use of the tool, or the tool's input if the model wrote it as text.
        `max_tokens` applies if `writing` doesn't set it. Raises TextModelFailed, TextModelUnavailable."""
        model = writing.model or self._model
        inference = {
            "maxTokens": writing.max_tokens or max_tokens,
            "temperature": writing.temperature,
            "topP": writing.top_p,
        }
        spec = {"name": tool.name, "description": tool.description, "inputSchema": {"json": tool.schema}}
        options: dict[str, Any] = {
            # Some models accept no temperature, or not both settings: unset ones are not sent.
            "inferenceConfig": {name: value for name, value in inference.items() if value is not None},
            "toolConfig": {"tools": [{"toolSpec": spec}], "toolChoice": {"tool": {"name": tool.name}}},
        }
        if writing.context_size is not None:  # Ollama's name for it; models on AWS have a fixed one
            options["additionalModelRequestFields"] = {"num_ctx": writing.context_size}
        response = self._converse(model, system, message, _FOR_A_STORYBOARD, **options)
        uses = [block["toolUse"].get("input") for block in _content(response) if "toolUse" in block]
        text = "".join(block.get("text", "") for block in _content(response))
        return ToolAnswer(
            input=uses[0] if uses else object_in(text, tool.schema),
            by=_answered_by(response, model),
            stop_reason=str(response.get("stopReason", "")),
            cost=self._cost(response, model),
            note=_fields(response).get("note"),
        )

    def _cost(self, response: dict[str, Any], model: str) -> float | None:
        usage = response["usage"]  # part of every Converse response
        return self._prices.text(model, usage["inputTokens"], usage["outputTokens"])

    def _converse(
        self,
        model: str,
        system: str,
        message: str,
        advice: str | None,
        picture: bytes | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        content: list[dict[str, Any]] = [{"text": message}]
        if picture is not None:
            content.insert(0, {"image": {"format": "jpeg", "source": {"bytes": picture}}})
        try:
            response: dict[str, Any] = self._bedrock.converse(
                modelId=model,
                system=[{"text": system}],
                messages=[{"role": "user", "content": content}],
                **options,
            )
        except ReadTimeoutError as error:
            raise TextModelFailed(
                f"the text model {model} did not answer in time", advice=_MORE_TIME
            ) from error
        except (ConnectionError, HTTPClientError) as error:
            raise TextModelUnavailable(
                f"the text model {model} did not answer: {error}", advice=advice
            ) from error
        except ClientError as error:
            kind = TextModelUnavailable if may_pass(error) else TextModelFailed
            by = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get(ANSWERED_BY, model)
            raise kind(
                f"the text model {by} did not answer: {error_message(error)}", advice=advice
            ) from error
        return response


ANSWERED_BY = "x-reelworks-answered-by"  # header of an error: the model that a PC uses in place of Bedrock's
_PAUSE_SECONDS = 1.0
_MORE_TIME = (
    "Give the text model more time (text_seconds in cdk.json; on a PC timeout_seconds of [text] in "
    "reelworks.toml), or choose a faster one."
)
_FOR_A_STORYBOARD = (
    "Check that the account has access to the text model, or on a PC that its server is running (reel "
    "doctor); retry the video later, choose another text model, or send your own storyboard with the request."
)


def _content(response: dict[str, Any]) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = response.get("output", {}).get("message", {}).get("content", [])
    return content


def _answered_by(response: dict[str, Any], model: str) -> str:
    """Return the model that answered: a local backend reports which one it used in place of Bedrock's."""
    return str(_fields(response).get("answered_by", model))


def _fields(response: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a response that only a local backend has."""
    return response.get("additionalModelResponseFields") or {}

"""The text model behind Bedrock's Converse."""

from typing import Any

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from lambdas.domain.errors import TextModelUnavailable
from lambdas.domain.video import Document


class Answer(Document):
    text: str
    by: str  # the model that answered
    stop_reason: str


class TextModel:
    def __init__(self, bedrock_runtime: Any, model: str) -> None:
        self._bedrock = bedrock_runtime
        self._model = model

    def ask(self, *, system: str, message: str, max_tokens: int, temperature: float) -> Answer:
        """One question, one answer. Raises TextModelUnavailable for whatever keeps the model from it."""
        try:
            response = self._bedrock.converse(
                modelId=self._model,
                system=[{"text": system}],
                messages=[{"role": "user", "content": [{"text": message}]}],
                inferenceConfig={"maxTokens": max_tokens, "temperature": temperature},
            )
        except (ClientError, ConnectionError, HTTPClientError) as error:
            raise TextModelUnavailable(f"the text model {self._model} did not answer: {error}") from error
        content = response.get("output", {}).get("message", {}).get("content", [])
        # A local backend says here which model answered in Bedrock's place.
        by = (response.get("additionalModelResponseFields") or {}).get("answered_by", self._model)
        return Answer(
            text="".join(block.get("text", "") for block in content),
            by=str(by),
            stop_reason=str(response.get("stopReason", "")),
        )

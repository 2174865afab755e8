"""A stand-in for Bedrock's ApplyGuardrail: a guardrail with one policy, the words in a file of the user."""

import asyncio
import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse

from reelworks.cloud.errors import ServiceError
from reelworks.cloud.services.wire import parsed

WORD_LIST = "words:1"  # the guardrail's id and version


class _Text(BaseModel):
    text: str


class _Block(BaseModel):
    text: _Text


class _ApplyRequest(BaseModel):
    source: Literal["INPUT", "OUTPUT"]
    content: list[_Block]


class WordList:
    def __init__(self, file: Path | None) -> None:
        self._file = file

    async def apply(self, http: Request) -> JSONResponse:
        asked = parsed(_ApplyRequest, await http.body())
        named = f"{http.path_params['id']}:{http.path_params['version']}"
        if self._file is None or named != WORD_LIST:
            raise ServiceError(404, "ResourceNotFoundException", f"There is no guardrail {named}.")
        try:
            words = await asyncio.to_thread(self._words, self._file)
        except (OSError, UnicodeDecodeError) as error:
            raise ServiceError(
                500, "InternalServerException", f"The words of [content_filter] can't be read: {error}"
            ) from error
        texts = [block.text.text for block in asked.content]
        found = [word for word in words if any(_says(text, word) for text in texts)]
        matches = [{"match": word, "action": "BLOCKED"} for word in found]
        units = {f"{policy}PolicyUnits": 0 for policy in ("topic", "content", "contextualGrounding")}
        sensitive = {f"sensitiveInformationPolicy{kind}": 0 for kind in ("Units", "FreeUnits")}
        return JSONResponse(
            {
                "usage": {**units, **sensitive, "wordPolicyUnits": len(texts)},
                "action": "GUARDRAIL_INTERVENED" if found else "NONE",
                "outputs": [],
                "assessments": [{"wordPolicy": {"customWords": matches, "managedWordLists": []}}]
                if found
                else [],
            }
        )

    def _words(self, file: Path) -> list[str]:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
        return [line.strip() for line in lines if line.strip()]


def _says(text: str, word: str) -> bool:
    """Return whether a text has a word or phrase as a whole, in whatever case and with any space between."""
    phrase = r"\s+".join(map(re.escape, word.split()))
    return re.search(rf"(?<!\w){phrase}(?!\w)", text, re.IGNORECASE) is not None

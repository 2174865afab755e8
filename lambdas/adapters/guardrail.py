"""The deployment's content filter: a guardrail of Amazon Bedrock."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from lambdas.adapters.clients import error_code, translated
from lambdas.domain.errors import ServiceUnavailable

_LETTERS_AT_ONCE = 20_000  # in a call; a guardrail takes 25 units of 1,000 letters a second in most regions
# What an assessment lists under each policy, and what names an entry of it to the user.
_ENTRIES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "topicPolicy": {"topics": ("topic", "name")},
    "contentPolicy": {"filters": ("content", "type")},
    "wordPolicy": {"customWords": ("word", "match"), "managedWordLists": ("words", "type")},
    "sensitiveInformationPolicy": {"piiEntities": ("personal data", "type"), "regexes": ("pattern", "name")},
}


class Refused(NamedTuple):
    """The first text that a guardrail refuses, by its name, and why. Several names: only together."""

    names: tuple[str, ...]
    reasons: tuple[str, ...]


class Guardrail:
    def __init__(self, bedrock_runtime: Any, id_: str, version: str) -> None:
        self._bedrock = bedrock_runtime
        self._id = id_
        self._version = version

    def refused(self, texts: Mapping[str, str]) -> Refused | None:
        """Return what the guardrail refuses of these texts, None if nothing.

        All are asked in as few calls as the service allows, and in halves only once something is refused.
        Raises ServiceUnavailable if the guardrail can't answer now; ClientError if it can't be used at all.
        """
        for batch in _batches([*texts.items()]):
            if reasons := self._apply(batch):
                return self._among(batch, reasons)
        return None

    def _among(self, texts: Sequence[tuple[str, str]], reasons: tuple[str, ...]) -> Refused:
        """Return the first of refused texts that is refused alone, or all of them if none is."""
        if len(texts) > 1:
            middle = len(texts) // 2
            for half in (texts[:middle], texts[middle:]):
                if why := self._apply(half):
                    return self._among(half, why)
        return Refused(names=tuple(name for name, _ in texts), reasons=reasons)

    def _apply(self, texts: Sequence[tuple[str, str]]) -> tuple[str, ...]:
        """Return why the guardrail refuses texts; empty if it doesn't."""
        with translated("apply guardrail"):
            try:
                answer = self._bedrock.apply_guardrail(
                    guardrailIdentifier=self._id,
                    guardrailVersion=self._version,
                    source="INPUT",
                    content=[{"text": {"text": text}} for _, text in texts],
                )
            except ClientError as error:
                if error_code(error) == "ServiceQuotaExceededException":
                    raise ServiceUnavailable(f"apply guardrail: {error}") from error
                raise
        if answer["action"] == "NONE":
            return ()
        return tuple(dict.fromkeys(_reasons(answer["assessments"]))) or ("no reason is given",)


def _batches(texts: Sequence[tuple[str, str]]) -> Sequence[Sequence[tuple[str, str]]]:
    batches: list[list[tuple[str, str]]] = []
    room = 0
    for name, text in texts:
        if not text.strip():
            continue
        if len(text) > room:
            batches.append([])
            room = _LETTERS_AT_ONCE
        batches[-1].append((name, text))
        room -= len(text)
    return batches


def _reasons(assessments: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    """Return what was found, in words. Personal data is named by its kind only."""
    return [
        f"{what} {entry.get(named) or 'without a name'}"
        for assessment in assessments
        for policy, lists in _ENTRIES.items()
        for name, (what, named) in lists.items()
        for entry in assessment.get(policy, {}).get(name, ())
        if entry.get("action") != "NONE"
    ]

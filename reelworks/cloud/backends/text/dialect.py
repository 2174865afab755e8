"""Ask a server in the form that it takes.

Servers share OpenAI's format, but not all of it: some refuse `max_tokens`, a temperature, the system role, or
one way or other of requiring JSON. A refused request is asked again without what is refused, and what the
server took is remembered for the next question.
"""

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from reelworks.cloud.backends.text.http import Refused

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dialect:
    """What a server takes, as far as it has refused anything."""

    form: int = 0  # of requiring JSON: the index in the backend's list of forms
    limit: str | None = "max_tokens"  # the field that limits the answer; None: none is taken
    left_out: frozenset[str] = frozenset()
    system_role: bool = True


# Statuses with which servers refuse a field; llama-cpp-python's server answers 500.
_STATUSES = frozenset({400, 415, 422, 500, 501})
_NOT_TAKEN = re.compile(
    r"support|unknown|recogni[sz]ed|unexpected|extra|permitted|allow|forbidden|invalid|not valid|require|"
    r"deprecated|must|should be|only|cannot|can't|unavailable|not available|not implemented|failed to|"
    r"literal_error|instead|reject|refuse|compatible|disabled|removed|out of range|illegal|expected",
    re.IGNORECASE,
)
_JSON_FORM = re.compile(
    r"response_format|json_schema|json_object|structured output|json mode|grammar|guided|\bformat\b|schema",
    re.IGNORECASE,
)
# Chat templates without a system role also speak of the other roles only.
_SYSTEM = re.compile(
    r"\bsystem\b.{0,40}\b(role|message|prompt)|\brole\b.{0,40}\bsystem\b|roles? must alternate|"
    r"user and assistant roles|first message\b.{0,40}\buser",
    re.IGNORECASE,
)
# Refusals that no other form of the question changes.
_OTHER_CAUSE = re.compile(
    r"memory|context (?:length|size|window)|too (?:long|large|many tokens)|quota|billing|api key|"
    r"model\b.{0,80}\b(?:not found|not exist|not loaded)|loading|busy|overload",
    re.IGNORECASE,
)
_LIMITS = ("max_tokens", "max_completion_tokens")
# A limit above what the model can write, as no other name of it changes.
_TOO_MUCH = re.compile(
    r"too (?:large|many)|at most|exceed|maximum|less than or equal|out of range", re.IGNORECASE
)
_OPTIONAL = ("top_p", "temperature", "stop", "think", "keep_alive")
_MOST_TRIES = 10  # more than there is to leave out


async def ask(
    dialect: Dialect,
    forms: int,
    request: Callable[[Dialect], dict[str, Any]],
    send: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]],
) -> tuple[dict[str, Any], Dialect]:
    """Return the server's answer and the dialect in which it answered. `forms`: how many ways of requiring
    JSON the question has; 0: it requires none.

    Raises Refused if the server takes the question in no form: with the first refusal of which it did not
    say what is wrong, else the last.
    """
    first: Refused | None = None
    for _ in range(_MOST_TRIES):
        sent = request(dialect)
        try:
            answer = await send(sent)
        except Refused as refusal:
            changed, named = _adapted(dialect, forms, sent, refusal)
            first = None if named else first or refusal
            if changed is None:
                raise (first or refusal) from None
            logger.info("text model asked again", extra={"refusal": str(refusal), "dialect": repr(changed)})
            dialect = changed
        else:
            return answer, dialect
    raise AssertionError("every adaptation is made once")


def _adapted(
    dialect: Dialect, forms: int, sent: dict[str, Any], refusal: Refused
) -> tuple[Dialect | None, bool]:
    """Return the dialect without what is refused, and whether the refusal names it; None: nothing is left to
    change."""
    if refusal.status_code not in _STATUSES:
        return None, False
    # The fields alone if the server lists them: it may repeat the whole request in its message.
    said = " ".join(refusal.fields) or (refusal.reason if _NOT_TAKEN.search(refusal.reason) else "")
    wants = refusal.reason if dialect.limit == "max_tokens" else ""
    for name in _LIMITS:
        if name in sent and _names(name, said):
            if _LIMITS[1] not in wants:
                if re.search(r"context[ _](?:length|size|window)", refusal.reason, re.IGNORECASE):
                    break  # the question is too long, which is no matter of its name
                if _TOO_MUCH.search(refusal.reason):
                    return replace(dialect, limit=None), True
                if _OTHER_CAUSE.search(refusal.reason):
                    break
            return replace(dialect, limit=_LIMITS[1] if name == _LIMITS[0] else None), True
    for name in _OPTIONAL:
        if name in sent and _names(name, said):
            return replace(dialect, left_out=dialect.left_out | {name}), True
    of_messages = refusal.reason if any("messages" in name for name in refusal.fields) else said
    if dialect.system_role and _SYSTEM.search(of_messages):
        return replace(dialect, system_role=False), True
    if dialect.form + 1 < forms:
        named = bool(_JSON_FORM.search(said))
        if named or not _OTHER_CAUSE.search(refusal.reason):
            return replace(dialect, form=dialect.form + 1), named
    return None, False


def _names(field: str, text: str) -> bool:
    named = "think(?:ing)?" if field == "think" else field  # "does not support thinking"
    return re.search(rf"(?<![\w-]){named}(?![\w-])", text) is not None


def with_system(messages: list[dict[str, str]], dialect: Dialect) -> list[dict[str, str]]:
    """Return the messages, the system's put before the user's first one if the server takes no such role."""
    if dialect.system_role or messages[0]["role"] != "system":
        return messages
    system, first, *others = messages
    return [{**first, "content": f"{system['content']}\n\n{first['content']}"}, *others]

"""Which text a guardrail refuses, and why, in few calls."""

from typing import Any

import pytest
from botocore.stub import Stubber

from lambdas.adapters.clients import client
from lambdas.adapters.guardrail import Guardrail, Refused
from lambdas.domain.errors import ServiceUnavailable

_USAGE = dict.fromkeys(
    (
        "topicPolicyUnits",
        "contentPolicyUnits",
        "wordPolicyUnits",
        "sensitiveInformationPolicyUnits",
        "sensitiveInformationPolicyFreeUnits",
        "contextualGroundingPolicyUnits",
    ),
    1,
)
WEAPONS = {
    "topicPolicy": {"topics": [{"name": "weapons", "type": "DENY", "action": "BLOCKED"}]},
    "contentPolicy": {
        "filters": [
            {"type": "VIOLENCE", "confidence": "HIGH", "action": "BLOCKED"},
            {"type": "HATE", "confidence": "LOW", "action": "NONE"},
        ]
    },
}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client.cache_clear()
    with Stubber(client("bedrock-runtime")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()
    client.cache_clear()


def answers(service: Stubber, *texts: str, why: Any = None) -> None:
    """Expect a call with these texts."""
    answer = {"usage": _USAGE, "outputs": [], "action": "GUARDRAIL_INTERVENED" if why else "NONE"}
    asked = {
        "guardrailIdentifier": "abc",
        "guardrailVersion": "2",
        "source": "INPUT",
        "content": [{"text": {"text": text}} for text in texts],
    }
    service.add_response("apply_guardrail", {**answer, "assessments": [why] if why else []}, asked)


def refused(service: Stubber, **texts: str) -> Refused | None:
    return Guardrail(service.client, "abc", "2").refused(texts)


def test_all_texts_are_asked_in_one_call_and_empty_ones_not_at_all(service: Stubber) -> None:
    answers(service, "A bee", "calm")
    assert refused(service, topic="A bee", style=" ", tone="calm") is None
    assert refused(service, prompt="") is None


def test_what_is_refused_is_found_by_halves(service: Stubber) -> None:
    answers(service, "1", "2", "3", "4", why=WEAPONS)
    answers(service, "1", "2")
    answers(service, "3", "4", why=WEAPONS)
    answers(service, "3", why=WEAPONS)
    found = refused(service, a="1", b="2", c="3", d="4")
    assert found == Refused(names=("c",), reasons=("topic weapons", "content VIOLENCE"))


def test_texts_may_be_refused_only_together(service: Stubber) -> None:
    answers(service, "1", "2", why=WEAPONS)
    answers(service, "1")
    answers(service, "2")
    found = refused(service, a="1", b="2")
    assert found is not None
    assert found.names == ("a", "b")


def test_many_letters_are_asked_in_several_calls(service: Stubber) -> None:
    long = 9_000 * "x"
    answers(service, long, long)
    answers(service, long)
    assert refused(service, a=long, b=long, c=long) is None


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        (
            {"wordPolicy": {"customWords": [{"match": "gun", "action": "BLOCKED"}], "managedWordLists": []}},
            "word gun",
        ),
        (
            {
                "sensitiveInformationPolicy": {
                    "piiEntities": [{"type": "EMAIL", "match": "a@b.c", "action": "ANONYMIZED"}],
                    "regexes": [{"name": "badge", "match": "X1", "action": "BLOCKED"}],
                }
            },
            "personal data EMAIL, pattern badge",
        ),
        ({"contextualGroundingPolicy": {"filters": []}}, "no reason is given"),
    ],
)
def test_the_reason_is_in_words_and_names_no_personal_data(service: Stubber, why: Any, reason: str) -> None:
    answers(service, "A bee", why=why)
    found = refused(service, prompt="A bee")
    assert found is not None
    assert ", ".join(found.reasons) == reason


@pytest.mark.parametrize(
    ("code", "status"),
    [("ThrottlingException", 429), ("ServiceQuotaExceededException", 400), ("InternalServerException", 500)],
)
def test_a_guardrail_that_can_t_answer_is_unavailable(service: Stubber, code: str, status: int) -> None:
    service.add_client_error("apply_guardrail", code, http_status_code=status)
    with pytest.raises(ServiceUnavailable):
        refused(service, prompt="A bee")

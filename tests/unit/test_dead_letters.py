"""The three forms in which AWS leaves an event in a dead-letter queue, and anything else."""

import json
from pathlib import Path
from typing import Any

import pytest

from lambdas.domain.dead_letters import Origin, dropped, inference_ids, read_dead_letter

EVENTS = Path(__file__).parents[1] / "events"
VIDEO = "video_00000000000000000000000000000001"


def body(name: str) -> str:
    return (EVENTS / f"{name}.json").read_text()


def test_an_event_that_a_function_failed_on() -> None:
    letter = read_dead_letter(body("dead_letter_function"), {})
    assert letter.origin is Origin.FUNCTION
    assert letter.function == "arn:aws:lambda:us-east-1:000000000000:function:reelworks-SettleClip:$LATEST"
    assert letter.event == json.loads(body("dead_letter_function"))["requestPayload"]
    assert letter.error == "ServiceUnavailable: put clip: SlowDown"
    assert letter.about == VIDEO


def test_an_event_that_never_reached_its_function() -> None:
    event = body("object_created")
    told = {"TARGET_ARN": "arn:of:Intake", "RULE_ARN": "arn:of:rule", "ERROR_MESSAGE": "throttled"}
    letter = read_dead_letter(event, told)
    assert (letter.origin, letter.function, letter.error) == (Origin.RULE, "arn:of:Intake", "throttled")
    assert letter.event == json.loads(event)
    found = dropped(letter.event)
    assert found is not None
    assert letter.about == found[0] == json.loads(event)["detail"]["object"]["key"]


def test_a_notice_that_never_reached_its_function() -> None:
    letter = read_dead_letter(body("dead_letter_topic"), {})
    assert letter.origin is Origin.TOPIC
    assert letter.topic == "arn:aws:sns:us-east-1:000000000000:success"
    assert letter.event["Records"][0]["Sns"]["Message"] == json.loads(body("dead_letter_topic"))["Message"]
    assert inference_ids(letter.event) == [f"{VIDEO}.000.0123456789ab"]
    assert letter.about == VIDEO


def test_a_message_of_another_queue() -> None:
    letter = read_dead_letter(json.dumps({"tenant": "acme", "video_id": VIDEO}), {})
    assert (letter.origin, letter.about) == (Origin.QUEUE, VIDEO)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
        "[1]",
        '{"video_id": 7}',
        '{"requestContext": {"functionArn": 1}, "requestPayload": {}}',
        '{"Type": "Notification"}',
        '{"Records": [1, {"Sns": 1}, {"Sns": {"Message": "[]"}}], "detail": {"object": {"key": 1}}}',
        "[" * 100_000,
    ],
)
def test_anything_else_is_about_nothing(text: str) -> None:
    letter = read_dead_letter(text, {})
    assert (letter.origin, letter.about, letter.function) == (Origin.QUEUE, "", None)


def test_a_function_that_gave_no_reason() -> None:
    document: dict[str, Any] = json.loads(body("dead_letter_function"))
    del document["responsePayload"]
    assert read_dead_letter(json.dumps(document), {}).error == "RetriesExhausted"

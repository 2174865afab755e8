"""Requests to Bedrock's Converse, and how its responses are read."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import Stubber

from lambdas.adapters.text_model import ANSWERED_BY, TextModel, ToolAnswer
from lambdas.domain.brief import Brief, Writing
from lambdas.domain.errors import StoryboardRejected, TextModelFailed, TextModelUnavailable
from lambdas.domain.prices import Prices
from lambdas.domain.storyboard_questions import Tool
from lambdas.tasks.write_storyboard import write
from tests.unit.aws_answers import session

MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
TOOL = Tool("storyboard", "The storyboard of a film.", {"type": "object", "properties": {}})
ASKED = {
    "system": [{"text": "You are a director."}],
    "messages": [{"role": "user", "content": [{"text": "A film on bees."}]}],
    "toolConfig": {
        "tools": [
            {
                "toolSpec": {
                    "name": "storyboard",
                    "description": "The storyboard of a film.",
                    "inputSchema": {"json": TOOL.schema},
                }
            }
        ],
        "toolChoice": {"tool": {"name": "storyboard"}},
    },
}


def answer(content: list[dict[str, Any]], stop_reason: str = "tool_use") -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop_reason,
        "usage": {"inputTokens": 2_000, "outputTokens": 500, "totalTokens": 2_500},
        "metrics": {"latencyMs": 1},
    }


PRICES = Prices(each={f"input {MODEL}": 0.005, f"output {MODEL}": 0.02})
USE = {"toolUse": {"toolUseId": "t1", "name": "storyboard", "input": {"title": "Bees"}}}


@pytest.fixture
def bedrock() -> Iterator[Stubber]:
    with Stubber(session().client("bedrock-runtime")) as stubber:
        yield stubber


def fill(bedrock: Stubber, **writing: Any) -> ToolAnswer:
    return TextModel(bedrock.client, MODEL, PRICES).fill(
        system="You are a director.",
        message="A film on bees.",
        tool=TOOL,
        max_tokens=500,
        writing=Writing(**writing),
    )


@pytest.mark.parametrize(
    ("writing", "sent"),
    [
        ({}, {"modelId": MODEL, "inferenceConfig": {"maxTokens": 500}}),
        (
            {"model": "amazon.nova-lite-v1:0", "temperature": 0.2, "top_p": 0.8, "max_tokens": 90},
            {
                "modelId": "amazon.nova-lite-v1:0",
                "inferenceConfig": {"maxTokens": 90, "temperature": 0.2, "topP": 0.8},
            },
        ),
        (
            {"context_size": 8192},
            {
                "modelId": MODEL,
                "inferenceConfig": {"maxTokens": 500},
                "additionalModelRequestFields": {"num_ctx": 8192},
            },
        ),
    ],
)
def test_one_required_tool_and_only_the_options_set(
    bedrock: Stubber, writing: dict[str, Any], sent: dict[str, Any]
) -> None:
    bedrock.add_response("converse", answer([{"text": "Sure."}, USE]), ASKED | sent)
    cost = 0.02 if sent["modelId"] == MODEL else None
    assert fill(bedrock, **writing) == ToolAnswer(
        input={"title": "Bees"}, by=str(sent["modelId"]), stop_reason="tool_use", cost=cost
    )


@pytest.mark.parametrize(("content", "stop"), [([], "max_tokens"), ([{"text": "No."}], "end_turn")])
def test_an_answer_without_the_tool(bedrock: Stubber, content: list[dict[str, Any]], stop: str) -> None:
    bedrock.add_response("converse", answer(content, stop))
    assert fill(bedrock) == ToolAnswer(input=None, by=MODEL, stop_reason=stop, cost=0.02)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ThrottlingException", TextModelUnavailable),
        ("ModelTimeoutException", TextModelUnavailable),
        ("ResourceNotFoundException", TextModelFailed),
        ("AccessDeniedException", TextModelFailed),
        ("ValidationException", TextModelFailed),
        ("ModelErrorException", TextModelFailed),
    ],
)
def test_a_failing_model_s_error_has_advice(
    bedrock: Stubber, code: str, error: type[TextModelFailed | TextModelUnavailable]
) -> None:
    """Only what may pass by waiting is an error that the state machine retries."""
    bedrock.add_client_error("converse", code, "not now")
    with pytest.raises(error, match=f"the text model {MODEL} did not answer: not now") as caught:
        fill(bedrock)
    assert type(caught.value) is error
    assert "send your own storyboard with the request" in caught.value.advice
    assert "enhance" not in caught.value.advice


def test_the_tool_s_input_written_as_text_is_read(bedrock: Stubber) -> None:
    text = 'Here it is:\n```json\n{"title": "Bees",}\n```'
    bedrock.add_response("converse", answer([{"text": text}], "end_turn"))
    assert fill(bedrock).input == {"title": "Bees"}


def test_an_error_names_the_model_that_answers_in_place_of_bedrock_s(bedrock: Stubber) -> None:
    bedrock.add_client_error(
        "converse",
        "ModelErrorException",
        "http://127.0.0.1:11434 can't be reached",
        response_meta={"HTTPHeaders": {ANSWERED_BY: "ollama qwen3:8b"}},
    )
    with pytest.raises(TextModelFailed) as caught:
        fill(bedrock)
    assert caught.value.message.startswith("the text model ollama qwen3:8b did not answer: http://127")
    assert MODEL not in caught.value.message


def test_a_busy_service_is_asked_for_a_prompt_once_more(
    bedrock: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.adapters.text_model._PAUSE_SECONDS", 0)
    bedrock.add_client_error("converse", "ThrottlingException", "slow down")
    bedrock.add_response("converse", answer([{"text": "A bee."}], "end_turn"))
    model = TextModel(bedrock.client, MODEL, PRICES)
    assert model.ask(system="s", message="m", max_tokens=9, temperature=0.5).text == "A bee."
    bedrock.assert_no_pending_responses()


@pytest.mark.parametrize("stop", ["guardrail_intervened", "content_filtered"])
def test_a_filtered_answer_is_not_retried(bedrock: Stubber, stop: str) -> None:
    bedrock.add_response("converse", answer([{"text": "Blocked."}], stop))
    with pytest.raises(StoryboardRejected, match="content filter") as caught:
        write(Brief(topic="Bees"), 226, TextModel(bedrock.client, MODEL, PRICES), Writing())
    assert "Change the topic" in caught.value.advice
    bedrock.assert_no_pending_responses()


def test_two_questions_cost_twice(bedrock: Stubber) -> None:
    prompts = {"positive_prompt": "A honey bee rests on a white daisy in a sunny meadow."}
    scene = {"image": prompts, "video": prompts}
    whole = {"title": "Bees", "style": "Warm light.", "scenes": [scene]}
    for filled in ({"title": "Bees"}, whole):
        bedrock.add_response("converse", answer([{"toolUse": USE["toolUse"] | {"input": filled}}]))
    model = TextModel(bedrock.client, MODEL, PRICES)
    written = write(Brief(topic="Bees", scenes=1, narrate=False), 226, model, Writing())
    assert written.storyboard.title == "Bees"
    assert written.cost == 0.04
    bedrock.assert_no_pending_responses()

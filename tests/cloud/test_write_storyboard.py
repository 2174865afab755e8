"""Storyboards from the task to the text model: TextModel through boto3 to the PC's Bedrock stand-in, and to
the director or a recorded Ollama behind it."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import boto3
import pytest
from botocore.config import Config
from starlette.responses import JSONResponse, Response

from lambdas.adapters.text_model import TextModel
from lambdas.domain.brief import Brief, Writing
from lambdas.domain.errors import StoryboardRejected, TextModelFailed, TextModelUnavailable
from lambdas.domain.prices import FREE
from lambdas.domain.storyboard import Storyboard, parse_partial
from lambdas.tasks.write_storyboard import Written, rewrite, write
from reelworks.cloud.backends.text.catalogue import TextKind
from reelworks.cloud.services.bedrock import BedrockRuntime
from reelworks.cloud.settings import Settings, TextServer
from tests.cloud.model_servers import ModelServer, ollama_answer
from tests.cloud.servers import serving, stopping

BUDGET = 226
BRIEF = Brief(topic="The life of a honey bee", tone="calm", scenes=2)
SCENE: dict[str, Any] = {
    "narration": {"text": "A bee visits a thousand flowers on a good day."},
    "image": {
        "positive_prompt": "A honey bee with dusty golden fur rests on a white daisy in a sunny meadow.",
        "negative_prompt": "people, text",
    },
    "video": {
        "positive_prompt": "A honey bee lifts off from a white daisy while the camera follows it slowly.",
        "negative_prompt": "people, cuts",
    },
}
ANSWER = {
    "title": "A bee's day",
    "style": "Warm macro photography with soft light.",
    "scenes": [SCENE, SCENE],
}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def ollama(stack: ExitStack) -> tuple[ModelServer, str]:
    server = ModelServer()
    return server, stack.enter_context(serving(server.app))


@pytest.fixture
def model(stack: ExitStack) -> Callable[..., TextModel]:
    """Return the text model backed by an Ollama at a URL, or by the director without a URL."""

    def connect(url: str | None = None) -> TextModel:
        server = TextServer(kind=TextKind.OLLAMA, url=url, model="llama3.1:8b") if url else None
        runtime = stopping(BedrockRuntime(Settings(text=server), places=()))
        client = boto3.Session("test", "test", region_name="us-east-1").client(
            "bedrock-runtime",
            endpoint_url=stack.enter_context(serving(runtime)),
            config=Config(retries={"total_max_attempts": 1}),
        )
        return TextModel(stack.enter_context(closing(client)), "a-bedrock-model", FREE)

    return connect


def answers(server: ModelServer, *given: Response) -> None:
    """Return the answers in order, then repeat the last one."""
    left = list(given)
    server.answers["/api/chat"] = lambda _: left.pop(0) if len(left) > 1 else left[0]


def as_json(answer: Any) -> Response:
    return ollama_answer(json.dumps(answer))


def asked(server: ModelServer) -> list[Any]:
    return [document for path, _, document in server.requests if path == "/api/chat"]


def test_the_director_writes_without_a_model(model: Callable[..., TextModel]) -> None:
    written = write(BRIEF, BUDGET, model(), Writing())
    assert written.by == "rule-based director"
    assert written.note is not None
    assert written.note.startswith("The rule-based director wrote this from your own words; a text model")
    assert len(written.storyboard.scenes) == 2
    assert write(BRIEF, BUDGET, model(), Writing(temperature=0.3, context_size=4096)) == written
    again = rewrite(
        written.storyboard, 1, "At night", language="en-US", budget=BUDGET, model=model(), writing=Writing()
    )
    assert again.storyboard.scenes[0] == written.storyboard.scenes[0]
    assert "At night." in again.storyboard.scenes[1].image.positive_prompt


def test_a_model_s_storyboard(ollama: tuple[ModelServer, str], model: Callable[..., TextModel]) -> None:
    server, url = ollama
    answers(server, as_json(ANSWER))
    settings = Writing(temperature=0.4, top_p=0.9, max_tokens=900, context_size=16384)
    assert write(BRIEF, BUDGET, model(url), settings) == Written(
        storyboard=Storyboard.model_validate(ANSWER), by="ollama llama3.1:8b"
    )
    [question] = asked(server)
    assert question["options"] == {"num_ctx": 16384, "num_predict": 900, "temperature": 0.4, "top_p": 0.9}
    assert question["format"]["properties"]["scenes"]["maxItems"] == 2
    system, user = question["messages"]
    assert "writer and director" in system["content"]
    assert "<topic>The life of a honey bee</topic>" in user["content"]


def test_unset_options_are_left_to_the_model(
    ollama: tuple[ModelServer, str], model: Callable[..., TextModel]
) -> None:
    server, url = ollama
    answers(server, as_json(ANSWER))
    write(BRIEF, BUDGET, model(url), Writing())
    [question] = asked(server)
    assert set(question["options"]) == {"num_ctx", "num_predict"}
    assert question["options"]["num_predict"] > 1000


def test_given_parts_are_kept(ollama: tuple[ModelServer, str], model: Callable[..., TextModel]) -> None:
    server, url = ollama
    answers(server, as_json(ANSWER))
    given = parse_partial({"title": "Ma ruche", "scenes": [{"narration": {"text": "Une abeille."}}]})
    written = write(BRIEF.model_copy(update={"given": given}), BUDGET, model(url), Writing()).storyboard
    assert written.title == "Ma ruche"
    assert [scene.narration and scene.narration.text for scene in written.scenes] == [
        "Une abeille.",
        SCENE["narration"]["text"],
    ]
    assert "Une abeille." in asked(server)[0]["messages"][1]["content"]


def test_a_complete_storyboard_needs_no_model(
    ollama: tuple[ModelServer, str], model: Callable[..., TextModel]
) -> None:
    server, url = ollama
    whole = BRIEF.model_copy(update={"given": parse_partial(ANSWER)})
    assert write(whole, BUDGET, model(url), Writing()) == Written(
        storyboard=Storyboard.model_validate(ANSWER)
    )
    assert asked(server) == []


NO_JSON = ollama_answer('Here is your storyboard:\n{"title": "Bees", ')
TOO_FEW = as_json(ANSWER | {"scenes": [SCENE]})


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (NO_JSON, "did not use the tool"),
        (as_json(["Bees"]), "did not use the tool"),
        (ollama_answer(""), "did not use the tool"),
        (ollama_answer(json.dumps(ANSWER)[:99], done_reason="length"), "cut off before its end"),
        (TOO_FEW, "2 are asked for; 1 were written"),
        (as_json(ANSWER | {"scenes": [SCENE, SCENE | {"image": {}}]}), "scenes[1].image.positive_prompt is"),
    ],
)
def test_a_bad_answer_is_repaired_once(
    ollama: tuple[ModelServer, str], model: Callable[..., TextModel], first: Response, told: str
) -> None:
    server, url = ollama
    answers(server, first, as_json(ANSWER))
    written = write(BRIEF, BUDGET, model(url), Writing())
    assert written.storyboard == Storyboard.model_validate(ANSWER)
    question, repair = (document["messages"][-1]["content"] for document in asked(server))
    assert repair.startswith(question)
    assert told in repair.removeprefix(question)


def test_two_bad_answers_fail_with_the_problems(
    ollama: tuple[ModelServer, str], model: Callable[..., TextModel]
) -> None:
    server, url = ollama
    answers(server, NO_JSON, TOO_FEW)
    with pytest.raises(StoryboardRejected) as caught:
        write(BRIEF, BUDGET, model(url), Writing())
    assert caught.value.message == (
        "Text model ollama llama3.1:8b wrote no usable storyboard, even when asked to repair it. "
        "scenes: 2 are asked for; 1 were written."
    )
    assert "another text model" in caught.value.advice
    assert len(asked(server)) == 2


def test_an_answer_truncated_twice_has_advice(
    ollama: tuple[ModelServer, str], model: Callable[..., TextModel]
) -> None:
    server, url = ollama
    answers(server, ollama_answer("{", done_reason="length"))
    with pytest.raises(StoryboardRejected, match="cut off") as caught:
        write(BRIEF, BUDGET, model(url), Writing())
    assert "max_tokens" in caught.value.advice


def test_a_failure_lists_only_some_of_many_problems(
    ollama: tuple[ModelServer, str], model: Callable[..., TextModel]
) -> None:
    server, url = ollama
    answers(server, as_json({"scenes": [{}, {}]}))
    with pytest.raises(StoryboardRejected, match=r"title is required: .* And 2 more\.$"):
        write(BRIEF, BUDGET, model(url), Writing())


@pytest.mark.parametrize(
    ("response", "message", "kind"),
    [
        (
            JSONResponse({"error": "model 'llama3.1:8b' not found"}, 404),
            "not found",
            TextModelFailed,
        ),
        (JSONResponse({"error": "slow down"}, 429), "slow down", TextModelUnavailable),
        (JSONResponse({"error": "loading model"}, 503), "loading model", TextModelUnavailable),
        (JSONResponse({"error": "model requires more memory"}, 500), "more memory", TextModelFailed),
        (Response(b"<html>"), "malformed", TextModelFailed),
    ],
)
def test_an_unresponsive_model(
    ollama: tuple[ModelServer, str],
    model: Callable[..., TextModel],
    response: Response,
    message: str,
    kind: type[TextModelFailed | TextModelUnavailable],
) -> None:
    server, url = ollama
    answers(server, response)
    with pytest.raises(kind, match=message) as caught:
        write(BRIEF, BUDGET, model(url), Writing())
    assert caught.value.message.startswith(f"the text model ollama llama3.1:8b did not answer: {url}")
    assert "a-bedrock-model" not in caught.value.message
    assert "another text model, or send your own storyboard" in caught.value.advice
    assert len(asked(server)) == 1


def test_a_scene_is_rewritten_and_repaired(
    ollama: tuple[ModelServer, str], model: Callable[..., TextModel]
) -> None:
    server, url = ollama
    night = SCENE | {"narration": {"text": "At night the bee sleeps in its hive."}}
    answers(server, as_json(SCENE | {"video": {}}), as_json(night))
    board = Storyboard.model_validate(ANSWER)
    written = rewrite(
        board, 1, "At night", language="en-US", budget=BUDGET, model=model(url), writing=Writing()
    )
    assert written.storyboard.scenes == [board.scenes[0], board.scenes[1].model_validate(night)]
    assert "scenes[1].video.positive_prompt is required" in asked(server)[1]["messages"][-1]["content"]

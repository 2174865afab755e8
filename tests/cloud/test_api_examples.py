"""Every example in the API's document works as it is written, with a video of one's own."""

import json
from collections.abc import Callable

import pytest

from lambdas.api.operations import PATH_PARAMETERS, Json, Operation
from tests.api_document import operations
from tests.cloud import test_editing, test_remix
from tests.cloud.rest import call

EXAMPLES = [
    pytest.param(operation, dict(body), id=f"{operation.id}: {says}")
    for operation in operations()
    # They ask what only a cloud has, another function and Polly: see test_webhook_endpoints and test_writing.
    if operation.body and operation.id not in ("test_webhook_endpoint", "hear_voice")
    for says, body in operation.body.examples.items()
]
# What the operations need of a video whose id they are given; by default, that it is filmed.
WAITING = {"replace_storyboard", "regenerate_scene"}


def a_video(operation: Operation) -> str:
    make: Callable[..., str] = test_editing.waiting if operation.id in WAITING else test_remix.filmed
    return make(model="cogvideox-5b-i2v") if operation.id in WAITING else make()


@pytest.mark.parametrize(("operation", "body"), EXAMPLES)
def test_an_example_is_accepted(polly: None, operation: Operation, body: Json) -> None:
    path, sent = operation.path.replace("<scene>", "0"), json.dumps(body)
    placeholder = str(PATH_PARAMETERS["video_id"]["example"])
    if "<video_id>" in path or placeholder in sent:
        id_ = a_video(operation)
        path, sent = path.replace("<video_id>", id_), sent.replace(placeholder, id_)
    if "<endpoint_id>" in path:
        receiver = {"url": f"https://example.com/{operation.id}"}
        path = path.replace("<endpoint_id>", call("POST", "/v1/webhook_endpoints", body=receiver).json["id"])
    answer = call(operation.methods[0], path, body=sent)  # checks the answer against the document
    assert answer.status == 200, answer.text

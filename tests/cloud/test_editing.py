"""Review, edits and new attempts through the REST API, over a local AWS. The tests write to the record what
the state machine does between the calls."""

import json
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.storyboards import Storyboards
from lambdas.adapters.videos import now_ms
from lambdas.api.request import settings
from lambdas.domain import keys
from lambdas.domain.stages import Stage
from lambdas.domain.storyboard import Frame, Storyboard
from lambdas.domain.video import Source, Video, execution_name
from lambdas.domain.video_parts import (
    AssemblyProgress,
    ClipState,
    Decision,
    Failure,
    Part,
    PartProgress,
    Review,
    Rewrite,
)
from lambdas.domain.video_request import Gate
from lambdas.intake.accept import Intake
from tests.cloud.deployment import Deployment, next_message, png
from tests.cloud.rest import Answer, call, complete, create, gateway
from tests.cloud.servers import serving, wait_until

CONTENT = "f" * 64  # SHA-256 of a film
FAILURE = Failure(step="Review", code="ReviewTimedOut", reason="Nobody came.", advice="Approve it.")


def scene(text: str, said: str | None = None) -> dict[str, Any]:
    narration = {"narration": {"text": said}} if said else {}
    return {"image": {"positive_prompt": text}, "video": {"positive_prompt": text}, **narration}


BOARD = {"title": "Bees", "style": "Warm light.", "scenes": [scene("A bee.", "Bees fly."), scene("A hive.")]}


def edited(**fields: Any) -> dict[str, Any]:
    return {**BOARD, "scenes": [scene("A wasp.", "Wasps fly."), *BOARD["scenes"][1:]], **fields}


def now(id_: str) -> Video:
    return stores.videos(settings()).get("acme", id_)


def standing(id_: str) -> Storyboard:
    return Storyboards(stores.outputs(settings())).get(now(id_))


def advance(id_: str, *stages: Stage, **changes: Any) -> None:
    for stage in stages:
        stores.videos(settings()).advance("acme", id_, stage, **changes)


def written(**fields: Any) -> str:
    """Return a video whose storyboard is written."""
    id_: str = create(prompt=None, storyboard=BOARD, narrate=False, **fields)["id"]
    kept = Storyboards(stores.outputs(settings())).put(now(id_), Storyboard.model_validate(BOARD))
    advance(id_, Stage.PLANNING, storyboard=kept)
    return id_


def waiting(gate: Gate = Gate.STORYBOARD, **fields: Any) -> str:
    """Return a video that waits for its user."""
    id_ = written(review=["storyboard", "previews"], **fields)
    approved = () if gate is Gate.STORYBOARD else (Gate.STORYBOARD,)
    review = Review(gate=gate, until_ms=now_ms() + 3_600_000)
    advance(id_, Stage.REVIEWING, review=review, approved=approved)
    return id_


def failed(id_: str, failure: Failure = FAILURE) -> str:
    advance(id_, Stage.FAILED, failure=failure)
    return id_


def filmed(**fields: Any) -> str:
    id_ = written(**fields)
    complete(id_, filmed=now(id_).storyboard)
    return id_


def token_of(id_: str, name: str) -> str:
    """Park the token of an execution that waits at the video's gate; return the execution's ARN."""
    states, sqs = client("stepfunctions"), client("sqs")
    tokens = sqs.create_queue(QueueName=f"tokens-{name}")["QueueUrl"]
    wait = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": tokens, "MessageBody.$": "$$.Task.Token"},
        "End": True,
    }
    definition = json.dumps({"StartAt": "Wait", "States": {"Wait": wait}})
    role = "arn:aws:iam::000000000000:role/any"
    machine = states.create_state_machine(name=f"wait-{name}", definition=definition, roleArn=role)
    execution: str = states.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]
    token = next_message(tokens)
    video = now(id_)
    assert video.review
    assert stores.reviews(settings()).park(video, video.review, token)
    return execution


def status_of(execution: str) -> str:
    return client("stepfunctions").describe_execution(executionArn=execution)["status"]


def output_of(execution: str) -> Any:
    """Wait for the execution's end, which may follow the answer to its token by a moment."""
    wait_until(lambda: status_of(execution) != "RUNNING")
    return json.loads(client("stepfunctions").describe_execution(executionArn=execution)["output"])


def put(id_: str, document: Any, if_match: str | None = None, **details: Any) -> Answer:
    headers = {"If-Match": if_match} if if_match is not None else {}
    body = document if isinstance(document, bytes | str | dict) else json.dumps(document)
    return call("PUT", f"/v1/videos/{id_}/storyboard", body=body, headers=headers, **details)


def post(id_: str, tail: str, body: dict[str, Any] | None = None, **details: Any) -> Answer:
    return call("POST", f"/v1/videos/{id_}/{tail}", body=body, **details)


def refused(answer: Answer, status: int, code: str, *says: str, param: str | None = None) -> None:
    assert (answer.status, answer.error["code"]) == (status, code), answer.text
    for words in says:
        assert words in answer.error["message"]
    if param:
        assert answer.error["param"] == param
    if status == 409:  # OpenAI's client would retry
        assert answer.headers["x-should-retry"] == "false"


# --- review


@pytest.mark.filterwarnings("ignore:.*Sora:DeprecationWarning")
def test_a_video_shows_its_gates_and_waits_in_progress(aws: Deployment) -> None:
    id_ = waiting()
    video = call("GET", f"/v1/videos/{id_}").json
    assert (video["status"], video["stage"]) == ("in_progress", "reviewing")
    until = now(id_).review
    assert until
    assert video["review"] == {
        "requested": ["storyboard", "previews"],
        "gate": "storyboard",
        "until": until.until_ms // 1000,
        "approved": [],
    }
    plain = create()
    assert plain["review"] == {"requested": [], "gate": None, "until": None, "approved": []}
    with serving(gateway("acme")) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="k") as sdk:
        assert sdk.videos.retrieve(id_).status == "in_progress"


@pytest.mark.parametrize("gate", [Gate.STORYBOARD, Gate.PREVIEWS])
def test_an_approved_video_continues(queue: Deployment, gate: Gate) -> None:
    id_ = waiting(gate)
    execution = token_of(id_, f"approved-{gate}")
    answer = post(id_, "approve")
    assert answer.status == 200
    assert answer.json["stage"] == "preparing"
    assert gate in answer.json["review"]["approved"]
    assert answer.json["review"]["gate"] is None
    assert output_of(execution) == {"decision": "approved"}
    version = now(id_).version
    again = post(id_, "approve")
    assert (again.status, again.json["stage"]) == (200, "preparing")
    assert now(id_).version == version
    assert not [message for message in queue.messages() if message["video_id"] == id_][
        1:
    ]  # from the create request


def test_a_repeated_approval_does_not_approve_the_next_gate(queue: Deployment) -> None:
    id_ = waiting(Gate.PREVIEWS)
    version = now(id_).version
    again = post(id_, "approve", query={"gate": "storyboard"})
    assert (again.status, again.json["review"]["gate"]) == (200, "previews")
    assert now(id_).version == version
    early = post(waiting(), "approve", query={"gate": "previews"})
    refused(early, 409, "not_ready", "gate storyboard, not at gate previews", param="gate")
    refused(post(id_, "approve", query={"gate": "door"}), 400, "invalid_request", "storyboard, previews")
    assert post(id_, "approve", query={"gate": "previews"}).json["stage"] == "preparing"


def test_only_the_storyboard_seen_is_approved(queue: Deployment) -> None:
    id_ = waiting()
    seen = {"If-Match": call("GET", f"/v1/videos/{id_}/storyboard").headers["etag"]}
    put(id_, edited())
    refused(
        post(id_, "approve", headers=seen),
        412,
        "precondition_failed",
        "does not match the current storyboard's ETag",
    )
    assert now(id_).stage is Stage.REVIEWING
    stands = {"If-Match": call("GET", f"/v1/videos/{id_}/storyboard").headers["etag"]}
    assert post(id_, "approve", headers=stands).json["stage"] == "preparing"


def test_the_next_approval_answers_for_a_lost_one(aws: Deployment) -> None:
    id_ = waiting()
    execution = token_of(id_, "lost")
    review = now(id_).review
    assert review
    decided = review.model_copy(update={"decision": Decision.APPROVED})
    advance(id_, Stage.PREPARING, review=decided, approved=(Gate.STORYBOARD,))
    assert status_of(execution) == "RUNNING"
    assert post(id_, "approve").status == 200
    assert output_of(execution) == {"decision": "approved"}


def test_an_approval_at_the_wrong_time(aws: Deployment) -> None:
    refused(post(written(), "approve"), 409, "not_ready", "planning", "reviewing", param="id")
    refused(post(filmed(), "approve"), 409, "not_ready", "nothing to re-render")
    refused(post(create()["id"], "approve"), 404, "not_found", "one prompt")
    unwritten = create(prompt=None, topic="Bees")["id"]
    refused(post(failed(unwritten), "approve"), 409, "not_ready", "no storyboard", "retry")


def test_a_review_that_timed_out_resumes_at_its_gate(queue: Deployment) -> None:
    for gate in (Gate.STORYBOARD, Gate.PREVIEWS):
        id_ = failed(waiting(gate))
        queue.messages()
        video = post(id_, "approve").json
        assert (video["stage"], video["failure"], video["attempt"]) == ("queued", None, 2)
        assert now(id_).approved == ((gate,) if gate is Gate.STORYBOARD else (Gate.STORYBOARD, gate))
        assert queue.messages() == [{"tenant": "acme", "video_id": id_}]


def test_a_retry_after_a_review_timeout_waits_again(aws: Deployment) -> None:
    id_ = failed(waiting(Gate.PREVIEWS))
    assert post(id_, "retry").json["stage"] == "queued"
    assert now(id_).gates == [Gate.PREVIEWS]


def test_a_waiting_video_is_cancelled_and_its_execution_stopped(aws: Deployment) -> None:
    id_ = waiting()
    machine = settings().state_machine_arn
    name = execution_name(id_, 1)
    started = client("stepfunctions").start_execution(stateMachineArn=machine, name=name)["executionArn"]
    assert post(id_, "cancel").json["stage"] == "cancelled"
    assert client("stepfunctions").describe_execution(executionArn=started)["status"] == "ABORTED"
    assert post(id_, "approve").json["stage"] == "queued"
    assert now(id_).approved == (Gate.STORYBOARD,)


# --- the film, before it is delivered


def assembled(id_: str) -> str:
    """Have the video's film wait for its user, because it warns."""
    advance(id_, Stage.PLANNING, Stage.RENDERING, Stage.ASSEMBLING)
    report, film = keys.quality("acme", CONTENT), keys.film("acme", CONTENT)
    stores.outputs(settings()).put(report, b'{"warnings": 2}', "application/json")
    stores.outputs(settings()).put(film, b"film", "video/mp4")
    made = AssemblyProgress(
        warnings=2, content=CONTENT, storyboard=now(id_).storyboard, started_ms=1, finished_ms=2
    )
    review = Review(gate=Gate.FILM, until_ms=now_ms() + 3_600_000)
    advance(id_, Stage.REVIEWING, review=review, assembly=made)
    return id_


def content(id_: str, variant: str) -> Answer:
    return call("GET", f"/v1/videos/{id_}/content", query={"variant": variant})


def test_a_film_that_waits_is_shown_with_what_warns_and_delivered_once_approved(queue: Deployment) -> None:
    for id_ in (assembled(create(on_warning="review")["id"]), assembled(written(on_warning="review"))):
        video = call("GET", f"/v1/videos/{id_}").json
        assert (video["status"], video["stage"], video["progress"]) == ("in_progress", "reviewing", 97)
        assert (video["review"]["gate"], video["quality_warnings"]) == ("film", 2)
        assert (video["on_warning"], video["url"]) == ("review", None)
        for variant, body in (("video", b"film"), ("quality", b'{"warnings": 2}')):
            answer = content(id_, variant)
            assert answer.status == 302, answer.text
            with urllib.request.urlopen(answer.headers["location"]) as there:
                assert there.read() == body
        refused(content(id_, "manifest"), 409, "not_ready", "reviewing")
        refused(content(id_, "captions"), 409, "not_ready")
        execution = token_of(id_, f"film-{id_[6:14]}")
        assert post(id_, "approve", query={"gate": "film"}).json["stage"] == "publishing"
        assert output_of(execution) == {"decision": "approved"}
        assert now(id_).approved == (Gate.FILM,)
        assert post(id_, "approve").json["stage"] == "publishing"


def test_an_edited_film_is_made_again_by_a_new_attempt_instead_of_delivered(queue: Deployment) -> None:
    id_ = assembled(written(on_warning="review", review=["storyboard"]))
    advance(id_, Stage.REVIEWING, approved=(Gate.STORYBOARD,))
    started = client("stepfunctions").start_execution(
        stateMachineArn=settings().state_machine_arn, name=execution_name(id_, 1)
    )["executionArn"]
    queue.messages()
    assert put(id_, edited()).status == 200
    assert now(id_).stage is Stage.REVIEWING
    assert now(id_).approved == ()
    video = post(id_, "approve").json
    assert (video["stage"], video["attempt"]) == ("queued", 2)
    assert now(id_).approved == (Gate.STORYBOARD,)
    assert queue.messages() == [{"tenant": "acme", "video_id": id_}]
    assert status_of(started) == "ABORTED"


def test_an_edit_that_is_taken_back_lets_the_film_be_delivered(aws: Deployment) -> None:
    id_ = assembled(written(on_warning="review"))
    put(id_, edited())
    put(id_, BOARD)
    assert post(id_, "approve").json["stage"] == "publishing"


def test_a_note_at_a_waiting_film_starts_a_new_attempt(queue: Deployment) -> None:
    id_ = assembled(written(on_warning="review"))
    queue.messages()
    assert post(id_, "scenes/0/regenerate", {"part": "text", "note": "Rain."}).json["stage"] == "queued"
    assert (now(id_).attempt, now(id_).approved) == (2, ())
    assert queue.messages() == [{"tenant": "acme", "video_id": id_}]


def test_a_film_that_nobody_approved_in_time_can_be_approved_later(aws: Deployment) -> None:
    for id_ in (assembled(create(on_warning="review")["id"]), assembled(written(on_warning="review"))):
        video = post(failed(id_), "approve").json
        assert (video["stage"], video["attempt"]) == ("queued", 2)
        assert Gate.FILM in now(id_).approved


# --- replacing a storyboard


def test_a_storyboard_is_read_edited_and_put(aws: Deployment) -> None:
    id_ = filmed()
    before = call("GET", f"/v1/videos/{id_}/storyboard")
    assert before.headers["etag"] == f'"{now(id_).storyboard}"'
    answer = put(id_, edited(), before.headers["etag"])
    assert answer.status == 200
    assert Storyboard.model_validate(answer.json) == Storyboard.model_validate(edited())
    assert answer.headers["etag"] == f'"{Storyboard.model_validate(edited()).sha256}"'
    assert call("GET", f"/v1/videos/{id_}/storyboard").json == answer.json
    video = call("GET", f"/v1/videos/{id_}").json
    assert (video["status"], video["storyboard"]["filmed"]) == ("completed", False)
    assert call("GET", f"/v1/videos/{id_}/content").status == 302
    assert put(id_, BOARD).status == 200
    assert call("GET", f"/v1/videos/{id_}").json["storyboard"]["filmed"] is True


def test_an_edit_makes_a_scene_a_title_card(aws: Deployment) -> None:
    id_ = waiting()
    given = edited()
    given["scenes"][1] = {"title": {"text": "Bees at home"}}
    answer = put(id_, given)
    assert answer.status == 200, answer.text
    scene = standing(id_).scenes[1]
    assert (scene.own, scene.seconds, scene.is_spoken) == ("title", 4, False)
    assert put(id_, answer.json).json == answer.json, "as it was read"
    asked = call("POST", f"/v1/videos/{id_}/scenes/1/regenerate", body={"part": "text", "note": "Shorter"})
    assert (asked.status, asked.error["param"]) == (400, "part")
    assert "the scene shows its title" in asked.error["message"]


def test_an_edit_gives_a_scene_its_own_picture_and_takes_it_away(aws: Deployment) -> None:
    id_ = waiting(model="cogvideox-5b-i2v")
    url = "data:image/png;base64," + b64encode(png(4)).decode()
    given = edited()
    given["scenes"][1] = {**given["scenes"][1], "first_frame": url}
    answer = put(id_, given)
    assert answer.status == 200, answer.text
    frame = answer.json["scenes"][1]["first_frame"]
    assert frame["media_type"] == "image/png"
    assert standing(id_).scenes[1].first_frame == Frame.model_validate(frame)
    assert stores.inputs(settings()).get(keys.upload("acme", frame["sha256"], "png")) == png(4)
    assert put(id_, answer.json).json == answer.json, "as it was read"
    assert put(id_, edited()).json["scenes"][1].get("first_frame") is None
    given["scenes"][1]["last_frame"] = url
    says = "does not support a last frame"
    refused(put(id_, given), 400, "invalid_request", says, param="scenes[1].last_frame")


def test_the_same_storyboard_changes_nothing(aws: Deployment) -> None:
    for id_ in (filmed(), waiting(), waiting(Gate.PREVIEWS)):
        before = now(id_)
        assert put(id_, BOARD).status == 200
        assert now(id_) == before


def test_a_storyboard_only_replaces_the_version_that_was_read(aws: Deployment) -> None:
    id_ = filmed()
    read = call("GET", f"/v1/videos/{id_}/storyboard").headers["etag"]
    assert put(id_, edited(title="First"), read).status == 200
    late = put(id_, edited(title="Late"), read)
    refused(
        late, 412, "precondition_failed", "does not match the current storyboard's ETag", param="if-match"
    )
    assert standing(id_).title == "First"
    for weak in (f"W/{read}", "nonsense", f"W/{put(id_, edited(title='First')).headers['etag']}"):
        assert put(id_, edited(title="Late"), weak).status == 412
    assert put(id_, edited(title="Any"), "*").status == 200
    assert (
        put(id_, edited(title="Last"), f'"other", {put(id_, edited(title="Any")).headers["etag"]}').status
        == 200
    )
    assert standing(id_).title == "Last"


@pytest.mark.parametrize("matched", [True, False])
def test_one_of_several_concurrent_puts_wins_and_nothing_else_is_lost(aws: Deployment, matched: bool) -> None:
    id_ = filmed()
    tag = call("GET", f"/v1/videos/{id_}/storyboard").headers["etag"] if matched else None
    titles = [f"Title {number}" for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda title: put(id_, edited(title=title), tag), titles))
    ok = [answer for answer in answers if answer.status == 200]
    assert [answer.status for answer in answers if answer not in ok] == ([412] * 3 if matched else [])
    assert standing(id_).title in titles
    if matched:
        assert standing(id_).title == ok[0].json["title"]
    video = now(id_)
    assert (video.stage, video.film) == (Stage.COMPLETED, keys.delivered_film("acme", id_, 1))
    assert video.version == 7 + len(ok)


LONG = [{**scene("A bee."), "seconds": 1801}, {**scene("A bee."), "seconds": 1801}]


@pytest.mark.parametrize(
    ("document", "param", "says"),
    [
        ("{", None, "JSON"),
        ("[]", None, "JSON object"),
        ({}, "title", "1 to 200"),
        (edited(title="\u200b"), "title", "invisible characters"),
        (edited(scenes=[]), "scenes", "1 to 50"),
        (edited(colour="red"), "colour", "title, style, scenes"),
        (
            edited(scenes=[scene("A bee."), {**scene("A bee."), "video": {"positive_prompt": ""}}]),
            "scenes[1].video.positive_prompt",
            "1 to 2,000",
        ),
        (edited(scenes=[{**scene("A bee."), "seconds": 0.001}]), "scenes[0].seconds", "one frame"),
        (edited(scenes=LONG), "scenes", "3,600 seconds in total; got 3,602"),
        (edited(scenes=[scene("A bee.", "é" * 2900)] * 36), "storyboard", "150,000 bytes"),
    ],
)
def test_an_invalid_storyboard_is_rejected_and_nothing_is_lost(
    aws: Deployment, document: Any, param: str | None, says: str
) -> None:
    id_ = filmed()
    before = now(id_)
    refused(put(id_, document), 400, "invalid_request", says, param=param)
    assert now(id_) == before
    assert aws.keys("output", f"videos/acme/{id_}/storyboards/") == {
        keys.storyboard("acme", id_, str(before.storyboard))
    }


def test_a_storyboard_is_json(aws: Deployment) -> None:
    form = {"content-type": "multipart/form-data; boundary=b"}
    answer = call("PUT", f"/v1/videos/{filmed()}/storyboard", body=b"--b--\r\n", headers=form)
    refused(answer, 400, "invalid_request", "application/json", param="content-type")


def test_more_clips_than_a_film_may_have(aws: Deployment) -> None:
    id_ = filmed(model="cogvideox-2b")
    shots = [{**scene("A bee."), "seconds": 72} for _ in range(50)]
    assert put(id_, edited(scenes=shots)).status == 200  # 600 clips of 6 s


def test_a_film_in_production_cannot_be_edited(aws: Deployment) -> None:
    id_ = written()
    for stage in (Stage.PREPARING, Stage.RENDERING, Stage.ASSEMBLING, Stage.PUBLISHING):
        advance(id_, stage)
        refused(put(id_, edited()), 409, "not_ready", stage, "review", "cancel", param="id")
    again = post(id_, "scenes/0/regenerate", {"part": "text", "note": "More bees"})
    refused(again, 409, "not_ready", "publishing")
    unwritten = failed(create(prompt=None, topic="Bees")["id"])
    refused(put(unwritten, edited()), 409, "not_ready", "no storyboard", "retry")
    refused(put(create()["id"], edited()), 404, "not_found", "one prompt")


def test_an_edit_at_the_first_gate_waits_for_approval(aws: Deployment) -> None:
    id_ = waiting()
    execution = token_of(id_, "stands")
    assert put(id_, edited()).status == 200
    assert (now(id_).stage, status_of(execution)) == (Stage.REVIEWING, "RUNNING")
    assert post(id_, "approve").status == 200
    assert output_of(execution) == {"decision": "approved"}
    assert standing(id_).scenes[0].image.positive_prompt == "A wasp."


def test_an_edit_at_the_second_gate_regenerates_the_changed_previews(aws: Deployment) -> None:
    id_ = waiting(Gate.PREVIEWS)
    execution = token_of(id_, "changed")
    assert put(id_, edited()).status == 200
    video = now(id_)
    assert (video.stage, video.approved, video.gates) == (
        Stage.PLANNING,
        (Gate.STORYBOARD,),
        [Gate.PREVIEWS],
    )
    assert output_of(execution) == {"decision": "changed"}


def test_a_concurrent_edit_and_approval_are_serialized(aws: Deployment) -> None:
    for _ in range(3):
        id_ = waiting()
        with ThreadPoolExecutor(2) as pool:
            approval = pool.submit(post, id_, "approve")
            edit = pool.submit(put, id_, edited())
        assert approval.result().status == 200
        video = now(id_)
        assert (video.stage, video.approved) == (Stage.PREPARING, (Gate.STORYBOARD,))
        assert edit.result().status == (
            200 if standing(id_).scenes[0].image.positive_prompt == "A wasp." else 409
        )


def test_an_edited_film_is_re_rendered_once_approved(queue: Deployment) -> None:
    id_ = filmed(review=["storyboard", "previews"])
    put(id_, edited())
    queue.messages()
    video = post(id_, "approve").json
    assert (video["stage"], video["attempt"], video["error"]) == ("queued", 2, None)
    assert call("GET", f"/v1/videos/{id_}/content").status == 302  # of the film before
    assert queue.messages() == [{"tenant": "acme", "video_id": id_}]
    assert now(id_).gates == [Gate.PREVIEWS]
    assert post(id_, "approve").json["attempt"] == 2
    assert post(id_, "cancel").status == 200
    assert call("GET", f"/v1/videos/{id_}/content").status == 302


def test_a_failed_film_s_previews_only_count_for_their_storyboard(aws: Deployment) -> None:
    for edit, gates in ((None, []), (edited(), [Gate.PREVIEWS])):
        id_ = failed(waiting(Gate.PREVIEWS))
        if edit:
            put(id_, edit)
        post(id_, "approve")
        assert now(id_).gates == gates


# --- a new attempt


def ended_by_a_cancel(id_: str) -> str:
    assert post(id_, "cancel").status == 200
    return id_


@pytest.mark.parametrize("end", [failed, ended_by_a_cancel])
def test_a_failed_or_cancelled_video_is_retried_once(queue: Deployment, end: Callable[[str], str]) -> None:
    id_ = end(create()["id"])
    queue.messages()
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: post(id_, "retry"), range(3)))
    assert {(answer.status, answer.json["attempt"], answer.json["status"]) for answer in answers} == {
        (200, 2, "queued")
    }
    assert {message["video_id"] for message in queue.messages()} == {id_}
    video = now(id_)
    assert (video.attempt, video.failure, video.history[-1].stage) == (2, None, Stage.QUEUED)


def test_a_retry_of_a_running_or_completed_video(aws: Deployment) -> None:
    id_ = written()
    before = now(id_)
    assert post(id_, "retry").json["stage"] == "planning"
    assert now(id_) == before
    done = filmed()
    refused(post(done, "retry"), 409, "not_ready", "completed", param="id")
    put(done, edited())
    refused(post(done, "retry"), 409, "not_ready", "Approve")


def test_shapes_are_added_to_a_film_without_rendering_it_again(queue: Deployment) -> None:
    id_ = written(aspect="16:9", shapes=["1:1"])
    assert [one["aspect"] for one in post(id_, "shapes", {"shapes": ["9:16"]}).json["shapes"]] == [
        "1:1",
        "9:16",
    ]
    assert now(id_).attempt == 1, "it gets them with its film"
    complete(id_, filmed=now(id_).storyboard)
    queue.messages()
    wide = [{"aspect": "9:16", "fit": "blur"}, "21:9"]
    again = post(id_, "shapes", {"shapes": wide}).json
    assert (again["attempt"], again["stage"]) == (2, "queued")
    assert [(one["aspect"], one["fit"]) for one in again["shapes"]] == [
        ("1:1", "cover"),
        ("9:16", "blur"),
        ("21:9", "cover"),
    ]
    assert post(id_, "shapes", {"shapes": wide}).json["attempt"] == 2, "a repeated call"
    advance(id_, Stage.PLANNING, Stage.RENDERING, Stage.ASSEMBLING)
    refused(post(id_, "shapes", {"shapes": ["4:5"]}), 409, "not_ready", "Wait")
    advance(id_, Stage.PUBLISHING, Stage.COMPLETED)
    refused(post(id_, "shapes", {"shapes": ["16:9"]}), 400, "invalid_request", "itself", param="shapes")
    refused(post(id_, "shapes", {"shapes": []}), 400, "invalid_request", "list", param="shapes")
    put(id_, edited())
    refused(post(id_, "shapes", {"shapes": ["4:5"]}), 409, "not_ready", "Approve it first")


def test_a_retry_without_a_storyboard(aws: Deployment) -> None:
    id_ = failed(create(prompt=None, topic="Bees")["id"])
    video = post(id_, "retry").json
    assert (video["stage"], video["storyboard"]) == ("queued", None)


def test_a_repeated_create_finds_the_new_attempt(queue: Deployment) -> None:
    headers = {"Idempotency-Key": "again"}
    id_ = failed(create(headers=headers)["id"])
    assert create(headers=headers)["stage"] == "failed"
    post(id_, "retry")
    found = create(headers=headers)
    assert (found["id"], found["attempt"], found["stage"]) == (id_, 2, "queued")


def test_a_film_stays_while_a_new_one_is_rendered(aws: Deployment) -> None:
    """Including the film beside a dropped object."""
    source = Source(bucket="input", key="drop/acme/stays.json", etag="1")
    outputs = stores.outputs(settings())
    fields = {"storyboard": BOARD, "narrate": False, "review": "previews"}
    id_ = Intake(settings()).accept("acme", fields, source=source).id
    assert now(id_).request.review == (Gate.PREVIEWS,)
    kept = Storyboards(outputs).put(now(id_), Storyboard.model_validate(BOARD))
    outputs.put(keys.drop_result(source.key, "mp4"), b"film", "video/mp4")
    complete(id_, storyboard=kept, filmed=kept)
    put(id_, edited())
    post(id_, "approve")
    assert post(id_, "cancel").status == 200
    assert outputs.get(keys.drop_result(source.key, "mp4")) == b"film"
    assert not outputs.exists(keys.drop_result(source.key, "error.json"))
    with urllib.request.urlopen(call("GET", f"/v1/videos/{id_}/content").headers["location"]) as response:
        assert response.read() == b"film"


# --- regenerating a scene's part


@pytest.mark.parametrize("part", list(Part))
def test_a_note_asks_the_text_model(aws: Deployment, part: Part) -> None:
    asked = {"part": part, "note": " At night "}
    wanted = Rewrite(scene=0, part=part, note="At night")
    id_ = waiting(Gate.STORYBOARD, stills="standard")
    execution = token_of(id_, f"note-{part}")
    answer = post(id_, "scenes/0/regenerate", asked)
    assert (answer.status, answer.json["stage"]) == (200, "planning")
    assert now(id_).rewrite == wanted
    assert output_of(execution) == {"decision": "changed"}
    done = filmed(stills="standard")
    answer = post(done, "scenes/0/regenerate", asked)
    assert (answer.json["stage"], answer.json["attempt"]) == ("queued", 2)
    assert (now(done).rewrite, now(done).approved) == (wanted, ())


def test_the_same_note_can_be_sent_again_after_a_failure(aws: Deployment) -> None:
    id_ = filmed()
    note = {"part": "text", "note": "At night"}
    post(id_, "scenes/1/regenerate", note)
    failed(id_)
    assert post(id_, "scenes/1/regenerate", note).json["attempt"] == 3


def test_regenerating_a_still_with_another_seed(aws: Deployment) -> None:
    id_ = waiting(Gate.PREVIEWS, stills="standard")
    assert post(id_, "scenes/1/regenerate", {"part": "still", "seed": 7}).json["stage"] == "planning"
    assert [drawn.image.seed for drawn in standing(id_).scenes] == [None, 7]
    done = filmed(stills="standard")
    answer = post(done, "scenes/0/regenerate", {"part": "still"})
    assert (answer.status, answer.json["stage"]) == (200, "completed")
    first = standing(done).scenes[0].image.seed
    assert first is not None
    post(done, "scenes/0/regenerate", {"part": "still"})
    assert standing(done).scenes[0].image.seed != first
    version = now(done).version
    post(done, "scenes/0/regenerate", {"part": "still", "seed": standing(done).scenes[0].image.seed})
    assert now(done).version == version


def test_regenerating_a_narration_with_another_voice(polly: None) -> None:
    id_ = waiting()
    unknown = post(id_, "scenes/0/regenerate", {"part": "voice", "voice": "Nobody"})
    refused(unknown, 400, "invalid_request", "lists: Amy, Joe, Olivia; got 'Nobody'", param="voice")
    answer = post(id_, "scenes/0/regenerate", {"part": "voice", "voice": "Amy", "speed": 0.9})
    assert answer.json["stage"] == "reviewing"  # nothing is spoken before the storyboard is approved
    narration = standing(id_).scenes[0].narration
    assert narration
    assert (narration.text, narration.voice, narration.speed) == ("Bees fly.", "Amy", 0.9)


@pytest.mark.parametrize(
    ("where", "body", "param", "says"),
    [
        ("2", {"part": "text", "note": "x"}, "scene", "from 0 to 1; got '2'"),
        ("-1", {"part": "text", "note": "x"}, "scene", "from 0 to 1"),
        ("one", {"part": "text", "note": "x"}, "scene", "from 0 to 1"),
        ("0", {}, "part", "one of text, voice, still"),
        ("0", {"part": "sound"}, "part", "one of text, voice, still"),
        ("0", {"part": "text"}, "note", "required"),
        ("0", {"part": "text", "note": "x" * 2001}, "note", "1 to 2,000 characters"),
        ("0", {"part": "text", "note": " "}, "note", "1 to 2,000 characters"),
        ("0", {"part": "text", "note": "\u200b"}, "note", "invisible characters"),
        ("0", {"part": "text", "note": "x", "seed": 1}, "seed", "allowed only when part is still"),
        ("0", {"part": "still", "voice": "Amy"}, "voice", "allowed only when part is voice"),
        ("0", {"part": "voice"}, "part", "a note, a voice or a speed"),
        ("0", {"part": "voice", "speed": 3}, "speed", "0.5 to 2"),
        ("0", {"part": "still", "seed": 2**32}, "seed", "4294967295"),
        ("1", {"part": "voice", "voice": "Amy"}, "part", "the scene has no narration"),
        ("0", {"part": "still"}, "part", "film without stills"),
        ("0", {"part": "text", "note": "x", "colour": "red"}, "colour", "part, note, voice, speed, seed"),
    ],
)
def test_parts_that_cannot_be_regenerated(
    aws: Deployment, where: str, body: dict[str, Any], param: str, says: str
) -> None:
    id_ = filmed()
    before = now(id_)
    answer = post(id_, f"scenes/{where}/regenerate", body)
    refused(answer, 400, "invalid_request", says, param=param)
    assert now(id_) == before


# --- previews


def test_previews_are_links(aws: Deployment) -> None:
    id_ = waiting(Gate.PREVIEWS, stills="standard")
    outputs = stores.outputs(settings())
    spoken, drawn = keys.narration("acme", "a" * 64), keys.still("acme", "b" * 64)
    outputs.put(keys.narration_preview("acme", "a" * 64), b"sound", "audio/mp4")
    outputs.put(drawn, png(), "image/png")
    videos, state = stores.videos(settings()), ClipState.DONE
    videos.amend(
        now(id_),
        narrations=[PartProgress(scene=0, state=state, artifact=spoken)],
        stills=[PartProgress(scene=0, state=state, artifact=drawn), PartProgress(scene=1)],
    )
    for part, content, kind in (("narration", b"sound", "audio/mp4"), ("still", png(), "image/png")):
        answer = call("GET", f"/v1/videos/{id_}/scenes/0/{part}")
        assert (answer.status, answer.headers["cache-control"]) == (302, "no-store")
        with urllib.request.urlopen(answer.headers["location"]) as response:
            assert (response.read(), response.headers["content-type"]) == (content, kind)
        assert call("HEAD", f"/v1/videos/{id_}/scenes/0/{part}").status == 302
    refused(call("GET", f"/v1/videos/{id_}/scenes/1/still"), 409, "not_ready", "scene 1", "reviewing")
    refused(call("GET", f"/v1/videos/{id_}/scenes/1/narration"), 404, "not_found", "no narration")
    missing = call("GET", f"/v1/videos/{id_}/scenes/9/still")
    refused(missing, 400, "invalid_request", "from 0 to 1", param="scene")
    refused(call("GET", f"/v1/videos/{written()}/scenes/0/still"), 404, "not_found", "no still")
    # An edited part's former artifact is no preview any more.
    changed = edited(scenes=[BOARD["scenes"][0], scene("A wasp's nest.")])
    put(id_, changed)
    assert call("GET", f"/v1/videos/{id_}/scenes/0/narration").status == 302
    assert call("GET", f"/v1/videos/{id_}/scenes/0/still").status == 302
    put(failed(id_), edited(scenes=changed["scenes"], style="Cold light."))
    assert call("GET", f"/v1/videos/{id_}/scenes/0/narration").status == 302
    assert call("GET", f"/v1/videos/{id_}/scenes/0/still").status == 409


def test_another_tenant_s_video_is_not_found(aws: Deployment) -> None:
    id_ = filmed()
    for answer in (
        put(id_, edited(), tenant="stranger"),
        post(id_, "approve", tenant="stranger"),
        post(id_, "retry", tenant="stranger"),
        post(id_, "scenes/0/regenerate", {"part": "text", "note": "x"}, tenant="stranger"),
        call("GET", f"/v1/videos/{id_}/scenes/0/still", tenant="stranger"),
        call("GET", f"/v1/videos/{id_}/scenes/0/narration", tenant="stranger"),
    ):
        refused(answer, 404, "not_found", "There is no video")
    for tail in ("approve", "retry"):
        refused(post("video_nonsense", tail), 404, "not_found")

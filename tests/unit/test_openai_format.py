"""Videos in OpenAI's format."""

import json

import pytest
from openai.types import Model, Video

from lambdas.api.openai_format import model_list, video_list, video_object
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.video import (
    ClipProgress,
    ClipState,
    Enhancement,
    Failure,
    PartProgress,
    Stage,
    StageEntry,
    Writer,
)
from tests.factories import a_request, a_video


@pytest.mark.parametrize(
    ("stage", "status"),
    [
        (Stage.QUEUED, "queued"),
        (Stage.PLANNING, "in_progress"),
        (Stage.PREPARING, "in_progress"),
        (Stage.RENDERING, "in_progress"),
        (Stage.ASSEMBLING, "in_progress"),
        (Stage.PUBLISHING, "in_progress"),
        (Stage.COMPLETED, "completed"),
        (Stage.FAILED, "failed"),
        (Stage.CANCELLED, "failed"),
    ],
)
def test_a_video_of_any_stage_is_one_that_openais_client_knows(stage: Stage, status: str) -> None:
    video = video_object(a_video(stage=stage))
    # Strict about types, as the client itself is not.
    assert Video.model_validate(video, strict=True).status == status
    assert video["stage"] == stage


def test_times_are_seconds_and_those_of_stages_milliseconds() -> None:
    history = [StageEntry(stage=Stage.COMPLETED, at_ms=1_700_000_061_500)]
    video = video_object(a_video(stage=Stage.COMPLETED, history=history))
    assert video["created_at"] == 1_700_000_000
    assert video["completed_at"] == 1_700_000_061
    assert video["stages"] == [{"stage": "completed", "at_ms": 1_700_000_061_500}]


def test_what_became_of_the_prompt_and_each_clip() -> None:
    video = video_object(
        a_video(
            enhancement=Enhancement(prompt="A golden bee", by="director", note=None),
            clips=[ClipProgress(seconds=6, state=ClipState.DONE, reused=True)],
        )
    )
    assert video["prompt"] == "A bee on a flower"
    assert video["enhance"] == {"requested": True, "prompt": "A golden bee", "by": "director", "note": None}
    assert video["clips"][0]["state"] == "done"
    assert video["clips"][0]["reused"] is True
    assert video["clips"][0]["seconds"] == 6


def test_who_wrote_the_storyboard_and_what_is_spoken_and_drawn() -> None:
    done = PartProgress(
        scene=0,
        state=ClipState.DONE,
        reused=True,
        by="Joanna",
        artifact="artifacts/acme/narrations/0.json",
        started_ms=1,
        finished_ms=2,
    )
    video = video_object(
        a_video(
            request=a_request(captions=True, brief={"topic": "Bees"}),
            writer=Writer(by="director", note="Scene 2 was shortened."),
            narrations=[done],
            stills=[PartProgress(scene=1)],
        )
    )
    assert video["captions"] is True
    assert video["storyboard"] == {"by": "director", "note": "Scene 2 was shortened.", "cost": None}
    assert video["narrations"] == [
        {
            "scene": 0,
            "state": "done",
            "reused": True,
            "by": "Joanna",
            "cost": None,
            "started_ms": 1,
            "finished_ms": 2,
        }
    ]
    assert (video["stills"][0]["scene"], video["stills"][0]["state"]) == (1, "waiting")
    plain = video_object(a_video())
    assert [plain[name] for name in ("captions", "storyboard", "narrations", "stills")] == [
        False,
        None,
        [],
        [],
    ]


def test_errors_have_a_code_and_say_what_to_do() -> None:
    assert video_object(a_video())["error"] is None
    assert video_object(a_video(stage=Stage.CANCELLED))["error"]["code"] == "cancelled"
    failure = Failure(step="assemble", code="ClipsDiffer", reason="Clip 2 differs.", advice="Use one size.")
    video = video_object(a_video(stage=Stage.FAILED, failure=failure))
    assert video["error"] == {"code": "ClipsDiffer", "message": "Clip 2 differs. Use one size."}
    assert video["failure"]["step"] == "assemble"


def test_engines_are_models_that_openais_client_knows() -> None:
    models = model_list(CATALOGUE.values())
    assert [Model.model_validate(model).id for model in models["data"]] == list(CATALOGUE)


def test_a_page_of_very_long_videos_ends_early() -> None:
    long = a_video(clips=[ClipProgress(seconds=5.958333333333333, started_ms=10**12)] * 1_000)
    page = video_list([long] * 100, has_more=False)
    assert 1 < len(page["data"]) < 100
    assert page["has_more"] is True
    assert page["last_id"] == page["data"][-1]["id"]
    assert len(json.dumps(json.dumps(page))) < 6_000_000  # what Lambda answers at most


def test_a_page_of_usual_videos_is_whole() -> None:
    page = video_list([a_video()] * 100, has_more=False)
    assert (len(page["data"]), page["has_more"]) == (100, False)
    assert video_list([], has_more=False)["data"] == []


def test_scenes_as_long_as_their_narration_make_the_film_s_length_once_they_are_planned() -> None:
    request = a_request(seconds=24, brief={"topic": "Bees"})
    assert video_object(a_video(request=request))["seconds"] == "24"
    clips = [ClipProgress(seconds=7.3), ClipProgress(seconds=7.6)]
    assert video_object(a_video(request=request, clips=clips))["seconds"] == "15"
    assert video_object(a_video(request=a_request(seconds=24), clips=clips))["seconds"] == "24"

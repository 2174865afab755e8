"""Videos in OpenAI's format."""

import json

import pytest
from openai.types import Model, Video

from lambdas.api.openai_format import model_list, model_object, video_list, video_object
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.prices import AWS, FREE
from lambdas.domain.stages import Stage
from lambdas.domain.video_parts import (
    AssemblyProgress,
    ClipProgress,
    ClipState,
    Enhancement,
    Failure,
    PartProgress,
    Review,
    StageEntry,
    Writer,
)
from lambdas.domain.video_request import Gate
from tests.factories import a_request, a_video


@pytest.mark.parametrize(
    ("stage", "status"),
    [
        (Stage.QUEUED, "queued"),
        (Stage.PLANNING, "in_progress"),
        (Stage.PREPARING, "in_progress"),
        (Stage.REVIEWING, "in_progress"),
        (Stage.RENDERING, "in_progress"),
        (Stage.ASSEMBLING, "in_progress"),
        (Stage.PUBLISHING, "in_progress"),
        (Stage.COMPLETED, "completed"),
        (Stage.FAILED, "failed"),
        (Stage.CANCELLED, "failed"),
    ],
)
def test_openai_s_client_parses_a_video_in_any_stage(stage: Stage, status: str) -> None:
    video = video_object(a_video(stage=stage))
    # Strict about types, unlike the client itself.
    assert Video.model_validate(video, strict=True).status == status
    assert video["stage"] == stage


def test_times_are_seconds_and_those_of_stages_milliseconds() -> None:
    history = [StageEntry(stage=Stage.COMPLETED, at_ms=1_700_000_061_500)]
    video = video_object(a_video(stage=Stage.COMPLETED, history=history))
    assert video["created_at"] == 1_700_000_000
    assert video["completed_at"] == 1_700_000_061
    assert video["stages"] == [{"stage": "completed", "at_ms": 1_700_000_061_500}]
    again = [StageEntry(stage=Stage.QUEUED, at_ms=1_700_000_070_000), *history]
    again.append(StageEntry(stage=Stage.COMPLETED, at_ms=1_700_000_099_000))
    assert video_object(a_video(history=again[:2]))["completed_at"] == 1_700_000_061
    assert video_object(a_video(history=again))["completed_at"] == 1_700_000_099


def test_the_prompt_s_result_and_each_clip() -> None:
    video = video_object(
        a_video(
            enhancement=Enhancement(prompt="A golden bee", by="director", cost=0.0),
            clips=[ClipProgress(seconds=6, state=ClipState.DONE, reused=True)],
        )
    )
    assert video["prompt"] == "A bee on a flower"
    assert video["enhance"] == {
        "requested": True,
        "prompt": "A golden bee",
        "by": "director",
        "note": None,
        "cost": 0.0,
    }
    assert video["clips"][0]["state"] == "done"
    assert video["clips"][0]["reused"] is True
    assert video["clips"][0]["seconds"] == 6


def test_writer_narrations_and_stills() -> None:
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
            storyboard="5" * 64,
            narrations=[done],
            stills=[PartProgress(scene=1)],
        )
    )
    assert video["captions"] is True
    assert video["storyboard"] == {
        "by": "director",
        "note": "Scene 2 was shortened.",
        "cost": None,
        "sha256": "5" * 64,
        "filmed": False,
    }
    assert video["narrations"] == [
        {
            "scene": 0,
            "state": "done",
            "reused": True,
            "by": "Joanna",
            "cost": None,
            "started_ms": 1,
            "finished_ms": 2,
            "took": 0.001,
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


def test_openai_s_client_parses_engines_as_models() -> None:
    models = model_list(CATALOGUE.values(), AWS)
    assert [Model.model_validate(model).id for model in models["data"]] == list(CATALOGUE)


def test_a_page_of_very_long_videos_ends_early() -> None:
    long = a_video(clips=[ClipProgress(seconds=5.958333333333333, started_ms=10**12)] * 1_000)
    page = video_list([long] * 100, has_more=False)
    assert 1 < len(page["data"]) < 100
    assert page["has_more"] is True
    assert page["last_id"] == page["data"][-1]["id"]
    assert len(json.dumps(json.dumps(page))) < 6_000_000  # Lambda's largest response


def test_a_page_of_usual_videos_is_complete() -> None:
    page = video_list([a_video()] * 100, has_more=False)
    assert (len(page["data"]), page["has_more"]) == (100, False)
    assert video_list([], has_more=False)["data"] == []


def test_the_film_s_length_is_set_by_its_narration_once_planned() -> None:
    request = a_request(seconds=24, brief={"topic": "Bees"})
    assert video_object(a_video(request=request))["seconds"] == "24"
    clips = [ClipProgress(seconds=7.3), ClipProgress(seconds=7.6)]
    assert video_object(a_video(request=request, clips=clips))["seconds"] == "15"
    assert video_object(a_video(request=a_request(seconds=24), clips=clips))["seconds"] == "24"


def test_waiting_gate_and_approvals() -> None:
    request = a_request(brief={"topic": "Bees"}, review=["storyboard", "previews"])
    review = Review(gate=Gate.PREVIEWS, until_ms=1_700_000_061_500)
    fields = {"request": request, "review": review, "approved": ("storyboard",)}
    shown = {"requested": ["storyboard", "previews"], "approved": ["storyboard"]}
    waiting = video_object(a_video(stage=Stage.REVIEWING, **fields))
    assert waiting["review"] == {"gate": "previews", "until": 1_700_000_061, **shown}
    ended = video_object(a_video(stage=Stage.FAILED, **fields))
    assert ended["review"] == {"gate": None, "until": None, **shown}


@pytest.mark.parametrize(
    ("film", "filmed", "is_of_it"), [(None, "5" * 64, False), ("f", "4" * 64, False), ("f", "5" * 64, True)]
)
def test_whether_the_film_matches_the_current_storyboard(
    film: str | None, filmed: str, is_of_it: bool
) -> None:
    shown = video_object(a_video(storyboard="5" * 64, film=film, filmed=filmed))["storyboard"]
    assert (shown["filmed"], shown["by"]) == (is_of_it, None)


def test_each_part_s_time_and_the_total_cost() -> None:
    made = {"state": ClipState.DONE, "started_ms": 1_000, "finished_ms": 3_500}
    video = video_object(
        a_video(
            attempt=3,
            writer=Writer(by="nova", cost=0.001),
            enhancement=Enhancement(prompt="A bee", cost=0.0),
            narrations=[PartProgress(scene=0, cost=0.02, **made)],
            stills=[PartProgress(scene=0, cost=0.0, reused=True, **made)],
            clips=[ClipProgress(seconds=6, cost=0.3, **made), ClipProgress(seconds=6)],
            assembly=AssemblyProgress(cost=0.004, started_ms=0, finished_ms=250),
        )
    )
    assert video["cost"] == 0.325
    assert video["attempt"] == 3
    assert [video[part][0]["took"] for part in ("narrations", "stills", "clips")] == [2.5, 2.5, 2.5]
    assert video["clips"][1]["took"] is None
    assert video["assembly"]["made"] == {
        "reused": False,
        "cost": 0.004,
        "started_ms": 0,
        "finished_ms": 250,
        "took": 0.25,
    }
    unknown = a_video(writer=Writer(by="a model of mine"), enhancement=Enhancement(prompt="A bee", cost=0.1))
    assert video_object(unknown)["cost"] is None
    untouched = video_object(a_video())
    assert (untouched["cost"], untouched["assembly"]["made"]) == (None, None)


def test_an_engine_has_its_price_and_its_time() -> None:
    prices = AWS.with_instances({"cogvideox-5b": 3.60})
    model = model_object(CATALOGUE["cogvideox-5b"], prices)
    assert model["seconds_per_clip"] == 209
    assert model["cost_per_clip"] == pytest.approx(0.209)
    assert model["cost_per_second"] == pytest.approx(0.209 / 6)
    unpriced = model_object(CATALOGUE["cogvideox-2b"], prices)
    assert (unpriced["seconds_per_clip"], unpriced["cost_per_clip"], unpriced["cost_per_second"]) == 3 * (
        None,
    )
    on_a_pc = model_object(CATALOGUE["cogvideox-5b"], FREE)
    assert (on_a_pc["seconds_per_clip"], on_a_pc["cost_per_clip"], on_a_pc["cost_per_second"]) == (None, 0, 0)
    draft = model_object(CATALOGUE["animatic"], prices)
    assert draft["seconds_per_clip"] == 6
    assert 0 < (draft["cost_per_clip"] or 0) < 0.001

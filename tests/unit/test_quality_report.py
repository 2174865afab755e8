"""The quality report: each check's limit, where it fails, and what isn't measured."""

import base64
from typing import Any

import pytest

from lambdas.domain.assembly import ClipSound
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.film_plan import FilmPlan
from lambdas.domain.narration import Sentence
from lambdas.domain.planning import make_plan
from lambdas.domain.quality import (
    MEASURED,
    SIGNATURE,
    CaptionTurn,
    Check,
    CheckName,
    ClipMeasures,
    ClipSoundMeasures,
    QualityReport,
    SoundMeasures,
    Status,
    report,
)
from tests.factories import a_request, a_shot, a_video

GOOD_SOUND = SoundMeasures(loudness=-16.2, true_peak=-1.5)
SENTENCES = [Sentence(text="A bee lands.", sound="0" * 64, start=0, seconds=2)]


def a_film(*prompts: str, engine: str = "cogvideox-2b", **fields: Any) -> FilmPlan:
    """Return a plan with one clip of three seconds for each prompt, all narrated."""
    video = a_video(request=a_request(fps=8, seconds=3 * len(prompts)))
    shots = [
        a_shot(text, prompts=lambda count, text=text: [text] * count, narration=SENTENCES) for text in prompts
    ]
    plan = make_plan(video, CATALOGUE["animatic"], "A film", shots)
    return plan.model_copy(update={"engine": engine, **fields})


def picture(seed: int) -> str:
    levels = bytes((seed * 53 + place * (7 + seed)) % 200 + 20 for place in range(SIGNATURE**2))
    return base64.b64encode(levels).decode()


def clip(seed: int, **fields: Any) -> ClipMeasures:
    given = {
        "seconds": 3.0,
        "height": 720,
        "edge": 2.0,
        "low": 20,
        "high": 200,
        "moved": 6.0,
        "camera": 0.1,
        "pictures": (picture(seed), picture(seed + 1), picture(seed + 2)),
        "moves": (1.0, 1.0),
    }
    return ClipMeasures(**{**given, **fields})


def reported(
    *clips: ClipMeasures | None,
    prompts: tuple[str, ...] = ("A bee", "A fox", "An owl"),
    sound: SoundMeasures | None = GOOD_SOUND,
    captions: tuple[CaptionTurn, ...] = (),
    **fields: Any,
) -> QualityReport:
    return report(a_film(*prompts, **fields), clips or [clip(0), clip(10), clip(20)], sound, captions)


def check(found: QualityReport, name: CheckName) -> Check:
    return next(one for one in found.checks if one.name is name)


def test_a_good_film_passes_with_a_source_for_every_limit() -> None:
    found = reported()
    assert (found.status, found.warnings) == (Status.PASS, 0)
    assert [one.name for one in found.checks] == list(MEASURED)
    assert all(one.allows and one.source and one.blind for one in found.checks)
    assert check(found, CheckName.CAPTIONS).status is Status.NOT_MEASURED


@pytest.mark.parametrize(
    ("name", "fields", "start"),
    [
        (CheckName.BLACK, {"black": ((0.5, 3.0),)}, 3.5),
        (CheckName.FROZEN, {"frozen": ((0.5, 3.0),)}, 3.5),
        (CheckName.FLICKER, {"flashes": 4.0, "flashes_at": 1.0}, 4.0),
        (CheckName.SHARPNESS, {"edge": 12.0}, 3.0),
        (CheckName.EXPOSURE, {"high": 40}, 3.0),
        (CheckName.EXPOSURE, {"low": 150, "high": 235, "white": 0.5}, 3.0),
    ],
)
def test_a_fault_of_a_clip_is_found_in_its_place(
    name: CheckName, fields: dict[str, Any], start: float
) -> None:
    found = reported(clip(0), clip(10, **fields), clip(20))
    assert found.warnings == 1
    (one,) = check(found, name).found
    assert (one.scene, one.clip, one.start) == (1, 1, start)


@pytest.mark.parametrize(
    "fields",
    [
        {"flashes": 3.0},
        {"edge": 8.0},  # of 720 lines
        {"edge": None},
        {"low": 150, "high": 235, "white": 0.1},  # snow
        {"low": 16, "high": 235, "white": 0.9},  # a drawing on white ground
    ],
)
def test_what_is_within_the_limits_passes(fields: dict[str, Any]) -> None:
    assert reported(clip(0), clip(10, **fields), clip(20)).warnings == 0


@pytest.mark.parametrize(
    ("prompt", "fields", "warns"),
    [
        ("A horse gallops", {"moved": 0.2}, True),
        ("A horse gallops", {"moved": 4.0}, False),
        ("A vase on a table", {"moved": 0.2}, False),
        ("Static shot of a pier", {"camera": 0.2}, True),
        ("Static shot of a pier", {"camera": 0.0}, False),
        ("The camera glides along a pier", {"camera": 0.2}, False),
    ],
)
def test_motion_is_judged_by_what_the_prompt_asks(prompt: str, fields: dict[str, Any], warns: bool) -> None:
    prompts = ("A bee", prompt, "An owl")
    found = reported(clip(0), clip(10, **fields), clip(20), prompts=prompts)
    assert (check(found, CheckName.MOTION).status is Status.WARN) == warns
    drawn = reported(clip(0), clip(10, **fields), clip(20), prompts=prompts, engine="animatic")
    assert check(drawn, CheckName.MOTION).status is Status.NOT_MEASURED


def test_a_still_image_that_is_asked_for_may_be_frozen() -> None:
    prompts = ("A bee", "A still image of a fox", "An owl")
    assert reported(clip(0), clip(10, frozen=((0, 3),)), clip(20), prompts=prompts).warnings == 0


def test_a_jump_is_judged_only_where_a_clip_continues_another() -> None:
    plan = a_film("A bee", "A fox")
    scene = plan.scenes[1]
    chained = scene.model_copy(update={"clips": [scene.clips[0].model_copy(update={"starts_from": 0})]})
    joined = plan.model_copy(update={"scenes": [plan.scenes[0], chained]})
    jump, smooth = [clip(0), clip(10)], [clip(0), clip(2)]
    for made, clips, warns in ((joined, jump, True), (joined, smooth, False), (plan, jump, False)):
        found = check(report(made, clips, GOOD_SOUND, ()), CheckName.JOINS)
        assert (found.status is Status.WARN) == warns
    moving = [clip(0, moves=(1, 60)), clip(10, moves=(60, 1))]
    assert check(report(joined, moving, GOOD_SOUND, ()), CheckName.JOINS).status is Status.PASS


def test_a_scene_that_repeats_an_earlier_one_is_found() -> None:
    found = check(reported(clip(0), clip(10), clip(0)), CheckName.DUPLICATES)
    (one,) = found.found
    assert (one.scene, one.message) == (2, "shows what scene 1 shows")


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        (CheckName.SILENCE, SoundMeasures()),
        (CheckName.SILENCE, GOOD_SOUND.model_copy(update={"mute": (1,)})),
        (CheckName.CLIPPING, GOOD_SOUND.model_copy(update={"clipped": (1,)})),
        (CheckName.SPEECH, GOOD_SOUND.model_copy(update={"cut": (1,)})),
        (CheckName.LOUDNESS, GOOD_SOUND.model_copy(update={"loudness": -10.0})),
        (CheckName.LOUDNESS, GOOD_SOUND.model_copy(update={"true_peak": 0.5})),
    ],
)
def test_a_fault_of_the_sound(name: CheckName, sound: SoundMeasures) -> None:
    found = reported(sound=sound)
    assert [one.name for one in found.checks if one.status is Status.WARN] == [name]


def test_a_film_that_is_silent_by_request_passes() -> None:
    plan = a_film("A bee")
    silent = plan.model_copy(update={"scenes": [plan.scenes[0].model_copy(update={"narration": []})]})
    found = report(silent, [clip(0)], SoundMeasures(), ())
    assert found.warnings == 0
    assert check(found, CheckName.LOUDNESS).status is Status.NOT_MEASURED


def test_a_clips_own_sound_counts_only_where_it_is_heard() -> None:
    faulty = clip(0, sound=ClipSoundMeasures(silent=True, clipped=0.2))
    assert reported(faulty, clip(10), clip(20)).warnings == 0
    plan = a_film("A bee", clip_sound=ClipSound.KEEP)
    scene = plan.scenes[0]
    heard = scene.model_copy(update={"clips": [scene.clips[0].model_copy(update={"sound": True})]})
    found = report(plan.model_copy(update={"scenes": [heard]}), [faulty], GOOD_SOUND, ())
    warned = [one.name for one in found.checks if one.status is Status.WARN]
    assert warned == [CheckName.SILENCE, CheckName.CLIPPING]


def test_a_sentence_that_runs_into_the_next_scene() -> None:
    plan = a_film("A bee", "A fox")
    long = plan.scenes[0].model_copy(
        update={"narration": [SENTENCES[0].model_copy(update={"seconds": 3.5, "text": "A bee lands late."})]}
    )
    found = report(plan.model_copy(update={"scenes": [long, plan.scenes[1]]}), [clip(0), clip(10)], None, ())
    (one,) = check(found, CheckName.SPEECH).found
    assert one.scene == 0


@pytest.mark.parametrize(
    ("language", "seconds", "warns"), [("en-US", 2, False), ("en-US", 1, True), ("de-DE", 1.7, True)]
)
def test_captions_may_be_as_fast_as_the_language_allows(language: str, seconds: float, warns: bool) -> None:
    turn = CaptionTurn(3.4, 3.4 + seconds, "Thirty characters are in this.")
    found = check(reported(captions=(turn,), language=language), CheckName.CAPTIONS)
    assert (found.status is Status.WARN) == warns
    assert [one.scene for one in found.found] == [1] * warns


def test_clips_and_sound_of_older_versions_are_said_to_be_unmeasured() -> None:
    found = reported(None, None, None, sound=None)
    assert found.warnings == 0
    unmeasured = {one.name for one in found.checks if one.status is Status.NOT_MEASURED}
    assert unmeasured == set(MEASURED) - {CheckName.SPEECH}
    partly = check(reported(clip(0), None, clip(20)), CheckName.BLACK)
    assert (partly.status, partly.note) == (
        Status.PASS,
        "1 of 3 clips were made by a version that didn't measure them.",
    )

import hashlib
from collections.abc import Sequence
from typing import Any

import pytest

from lambdas.domain import keys
from lambdas.domain.film_plan import Picture
from lambdas.domain.narration import Spoken
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipState, Enhancement, PartProgress, part_of
from lambdas.production.clips_to_make import SIDE_BY_SIDE
from lambdas.tasks import plan
from tests.cloud.pipeline.bench import (
    ANSWER_COST,
    TENANT,
    Bench,
    a_brief,
    a_scene,
    converse_answer,
    spoken_sound,
)
from tests.media import sounds
from tests.media.test_beats import clicks

PARAGRAPH = (
    "A honey bee settles on a white daisy in a summer meadow and gathers pollen from its yellow heart. "
    "The camera glides closer through soft golden light. Then the bee lifts off and drifts out of the frame."
)
ENHANCE = {"enhance": True}


def run(bench: Bench, video: Video) -> Any:
    """Return the task's answer."""
    return bench.answer(plan.handler, video)


def test_a_video_is_planned_into_clips(bench: Bench) -> None:
    video = bench.video()
    clips = [{"index": index, "scene": 0, "renderer": "endpoint"} for index in range(2)]
    assert run(bench, video) == {
        "tenant": TENANT,
        "video_id": video.id,
        "scenes": [{"concurrency": SIDE_BY_SIDE, "clips": clips}],
        "look": False,
        "check": False,
        "assembler": "function",
    }
    planned = bench.now(video)
    assert [entry.stage for entry in planned.history] == [Stage.PLANNING, Stage.RENDERING]
    assert [(clip.state, clip.seconds) for clip in planned.clips] == [(ClipState.WAITING, 1)] * 2
    assert planned.enhancement is None
    assert bench.answers.questions == []
    assert [clip.seed for clip in bench.plan(video).clips] == [video.seed, video.seed + 1]


def test_chained_clips_are_rendered_one_by_one(bench: Bench) -> None:
    image = {"key": "uploads/acme/x.png", "sha256": "0" * 64, "width": 96, "height": 64}
    video = bench.video("cogvideox-nano-i2v", request={"image": image})
    [scene] = run(bench, video)["scenes"]
    assert scene["concurrency"] == 1


def test_the_text_model_s_paragraph_becomes_the_clips_prompts(bench: Bench) -> None:
    bench.answers.converse = (200, converse_answer(PARAGRAPH, by="qwen3"))
    video = bench.video(request=ENHANCE)
    run(bench, video)
    assert bench.now(video).enhancement == Enhancement(prompt=PARAGRAPH, by="qwen3", cost=ANSWER_COST)
    prompts = [clip.prompt for clip in bench.plan(video).clips]
    assert all(prompt.startswith("A honey bee settles on a white daisy") for prompt in prompts)
    assert "lifts off" not in prompts[0]
    assert "lifts off" in prompts[1]
    [question] = bench.answers.questions
    assert "A bee on a flower" in question["messages"][0]["content"][0]["text"]


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        ((200, converse_answer("")), "an empty answer"),
        ((200, converse_answer("I can't help with that.", "guardrail_intervened")), "filter"),
        (
            (403, {"code": "AccessDeniedException", "message": "no access to the model"}),
            "no access to the model",
        ),
        ((503, {"code": "ServiceUnavailableException", "message": "try later"}), "try later"),
    ],
)
def test_without_a_usable_answer_the_original_prompt_is_used_and_the_record_says_why(
    bench: Bench, answer: tuple[int, dict[str, Any]], note: str
) -> None:
    bench.answers.converse = answer
    video = bench.video(request=ENHANCE)
    run(bench, video)
    planned = bench.now(video)
    assert planned.stage is Stage.RENDERING
    assert planned.enhancement
    assert (planned.enhancement.prompt, planned.enhancement.by) == ("A bee on a flower", None)
    assert note in (planned.enhancement.note or "")
    assert len(bench.answers.questions) == (2 if answer[0] == 503 else 1)


def test_a_later_attempt_makes_the_same_clips_and_asks_no_model(bench: Bench) -> None:
    bench.answers.converse = (200, converse_answer(PARAGRAPH))
    video = bench.video(request=ENHANCE)
    first = run(bench, video)
    before = bench.plan(video)
    requeued = bench.videos.requeue(bench.now(video))
    assert requeued
    bench.answers.converse = (200, converse_answer(PARAGRAPH.replace("daisy", "tulip")))
    assert run(bench, video) == first
    assert bench.plan(video) == before
    assert len(bench.answers.questions) == 1
    assert bench.now(video).stage is Stage.RENDERING


def test_a_crash_after_the_model_s_answer_does_not_ask_it_again(bench: Bench) -> None:
    video = bench.video(request=ENHANCE)
    enhancement = Enhancement(prompt=PARAGRAPH, by="director")
    bench.videos.advance(TENANT, video.id, Stage.PLANNING, enhancement=enhancement)
    run(bench, video)
    assert bench.answers.questions == []
    assert "white daisy" in bench.plan(video).clips[0].prompt


def test_a_crash_after_the_record_gives_the_same_plan(bench: Bench) -> None:
    video = bench.video()
    assert run(bench, video) == run(bench, video)
    assert bench.now(video).stage is Stage.RENDERING


def test_a_cancelled_video_is_not_planned(bench: Bench) -> None:
    video = bench.video(stage=Stage.CANCELLED)
    error, cause = run(bench, video)
    assert (error, cause["errorType"]) == ("VideoClosed", "VideoClosed")
    assert bench.now(video).stage is Stage.CANCELLED


def test_a_deleted_video_is_not_planned(bench: Bench) -> None:
    video = bench.video()
    bench.videos.delete(TENANT, video.id)
    assert run(bench, video)[0] == "VideoNotFound"


def test_an_internal_error_is_raised_under_its_name(bench: Bench) -> None:
    error, cause = bench.answer(plan.handler, bench.video(), unknown="field")
    assert error == "ValidationError"
    assert "unknown" in cause["errorMessage"]


# --- a storyboard's scenes


def prepared(bench: Bench, *scenes: dict[str, Any], **request: Any) -> Video:
    """Return a video whose narrations and stills exist."""
    size = {"width": 96, "height": 64, "fps": 8}
    return bench.prepare(bench.video("animatic", request={"brief": a_brief(*scenes), **size, **request}))


def spoken(bench: Bench, video: Video, scene: int) -> Spoken:
    narration = part_of(video.narrations, scene)
    assert narration
    return Spoken.model_validate_json(bench.outputs.get(str(narration.artifact)))


def frames(bench: Bench, video: Video) -> list[int]:
    return [sum(clip.film_frames for clip in scene.clips) for scene in bench.plan(video).scenes]


@pytest.mark.parametrize("refused", [False, True])
def test_captions_are_plain_and_the_record_says_so_if_the_voice_has_no_word_times(
    bench: Bench, refused: bool
) -> None:
    text = f"A bee wakes {'silently' if refused else 'loudly'}."
    if refused:
        run(bench, prepared(bench, a_scene(text)))  # so that only the times are asked for
        bench.answers.refusals = [(400, "ValidationException", "SpeechMarkTypes must be sentence")]
    video = prepared(bench, a_scene(text), captions=True, caption_style="karaoke")
    run(bench, video)
    run(bench, video)
    assert bench.plan(video).caption_style == ("plain" if refused else "karaoke")
    notes = [note for note in bench.now(video).notes if "captions" in note]
    assert len(notes) == refused
    assert all("karaoke" in note and "Joanna" in note for note in notes)


def test_a_scene_is_as_long_as_its_narration_or_the_default(bench: Bench) -> None:
    video = prepared(bench, a_scene("A bee wakes. It flies!"), a_scene("It rests."), a_scene())
    answer = run(bench, video)
    assert [[clip["index"] for clip in scene["clips"]] for scene in answer["scenes"]] == [[0], [1], [2, 3]]
    said = [spoken(bench, video, scene) for scene in range(2)]
    assert frames(bench, video) == [*(round(8 * one.seconds) for one in said), 8 * 8]
    assert frames(bench, video)[0] > frames(bench, video)[1] > 8
    scenes = bench.plan(video).scenes
    assert [scene.narration for scene in scenes] == [said[0].sentences, said[1].sentences, []]
    assert bench.plan(video).title == "Bees"
    planned = bench.now(video)
    assert [entry.stage for entry in planned.history] == [Stage.PLANNING, Stage.PREPARING, Stage.RENDERING]
    assert len(planned.clips) == 4
    assert bench.answers.questions == []


def test_given_lengths_add_up_to_the_film_s(bench: Bench) -> None:
    video = prepared(bench, *[a_scene(seconds=2.3)] * 5)
    run(bench, video)
    assert sum(frames(bench, video)) == 5 * 2.3 * 8
    assert set(frames(bench, video)) == {18, 19}


def test_a_scene_of_whole_seconds_keeps_them_at_any_start(bench: Bench) -> None:
    video = prepared(bench, *[a_scene(seconds=seconds) for seconds in (0.1, 1, 0.3, 1)], fps=25)
    run(bench, video)
    assert frames(bench, video)[1::2] == [25, 25]


def test_a_narration_that_is_longer_than_its_scene_says_by_how_much(bench: Bench) -> None:
    bench.answers.sound = spoken_sound(3)
    video = prepared(bench, a_scene(), a_scene("A bee dreams long.", seconds=2), narration_fit="refuse")
    takes = spoken(bench, video, 1).seconds
    error, cause = run(bench, video)
    assert error == "NarrationTooLong"
    assert cause["errorMessage"] == (
        f"scenes[1].narration takes {takes:.1f} s including pauses, "
        f"{takes - 2:.1f} s longer than its 2 s scene"
    )
    assert "Shorten the narration" in cause["advice"]
    assert not bench.outputs.exists(keys.film_plan(TENANT, video.id))


def test_a_scene_is_extended_for_its_narration(bench: Bench) -> None:
    bench.answers.sound = spoken_sound(3)
    scenes = (a_scene(seconds=1.5), a_scene("A bee dreams long.", seconds=2), a_scene(seconds=1))
    video = prepared(bench, *scenes)
    takes = spoken(bench, video, 1).seconds
    run(bench, video)
    assert takes > 3
    assert frames(bench, video) == [12, round(8 * (1.5 + takes)) - 12, 8]


def drums(bench: Bench, beats: Sequence[float]) -> dict[str, Any]:
    """Store a click on each of these seconds of music."""
    wave = clicks(beats)[None] + 0.01 * sounds.noise(12)
    content = sounds.encoded(wave, "flac").getvalue()
    sha256 = hashlib.sha256(content).hexdigest()
    key = keys.upload(TENANT, sha256, "flac")
    bench.inputs.put(key, content, "audio/flac")
    return {"key": key, "sha256": sha256, "seconds": 12}


def test_cuts_fall_on_the_beats_of_the_music(bench: Bench) -> None:
    beats = [0.37 + 0.6 * number for number in range(20)]
    scenes = [a_scene(seconds=2.3)] * 7
    heard = {"music": drums(bench, beats) | {"start": 0.6, "fade_in": 5}, "cut_on_beats": True}
    video = prepared(bench, *scenes, fps=24, **heard)
    run(bench, video)
    plan = bench.plan(video)
    cuts = [float(plan.scene_start(scene)) for scene in plan.scenes[1:]]
    played = [at - 0.6 + 11.4 * loop for loop in range(2) for at in beats[1:]]
    assert max(min(abs(cut - beat) for beat in played) for cut in cuts) < 1 / 24
    assert cuts[-1] > 12, "the music's second loop"
    assert bench.now(video).notes == ()


def test_the_beats_of_a_mood_s_music_are_known(bench: Bench) -> None:
    heard = {"music": {"mood": "uplifting", "start": 0.125}, "cut_on_beats": True}  # 120 a minute
    video = prepared(bench, *[a_scene(seconds=2.3)] * 3, **heard)
    run(bench, video)
    plan = bench.plan(video)
    assert [float(plan.scene_start(scene)) for scene in plan.scenes] == [0, 2.375, 4.875]
    assert plan.music
    assert (plan.music.seed, plan.uploads) == (video.seed, [])


def test_music_without_beats_is_noted(bench: Bench) -> None:
    heard = {"music": drums(bench, []), "cut_on_beats": True}
    video = prepared(bench, *[a_scene(seconds=2)] * 2, **heard)
    run(bench, video)
    assert bench.now(video).notes == ("Cuts are not on beats: the music has no regular ones.",)
    assert frames(bench, video) == [16, 16]


def test_changing_one_scene_s_words_changes_no_other_scene_s_clips(bench: Bench) -> None:
    said = ["A bee wakes.", "It flies!", "It rests.", "It sleeps."]
    plans = []
    for second in (said[1], "It flies! It hums."):
        video = prepared(bench, *map(a_scene, [said[0], second, *said[2:]]), seed=7)
        run(bench, video)
        plans.append(bench.plan(video))
    same = [
        [clip.key_hash for clip in one.clips] == [clip.key_hash for clip in other.clips]
        for one, other in zip(plans[0].scenes, plans[1].scenes, strict=True)
    ]
    assert same == [True, False, True, True]


def test_adding_or_removing_scenes_changes_no_other_scene_s_clips(bench: Bench) -> None:
    def seen(animal: str) -> dict[str, Any]:
        return a_scene(seconds=2, seen=f"A {animal} walks.")

    hashes = []
    for animals in (["bee", "fox", "owl"], ["cat", "bee", "owl"]):
        video = prepared(bench, *map(seen, animals), stills={}, seed=7)
        run(bench, video)
        plan = bench.plan(video)
        hashes.append([[clip.key_hash for clip in scene.clips] for scene in plan.scenes])
    before, after = hashes
    assert after[1:] == [before[0], before[2]]
    assert after[0] not in before


def test_a_scene_s_prompts_have_the_style_and_the_negative_prompt(bench: Bench) -> None:
    moving = {"positive_prompt": "A bee flies. It lands.", "negative_prompt": "cuts"}
    video = prepared(bench, a_scene(seconds=2, video=moving), negative_prompt="people")
    run(bench, video)
    [scene] = bench.plan(video).scenes
    assert (scene.text, scene.negative_prompt) == ("A bee flies.", "cuts, people")
    assert scene.clips[0].prompt == "A bee flies. It lands. Warm light."


def test_each_scene_begins_with_its_still(bench: Bench) -> None:
    video = prepared(bench, a_scene(seconds=1), a_scene(seconds=1), stills={})
    run(bench, video)
    stills = [scene.still for scene in bench.plan(video).scenes]
    assert stills == [still.artifact for still in video.stills]
    assert all(still and bench.outputs.exists(still) for still in stills)


def test_a_scene_s_own_pictures_come_before_still_and_film(bench: Bench) -> None:
    own = {"sha256": "7" * 64, "media_type": "image/jpeg"}
    scenes = a_scene(seconds=1, meets_next=True), a_scene(seconds=1, first_frame=own, last_frame=own)
    video = prepared(bench, *scenes, stills={})
    run(bench, video)
    first, second = bench.plan(video).scenes
    picture = Picture(key=f"uploads/{TENANT}/{'7' * 64}.jpg", sha256="7" * 64, uploaded=True)
    assert [still.scene for still in video.stills] == [0], "the other one is given"
    assert (bool(first.still), first.starts_on, first.ends_on) == (True, None, picture)
    assert (second.still, second.starts_on, second.ends_on) == (None, picture, picture)


def test_the_same_request_is_planned_identically(bench: Bench) -> None:
    plans = []
    for _ in range(2):
        video = prepared(bench, a_scene("A bee wakes."), a_scene(seconds=2), stills={}, seed=7)
        run(bench, video)
        plans.append(bench.plan(video).model_copy(update={"video_id": ""}))
    assert plans[0] == plans[1]
    assert [part.reused for part in (*video.narrations[:1], *video.stills)] == [True] * 3


def test_a_missing_narration_is_reported(bench: Bench) -> None:
    video = prepared(bench, a_scene("A bee wakes."))
    bench.videos.amend(video, narrations=[PartProgress(scene=0)])
    error, cause = run(bench, video)
    assert (error, cause["errorMessage"]) == ("ArtifactMissing", "the narration of scene 0 is missing")


def test_a_scene_shorter_than_its_transition_is_rejected_before_rendering(bench: Bench) -> None:
    video = prepared(bench, a_scene(seconds=2), a_scene(seconds=0.2), transition="fade")
    error, cause = run(bench, video)
    assert error == "InvalidRequest"
    assert "scenes[1].seconds must be at least 0.5" in cause["errorMessage"]


def test_a_crash_before_the_answer_gives_the_same_plan_of_scenes(bench: Bench) -> None:
    video = prepared(bench, a_scene("A bee wakes."), a_scene(seconds=2))
    first = run(bench, video)
    before = bench.plan(video)
    assert run(bench, video) == first
    assert bench.plan(video) == before

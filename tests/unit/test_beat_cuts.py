"""Cuts on beats, within the scenes' freedom."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from lambdas.domain.beat_cuts import beats_note, on_beats
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.film_plan import FilmPlan, Footage, Scene
from lambdas.domain.planning import Own, Shot, make_plan
from lambdas.domain.video import Video
from tests.factories import a_request, a_shot, a_video

FPS = 8


def a_video_of(engine: str = "animatic", **request: Any) -> Video:
    given = {"width": 96, "height": 64, "fps": FPS, **request}
    return a_video(request=a_request(engine=engine, **given))


def planned(
    shots: Sequence[Shot | Scene], beats: Sequence[float], video: Video
) -> tuple[FilmPlan, list[float], list[int]]:
    """Return the plan, the seconds of its cuts, and the scenes whose end is on no beat."""
    engine = CATALOGUE[video.request.engine]
    cut, missed = on_beats(shots, beats, video.request, engine)
    plan = make_plan(video, engine, "Bees", cut)
    return plan, [float(plan.scene_start(scene)) for scene in plan.scenes[1:]], missed


def off(cuts: Sequence[float], beats: Sequence[float]) -> float:
    return max(min(abs(cut - beat) for beat in beats) for cut in cuts)


@pytest.mark.parametrize("tempo", [60, 96, 127, 180])
@pytest.mark.parametrize("fps", [8, 24, 25, 30])
def test_every_cut_is_within_half_a_frame_of_a_beat(tempo: int, fps: int) -> None:
    beats = [*np.arange(0.17, 60, 60 / tempo)]
    shots = [
        a_shot(str(index), frames=round(seconds * fps)) for index, seconds in enumerate([3, 2.4, 4.1, 3])
    ]
    plan, cuts, missed = planned(shots, beats, a_video_of(fps=fps))
    assert off(cuts, beats) <= 0.5 / fps + 1e-9
    assert missed == []
    lengths = [end - start for start, end in pairwise([0, *cuts])]
    for length, shot in zip(lengths, shots, strict=False):
        assert abs(length - shot.frames / fps) <= 30 / tempo + 0.5 / fps + 1e-9, "at most half a beat"
    assert plan.frames / fps - cuts[-1] == 3, "the film's end is no cut"


@pytest.mark.parametrize("transition", ["crossfade", "wipe", "fade"])
def test_a_transition_s_middle_is_on_the_beat(transition: str) -> None:
    beats = [*np.arange(0.1, 60, 0.6)]
    video = a_video_of(transition=transition, transition_seconds=0.5, fps=24)
    plan, _, missed = planned([a_shot(str(index), frames=72) for index in range(4)], beats, video)
    middles = [
        float(plan.scene_start(scene)) + joint.overlap / 2 / 24
        for scene, joint in zip(plan.scenes[1:], plan.transitions, strict=True)
        if joint
    ]
    assert len(middles) == 3
    assert off(middles, beats) <= 0.5 / 24 + 1e-9
    assert missed == []


def test_a_narration_still_fits() -> None:
    beats = [*np.arange(0, 60, 0.75)]
    shots = [a_shot("a", frames=20, least=20), a_shot("b", frames=24, least=10), a_shot("c")]
    _, cuts, missed = planned(shots, beats, a_video_of())
    assert cuts == [3.0, 6.0], "the first waits for the beat after its 2.5 s, at 3 s"
    assert missed == []


def test_no_scene_gets_another_clip_and_what_is_missed_is_said() -> None:
    engine = CATALOGUE["cogvideox-nano"]
    longest = round(engine.longest_clip * FPS)
    beats = [0.5, longest / FPS + 1, longest / FPS + 2]
    shots = [a_shot("a", frames=longest, least=longest), a_shot("b", frames=8)]
    plan, cuts, missed = planned(shots, beats, a_video_of("cogvideox-nano"))
    assert (cuts, missed) == ([longest / FPS], [0])
    assert [len(scene.clips) for scene in plan.scenes] == [1, 1]
    assert beats_note(missed, found=True) == (
        "Cuts are not on a beat after these scenes, counted from 0: 0. Their narration or their clips "
        "leave no choice of length: give them other seconds, or fewer words."
    )
    assert "and 2 more" in str(beats_note(range(7), found=True))
    assert beats_note([], found=True) is None
    assert beats_note([], found=False) == "Cuts are not on beats: the music has no regular ones."


def test_a_scene_that_the_next_one_continues_keeps_its_length() -> None:
    shots = [a_shot("a", frames=21), a_shot("b", frames=21, continues=True), a_shot("c")]
    _, cuts, missed = planned(shots, [*np.arange(0, 60, 0.5)], a_video_of("cogvideox-nano-i2v"))
    assert cuts[0] == 21 / FPS, "nobody sees this cut"
    assert cuts[1] % 0.5 == 0
    assert missed == []


@pytest.mark.parametrize("transition", ["none", "crossfade"])
def test_scenes_that_are_taken_over_keep_their_clips(transition: str) -> None:
    video = a_video_of("cogvideox-nano", transition=transition, transition_seconds=0.25)
    before = make_plan(
        video, CATALOGUE["cogvideox-nano"], "Bees", [a_shot(str(at), frames=19) for at in range(3)]
    )
    shots: list[Shot | Scene] = [before.scenes[0], a_shot("new", frames=19), before.scenes[2]]
    beats = [*np.arange(0, 60, 0.5)]
    plan, cuts, missed = planned(shots, beats, video)
    assert plan.scenes[0].clips == before.scenes[0].clips
    half = 0.125 if transition == "crossfade" else 0
    assert cuts[0] == 19 / FPS
    assert missed == ([] if half else [0]), "the middle of its crossfade is on a beat by chance"
    assert (cuts[1] + half) % 0.5 == 0


def test_a_change_of_one_scene_moves_the_others_by_whole_beats() -> None:
    beats = [*np.arange(0, 60, 0.5)]  # 4 frames
    plans = []
    for second in (20, 33):
        shots = [a_shot("a", frames=22), a_shot("b", frames=second), a_shot("c", frames=26), a_shot("d")]
        plans.append(planned(shots, beats, a_video_of(seed=7))[0])
    same = [
        [clip.key_hash for clip in one.clips] == [clip.key_hash for clip in other.clips]
        for one, other in zip(plans[0].scenes, plans[1].scenes, strict=True)
    ]
    assert same == [True, False, True, True]


def test_a_clip_of_one_s_own_keeps_its_length() -> None:
    footage = Footage(file="uploads/acme/1.mp4")
    shots = [a_shot(frames=3 * FPS, own=Own(footage=footage)), a_shot(frames=3 * FPS)]
    _, cuts, missed = planned(shots, [2.5, 5.0], a_video_of())
    assert (cuts, missed) == ([3.0], [0])

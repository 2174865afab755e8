"""Scenes that start from or end on a given picture, and scenes that meet."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.assembly import ClipSound, TransitionKind
from lambdas.domain.brief import Brief
from lambdas.domain.characters import Image
from lambdas.domain.engine_request import engine_request
from lambdas.domain.engines import CATALOGUE, Engine
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.film_plan import FilmPlan, Picture, film_hash
from lambdas.domain.origin import prompt_shots
from lambdas.domain.planning import Shot, check_length, check_pictures, check_scenes, make_plan
from lambdas.domain.storyboard import Storyboard, complete, parse_partial, parse_storyboard
from lambdas.domain.storyboard_questions import storyboard_question
from lambdas.domain.video import unchanged_parts
from lambdas.domain.video_parts import ClipState, PartProgress
from lambdas.domain.video_request import Origin, OriginKind, Stills
from lambdas.production.clip_inputs import first_picture
from tests.factories import a_request, a_shot, a_video

BOTH = CATALOGUE["cogvideox-nano-i2v"].model_copy(update={"last_image": "optional", "sound": True})
LAST = Image(key="uploads/acme/9.png", sha256="9" * 64, width=8, height=8)
STILL = Picture(key="artifacts/acme/stills/5.png", sha256="5" * 64)


def planned(shots: list[Shot], engine: Engine = BOTH, **fields: Any) -> FilmPlan:
    request = a_request(engine=engine.name, width=96, height=64, fps=8, **fields)
    return make_plan(a_video(request=request), engine, "Bees", shots)


def a_scene(**fields: Any) -> dict[str, Any]:
    return {"image": {"positive_prompt": "A bee."}, "video": {"positive_prompt": "A bee."}, **fields}


def hashes(plan: FilmPlan) -> list[str]:
    return [clip.key_hash for clip in plan.clips]


@given(
    st.lists(st.tuples(st.integers(8, 200), st.booleans(), st.booleans()), min_size=1, max_size=6),
    st.sampled_from(TransitionKind),
    st.booleans(),
)
def test_only_the_last_clip_of_a_scene_depends_on_its_last_picture(
    scenes: list[tuple[int, bool, bool]], transition: TransitionKind, ends: bool
) -> None:
    fields = {"transition": transition, "last_image": LAST if ends else None}
    shots = [a_shot(str(index), frames=frames, still="1" * 64) for index, (frames, _, _) in enumerate(scenes)]
    shots = [
        a_shot(shot.text, frames=shot.frames, still=shot.still, ends_on=STILL if meets else None)
        for shot, (_, meets, _) in zip(shots, scenes, strict=True)
    ]
    bare = planned(
        [a_shot(shot.text, frames=shot.frames, still=shot.still) for shot in shots], transition=transition
    )
    plan = planned(shots, **fields)
    assert plan.frames == bare.frames
    changed = {
        clip.index
        for clip, other in zip(plan.clips, bare.clips, strict=True)
        if clip.key_hash != other.key_hash
    }
    expected = {
        scene.clips[-1].index
        for scene, shot in zip(plan.scenes, shots, strict=True)
        if shot.ends_on or (ends and scene is plan.scenes[-1])
    }
    assert changed == expected
    assert [bool(scene.ends_on) for scene in plan.scenes] == [
        scene.clips[-1].index in expected for scene in plan.scenes
    ]


def test_another_last_picture_is_another_clip_and_is_kept_with_the_film() -> None:
    shot = a_shot(frames=24, still="1" * 64)
    others = [LAST.model_copy(update={"sha256": digit * 64}) for digit in "78"]
    plans = [planned([shot], last_image=image) for image in (None, *others)]
    assert len({hashes(plan)[-1] for plan in plans}) == 3
    assert plans[1].uploads == [LAST.key]
    assert STILL.key in planned([a_shot(ends_on=STILL), a_shot()]).artifacts


def test_the_request_names_the_last_picture_only_if_there_is_one() -> None:
    plan = planned([a_shot(still="1" * 64)], last_image=LAST)
    scene, clip = plan.clip(0)
    request = engine_request(plan, scene, clip, image="AAAA", video=None, audio=None, last_image="BBBB")
    assert b'"last_image":"BBBB"' in request.body()
    assert b"last_image" not in engine_request(plan, scene, clip, image="AAAA", video=None, audio=None).body()


# --- storyboards


@pytest.mark.parametrize(
    ("scenes", "path", "says"),
    [
        ([a_scene(), a_scene(meets_next=True)], "scenes[1].meets_next", "no scene comes after it"),
        (
            [a_scene(meets_next=True), a_scene(continues=True)],
            "scenes[0].meets_next",
            "scene 1 continues this one",
        ),
        ([a_scene(meets_next="yes"), a_scene()], "scenes[0].meets_next", "true or false; got 'yes'"),
    ],
)
def test_a_scene_that_can_t_meet_the_next_is_named(scenes: list[Any], path: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says.replace("'", "['\"]")) as refused:
        parse_storyboard({"title": "Bees", "scenes": scenes})
    assert refused.value.param == path


def test_the_scene_after_may_be_written_yet() -> None:
    assert parse_partial({"scenes": [{"meets_next": True}]}).scenes[0].meets_next


def test_an_engine_without_last_frames_and_a_film_without_stills_are_refused() -> None:
    board = Storyboard.model_validate(
        {"title": "Bees", "scenes": [a_scene(), a_scene(meets_next=True), a_scene()]}
    )
    check_pictures(board.scenes, BOTH, stills=True)
    for engine, stills, says in (
        (
            CATALOGUE["animatic"],
            True,
            r"animatic does not support a last frame; omit scenes\[1\]\.meets_next",
        ),
        (BOTH, False, r"scenes\[1\]\.meets_next requires stills"),
    ):
        with pytest.raises(InvalidRequest, match=says) as refused:
            check_pictures(board.scenes, engine, stills=stills)
        assert refused.value.param == "scenes[1].meets_next"


def a_frame(digit: str = "7") -> dict[str, str]:
    return {"sha256": digit * 64, "media_type": "image/png"}


def test_a_scene_s_own_pictures_are_its_clips_first_and_last() -> None:
    own = Picture(key="uploads/acme/7.png", sha256="7" * 64, uploaded=True)
    image = LAST.model_copy(update={"key": "uploads/acme/8.png", "sha256": "8" * 64})
    film = {"image": image, "last_image": LAST}
    drawn = planned([a_shot(still="1" * 64), a_shot(still="1" * 64)], **film)
    given = planned([a_shot(starts_on=own, ends_on=own), a_shot(starts_on=own, ends_on=own)], **film)
    assert [scene.starts_on for scene in given.scenes] == [own, own]
    assert [scene.ends_on for scene in given.scenes] == [own, own], "the scene's, not the film's"
    assert given.uploads.count(own.key) == 4
    assert not set(hashes(given)) & set(hashes(drawn))
    # An engine that takes no image starts from words.
    text = CATALOGUE["cogvideox-2b"]
    assert hashes(planned([a_shot(starts_on=own)], text)) == hashes(planned([a_shot()], text))


def test_the_first_picture_of_a_scene_is_its_own() -> None:
    class Stored:
        def get(self, key: str) -> bytes:
            return key.encode()

    own = Picture(key="uploads/acme/7.png", sha256="7" * 64, uploaded=True)
    for shot, expected in (
        (a_shot(starts_on=own), b"uploads/acme/7.png"),
        (a_shot(), LAST.key.encode()),
    ):
        plan = planned([shot], image=LAST)
        stored: Any = Stored()
        assert first_picture(plan, plan.scenes[0], stored, stored) == expected


@pytest.mark.parametrize(
    ("scenes", "path", "says"),
    [
        ([a_scene(), a_scene(continues=True, first_frame=a_frame())], "scenes[1].first_frame", "continues"),
        ([a_scene(meets_next=True, last_frame=a_frame()), a_scene()], "scenes[0].last_frame", "meets"),
        ([a_scene(last_frame="me.png")], "scenes[0].last_frame", "must be an object with a file_id"),
        ([a_scene(last_frame={"sha256": "7"})], "scenes[0].last_frame.sha256", "64 hexadecimal digits"),
    ],
)
def test_a_picture_that_a_scene_can_t_have_is_named(scenes: list[Any], path: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as refused:
        parse_storyboard({"title": "Bees", "scenes": scenes})
    assert refused.value.param == path


def test_pictures_of_scenes_need_an_engine_that_takes_them() -> None:
    scenes = [a_scene(first_frame=a_frame(), last_frame=a_frame()), a_scene(meets_next=True)]
    scenes.append(a_scene(first_frame=a_frame()))
    board = parse_storyboard({"title": "Bees", "scenes": scenes})
    check_pictures(board.scenes, BOTH, stills=False)
    for engine, says in ((CATALOGUE["cogvideox-2b"], "first_frame"), (CATALOGUE["animatic"], "last_frame")):
        with pytest.raises(InvalidRequest, match=rf"omit scenes\[0\]\.{says}") as refused:
            check_pictures(board.scenes, engine, stills=True)
        assert refused.value.param == f"scenes[0].{says}"


def test_a_given_first_picture_is_not_drawn() -> None:
    board = parse_storyboard({"title": "Bees", "scenes": [a_scene(first_frame=a_frame()), a_scene()]})
    request = a_request(stills=Stills(), brief=Brief(topic="Bees", given=parse_partial(board.model_dump())))
    assert [request.draws_still(index, board) for index in (0, 1)] == [False, True]
    assert request.brief is not None
    assert request.brief.unpictured == [1]
    before = parse_storyboard({"title": "Bees", "scenes": [a_scene(), a_scene()]})
    stills = [PartProgress(scene=scene, state=ClipState.DONE) for scene in (0, 1)]
    kept = unchanged_parts(a_video(request=request, stills=stills), before, board)["stills"]
    assert [part.scene for part in kept] == [1]


def test_a_text_model_is_not_told_of_pictures_and_they_stay() -> None:
    given = parse_partial({"scenes": [{"first_frame": a_frame(), "seconds": 4}]})
    brief = Brief(topic="Bees", given=given, narrate=False)
    question = storyboard_question(brief, 200)
    assert '"seconds": 4' in question.message or '"seconds":4' in question.message
    assert "7" * 64 not in question.message
    written = parse_storyboard({"title": "Bees", "scenes": [a_scene()]})
    assert complete(given, written).scenes[0].first_frame == given.scenes[0].first_frame


FLF = CATALOGUE["wan2.1-flf2v-14b"]


def test_an_engine_from_frame_to_frame_needs_both_for_each_scene() -> None:
    both = {"first_frame": a_frame(), "last_frame": a_frame()}
    board = parse_storyboard({"title": "Bees", "scenes": [a_scene(**both), a_scene(first_frame=a_frame())]})
    check_pictures(board.scenes, FLF, stills=False, last_image=True)
    with pytest.raises(InvalidRequest, match="moves each scene from a first to a last frame") as refused:
        check_pictures(board.scenes, FLF, stills=False)
    assert refused.value.param == "scenes[1].last_frame"
    size = {"width": 1280, "height": 720, "fps": 16, "image": True, "offered": frozenset[str]()}
    FLF.check(**size, last_image=True)
    FLF.check(**size, scenes=True)
    with pytest.raises(InvalidRequest, match="send one as last_frame") as refused:
        FLF.check(**size)
    assert refused.value.param == "last_frame"


def test_an_engine_from_frame_to_frame_renders_scenes_of_one_clip() -> None:
    request = a_request(engine=FLF.name, width=1280, height=720, fps=16, seconds=6)
    with pytest.raises(InvalidRequest, match="seconds must be at most 5, one clip"):
        check_length(request, FLF)
    check_scenes([5, None], request, FLF)
    with pytest.raises(InvalidRequest) as refused:
        check_scenes([5, 5.5], request, FLF)
    assert refused.value.param == "scenes[1].seconds"
    faded = request.model_copy(update={"transition": TransitionKind.CROSSFADE, "transition_seconds": 0.5})
    check_scenes([4.5, 5], faded, FLF)
    with pytest.raises(InvalidRequest, match=r"scenes\[0\].seconds must be at most 4.5"):
        check_scenes([5, 5], faded, FLF)
    with pytest.raises(InvalidRequest, match="num_frames must be at most 80"):
        check_length(request.model_copy(update={"num_frames": 81}), FLF)
    # Of a scene that is as long as its narration, only the plan knows.
    shots = [a_shot(frames=16 * seconds, still="1" * 64, ends_on=STILL) for seconds in (5, 6)]
    assert len(make_plan(a_video(request=request), FLF, "Bees", shots[:1]).clips) == 1
    with pytest.raises(InvalidRequest) as refused:
        make_plan(a_video(request=request), FLF, "Bees", shots)
    assert refused.value.param == "scenes[1].seconds"


# --- sound in the plan


def test_clips_of_a_silent_engine_change_no_film_s_address() -> None:
    silent = BOTH.model_copy(update={"sound": False})
    plans = [planned([a_shot()], silent, clip_sound=one) for one in ClipSound]
    assert len({film_hash(plan) for plan in plans}) == 1
    assert {plan.clips_heard for plan in plans} == {ClipSound.DROP}
    sounding = planned([a_shot()], clip_sound="drop")
    assert film_hash(sounding) == film_hash(plans[0])
    assert film_hash(planned([a_shot()])) != film_hash(sounding)
    assert planned([a_shot()]).clips_heard is ClipSound.KEEP, "nobody speaks"


def test_the_first_clip_of_a_file_depends_on_its_sound_only_if_it_has_some() -> None:
    addresses = []
    for sound in (False, True):
        origin = Origin(
            kind=OriginKind.EXTEND,
            prompt="It rains.",
            file="uploads/acme/f.mp4",
            frames=9,
            seconds=1,
            sound=sound,
        )
        request = a_request(engine=BOTH.name, width=96, height=64, fps=8, origin=origin)
        video = a_video(request=request)
        plan = make_plan(video, BOTH, "Bees", prompt_shots(video, BOTH, None))
        assert plan.clips[0].sound is sound
        addresses.append(plan.clips[0].key_hash)
    assert addresses[0] != addresses[1]

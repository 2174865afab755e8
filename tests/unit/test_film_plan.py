from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.assembly import Transition, TransitionKind
from lambdas.domain.characters import Image
from lambdas.domain.documents import LONGEST_FILM, fingerprint
from lambdas.domain.engine_request import engine_request
from lambdas.domain.engines import CATALOGUE, Engine, Workflow
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.film_format import FpsMode, engine_frames
from lambdas.domain.film_plan import FilmPlan, Heard, film_hash
from lambdas.domain.narration import Sentence
from lambdas.domain.planning import MOST_CLIPS, Shot, check_length, clip_lengths, cut, make_plan
from lambdas.domain.storyboard import LEAD
from lambdas.domain.video_request import LONGEST_TRANSITION, SHORTEST_TRANSITION
from tests.factories import a_plan, a_request, a_shot, a_video


def plan_of(engine: Engine, seconds: int, **fields: object) -> FilmPlan:
    width, height = engine.sizes.default
    image = Image(key="uploads/acme/1.png", sha256="1" * 64, width=8, height=8)
    request = a_request(
        engine=engine.name,
        seconds=seconds,
        width=width,
        height=height,
        fps=engine.fps[0],
        image=image if engine.image == "required" else None,
        **fields,
    )
    prompts = [f"part {i}" for i in range(len(clip_lengths(request, engine)))]
    return a_plan(a_video(request=request), prompts)


# Those that need a last frame for each clip render scenes of one clip.
OF_ANY_LENGTH = [engine for engine in CATALOGUE.values() if engine.last_image != "required"]


@given(
    st.sampled_from(OF_ANY_LENGTH),
    st.integers(1, LONGEST_FILM),
    st.sampled_from(TransitionKind),
    st.floats(SHORTEST_TRANSITION, LONGEST_TRANSITION),
)
def test_the_film_is_exactly_as_long_as_asked_and_every_clip_obeys_the_frame_rule(
    engine: Engine, seconds: int, transition: TransitionKind, transition_seconds: float
) -> None:
    try:
        plan = plan_of(engine, seconds, transition=transition, transition_seconds=transition_seconds)
    except InvalidRequest as refused:
        assert engine.longest_clip == 1, refused  # noqa: PT017 - the others refuse nothing
        return
    fps = engine.fps[0]
    assert plan.frames == seconds * fps
    assert len(plan.clips) <= MOST_CLIPS
    around = [0, *(one.frames if one else 0 for one in plan.transitions), 0]
    for clip, before, after in zip(plan.clips, around, around[1:], strict=False):
        assert before + after <= clip.film_frames, "two transitions never meet"
    for clip in plan.clips:
        assert 0 <= clip.skip_frames < clip.frames
        assert clip.film_frames <= engine.longest_clip * fps
        if engine.frame_step > 1:
            assert clip.frames % engine.frame_step == 1
            assert clip.skip_frames >= 1, "a chained clip's first frame is the last of the one before"
        if engine.name.startswith("cogvideox"):
            assert clip.frames <= {8: 49, 16: 161}[engine.frame_step]


@given(st.sampled_from(OF_ANY_LENGTH), st.integers(1, 1_000), st.sampled_from(TransitionKind))
def test_a_film_has_exactly_the_frames_asked_for(
    engine: Engine, frames: int, transition: TransitionKind
) -> None:
    seconds = max(1, round(frames / engine.fps[0]))
    fields = {"num_frames": frames, "transition": transition, "transition_seconds": 0.25}
    request = a_request(engine=engine.name, seconds=seconds, fps=engine.fps[0], **fields)
    try:
        check_length(request, engine)
    except InvalidRequest as refused:
        assert refused.param == "num_frames"  # noqa: PT017 - others are accepted
        assert frames < engine.fps[0] * 0.25
        return
    assert plan_of(engine, seconds, **fields).frames == frames


@given(st.integers(1, 10_000), st.integers(3, 500), st.data())
def test_cut_is_complete_even_and_minimal(frames: int, longest: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, longest // 3))
    parts = cut(frames, longest, overlap)
    assert sum(parts) - (len(parts) - 1) * overlap == frames
    assert max(parts) <= longest
    assert max(parts) - min(parts) <= 1
    fewer = len(parts) - 1
    assert fewer == 0 or fewer * longest - (fewer - 1) * overlap < frames


def test_eighteen_seconds_are_three_clips() -> None:
    assert [clip.film_frames for clip in plan_of(CATALOGUE["animatic"], 18).clips] == [144] * 3
    assert [clip.frames for clip in plan_of(CATALOGUE["cogvideox-5b"], 18).clips] == [49] * 3


def test_only_engines_that_start_from_an_image_are_chained() -> None:
    chained = plan_of(CATALOGUE["cogvideox-5b-i2v"], 18)
    assert [clip.starts_from for clip in chained.clips] == [None, 0, 1]
    assert chained.scenes[0].chained
    free = plan_of(CATALOGUE["cogvideox-5b"], 18)
    assert [clip.starts_from for clip in free.clips] == [None] * 3


def test_transitions_are_only_between_clips_that_are_not_chained() -> None:
    fade: dict[str, object] = {"transition": "crossfade", "transition_seconds": 0.3}
    free = plan_of(CATALOGUE["cogvideox-5b"], 18, **fade)
    assert free.transitions == [Transition(TransitionKind.CROSSFADE, 2)] * 3
    assert [clip.film_frames for clip in free.clips] == [38, 38, 37, 37]
    assert free.starts == [0, 36, 72, 107]
    chained = plan_of(CATALOGUE["cogvideox-5b-i2v"], 18, **fade)
    assert chained.transitions == [None, None]
    assert [clip.film_frames for clip in chained.clips] == [48] * 3


def test_a_fade_through_black_shows_every_frame_once() -> None:
    plan = plan_of(CATALOGUE["cogvideox-5b"], 18, transition="fade")
    assert [clip.film_frames for clip in plan.clips] == [48] * 3
    assert plan.transitions == [Transition(TransitionKind.FADE, 4)] * 2


def test_a_transition_has_at_least_one_frame() -> None:
    plan = plan_of(CATALOGUE["cogvideox-5b"], 12, transition="wipe", transition_seconds=0.1)
    assert plan.transitions[0] == Transition(TransitionKind.WIPE, 1)


def test_a_transition_must_fit_into_the_engine_s_clips() -> None:
    nano = CATALOGUE["cogvideox-nano"].model_copy(update={"longest_clip": 1})
    with pytest.raises(InvalidRequest, match=r"at most 0\.25 with engine cogvideox-nano") as refused:
        plan_of(nano, 3, transition="fade", transition_seconds=0.5)
    assert refused.value.param == "transition_seconds"
    assert plan_of(nano, 3, transition="fade", transition_seconds=0.25).frames == 24
    assert plan_of(nano, 3, transition_seconds=0.5).frames == 24  # there is none


def test_a_film_with_too_many_clips_is_rejected() -> None:
    short = CATALOGUE["cogvideox-nano"].model_copy(update={"longest_clip": 1})
    assert len(plan_of(short, MOST_CLIPS).clips) == MOST_CLIPS
    with pytest.raises(InvalidRequest, match="1,001 clips of 1 s, and the limit is 1,000") as refused:
        plan_of(short, MOST_CLIPS + 1)
    assert refused.value.param == "seconds"


@pytest.mark.parametrize(
    "change", [{"transition": "fade"}, {"even_out": True}, {"fragmented": True}], ids=str
)
def test_a_different_assembly_makes_another_film_from_the_same_clips(change: dict[str, object]) -> None:
    engine = CATALOGUE["cogvideox-5b"]
    before, after = plan_of(engine, 12, seed=4), plan_of(engine, 12, seed=4, **change)
    assert [clip.key_hash for clip in before.clips] == [clip.key_hash for clip in after.clips]
    assert film_hash(before) != film_hash(after)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 5},
        {"negative_prompt": "blurred"},
        {"guidance": 3.0},
        {"steps": 7},
        {"speed": "exact"},
        {"speed": "fast"},
        {"loras": [{"name": "paper"}]},
    ],
)
def test_whatever_determines_a_clip_changes_its_address(change: dict[str, object]) -> None:
    engine = CATALOGUE["cogvideox-5b"]
    before, after = plan_of(engine, 12, seed=4), plan_of(engine, 12, **{"seed": 4, **change})
    assert {clip.key_hash for clip in before.clips}.isdisjoint({clip.key_hash for clip in after.clips})
    assert film_hash(before) != film_hash(after)


def test_an_adapter_s_scale_is_part_of_a_clip_s_address() -> None:
    engine = CATALOGUE["cogvideox-5b"]
    hashes = {
        clip.key_hash
        for scale in (1.0, 0.5)
        for clip in plan_of(engine, 6, seed=4, loras=[{"name": "paper", "scale": scale}]).clips
    }
    assert len(hashes) == 2


def test_a_changed_clip_changes_all_clips_chained_to_it() -> None:
    engine = CATALOGUE["cogvideox-5b-i2v"]
    one = plan_of(engine, 18, seed=4)
    video = a_video(
        request=a_request(
            engine=engine.name,
            width=720,
            height=480,
            fps=8,
            seed=4,
            image=Image(key="uploads/acme/2.png", sha256="2" * 64, width=8, height=8),
        )
    )
    other = a_plan(video, ["part 0", "part 1", "part 2"])
    assert all(a.key_hash != b.key_hash for a, b in zip(one.clips, other.clips, strict=True))


def test_the_same_request_and_seed_has_the_same_address_in_every_video() -> None:
    engine = CATALOGUE["cogvideox-5b"]
    request = a_request(engine=engine.name, width=720, height=480, fps=8, seed=9)
    first = a_plan(a_video(request=request), ["a", "b", "c"])
    second = a_plan(a_video(id="video_" + "1" * 32, request=request), ["a", "b", "c"])
    assert film_hash(first) == film_hash(second)


def test_clips_without_a_user_s_seed_differ_between_videos_and_from_each_other() -> None:
    engine = CATALOGUE["cogvideox-5b"]
    request = a_request(engine=engine.name, width=720, height=480, fps=8)
    first = a_plan(a_video(request=request), ["a", "a", "a"])
    second = a_plan(a_video(id="video_" + "1" * 32, request=request), ["a", "a", "a"])
    assert len({clip.key_hash for clip in first.clips + second.clips}) == 6


# --- films of several scenes


def film_of(
    engine: str, lengths: Sequence[int], edited: Mapping[int, Shot] | None = None, **fields: Any
) -> FilmPlan:
    """Return a storyboard of scenes with these frame counts; `edited` replaces some scenes."""
    shots = [a_shot(f"Scene {index}.", frames=frames) for index, frames in enumerate(lengths)]
    for index, other in (edited or {}).items():
        shots[index] = other
    width, height = CATALOGUE[engine].sizes.default
    size = {"width": width, "height": height, "fps": CATALOGUE[engine].fps[0]}
    video = a_video(request=a_request(engine=engine, **size, **fields))
    return make_plan(video, CATALOGUE[engine], "Bees", shots)


# The nano's 1 s clips have no room for every transition.
ENGINES = [engine.name for engine in OF_ANY_LENGTH if engine.name != "cogvideox-nano"]


@given(
    st.sampled_from(ENGINES),
    st.lists(st.integers(30, 600), min_size=1, max_size=8),
    st.sampled_from(TransitionKind),
    st.floats(SHORTEST_TRANSITION, LONGEST_TRANSITION),
)
def test_every_scene_begins_where_the_one_before_ends(
    engine: str, lengths: list[int], transition: TransitionKind, seconds: float
) -> None:
    plan = film_of(engine, lengths, transition=transition, transition_seconds=seconds)
    begins = [plan.starts[scene.clips[0].index] for scene in plan.scenes]
    assert begins == [sum(lengths[:index]) for index in range(len(lengths))]
    assert plan.frames == sum(lengths)
    assert [clip.index for clip in plan.clips] == list(range(len(plan.clips)))
    assert [scene.index for scene in plan.scenes] == list(range(len(lengths)))
    assert all(scene.clips[0].starts_from is None for scene in plan.scenes)
    around = [None, *plan.transitions, None]
    for clip, before, after in zip(plan.clips, around, around[1:], strict=False):
        head, tail = before.head if before else 0, after.tail if after else 0
        assert head + tail <= clip.film_frames, "two transitions never meet"


def test_scenes_without_a_transition_have_exactly_their_frames() -> None:
    plan = film_of("cogvideox-5b", [40, 60, 30])
    assert [[clip.film_frames for clip in scene.clips] for scene in plan.scenes] == [[40], [30, 30], [30]]
    assert plan.starts == [0, 40, 70, 100]
    assert plan.transitions == [None] * 3


def test_each_scene_but_the_last_adds_the_frames_a_crossfade_shows_twice() -> None:
    plan = film_of("cogvideox-5b", [40, 60, 30], transition="crossfade", transition_seconds=0.5)
    assert [[clip.film_frames for clip in scene.clips] for scene in plan.scenes] == [[44], [34, 34], [30]]
    assert plan.starts == [0, 40, 70, 100]
    assert plan.transitions == [Transition(TransitionKind.CROSSFADE, 4)] * 3
    # So the record's clips add up to the film's length.
    assert plan.clip_seconds == [5, 3.75, 3.75, 3.75]
    assert plan.frames / plan.fps == 16.25


def test_a_chained_scene_has_transitions_at_its_ends_only() -> None:
    plan = film_of("cogvideox-5b-i2v", [40, 60, 30], transition="crossfade", transition_seconds=0.5)
    assert [clip.starts_from for clip in plan.clips] == [None, None, 1, None]
    fade = Transition(TransitionKind.CROSSFADE, 4)
    assert plan.transitions == [fade, None, fade]
    assert [[clip.film_frames for clip in scene.clips] for scene in plan.scenes] == [[44], [32, 32], [30]]


def test_a_fade_takes_no_frames_of_a_scene() -> None:
    plan = film_of("cogvideox-5b", [40, 60, 30], transition="fade", transition_seconds=0.5)
    assert [[clip.film_frames for clip in scene.clips] for scene in plan.scenes] == [[40], [30, 30], [30]]


@pytest.mark.parametrize("transition", ["none", "crossfade", "fade", "wipe"])
def test_a_too_short_scene_is_named(transition: str) -> None:
    least = 1 if transition == "none" else 4
    fields: dict[str, Any] = {"transition": transition, "transition_seconds": 0.5}
    assert film_of("cogvideox-5b", [40, least, 40], **fields).frames == 80 + least
    with pytest.raises(
        InvalidRequest, match=rf"scenes\[1\].seconds must be at least {least / 8:g},"
    ) as refused:
        film_of("cogvideox-5b", [40, least - 1, 40], **fields)
    assert refused.value.param == "scenes[1].seconds"


def test_a_film_whose_scenes_have_too_many_clips_is_rejected() -> None:
    assert len(film_of("cogvideox-nano", [8 * 20] * 50).clips) == MOST_CLIPS
    with pytest.raises(InvalidRequest, match="would need 1,001 clips"):
        film_of("cogvideox-nano", [8 * 20] * 49 + [8 * 21])


STILL = "5" * 64
SAID = Sentence(text="A bee.", sound="a" * 64, start=0, seconds=1.5)


@pytest.mark.parametrize("engine", ["cogvideox-5b", "cogvideox-5b-i2v", "animatic"])
@pytest.mark.parametrize("place", [0, 3, 7])
@pytest.mark.parametrize(
    ("edit", "clips"),
    [
        ({"text": "Another scene."}, True),
        ({"negative_prompt": "blurred"}, True),
        ({"still": STILL}, True),
        ({"frames": 320}, True),  # one more clip, which shifts the indexes of all later ones
        ({"frames": 41}, True),
        ({"narration": [SAID]}, False),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_edited_scene_of_eight_changes_its_own_clips_and_no_other(
    engine: str, place: int, edit: dict[str, Any], clips: bool
) -> None:
    lengths = [300] * 8  # two or more clips
    fields: dict[str, Any] = {"seed": 4, "transition": "crossfade", "transition_seconds": 0.5}
    before = film_of(engine, lengths, **fields)
    after = film_of(
        engine, lengths, {place: a_shot(**{"text": f"Scene {place}.", "frames": 300, **edit})}, **fields
    )
    for index, (one, other) in enumerate(zip(before.scenes, after.scenes, strict=True)):
        hashes = [{clip.key_hash for clip in scene.clips} for scene in (one, other)]
        if index == place and clips:
            assert hashes[0].isdisjoint(hashes[1])
        else:
            assert hashes[0] == hashes[1]
    assert film_hash(before) != film_hash(after)


def test_under_captions_a_draft_has_no_lettering() -> None:
    spoken, silent = {0: a_shot("Scene 0.", frames=96, narration=[SAID])}, {0: a_shot("Scene 0.", frames=96)}
    bare = film_of("animatic", [96, 96], spoken, captions=True)
    assert [bare.is_lettered(scene) for scene in bare.scenes] == [False, True]
    lettered = film_of("animatic", [96, 96], spoken)
    assert lettered.is_lettered(lettered.scenes[0])
    assert bare.clips[0].key_hash != lettered.clips[0].key_hash
    other = film_of("animatic", [96, 96], silent, captions=True)
    assert other.clips[0].key_hash == lettered.clips[0].key_hash


def test_an_image_is_the_first_scene_s_and_a_still_its_own_scene_s() -> None:
    image = Image(key="uploads/acme/1.png", sha256="1" * 64, width=8, height=8)
    plain = film_of("animatic", [300] * 3, seed=4)
    given = film_of("animatic", [300] * 3, seed=4, image=image)
    same = [
        a.clips[0].key_hash == b.clips[0].key_hash for a, b in zip(plain.scenes, given.scenes, strict=True)
    ]
    assert same == [False, True, True]
    drawn = film_of("animatic", [300] * 2, {1: a_shot("Scene 1.", frames=300, still=STILL)}, seed=4)
    assert [scene.still for scene in drawn.scenes] == [None, f"artifacts/acme/stills/{STILL}.png"]


def test_the_scenes_of_a_film_have_seeds_of_their_own() -> None:
    plan = film_of("cogvideox-5b", [300] * 3, seed=2**63 - 2)
    seeds = [clip.seed for clip in plan.clips]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize(
    "edit",
    [
        {"text": "A wasp.", "sound": "a" * 64},
        {"sound": "b" * 64},
        {"start": 1.0},
        {"seconds": 2.0},
    ],
    ids=str,
)
def test_narration_and_its_position_are_part_of_a_film_s_address(edit: dict[str, Any]) -> None:
    said = film_of("animatic", [300], {0: a_shot("Scene 0.", frames=300, narration=[SAID])}, seed=4)
    other = film_of(
        "animatic",
        [300],
        {0: a_shot("Scene 0.", frames=300, narration=[SAID.model_copy(update=edit)])},
        seed=4,
    )
    assert film_hash(said) != film_hash(other)
    assert [clip.key_hash for clip in said.clips] == [clip.key_hash for clip in other.clips]


def test_captions_their_language_and_the_title_are_part_of_a_film_s_address() -> None:
    brief = {"topic": "Bees", "language": "de-DE"}
    plain = film_of("animatic", [300], seed=4)
    films = [
        plain,
        plain.model_copy(update={"title": "Wasps"}),
        film_of("animatic", [300], seed=4, captions=True),
        film_of("animatic", [300], seed=4, captions=True, brief=brief),
    ]
    assert len({film_hash(film) for film in films}) == 4
    # A draft's pictures are found by words of the film's language; other engines read the prompt alone.
    rendered, spoken = (film_of("cogvideox-5b", [48], seed=4, **more) for more in ({}, {"brief": brief}))
    assert film_hash(rendered) == film_hash(spoken)


def test_a_chapter_is_named_after_its_first_sentence() -> None:
    plan = film_of("animatic", [300, 300], {1: a_shot("Scene 1.", frames=300, narration=[SAID])})
    assert [scene.title for scene in plan.scenes] == ["Scene 0.", "A bee."]


# --- engines driven by speech

SPEAKING = CATALOGUE["comfyui"].by(Workflow(revision="ab12", takes=("audio", "image", "prompt")))
SPEAKING_ALONE = CATALOGUE["comfyui"].by(Workflow(revision="ab12", takes=("audio", "prompt")))
SPEECH = [
    Sentence(text="One.", sound="a" * 64, start=0, seconds=2.5),
    Sentence(text="Two.", sound="b" * 64, start=2.75, seconds=6),
]


def spoken_film(engine: Engine, narration: Sequence[Sentence] = SPEECH, **fields: Any) -> FilmPlan:
    """Return the plan of a 10 s scene and a silent 4 s scene, at 8 fps."""
    request = a_request(engine=engine.name, width=96, height=64, fps=8, seed=1, **fields)
    shots = [
        a_shot("Scene 0.", frames=80, narration=narration, still="c" * 64, negative_prompt="rain"),
        a_shot("Scene 1.", frames=32, still="d" * 64),
    ]
    return make_plan(a_video(request=request), engine, "Bees", shots)


def test_each_clip_gets_the_sound_heard_while_its_frames_are_shown() -> None:
    plan = spoken_film(SPEAKING)
    first, second, silent = plan.clips
    assert [(clip.frames, clip.skip_frames) for clip in plan.clips] == [(41, 1), (41, 1), (33, 1)]
    assert first.heard == [
        Heard(sound="a" * 64, start=0.4 + 0.125),
        Heard(sound="b" * 64, start=3.15 + 0.125),
    ]
    # From 5 s minus one frame: the first sentence is over, the second has begun.
    assert second.heard == [Heard(sound="b" * 64, start=3.15 - 5 + 0.125)]
    assert second.starts_from == 0
    assert silent.heard == []
    assert silent.starts_from is None


@pytest.mark.parametrize("transition", ["crossfade", "fade", "none"])
def test_a_clip_s_sound_matches_the_film_s(transition: str) -> None:
    plan = spoken_film(SPEAKING_ALONE, transition=transition, transition_seconds=0.5)
    speech = {said.sound: Fraction(str(LEAD)) + Fraction(str(said.start)) for said in SPEECH}
    for clip, start in zip(plan.clips, plan.starts, strict=True):
        begins = Fraction(start - clip.skip_frames, plan.fps)
        for one in clip.heard or []:
            assert begins + Fraction(one.start) == pytest.approx(speech[one.sound])
    assert plan.clips[0].heard
    assert plan.clips[1].heard
    assert plan.clips[-1].heard == []


def test_speech_is_part_of_a_clip_s_address_if_the_engine_uses_it() -> None:
    later = [SPEECH[0], SPEECH[1].model_copy(update={"start": 3.0})]
    one, other = spoken_film(SPEAKING), spoken_film(SPEAKING, later)
    changed = [a.key_hash != b.key_hash for a, b in zip(one.clips, other.clips, strict=True)]
    assert changed == [True, True, False]
    text = CATALOGUE["comfyui"].by(Workflow(revision="ab12", takes=("image", "prompt")))
    silent, spoken = spoken_film(text, ()), spoken_film(text)
    assert [clip.key_hash for clip in silent.clips] == [clip.key_hash for clip in spoken.clips]
    assert all(clip.heard is None for clip in spoken.clips)


def test_a_changed_workflow_renders_again() -> None:
    other = CATALOGUE["comfyui"].by(Workflow(revision="cd34", takes=("audio", "image", "prompt")))
    pairs = zip(spoken_film(SPEAKING).clips, spoken_film(other).clips, strict=True)
    assert all(a.key_hash != b.key_hash for a, b in pairs)


def test_a_negative_prompt_without_a_node_is_left_out() -> None:
    assert spoken_film(SPEAKING).scenes[0].negative_prompt == ""
    takes = ("audio", "image", "prompt", "negative_prompt")
    plan = spoken_film(CATALOGUE["comfyui"].by(Workflow(revision="ab12", takes=takes)))
    assert plan.scenes[0].negative_prompt == "rain"


def test_the_addresses_of_other_engines_clips_are_unchanged() -> None:
    """Otherwise every existing clip would be rendered again."""
    plan = film_of("cogvideox-5b", [48, 96], seed=3)
    assert fingerprint([clip.key_hash for clip in plan.clips]) == (
        "bf8f69cf459175725468e8b5f64781e65523e40ed855498c56aacf5b39f778a3"
    )


# --- any size and rate


def converted(name: str, size: tuple[int, int], fps: int, seconds: int = 7, **fields: Any) -> FilmPlan:
    """Return the plan of a film of that size and rate, as intake requests it."""
    engine = CATALOGUE[name]
    width, height = engine.rendered_size(size)
    image = Image(key="uploads/acme/1.png", sha256="1" * 64, width=8, height=8)
    request = a_request(
        engine=name,
        seconds=seconds,
        width=size[0],
        height=size[1],
        fps=fps,
        rendered_width=width,
        rendered_height=height,
        rendered_fps=engine.rendered_fps(fps),
        image=image if engine.image == "required" else None,
        **fields,
    )
    prompts = [f"part {i}" for i in range(len(clip_lengths(request, engine)))]
    return a_plan(a_video(request=request), prompts)


@given(
    st.sampled_from(list(CATALOGUE)),
    st.integers(8, 60),
    st.integers(1, 100),
    st.sampled_from(FpsMode),
    st.sampled_from([TransitionKind.NONE, TransitionKind.CROSSFADE]),
)
def test_a_film_of_any_rate_is_exactly_as_long_as_asked(
    name: str, fps: int, seconds: int, mode: FpsMode, transition: TransitionKind
) -> None:
    engine = CATALOGUE[name]
    fields = {"fps_mode": mode, "transition": transition, "transition_seconds": 0.2}
    plan = converted(name, (720, 1280), fps, seconds, **fields)
    assert plan.frames == seconds * fps
    assert sum(plan.clip_seconds) == pytest.approx(seconds)
    for clip in plan.clips:
        assert clip.film_frames <= engine.longest_clip * fps
        shown = engine_frames(clip.film_frames, fps, plan.rate, mode)
        assert clip.frames - clip.skip_frames == shown
        if engine.frame_step > 1:
            assert clip.frames % engine.frame_step == 1
            assert clip.skip_frames >= 1
        if name.startswith("cogvideox"):
            assert clip.frames <= {8: 49, 16: 161}[engine.frame_step]


def test_the_engine_renders_in_its_own_format_and_is_asked_for_the_film_s() -> None:
    plan = converted("cogvideox-5b", (720, 1280), 24, fit="blur", fps_mode="blend")
    scene = plan.scenes[0]
    asked = engine_request(plan, scene, scene.clips[0], image=None, video=None, audio=None)
    assert (asked.width, asked.height, asked.fps) == (720, 480, 8)
    assert (asked.frames, asked.skip_frames) == (33, 5)  # 28 frames of 8 fps are 3.5 s
    assert asked.film
    assert asked.film.model_dump(mode="json") == {
        "width": 720,
        "height": 1280,
        "fps": 24,
        "frames": 84,
        "fit": "blur",
        "fps_mode": "blend",
    }


def test_an_engine_that_renders_the_film_s_format_is_asked_for_nothing_more() -> None:
    for name, size, fps in (("cogvideox-5b", (720, 480), 8), ("cogvideox-1.5-5b-i2v", (768, 1360), 16)):
        plan = converted(name, size, fps)
        scene = plan.scenes[0]
        asked = engine_request(plan, scene, scene.clips[0], image=None, video=None, audio=None)
        assert asked.film is None
        assert "film" not in asked.body().decode()


def test_a_workflow_s_clips_always_get_the_film_s_size() -> None:
    plan = converted("comfyui", (832, 480), 24)
    scene = plan.scenes[0]
    asked = engine_request(plan, scene, scene.clips[0], image=None, video=None, audio=None)
    assert asked.film
    assert (asked.film.width, asked.film.height, asked.film.frames) == (832, 480, scene.clips[0].film_frames)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("animatic", "c8692d0b07e358777187af72136ed345a8955740a26b4c16e7b37b969572c130"),
        ("cogvideox-5b", "5bed9620f4e3171cff4148341c333f6fb9e612d67456e101c6450405d45467c6"),
        ("cogvideox-1.5-5b", "07bb0adb1a616563197226107116c5ca43c4a30597e1e3eacce3ec949e16ea44"),
        ("cogvideox-nano", "1d017183433e082df8e90e65886ddee4661b8e7b814429889e972ef9f5ee7827"),
    ],
)
@pytest.mark.parametrize("fit", ["cover", "blur"])
def test_clips_in_the_engine_s_own_format_keep_their_address(name: str, address: str, fit: str) -> None:
    """Computed before films had other sizes and rates than engines: those clips must be found."""
    engine = CATALOGUE[name]
    size, fps = engine.sizes.default, engine.fps[0]
    request = a_request(
        engine=name, seconds=1, width=size[0], height=size[1], fps=fps, seed=7, fit=fit,
        rendered_width=size[0], rendered_height=size[1], rendered_fps=fps,
    )  # fmt: skip
    assert a_plan(a_video(request=request), ["A bee"]).clips[0].key_hash == address


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ({}, "fb54135d277826268c4febb58a6d50c02ca50ef7cd51b66a9ccb70413e8dfe77"),
        (
            {"captions": True, "burn_captions": True, "caption_style": "karaoke"},
            "ac06b7bcabdbec0d02eb2e42290726f4efac65bf2cb0edb1275e6c907b39800f",
        ),
        (
            {"caption_look": {"position": "top"}, "captions": True, "burn_captions": True},
            "5a2554286238f852b87f95578f5f830eb57f6b718eccf17c39caee95d55a2aed",
        ),
    ],
)
def test_a_film_keeps_its_address(fields: dict[str, Any], address: str) -> None:
    """Else an upgrade would join each film again."""
    request = a_request(engine="cogvideox-nano", width=96, height=64, fps=8, seconds=1, seed=7, **fields)
    assert film_hash(a_plan(a_video(request=request), ["A bee"])) == address


def test_what_changes_a_clip_s_pictures_changes_its_address() -> None:
    films: list[tuple[tuple[int, int], int, dict[str, Any]]] = [
        ((720, 480), 8, {}),
        ((720, 1280), 8, {}),
        ((720, 1280), 8, {"fit": "contain"}),
        ((720, 480), 24, {}),
        ((720, 480), 24, {"fps_mode": "blend"}),
        ((720, 480), 25, {}),
    ]
    made = {converted("cogvideox-5b", *film, 1, **how).clips[0].key_hash for *film, how in films}
    assert len(made) == len(films)
    still = {
        converted("cogvideox-5b", (720, 480), 8, 1, **how).clips[0].key_hash
        for how in ({}, {"fit": "blur"}, {"fps_mode": "blend"})
    }
    assert len(still) == 1, "where nothing is fitted or converted, the choice does not matter"


def test_speech_is_heard_at_the_engine_s_rate() -> None:
    """A clip's sound lasts as long as its rendered frames, and begins as much earlier as it skips."""
    engine = CATALOGUE["comfyui"].by(Workflow(revision="ab12", takes=("audio", "image", "prompt")))
    request = a_request(
        engine="comfyui", seconds=8, width=832, height=480, fps=50, rendered_width=832, rendered_height=480,
        rendered_fps=25,
    )  # fmt: skip
    said = [Sentence(text="Hello.", sound="5" * 64, start=5.0, seconds=1.0)]
    shot = a_shot(frames=400, narration=said, still="6" * 64)
    first, second = make_plan(a_video(request=request), engine, "Hello", [shot]).clips
    assert first.heard == []
    assert second.frames == 105
    assert second.film_frames == 200
    # The second clip begins at 4 s, and skips 5 frames of 25 fps.
    assert second.skip_frames == 5
    assert second.heard
    assert [one.start for one in second.heard] == pytest.approx([LEAD + 5.0 - 4.0 + 5 / 25])

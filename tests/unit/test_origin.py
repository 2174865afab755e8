import base64
from fractions import Fraction
from io import BytesIO
from typing import Any

import av
import numpy as np
import pytest

from containers.diffusion.video import video_frames
from lambdas.domain.assembly import Fit, TransitionKind
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.errors import ClipUnreadable
from lambdas.domain.film_plan import FilmPlan, Scene
from lambdas.domain.origin import (
    all_paragraphs,
    ideas_of,
    prompt_shots,
    storyboard_shots,
    unwritten,
    written,
)
from lambdas.domain.planning import Shot, make_plan
from lambdas.domain.storyboard import Storyboard
from lambdas.domain.video import Video
from lambdas.domain.video_parts import Enhancement
from lambdas.domain.video_request import Origin, OriginKind, VideoRequest
from lambdas.media.conform import FilmFormat, check_upload, excerpt
from tests.factories import a_request, a_shot, a_video
from tests.media.clips import clip

ANIMATIC = CATALOGUE["animatic"]
NANO = CATALOGUE["cogvideox-nano"]
FILE = "uploads/acme/1.mp4"


def of_prompt(engine: str = "animatic", **fields: Any) -> VideoRequest:
    width, height = CATALOGUE[engine].sizes.default
    return a_request(engine=engine, seconds=2, width=width, height=height, fps=8, seed=5, **fields)


def planned(video: Video, source: FilmPlan | None = None) -> FilmPlan:
    engine = CATALOGUE[video.request.engine]
    return make_plan(video, engine, video.request.prompt, prompt_shots(video, engine, source))


def made_of(video: Video, kind: OriginKind, prompt: str = "Make it night.", **fields: Any) -> Video:
    """Admit the request for it."""
    origin = Origin(kind=kind, prompt=prompt, video=video.id, paragraphs=all_paragraphs(video, 226), **fields)
    return a_video(id="video_" + "1" * 32, request=video.request.model_copy(update={"origin": origin}))


def hashes(plan: FilmPlan) -> list[str]:
    return [clip.key_hash for clip in plan.clips]


def test_a_film_of_one_prompt_is_one_scene() -> None:
    video = a_video(request=of_prompt())
    [scene] = planned(video).scenes
    assert (scene.text, scene.clips[0].prompt, scene.continues) == (video.request.prompt,) * 2 + (False,)


def test_a_remix_is_as_long_as_its_source_and_says_the_change() -> None:
    source = a_video(request=of_prompt("cogvideox-nano"))
    before = planned(source)
    remix = made_of(source, OriginKind.REMIX)
    plan = planned(remix, before)
    assert [clip.film_frames for clip in plan.clips] == [clip.film_frames for clip in before.clips]
    assert [clip.seed for clip in plan.clips] == [clip.seed for clip in before.clips]
    assert all("A bee on a flower." in clip.prompt for clip in plan.clips)
    assert "Make it night." in plan.clips[0].prompt
    assert not set(hashes(plan)) & set(hashes(before))
    assert all(clip.footage is None for clip in plan.clips)


def test_a_remix_whose_paragraph_is_the_source_s_has_its_clips() -> None:
    source = a_video(request=of_prompt("cogvideox-nano"))
    before = planned(source)
    enhancement = Enhancement(prompt=source.request.prompt)
    remix = made_of(source, OriginKind.REMIX).model_copy(update={"enhancement": enhancement})
    assert hashes(planned(remix, before)) == hashes(before)


def test_a_long_prompt_leaves_room_for_the_change() -> None:
    source = a_video(request=of_prompt(prompt="A bee flies on. " * 400))
    [text] = unwritten(made_of(source, OriginKind.REMIX).request, 226)
    assert text.endswith("A bee flies on. Make it night.")


def test_an_edit_starts_from_the_source_s_clips_with_its_strength() -> None:
    source = a_video(request=of_prompt("cogvideox-nano"))
    before = planned(source)
    found = {}
    for strength in (0.5, 0.8):
        plan = planned(made_of(source, OriginKind.EDIT, strength=strength), before)
        assert [clip.footage and clip.footage.clip for clip in plan.clips] == hashes(before)
        assert {clip.strength for clip in plan.clips} == {strength}
        found[strength] = hashes(plan)
    assert not set(found[0.5]) & set(found[0.8])
    assert not set(found[0.8]) & set(hashes(planned(made_of(source, OriginKind.REMIX), before)))


def test_an_engine_without_video_input_edits_like_a_remix() -> None:
    source = a_video(request=of_prompt())
    before = planned(source)
    edited, remixed = (planned(made_of(source, kind), before) for kind in (OriginKind.EDIT, OriginKind.REMIX))
    assert hashes(edited) == hashes(remixed)


def test_an_extension_begins_with_the_source_s_clips() -> None:
    source = a_video(request=of_prompt(transition=TransitionKind.CROSSFADE, transition_seconds=0.25))
    before = planned(source)
    longer = made_of(source, OriginKind.EXTEND, "It lands.", seconds=7)
    plan = planned(longer, before)
    assert hashes(plan)[: len(before.clips)] == hashes(before)
    assert plan.frames == before.frames + 7 * 8
    first = plan.scenes[1].clips[0]
    assert (first.starts_from, plan.scenes[1].continues) == (len(before.clips) - 1, True)
    assert plan.transitions[len(before.clips) - 1] is None
    # And once more: it continues the whole extended film.
    again = made_of(longer, OriginKind.EXTEND, "It sleeps.", seconds=1)
    assert hashes(planned(again, plan))[: len(plan.clips)] == hashes(plan)


def test_the_picture_that_an_extension_begins_with_is_part_of_its_address() -> None:
    last = []
    for seed in (1, 2):
        source = a_video(request=of_prompt().model_copy(update={"seed": seed}))
        longer = made_of(source, OriginKind.EXTEND, "It lands.", seconds=1)
        longer = longer.model_copy(update={"request": longer.request.model_copy(update={"seed": 9})})
        last.append(hashes(planned(longer, planned(source)))[-1])
    assert last[0] != last[1]


def test_an_engine_without_image_input_extends_by_prompt_only() -> None:
    source = a_video(
        request=of_prompt("cogvideox-nano", transition=TransitionKind.FADE, transition_seconds=0.2)
    )
    plan = planned(made_of(source, OriginKind.EXTEND, "It lands.", seconds=1), planned(source))
    assert plan.scenes[1].clips[0].starts_from is None
    assert plan.transitions[-1] is None


def test_a_remix_of_an_extension_changes_each_of_its_scenes() -> None:
    source = a_video(request=of_prompt())
    longer = made_of(source, OriginKind.EXTEND, "It lands.", seconds=1)
    plan = planned(longer, planned(source))
    remix = made_of(longer, OriginKind.REMIX)
    assert unwritten(remix.request, 226) == [
        "A bee on a flower. Make it night.",
        "It lands. Make it night.",
    ]
    ideas = ideas_of(remix.request, 226, plan)
    assert [(idea.prompt, idea.change) for idea in ideas] == [
        ("A bee on a flower", "Make it night."),
        ("It lands.", "Make it night."),
    ]
    texts = ["A bee at night.", "It lands\nat night."]
    remix = remix.model_copy(update={"enhancement": Enhancement(prompt=written(texts))})
    after = planned(remix, plan)
    assert [scene.clips[0].prompt for scene in after.scenes] == ["A bee at night.", "It lands at night."]
    assert (after.frames, after.scenes[1].continues) == (plan.frames, True)
    assert after.scenes[1].clips[0].starts_from == len(after.scenes[0].clips) - 1


def of_file(engine: str, kind: OriginKind, frames: int, **fields: Any) -> Video:
    origin = Origin(kind=kind, prompt="It rains.", file=FILE, frames=frames, **fields)
    return a_video(request=of_prompt(engine, origin=origin))


def test_a_file_can_be_extended() -> None:
    plan = planned(of_file("animatic", OriginKind.EXTEND, 13, seconds=1))
    first, second = plan.clips
    assert first.is_footage
    assert first.footage
    assert (first.footage.file, first.film_frames) == (FILE, 13)
    assert (second.is_footage, second.starts_from, second.film_frames) == (False, 0, 8)


def test_a_file_is_edited_piece_by_piece() -> None:
    plan = planned(of_file("cogvideox-nano", OriginKind.EDIT, 13, strength=0.5))
    assert [clip.film_frames for clip in plan.clips] == [7, 6]
    assert [(one.footage.file, one.footage.start) for one in plan.clips if one.footage] == [
        (FILE, 0),
        (FILE, 7),
    ]


# --- storyboards


def a_board(*texts: str, style: str = "Warm light.") -> Storyboard:
    scenes = [{"image": {"positive_prompt": text}, "video": {"positive_prompt": text}} for text in texts]
    return Storyboard.model_validate({"title": "Bees", "style": style, "scenes": scenes})


def going_on(board: Storyboard, index: int) -> Storyboard:
    """Return it with one scene that continues the one before."""
    scenes = list(board.scenes)
    scenes[index] = scenes[index].model_copy(update={"continues": True})
    return board.model_copy(update={"scenes": scenes})


def board_shots(board: Storyboard) -> list[Shot]:
    return [a_shot(scene.video.positive_prompt, continues=scene.continues) for scene in board.scenes]


def board_plan(board: Storyboard, **fields: Any) -> FilmPlan:
    shots = board_shots(board)
    return make_plan(a_video(request=of_prompt(**fields)), ANIMATIC, board.title, shots)


def remade(
    before: Storyboard, after: Storyboard, source: FilmPlan, kind: OriginKind = OriginKind.REMIX
) -> list[bool]:
    """Return which scenes are reused from the source."""
    origin = Origin(kind=kind, prompt="x", video="video_" + "0" * 32)
    found = storyboard_shots(board_shots(after), after, ANIMATIC, origin=origin, source=source, before=before)
    plan = make_plan(a_video(request=of_prompt()), ANIMATIC, "Bees", found)
    assert [clip.index for clip in plan.clips] == list(range(len(plan.clips)))
    return [isinstance(one, Scene) for one in found]


def test_only_changed_scenes_are_rendered() -> None:
    before = a_board("One.", "Two.", "Three.")
    source = board_plan(before)
    assert remade(before, before, source) == [True] * 3
    assert remade(before, a_board("One.", "Night.", "Three."), source) == [True, False, True]
    assert remade(before, a_board("One.", "Two.", "Three.", style="Ink."), source) == [False] * 3
    assert remade(before, a_board("One.", "Two."), source) == [True, False]


def test_a_scene_that_continues_a_changed_one_is_re_rendered() -> None:
    before = going_on(a_board("One.", "Two."), 1)
    source = board_plan(before)
    assert remade(before, going_on(a_board("Night.", "Two."), 1), source) == [False, False]
    assert remade(before, going_on(a_board("One.", "Night."), 1), source) == [True, False]


def test_an_added_scene_continues_its_predecessor_at_any_position() -> None:
    before = a_board("One.", "Two.")
    source = board_plan(before, transition=TransitionKind.CROSSFADE)
    longer = before.continued("Three.", 2)
    one, two, three = longer.scenes
    new = two.model_copy(update={"video": one.video})
    for scenes in ([two, three], [one, new, two, three], [two, one, three]):
        board = longer.model_copy(update={"scenes": scenes})
        origin = Origin(kind=OriginKind.EXTEND, prompt="Three.", video="video_" + "0" * 32)
        found = storyboard_shots(
            board_shots(board), board, ANIMATIC, origin=origin, source=source, before=before
        )
        request = of_prompt(transition=TransitionKind.CROSSFADE)
        plan = make_plan(a_video(request=request), ANIMATIC, "Bees", found)
        last = plan.scenes[-1].clips[0]
        assert [scene.continues for scene in plan.scenes] == [False] * (len(scenes) - 1) + [True]
        assert last.starts_from == last.index - 1
        assert [one is None for one in plan.transitions] == [False] * (len(scenes) - 2) + [True]


def test_an_edit_starts_from_its_own_pictures_or_from_none() -> None:
    before = a_board("One.", "Two.", "Three.")
    video = a_video(request=of_prompt("cogvideox-nano"))
    source = make_plan(video, NANO, "Bees", board_shots(before))
    origin = Origin(kind=OriginKind.EDIT, prompt="x", video=video.id, strength=0.5)

    def made_of(board: Storyboard) -> list[list[str | None]]:
        """Return the source clips of each rendered scene."""
        found = storyboard_shots(board_shots(board), board, NANO, origin=origin, source=source, before=before)
        return [[one.clip for one in shot.of] for shot in found if isinstance(shot, Shot)]

    own = [[clip.key_hash for clip in scene.clips] for scene in source.scenes]
    assert made_of(a_board("Night.", "Two.", "Fog.")) == [own[0], own[2]]
    assert made_of(a_board("Two.", "Fog.")) == [[], []]


def test_an_extended_storyboard_keeps_all_its_scenes() -> None:
    before = a_board("One.", "Two.")
    source = board_plan(before, transition=TransitionKind.CROSSFADE)
    after = before.continued("Three.", 2)
    assert remade(before, after, source, OriginKind.EXTEND) == [True, True, False]


def test_a_new_scene_is_narrated_by_the_voice_of_the_others() -> None:
    said = {"text": "Bees fly.", "voice": "Amy", "speed": 1.5}
    scene = {**a_board("One.").scenes[0].model_dump(), "narration": said}
    board = Storyboard.model_validate({"title": "Bees", "scenes": [scene]})
    added = board.continued("It lands.", 4).scenes[-1]
    assert added.narration
    assert (added.narration.text, added.narration.voice, added.narration.speed) == ("It lands.", "Amy", 1.5)
    assert a_board("One.").continued("It lands.", 4).scenes[-1].narration is None


# --- the source pictures of a clip


def decoded(data: bytes) -> list[np.ndarray[Any, Any]]:
    with av.open(BytesIO(data)) as container:
        return [frame.to_ndarray(format="gray").astype(int) for frame in container.decode(video=0)]


@pytest.mark.parametrize(("start", "lead", "shown"), [(0, 1, [0, 0, 1, 2]), (3, 2, [3, 3, 3, 4])])
def test_a_clip_of_footage_has_as_many_frames_as_the_engine_renders(
    start: int, lead: int, shown: list[int]
) -> None:
    whole = clip(8)
    film = FilmFormat(96, 64, Fraction(8))
    made = excerpt(whole, film, Fit.COVER, start=start, frames=9, lead=lead)
    pictures, frames = decoded(whole), decoded(made)
    assert len(video_frames(base64.b64encode(made).decode(), (96, 64), 9)) == 9
    nearest = [int(np.argmin([np.abs(one - other).mean() for other in pictures])) for one in frames]
    assert nearest[:4] == shown
    assert nearest[-1] == min(start + 8 - lead, 7), "the last picture is held at the clip's end"


def test_a_file_s_number_of_frames_in_the_film() -> None:
    film = FilmFormat(64, 64, Fraction(8))
    assert check_upload(clip(12, fps=12), film, Fit.COVER, longest=60) == 8
    with pytest.raises(ClipUnreadable):
        check_upload(b"no video", film, Fit.COVER, longest=60)

"""A user's edits of a storyboard."""

from typing import Any

import pytest

from lambdas.api.storyboard_edits import Regeneration, regenerated, replacement, scene_index
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.storyboard import Storyboard
from lambdas.domain.video import unchanged_parts
from lambdas.domain.video_parts import Part, PartProgress
from tests.factories import a_request, a_video

ENGINE = CATALOGUE["animatic"]


def a_scene(text: str = "A bee.", **fields: Any) -> dict[str, Any]:
    return {"image": {"positive_prompt": text}, "video": {"positive_prompt": text}, **fields}


def a_board(*scenes: dict[str, Any], **fields: Any) -> Storyboard:
    return Storyboard.model_validate({"title": "Bees", "scenes": scenes or [a_scene()], **fields})


def test_a_storyboard_with_too_many_clips() -> None:
    short = ENGINE.model_copy(update={"longest_clip": 1})
    document = {"title": "Bees", "scenes": [a_scene(seconds=60) for _ in range(17)]}
    with pytest.raises(InvalidRequest, match=r"1,020 clips of 1 s, and the limit is 1,000") as refused:
        replacement(document, a_request(), short)
    assert refused.value.param == "scenes"
    assert len(replacement({**document, "scenes": document["scenes"][:16]}, a_request(), short).scenes) == 16


def test_a_scene_has_room_for_its_transitions() -> None:
    document = {"title": "Bees", "scenes": [a_scene(seconds=4), a_scene(seconds=0.4)]}
    assert replacement(document, a_request(), ENGINE)
    with pytest.raises(InvalidRequest) as refused:
        replacement(document, a_request(transition="crossfade", transition_seconds=0.5), ENGINE)
    assert refused.value.param == "scenes[1].seconds"


def test_an_engine_driven_by_speech_requires_narration() -> None:
    speaking = ENGINE.model_copy(update={"audio": "required"})
    with pytest.raises(InvalidRequest, match="requires speech"):
        replacement({"title": "Bees", "scenes": [a_scene()]}, a_request(), speaking)
    said = {"title": "Bees", "scenes": [a_scene(), a_scene(narration={"text": "Bees fly."})]}
    assert replacement(said, a_request(), speaking)


@pytest.mark.parametrize("text", ["1", "-0", "1.0", "", "²", "0000", "x" * 500])
def test_an_unknown_scene(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^scene must be 0, the only scene;") as refused:
        scene_index(text, a_board())
    assert refused.value.param == "scene"
    assert len(refused.value.message) < 200


def test_a_note_keeps_a_still_s_seed() -> None:
    board = a_board(a_scene(image={"positive_prompt": "A bee.", "seed": 5}))
    request = a_request(stills={})
    noted = Regeneration(part=Part.STILL, note="At night")
    assert regenerated(board, 0, noted, request) == board
    both = Regeneration(part=Part.STILL, note="At night", seed=6)
    assert regenerated(board, 0, both, request).scenes[0].image.seed == 6


def test_the_user_s_own_picture_is_not_redrawn() -> None:
    image = {"key": "k", "sha256": "0" * 64, "width": 64, "height": 64}
    request = a_request(stills={}, image=image)
    board = a_board(a_scene(), a_scene())
    assert [request.draws_still(scene, board) for scene in (0, 1)] == [False, True]
    assert not a_request().draws_still(1, board)
    with pytest.raises(InvalidRequest, match="the picture that you sent"):
        regenerated(a_board(), 0, Regeneration(part=Part.STILL), request)


def test_a_scene_that_continues_another_has_no_still() -> None:
    request, board = a_request(stills={}), a_board(a_scene(), a_scene(continues=True), a_scene())
    assert [request.draws_still(scene, board) for scene in range(3)] == [True, False, True]
    with pytest.raises(InvalidRequest, match="the picture that the previous scene ends with"):
        regenerated(board, 1, Regeneration(part=Part.STILL), request)


def test_a_first_scene_continues_none() -> None:
    scenes = [a_scene(continues=True), a_scene()]
    with pytest.raises(InvalidRequest, match="no scene comes before it") as refused:
        replacement({"title": "Bees", "scenes": scenes}, a_request(), ENGINE)
    assert refused.value.param == "scenes[0].continues"
    assert replacement({"title": "Bees", "scenes": scenes[::-1]}, a_request(), ENGINE).scenes[1].continues


def test_changing_a_voice_keeps_the_text_and_omitted_fields() -> None:
    said = {"text": "Bees fly.", "voice": "Amy", "language": "en-GB", "speed": 0.9}
    board = a_board(a_scene(narration=said))
    changed = regenerated(board, 0, Regeneration(part=Part.VOICE, speed=1.2), a_request())
    assert changed.scenes[0].narration is not None
    assert changed.scenes[0].narration.model_dump(exclude_none=True) == {**said, "speed": 1.2}
    assert changed.scenes[0].image == board.scenes[0].image


def test_a_recording_has_no_voice_to_regenerate() -> None:
    own = {"sha256": "a" * 64, "kind": "wav", "seconds": 4}
    board = a_board(a_scene(narration={"text": "A bee.", "recording": own}))
    with pytest.raises(InvalidRequest, match="the scene plays a recording"):
        regenerated(board, 0, Regeneration(part=Part.VOICE, speed=1.2), a_request())


def test_parts_of_scenes_that_an_edit_changes_are_not_kept() -> None:
    parts = [PartProgress(scene=index) for index in range(3)]
    video = a_video(narrations=parts, stills=parts)
    scenes = [a_scene(narration={"text": f"Scene {index}."}) for index in range(3)]
    before = a_board(*scenes)

    def kept(after: Storyboard) -> tuple[list[int], list[int]]:
        found = unchanged_parts(video, before, after)
        return [part.scene for part in found["narrations"]], [part.scene for part in found["stills"]]

    assert kept(before) == ([0, 1, 2], [0, 1, 2])
    assert kept(a_board(*scenes, title="Wasps")) == ([0, 1, 2], [0, 1, 2])
    assert kept(a_board(*scenes, style="Cold light.")) == ([0, 1, 2], [])
    assert kept(a_board(*scenes[:2])) == ([0, 1], [0, 1])
    other = {**scenes[1], "narration": {"text": "Other."}}
    assert kept(a_board(scenes[0], other, scenes[2])) == ([0, 2], [0, 1, 2])
    assert kept(a_board(scenes[0], a_scene("A wasp.", narration={"text": "Scene 1."}), scenes[2])) == (
        [0, 1, 2],
        [0, 2],
    )

"""Videos made from others, from the record to the engine's request."""

import base64
import json
from typing import Any

import numpy as np
import pytest

from containers.diffusion.request import parse_request
from containers.diffusion.source import source_of
from lambdas.adapters.storyboards import Storyboards
from lambdas.domain import keys
from lambdas.domain.errors import ArtifactMissing, ClipUnreadable
from lambdas.domain.origin import all_paragraphs
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from lambdas.domain.video_request import Origin, OriginKind
from lambdas.media.probe import probe
from lambdas.production.clip_inputs import footage
from lambdas.production.clips_to_make import SIDE_BY_SIDE
from lambdas.tasks import draw_clip, plan, render_clip, write_storyboard
from tests.cloud.deployment import Context
from tests.cloud.pipeline.bench import (
    TENANT,
    Bench,
    a_brief,
    a_scene,
    converse_answer,
    tool_answer,
)
from tests.media.clips import clip, decoded
from tests.media.test_upload import turned

SMALL = {"width": 96, "height": 64, "fps": 8}
PARAGRAPH = (
    "A honey bee settles on a white daisy in a sunny meadow at night, and the camera follows it slowly while "
    "the petals move in the wind."
)
FILE = "uploads/acme/1.mp4"


def made_of(bench: Bench, source: Video, kind: OriginKind, prompt: str, **fields: Any) -> Video:
    """Create it as the API does."""
    source = bench.now(source)
    origin = Origin(
        kind=kind,
        prompt=prompt,
        video=source.id,
        paragraphs=() if source.request.brief else all_paragraphs(source, 200),
        storyboard=source.storyboard,
        **fields,
    )
    request = {**source.request.model_dump(), "seed": source.seed, "origin": origin}
    video = bench.video(source.request.engine, request=request)
    bench.outputs.delete_all(keys.video_folder(TENANT, video.id))
    copies = [(keys.film_plan(TENANT, source.id), keys.origin_plan(TENANT, video.id))]
    if source.storyboard:
        copies.append(
            (
                keys.storyboard(TENANT, source.id, source.storyboard),
                keys.storyboard(TENANT, video.id, source.storyboard),
            )
        )
    for old, new in copies:
        bench.outputs.copy(old, new, "application/json")
    bench.outputs.delete_all(keys.video_folder(TENANT, source.id))  # nothing needs it any more
    return video


def hashes(bench: Bench, video: Video) -> list[str]:
    return [one.key_hash for one in bench.plan(video).clips]


def of_scenes(bench: Bench, *scenes: dict[str, Any]) -> Video:
    video = bench.prepare(bench.video("animatic", request={"brief": a_brief(*scenes), **SMALL}))
    bench.answer(plan.handler, video)
    return bench.now(video)


def of_prompt(bench: Bench, engine: str = "cogvideox-nano") -> Video:
    video = bench.video(engine, request=SMALL)
    bench.answer(plan.handler, video)
    return video


def test_a_remixed_storyboard_reuses_its_source_s_unchanged_scenes(bench: Bench) -> None:
    source = of_scenes(bench, a_scene("Bees fly."), a_scene(seen="A hive in the sun."))
    before = hashes(bench, source)
    video = made_of(bench, source, OriginKind.REMIX, "Let the hive be at night")
    seen = {"positive_prompt": "A dark hive at night.", "negative_prompt": ""}
    scene = {"number": 2, "narration": {"text": "."}, "image": seen, "video": seen}
    bench.answers.converse = (200, tool_answer({"title": "", "style": "", "scenes": [scene]}))
    made = bench.prepare(video)
    assert (made.writer and made.writer.by, len(bench.answers.questions)) == ("director", 1)
    board = Storyboards(bench.outputs).get(made)
    assert board.scenes[1].video.positive_prompt == "A dark hive at night."
    assert [part.reused for part in made.narrations] == [True]
    bench.answer(plan.handler, video)
    after = hashes(bench, video)
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_an_extended_storyboard_has_its_source_s_clips_and_one_more_scene(bench: Bench) -> None:
    source = of_scenes(bench, a_scene("Bees fly."), a_scene(seen="A hive in the sun.", seconds=3))
    before = hashes(bench, source)
    video = made_of(bench, source, OriginKind.EXTEND, "The bee comes home.", seconds=4)
    seen = {"positive_prompt": "The bee comes home to its hive.", "negative_prompt": ""}
    written = {"narration": {"text": "It is home."}, "image": seen, "video": seen}
    bench.answers.converse = (200, tool_answer(written))
    made = bench.prepare(video)
    assert Storyboards(bench.outputs).get(made).scenes[2].seconds == 4
    planned = bench.answer(plan.handler, video)
    assert hashes(bench, video)[:2] == before
    # The new clip is rendered after the one it continues.
    assert [(one["concurrency"], [clip["scene"] for clip in one["clips"]]) for one in planned["scenes"]] == [
        (SIDE_BY_SIDE, [0]),
        (1, [1, 2]),
    ]
    assert bench.now(video).clips[-1].seconds == 4


def test_a_scene_that_continues_a_picture_gets_no_still(bench: Bench) -> None:
    source = of_scenes(bench, a_scene())
    video = made_of(bench, source, OriginKind.EXTEND, "The bee comes home.", seconds=4)
    request = bench.now(video).request.model_dump(mode="json") | {"stills": {"quality": "standard"}}
    drawn = bench.video("animatic", request=request)
    for name in ("origin.json", f"storyboards/{request['origin']['storyboard']}.json"):
        folder = keys.video_folder(TENANT, video.id)
        bench.outputs.copy(folder + name, keys.video_folder(TENANT, drawn.id) + name, "application/json")
    seen = {"positive_prompt": "The bee comes home to its hive.", "negative_prompt": ""}
    bench.answers.converse = (200, tool_answer({"image": seen, "video": seen}))
    scenes = bench.answer(write_storyboard.handler, drawn)["scenes"]
    assert [scene["index"] for scene in scenes] == [0]


def test_the_text_model_is_shown_the_prompt_its_paragraph_and_the_change(bench: Bench) -> None:
    source = of_prompt(bench)
    video = made_of(bench, source, OriginKind.REMIX, "Make it night")
    request = bench.now(video).request.model_dump() | {"enhance": True}
    asked = bench.video("cogvideox-nano", request=request)
    bench.outputs.delete_all(keys.video_folder(TENANT, asked.id))
    folder = keys.video_folder(TENANT, video.id)
    bench.outputs.copy(folder + "origin.json", keys.origin_plan(TENANT, asked.id), "application/json")
    bench.answers.converse = (200, converse_answer(PARAGRAPH))
    bench.answer(plan.handler, asked)
    [question] = bench.answers.questions
    message = question["messages"][0]["content"][0]["text"]
    for part in ("<prompt>A bee on a flower</prompt>", "<before>A bee", "<change>Make it night</change>"):
        assert part in message
    enhancement = bench.now(asked).enhancement
    assert enhancement
    assert enhancement.prompt == PARAGRAPH


def test_the_engine_gets_the_clip_that_is_edited(bench: Bench) -> None:
    source = of_prompt(bench)
    before = bench.plan(source)
    for index in range(len(before.clips)):
        bench.put_clip(before, index, clip(before.clips[index].film_frames))
    video = made_of(bench, source, OriginKind.EDIT, "Make it night", strength=0.5)
    bench.answer(plan.handler, video)
    task = bench.task()
    event = {"token": task.token, "tenant": TENANT, "video_id": video.id, "clip": 1, "retry": 0}
    render_clip.handler(event, Context())
    [inference] = bench.inferences.of_video(video.id)
    request = json.loads(bench.inputs.get(keys.engine_request(inference.id)))
    assert request["strength"] == 0.5
    found = probe(base64.b64decode(request["video"]))
    assert (found.width, found.height, found.fps, found.frames) == (96, 64, 8, request["frames"])


@pytest.mark.parametrize("fit", ["cover", "contain"])
def test_the_engine_gets_the_clip_that_is_edited_in_the_film_s_size_at_its_own_rate(
    bench: Bench, fit: str
) -> None:
    """Its server takes pictures of the film's size back to the rendered size."""
    size = {"width": 128, "height": 192, "fps": 24}
    rendered = {"rendered_width": 96, "rendered_height": 64, "rendered_fps": 8, "fit": fit}
    source = bench.video("cogvideox-nano", request=SMALL | size | rendered)
    bench.answer(plan.handler, source)
    before = bench.plan(source)
    for index, one in enumerate(before.clips):
        bench.put_clip(before, index, clip(one.film_frames, width=128, height=192, fps=24))
    video = made_of(bench, source, OriginKind.EDIT, "Make it night", strength=0.5)
    bench.answer(plan.handler, video)
    task = bench.task()
    event = {"token": task.token, "tenant": TENANT, "video_id": video.id, "clip": 1, "retry": 0}
    render_clip.handler(event, Context())
    [inference] = bench.inferences.of_video(video.id)
    request = json.loads(bench.inputs.get(keys.engine_request(inference.id)))
    found = probe(base64.b64decode(request["video"]))
    assert (found.width, found.height, found.fps, found.frames) == (128, 192, 8, request["frames"])
    assert (request["width"], request["height"], request["fps"]) == (96, 64, 8)
    checked = parse_request(json.dumps(request).encode())
    frames = source_of(checked).video
    assert frames is not None
    assert {frame.size for frame in frames} == {(96, 64)}


def test_expired_pictures_are_reported_with_advice(bench: Bench) -> None:
    source = of_prompt(bench)
    video = made_of(bench, source, OriginKind.EDIT, "Make it night", strength=0.5)
    bench.answer(plan.handler, video)
    edited = bench.plan(video)
    with pytest.raises(ArtifactMissing, match="the footage of clip 0 has expired") as missing:
        footage(edited, edited.clips[0], bench.inputs, bench.outputs)
    assert "upload it" in missing.value.advice


def test_an_uploaded_file_that_turns_out_unusable_is_named_by_the_advice(bench: Bench) -> None:
    bench.inputs.put(FILE, turned(0, 0, 0, 0), "video/mp4")
    origin = Origin(kind=OriginKind.EXTEND, prompt="It lands.", file=FILE, frames=3, seconds=1)
    video = bench.video("cogvideox-nano", request={**SMALL, "origin": origin})
    bench.outputs.delete_all(keys.video_folder(TENANT, video.id))
    bench.answer(plan.handler, video)
    made = bench.plan(video)
    with pytest.raises(ClipUnreadable, match="the uploaded video can't be used: its display matrix") as error:
        footage(made, made.clips[0], bench.inputs, bench.outputs)
    assert "use that one" in error.value.advice
    assert "rendered again" not in error.value.advice


def test_a_file_becomes_the_film_s_first_clip(bench: Bench) -> None:
    bench.inputs.put(FILE, clip(18, fps=12, width=128), "video/mp4")
    origin = Origin(kind=OriginKind.EXTEND, prompt="It lands.", file=FILE, frames=12, seconds=1)
    video = bench.video("cogvideox-nano", request={**SMALL, "origin": origin})
    bench.outputs.delete_all(keys.video_folder(TENANT, video.id))
    planned = bench.answer(plan.handler, video)
    assert [one["renderer"] for scene in planned["scenes"] for one in scene["clips"]] == [
        "function",
        "endpoint",
    ]
    assert bench.answer(draw_clip.handler, video, clip=0) == {"clip": 0, "reused": False}
    found = probe(bench.outputs.get(keys.clip(TENANT, hashes(bench, video)[0])))
    assert (found.width, found.height, found.fps, found.frames) == (96, 64, 8, 12)


def test_a_drawn_scene_continues_from_the_last_picture(bench: Bench) -> None:
    made = []
    for prompt in ("A boat on the sea.", "A snowy forest at night."):
        source = bench.video("animatic", request={**SMALL, "prompt": prompt})
        bench.answer(plan.handler, source)
        video = made_of(bench, source, OriginKind.EXTEND, "It lands.", seconds=1)
        bench.answer(plan.handler, video)
        for index in range(len(bench.plan(video).clips)):
            bench.answer(draw_clip.handler, video, clip=index)
        drawn = [decoded(bench.outputs.get(keys.clip(TENANT, one))) for one in hashes(bench, video)]
        made.append((drawn[-2][-1], drawn[-1][0]))
    # Each begins where the one before ends, except for the title and the camera's position.
    ended = [np.abs(made[0][1][:32] - before[:32].astype(int)).mean() for before, _ in made]
    assert ended[0] < ended[1] / 2
    assert bench.now(video).stage is Stage.RENDERING
    assert len(drawn[-1]) == 8

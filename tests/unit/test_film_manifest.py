from typing import Any

import pytest

from lambdas.domain import keys
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.film_plan import FilmPlan, film_hash
from lambdas.domain.manifest import Manifest, artifact_keys, make_manifest
from lambdas.domain.narration import Sentence
from lambdas.domain.planning import make_plan
from lambdas.domain.storyboard import LEAD
from lambdas.domain.video import Video
from lambdas.domain.video_parts import (
    AssemblyProgress,
    ClipProgress,
    ClipState,
    Enhancement,
    PartProgress,
    Writer,
)
from tests.factories import a_plan, a_request, a_shot, a_video

SAID = [
    Sentence(text="A bee wakes.", sound="1" * 64, start=0, seconds=1.0),
    Sentence(text="It flies!", sound="2" * 64, start=1.25, seconds=0.5),
]
SPOKEN, DRAWN, BOARD = "a" * 64, "b" * 64, "c" * 64
SMALL = {"width": 96, "height": 64, "fps": 8}


def done(**fields: Any) -> dict[str, Any]:
    return {"state": ClipState.DONE, "started_ms": 1_000, "finished_ms": 3_500, **fields}


def storied(**changes: Any) -> tuple[Video, FilmPlan]:
    """Return a film with two scenes of three seconds: the first narrated, the second with a still."""
    request = a_request(**SMALL, seconds=6, **changes.pop("request", {}))
    shots = [a_shot("Waking", narration=SAID), a_shot("Flying", still=DRAWN)]
    plan = make_plan(a_video(request=request), CATALOGUE["animatic"], "Bees", shots)
    fields = {
        "storyboard": BOARD,
        "writer": Writer(by="claude", cost=0.01),
        "narrations": [
            PartProgress(scene=0, by="Joanna", cost=0.001, artifact=keys.narration("acme", SPOKEN), **done())
        ],
        "stills": [
            PartProgress(scene=1, reused=True, cost=0.0, artifact=keys.still("acme", DRAWN), **done())
        ],
        "clips": [ClipProgress(seconds=3, cost=0.1, **done()) for _ in plan.clips],
        "assembly": AssemblyProgress(cost=0.002, started_ms=0, finished_ms=9_000),
    }
    return a_video(request=request, **{**fields, **changes}), plan


def made(video: Video, plan: FilmPlan, **sizes: int | None) -> Manifest:
    found = dict.fromkeys(artifact_keys(video, plan), 7) | sizes
    return make_manifest(video, plan, found, {"video": 700, "thumbnail": 70})


def test_it_lists_every_piece_with_address_time_and_cost() -> None:
    video, plan = storied()
    manifest = made(video, plan)
    waking, flying = manifest.scenes
    assert manifest.storyboard
    assert (manifest.storyboard.sha256, manifest.storyboard.by) == (BOARD, "claude")
    said = waking.narration
    assert said
    assert (said.sha256, said.by, said.took, said.cost, said.bytes) == (SPOKEN, "Joanna", 2.5, 0.001, 7)
    assert said.text == "A bee wakes. It flies!"
    still = flying.still
    assert still
    assert (still.sha256, still.reused, still.by, still.cost) == (DRAWN, True, None, 0.0)
    assert (waking.still, flying.narration) == (None, None)
    for scene, clip in ((waking, plan.clips[0]), (flying, plan.clips[1])):
        [one] = scene.clips
        assert (one.sha256, one.prompt, one.seed, one.frames, one.by) == (
            clip.key_hash,
            clip.prompt,
            clip.seed,
            24,
            "animatic",
        )
        assert (one.took, one.cost, one.bytes) == (2.5, 0.1, 7)
    film = manifest.film
    assert (film.sha256, film.took, film.cost) == (film_hash(plan), 9.0, 0.002)
    assert manifest.cost == pytest.approx(0.01 + 0.001 + 0.1 + 0.1 + 0.002)


def test_it_describes_its_film() -> None:
    video, plan = storied()
    manifest = made(video, plan)
    assert (manifest.video, manifest.title, manifest.engine, manifest.draft) == (
        video.id,
        "Bees",
        "animatic",
        True,
    )
    assert manifest.revision == CATALOGUE["animatic"].revision
    assert (manifest.size, manifest.fps, manifest.frames, manifest.seconds) == ("96x64", 8, 48, 6.0)
    assert [(one.variant, one.media_type, one.bytes) for one in manifest.delivered] == [
        ("video", "video/mp4", 700),
        ("thumbnail", "image/webp", 70),
    ]


@pytest.mark.parametrize("transition", ["none", "crossfade"])
def test_it_gives_each_piece_s_position_in_the_film(transition: str) -> None:
    video, plan = storied(request={"transition": transition, "transition_seconds": 0.5})
    waking, flying = made(video, plan).scenes
    assert (waking.at.start, waking.at.end, flying.at.start, flying.at.end) == (0.0, 3.0, 3.0, 6.0)
    assert waking.narration
    assert (waking.narration.at.start, waking.narration.at.end) == (LEAD, pytest.approx(LEAD + 1.75))
    shown_twice = 0.5 if transition == "crossfade" else 0.0
    assert waking.clips[0].at.end == 3.0 + shown_twice
    assert flying.clips[0].at.start == 3.0


def test_a_film_from_a_prompt_has_one_too() -> None:
    request = a_request(**SMALL, seconds=6)
    enhancement = Enhancement(prompt="A bee at dawn.", by="director", cost=0.0)
    video = a_video(request=request, enhancement=enhancement)
    plan = a_plan(video, ["A bee at dawn."] * 3)
    clips = [ClipProgress(seconds=1, cost=0.5, **done()) for _ in plan.clips]
    assembly = AssemblyProgress(reused=True, cost=0.0, started_ms=0, finished_ms=1)
    manifest = made(video.model_copy(update={"clips": clips, "assembly": assembly}), plan)
    assert manifest.storyboard is None
    assert manifest.prompt
    assert (manifest.prompt.by, manifest.prompt.cost) == ("director", 0.0)
    [scene] = manifest.scenes
    assert len(scene.clips) == len(plan.clips)
    assert manifest.film.reused
    assert manifest.cost == 0.5 * len(plan.clips)


def test_an_unknown_cost_makes_the_sum_unknown_and_a_missing_piece_has_no_size() -> None:
    video, plan = storied(writer=Writer(by="a model of mine"))
    key = keys.clip("acme", plan.clips[0].key_hash)
    manifest = made(video, plan, **{key: None})
    assert manifest.cost is None
    assert [scene.clips[0].bytes for scene in manifest.scenes] == [None, 7]


def test_it_contains_no_key_tenant_or_bucket() -> None:
    video, plan = storied()
    text = made(video, plan).model_dump_json()
    assert "acme" not in text
    assert "artifacts/" not in text


def test_it_says_how_the_engine_s_pictures_became_the_film_s() -> None:
    manifest = made(*storied())
    assert (manifest.size, manifest.rendered_size, manifest.cropped) == ("96x64", "96x64", 0)
    assert (manifest.fps, manifest.rendered_fps) == (8, 8)
    converted = {
        "engine": "cogvideox-5b", "width": 720, "height": 1280, "fps": 24, "seconds": 6, "fps_mode": "blend",
        "rendered_width": 720, "rendered_height": 480, "rendered_fps": 8,
    }  # fmt: skip
    video = a_video(request=a_request(**converted), clips=[ClipProgress(seconds=6, **done())])
    manifest = made(video, a_plan(video, ["A bee"]))
    assert (manifest.size, manifest.rendered_size) == ("720x1280", "720x480")
    assert (manifest.fps, manifest.rendered_fps, manifest.fps_mode) == (24, 8, "blend")
    assert (manifest.fit, manifest.cropped) == ("cover", 0.625)
    assert manifest.frames == manifest.scenes[0].clips[0].frames == 144

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambdas.adapters.clients import client
from lambdas.adapters.events import Events
from lambdas.adapters.objects import Objects
from lambdas.adapters.storyboards import Storyboards
from lambdas.api.cancel_delete import Ending
from lambdas.domain import keys
from lambdas.domain.errors import VideoClosed, VideoNotFound
from lambdas.domain.film_plan import film_hash
from lambdas.domain.manifest import Manifest
from lambdas.domain.narration import Sentence
from lambdas.domain.stages import Stage
from lambdas.domain.storyboard import Storyboard
from lambdas.domain.video import Source, Video
from lambdas.domain.video_parts import Writer
from lambdas.media.content_credentials import verify
from lambdas.production.plans import store_plan
from lambdas.tasks import publish
from reelworks.cloud.lifecycle.development_certificate import NAME, development_secret
from tests.cloud.pipeline.bench import SIGNING_SECRET, TENANT, Bench, a_brief, a_scene
from tests.factories import a_shot
from tests.media.clips import clip, decoded

FILM, POSTER, SHEET, REPORT = b"the film", b"the poster", b"the sheet", b"{}"
CAPTIONS = {"vtt": b"WEBVTT", "srt": b"1", "ass": b"[Script Info]"}
SAID = Sentence(text="A bee.", sound="a" * 64, start=0, seconds=1)


def run(bench: Bench, video: Video) -> Any:
    return bench.answer(publish.handler, video)


def assembled(bench: Bench, **changes: Any) -> Video:
    video = bench.video(stage=Stage.ASSEMBLING, **changes)
    content = film_hash(bench.plan(video))
    bench.outputs.put(keys.film(TENANT, content), FILM, "video/mp4")
    bench.outputs.put(keys.poster(TENANT, content), POSTER, "image/webp")
    bench.outputs.put(keys.spritesheet(TENANT, content), SHEET, "image/jpeg")
    bench.outputs.put(keys.quality(TENANT, content), REPORT, "application/json")
    return video


def assembled_again(bench: Bench, video: Video, **plan: Any) -> Video:
    """The video in another attempt. `plan`: what is changed in its plan."""
    assert bench.videos.requeue(bench.now(video))
    for stage in (Stage.PLANNING, Stage.RENDERING, Stage.ASSEMBLING):
        bench.videos.advance(TENANT, video.id, stage, clips=video.clips)
    if plan:
        store_plan(bench.outputs, bench.plan(video).model_copy(update=plan))
        content = film_hash(bench.plan(video))
        bench.outputs.put(keys.film(TENANT, content), b"another film", "video/mp4")
        bench.outputs.put(keys.poster(TENANT, content), POSTER, "image/webp")
        bench.outputs.put(keys.spritesheet(TENANT, content), SHEET, "image/jpeg")
        bench.outputs.put(keys.quality(TENANT, content), REPORT, "application/json")
    return bench.now(video)


def captioned(bench: Bench, **changes: Any) -> Video:
    """A narrated film with captions."""
    video = assembled(bench, request={"captions": True}, shots=[a_shot(narration=[SAID])], **changes)
    content = film_hash(bench.plan(video))
    for extension, written in CAPTIONS.items():
        bench.outputs.put(keys.captions(TENANT, content, extension), written, "text/plain")
    return video


def test_the_film_is_delivered_recorded_and_announced_by_an_event(bench: Bench) -> None:
    video = assembled(bench)
    assert run(bench, video) == {"film": keys.delivered_film(TENANT, video.id, 1)}
    done = bench.now(video)
    assert (done.stage, done.film_bytes, done.draft) == (Stage.COMPLETED, len(FILM), False)
    assert done.signed_by is None
    assert done.film
    assert done.thumbnail
    assert done.spritesheet
    assert bench.outputs.get(done.film) == FILM
    assert bench.outputs.get(done.thumbnail) == POSTER
    assert bench.outputs.get(done.spritesheet) == SHEET
    assert bench.events(video) == ["video.completed"]
    assert [open_.id for open_ in bench.open_videos() if open_.id == video.id] == []


def test_the_film_is_signed_if_there_is_a_key(bench: Bench, tmp_path: Path) -> None:
    secret = development_secret()
    secrets = client("secretsmanager")
    secrets.create_secret(Name=SIGNING_SECRET, SecretString=secret.model_dump_json())
    source = Source(bucket="input", key=f"drop/{TENANT}/bee.txt", etag="e")
    video = assembled(bench, source=source)
    bench.outputs.put(keys.film(TENANT, film_hash(bench.plan(video))), clip(8), "video/mp4")
    try:
        run(bench, video)
    finally:
        secrets.delete_secret(SecretId=SIGNING_SECRET, ForceDeleteWithoutRecovery=True)
    done = bench.now(video)
    assert done.signed_by == NAME
    film = tmp_path / "film.mp4"
    for key in (str(done.film), keys.drop_result(source.key, "mp4")):
        film.write_bytes(bench.outputs.get(key))
        found = verify(film)
        assert (found.made_by.video, found.made_by.engine) == (video.id, "cogvideox-nano")
    assert done.film_bytes == film.stat().st_size
    assert len(decoded(film.read_bytes())) == 8


def test_a_manifest_is_delivered_with_every_film(bench: Bench) -> None:
    video = assembled(bench)
    bench.put_clip(bench.plan(video), 0, b"12345")
    run(bench, video)
    done = bench.now(video)
    assert (done.manifest, done.delivered_storyboard, done.filmed) == (
        keys.delivered_manifest(TENANT, video.id, 1),
        None,
        None,
    )
    manifest = Manifest.model_validate_json(bench.outputs.get(str(done.manifest)))
    assert (manifest.video, manifest.storyboard, manifest.film.bytes) == (video.id, None, len(FILM))
    plan = bench.plan(video)
    assert [clip.sha256 for clip in manifest.scenes[0].clips] == [clip.key_hash for clip in plan.clips]
    assert [clip.bytes for clip in manifest.scenes[0].clips] == [5, None]
    assert {one.variant: one.bytes for one in manifest.delivered} == {
        "video": len(FILM),
        "thumbnail": len(POSTER),
        "spritesheet": len(SHEET),
        "quality": len(REPORT),
    }


def test_the_storyboard_that_was_filmed_is_delivered(bench: Bench) -> None:
    storyboard = Storyboard.model_validate(a_brief(a_scene())["given"])
    first = assembled(bench, request={"brief": a_brief(a_scene())})
    kept = Storyboards(bench.outputs).put(first, storyboard)
    bench.videos.advance(TENANT, first.id, Stage.ASSEMBLING, storyboard=kept, writer=Writer(by="qwen3"))
    run(bench, first)
    done = bench.now(first)
    assert done.filmed == kept == storyboard.sha256
    assert Storyboard.model_validate_json(bench.outputs.get(str(done.delivered_storyboard))) == storyboard
    manifest = Manifest.model_validate_json(bench.outputs.get(str(done.manifest)))
    assert manifest.storyboard
    assert (manifest.storyboard.sha256, manifest.storyboard.by) == (kept, "qwen3")


def test_captions_are_delivered_beside_the_film(bench: Bench) -> None:
    video = captioned(bench)
    run(bench, video)
    done = bench.now(video)
    assert done.captions
    assert done.captions_srt
    assert bench.outputs.get(done.captions) == CAPTIONS["vtt"]
    assert bench.outputs.get(done.captions_srt) == CAPTIONS["srt"]
    assert bench.outputs.get(str(done.captions_ass)) == CAPTIONS["ass"]
    folder = keys.video_folder(TENANT, video.id)
    assert {done.captions, done.captions_srt} <= bench.deployment.keys("output", folder)


def test_stems_are_delivered_if_they_were_asked_for(bench: Bench) -> None:
    video = assembled(bench, request={"stems": True})
    bench.outputs.put(keys.stems(TENANT, film_hash(bench.plan(video))), b"PK", "application/zip")
    run(bench, video)
    done = bench.now(video)
    assert done.stems == keys.delivered_stems(TENANT, video.id, 1)
    assert bench.outputs.get(done.stems) == b"PK"
    assert "stems" in done.films[0].variants


def test_a_film_without_speech_or_captions_has_no_caption_files(bench: Bench) -> None:
    silent = assembled(bench, request={"captions": True})
    without = assembled(bench, shots=[a_shot(narration=[SAID])])
    for video in (silent, without):
        run(bench, video)
        done = bench.now(video)
        assert (done.stage, done.captions, done.captions_srt) == (Stage.COMPLETED, None, None)


def test_missing_captions_are_named(bench: Bench) -> None:
    video = captioned(bench)
    bench.outputs.delete(keys.captions(TENANT, film_hash(bench.plan(video)), "srt"))
    error, cause = run(bench, video)
    assert error == "ArtifactMissing"
    assert ".srt" in cause["errorMessage"]
    assert bench.now(video).stage is Stage.PUBLISHING


def test_a_dropped_object_gets_its_film_beside_it(bench: Bench) -> None:
    video = assembled(bench, source=Source(bucket="input", key="drop/acme/kite.txt", etag="1"))
    run(bench, video)
    assert bench.outputs.get("drop/acme/kite.txt.mp4") == FILM


def test_each_shape_is_delivered_with_its_poster_and_beside_a_dropped_object(bench: Bench) -> None:
    source = Source(bucket="input", key="drop/acme/bee.txt", etag="1")
    video = assembled(bench, request={"shapes": [{"aspect": "9:16"}]}, source=source)
    content = film_hash(bench.plan(video).in_shape(video.shapes[0]))
    bench.outputs.put(keys.film(TENANT, content), b"the tall film", "video/mp4")
    bench.outputs.put(keys.poster(TENANT, content), b"its poster", "image/webp")
    run(bench, video)
    delivered = keys.delivered(TENANT, video.id, 1)
    assert bench.outputs.get(f"{delivered}9x16.mp4") == b"the tall film"
    assert bench.outputs.get(f"{delivered}9x16.webp") == b"its poster"
    assert bench.outputs.get("drop/acme/bee.txt.9x16.mp4") == b"the tall film"
    assert bench.outputs.get("drop/acme/bee.txt.mp4") == FILM
    done = bench.now(video)
    assert {"9x16", "9x16_thumbnail"} < {*done.films[0].variants}
    assert "1x1" not in done.films[0].variants
    shape = Manifest.model_validate_json(bench.outputs.get(str(done.manifest))).shapes[0]
    assert (shape.aspect, shape.sha256, shape.focal_points) == ("9:16", content, [None])


@pytest.mark.parametrize("stage", [Stage.PUBLISHING, Stage.COMPLETED])
def test_a_crash_before_the_event_repeats_the_step(bench: Bench, stage: Stage) -> None:
    video = assembled(bench)
    bench.videos.advance(TENANT, video.id, Stage.PUBLISHING)
    if stage is Stage.COMPLETED:
        bench.videos.advance(TENANT, video.id, Stage.COMPLETED)
    run(bench, video)
    assert bench.now(video).stage is Stage.COMPLETED
    assert bench.events(video) == ["video.completed"]


def test_a_video_that_was_cancelled_meanwhile_stays_cancelled(bench: Bench) -> None:
    video = assembled(bench)
    bench.videos.advance(TENANT, video.id, Stage.CANCELLED)
    assert run(bench, video)[0] == "VideoClosed"
    assert bench.now(video).stage is Stage.CANCELLED
    assert bench.events(video) == []


def test_a_missing_film_is_named(bench: Bench) -> None:
    video = bench.video(stage=Stage.ASSEMBLING)
    error, cause = run(bench, video)
    assert error == "ArtifactMissing"
    assert "films/" in cause["errorMessage"]
    assert bench.now(video).stage is Stage.PUBLISHING


class Meanwhile(Objects):
    """A bucket that runs an action before each copy."""

    def __init__(self, bench: Bench, happens: Callable[[], object]) -> None:
        super().__init__(client("s3"), bench.outputs.bucket)
        self._happens = happens

    def copy(self, source: str, target: str, content_type: str) -> None:
        self._happens()
        super().copy(source, target, content_type)


def publish_while(bench: Bench, video: Video, happens: Callable[[], object]) -> None:
    outputs = Meanwhile(bench, once(happens))
    events = Events(client("events"), bench.settings.event_bus)
    publish.publish(TENANT, video.id, bench.videos, bench.inputs, outputs, events, None)


def once(happens: Callable[[], object]) -> Callable[[], object]:
    pending = [happens]
    return lambda: pending and pending.pop()()


@pytest.mark.parametrize(
    ("end", "error"), [(Ending.cancel, VideoClosed), (Ending.delete, VideoNotFound)], ids=["cancel", "delete"]
)
def test_a_video_ended_during_the_copy_leaves_nothing(
    bench: Bench, end: Callable[[Ending, str, str], object], error: type[Exception]
) -> None:
    key = f"drop/acme/{error.__name__}.txt"
    video = captioned(bench, source=Source(bucket="input", key=key, etag="1"))
    ending = Ending(bench.deployment.settings)
    with pytest.raises(error):
        publish_while(bench, video, lambda: end(ending, TENANT, video.id))
    folder = bench.deployment.keys("output", keys.video_folder(TENANT, video.id))
    assert folder <= {keys.film_plan(TENANT, video.id)}
    assert not bench.outputs.exists(f"{key}.mp4")
    assert bench.outputs.exists(f"{key}.error.json")
    assert bench.events(video) == []


def test_an_earlier_attempt_s_film_stays_if_the_next_is_cancelled(bench: Bench) -> None:
    video = assembled(bench)
    run(bench, video)
    video = assembled_again(bench, video)
    ending = Ending(bench.deployment.settings)
    with pytest.raises(VideoClosed):
        publish_while(bench, video, lambda: ending.cancel(TENANT, video.id))
    now = bench.now(video)
    assert now.stage is Stage.CANCELLED
    for key in (now.film, now.thumbnail, now.manifest):
        assert key
        assert bench.outputs.exists(key)
    assert [film.attempt for film in now.films] == [1]
    assert not bench.deployment.keys("output", keys.delivered(TENANT, video.id, 2))


def test_the_films_of_all_attempts_are_kept(bench: Bench) -> None:
    video = assembled(bench, shots=[a_shot(), a_shot(text="Two")])
    run(bench, video)
    first, second = bench.plan(video).scenes
    changed = second.model_copy(
        update={"clips": [clip.model_copy(update={"key_hash": "f" * 64}) for clip in second.clips]}
    )
    run(bench, assembled_again(bench, video, scenes=[first, changed]))
    films = bench.now(video).films
    assert [(film.attempt, film.new_scenes) for film in films] == [(1, None), (2, (1,))]
    assert [film.bytes for film in films] == [len(FILM), len(b"another film")]
    assert bench.outputs.get(keys.delivered_film(TENANT, video.id, 1)) == FILM
    assert bench.outputs.get(keys.delivered_film(TENANT, video.id, 2)) == b"another film"
    assert bench.now(video).film == keys.delivered_film(TENANT, video.id, 2)
    # A manifest of a version that says something else is no reason to fail.
    bench.outputs.put(keys.delivered_manifest(TENANT, video.id, 2), b"{}", "application/json")
    run(bench, assembled_again(bench, video))
    assert [film.new_scenes for film in bench.now(video).films] == [None, (1,), None]
    assert [film.attempt for film, _ in bench.now(video).dated_films] == [3, 2, 1]


def test_a_late_try_does_not_complete_the_next_attempt(bench: Bench) -> None:
    video = assembled(bench)

    def begin_another() -> None:
        bench.videos.advance(TENANT, video.id, Stage.FAILED)
        assembled_again(bench, video)
        bench.videos.advance(TENANT, video.id, Stage.PUBLISHING)

    with pytest.raises(VideoClosed, match="attempt 2, not 1"):
        publish_while(bench, video, begin_another)
    now = bench.now(video)
    assert (now.stage, now.attempt, now.films) == (Stage.PUBLISHING, 2, ())
    assert not bench.deployment.keys("output", keys.delivered(TENANT, video.id, 1))
    run(bench, now)
    assert [film.attempt for film in bench.now(video).films] == [2]


def test_a_film_published_by_another_try_stays(bench: Bench) -> None:
    video = assembled(bench)
    with pytest.raises(VideoClosed):
        publish_while(bench, video, lambda: run(bench, video))
    assert bench.now(video).stage is Stage.COMPLETED
    assert bench.outputs.get(keys.delivered_film(TENANT, video.id, 1)) == FILM

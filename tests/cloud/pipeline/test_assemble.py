import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from io import BytesIO
from typing import Any, BinaryIO

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange
from numpy.typing import NDArray
from PIL import Image
from pysubs2 import SSAFile

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.objects import Objects
from lambdas.adapters.upload import PART
from lambdas.domain import keys
from lambdas.domain.documents import fingerprint
from lambdas.domain.errors import DiskFull, VideoClosed
from lambdas.domain.film_plan import film_hash
from lambdas.domain.narration import Sentence
from lambdas.domain.planning import Shot
from lambdas.domain.quality import ClipMeasures, QualityReport, Status
from lambdas.domain.stages import Stage
from lambdas.domain.storyboard import LEAD, LowerThird
from lambdas.domain.video import Video
from lambdas.domain.video_request import Gate, Music
from lambdas.media import continuity
from lambdas.media.probe import probe
from lambdas.production.task_token import CalledBackTask
from lambdas.settings import TASK_VARIABLE
from lambdas.tasks import assemble, record_failure
from tests.cloud.deployment import Context, png
from tests.cloud.pipeline.bench import TENANT, Bench, film_clip, spoken_sound
from tests.cloud.pipeline.watched_s3 import WatchedS3
from tests.cloud.servers import serving
from tests.factories import a_shot
from tests.media import sounds
from tests.media.clips import decoded, padded, pictures
from tests.media.files import recorded, with_sound
from tests.media.sounds import Wave

TINY = {"width": 96, "height": 64, "fps": 8}  # of a draft


def run(bench: Bench, video: Video) -> Any:
    return bench.answer(assemble.handler, video)


def rendered(bench: Bench, engine: str = "cogvideox-nano", **request: Any) -> Video:
    video = bench.video(engine, Stage.RENDERING, request=request)
    for clip in bench.plan(video).clips:
        bench.put_clip(bench.plan(video), clip.index)
    return video


def film(bench: Bench, video: Video) -> str:
    return keys.film(TENANT, film_hash(bench.plan(video)))


def test_the_clips_become_a_film_to_the_frame(bench: Bench) -> None:
    video = rendered(bench)
    assert run(bench, video) == {"film": film(bench, video), "reused": False, "review": False}
    content = bench.outputs.get(film(bench, video))
    joined = probe(content)
    frames = bench.plan(video).frames
    assert (joined.frames, joined.fps, joined.width, joined.height) == (frames, 8, 96, 64)
    expected = [
        picture
        for clip in bench.plan(video).clips
        for picture in decoded(film_clip(bench.plan(video), clip.index))
    ]
    assert all(map(np.array_equal, decoded(content), expected))
    assert (bench.now(video).stage, bench.now(video).assembled) == (Stage.ASSEMBLING, 100)


def test_what_the_assembly_took_and_cost_is_in_the_record(bench: Bench) -> None:
    video = rendered(bench)
    run(bench, video)
    done = bench.now(video).assembly
    assert done
    assert not done.reused
    seconds = (done.finished_ms - done.started_ms) / 1000
    assert done.cost == pytest.approx(seconds * Context.memory_limit_in_mb / 1024 * 0.0000133334)
    run(bench, video)
    again = bench.now(video).assembly
    assert again
    assert (again.reused, again.cost) == (True, 0.0)


def test_the_quality_report_follows_from_what_is_stored_with_each_clip(bench: Bench) -> None:
    video = rendered(bench)
    plan = bench.plan(video)
    key = keys.clip(TENANT, plan.clips[0].key_hash)
    measures = ClipMeasures(seconds=6, high=200, black=((1, 4),))
    bench.outputs.put(key, bench.outputs.get(key), "video/mp4", measures=measures.stored())
    report = keys.quality(TENANT, film_hash(plan))
    for _ in ("made", "reused"):
        run(bench, video)
        done = bench.now(video).assembly
        assert done
        assert done.warnings == 1
        black = QualityReport.model_validate_json(bench.outputs.get(report)).checks[0]
        assert [(one.clip, one.start, one.end) for one in black.found] == [(0, 1, 4)]
    bench.outputs.delete(report)  # as after a version without reports
    run(bench, video)
    there = QualityReport.model_validate_json(bench.outputs.get(report))
    assert (there.warnings, there.checks[0].status) == (0, Status.NOT_MEASURED)


@pytest.mark.parametrize(
    ("on_warning", "approved", "waits"),
    [("review", (), True), ("review", (Gate.FILM,), False), ("keep", (), False), ("retry_once", (), False)],
)
def test_a_film_that_warns_waits_for_its_user_if_the_request_says_so(
    bench: Bench, on_warning: str, approved: tuple[Gate, ...], waits: bool
) -> None:
    video = rendered(bench, on_warning=on_warning)
    bench.videos.advance(TENANT, video.id, Stage.RENDERING, approved=approved)
    plan = bench.plan(video)
    key = keys.clip(TENANT, plan.clips[0].key_hash)
    measures = ClipMeasures(seconds=6, high=200, black=((1, 4),))
    bench.outputs.put(key, bench.outputs.get(key), "video/mp4", measures=measures.stored())
    assert run(bench, video)["review"] is waits
    made = bench.now(video).assembly
    assert made
    assert made.content == film_hash(plan)


def test_a_film_has_a_sound_track_a_chapter_a_poster_and_a_spritesheet(bench: Bench) -> None:
    video = rendered(bench)
    run(bench, video)
    with av.open(BytesIO(bench.outputs.get(film(bench, video)))) as container:
        (sound,) = container.streams.audio
        assert sound.codec_context.name == "aac"
        assert abs(sound.duration * sound.time_base - video.request.seconds) < Fraction(1, 50)
        (chapter,) = container.chapters()
        assert chapter["metadata"]["title"] == "A bee on a flower"
    content = film_hash(bench.plan(video))
    assert Image.open(BytesIO(bench.outputs.get(keys.poster(TENANT, content)))).format == "WEBP"
    assert Image.open(BytesIO(bench.outputs.get(keys.spritesheet(TENANT, content)))).format == "JPEG"


def test_the_film_says_what_it_is(bench: Bench) -> None:
    video = rendered(bench)
    run(bench, video)
    said = probe(bench.outputs.get(film(bench, video))).metadata
    assert said["title"] == "A bee on a flower"
    assert said["reelworks_engine"] == "cogvideox-nano"
    assert "reelworks_draft" not in said


def test_a_draft_is_marked_as_a_draft(bench: Bench) -> None:
    video = rendered(bench, "animatic", **TINY, seconds=6)
    run(bench, video)
    said = probe(bench.outputs.get(film(bench, video))).metadata
    assert said["reelworks_draft"] == "true"
    assert "Draft" in said["comment"]


def test_a_fragmented_film_shows_the_same(bench: Bench) -> None:
    video = rendered(bench, "animatic", **TINY, fragmented=True)
    run(bench, video)
    content = bench.outputs.get(film(bench, video))
    assert b"moof" in content
    assert len(decoded(content)) == bench.plan(video).frames


@pytest.mark.parametrize("transition", ["crossfade", "fade", "wipe"])
def test_a_transition_leaves_the_film_as_long_as_asked(bench: Bench, transition: str) -> None:
    video = rendered(bench, "animatic", **TINY, seconds=14, transition=transition)
    run(bench, video)
    content = bench.outputs.get(film(bench, video))
    assert probe(content).frames == 14 * 8 == len(decoded(content))
    assert bench.now(video).steps == [], "a cut is no step"
    joints = bench.deployment.keys("output", f"artifacts/{TENANT}/joints/")
    bench.outputs.delete(film(bench, video))
    run(bench, video)  # none of whose joints is re-encoded
    assert bench.deployment.keys("output", f"artifacts/{TENANT}/joints/") == joints
    assert bench.outputs.get(film(bench, video)) == content


def test_steps_of_light_are_evened_out_where_a_clip_goes_on_from_another(bench: Bench) -> None:
    image = {"key": "uploads/acme/x.png", "sha256": "0" * 64, "width": 96, "height": 64}
    video = rendered(bench, "cogvideox-nano-i2v", image=image, even_out=True)
    plan = bench.plan(video)
    run(bench, video)
    (step,) = bench.now(video).steps
    assert (step.clip, step.brightness < -10) == (1, True)
    frames = [picture.mean() for picture in decoded(bench.outputs.get(film(bench, video)))]
    assert len(frames) == plan.frames
    before, after = ([picture.mean() for picture in decoded(film_clip(plan, index))] for index in (0, 1))
    join = len(before)
    # The test's clips all begin dark and brighten by more than is evened out.
    assert after[0] + continuity.MOST_BRIGHTNESS / 2 < frames[join] < before[-1]
    assert abs(frames[join - 1] - before[-1]) < 1
    assert abs(frames[-1] - after[-1]) < 2


def test_a_clip_of_another_size_is_conformed_to_the_film_s(bench: Bench) -> None:
    video = rendered(bench)
    bench.put_clip(bench.plan(video), 1, film_clip(bench.plan(video), 1, width=64))
    assert run(bench, video) == {"film": film(bench, video), "reused": False, "review": False}
    joined = probe(bench.outputs.get(film(bench, video)))
    assert (joined.frames, joined.width, joined.height) == (bench.plan(video).frames, 96, 64)


def test_an_existing_film_is_reused(bench: Bench) -> None:
    video = rendered(bench)
    run(bench, video)
    bench.outputs.delete(bench.put_clip(bench.plan(video), 0))
    assert run(bench, video) == {"film": film(bench, video), "reused": True, "review": False}


def test_a_crash_after_the_film_makes_its_pictures(bench: Bench) -> None:
    video = rendered(bench)
    run(bench, video)
    sheet = keys.spritesheet(TENANT, film_hash(bench.plan(video)))
    made = bench.outputs.get(sheet)
    bench.outputs.delete(sheet)
    assert run(bench, video)["reused"] is True
    assert bench.outputs.get(sheet) == made


def test_the_same_clips_give_the_same_film_to_the_byte(bench: Bench) -> None:
    video = rendered(bench)
    run(bench, video)
    made = bench.outputs.get(film(bench, video))
    bench.outputs.delete(film(bench, video))
    run(bench, video)
    assert bench.outputs.get(film(bench, video)) == made


def test_a_broken_clip_is_named_and_deleted_so_that_a_retry_renders_it_again(bench: Bench) -> None:
    video = rendered(bench)
    broken = bench.put_clip(bench.plan(video), 1, film_clip(bench.plan(video), 1)[:-500])
    error, cause = run(bench, video)
    assert (error, cause["clip"]) == ("ClipUnreadable", 1)
    assert not bench.outputs.exists(broken)
    assert not bench.outputs.exists(film(bench, video))


@pytest.mark.parametrize("changes", [{"count": 6}, {"count": 10}, {"fps": 16}])
def test_a_film_that_differs_in_length_from_its_storyboard_is_rejected(
    bench: Bench, changes: dict[str, int]
) -> None:
    video = rendered(bench)
    bench.put_clip(bench.plan(video), 1, film_clip(bench.plan(video), 1, **changes))
    error, cause = run(bench, video)
    assert error == "ClipMismatch"
    assert cause["clip"] == 1
    assert "expected 1.000 s" in cause["errorMessage"]
    assert not bench.outputs.exists(film(bench, video))


def test_a_missing_clip_is_named(bench: Bench) -> None:
    video = rendered(bench)
    bench.outputs.delete(bench.put_clip(bench.plan(video), 0))
    error, cause = run(bench, video)
    assert error == "ArtifactMissing"
    assert "clips/" in cause["errorMessage"]


def test_a_cancelled_video_is_not_assembled(bench: Bench) -> None:
    video = rendered(bench)
    bench.videos.advance(TENANT, video.id, Stage.CANCELLED)
    assert run(bench, video)[0] == "VideoClosed"


def test_no_joint_is_encoded_for_a_video_that_was_cancelled(bench: Bench) -> None:
    video = rendered(bench, "animatic", **TINY, seconds=25, transition="crossfade")
    joints = f"artifacts/{TENANT}/joints/"
    before = bench.deployment.keys("output", joints)

    class Cancelling(Objects):
        def put(
            self, key: str, body: bytes | BinaryIO, content_type: str, *, by: str = "", measures: str = ""
        ) -> None:
            super().put(key, body, content_type, by=by, measures=measures)
            if key.startswith(joints):
                bench.videos.advance(TENANT, video.id, Stage.CANCELLED)

    cancelling = Cancelling(client("s3"), bench.outputs.bucket)
    with pytest.raises(VideoClosed):
        assemble.assemble(TENANT, video.id, 0.5, bench.videos, bench.inputs, cancelling)
    assert len(bench.deployment.keys("output", joints) - before) == 1


# --- narration and captions

TONES = {"A bee wakes.": 600, "It flies!": 1500, "It rests.": 3100}  # Hz
SENTENCE = 0.5  # seconds


def sentence(bench: Bench, text: str, start: float = 0, seconds: float = SENTENCE) -> Sentence:
    """Store a sentence whose sound is a tone, like a narration's."""
    sound = fingerprint([text, seconds])
    content = spoken_sound(seconds, TONES[text])
    bench.outputs.put(keys.speech(TENANT, sound), content, "audio/mpeg")
    return Sentence(text=text, sound=sound, start=start, seconds=seconds)


def narrated(bench: Bench, **request: Any) -> Video:
    """Return a rendered video with scenes of three, two and three seconds: two sentences in the first, none
    in the second, one in the third."""
    shots = [
        a_shot(narration=[sentence(bench, "A bee wakes."), sentence(bench, "It flies!", start=0.75)]),
        a_shot("A daisy.", frames=16),
        a_shot(narration=[sentence(bench, "It rests.")]),
    ]
    return filmed(bench, shots, **request)


def filmed(bench: Bench, shots: list[Shot], **request: Any) -> Video:
    video = bench.video("animatic", Stage.RENDERING, request={**TINY, **request}, shots=shots)
    for clip in bench.plan(video).clips:
        bench.put_clip(bench.plan(video), clip.index)
    return video


def heard(wave: Wave, hertz: float) -> tuple[float, float]:
    """Return when a tone begins and ends, in seconds."""
    block = 960  # 20 ms
    parts = wave[0][: wave.shape[1] // block * block].reshape(-1, block)
    turn = np.exp(-2j * np.pi * hertz * np.arange(block) / 48_000)
    loud = np.abs((parts * np.hanning(block) * turn).sum(axis=1))
    (found,) = np.nonzero(loud > loud.max() / 4)
    return found[0] * block / 48_000, (found[-1] + 1) * block / 48_000


# Each sentence's start: its scene's start plus the silence before a narration.
STARTS = {"A bee wakes.": LEAD, "It flies!": LEAD + 0.75, "It rests.": 5 + LEAD}


@pytest.mark.parametrize("transition", ["none", "crossfade", "fade"])
def test_each_sentence_is_heard_at_its_time(bench: Bench, transition: str) -> None:
    video = narrated(bench, transition=transition)
    run(bench, video)
    wave = sounds.decoded(BytesIO(bench.outputs.get(film(bench, video))))
    assert wave.shape[1] == 8 * 48_000
    for text, hertz in TONES.items():
        begins, ends = heard(wave, hertz)
        assert begins == pytest.approx(STARTS[text], abs=0.04)
        assert ends == pytest.approx(STARTS[text] + SENTENCE, abs=0.06)
    # AAC's own noise is 60 dB below.
    assert np.abs(wave[:, 48_000 * 3 : 48_000 * 5]).max() < 0.001 * np.abs(wave).max()


def test_a_film_has_chapters_per_scene_and_its_narration_in_metadata(bench: Bench) -> None:
    video = narrated(bench, transition="crossfade")
    run(bench, video)
    content = bench.outputs.get(film(bench, video))
    with av.open(BytesIO(content)) as container:
        found = [
            (part["start"] * part["time_base"], part["metadata"]["title"]) for part in container.chapters()
        ]
    assert found == [(0, "A bee wakes."), (3, "A daisy."), (5, "It rests.")]
    said = probe(content).metadata
    assert said["title"] == "Bees"
    assert said["description"] == "A bee wakes. It flies! A daisy. It rests."


# So short a sentence stays for 5/6 s, unless the next one begins.
SHOWN = {"A bee wakes.": 0.75, "It flies!": 0.834, "It rests.": 0.834}
CUES = [(start, start + SHOWN[text], text) for text, start in STARTS.items()]


def in_milliseconds(cues: list[tuple[float, float, str]]) -> list[tuple[int, int, str]]:
    return [(round(start * 1000), round(end * 1000), text) for start, end, text in cues]


def test_captions_are_a_track_of_the_film(bench: Bench) -> None:
    brief = {"topic": "Bees", "language": "de-DE"}
    video = narrated(bench, captions=True, brief=brief)
    run(bench, video)
    with av.open(BytesIO(bench.outputs.get(film(bench, video)))) as container:
        (track,) = container.streams.subtitles
        assert (track.codec_context.name, track.language) == ("mov_text", "deu")
        shown = []
        for packet in container.demux(track):
            if packet.size and (text := bytes(packet)[2 : 2 + int.from_bytes(bytes(packet)[:2])]):
                start, end = packet.pts, packet.pts + packet.duration
                shown.append((float(start * track.time_base), float(end * track.time_base), text.decode()))
    assert in_milliseconds(shown) == in_milliseconds(CUES)


@pytest.mark.parametrize("extension", ["vtt", "srt", "ass"])
def test_captions_are_files_beside_the_film(bench: Bench, extension: str) -> None:
    video = narrated(bench, captions=True)
    run(bench, video)
    key = keys.captions(TENANT, film_hash(bench.plan(video)), extension)
    written = bench.outputs.get(key).decode()
    begins = {"vtt": "WEBVTT\n", "srt": "1\n00:00:00,400 --> ", "ass": "[Script Info]\n"}
    assert written.startswith(begins[extension])
    read = [(event.start, event.end, event.text) for event in SSAFile.from_string(written)]
    step = 10 if extension == "ass" else 1  # milliseconds
    assert [text for *_, text in read] == [text for *_, text in CUES]
    for one, cue in zip(read, in_milliseconds(CUES), strict=True):
        assert one[:2] == pytest.approx(cue[:2], abs=step - 1)


def test_a_film_without_captions_has_none(bench: Bench) -> None:
    silent = filmed(bench, [a_shot(), a_shot()], captions=True)
    for video in (silent, narrated(bench)):
        run(bench, video)
        content = film_hash(bench.plan(video))
        assert not any(
            bench.outputs.exists(keys.captions(TENANT, content, end)) for end in ("vtt", "srt", "ass")
        )
        with av.open(BytesIO(bench.outputs.get(film(bench, video)))) as container:
            assert not container.streams.subtitles


def test_a_crash_after_the_film_writes_its_captions(bench: Bench) -> None:
    video = narrated(bench, captions=True)
    run(bench, video)
    key = keys.captions(TENANT, film_hash(bench.plan(video)), "vtt")
    written = bench.outputs.get(key)
    bench.outputs.delete(key)
    assert run(bench, video)["reused"] is True
    assert bench.outputs.get(key) == written


def test_a_mixed_narration_is_reused(bench: Bench) -> None:
    video = narrated(bench, captions=True)
    run(bench, video)
    made = bench.outputs.get(film(bench, video))
    bench.outputs.delete(film(bench, video))
    bench.outputs.delete_all(f"artifacts/{TENANT}/speech/")
    assert run(bench, video) == {"film": film(bench, video), "reused": False, "review": False}
    assert bench.outputs.get(film(bench, video)) == made


def test_a_sentence_with_missing_sound_is_named(bench: Bench) -> None:
    bench.outputs.delete_all(f"artifacts/{TENANT}/sounds/")
    video = narrated(bench)
    bench.outputs.delete_all(f"artifacts/{TENANT}/speech/")
    error, cause = run(bench, video)
    assert error == "ArtifactMissing"
    assert "speech/" in cause["errorMessage"]


def test_a_narration_that_ends_after_the_film_is_rejected(bench: Bench) -> None:
    video = filmed(bench, [a_shot(frames=16, narration=[sentence(bench, "It flies!", seconds=2)])])
    assert run(bench, video)[0] == "NarrationTooLong"
    assert not bench.outputs.exists(film(bench, video))


# --- music

HUM = 220  # Hz


def hum(bench: Bench, seconds: float = 2) -> dict[str, Any]:
    """Store a low tone as an uploaded music file of a request."""
    content = sounds.encoded(sounds.tone(seconds, HUM), "mp3").getvalue()
    sha256 = hashlib.sha256(content).hexdigest()
    key = keys.upload(TENANT, sha256, "mp3")
    bench.inputs.put(key, content, "audio/mpeg")
    return {"key": key, "sha256": sha256, "seconds": seconds}


def film_sound(bench: Bench, video: Video) -> Wave:
    return sounds.decoded(BytesIO(bench.outputs.get(film(bench, video))))


def hummed(wave: Wave, start: float, stop: float) -> float:
    return sounds.level(wave[:, round(start * 48_000) : round(stop * 48_000)], HUM)


@pytest.mark.parametrize("transition", ["none", "crossfade"])
def test_music_plays_under_the_narration_and_is_ducked_during_speech(bench: Bench, transition: str) -> None:
    video = narrated(bench, music=hum(bench), transition=transition)
    run(bench, video)
    wave = film_sound(bench, video)
    assert wave.shape[1] == 8 * 48_000
    assert sounds.loudness(wave) == pytest.approx(-16, abs=0.4)
    assert sounds.true_peak(wave) <= -1
    alone = hummed(wave, 3, 4.9)
    assert alone > -35
    for text, start in STARTS.items():
        begins, ends = heard(wave, TONES[text])
        assert begins == pytest.approx(start, abs=0.04)
        assert hummed(wave, begins + 0.15, ends) < alone - 5
    assert hummed(wave, 7.8, 8) < alone - 10, "it fades out"


def test_music_alone_is_looped_under_a_film_of_one_prompt(bench: Bench) -> None:
    video = rendered(bench, "animatic", **TINY, seconds=7, music=hum(bench, 1.5))
    run(bench, video)
    wave = film_sound(bench, video)
    assert probe(bench.outputs.get(film(bench, video))).frames == 7 * 8
    assert wave.shape[1] == 7 * 48_000
    assert sounds.loudness(wave) == pytest.approx(-16, abs=0.4)
    assert all(hummed(wave, start, start + 0.5) > -30 for start in (0.2, 2, 3.4))


def test_other_music_makes_another_film_of_the_same_clips(bench: Bench) -> None:
    plan = bench.plan(rendered(bench))
    others = [plan.model_copy(update={"music": Music(**hum(bench, seconds))}) for seconds in (2, 3)]
    others.append(others[0].model_copy(update={"music": Music(**hum(bench, 2), start=0.5)}))
    assert len({film_hash(one) for one in (plan, *others)}) == 4


def test_missing_music_is_named(bench: Bench) -> None:
    music = hum(bench)
    video = rendered(bench, music=music)
    bench.inputs.delete(music["key"])
    error, cause = run(bench, video)
    assert error == "ArtifactMissing"
    assert music["key"] in cause["errorMessage"]


# --- burned-in captions


def with_captions(
    frames: list[NDArray[np.uint8]], plain: list[NDArray[np.uint8]], share: float = 0.01
) -> list[int]:
    """Return the frames with many pixels that differ by more than re-encoding explains."""
    differ = [np.mean(np.abs(one.astype(int) - other) > 60) for one, other in zip(frames, plain, strict=True)]
    return [number for number, found in enumerate(differ) if found > share]


@pytest.mark.parametrize("transition", ["none", "crossfade", "fade"])
def test_captions_are_burned_in_until_they_can_be_read(bench: Bench, transition: str) -> None:
    plain, burnt = (narrated(bench, burn_captions=burn, transition=transition) for burn in (False, True))
    run(bench, plain)
    joints = f"artifacts/{TENANT}/joints/"
    run(bench, burnt)
    contents = [bench.outputs.get(film(bench, video)) for video in (plain, burnt)]
    before, after = map(decoded, contents)
    assert len(after) == len(before) == 8 * 8
    shown = [n for n in range(64) for start, end, _ in CUES if start <= n / 8 < end]
    assert with_captions(after, before) == shown
    with av.open(BytesIO(contents[1])) as container:
        assert not container.streams.subtitles, "only on request"
    content = film_hash(bench.plan(burnt))
    assert not bench.outputs.exists(keys.captions(TENANT, content, "vtt"))
    assert bench.now(burnt).assembled == 100
    made = bench.deployment.keys("output", joints)
    bench.outputs.delete(film(bench, burnt))
    run(bench, burnt)  # no part of which is re-encoded
    assert bench.deployment.keys("output", joints) == made
    assert bench.outputs.get(film(bench, burnt)) == contents[1]


def test_a_logo_and_a_lower_third_are_laid_over_the_clips(bench: Bench) -> None:
    logo = {"sha256": "3" * 64, "media_type": "image/png"}
    bench.inputs.put(keys.upload(TENANT, "3" * 64, "png"), png(), "image/png")
    third = LowerThird(title="Ada", subtitle="Pilot")
    shots = [a_shot(), a_shot("A daisy.", frames=16, lower_third=third)]
    plain = filmed(bench, [a_shot(), a_shot("A daisy.", frames=16)], seed=7)
    branded = filmed(bench, shots, seed=7, brand={"logo": {"picture": logo, "size": 0.2}})
    hashes = [[clip.key_hash for clip in bench.plan(video).clips] for video in (plain, branded)]
    assert hashes[0] == hashes[1], "no clip is rendered again"
    for video in (plain, branded):
        run(bench, video)
    before, after = (decoded(bench.outputs.get(film(bench, video))) for video in (plain, branded))
    moved = [np.abs(one.astype(int) - two) for one, two in zip(before, after, strict=True)]
    assert len(moved) == 40
    assert min(one[4:14, 6:20].mean() for one in moved) > 20, "the logo is on every frame"
    assert max(one[4:14, 70:].mean() for one in moved) < 8, "and nowhere else"
    plate = [one[50:58, 6:16].mean() for one in moved]
    assert max(plate[:24]) < 8 < 20 < min(plate[31:34]), "the lower third is on its scene"


def test_captions_may_be_a_track_and_burned_in(bench: Bench) -> None:
    video = narrated(bench, captions=True, burn_captions=True)
    run(bench, video)
    with av.open(BytesIO(bench.outputs.get(film(bench, video)))) as container:
        assert len(container.streams.subtitles) == 1
    assert bench.outputs.exists(keys.captions(TENANT, film_hash(bench.plan(video)), "vtt"))


# --- further shapes


def tracks(content: bytes) -> tuple[list[bytes], list[int | None], list[tuple[Any, Any]]]:
    """Return a film's packets of sound, the times of its pictures, and its chapters."""
    with av.open(BytesIO(content)) as container:
        sound = [bytes(packet) for packet in container.demux(container.streams.audio[0])]
    with av.open(BytesIO(content)) as container:
        times = sorted(p.pts for p in container.demux(container.streams.video[0]) if p.pts is not None)
        return sound, times, [(one["start"], one["metadata"]["title"]) for one in container.chapters()]


def shape_of(bench: Bench, video: Video, number: int) -> str:
    plan = bench.plan(video).in_shape(video.shapes[number])
    return keys.film(TENANT, film_hash(plan))


def test_further_shapes_show_the_film_s_clips_with_its_sound_and_captions_of_their_own(bench: Bench) -> None:
    shapes = [{"aspect": "9:16"}, {"aspect": "1:1", "fit": "blur"}]
    video = narrated(bench, burn_captions=True, transition="crossfade", shapes=shapes, focal_point="left")
    assert run(bench, video)["reused"] is False
    whole = bench.outputs.get(film(bench, video))
    tall, square = (bench.outputs.get(shape_of(bench, video, number)) for number in range(2))
    assert [(probe(one).width, probe(one).height) for one in (tall, square)] == [(256, 454), (256, 256)]
    assert tracks(tall) == tracks(square) == tracks(whole)
    plain = narrated(bench, transition="crossfade", shapes=shapes[:1], focal_point="left")
    run(bench, plain)
    captioned, bare = decoded(tall), decoded(bench.outputs.get(shape_of(bench, plain, 0)))
    shown = [n for n in range(64) for start, end, _ in CUES if start <= n / 8 < end]
    assert with_captions(captioned, bare, share=0.001) == shown
    rows = np.abs(captioned[shown[0]].astype(int) - bare[shown[0]]).max(axis=(1, 2)) > 60
    assert 200 < np.nonzero(rows)[0].min() < np.nonzero(rows)[0].max() < 454 * 0.75, (
        "in the safe area of phones"
    )
    for shape in video.shapes:
        content = film_hash(bench.plan(video).in_shape(shape))
        picture = Image.open(BytesIO(bench.outputs.get(keys.poster(TENANT, content))))
        width, height = shape.size((96, 64))
        assert picture.width / picture.height == pytest.approx(width / height, rel=0.02)
    made = bench.now(video).assembly
    assert made is not None
    assert [(one.aspect, one.reused) for one in made.shapes] == [("9:16", False), ("1:1", False)]
    parts = {
        kind: bench.deployment.keys("output", f"artifacts/{TENANT}/{kind}/") for kind in ("joints", "clips")
    }
    bench.outputs.delete(shape_of(bench, video, 1))
    run(bench, video)
    assert bench.outputs.get(shape_of(bench, video, 1)) == square
    again = bench.now(video).assembly
    assert again is not None
    assert [one.reused for one in again.shapes] == [True, False]
    for kind, before in parts.items():
        assert bench.deployment.keys("output", f"artifacts/{TENANT}/{kind}/") == before, (
            "nothing is encoded twice"
        )


def test_a_crop_keeps_each_scene_s_focal_point_in_view(bench: Bench) -> None:
    """A picture whose left half is dark and whose right half is light."""
    shots = [a_shot(focal_point="left"), a_shot("A daisy.")]
    video = bench.video(
        "animatic",
        Stage.RENDERING,
        request={**TINY, "shapes": [{"aspect": "9:16"}], "focal_point": "1,0.5"},
        shots=shots,
    )
    halves = np.repeat(np.repeat(np.uint8([[[30] * 3, [220] * 3]]), 64, 0), 48, 1)
    for clip in bench.plan(video).clips:
        content = recorded([halves] * clip.frames, fps=8)
        bench.outputs.put(keys.clip(TENANT, clip.key_hash), content, "video/mp4")
    run(bench, video)
    frames = decoded(bench.outputs.get(shape_of(bench, video, 0)))
    assert [round(float(np.mean(frame)) / 10) for frame in (frames[0], frames[-1])] == [3, 22]
    corner = frames[0][:40, :60].max(axis=2)
    assert (corner > 150).mean() > 0.01, "a draft is marked, though its own mark is cropped"


def test_what_fails_in_a_shape_names_it(bench: Bench) -> None:
    video = narrated(bench, shapes=[{"aspect": "9:16"}, {"aspect": "4:5"}])

    class Full(Objects):
        def put_streamed(self, key: str, *args: Any, **more: Any) -> Any:
            if key == shape_of(bench, video, 1):
                raise DiskFull("no room")
            return super().put_streamed(key, *args, **more)

    full = Full(client("s3"), bench.outputs.bucket)
    with pytest.raises(DiskFull):
        assemble.assemble(TENANT, video.id, 0.5, bench.videos, bench.inputs, full)
    assert bench.now(video).shaping == "4:5"
    failed_step = {"step": "Assemble", "error": {"Error": "States.Timeout"}, "execution": video.id}
    bench.answer(record_failure.handler, video, **failed_step)
    failed = bench.now(video).failure
    assert failed is not None
    assert (failed.step, failed.shape) == ("Assemble", "4:5")


# --- clips that do not match the film's format


def test_a_clip_s_own_sound_is_not_in_the_film(bench: Bench) -> None:
    video = rendered(bench)
    bench.put_clip(bench.plan(video), 0, with_sound())
    run(bench, video)
    content = bench.outputs.get(film(bench, video))
    with av.open(BytesIO(content)) as container:
        assert len(container.streams.audio) == 1
    assert np.abs(sounds.decoded(BytesIO(content))).max() < 0.001


@pytest.mark.parametrize(
    "other",
    [
        {"pix_fmt": "yuv444p"},
        {"color_range": ColorRange.JPEG},
        {"turned": 180},
        {"sample_aspect_ratio": Fraction(4, 3)},
        {"times": [Fraction(n, 16) for n in (0, 2, 6, 8, 10, 11, 12, 14)]},
        {"codec": "mpeg4"},
    ],
    ids=["chroma", "range", "turned", "aspect ratio", "varying rate", "codec"],
)
def test_only_clips_that_differ_are_re_encoded(bench: Bench, other: dict[str, Any]) -> None:
    video = rendered(bench)
    plan = bench.plan(video)
    bench.put_clip(plan, 1, recorded(list(pictures(8)), **other))
    assert run(bench, video) == {"film": film(bench, video), "reused": False, "review": False}
    content = bench.outputs.get(film(bench, video))
    assert len(decoded(content)) == plan.frames
    assert all(map(np.array_equal, decoded(content)[:8], decoded(film_clip(plan, 0))))
    conformed = bench.deployment.keys("output", f"artifacts/{TENANT}/clips/{plan.clips[1].key_hash}-")
    assert len(conformed) == 1
    assert not bench.deployment.keys("output", f"artifacts/{TENANT}/clips/{plan.clips[0].key_hash}-")


@pytest.mark.parametrize("changes", [{"count": 7}, {"count": 9}, {"count": 25, "fps": 24}])
def test_a_clip_a_frame_too_long_or_short_gives_the_planned_frames(
    bench: Bench, changes: dict[str, int]
) -> None:
    video = rendered(bench)
    plan = bench.plan(video)
    bench.put_clip(plan, 1, film_clip(plan, 1, **changes))
    assert run(bench, video) == {"film": film(bench, video), "reused": False, "review": False}
    assert len(decoded(bench.outputs.get(film(bench, video)))) == plan.frames


# --- a film of several parts, by the program of the build


def large(bench: Bench) -> Video:
    """Return a video whose film has three parts."""
    video = bench.video("animatic", Stage.RENDERING, request={**TINY, "seconds": 1})
    plan = bench.plan(video)
    bench.put_clip(plan, 0, padded(film_clip(plan, 0), 4_500_000))
    return video


@pytest.fixture
def s3(bench: Bench) -> Iterator[WatchedS3]:
    """The S3 that the test's programs see."""
    watched = WatchedS3(bench.deployment.url)
    with serving(watched.app) as url, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL_S3", url)
        yield watched


def begin(bench: Bench, video: Video) -> tuple["subprocess.Popen[bytes]", Callable[[], Any]]:
    """Start the program; return it and the answer to its token."""
    task = bench.task()
    request = CalledBackTask(token=task.token, tenant=TENANT, video_id=video.id)
    process = subprocess.Popen(
        [sys.executable, "-m", "lambdas.builds.assemble_film"],
        env=os.environ | {TASK_VARIABLE: request.model_dump_json(), "POWERTOOLS_DEV": "0"},
        stdout=subprocess.PIPE,
    )
    return process, task.answer


def test_a_killed_upload_resumes_with_the_missing_parts(bench: Bench, s3: WatchedS3) -> None:
    video = large(bench)
    killed, _ = begin(bench, video)
    s3.before_part = lambda number: number == 3 and killed.send_signal(signal.SIGKILL)  # type: ignore[assignment,return-value]
    killed.communicate()
    assert not bench.outputs.exists(film(bench, video))
    assert bench.now(video).assembled >= 20
    before, s3.parts, s3.before_part = s3.parts, [], lambda number: None
    assert before[:3] == [1, 2, 3]
    again, answer = begin(bench, video)
    log, _ = again.communicate()
    assert again.returncode == 0
    assert answer() == {"film": film(bench, video), "reused": False, "review": False}
    assert s3.parts in ([3], [])  # the third part may have reached S3
    content = bench.outputs.get(film(bench, video))
    assert len(content) > 2 * PART
    assert len(decoded(content)) == 8
    assert json.loads(log.splitlines()[-1])["video_id"] == video.id
    uploads = client("s3").list_multipart_uploads(Bucket="output", Prefix=film(bench, video))
    assert "Uploads" not in uploads


def test_two_concurrent_tries_make_one_film(bench: Bench) -> None:
    video = large(bench)

    def once(_: int) -> assemble.FilmMade:
        outputs = stores.outputs(bench.settings)
        return assemble.assemble(TENANT, video.id, 0.5, bench.videos, bench.inputs, outputs)

    with ThreadPoolExecutor() as pool:
        made = list(pool.map(once, range(2)))
    assert {one.film for one in made} == {film(bench, video)}
    content = bench.outputs.get(film(bench, video))
    bench.outputs.delete(film(bench, video))
    once(0)
    assert bench.outputs.get(film(bench, video)) == content


def test_a_build_whose_video_was_cancelled_says_so_and_ends(bench: Bench, s3: WatchedS3) -> None:
    video = large(bench)
    process, answer = begin(bench, video)
    s3.before_part = lambda number: (  # type: ignore[assignment,return-value]
        number == 1 and bench.videos.advance(TENANT, video.id, Stage.CANCELLED)
    )
    process.communicate()
    assert process.returncode == 0
    assert answer()[0] == "VideoClosed"
    assert s3.parts == [1]
    assert not bench.outputs.exists(film(bench, video))

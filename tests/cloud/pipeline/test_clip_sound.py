"""Films of clips with sound: decoded, flash against beep."""

import zipfile
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from lambdas.domain import keys
from lambdas.domain.assembly import ClipSound
from lambdas.domain.film_plan import FilmPlan, Footage, film_hash
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from lambdas.domain.video_request import Origin, OriginKind
from lambdas.media.sound_input import has_sound, samples
from lambdas.media.source import BytesSource
from lambdas.tasks import assemble, draw_clip
from lambdas.tasks import plan as plan_task
from tests.cloud.pipeline.bench import TENANT, Bench
from tests.cloud.pipeline.test_assemble import HUM, TONES, heard, hum, sentence
from tests.factories import a_shot
from tests.media import sounds
from tests.media.flashes import HERTZ, beeps_in, beeps_of, flashes_in, flashing
from tests.media.sounds import Wave

TINY = {"width": 96, "height": 64, "fps": 24}
IN_STEP = 0.02  # seconds
SCENE = 48  # frames


def sounding(bench: Bench, *, silent: tuple[int, ...] = (), said: bool = False, **request: Any) -> Video:
    """Return a rendered video of three scenes of two seconds whose clips flash and beep twice, except those
    that are `silent`. `said`: somebody speaks in the second scene."""
    shots = [a_shot(str(index), frames=SCENE) for index in range(3)]
    if said:
        shots[1] = a_shot("1", frames=SCENE, narration=[sentence(bench, "It rests.", seconds=1)])
    video = bench.video("animatic", Stage.RENDERING, request={**TINY, **request}, shots=shots)
    plan = bench.plan(video)
    clips = [clip.model_copy(update={"sound": True}) for clip in plan.clips]
    scenes = [
        scene.model_copy(update={"clips": [clips[clip.index] for clip in scene.clips]})
        for scene in plan.scenes
    ]
    store(bench, plan.model_copy(update={"scenes": scenes}))
    for clip in clips:
        flashes = [13, clip.film_frames - 15]
        content = flashing(clip.film_frames, flashes, sound=clip.index not in silent)
        bench.put_clip(plan, clip.index, content)
    return video


def store(bench: Bench, plan: FilmPlan) -> None:
    key = keys.film_plan(TENANT, plan.video_id)
    bench.outputs.put(key, plan.model_dump_json().encode(), "application/json")


def film_of(bench: Bench, video: Video) -> bytes:
    made = bench.answer(assemble.handler, video)
    assert "film" in made, made
    return bench.outputs.get(made["film"])


def wave_of(film: bytes) -> Wave:
    return sounds.decoded(BytesIO(film))


@pytest.mark.parametrize("transition", ["none", "crossfade", "fade"])
def test_flashes_and_beeps_are_in_step_through_every_joint(bench: Bench, transition: str) -> None:
    film = film_of(bench, sounding(bench, transition=transition, silent=(1,)))
    flashes, beeps = flashes_in(film), beeps_in(film)
    assert len(flashes) == 6
    heard_ = flashes[:2] + flashes[4:]  # the second clip is silent
    assert len(beeps) == len(heard_)
    apart = max(abs(flash - beep) for flash, beep in zip(heard_, beeps, strict=True))
    assert apart < IN_STEP
    wave = wave_of(film)
    assert wave.shape[1] == 6 * 48_000
    assert sounds.true_peak(wave) <= -1
    assert np.abs(wave[:, round(2.6 * 48_000) : round(3.4 * 48_000)]).max() < 0.001


def test_speech_music_and_clips_are_heard_together(bench: Bench) -> None:
    video = sounding(bench, said=True, music=hum(bench), stems=True)
    wave = wave_of(film_of(bench, video))
    assert sounds.loudness(wave) == pytest.approx(-16, abs=0.4)
    begins, ends = heard(wave, TONES["It rests."])
    assert begins == pytest.approx(2.4, abs=0.04)

    def beep(at: float) -> float:
        first = round((at + 0.01) * 48_000)
        return sounds.level(wave[:, first : first + 1900], HERTZ)

    spoken, unspoken = beep(2 + 13 / 24), beep(4 + 13 / 24)
    assert begins < 2 + 13 / 24 < ends
    assert 5 < unspoken - spoken < 15, "ducked"
    assert sounds.level(wave[:, 5 * 48_000 // 10 : 48_000], HUM) > -45
    assert set(stems_of(bench, video)) == {"mix.wav", "narration.wav", "clips.wav", "music.wav"}


def stems_of(bench: Bench, video: Video) -> dict[str, Wave]:
    packed = bench.outputs.get(keys.stems(TENANT, film_hash(bench.plan(video))))
    with zipfile.ZipFile(BytesIO(packed)) as file:
        return {
            name: np.concatenate([*samples(BytesIO(file.read(name)), name)], axis=1).astype(np.float64)
            for name in file.namelist()
        }


def test_stems_of_a_film_that_was_made_without_them(bench: Bench) -> None:
    video = sounding(bench)
    film = film_of(bench, video)
    plan = bench.plan(video)
    assert not bench.outputs.exists(keys.stems(TENANT, film_hash(plan))), (
        "nothing is written unless asked for"
    )
    store(bench, plan.model_copy(update={"stems": True}))
    assert film_of(bench, video) == film, "the film is the same, byte for byte"
    stems = stems_of(bench, video)
    assert set(stems) == {"mix.wav", "clips.wav"}
    assert beeps_of(stems["clips.wav"]) == pytest.approx(beeps_in(film), abs=0.002), "in step"
    assert bench.answer(assemble.handler, video)["reused"]


def test_a_dropped_sound_is_not_heard_and_the_film_has_the_address_that_it_had(bench: Bench) -> None:
    dropped = bench.plan(sounding(bench, clip_sound="drop"))
    scenes = [
        scene.model_copy(update={"clips": [one.model_copy(update={"sound": False}) for one in scene.clips]})
        for scene in dropped.scenes
    ]
    assert film_hash(dropped) == film_hash(dropped.model_copy(update={"scenes": scenes}))
    video = sounding(bench, clip_sound="drop")
    assert not wave_of(film_of(bench, video)).any()


def test_another_setting_mixes_again_and_renders_nothing(bench: Bench) -> None:
    plan = bench.plan(sounding(bench, said=True))
    others = [plan.model_copy(update={"clip_sound": one}) for one in ClipSound]
    assert len({film_hash(one) for one in others}) == 3
    assert len({tuple(clip.key_hash for clip in one.clips) for one in others}) == 1
    silent = bench.plan(sounding(bench))
    same = [silent.model_copy(update={"clip_sound": one}) for one in (ClipSound.KEEP, ClipSound.DUCK)]
    assert len(set(map(film_hash, same))) == 1, "without speech there is nothing to duck under"


def test_a_clip_without_sound_sounds_like_the_footage_that_it_was_made_from(bench: Bench) -> None:
    video = sounding(bench, silent=(0, 1, 2))
    plan = bench.plan(video)
    file = f"uploads/{TENANT}/{video.id}.mp4"
    bench.inputs.put(file, flashing(4 * 24, [13, 33, 40, 61]), "video/mp4")
    first, second, _ = (scene.clips[0] for scene in plan.scenes)
    clips = [
        first.model_copy(update={"sound_of": Footage(file=file)}),
        second.model_copy(update={"sound_of": Footage(file=file, start=48)}),
    ]
    scenes = [
        scene.model_copy(update={"clips": [clips[index]] if index < 2 else scene.clips})
        for index, scene in enumerate(plan.scenes)
    ]
    store(bench, plan.model_copy(update={"scenes": scenes}))
    beeps = beeps_in(film_of(bench, video))
    assert beeps == pytest.approx([at / 24 for at in (13, 33, 40, 61)], abs=IN_STEP)


@pytest.mark.parametrize("sound", [True, False])
def test_an_extended_file_keeps_its_sound(bench: Bench, sound: bool) -> None:
    file = f"uploads/{TENANT}/{sound}.mp4"
    bench.inputs.put(file, flashing(90, [20, 70], fps=30, rate=44_100, channels=2, sound=sound), "video/mp4")
    origin = Origin(kind=OriginKind.EXTEND, prompt="It lands.", file=file, frames=72, seconds=1, sound=sound)
    video = bench.video("animatic", request={**TINY, "seconds": 3, "origin": origin.model_dump()})
    bench.answer(plan_task.handler, video)
    for clip in bench.plan(video).clips:
        made = bench.answer(draw_clip.handler, video, clip=clip.index)
        assert made == {"clip": clip.index, "reused": False}
    clip = bench.outputs.get(keys.clip(TENANT, bench.plan(video).clips[0].key_hash))
    assert has_sound(BytesSource(clip)) is sound
    film = film_of(bench, video)
    if not sound:
        assert not wave_of(film).any()
        return
    for flash, beep, at in zip(flashes_in(film)[:2], beeps_in(film), (20, 70), strict=True):
        assert flash == pytest.approx(at / 30, abs=1 / 24)
        assert beep == pytest.approx(at / 30, abs=IN_STEP)

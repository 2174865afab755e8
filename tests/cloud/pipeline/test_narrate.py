import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from botocore.config import Config

from lambdas.adapters.speech import Speech
from lambdas.domain import keys
from lambdas.domain.errors import ServiceUnavailable
from lambdas.domain.narration import Spoken
from lambdas.domain.prices import FREE
from lambdas.domain.stages import Stage
from lambdas.domain.storyboard import LEAD, PAUSE, SILENT, TAIL, Recording
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipState
from lambdas.media.font import FONT
from lambdas.media.sound_input import RATE, length, samples
from lambdas.production.scene_parts import SceneTask
from lambdas.settings import NarrateSettings
from lambdas.tasks import narrate, write_storyboard
from tests.cloud.pipeline.bench import SENTENCE_SECONDS, TENANT, Bench, a_brief, a_scene, spoken_sound
from tests.media.sounds import encoded, noise, tone

SPEECH = f"artifacts/{TENANT}/speech/"


def run(bench: Bench, video: Video, scene: int = 0) -> Any:
    return bench.answer(narrate.handler, video, scene=scene)


def written(bench: Bench, *said: str, **request: Any) -> Video:
    """Return a video whose scenes have these narrations."""
    brief = a_brief(*(a_scene(text) for text in said))
    return storyboarded(bench, brief, **request)


def storyboarded(bench: Bench, brief: dict[str, Any], **request: Any) -> Video:
    video = bench.video("animatic", request={"brief": brief, **request})
    bench.answer(write_storyboard.handler, video)
    return video


def narration(bench: Bench, video: Video, scene: int = 0) -> Spoken:
    artifact = bench.now(video).narrations[scene].artifact
    assert artifact
    return Spoken.model_validate_json(bench.outputs.get(artifact))


def texts(bench: Bench) -> list[str]:
    return [asked["Text"] for asked in bench.answers.spoken]


@pytest.fixture(autouse=True)
def _nothing_was_said(bench: Bench) -> None:
    """Each test finds only its own sounds."""
    for folder in ("speech", "narrations"):
        bench.outputs.delete_all(f"artifacts/{TENANT}/{folder}/")


def test_a_narration_is_spoken_sentence_by_sentence(bench: Bench) -> None:
    video = written(bench, "A bee wakes. It flies!")
    assert run(bench, video) == {"scene": 0, "reused": False}
    first, second = bench.answers.spoken
    joanna = {"VoiceId": "Joanna", "Engine": "neural", "OutputFormat": "mp3", "SampleRate": "24000"}
    assert first == {**joanna, "Text": "A bee wakes.", "TextType": "text"}
    assert second["Text"] == "It flies!"
    said = narration(bench, video)
    one, two = said.sentences
    assert (one.text, two.text, said.by) == ("A bee wakes.", "It flies!", "Joanna")
    assert one.start == 0
    assert one.seconds == pytest.approx(SENTENCE_SECONDS, abs=0.1)  # an MP3 has whole frames
    assert two.start == pytest.approx(one.seconds + PAUSE)
    assert said.seconds == pytest.approx(LEAD + one.seconds + PAUSE + two.seconds + TAIL)
    for sentence in said.sentences:
        assert bench.outputs.get(keys.speech(TENANT, sentence.sound)) == bench.answers.sound


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Have a lovely day! 🎉", ["Have a lovely day!"]),
        ("We love bees. ♥", ["We love bees."]),
        ("**The wind** lifts the kite. <b>Look</b> 🪁 up.", ["The wind lifts the kite.", "Look up."]),
        ("# Kites\n- Red ones\n- ***", ["Kites", "Red ones"]),
        ("他说：“我们走吧。”", ["他说：“我们走吧。”"]),
        ("「さあ行こう。」（終わり。）", ["「さあ行こう。」", "（終わり。）"]),
        ("Dr. Smith met J. R. R. Tolkien in the U.S. Navy at 5 p.m. Central time.", None),
        ("“Who are you?” the bear asked.", None),
    ],
)
def test_what_is_spoken_and_captioned(bench: Bench, text: str, said: list[str] | None) -> None:
    video = written(bench, text)
    run(bench, video)
    assert texts(bench) == (said or [text])
    assert [sentence.text for sentence in narration(bench, video).sentences] == (said or [text])


def test_speech_is_priced_per_character(bench: Bench) -> None:
    video = written(bench, "A bee wakes. It flies!", "It flies!")
    run(bench, video)
    run(bench, video, scene=1)
    long, short = bench.now(video).narrations
    assert long.cost == pytest.approx(len("A bee wakes.It flies!") * 16e-6)
    assert (short.reused, short.cost) == (False, 0.0)  # for a sentence that already existed
    again = written(bench, "A bee wakes. It flies!")
    run(bench, again)
    [reused] = bench.now(again).narrations
    assert (reused.reused, reused.cost, reused.by) == (True, 0.0, "Joanna")


def test_a_narration_can_be_previewed_before_the_film_is_rendered(bench: Bench) -> None:
    """Including a single short sentence that is not a whole number of frames."""
    for said in ("A bee wakes. It flies!", "A bee."):
        video = written(bench, said)
        run(bench, video)
        artifact = bench.now(video).narrations[0].artifact
        assert artifact
        sound = bench.outputs.get(keys.narration_preview(TENANT, Path(artifact).stem))
        heard = length(BytesIO(sound), "the preview")
        assert float(heard) == pytest.approx(narration(bench, video).seconds - LEAD - TAIL, abs=0.03)
        block = np.concatenate(list(samples(BytesIO(sound), "the preview")), axis=1)
        assert np.abs(block).max() > 0.05


def test_the_record_shows_each_scene_s_progress(bench: Bench) -> None:
    video = written(bench, "A bee wakes.", "It flies!")
    run(bench, video, scene=1)
    waiting, done = bench.now(video).narrations
    assert (waiting.state, waiting.artifact) == (ClipState.WAITING, None)
    assert (done.scene, done.state, done.reused, done.by) == (1, ClipState.DONE, False, "Joanna")
    assert done.started_ms
    assert done.finished_ms
    assert done.started_ms <= done.finished_ms


def test_a_scene_s_own_voice_speed_and_language_and_the_film_s(bench: Bench) -> None:
    own = {"text": "A bee & a wasp.", "voice": "Aditi", "language": "en-IN", "speed": 0.8}
    brief = a_brief(a_scene(narration=own), a_scene("It flies!"))
    video = storyboarded(bench, brief, voice={"name": "Amy", "engine": "standard", "sample_rate": 16000})
    for scene in range(2):
        run(bench, video, scene)
    first, second = bench.answers.spoken
    assert (first["VoiceId"], first["LanguageCode"], first["TextType"]) == ("Aditi", "en-IN", "ssml")
    assert first["Text"] == '<speak><prosody rate="80%">A bee &amp; a wasp.</prosody></speak>'
    assert (second["VoiceId"], second["Engine"], second["SampleRate"]) == ("Amy", "standard", "16000")
    assert "LanguageCode" not in second


def test_only_the_sentences_with_a_word_of_the_lexicon_are_spoken_anew(bench: Bench) -> None:
    brief = a_brief(a_scene("A GIF of bees. They fly."), a_scene("They fly."))
    for scene in range(2):
        run(bench, storyboarded(bench, brief), scene)
    bench.answers.spoken.clear()
    brief["given"]["lexicon"] = {"gif": "jif", "wasps": "wosps"}
    video = storyboarded(bench, brief)
    for scene in range(2):
        run(bench, video, scene)
    assert texts(bench) == ['<speak>A <sub alias="jif">GIF</sub> of bees.</speak>']
    assert [one.text for one in narration(bench, video).sentences] == ["A GIF of bees.", "They fly."]
    assert [part.reused for part in bench.now(video).narrations] == [False, True]


def test_pauses_are_heard_and_not_captioned(bench: Bench) -> None:
    video = written(bench, "[pause 1s] A bee wakes. [pause 2s] It [pause 500ms] flies! [pause 3s]")
    run(bench, video)
    assert texts(bench) == ["A bee wakes.", '<speak>It <break time="500ms"/>flies!</speak>']
    said = narration(bench, video)
    one, two = said.sentences
    assert (one.text, one.start, two.text) == ("A bee wakes.", 1.0, "It flies!")
    assert two.start == pytest.approx(1 + one.seconds + PAUSE + 2)
    assert said.seconds == pytest.approx(LEAD + two.start + two.seconds + 3 + TAIL)


@pytest.mark.parametrize(("seconds", "rate"), [(4.1, "113%"), (2, "115%")])
def test_a_narration_is_spoken_faster_to_fit_its_scene(bench: Bench, seconds: float, rate: str) -> None:
    bench.answers.sound = spoken_sound(3.5)
    brief = a_brief(a_scene("A bee dreams.", seconds=seconds), a_scene("A bee dreams.", seconds=9))
    video = storyboarded(bench, brief, narration_fit="faster")
    run(bench, video)
    usual, faster = bench.answers.spoken
    assert usual["Text"] == "A bee dreams."
    assert f'rate="{rate}"' in faster["Text"]
    run(bench, video, 1)
    assert len(bench.answers.spoken) == 2, "a scene with room is spoken as usual, and so from what there is"
    run(bench, video)
    assert len(bench.answers.spoken) == 2


def test_the_same_request_twice_is_spoken_once(bench: Bench) -> None:
    first, again = (written(bench, "A bee wakes. It flies!") for _ in range(2))
    run(bench, first)
    assert run(bench, again) == {"scene": 0, "reused": True}
    assert len(bench.answers.spoken) == 2
    assert narration(bench, again) == narration(bench, first)
    made = bench.now(again).narrations[0]
    assert (made.state, made.reused) == (ClipState.DONE, True)


def test_a_duplicate_delivery_speaks_once(bench: Bench) -> None:
    video = written(bench, "A bee wakes.")
    run(bench, video)
    said = narration(bench, video)
    run(bench, video)
    assert texts(bench) == ["A bee wakes."]
    assert narration(bench, video) == said


def test_only_changed_sentences_of_an_edited_narration_are_spoken(bench: Bench) -> None:
    run(bench, written(bench, "A bee wakes. It flies! It rests."))
    video = written(bench, "A bee wakes. It dances! It rests.")
    assert run(bench, video) == {"scene": 0, "reused": False}
    assert texts(bench)[3:] == ["It dances!"]
    assert len(narration(bench, video).sentences) == 3


def test_a_different_voice_speaks_everything_again(bench: Bench) -> None:
    for voice in ("Joanna", "Amy"):
        run(bench, written(bench, "A bee wakes.", voice={"name": voice}))
    assert [asked["VoiceId"] for asked in bench.answers.spoken] == ["Joanna", "Amy"]


def test_a_throttled_sentence_is_retried(bench: Bench) -> None:
    bench.answers.refusals = [(400, "ThrottlingException", "Rate exceeded")]
    video = written(bench, "A bee wakes.")
    assert run(bench, video) == {"scene": 0, "reused": False}
    assert texts(bench) == ["A bee wakes."] * 2


@pytest.mark.parametrize(
    ("status", "code"), [(400, "ThrottlingException"), (503, "ServiceUnavailable"), (500, "Whatever")]
)
def test_sentences_spoken_before_a_transient_failure_are_reused(bench: Bench, status: int, code: str) -> None:
    video = written(bench, "A bee wakes. It flies! It rests.")
    once = Config(retries={"total_max_attempts": 1})
    speech = Speech(boto3.client("polly", config=once))
    bench.answers.refusals = [(status, code, "Not now")]
    task = SceneTask(tenant=TENANT, video_id=video.id, scene=0)

    def attempt() -> None:
        narrate.narrate(task, NarrateSettings.from_env(), bench.videos, bench.inputs, bench.outputs, speech)

    with pytest.raises(ServiceUnavailable, match="Not now"):
        attempt()
    assert bench.now(video).narrations[0].state is ClipState.RENDERING
    attempt()
    assert texts(bench) == ["A bee wakes.", "A bee wakes.", "It flies!", "It rests."]
    assert bench.now(video).narrations[0].state is ClipState.DONE


def test_captions_that_follow_the_voice_have_its_words_times(bench: Bench) -> None:
    plain = written(bench, "A bee wakes.")
    run(bench, plain)
    video = written(bench, "A bee wakes.", burn_captions=True, caption_style="karaoke")
    run(bench, video)
    assert [asked["OutputFormat"] for asked in bench.answers.spoken] == ["mp3", "json"], "one sound for both"
    (said,) = narration(bench, video).sentences
    assert [(word.text, word.start) for word in said.words] == [("A", 0), ("bee", 0.1), ("wakes", 0.2)]
    assert said.words[-1].end == said.seconds
    assert narration(bench, plain).sentences[0] == said.model_copy(update={"words": ()})
    assert bench.now(video).narrations[0].cost == pytest.approx(len("A bee wakes.") * 16e-6)


def test_words_times_that_cost_nothing_are_made_with_each_sound(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a PC's voice, which could not time a sound later."""
    monkeypatch.setenv("REELWORKS_PRICES", FREE.model_dump_json())
    video = written(bench, "A bee wakes. It flies!")
    run(bench, video)
    assert [asked["OutputFormat"] for asked in bench.answers.spoken] == ["json", "mp3"] * 2, "times first"
    said = narration(bench, video).sentences
    assert [word.text for word in said[1].words] == ["It", "flies"]
    other = written(bench, "It flies!", burn_captions=True, caption_style="karaoke")
    run(bench, other)
    assert len(bench.answers.spoken) == 4, "another style, or film, asks for nothing"
    assert narration(bench, other).sentences[0].words == said[1].words


def recorded(bench: Bench, sound: bytes, **narration: Any) -> dict[str, Any]:
    """Return the narration that is this recording, a FLAC, which is stored."""
    own = Recording(sha256=hashlib.sha256(sound).hexdigest(), kind="flac", seconds=2)
    bench.inputs.put(own.key(TENANT), sound, own.media_type)
    return {"text": SILENT, **narration, "recording": own.model_dump()}


def whole(bench: Bench, said: Spoken) -> Any:
    """Return a narration's sounds, one after another, and check that each begins where the last one ends."""
    parts, at = [], 0
    for sentence in said.sentences:
        sound = BytesIO(bench.outputs.get(keys.speech(TENANT, sentence.sound)))
        parts += samples(sound, "a part")
        assert sentence.start == pytest.approx(at / RATE, abs=1e-9)
        at = sum(part.shape[1] for part in parts)
    return np.concatenate(parts, axis=1)


RECORDED = encoded(np.concatenate([noise(0.5, level=0.0001), tone(1.5, 300)], axis=1), "flac").getvalue()


def test_a_recording_without_text_is_the_narration_as_it_is(bench: Bench) -> None:
    brief = a_brief(a_scene(narration=recorded(bench, RECORDED)))
    video = storyboarded(bench, brief)
    run(bench, video)
    said = narration(bench, video)
    [sentence] = said.sentences
    assert (sentence.text, sentence.words, said.by) == ("", (), "recording")
    assert said.seconds == pytest.approx(LEAD + 2 + TAIL)
    sound = np.concatenate([*samples(BytesIO(RECORDED), "it")], axis=1)
    assert np.abs(whole(bench, said) - sound).max() <= 1 / 32768, "all of it, as 16 bits"
    assert not bench.answers.spoken
    [made] = bench.now(video).narrations
    assert (made.by, made.cost) == ("recording", 0)
    again = storyboarded(bench, brief)
    run(bench, again)
    assert bench.now(again).narrations[0].reused


def test_the_words_of_a_recording_are_found_in_it_and_paid_for_once(bench: Bench) -> None:
    words = np.concatenate([tone(0.1, 300), tone(0.1, 900), tone(0.3, 2_000)], axis=1)
    bench.answers.sound = encoded(words, "mp3").getvalue()
    sound = np.concatenate([noise(0.7, level=0.0001), words, noise(0.8, level=0.0001)], axis=1)
    told = recorded(bench, encoded(sound, "flac").getvalue(), text="A bee wakes.")
    video = storyboarded(bench, a_brief(a_scene(narration=told)))
    run(bench, video)
    before, sentence = (said := narration(bench, video)).sentences
    assert (before.text, sentence.text) == ("", "A bee wakes.")
    assert sentence.start == pytest.approx(0.7, abs=0.1), "its caption waits for the voice"
    times = {word.text: sentence.start + word.start for word in sentence.words}
    assert times == pytest.approx({"A": 0.7, "bee": 0.8, "wakes": 0.9}, abs=0.06)
    assert whole(bench, said).shape[1] == 2 * RATE
    assert [asked["OutputFormat"] for asked in bench.answers.spoken] == ["json", "mp3"]
    assert bench.now(video).narrations[0].cost == pytest.approx(2 * len("A bee wakes.") * 16e-6)


def test_a_recording_that_is_too_short_for_its_text_is_named(bench: Bench) -> None:
    short = encoded(tone(0.5, 300), "flac").getvalue()
    told = recorded(bench, short, text="A bee wakes. It flies. It lands. It drinks. It sleeps.")
    video = storyboarded(bench, a_brief(a_scene(), a_scene(narration=told)))
    error, cause = run(bench, video, scene=1)
    assert error == "NarrationRefused"
    assert "the recording of scene 1 is too short: it lasts 0.5 s" in cause["errorMessage"]


def test_a_voice_that_does_not_time_its_words_narrates_without(bench: Bench) -> None:
    run(bench, written(bench, "A bee wakes."))
    video = written(bench, "A bee wakes.", burn_captions=True, caption_style="pop")
    bench.answers.refusals = [(400, "ValidationException", "SpeechMarkTypes must be sentence")]
    assert isinstance(run(bench, video), dict)
    assert narration(bench, video).sentences[0].words == ()
    assert bench.now(video).narrations[0].cost == 0


def test_a_rejection_by_the_voice_is_reported_in_its_words(bench: Bench) -> None:
    bench.answers.refusals = [(400, "ValidationException", "there is no voice 'Bob'; there are: Joe")]
    video = written(bench, "A bee wakes.", voice={"name": "Bob"})
    error, cause = run(bench, video)
    assert error == "NarrationRefused"
    assert "there are: Joe" in cause["errorMessage"]
    assert "the voice" in cause["advice"]
    assert bench.deployment.keys("output", SPEECH) == set()


def test_characters_that_captions_cannot_draw_are_named_before_speaking(bench: Bench) -> None:
    video = written(bench, "A bee wakes.", "凧が飛ぶ \U00013000。", burn_captions=True)
    assert isinstance(run(bench, video), dict)
    error, cause = run(bench, video, scene=1)
    assert error == "CaptionsRefused"
    assert "scene 1" in cause["errorMessage"]
    assert "lacks \U00013000 (U+13000)" in cause["errorMessage"]
    assert "captions" in cause["advice"]
    assert texts(bench) == ["A bee wakes."]
    track = run(bench, written(bench, "\U00013000。", captions=True))
    assert isinstance(track, dict), "players have more letters"


def test_letters_that_the_users_font_lacks_are_named_before_speaking(bench: Bench) -> None:
    file = {"key": keys.upload(TENANT, "f" * 64, "otf"), "sha256": "f" * 64}
    bench.inputs.put(file["key"], FONT.read_bytes(), "font/otf")
    video = written(bench, "凧が飛ぶ。", captions=True, caption_look={"font_file": file})
    error, cause = run(bench, video)
    assert (error, "the font Inter lacks 凧 (U+51E7)" in cause["errorMessage"]) == ("CaptionsRefused", True)
    assert isinstance(run(bench, written(bench, "It flies.", caption_look={"font_file": file})), dict)


@pytest.mark.parametrize("sound", [b"<html>", b"ID3 is no sound"])
def test_a_broken_sound_is_named_and_not_stored(bench: Bench, sound: bytes) -> None:
    good, bench.answers.sound = bench.answers.sound, sound
    video = written(bench, "A bee wakes.", "It flies!")
    error, cause = run(bench, video, scene=1)
    assert error == "SoundUnreadable"
    assert "the narration of scene 1" in cause["errorMessage"]
    assert bench.deployment.keys("output", SPEECH) == set()
    bench.answers.sound = good
    assert run(bench, video, scene=1) == {"scene": 1, "reused": False}


def test_nothing_is_spoken_for_an_ended_video(bench: Bench) -> None:
    cancelled = written(bench, "A bee wakes.")
    bench.videos.advance(TENANT, cancelled.id, Stage.CANCELLED)
    assert run(bench, cancelled)[0] == "VideoClosed"
    deleted = written(bench, "A bee wakes.")
    bench.videos.delete(TENANT, deleted.id)
    assert run(bench, deleted)[0] == "VideoNotFound"
    assert bench.answers.spoken == []


def test_a_missing_storyboard_is_named(bench: Bench) -> None:
    video = written(bench, "A bee wakes.")
    sha256 = bench.now(video).storyboard
    assert sha256
    bench.outputs.delete(keys.storyboard(TENANT, video.id, sha256))
    error, cause = run(bench, video)
    assert error == "ArtifactMissing"
    assert f"{sha256}.json" in cause["errorMessage"]

"""From a voice's marks to a film: each word's caption is shown when the word is heard."""

from fractions import Fraction
from io import BytesIO

import numpy as np
import pytest

from lambdas.domain.engines import CATALOGUE
from lambdas.domain.film_plan import FilmPlan, film_hash
from lambdas.domain.keys import speech
from lambdas.domain.narration import Sentence, SpokenWord, spoken
from lambdas.domain.planning import make_plan
from lambdas.domain.video_request import CaptionLook, CaptionStyle
from lambdas.media.captions import turns
from lambdas.media.sound import Placed, mix
from lambdas.production.film_layout import cues
from tests.factories import a_request, a_shot, a_video
from tests.media.sounds import decoded, encoded, tone

RATE = 24_000  # Polly's
WORDS = {"One": 0.12, "two": 0.61, "three": 1.43}
SECONDS = 2.0


def beeps() -> BytesIO:
    """Return speech that beeps for 80 ms at the start of each word."""
    wave = np.zeros((1, round(SECONDS * RATE)))
    for start in WORDS.values():
        first = round(start * RATE)
        wave[:, first : first + round(0.08 * RATE)] = tone(0.08, 1000, rate=RATE)
    return encoded(wave, "mp3", rate=RATE)


def film(sentences: list[Sentence], style: CaptionStyle = CaptionStyle.KARAOKE) -> FilmPlan:
    request = a_request(width=96, height=64, fps=8, captions=True, caption_style=style)
    shots = [a_shot("Silence.", frames=12), a_shot("Speech.", frames=48, narration=sentences)]
    return make_plan(a_video(request=request), CATALOGUE["animatic"], "Bees", shots)


def said(*, timed: bool = True) -> list[Sentence]:
    ends = [*list(WORDS.values())[1:], SECONDS]
    words = tuple(
        SpokenWord(text=word, start=start, end=end)
        for (word, start), end in zip(WORDS.items(), ends, strict=True)
    )
    one = ("One, two: three.", "a", Fraction(2), words if timed else ())
    return spoken("Joanna", [one, one]).sentences


def test_each_word_is_captioned_within_50_ms_of_its_sound() -> None:
    plan = film(said())
    output = BytesIO()
    mix(
        Fraction(plan.frames, plan.fps),
        [Placed(beeps(), start) for start, _ in plan.narration],
        None,
        output,
    )
    wave = np.abs(decoded(output)[0])
    loud = np.flatnonzero(wave > wave.max() / 4) / 48_000
    heard = [loud[0], *loud[1:][np.diff(loud) > 0.1]]
    shown = [at / 1000 for turn in turns(cues(plan)) for _, at in turn.words]
    assert len(shown) == 2 * len(WORDS)
    assert shown == pytest.approx(heard, abs=0.05)


def test_a_film_whose_voice_has_no_word_times_has_plain_captions_throughout() -> None:
    timed, untimed = said()[0], said(timed=False)[1]
    assert film([timed, timed]).caption_style is CaptionStyle.KARAOKE
    assert film([timed, untimed]).caption_style is CaptionStyle.PLAIN


def test_another_look_makes_another_film_of_the_same_clips_and_speech() -> None:
    usual = film(said())
    other = usual.model_copy(update={"caption_look": CaptionLook(colour="#FFDD00")})
    assert film_hash(other) != film_hash(usual)
    assert other.artifacts == usual.artifacts
    request = a_request(width=96, height=64, fps=8, captions=True, caption_look=other.caption_look)
    plan = make_plan(a_video(request=request), CATALOGUE["animatic"], "Bees", [a_shot("Speech.")])
    assert plan.caption_look == other.caption_look
    plain = make_plan(
        a_video(request=request.model_copy(update={"caption_look": CaptionLook()})),
        CATALOGUE["animatic"],
        "Bees",
        [a_shot("Speech.")],
    )
    assert [clip.key_hash for clip in plan.clips] == [clip.key_hash for clip in plain.clips]


def test_the_style_and_the_times_are_part_of_the_film_s_address() -> None:
    karaoke, pop = film(said()), film(said(), CaptionStyle.POP)
    plain = film(said(timed=False), CaptionStyle.PLAIN)
    assert len({film_hash(one) for one in (karaoke, pop, plain)}) == 3
    assert plain.artifacts == karaoke.artifacts, "of the same speech"
    assert speech("acme", "a") in plain.artifacts

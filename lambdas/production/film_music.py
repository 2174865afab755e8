"""A film's music: saved to be played, and its beats."""

from dataclasses import replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

from lambdas.adapters.objects import Objects
from lambdas.domain.moods import TEMPOS
from lambdas.domain.video_request import Music
from lambdas.media.background import Bed, background
from lambdas.media.beats import beats
from lambdas.media.mood_music import Tune
from lambdas.media.sound_reader import samples_in


def bed(music: Music, inputs: Objects, path: Path) -> Bed:
    """Return the music as it is played. The user's is saved to a file, since a mix reads it from start to end
    several times, and again for each loop. Raises ArtifactMissing."""
    if music.key is not None:
        source = inputs.source(music.key)
        with path.open("wb") as file:
            file.writelines(source.stream(0, source.size))
    return Bed(
        path if music.mood is None else Tune(music.mood, music.seed),
        level=music.level,
        start=Fraction(str(music.start)),
        fade_in=Fraction(str(music.fade_in)),
        fade_out=Fraction(str(music.fade_out)),
    )


def beats_of(music: Music, inputs: Objects, seconds: Fraction) -> list[float]:
    """Return the seconds of a film at which its music's beats are; none if it has no regular ones. Raises
    ArtifactMissing, SoundUnreadable."""
    if music.mood is not None:
        beat, start = Fraction(60, TEMPOS[music.mood]), Fraction(str(music.start))
        return [
            float(number * beat - start)
            for number in range(ceil(start / beat), ceil((start + seconds) / beat))
        ]
    with TemporaryDirectory() as scratch:
        played = replace(
            bed(music, inputs, Path(scratch, "music")), fade_in=Fraction(0), fade_out=Fraction(0)
        )
        return beats(background(played, samples_in(seconds)))

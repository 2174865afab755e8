"""A film's music: saved to be played, and its beats."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from lambdas.adapters.objects import Objects
from lambdas.domain.video_request import Music
from lambdas.media.background import Bed, background
from lambdas.media.beats import beats
from lambdas.media.sound_reader import samples_in


def bed(music: Music, inputs: Objects, path: Path) -> Bed:
    """Save the music to a file, since a mix reads it from start to end several times, and again for each
    loop. Raises ArtifactMissing."""
    source = inputs.source(music.key)
    with path.open("wb") as file:
        file.writelines(source.stream(0, source.size))
    return Bed(
        path,
        level=music.level,
        start=Fraction(str(music.start)),
        fade_in=Fraction(str(music.fade_in)),
        fade_out=Fraction(str(music.fade_out)),
    )


def beats_of(music: Music, inputs: Objects, seconds: Fraction) -> list[float]:
    """Return the seconds of a film at which its music's beats are; none if it has no regular ones. Raises
    ArtifactMissing, SoundUnreadable."""
    with TemporaryDirectory() as scratch:
        played = replace(
            bed(music, inputs, Path(scratch, "music")), fade_in=Fraction(0), fade_out=Fraction(0)
        )
        return beats(background(played, samples_in(seconds)))

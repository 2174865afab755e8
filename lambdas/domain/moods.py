"""The moods of music that Reelworks makes itself."""

from collections.abc import Mapping
from enum import StrEnum

REVISION = 1
"""Increment when the same mood and seed sound otherwise."""


class Mood(StrEnum):
    CALM = "calm"
    DREAMY = "dreamy"
    UPLIFTING = "uplifting"
    PLAYFUL = "playful"
    TENSE = "tense"
    SAD = "sad"
    EPIC = "epic"
    DRIVING = "driving"


TEMPOS: Mapping[Mood, int] = {
    Mood.CALM: 72,
    Mood.DREAMY: 64,
    Mood.UPLIFTING: 120,
    Mood.PLAYFUL: 128,
    Mood.TENSE: 96,
    Mood.SAD: 60,
    Mood.EPIC: 100,
    Mood.DRIVING: 125,
}
"""Beats a minute. Each beat lasts a whole number of samples at 48 kHz. The first is at the music's start."""

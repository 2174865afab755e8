"""The ticks in which a film's times are counted."""

from fractions import Fraction


def timescale(fps: Fraction) -> int:
    """Ticks a second, a whole number of them a frame; at least 10,000, as FFmpeg itself picks."""
    return fps.numerator * -(-10_000 // fps.numerator)

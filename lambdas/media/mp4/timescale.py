"""Choose the ticks that a film's times are counted in."""

from fractions import Fraction


def timescale(fps: Fraction) -> int:
    """Return ticks per second: a whole number per frame and at least 10,000, as FFmpeg chooses."""
    return fps.numerator * -(-10_000 // fps.numerator)

"""Rendering speeds: a trade-off between likeness to the exact clip and the work it takes.

Chosen by measurement (benchmarks/serving.py): of everything that diffusers can skip, predicting the
transformer's output (TaylorSeer, lite) preserves the most for the work it saves. It also needs hardly any
memory: methods that cache the layers inside take 9 to 37 GB for a clip of CogVideoX-5b, at least one tensor
of 2 × 17776 × 3072 for each of its 42 blocks.
"""

from enum import StrEnum

# The first steps decide the composition, the last ones the details: these are always computed.
FIRST_STEPS = 3
LAST_STEPS = 2


class Speed(StrEnum):
    """`exact` is what diffusers renders, bit for bit; the others do less work, the last one the least."""

    EXACT = "exact"
    BALANCED = "balanced"
    FAST = "fast"
    TURBO = "turbo"
    """Only for a model with adapters that were trained for few steps."""


# The speeds that skip steps, and compute one in this many of the middle ones.
ONE_STEP_OF = {Speed.BALANCED: 2, Speed.FAST: 3}
SKIPPING = tuple(ONE_STEP_OF)

DOES = {
    Speed.EXACT: "computes every step",
    Speed.BALANCED: "computes every second step and predicts the others (TaylorSeer, lite)",
    Speed.FAST: "computes every third step and predicts the others (TaylorSeer, lite)",
    Speed.TURBO: "computes a few steps, with an adapter trained for them",
}


def computed_steps(speed: Speed, steps: int) -> int:
    """Return how many of its `steps` a transformer computes."""
    if speed not in SKIPPING:
        return steps
    first = min(FIRST_STEPS, steps)
    last = min(LAST_STEPS, steps - first)
    middle = range(first, steps - last)
    # diffusers predicts the step after the first ones, and counts from the next.
    return first + last + sum((step - first - 1) % ONE_STEP_OF[speed] == 0 for step in middle)

"""How fast a clip is rendered: a choice between its likeness to the exact one and the work it takes.

Chosen by measurement (benchmarks/serving.py): of all that diffusers can leave out, predicting the
transformer's output (TaylorSeer, lite) keeps most for the work it saves. It also needs no memory to speak of:
what caches the layers inside takes 9 to 37 GB for a clip of CogVideoX-5b, one tensor or more of
2 × 17776 × 3072 for each of its 42 blocks.
"""

from enum import StrEnum

# The first steps decide what is seen where, the last ones the details: these are always computed.
FIRST_STEPS = 3
LAST_STEPS = 2


class Speed(StrEnum):
    """`exact` is what diffusers renders, bit for bit; the others leave work out, the last one most."""

    EXACT = "exact"
    BALANCED = "balanced"
    FAST = "fast"


# Of how many steps in the middle one is computed.
ONE_STEP_OF = {Speed.EXACT: 1, Speed.BALANCED: 2, Speed.FAST: 3}

DOES = {
    Speed.EXACT: "computes every step",
    Speed.BALANCED: "computes every second step and predicts the others (TaylorSeer, lite)",
    Speed.FAST: "computes every third step and predicts the others (TaylorSeer, lite)",
}


def computed_steps(speed: Speed, steps: int) -> int:
    """How many of a clip's `steps` the transformer computes."""
    first = min(FIRST_STEPS, steps)
    last = min(LAST_STEPS, steps - first)
    middle = range(first, steps - last)
    # diffusers predicts the step after the first ones, and counts from the next.
    return first + last + sum((step - first - 1) % ONE_STEP_OF[speed] == 0 for step in middle)

"""What the tests' clip requests are checked against: a text-to-video checkpoint of 96×64 at 8 fps."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from containers.diffusion.limits import Limits, ListedSizes
from containers.diffusion.request import ClipRequest, check_request
from containers.diffusion.speed import Speed

LIMITS = Limits(
    sizes=ListedSizes(((96, 64),)), frame_step=8, longest=49, fps=(8,), prompt_tokens=226, image="none",
    video="optional",
)  # fmt: skip


def check(
    request: ClipRequest,
    *,
    loras: Collection[str] = (),
    speeds: Collection[Speed] = (Speed.EXACT, Speed.BALANCED, Speed.FAST),
    **limits: Any,
) -> None:
    """Check a request of 50 steps; `limits` are fields of LIMITS to change."""
    speed = request.speed or Speed.EXACT
    check_request(request, replace(LIMITS, **limits), steps=50, speed=speed, speeds=speeds, loras=loras)

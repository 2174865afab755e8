"""Valid documents for tests, each field to be overridden by name."""

from collections.abc import Sequence
from typing import Any

from lambdas.domain.engines import CATALOGUE
from lambdas.domain.film_plan import FilmPlan
from lambdas.domain.planning import Shot, make_plan
from lambdas.domain.video import Video
from lambdas.domain.video_request import VideoRequest


def a_request(**fields: Any) -> VideoRequest:
    return VideoRequest.model_validate(
        {
            "prompt": "A bee on a flower",
            "engine": "animatic",
            "seconds": 18,
            "width": 1280,
            "height": 720,
            "fps": 24,
            **fields,
        }
    )


def a_video(**fields: Any) -> Video:
    return Video.model_validate(
        {
            "id": "video_" + "0" * 32,
            "tenant": "acme",
            "request": a_request(),
            "created_ms": 1_700_000_000_000,
            "updated_ms": 1_700_000_000_000,
            "expires_ms": 1_700_000_000_000 + 90 * 86_400_000,
            **fields,
        }
    )


def a_shot(text: str = "A bee on a flower", **fields: Any) -> Shot:
    """Return a shot of three seconds at 8 fps, unless `frames` says otherwise."""
    given = {
        "negative_prompt": "",
        "frames": 24,
        "prompts": lambda count: [f"{text} {place}" for place in range(count)],
    }
    return Shot(text, **{**given, **fields})


def a_plan(video: Video, prompts: Sequence[str]) -> FilmPlan:
    """Return a plan with one scene, whose clips have these prompts in order."""
    request = video.request
    shot = Shot(
        text=request.prompt,
        negative_prompt=request.negative_prompt,
        frames=request.frames,
        prompts=lambda count: [*prompts][:count],
    )
    return make_plan(video, CATALOGUE[request.engine], request.prompt, [shot])

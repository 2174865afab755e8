"""The calls of a real film, counted by the PC's cloud, beside the model of benchmarks.scale."""

import math
from collections import Counter
from typing import Any

import httpx

from benchmarks.scale.calls import calls_of, invocations_of
from benchmarks.scale.film import Film
from tests.cloud.servers import wait_until
from tests.films.conftest import Cloud
from tests.films.requests import wait_for

UPKEEP = "Upkeep"


def counted(cloud: Cloud) -> tuple[Counter[str], Counter[str]]:
    """Return the calls and the invocations of all functions but Upkeep."""
    report: dict[str, Any] = httpx.get(f"{cloud.status['aws_endpoint_url']}/_reelworks", timeout=30).json()
    calls: Counter[str] = Counter()
    for function, made in report["calls"].items():
        if not function.endswith(UPKEEP):
            calls.update(made)
    invoked = {name.rpartition("-")[2]: times for name, times in report["functions"]["invoked"].items()}
    return calls, Counter(invoked)


def test_a_film_makes_the_calls_that_are_reckoned_with(cloud: Cloud) -> None:
    """At least: other films of this cloud may still be worked on. benchmarks.scale --count is exact.

    The tenant is new, because a tenant's films share what they have in common, such as a silent sound track.
    """
    api_key = cloud.json("keys", "create", "counted")["api_key"]
    request = {"prompt": "A heron counts", "model": "animatic", "size": "96x64", "fps": 8, "seconds": 1}
    calls, invoked = counted(cloud)
    answer = httpx.post(
        f"{cloud.status['base_url']}/videos",
        headers={"Authorization": f"Bearer {api_key}"},
        json=request,
        timeout=60,
    )
    video = wait_for(cloud.client(api_key), answer.json()["id"], lambda video: video["status"] == "completed")
    assert len(video["clips"]) == 1
    units = Film(name="one clip", clips=1, rendered=False).units()
    model = Counter({call: math.floor(times) for call, times in calls_of(units).items()})
    functions = Counter({function: int(times) for function, times in invocations_of(units).items()})

    def missing() -> Counter[str]:
        calls_after, invoked_after = counted(cloud)
        return (model - (calls_after - calls)) + (functions - (invoked_after - invoked))

    # The event of the film's end, and its delivery, follow the end that the client sees.
    wait_until(lambda: not missing(), missing)

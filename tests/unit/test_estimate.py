"""What a film is estimated to take, before it is planned."""

from typing import Any

import pytest

from lambdas.domain.engines import CATALOGUE
from lambdas.domain.errors import MaxCostExceeded
from lambdas.domain.estimate import Estimate, check_cost, estimate, planned_clip_cost
from lambdas.domain.prices import AWS, FREE, Makers, Prices
from lambdas.domain.quotas import Demand, amount
from lambdas.domain.video_request import VideoRequest
from tests.factories import a_plan, a_request, a_video

HOUR = 2.80  # USD of the instance
PRICES = AWS.with_instances({"cogvideox-5b": HOUR})
CLIP = 209 * HOUR / 3600  # USD of a clip of 6 s
BEES = {"topic": "Bees", "scenes": 2, "seconds": 24}


def request(engine: str = "cogvideox-5b", **fields: Any) -> VideoRequest:
    return a_request(engine=engine, width=720, height=480, fps=8, **{"enhance": False, **fields})


def estimated(
    engine: str = "cogvideox-5b", prices: Prices = PRICES, done: int = 0, **fields: Any
) -> Estimate:
    makers = Makers(prices, "amazon.nova-lite-v1:0", "neural")
    return estimate(request(engine, **fields), CATALOGUE[engine], makers, done=done)


def test_the_clips_of_a_film_are_those_it_will_be_cut_into() -> None:
    assert estimated(seconds=18).clips == 3
    assert estimated(seconds=19).clips == 4
    assert estimated(seconds=18, done=2).clips == 1
    assert estimated(seconds=18, done=9).clips == 0
    brief = {"topic": "Bees", "scenes": 3, "seconds": 21}
    assert estimated(seconds=21, brief=brief).clips == 6
    extended = {"kind": "extend", "prompt": "On", "video": "video_" + "0" * 32, "seconds": 6}
    assert estimated(seconds=24, origin=extended).clips == 1
    of_file = {"kind": "edit", "prompt": "In ink", "file": "uploads/acme/0.mp4", "frames": 60}
    assert estimated(seconds=8, origin=of_file).clips == 2


def test_clips_cost_the_instance_s_price_for_their_length_speed_and_steps() -> None:
    def cost(**fields: Any) -> float | None:
        return estimated(**fields).costs.clips.usd

    assert cost(seconds=6) == pytest.approx(CLIP)
    assert cost(seconds=18) == pytest.approx(3 * CLIP)
    assert cost(seconds=3) == pytest.approx(CLIP / 2)
    assert cost(seconds=18, done=2) == pytest.approx(CLIP)
    assert cost(seconds=6, speed="fast") == pytest.approx(CLIP / 2.48)
    assert cost(seconds=6, steps=25) == pytest.approx(CLIP / 2)


def test_each_part_has_its_own_cost() -> None:
    costs = estimated(seconds=24, brief=BEES, stills={}, transition="crossfade").costs
    assert costs.stills.usd == pytest.approx(0.08)
    assert costs.narration.usd == pytest.approx(24 * 15 * 16e-6)
    assert 0.0002 < (costs.writing.usd or 0) < 0.002
    assert 0 < (costs.assembly.usd or 0) < 0.01
    assert costs.known == pytest.approx(sum(cost.usd or 0 for cost in costs))
    assert costs.unknown is None


def test_a_film_costs_nothing_for_what_it_does_not_have() -> None:
    costs = estimated(seconds=6).costs
    assert (costs.writing.usd, costs.narration.usd, costs.stills.usd) == (0, 0, 0)
    assert (estimated(seconds=6, enhance=True).costs.writing.usd or 0) > 0
    given = {"title": "Bees", "scenes": 2 * [{"image": {"positive_prompt": "A bee"}}]}
    for scene in given["scenes"]:
        scene["video"] = scene["image"]  # type: ignore[index]
    whole = {"topic": "Bees", "narrate": False, "given": given}
    assert estimated(seconds=16, brief=whole).costs.writing.usd == 0
    # A later attempt reuses texts, voices and stills.
    again = estimated(seconds=24, brief=BEES, stills={}, done=1).costs
    assert (again.writing.usd, again.narration.usd, again.stills.usd) == (0, 0, 0)


def test_an_unknown_price_makes_only_its_part_unknown() -> None:
    found = estimated(seconds=24, brief={**BEES}, prices=AWS)
    assert found.costs.clips.usd is None
    assert "instance of engine cogvideox-5b" in str(found.costs.clips.why)
    assert found.costs.unknown == f"clips: {found.costs.clips.why}"
    assert found.costs.known > 0
    assert (found.took, found.why) == (
        None,
        "it is not known how long engine cogvideox-5b takes for a clip here",
    )
    model = {"model": "mine"}
    assert "text model mine" in str(estimated(seconds=24, brief=BEES, writing=model).costs.writing.why)


def test_on_a_pc_everything_costs_nothing_and_an_engine_s_time_is_unknown() -> None:
    found = estimated(seconds=24, brief=BEES, stills={}, prices=FREE)
    assert [cost.usd for cost in found.costs] == [0] * 6
    assert found.costs.unknown is None
    assert found.took is None
    assert (estimated("animatic", seconds=24, prices=FREE).took or 0) > 0


def test_the_time_is_that_of_all_clips_and_what_comes_before_and_after() -> None:
    one, three = estimated(seconds=6).took, estimated(seconds=18).took
    assert one is not None
    assert three is not None
    assert 209 < one < 230
    assert three - one == pytest.approx(2 * 209, rel=0.01)
    assert (estimated(seconds=6, enhance=True).took or 0) > one
    # Drafts are drawn side by side.
    assert (estimated("animatic", seconds=36).took or 0) < 36


def test_the_quotas_are_asked_for_what_is_known() -> None:
    found = estimated(seconds=18)
    assert found.demand == Demand(3, amount(found.costs.known))
    assert estimated(seconds=6, prices=FREE).demand == Demand(1, amount(0))


def test_max_cost_refuses_what_would_cost_more() -> None:
    found = estimated(seconds=6)
    check_cost(request(seconds=6), found)
    check_cost(request(seconds=6, max_cost=found.costs.known), found)
    with pytest.raises(
        MaxCostExceeded, match=r"max_cost is 0\.1 USD.*estimated 0\.16.*clips 0\.1626"
    ) as refused:
        check_cost(request(seconds=6, max_cost=0.1), found)
    assert refused.value.param == "max_cost"
    # A remix reuses what it can: its cost is known once it is planned.
    remix = {"kind": "remix", "prompt": "At night", "video": "video_" + "0" * 32}
    check_cost(request(seconds=6, max_cost=0.1, origin=remix), found)


def test_max_cost_is_refused_if_it_can_t_be_kept() -> None:
    with pytest.raises(MaxCostExceeded, match=r"can't be kept.*clips: no price of the instance"):
        check_cost(request(seconds=6, max_cost=1000), estimated(seconds=6, prices=AWS))


def test_a_planned_clip_costs_as_much_as_it_was_estimated() -> None:
    video = a_video(request=request(seconds=15))
    plan = a_plan(video, ["a", "b", "c"])
    planned = [planned_clip_cost(plan, clip, PRICES) for clip in plan.clips]
    assert sum(cost or 0 for cost in planned) == pytest.approx(estimated(seconds=15).costs.clips.usd)
    assert planned_clip_cost(plan, plan.clips[0], AWS) is None

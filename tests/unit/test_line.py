"""Which clips go to an engine before a video's, and when it can be expected."""

import random
from typing import Any

import pytest

from lambdas.domain.line import Line, wait, waits
from lambdas.domain.prices import AWS, FREE
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipProgress, ClipState
from tests.factories import a_request, a_video

PRICES = AWS.with_instances({"cogvideox-5b": 2.80})


def a_line(**fields: Any) -> Line:
    return Line(**{"before": 0, "others": [], "in_flight": 0, "instances": 1, "clip_seconds": None, **fields})


def rendering(*states: ClipState, **request: Any) -> Video:
    asked = a_request(
        **{"engine": "cogvideox-5b", "seconds": 18, "width": 720, "height": 480, "fps": 8, **request}
    )
    clips = [ClipProgress(seconds=6, state=state) for state in states or 3 * [ClipState.WAITING]]
    return a_video(request=asked, stage=Stage.RENDERING, clips=clips)


@pytest.mark.parametrize("seed", range(20))
def test_as_many_clips_come_before_as_turns_are_given(seed: int) -> None:
    chance = random.Random(seed)
    waiting = {tenant: chance.randint(1, 6) for tenant in range(chance.randint(1, 6))}
    own = chance.choice(list(waiting))
    turns: list[int] = []
    left = dict(waiting)
    while left:
        for tenant in list(left):
            turns.append(tenant)
            left[tenant] -= 1
            if not left[tenant]:
                del left[tenant]
    places = [place for place, tenant in enumerate(turns) if tenant == own]
    others = [(clips, tenant < own) for tenant, clips in waiting.items() if tenant != own]
    for before, place in enumerate(places):
        assert a_line(before=before, others=others).clips_before() == place
        assert a_line(others=others).clips_before(before) == place


def test_a_video_waits_while_its_engine_renders_none_of_its_clips() -> None:
    assert waits(rendering())
    assert waits(rendering(ClipState.DONE, ClipState.WAITING))
    assert not waits(rendering(ClipState.RENDERING, ClipState.WAITING))
    assert not waits(rendering(ClipState.DONE, ClipState.DONE))
    assert not waits(rendering().model_copy(update={"stage": Stage.ASSEMBLING}))
    assert not waits(rendering(engine="animatic"))
    assert not waits(a_video())


def test_the_expected_time_is_that_of_all_clips_up_to_its_last() -> None:
    found = wait(rendering(), a_line(others=[(10, True)], in_flight=2), PRICES)
    assert found.position == 1
    assert found.seconds == (2 + 3 + 3) * 209  # in flight, the other's and its own
    assert found.poll_seconds == 30
    assert wait(rendering(), a_line(instances=4, in_flight=1), PRICES).seconds == 209
    assert wait(rendering(ClipState.DONE, ClipState.WAITING), a_line(), PRICES).seconds == 209


def test_what_the_engine_took_last_counts_more_than_the_catalogue() -> None:
    assert wait(rendering(), a_line(clip_seconds=10), PRICES).seconds == 30
    fast = rendering(speed="fast", steps=25)
    assert wait(fast, a_line(clip_seconds=10), FREE).seconds == -(-30 // (2.48 * 2))


def test_an_endpoint_without_an_instance_has_to_start_one() -> None:
    assert wait(rendering(), a_line(instances=0), PRICES).seconds == 480 + 3 * 209
    assert wait(rendering(), a_line(instances=0, clip_seconds=10), FREE).seconds == 30


def test_without_a_known_time_only_the_position_is_known() -> None:
    found = wait(rendering(), a_line(before=7), FREE)
    assert (found.position, found.seconds, found.poll_seconds) == (7, None, 7)
    assert wait(rendering(), a_line(before=70), FREE).poll_seconds == 30
    assert wait(rendering(), a_line(), FREE).poll_seconds == 1
    assert wait(rendering(), a_line(clip_seconds=0.5), FREE).poll_seconds == 1

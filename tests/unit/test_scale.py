"""The reckoning of benchmarks.scale: its arithmetic, its order, its last count and its page."""

import json
import math
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from benchmarks.scale import __main__ as command
from benchmarks.scale import count, page, tables
from benchmarks.scale.calls import CALLS, INVOCATIONS, SECONDS, calls_of, invocations_of
from benchmarks.scale.film import DRAFT, RENDERED, Film
from benchmarks.scale.limits import engine_item_kb
from benchmarks.scale.reckoning import (
    MEMORY_MB,
    PEAK,
    POLL_SECONDS,
    Load,
    clips_that_fit,
    idle_cost,
)
from benchmarks.scale.state_machine import VISITS, events_of, states, transitions_of, visits_of
from benchmarks.scale.tables import DAYS, Reckoned
from cdk.settings import DeploymentSettings
from lambdas.api.routes import videos
from lambdas.domain.planning import MOST_CLIPS
from lambdas.domain.prices import AWS

SETTINGS = DeploymentSettings.of_checkout({})
BOTH = pytest.mark.parametrize("film", [RENDERED, DRAFT], ids=lambda film: film.name)
ONE_CLIP = Film(name="one clip", clips=1, rendered=False, asked=False)


def load(film: Film, films_per_day: float, peak: float = PEAK) -> Load:
    return Load(film, films_per_day, SETTINGS, peak)


# --- arithmetic


def test_a_film_of_one_clip_makes_these_calls() -> None:
    calls = calls_of(ONE_CLIP.units(reads=3, authorizations=1))
    assert calls["dynamodb Query"] == 3 + 2 + 2 + 3 + 3  # the reads, three changes and a read of each
    assert calls["dynamodb PutItem"] == 2  # of the clip
    assert calls["dynamodb TransactWriteItems"] == 2  # the create, and the end
    assert calls["states StartExecution"] == calls["sqs SendMessage"] == 1
    assert calls["events PutEvents"] == 2  # of the clip and of the film
    assert "sagemaker InvokeEndpointAsync" not in calls
    assert "bedrock Converse" not in calls


@pytest.mark.parametrize(
    ("change", "call", "more"),
    [
        ({"asked": True}, "bedrock Converse", 1),
        ({"scenes": 1, "sentences": 5}, "polly SynthesizeSpeech", 5),
        ({"scenes": 1, "stills": 1}, "bedrock InvokeModel", 1),
        ({"clips": 12}, "s3 PutObject", 11 * 4),  # the clip, and three notes of it
        ({"rendered": True}, "sagemaker InvokeEndpointAsync", 1),
        ({"rendered": True}, "states SendTaskSuccess", 1),
    ],
)
def test_what_a_film_has_more_costs_more(change: dict[str, Any], call: str, more: float) -> None:
    before = calls_of(ONE_CLIP.units()).get(call, 0)
    assert calls_of(replace(ONE_CLIP, **change).units()).get(call, 0) == pytest.approx(before + more)


def test_instances_follow_from_clips_and_their_seconds() -> None:
    reckoned = load(RENDERED, 100)
    assert reckoned.clips_per_second == pytest.approx(3 * 100 * 12 / 86_400)
    assert reckoned.instances == math.ceil(3 * 100 * 12 * 209 / 86_400) == 9
    assert reckoned.average_instances == math.ceil(100 * 12 * 209 / 86_400) == 3
    assert load(RENDERED, 100, peak=1).instances == 3
    assert load(DRAFT, 100).instances == 0


def test_a_film_waits_for_its_clips_by_rounds() -> None:
    many, few = load(RENDERED, 10_000), load(RENDERED, 100)  # nine instances take two rounds
    assert few.film_seconds == pytest.approx(many.film_seconds + 209)
    assert many.open_films == pytest.approx(many.films_per_second * many.film_seconds)
    assert many.reads == pytest.approx(many.film_seconds / 2 + 1)


def test_the_cost_of_a_film_is_the_sum_of_what_was_used() -> None:
    cost = load(RENDERED, 100).cost()
    assert cost["GPU"] == pytest.approx(12 * 209 * 2.80 / 3600)
    assert cost["voice"] == pytest.approx(12 * (AWS.narration("neural", 70) or 0))
    assert cost["stills"] == pytest.approx(4 * 0.04)
    assert cost["drawing"] == 0
    assert cost["Step Functions"] == pytest.approx(25e-6 * transitions_of(load(RENDERED, 100).units))
    drawn = load(DRAFT, 100).cost()
    assert drawn["GPU"] == 0
    assert drawn["drawing"] == pytest.approx(12 * 9 * 3008 / 1024 * 0.0000133334)
    assert all(usd >= 0 for usd in (*cost.values(), *drawn.values(), *idle_cost(SETTINGS).values()))


def test_an_engines_item_grows_with_its_clips_in_flight() -> None:
    """As decision 36 says: 15 KB with 200 calls, some 20 clips a second, 75 write units for a clip."""
    assert engine_item_kb(0) == engine_item_kb(13) == 1
    assert engine_item_kb(200) == 15
    flying = load(replace(RENDERED, clip_seconds=1), 1)
    some = flying.of(100 / (PEAK * 12) * 86_400)  # a hundred clips a second of one second: 200 in flight
    assert some.flights == 200
    (limit,) = [one for one in some.limits if one.name == "writes of an engine's item"]
    assert limit.use(some) == pytest.approx(100 * 45 / 1000)


# --- the execution


def test_every_state_of_the_machine_is_reckoned_with() -> None:
    assert set(VISITS) == set(states())


def test_transitions_and_events_of_a_small_film() -> None:
    units = ONE_CLIP.units()
    visits = visits_of(units)
    assert sum(visits.values()) == 14
    assert transitions_of(units) == 15
    # Six tasks or five, four choices and the renderer's, three maps with an iteration in two of them.
    tasks, choices, maps, ends, iterations = 5, 5, 3, 1, 2
    assert events_of(units) == 2 + 5 * tasks + 2 * choices + 4 * maps + 2 * ends + 2 * iterations


@pytest.mark.parametrize(("rendered", "each"), [(True, 10), (False, 9)])
def test_events_of_a_clip(rendered: bool, each: int) -> None:
    one, two = (replace(ONE_CLIP, clips=clips, rendered=rendered) for clips in (1, 2))
    assert events_of(two.units()) - events_of(one.units()) == each


@BOTH
def test_the_longest_film_fits_into_an_execution(film: Film) -> None:
    assert clips_that_fit(film) > MOST_CLIPS


# --- monotony and order


@BOTH
def test_more_films_never_use_less(film: Film) -> None:
    loads = [load(film, 10**exponent) for exponent in range(2, 7)]
    for limit in loads[0].limits:
        if limit.name == "upkeep's round of open films":
            continue  # with more instances, a film takes fewer rounds
        uses = [limit.use(each) for each in loads]
        assert uses == sorted(uses), limit.name


@pytest.mark.parametrize("rendered", [True, False])
def test_more_clips_never_make_fewer_calls(rendered: bool) -> None:
    films = [Film(name="", clips=clips, rendered=rendered) for clips in (1, 2, 12, 64, 65, 200)]
    for before, after in pairwise(films):
        calls = calls_of(after.units())
        assert all(calls[name] >= times for name, times in calls_of(before.units()).items())


@BOTH
def test_a_limit_breaks_where_it_says(film: Film) -> None:
    reckoned = load(film, 1e6)
    checked = 0
    for limit in reckoned.limits:
        at = reckoned.breaks_at(limit)
        if 1 < at < math.inf:
            assert limit.use(reckoned.of(at * 0.999)) <= 1, limit.name
            assert limit.use(reckoned.of(at * 1.1)) > 1, limit.name
            checked += 1
    assert checked > 10


@BOTH
def test_what_breaks_first_comes_first(film: Film) -> None:
    reckoned = Reckoned(film, SETTINGS, DAYS, PEAK)
    at = [reckoned.largest.breaks_at(limit) for limit in reckoned.limits()]
    assert at == sorted(at)
    assert all(limit.use(reckoned.largest) > 0 for limit in reckoned.limits())


def test_gpus_break_first_then_our_own_settings() -> None:
    names = [limit.name for limit in Reckoned(RENDERED, SETTINGS, DAYS, PEAK).limits()]
    assert names[:2] == ["SageMaker: ml.g6e.2xlarge for endpoint usage", "max_instances of an engine"]
    assert not any("instance" in limit.name for limit in Reckoned(DRAFT, SETTINGS, DAYS, PEAK).limits())


@BOTH
@pytest.mark.parametrize("films_per_day", DAYS)
def test_each_cell_keeps_within_what_cant_be_raised(film: Film, films_per_day: float) -> None:
    reckoned = load(film, films_per_day)

    def broken(cells: int) -> list[str]:
        cell = reckoned.of(films_per_day / cells)
        return [one.name for one in cell.limits if one.ours and not one.adjustable and one.use(cell) > 1]

    assert not broken(reckoned.cells)
    assert reckoned.cells == 1 or broken(math.floor(reckoned.cells * 0.9))


# --- in step with the code


def test_clients_poll_as_the_api_says() -> None:
    assert POLL_SECONDS * 1000 == videos._POLL_AFTER_MS


def test_the_seconds_of_a_clip_are_those_of_the_engines_page() -> None:
    text = (page.PAGE.parent / "engines.md").read_text(encoding="utf-8")
    assert f"| ml.g6e.2xlarge | L40S, 48 GB | {RENDERED.clip_seconds} |" in text


def test_every_function_that_is_invoked_has_seconds_and_memory() -> None:
    assert set(INVOCATIONS) == set(SECONDS) == set(MEMORY_MB) - {"Upkeep"}
    calling = {name for names in CALLS for name in names.split(", ")}
    assert calling == set(INVOCATIONS)


# --- the last count


def test_the_model_agrees_with_the_last_count() -> None:
    counted = count.saved()
    off = [one for one in count.differences(counted) if not one.tolerated]
    assert not off
    assert {1, 12, 200} <= {one.film.clips for one in counted.films}
    assert {one.film.rendered for one in counted.films} == {False, True}
    assert counted.upkeep


def test_a_count_that_differs_is_noticed() -> None:
    (first, *_) = [one for one in count.saved().films if one.film.clips == 200]
    calls = {**first.calls, "s3 PutObject": round(1.2 * first.calls["s3 PutObject"]), "s3 Unknown": 4}
    off = [one.what for one in count.compare(replace(first, calls=calls)) if not one.tolerated]
    assert off == ["s3 PutObject", "s3 Unknown"]


def test_a_saved_count_is_read_again(tmp_path: Path) -> None:
    counted = count.saved()
    count.save(counted, tmp_path / "counted.json")
    assert count.saved(tmp_path / "counted.json") == counted


def test_the_films_to_count_are_what_the_model_thinks() -> None:
    for asked in count.FILMS:
        storyboard = asked.request.get("storyboard")
        if storyboard:
            assert len(storyboard["scenes"]) == asked.film.scenes
            assert invocations_of(asked.film.units())["Narrate"] == asked.film.scenes


# --- the page and the command


def test_the_page_has_the_commands_tables() -> None:
    blocks = tables.blocks(SETTINGS, PEAK, count.saved())
    assert page.read() == {name: text.strip() for name, text in blocks.items()}, (
        "run python -m benchmarks.scale --write"
    )


def test_tables_are_written_between_their_marks(tmp_path: Path) -> None:
    own = tmp_path / "page.md"
    own.write_text("# A\n\n<!-- table: x -->\nold\n<!-- end -->\n\nend\n", encoding="utf-8")
    for text in ("| a |", "| b |"):
        page.write({"x": text}, own)
        assert page.read(own) == {"x": text}
    assert own.read_text(encoding="utf-8") == "# A\n\n<!-- table: x -->\n\n| b |\n\n<!-- end -->\n\nend\n"
    with pytest.raises(KeyError):
        page.write({}, own)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["scale", *arguments])
    command.main()


def test_the_command_prints_what_breaks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "--films", "500")
    printed = capsys.readouterr().out
    assert "- 500 films a day: SageMaker: ml.g6e.2xlarge for endpoint usage (AWS); max_instances" in printed
    assert "- 500 films a day: nothing breaks." in printed  # drafts
    assert "**a film**" in printed
    run(monkeypatch, "--films", "500", "--json")
    document = json.loads(capsys.readouterr().out)
    (reckoned, _) = document["kinds"]
    assert reckoned["loads"][0]["films_a_day"] == 500
    assert reckoned["loads"][0]["instances"] == load(RENDERED, 500).instances


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--films", "0"), "must be over 0"),
        (("--films", "-5"), "must be over 0"),
        (("--films", "many"), "invalid"),
        (("--peak", "0.5"), "must be from 1 to 24"),
        (("--peak", "nan"), "must be from 1 to 24"),
        (("--save",), "--save requires --count"),
    ],
)
def test_a_wrong_option_says_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, *arguments)
    assert said in capsys.readouterr().err

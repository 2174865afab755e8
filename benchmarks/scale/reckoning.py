"""What so many films a day need: instances, calls, quotas, costs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from benchmarks.scale import prices
from benchmarks.scale.calls import (
    SECONDS,
    UPKEEP_FILM,
    UPKEEP_FLIGHT,
    UPKEEP_OUTPUT,
    UPKEEP_RUN,
    UPKEEP_SECONDS,
    amount,
    calls_of,
    invocations_of,
    seconds_of,
)
from benchmarks.scale.film import Film, Unit
from benchmarks.scale.limits import ENGINE_WRITES, Limit, engine_item_kb, limits, most_in_flight
from benchmarks.scale.state_machine import MOST_EVENTS, events_of, transitions_of
from cdk.instances import INSTANCES
from cdk.settings import DeploymentSettings
from lambdas.upkeep.heal import PAGE
from lambdas.upkeep.lost_calls import _MOST as FLIGHTS_OF_A_RUN

DAY = 86_400
MONTH = 30 * DAY
PEAK = 3.0  # the busiest hour of a day has three times the films of its average (assumed)
POLL_SECONDS = 2.0  # lambdas/api/routes/videos.py: what a video's answer tells clients to wait
AUTHORIZED_SECONDS = 300  # cdk/api.py: how long API Gateway remembers a key
_MOST_FILMS = 1e9  # a day; what allows more is no limit
INSTANCE = "ml.g6e.2xlarge"
# Of a question for a storyboard of four scenes and its answer (assumed).
QUESTION_TOKENS, ANSWER_TOKENS = 3_000, 1_500
CHARACTERS = 70  # of a sentence (assumed)
LOG_KB_PER_INVOCATION = 1.5  # with its metrics and Lambda's own lines (assumed)
LOG_KB_PER_EVENT = 0.5  # of an execution; level ALL without data (assumed)

# DynamoDB's write units (docs/decisions/0033 and 0036, measured; 0045), those of indexes included.
_WRITES: Mapping[Unit, float] = {
    Unit.FILM: 57,
    Unit.STORYBOARD: 12,
    Unit.CLIP: 2,
    Unit.NARRATION: 2,
    Unit.STILL: 2,
    Unit.RENDERED: 28,
}
MEMORY_MB: Mapping[str, int] = {  # cdk/functions.py; a test compares them
    "Authorizer": 512,
    "Api": 1024,
    "Dispatch": 512,
    "WriteStoryboard": 512,
    "Narrate": 1024,
    "DrawStill": 1024,
    "Plan": 1024,
    "DrawClip": 3008,
    "RenderClip": 1024,
    "SettleClip": 1024,
    "Assemble": 2048,
    "Publish": 2048,
    "Deliver": 512,
    "Upkeep": 512,
}


@dataclass(frozen=True)
class Load:
    """A kind of film, so many a day, at the peak: `peak` times the average."""

    film: Film
    films_per_day: float
    settings: DeploymentSettings
    peak: float = PEAK

    tokens_of_a_question = QUESTION_TOKENS + ANSWER_TOKENS

    # --- at the peak

    @property
    def films_per_second(self) -> float:
        return self.peak * self.films_per_day / DAY

    @property
    def clips_per_second(self) -> float:
        return self.films_per_second * self.film.clips

    @property
    def rendered_per_second(self) -> float:
        return self.clips_per_second if self.film.rendered else 0.0

    @property
    def instances(self) -> int:
        """Return the instances that render at the peak, all of them busy."""
        return math.ceil(self.rendered_per_second * self.film.clip_seconds)

    @property
    def average_instances(self) -> int:
        """Return the instances that render at the average, with which films wait at the peak."""
        return math.ceil(self.rendered_per_second * self.film.clip_seconds / self.peak)

    @property
    def flights(self) -> float:
        return most_in_flight(self.instances)

    @cached_property
    def film_seconds(self) -> float:
        """Return how long a film takes, if it waits for nothing but its own clips."""
        at_once = self.film.clips_at_once(self.settings.at_once.render_clips)
        if self.film.rendered:
            at_once = min(at_once, max(1, self.instances))
        rounds = math.ceil(self.film.clips / at_once)
        told = math.ceil(max(1, self.film.scenes) / self.settings.at_once.prepare_scenes)
        units = self.film.units()
        before = sum(amount(SECONDS[name], units) for name in ("WriteStoryboard", "Plan"))
        scenes = sum(amount(SECONDS[name], units) for name in ("Narrate", "DrawStill"))
        after = sum(amount(SECONDS[name], units) for name in ("Assemble", "Publish"))
        preparing = scenes / max(1, self.film.scenes) * told
        return before + preparing + rounds * self.film.clip_seconds + after

    @property
    def open_films(self) -> float:
        return self.films_per_second * self.film_seconds

    @property
    def reads(self) -> float:
        """Return how often the client of a film asks for it: it polls, then downloads."""
        return self.film_seconds / POLL_SECONDS + 1

    @cached_property
    def units(self) -> Mapping[Unit, float]:
        authorizations = math.ceil(self.film_seconds / AUTHORIZED_SECONDS)
        return self.film.units(self.reads, authorizations)

    @property
    def requests_per_second(self) -> float:
        return self.films_per_second * (1 + self.reads)

    def call(self, name: str) -> float:
        """Return the calls a second of that "service Operation", without those of Upkeep."""
        return self.films_per_second * self.calls.get(name, 0)

    @property
    def functions_at_once(self) -> float:
        return self.films_per_second * sum(seconds_of(self.units).values())

    # --- of a film

    @cached_property
    def calls(self) -> Mapping[str, float]:
        return calls_of(self.units)

    @property
    def transitions(self) -> float:
        return transitions_of(self.units)

    @property
    def events(self) -> float:
        return events_of(self.units)

    @property
    def write_units(self) -> float:
        grown = ENGINE_WRITES * (engine_item_kb(self.flights) - 1)
        return amount(_WRITES, self.units) + grown * self.units[Unit.RENDERED]

    @property
    def read_units(self) -> float:
        return self.calls.get("dynamodb GetItem", 0) + self.calls.get("dynamodb Query", 0)

    # --- answers

    @cached_property
    def limits(self) -> Sequence[Limit]:
        """Return all limits, the one that is exceeded most before the others."""
        return sorted(limits(self.settings), key=lambda limit: -limit.use(self))

    def of(self, films_per_day: float) -> "Load":
        """Return the same with another number of films."""
        return replace(self, films_per_day=films_per_day)

    def breaks_at(self, limit: Limit) -> float:
        """Return the films a day that a limit allows, to a tenth of a per cent; infinity if all do."""
        if limit.use(self.of(_MOST_FILMS)) <= 1:
            return math.inf
        low, high = 0.0, _MOST_FILMS
        while high - low > max(1e-3 * high, 0.5):
            middle = (low * high) ** 0.5 if low else high / 1024
            low, high = (low, middle) if limit.use(self.of(middle)) > 1 else (middle, high)
            if high < 1:
                return 0.0
        return low

    @cached_property
    def cells(self) -> int:
        """Return the number of deployments, each in an account of its own, that it takes when everything that
        can be raised has been raised."""
        fixed = [limit for limit in self.limits if not limit.adjustable and limit.ours]
        return max(1, *(math.ceil(self.films_per_day / max(1, self.breaks_at(limit))) for limit in fixed))

    @property
    def cell(self) -> "Load":
        """Return the load of one of the cells."""
        return self.of(self.films_per_day / self.cells)

    def cost(self) -> dict[str, float]:
        """Return what a film costs in USD, by part. Raises ValueError if a price is unknown."""
        listed = self.settings.price_list
        gb_second = listed.function_second(1024)
        rendered = INSTANCES[INSTANCE].usd_per_hour
        question = listed.text(self.settings.text_model, QUESTION_TOKENS, ANSWER_TOKENS)
        sentence = listed.narration(self.settings.voice_engine, CHARACTERS)
        still = listed.still("standard")
        if None in (gb_second, rendered, question, sentence, still):
            raise ValueError("a price is unknown: add it to prices in cdk.json (lambdas/domain/prices.py)")
        units = self.units
        gb_seconds = {name: each * MEMORY_MB[name] / 1024 for name, each in seconds_of(units).items()}
        drawn = gb_seconds.pop("DrawClip")
        invocations = sum(invocations_of(units).values())
        calls = sum(prices.PER_CALL.get(name, 0) * times for name, times in self.calls.items())
        logs = invocations * LOG_KB_PER_INVOCATION + self.events * LOG_KB_PER_EVENT
        gigabytes = 3 * self.film.mebibytes / 1024  # clips, film, delivered film
        return {
            "GPU": float(rendered or 0) * units[Unit.RENDERED] * self.film.clip_seconds / 3600,
            "text": float(question or 0) * self.calls.get("bedrock Converse", 0),
            "voice": float(sentence or 0) * units[Unit.SENTENCE],
            "stills": float(still or 0) * units[Unit.STILL],
            "drawing": float(gb_second or 0) * drawn,
            "other functions": float(gb_second or 0) * sum(gb_seconds.values())
            + prices.INVOCATION * invocations,
            "API": prices.API_REQUEST * (1 + units[Unit.READ]),
            "Step Functions": prices.TRANSITION * self.transitions,
            "DynamoDB": prices.WRITE_UNIT * self.write_units + prices.READ_UNIT * self.read_units,
            "S3, SQS, EventBridge": calls,
            "storage": prices.GB_MONTH_OF_OBJECTS * gigabytes * self.settings.retention_days / 30,
            "logs and traces": prices.GB_OF_LOGS * logs / 1024**2 + prices.TRACE,
        }

    def upkeep_calls(self) -> dict[str, float]:
        """Return Upkeep's calls of one minute at the peak."""
        films = min(PAGE, self.open_films)
        flights = min(FLIGHTS_OF_A_RUN, self.flights)
        outputs = 60 * self.rendered_per_second
        found = dict(UPKEEP_RUN)
        for each, times in ((UPKEEP_FILM, films), (UPKEEP_FLIGHT, flights), (UPKEEP_OUTPUT, outputs)):
            for name, calls in each.items():
                found[name] = found.get(name, 0) + calls * times
        return found


def idle_cost(settings: DeploymentSettings, metrics: int = 15, alarms: int = 30) -> dict[str, float]:
    """Return what a deployment costs in a month in which no film is made, in USD. The numbers of metrics and
    alarms are those of docs/deploy.md, without an engine on an endpoint."""
    runs = MONTH / 60
    gb_second = settings.price_list.function_second(MEMORY_MB["Upkeep"]) or 0.0
    reads = UPKEEP_RUN["dynamodb GetItem"] + UPKEEP_RUN["dynamodb Query"]
    writes = UPKEEP_RUN["dynamodb PutItem"] + UPKEEP_RUN["dynamodb UpdateItem"]
    calls = sum(prices.PER_CALL.get(name, 0) * times for name, times in UPKEEP_RUN.items())
    return {
        "Upkeep": runs * (UPKEEP_SECONDS * gb_second + prices.INVOCATION + calls),
        "DynamoDB": runs * (reads * prices.READ_UNIT + writes * prices.WRITE_UNIT),
        "metrics": metrics * prices.METRIC,
        "alarms": alarms * prices.ALARM,
        "key of the alarms' topic": prices.KEY,
        "logs": runs * LOG_KB_PER_INVOCATION / 1024**2 * prices.GB_OF_LOGS,
    }


def clips_that_fit(film: Film) -> int:
    """Return how many clips a film of this kind may have before its execution's history is full."""
    one, two = (events_of({**film.units(), **_of_clips(film, clips)}) for clips in (1, 2))
    return int((MOST_EVENTS - (one - (two - one))) // (two - one))


def _of_clips(film: Film, clips: int) -> dict[Unit, float]:
    return {
        Unit.CLIP: clips,
        Unit.RENDERED: clips if film.rendered else 0,
        Unit.DRAWN: 0 if film.rendered else clips,
    }

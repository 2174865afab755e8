"""Count the calls of real films on a local cloud, and compare them with the model.

Starts a cloud of its own, makes films of 1, 12 and 200 clips, drawn in functions and rendered by the nano
engine's server, and takes from the cloud which calls to AWS each function made (reelworks/cloud/server/
call_counts.py), and from the executions' histories which states were entered.
"""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from benchmarks.pc import Home, aws
from benchmarks.scale.calls import UPKEEP_RUN, calls_of, invocations_of
from benchmarks.scale.film import Film
from benchmarks.scale.state_machine import outer_states, visits_of
from reelworks.cloud.addresses import IDENTITY_PATH

SAVED = Path(__file__).with_name("counted.json")
# How far a call's count may be from the model: a tenth of the larger, or three calls, because the sizes of
# films differ; and a fifth for what is repeated after a collision with another function's transaction.
TOLERANCE = 0.1
COLLIDING = {"dynamodb Query": 0.2, "dynamodb TransactWriteItems": 0.2}
TOLERATED_CALLS = 3
_BY_TIME = {"sagemaker DescribeEndpoint"}  # at most twice a minute for each engine, however many clips
UPKEEP = "Upkeep"
_ONCE_A_RUN = "sqs ReceiveMessage"  # of each dead-letter queue, near the end of a run
_POLL_SECONDS = 1.0
_TENANT = "counted"

_DRAWN = {"model": "animatic", "size": "96x64", "fps": 8}
_RENDERED = {"model": "cogvideox-nano", "size": "96x64", "fps": 8, "steps": 2}


@dataclass(frozen=True)
class Asked:
    """A film to make, and the request for it."""

    film: Film
    request: Mapping[str, Any]


def _storyboard(scenes: int, seconds: float) -> dict[str, Any]:
    return {
        "title": "Kites",
        "scenes": [
            {
                # Other words for each film, which would otherwise find what another has made.
                "narration": {
                    "text": f"Kite {number} of {scenes} leans. It rises over {scenes} hills {number}."
                },
                "image": {"positive_prompt": f"A girl holds kite {number} of {scenes}."},
                "video": {"positive_prompt": f"Kite {number} rises from her hands."},
                "seconds": seconds,
            }
            for number in range(scenes)
        ],
    }


FILMS: Sequence[Asked] = (
    Asked(
        Film(name="drawn, 1 clip", clips=1, rendered=False),
        {**_DRAWN, "prompt": "A bee", "seconds": 6},
    ),
    Asked(
        Film(name="topic, 1 clip", clips=1, rendered=False, scenes=1, sentences=1),
        {**_DRAWN, "topic": "How kites fly", "scenes": 1},
    ),
    Asked(
        Film(
            name="drawn, 12 clips",
            clips=12,
            rendered=False,
            scenes=4,
            sentences=8,
            stills=4,
            asked=False,
            captions=True,
        ),
        {**_DRAWN, "storyboard": _storyboard(4, 18), "stills": "standard", "captions": True},
    ),
    Asked(
        Film(name="rendered, 1 clip", clips=1, rendered=True),
        {**_RENDERED, "prompt": "A red circle", "seconds": 1},
    ),
    Asked(
        Film(name="rendered, 12 clips", clips=12, rendered=True),
        {**_RENDERED, "prompt": "A blue circle", "seconds": 12},
    ),
    Asked(
        Film(
            name="drawn, 200 clips",
            clips=200,
            rendered=False,
            scenes=50,
            sentences=100,
            asked=False,
            captions=True,
        ),
        {**_DRAWN, "storyboard": _storyboard(50, 24), "captions": True},
    ),
    Asked(
        Film(name="rendered, 200 clips", clips=200, rendered=True),
        {**_RENDERED, "prompt": "A green circle", "seconds": 200},
    ),
)


@dataclass(frozen=True)
class Counted:
    """What the cloud counted for a film. `reads`: requests after the create; `authorizations`: calls of
    Authorizer."""

    film: Film
    reads: int
    authorizations: int
    calls: Mapping[str, int]  # by "service Operation", without those of Upkeep
    invocations: Mapping[str, int]  # by function, likewise
    visits: Mapping[str, int]  # by state that is not inside of a map


@dataclass(frozen=True)
class Count:
    date: str
    films: Sequence[Counted]
    upkeep: Mapping[str, int]  # calls of one run while nothing is made


class Cloud:
    """A local cloud, as far as counting needs it."""

    def __init__(self, status: dict[str, Any], api_key: str) -> None:
        """`status`: what `reel status` says."""
        self._report = status["aws_endpoint_url"] + IDENTITY_PATH
        self._api = httpx.Client(
            base_url=status["base_url"], headers={"Authorization": f"Bearer {api_key}"}, timeout=300
        )
        self._states = aws(status, "stepfunctions")

    def make(self, asked: Asked) -> Counted:
        """Make a film that no other is made beside, and count. Raises SystemExit if it fails."""
        before = self.counts()
        video, reads = self._post(asked.request), 0
        while video["status"] not in ("completed", "failed"):
            time.sleep(_POLL_SECONDS)
            video = self._api.get(f"/videos/{video['id']}").raise_for_status().json()
            reads += 1
        if video["status"] == "failed":
            raise SystemExit(f"{asked.film.name} failed: {video['error']}")
        after = self.counts()
        calls: Counter[str] = Counter()
        for function, made in after.calls.items():
            if function != UPKEEP:
                calls += made - before.calls.get(function, Counter())
        invocations = after.invocations - before.invocations
        del invocations[UPKEEP]
        film = replace(asked.film, mebibytes=round(self._size(video["id"]) / 1024**2, 3))
        if len(video["clips"]) != film.clips:
            raise SystemExit(f"{film.name}: the film has {len(video['clips'])} clips")
        return Counted(
            film,
            reads,
            invocations["Authorizer"],
            dict(sorted(calls.items())),
            dict(sorted(invocations.items())),
            self._visits(video["id"]),
        )

    def upkeep_run(self) -> dict[str, int]:
        """Return the calls of one of Upkeep's runs while nothing is made. Waits for two: the first creates
        what later ones find."""
        before = self._after_next_run()
        after = self._after_next_run()
        return dict(sorted((after - before).items()))

    def _after_next_run(self) -> Counter[str]:
        runs = self.counts().calls.get(UPKEEP, Counter())[_ONCE_A_RUN]
        while True:
            time.sleep(_POLL_SECONDS)
            counts = self.counts(idle=True)
            if counts.calls.get(UPKEEP, Counter())[_ONCE_A_RUN] > runs:
                return counts.calls[UPKEEP]

    def _post(self, request: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._api.post("/videos", json=request)
        if answer.is_error:
            raise SystemExit(f"The film was refused: {answer.text}")
        return dict(answer.json())

    def counts(self, *, idle: bool = False) -> "Counts":
        """Return the counts once no function works; Upkeep may, unless `idle`."""
        while True:
            report = httpx.get(self._report, timeout=30).json()
            busy = {*report["functions"]["running"], *report["functions"]["waiting"]}
            if not {name for name in busy if idle or _function(name) != UPKEEP}:
                return Counts(
                    {_function(name): Counter(calls) for name, calls in report["calls"].items()},
                    Counter({_function(n): times for n, times in report["functions"]["invoked"].items()}),
                )
            time.sleep(0.2)

    def _size(self, video_id: str) -> int:
        """Return the bytes of a film."""
        answer = self._api.head(f"/videos/{video_id}/content", follow_redirects=True)
        return int(answer.raise_for_status().headers["content-length"])

    def _visits(self, video_id: str) -> dict[str, int]:
        (machine,) = self._states.list_state_machines()["stateMachines"]
        arn = machine["stateMachineArn"]
        for page in self._states.get_paginator("list_executions").paginate(stateMachineArn=arn):
            for execution in page["executions"]:
                if video_id in execution["name"]:
                    return dict(Counter(self._entered(execution["executionArn"])))
        raise SystemExit(f"There is no execution of {video_id}.")

    def _entered(self, execution: str) -> Iterator[str]:
        for page in self._states.get_paginator("get_execution_history").paginate(executionArn=execution):
            for event in page["events"]:
                if event["type"].endswith("StateEntered"):
                    yield event["stateEnteredEventDetails"]["name"]


@dataclass(frozen=True)
class Counts:
    calls: Mapping[str, Counter[str]]  # by function
    invocations: Counter[str]


def _function(physical_name: str) -> str:
    return physical_name.rpartition("-")[2]


def count(films: Sequence[Asked] = FILMS) -> Iterator[Count]:
    """Make the films on a cloud of its own, one after another. Yields what is counted after each."""
    with tempfile.TemporaryDirectory(prefix="reelworks-scale-", ignore_cleanup_errors=True) as folder:
        home = Home(Path(folder))
        status = home.reel("up")
        try:
            key = home.reel("keys", "create", _TENANT)["api_key"]
            cloud = Cloud(status, key)
            upkeep, made = cloud.upkeep_run(), list[Counted]()
            for asked in films:
                made.append(cloud.make(asked))
                yield Count(datetime.now(UTC).date().isoformat(), list(made), upkeep)
        finally:
            home.reel("down")


# --- compare


@dataclass(frozen=True)
class Difference:
    film: str
    what: str
    counted: float
    model: float
    exact: bool = False  # it doesn't differ from run to run

    @property
    def tolerated(self) -> bool:
        if self.exact:
            return self.counted == self.model
        share = COLLIDING.get(self.what, TOLERANCE)
        return abs(self.counted - self.model) <= max(TOLERATED_CALLS, share * max(self.counted, self.model))


def compare(counted: Counted) -> Iterator[Difference]:
    """Yield every call, invocation and visit of a film: its count beside the model's."""
    units = counted.film.units(counted.reads, counted.authorizations)
    visits = {name: times for name, times in visits_of(units).items() if name in outer_states()}
    for found, model, exact in (
        (counted.calls, calls_of(units), False),
        (counted.invocations, invocations_of(units), True),
        (counted.visits, visits, True),
    ):
        for what in sorted({*found, *model} - _BY_TIME):
            yield Difference(counted.film.name, what, found.get(what, 0), model.get(what, 0), exact)


def compare_upkeep(counted: Count) -> Iterator[Difference]:
    for what in sorted({*UPKEEP_RUN, *counted.upkeep}):
        yield Difference("Upkeep, a run", what, counted.upkeep.get(what, 0), UPKEEP_RUN.get(what, 0))


def differences(counted: Count) -> list[Difference]:
    """Return everything that was counted beside the model."""
    return [*(one for film in counted.films for one in compare(film)), *compare_upkeep(counted)]


# --- save


def save(counted: Count, path: Path = SAVED) -> None:
    path.write_text(json.dumps(asdict(counted), indent=1) + "\n", encoding="utf-8")


def saved(path: Path = SAVED) -> Count:
    document = json.loads(path.read_text(encoding="utf-8"))
    films = [Counted(**{**one, "film": Film(**one["film"])}) for one in document["films"]]
    return Count(**{**document, "films": films})

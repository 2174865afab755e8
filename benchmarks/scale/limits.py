"""What may break: AWS's default quotas in us-east-1, each with the page that says so, and the limits of our
own design, each with the code that sets it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.scale.state_machine import MOST_EVENTS
from cdk.settings import DeploymentSettings
from lambdas.adapters.videos import SHARDS
from lambdas.domain.flight import CLIPS_PER_INSTANCE
from lambdas.upkeep.heal import PAGE

if TYPE_CHECKING:
    from benchmarks.scale.reckoning import Load

_DOCS = "https://docs.aws.amazon.com"
_STEP_FUNCTIONS = f"{_DOCS}/step-functions/latest/dg/service-quotas.html"
_DYNAMODB = f"{_DOCS}/amazondynamodb/latest/developerguide/ServiceQuotas.html"

API_REQUESTS_PER_SECOND = 50  # cdk/api.py; a test compares it with the template
PARTITION_WRITES = 1_000  # write units a second of one partition of a DynamoDB table
ITEM_KB = 400
FLIGHT_BYTES = 75  # of a clip in flight, in the item of its engine (docs/decisions/0036)
ENGINE_WRITES = 3  # of that item for each clip: a transaction, which counts twice, and a release
REPAIRED_WITHIN_MINUTES = 60
INDEX_WRITES = 17  # write units of a film to the index of open videos (docs/decisions/0033)
DROPPED = 0.1  # the share of films that is assumed to come through the drop folder
_OBJECTS_OF_A_PAGE = 1_000  # ListObjectsV2
_SECONDS_OF_A_PAGE = 0.15  # assumed
_UPKEEP_SECONDS = 240  # cdk/functions.py: its timeout, less the reserve of lambdas/upkeep/heal.py


@dataclass(frozen=True, kw_only=True)
class Limit:
    """`used` returns what is needed at the peak. `remedy`: what to do about one of ours, or what else to know
    of a quota."""

    name: str
    most: float
    unit: str
    used: Callable[["Load"], float]
    source: str
    ours: bool = False
    service: str = ""  # its code in Service Quotas
    code: str = ""  # of the quota; "" where this project does not know it
    adjustable: bool = True
    remedy: str = ""
    ask_for: float = 1.5  # times what is used

    def use(self, load: "Load") -> float:
        """Return the share of the limit that is used; infinity if nothing is allowed and something needed."""
        used = self.used(load)
        if self.most:
            return used / self.most
        return math.inf if used else 0.0


def engine_item_kb(flights: float) -> int:
    """Return the started KB of an engine's item; each write of it costs as many units."""
    return max(1, math.ceil(flights * FLIGHT_BYTES / 1024))


def _engine_writes(load: "Load") -> float:
    return load.rendered_per_second * ENGINE_WRITES * engine_item_kb(load.flights)


def _drop_pages(load: "Load") -> float:
    """Return the seconds that Upkeep lists the drop folder: each minute, all that is kept in it."""
    kept = load.films_per_day * DROPPED * load.settings.retention_days
    return math.ceil(kept / _OBJECTS_OF_A_PAGE) * _SECONDS_OF_A_PAGE


def limits(settings: DeploymentSettings) -> Sequence[Limit]:
    """Return the limits of a deployment with these settings."""
    per_engine = [one.max_instances for one in settings.endpoints.values()]
    return (*_QUOTAS, _voice(settings.voice_engine), *_ours(max(per_engine, default=0)))


_QUOTAS = (
    Limit(
        name="SageMaker: ml.g6e.2xlarge for endpoint usage",
        most=0,  # of new accounts
        unit="instances",
        used=lambda load: load.instances,
        source=f"{_DOCS}/general/latest/gr/sagemaker.html",
        service="sagemaker",
        code="L-F8D7F460",
        ask_for=2,  # an update runs the new instances beside the old ones
    ),
    Limit(
        name="Bedrock: requests a minute for Claude Haiku 4.5",
        most=10_000,
        unit="a minute",
        used=lambda load: 60 * load.call("bedrock Converse"),
        source=f"{_DOCS}/general/latest/gr/bedrock.html",
        service="bedrock",
        code="L-CCA5DF70",
        remedy="of the profile us.…; global.… has quotas of its own; new accounts have a small part of it",
    ),
    Limit(
        name="Bedrock: tokens a minute for Claude Haiku 4.5",
        most=5_000_000,
        unit="a minute",
        used=lambda load: 60 * load.call("bedrock Converse") * load.tokens_of_a_question,
        source=f"{_DOCS}/general/latest/gr/bedrock.html",
        service="bedrock",
        code="L-58BE175A",
        remedy="of the profile us.…; global.… has quotas of its own; new accounts have a small part of it",
    ),
    Limit(
        name="Lambda: concurrent executions",
        most=1_000,
        unit="at once",
        used=lambda load: load.functions_at_once,
        source=f"{_DOCS}/lambda/latest/dg/gettingstarted-limits.html",
        service="lambda",
        code="L-B99A9384",
        remedy="new accounts have 10",
    ),
    Limit(
        name="API Gateway: requests of the account",
        most=10_000,
        unit="a second",
        used=lambda load: load.requests_per_second,
        source=f"{_DOCS}/apigateway/latest/developerguide/limits.html",
        service="apigateway",
        code="L-8A5B8E43",
    ),
    Limit(
        name="Step Functions: StartExecution",
        most=300,
        unit="a second",
        used=lambda load: load.call("states StartExecution"),
        source=_STEP_FUNCTIONS,
        service="states",
    ),
    Limit(
        name="Step Functions: state transitions",
        most=5_000,
        unit="a second",
        used=lambda load: load.films_per_second * load.transitions,
        source=_STEP_FUNCTIONS,
        service="states",
        remedy="new accounts have less",
    ),
    Limit(
        name="Step Functions: SendTaskSuccess",
        most=500,
        unit="a second",
        used=lambda load: load.call("states SendTaskSuccess"),
        source=_STEP_FUNCTIONS,
        service="states",
    ),
    Limit(
        name="Step Functions: open executions",
        most=1_000_000,
        unit="at once",
        used=lambda load: load.open_films,
        source=_STEP_FUNCTIONS,
        service="states",
    ),
    Limit(
        name="Step Functions: events of an execution",
        most=MOST_EVENTS,
        unit="events",
        used=lambda load: load.events,
        source=_STEP_FUNCTIONS,
        adjustable=False,
        remedy="depends on the film, not on how many there are",
    ),
    Limit(
        name="DynamoDB: write units of a table",
        most=40_000,
        unit="a second",
        used=lambda load: load.films_per_second * load.write_units,
        source=_DYNAMODB,
        service="dynamodb",
        remedy="a new table takes 4,000 at once and then doubles within half an hour",
    ),
    Limit(
        name="DynamoDB: read units of a table",
        most=40_000,
        unit="a second",
        used=lambda load: load.films_per_second * load.read_units,
        source=_DYNAMODB,
        service="dynamodb",
        remedy="a new table takes 12,000 at once",
    ),
    Limit(
        name="S3: writes of a prefix",
        most=3_500,
        unit="a second",
        used=lambda load: load.call("s3 PutObject") + load.call("s3 CopyObject"),
        source=f"{_DOCS}/AmazonS3/latest/userguide/optimizing-performance.html",
        adjustable=False,
        remedy="as if all keys had one prefix; S3 splits prefixes as they get busy",
    ),
    Limit(
        name="S3: reads of a prefix",
        most=5_500,
        unit="a second",
        used=lambda load: load.call("s3 GetObject") + load.call("s3 HeadObject"),
        source=f"{_DOCS}/AmazonS3/latest/userguide/optimizing-performance.html",
        adjustable=False,
        remedy="as if all keys had one prefix; S3 splits prefixes as they get busy",
    ),
    Limit(
        name="EventBridge: PutEvents",
        most=10_000,
        unit="a second",
        used=lambda load: load.call("events PutEvents"),
        source=f"{_DOCS}/eventbridge/latest/userguide/eb-quota.html",
        service="events",
    ),
)


def _voice(engine: str) -> Limit:
    return Limit(
        name=f"Polly: SynthesizeSpeech, {engine}",
        most=80 if engine == "standard" else 8,
        unit="a second",
        used=lambda load: load.call("polly SynthesizeSpeech"),
        source=f"{_DOCS}/polly/latest/dg/limits.html",
        service="polly",
    )


def _ours(max_instances: int) -> Sequence[Limit]:
    return (
        Limit(
            name="max_instances of an engine",
            most=max_instances,
            unit="instances",
            used=lambda load: load.instances,
            source="cdk.json",
            ours=True,
            remedy="raise it, with the quota of the instance; cdk/settings.py allows at most 100",
        ),
        Limit(
            name="max_instances that the settings allow",
            most=100,
            unit="instances",
            used=lambda load: load.instances,
            source="cdk/settings.py",
            ours=True,
            adjustable=False,
            remedy="several cells",
        ),
        Limit(
            name="throttle of the API",
            most=API_REQUESTS_PER_SECOND,
            unit="a second",
            used=lambda load: load.requests_per_second,
            source="cdk/api.py",
            ours=True,
            remedy="raise it; let clients poll less often, or wait for the event video.completed",
        ),
        Limit(
            name="writes of an engine's item",
            most=PARTITION_WRITES,
            unit="a second",
            used=_engine_writes,
            source="docs/decisions/0036-clips-wait-in-a-fair-queue.md",
            ours=True,
            adjustable=False,
            remedy="several cells; before that, an item for each hundred clips in flight",
        ),
        Limit(
            name="size of an engine's item",
            most=ITEM_KB,
            unit="KB",
            used=lambda load: engine_item_kb(load.flights) if load.flights else 0,
            source="docs/decisions/0036-clips-wait-in-a-fair-queue.md",
            ours=True,
            adjustable=False,
            remedy="as above",
        ),
        Limit(
            name="upkeep's round of open films",
            most=REPAIRED_WITHIN_MINUTES,
            unit="minutes",
            used=lambda load: load.open_films / PAGE,
            source="lambdas/upkeep/heal.py",
            ours=True,
            adjustable=False,
            remedy="a lost event is repaired that much later; a run for each shard",
        ),
        Limit(
            name="writes of the index of open films",
            most=SHARDS * PARTITION_WRITES,
            unit="a second",
            used=lambda load: load.films_per_second * INDEX_WRITES,
            source="lambdas/adapters/videos.py",
            ours=True,
            adjustable=False,
            remedy="more shards: one constant",
        ),
        Limit(
            name="upkeep's list of the drop folder",
            most=_UPKEEP_SECONDS,
            unit="seconds",
            used=_drop_pages,
            source="lambdas/upkeep/lost_drops.py",
            ours=True,
            adjustable=False,
            remedy=f"reckoned with {DROPPED:.0%} of the films; keys by day, so that a day is listed",
        ),
    )


def most_in_flight(instances: float) -> float:
    return CLIPS_PER_INSTANCE * instances

"""What films cost, by day, engine or tenant."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from lambdas.adapters.tenant_counters import TenantCounters
from lambdas.domain.names import VARIANT
from lambdas.domain.prices import Prices
from lambdas.domain.usage import By, grouped, months_of
from reelworks.deployment import Deployment
from reelworks.operations.engines import Engines
from reelworks.operations.metrics import Metric, values

_MINUTE = 60  # how often an instance reports its CPU utilization
_HOUR = 3600  # CloudWatch keeps hours the longest
_WORK = ("encode_seconds", "denoise_seconds", "decode_seconds", "mux_seconds")  # of each clip


@dataclass
class Cost:
    """`usd` leaves out the films whose cost is unknown, because a price is; `unknown` counts them."""

    group: str
    films: int = 0  # completed
    failed: int = 0  # or cancelled
    clips: int = 0  # rendered for these films, not reused
    seconds: int = 0  # of completed films
    usd: float = 0.0
    unknown: int = 0

    def document(self) -> dict[str, Any]:
        return asdict(self)


def costs_since(deployment: Deployment, since: datetime, by: By) -> list[Cost]:
    """Return the costs of the films that ended on the day of `since`, in UTC, or later, in the order of their
    groups. They are the sums that GET /v1/usage shows each tenant (lambdas.adapters.tenant_counters)."""
    first = since.astimezone(UTC).date()
    counters = TenantCounters(deployment.client("dynamodb"), deployment.outputs["VideosTable"])
    counted = counters.usage(months_of(first, datetime.now(UTC).date()))
    groups = grouped((one for one in counted if one.day >= first.isoformat()), (by,))
    return [
        Cost(group, usage.films, usage.failed, usage.clips, usage.seconds, float(usage.usd), usage.unknown)
        for (group,), usage in groups.items()
    ]


@dataclass(frozen=True)
class Idle:
    """What the instances of an engine's endpoint did in a time span. `usd`: of the idle seconds, which are in
    no film's cost; None if their price is unknown."""

    engine: str
    instance_seconds: int
    worked_seconds: int
    idle_seconds: int
    usd: float | None

    def document(self) -> dict[str, Any]:
        return asdict(self)


def idle_since(deployment: Deployment, since: datetime) -> list[Idle]:
    """Return how long each endpoint's instances ran and worked.

    Instances × time is counted in CloudWatch: each instance reports once a minute. What an engine worked is
    in the metrics of the clips that it logs: also those of failed films, and those of `reel engines try`.
    """
    engines = Engines(deployment)
    prices = Prices.model_validate_json(deployment.settings_of("Assemble")["REELWORKS_PRICES"])
    cloudwatch = deployment.client("cloudwatch")
    prefix = deployment.outputs["EndpointPrefix"]
    return [
        _idle(cloudwatch, prefix, state.name, state.endpoint, prices.instance_second(state.name), since)
        for state in engines.states()
    ]


def _idle(
    cloudwatch: Any, prefix: str, engine: str, endpoint: str, usd_per_second: float | None, since: datetime
) -> Idle:
    metrics = {
        "running": Metric(
            "/aws/sagemaker/Endpoints",
            "CPUUtilization",
            (("EndpointName", endpoint), ("VariantName", VARIANT)),
            "SampleCount",
        )
    }
    # As cdk/endpoint_metrics.py has them.
    of_engine = (("deployment", prefix), ("model", engine))
    metrics |= {name: Metric("Reelworks/Engines", name, of_engine, "Sum") for name in _WORK}
    found = values(cloudwatch, metrics, since, datetime.now(UTC), period=_HOUR)
    ran = int(sum(found.pop("running")) * _MINUTE)
    worked = round(sum(sum(one) for one in found.values()))
    idle = max(0, ran - worked)
    return Idle(engine, ran, worked, idle, None if usd_per_second is None else idle * usd_per_second)

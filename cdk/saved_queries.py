"""Saved queries of CloudWatch Logs Insights, listed in its console under the deployment's prefix."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk.functions import function_name, functions_of
from cdk.settings import DeploymentSettings
from lambdas.domain.names import endpoint_name


class Query(NamedTuple):
    groups: Sequence[str]  # names of log groups; at most 50
    lines: Sequence[str]


def pipeline_queries(settings: DeploymentSettings) -> dict[str, Query]:
    """Return the queries of the pipeline's logs, by name."""
    prefix = settings.prefix
    lambdas = {name: f"/aws/lambda/{function_name(prefix, name)}" for name in functions_of(settings)}
    everything = [*lambdas.values(), f"/aws/codebuild/{prefix}-assemble"]
    failures = [lambdas["RecordFailure"], lambdas["Upkeep"]]  # Upkeep records those that the first could not
    found = {
        "A film, line by line": Query(
            everything,
            (
                "fields @timestamp, function_name, level, message, clip, error, reason, xray_trace_id",
                'filter video_id = "PUT THE VIDEO\'S ID HERE"',
                "sort @timestamp asc",
            ),
        ),
        "Failures by fault, step and code": Query(
            failures,
            (
                'filter message = "video failed"',
                "stats count(*) as films, latest(video_id) as newest by fault, failure.step, failure.code",
                "sort films desc",
            ),
        ),
        "Failed films": Query(
            failures,
            (
                "fields @timestamp, video_id, fault, failure.step, failure.code, failure.reason",
                'filter message = "video failed"',
                "sort @timestamp desc",
            ),
        ),
        "Errors by function": Query(
            everything,
            (
                'filter level in ["ERROR", "CRITICAL"]',
                "stats count(*) as lines, latest(@timestamp) as newest by function_name, message",
                "sort lines desc",
            ),
        ),
        "Throttled calls": Query(
            everything,
            (
                'filter message = "call throttled"',
                "stats count(*) as calls by called, operation, bin(5m)",
            ),
        ),
        "Clips that wait: the tenant with the most": Query(
            [lambdas["Upkeep"]],
            (
                "fields @timestamp, engine, clips, tenants, tenant, of_tenant",
                'filter message = "clips wait"',
                "sort @timestamp desc",
            ),
        ),
        "Repairs of Upkeep": Query(
            [lambdas["Upkeep"]],
            (
                'filter message in ["request queued again", "video requeued", "history full", '
                '"failure found", "lost notice found", "call repaired", "film timed out", '
                '"ended build found", "drop event repeated", "dead letter removed", "healing failed", '
                '"call not repaired", "upkeep out of time"]',
                "stats count(*) as times by message, bin(1h)",
            ),
        ),
    }
    if settings.api_logs == "off":
        return found
    access = [f"/aws/apigateway/{prefix}"]
    return found | {
        "API: requests and latency by tenant": Query(
            access,
            (
                "stats count(*) as requests, pct(responseLatency, 50) as p50, "
                "pct(responseLatency, 90) as p90, pct(responseLatency, 99) as p99 by tenant",
                "sort requests desc",
            ),
        ),
        "API: answers with 5xx": Query(
            access,
            (
                "fields @timestamp, tenant, httpMethod, path, status, responseLatency, requestId, traceId",
                "filter status >= 500",
                "sort @timestamp desc",
            ),
        ),
    }


def engine_queries(settings: DeploymentSettings) -> dict[str, Query]:
    """Return the queries of the endpoints' logs, by name. Their servers' lines have an `event`
    (containers/diffusion/log.py), those of functions a `message`."""
    engines = [
        f"/aws/sagemaker/Endpoints/{endpoint_name(settings.prefix, engine)}"
        for engine in settings.endpoint_engines
    ]
    return {
        "Engines: clips": Query(
            engines,
            (
                'filter event = "clip rendered"',
                "stats count(*) as clips, avg(denoise_seconds) as denoise, avg(decode_seconds) as decode, "
                "max(peak_memory_bytes) as peak by model, bin(1h)",
            ),
        ),
        "Engines: what went wrong": Query(
            engines,
            (
                "fields @timestamp, @logStream, event, reason, attempts, code",
                'filter event in ["clip failed", "engine lost", "model failed to load", '
                '"gpu cannot be read"]',
                "sort @timestamp desc",
            ),
        ),
    }


class SavedQueries(Construct):
    """Belongs in the stack that has the queries' log groups, or in one that is deployed after it."""

    def __init__(self, scope: Construct, id: str, *, prefix: str, queries: Mapping[str, Query]) -> None:
        super().__init__(scope, id)
        for name, query in queries.items():
            logs.CfnQueryDefinition(
                self,
                name,
                name=f"{prefix}/{name}",
                query_string="\n| ".join(query.lines),
                log_group_names=list(query.groups),
            )

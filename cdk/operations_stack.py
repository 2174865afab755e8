"""The operator's dashboard, alarms and saved queries. AWS only."""

from datetime import timedelta
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from cdk.alarms import Alarms
from cdk.dashboard import Dashboard
from cdk.endpoint_metrics import endpoint_metric, engine_metric, instances_metric, variant_metric
from cdk.failed_film_notices import FailedFilmNotices
from cdk.functions import function_name, functions_of
from cdk.pipeline_metrics import PipelineMetrics
from cdk.pipeline_stack import PipelineStack
from cdk.saved_queries import SavedQueries, pipeline_queries
from cdk.settings import DeploymentSettings
from cdk.spend import MonthlyBudget, budget_conditions
from lambdas.domain import names, runbooks
from lambdas.domain.errors import Fault

_PERIOD = Duration.minutes(5)
_PERCENTILES = ("p50", "p90", "p99")
# Of the films or clips that ended within the period: a single failure in a quiet quarter of an hour counts.
_FAILING_PERCENT = 10
_RATE_PERIOD = Duration.minutes(15)
_CLIP_WAITS = Duration.hours(runbooks.CLIP_WAITS // timedelta(hours=1))
_TENANTS = {names.TenantClass.LARGEST: "the largest tenant", names.TenantClass.OTHERS: "all others"}
_WEBHOOK_WAITS = Duration.minutes(30)  # a try that is due later waits up to 15 minutes in its queue


class OperationsStack(Stack):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: DeploymentSettings,
        pipeline: PipelineStack,
        **options: Any,
    ) -> None:
        super().__init__(scope, id, description="Reelworks: dashboard, alarms and saved queries", **options)
        self._pipeline = pipeline
        self._prefix = settings.prefix
        self._metrics = PipelineMetrics(settings.prefix)
        self._functions = functions_of(settings)
        self._engines = settings.engines
        self._endpoints = {
            names.endpoint_name(settings.prefix, engine): engine for engine in settings.endpoint_engines
        }
        self._draw(Dashboard(self, "Dashboard", name=settings.prefix), settings.runbooks)
        SavedQueries(self, "SavedQueries", prefix=settings.prefix, queries=pipeline_queries(settings))
        alarms = Alarms(
            self,
            "Alarms",
            topic_arn=settings.alarm_topic,
            email=settings.alarm_email,
            key_arn=settings.kms_key,
            runbooks=settings.runbooks,
        )
        self._alarm(alarms)
        if settings.failed_film_notices:
            FailedFilmNotices(
                self,
                "FailedFilmNotices",
                faults=settings.failed_film_notices,
                bus=pipeline.bus,
                topic=alarms.topic,
                machine=pipeline.produce_video.machine,
                runbooks=settings.runbooks,
            )
        if settings.monthly_budget:
            alarms.grant_publish("budgets.amazonaws.com", conditions=budget_conditions(self))
            MonthlyBudget(
                self,
                "MonthlyBudget",
                name=f"{settings.prefix}-month",
                usd=settings.monthly_budget,
                topic=alarms.topic,
            )

    def _draw(self, dashboard: Dashboard, folder: str) -> None:
        """Draw the way of a film from top to bottom, then each engine."""
        api, queues = self._pipeline.api.rest_api, self._pipeline.queues
        machine = self._pipeline.produce_video.machine
        dashboard.text(f"Films are stuck? {runbooks.link(folder, runbooks.INDEX)}")
        dashboard.row(
            {
                "Videos": [
                    self._metrics.metric(names.METRIC_VIDEOS_CREATED),
                    self._metrics.metric(names.METRIC_VIDEOS_COMPLETED),
                    self._metrics.metric(names.METRIC_VIDEOS_FAILED),
                    self._metrics.metric(names.METRIC_VIDEOS_HEALED),
                    self._metrics.metric(names.METRIC_UPKEEP_FAILURES),
                ],
                "API: requests": [
                    api.metric_count(period=_PERIOD),
                    api.metric_client_error(period=_PERIOD),
                    api.metric_server_error(period=_PERIOD),
                ],
                "API: latency (ms)": [
                    api.metric_latency(period=_PERIOD, statistic=statistic) for statistic in _PERCENTILES
                ],
            }
        )
        dashboard.row(
            {
                "Waiting: oldest request, oldest clip (s)": [
                    queues.requests.metric_approximate_age_of_oldest_message(
                        label="request", statistic="Maximum"
                    ),
                    *(
                        self._queue_metric(names.METRIC_OLDEST_CLIP_SECONDS, engine, label=engine)
                        for engine in self._endpoints.values()
                    ),
                ],
                "Waiting: requests": [
                    queues.requests.metric_approximate_number_of_messages_visible(),
                    queues.requests.metric_approximate_number_of_messages_not_visible(),
                    queues.requests_dead_letters.metric_approximate_number_of_messages_visible(),
                    queues.failed_events.metric_approximate_number_of_messages_visible(),
                ],
                "Waiting: clips by tenant class": [
                    self._metrics.metric(
                        names.METRIC_CLIPS_WAITING,
                        statistic="Maximum",
                        label=f"{engine}: {_TENANTS[tenant_class]}",
                        engine=engine,
                        tenant_class=tenant_class,
                    )
                    for engine in self._endpoints.values()
                    for tenant_class in names.TenantClass
                ],
            }
        )
        dashboard.row(
            {
                "Executions": [
                    machine.metric_started(),
                    machine.metric_succeeded(),
                    machine.metric_failed(),
                    machine.metric_timed_out(),
                    machine.metric_aborted(),
                ],
                "Failures by step and code": [
                    self._metrics.search(names.METRIC_VIDEOS_FAILED, "step", "code")
                ],
                "Failure rate by fault (%)": [
                    self._failure_rate(names.METRIC_FAILURE_RATE, fault) for fault in Fault
                ],
            }
        )
        dashboard.row(
            {
                f"Steps: duration (ms, {statistic})": [
                    self._function_metric("Duration", name, statistic)
                    for name in self._pipeline.produce_video.tasks
                ]
                for statistic in _PERCENTILES
            }
        )
        dashboard.row(
            {
                "From start to clip (s)": [
                    self._metrics.metric(
                        names.METRIC_CLIP_SECONDS,
                        statistic=statistic,
                        label=f"{engine} {statistic}",
                        engine=engine,
                    )
                    for engine in self._engines
                    for statistic in _PERCENTILES
                ],
                "Long assembly (s)": [
                    self._pipeline.assembly_build.metric_duration(statistic) for statistic in _PERCENTILES
                ],
                "From request to film (s, without waits for users)": [
                    self._metrics.metric(names.METRIC_FILM_SECONDS, statistic=statistic, label=statistic)
                    for statistic in _PERCENTILES
                ],
            }
        )
        dashboard.row(
            {
                "Films per day": [
                    self._metrics.metric(metric, period=Duration.days(1))
                    for metric in (names.METRIC_VIDEOS_COMPLETED, names.METRIC_VIDEOS_FAILED)
                ],
                "Films per day: cost (USD, list prices)": [
                    self._metrics.metric(names.METRIC_FILM_COST, period=Duration.days(1))
                ],
                "Clips": [
                    self._metrics.metric(names.METRIC_CLIPS_RENDERED),
                    self._metrics.metric(names.METRIC_CLIPS_REUSED),
                ],
            }
        )
        webhooks = self._pipeline.webhooks
        dashboard.row(
            {
                "Webhooks: tries by outcome": [self._metrics.search(names.METRIC_WEBHOOK_TRIES, "outcome")],
                "Webhooks: waiting, given up": [
                    webhooks.queue.metric_approximate_number_of_messages_visible(),
                    webhooks.queue.metric_approximate_number_of_messages_delayed(label="next try"),
                    webhooks.dead_letters.metric_approximate_number_of_messages_visible(),
                ],
                "Webhooks: oldest message (s)": [
                    webhooks.queue.metric_approximate_age_of_oldest_message(statistic="Maximum")
                ],
            }
        )
        dashboard.row(
            {
                "Throttles: functions": [
                    self._function_metric("Throttles", name) for name in self._functions
                ],
                "Throttles: calls to AWS services": [self._metrics.search(names.METRIC_THROTTLES, "called")],
                "Throttles: executions": [machine.metric_throttled(period=_PERIOD)],
            }
        )
        dashboard.row(
            {
                "Functions: errors": [self._function_metric("Errors", name) for name in self._functions],
                "Upkeep: completed runs": [self._metrics.metric(names.METRIC_UPKEEP_RUNS)],
            }
        )
        for endpoint, engine in self._endpoints.items():
            self._draw_endpoint(dashboard, endpoint, engine)

    def _function_metric(self, metric: str, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        """Return a function's metric, by its physical name (cdk.functions.function_name says why)."""
        return cloudwatch.Metric(
            namespace="AWS/Lambda",
            metric_name=metric,
            dimensions_map={"FunctionName": function_name(self._prefix, name)},
            statistic=statistic,
            period=_PERIOD,
            label=name,
        )

    def _failure_rate(self, metric: names.Metric, fault: Fault, **dimensions: str) -> cloudwatch.Metric:
        return self._metrics.metric(
            metric, statistic="Average", period=_RATE_PERIOD, label=fault, **dimensions, fault=fault
        )

    def _queue_metric(
        self, metric: names.Metric, engine: str, *, label: str | None = None
    ) -> cloudwatch.Metric:
        """Return a metric of the clips that wait for an engine or are in flight."""
        return self._metrics.metric(metric, statistic="Maximum", label=label, engine=engine)

    def _draw_endpoint(self, dashboard: Dashboard, endpoint: str, engine: str) -> None:
        dashboard.row(
            {
                f"{engine}: clips in flight, and for each instance": [
                    self._queue_metric(names.METRIC_CLIPS_IN_FLIGHT, engine),
                    endpoint_metric("ApproximateBacklogSizePerInstance", endpoint),
                ],
                f"{engine}: instances": [instances_metric(endpoint)],
                f"{engine}: invocations": [
                    variant_metric(metric, endpoint)
                    for metric in ("InvocationsProcessed", "InvocationFailures", "ExpiredRequests")
                ],
                f"{engine}: failure rate by fault (%)": [
                    self._failure_rate(names.METRIC_CLIP_FAILURE_RATE, fault, engine=engine)
                    for fault in Fault
                ],
            }
        )
        dashboard.row(
            {
                f"{engine}: GPU (%)": [
                    engine_metric(metric, engine, prefix=self._prefix)
                    for metric in ("gpu_percent", "gpu_memory_percent")
                ],
                f"{engine}: a clip (s)": [
                    engine_metric(f"{part}_seconds", engine, prefix=self._prefix)
                    for part in ("encode", "denoise", "decode", "mux")
                ],
                f"{engine}: peak memory (bytes)": [
                    engine_metric("peak_memory_bytes", engine, prefix=self._prefix, statistic="Maximum")
                ],
            }
        )

    def _alarm(self, alarms: Alarms) -> None:
        queues, machine = self._pipeline.queues, self._pipeline.produce_video.machine
        alarms.on(
            "RequestsDeadLetters",
            queues.requests_dead_letters.metric_approximate_number_of_messages_visible(statistic="Maximum"),
            above=0,
            runbook="requests-dead-letters",
            advice="Dispatch failed on requests five times, so their films don't start.",
        )
        alarms.on(
            "FailedEvents",
            queues.failed_events.metric_approximate_number_of_messages_visible(statistic="Maximum"),
            above=0,
            runbook="failed-events",
            advice="Intake, SettleClip or Upkeep failed on events. Each message has the event and the error.",
        )
        alarms.on(
            "OldestRequest",
            queues.requests.metric_approximate_age_of_oldest_message(statistic="Maximum"),
            above=900,
            runbook="requests-wait",
            advice="A request has waited 15 minutes for its execution to start.",
        )
        # A user's own mistake pages nobody: a refused prompt, a review that nobody approved.
        for name, fault, runbook, told in (
            ("PipelineFailures", Fault.PIPELINE, "pipeline-failures", "the pipeline's"),
            ("EngineFailures", Fault.ENGINE, "engine-failures", "an engine's"),
        ):
            alarms.on(
                name,
                self._metrics.metric(
                    names.METRIC_FAILURE_RATE,
                    statistic="Average",
                    period=_RATE_PERIOD,
                    fault=fault,
                ),
                above=_FAILING_PERCENT,
                runbook=runbook,
                advice=f"More than {_FAILING_PERCENT} % of the films that ended failed by {told} fault.",
            )
        alarms.on(
            "ExecutionsTimedOut",
            machine.metric_timed_out(period=_PERIOD),
            above=0,
            runbook="executions-time-out",
            advice="An execution reached the state machine's time limit.",
        )
        alarms.on_silence(
            "UpkeepNotRunning",
            self._metrics.metric(names.METRIC_UPKEEP_RUNS),
            periods=3,
            runbook="upkeep-not-running",
            advice="Upkeep has completed no run for 15 minutes, so lost events are not repaired.",
        )
        alarms.on(
            "ApiServerErrors",
            self._pipeline.api.rest_api.metric_server_error(period=_PERIOD, statistic="Average"),
            above=0.05,
            periods=2,
            runbook="api-server-errors",
            advice="More than 5 % of the API's answers are 5xx.",
        )
        alarms.on_sum(
            "FunctionThrottles",
            [self._function_metric("Throttles", name) for name in self._functions],
            above=0,
            periods=3,
            runbook="throttles",
            advice="Lambda has throttled functions for 15 minutes: the account's concurrency is used up.",
        )
        alarms.on(
            "UpkeepFailures",
            self._metrics.metric(names.METRIC_UPKEEP_FAILURES),
            above=0,
            periods=3,
            runbook="upkeep-failures",
            advice="Upkeep finds videos or clips that it can't repair.",
        )
        alarms.on(
            "ExecutionThrottles",
            machine.metric_throttled(period=_PERIOD),
            above=0,
            periods=3,
            runbook="throttles",
            advice="Step Functions has throttled executions for 15 minutes.",
        )
        alarms.on(
            "ServiceThrottles",
            self._metrics.metric(names.METRIC_THROTTLES),
            above=10,
            periods=3,
            runbook="throttles",
            advice="AWS services have throttled the functions' calls for 15 minutes.",
        )
        alarms.on(
            "WebhooksFail",
            self._function_metric("Errors", "Deliver"),
            above=0,
            periods=3,
            runbook="webhooks-fail",
            advice="Deliver has failed for 15 minutes, so receivers are not told about their videos.",
        )
        alarms.on(
            "WebhooksWait",
            self._pipeline.webhooks.queue.metric_approximate_age_of_oldest_message(statistic="Maximum"),
            above=_WEBHOOK_WAITS.to_seconds(),
            runbook="webhooks-fail",
            advice="An event has waited half an hour for Deliver.",
        )
        for endpoint, engine in self._endpoints.items():
            self._alarm_endpoint(alarms, endpoint, engine)

    def _alarm_endpoint(self, alarms: Alarms, endpoint: str, engine: str) -> None:
        log = f"/aws/sagemaker/Endpoints/{endpoint}"
        alarms.on(
            f"{engine}-no-capacity",
            endpoint_metric("HasBacklogWithoutCapacity", endpoint, statistic="Minimum"),
            above=0,
            periods=runbooks.WITHOUT_INSTANCE // timedelta(minutes=1),
            runbook="engine-without-instance",
            advice=f"Clips for {engine} have waited half an hour without an instance.",
        )
        alarms.on(
            f"{engine}-oldest-clip",
            self._queue_metric(names.METRIC_OLDEST_CLIP_SECONDS, engine),
            above=_CLIP_WAITS.to_seconds(),
            runbook="clips-wait",
            advice=f"A clip for {engine} has waited {_CLIP_WAITS.to_hours()} hours.",
        )
        alarms.on(
            f"{engine}-failures",
            self._metrics.metric(
                names.METRIC_CLIP_FAILURE_RATE,
                statistic="Average",
                period=_RATE_PERIOD,
                engine=engine,
                fault=Fault.ENGINE,
            ),
            above=_FAILING_PERCENT,
            periods=2,  # a failed clip is tried again
            runbook="engine-failures",
            advice=f"{engine} fails on more than {_FAILING_PERCENT} % of its clips. Its log: {log}.",
        )
        alarms.on(
            f"{engine}-lost",
            engine_metric("lost_count", engine, prefix=self._prefix, statistic="Sum"),
            above=0,
            runbook="engine-lost",
            advice=f"The process of {engine} ended and was restarted: see the lines `engine lost` in {log}.",
        )
        alarms.on(
            f"{engine}-idle",
            cloudwatch.MathExpression(
                expression="IF(instances > 0 AND backlog == 0, 1, 0)",
                using_metrics={
                    "instances": instances_metric(endpoint),
                    "backlog": endpoint_metric("ApproximateBacklogSize", endpoint, statistic="Maximum"),
                },
                period=_PERIOD,
                label="instances without work",
            ),
            above=0,
            periods=12,  # scaling in takes about 15 minutes, and 10 more after it has scaled out
            runbook="idle-instance",
            advice=f"Instances of {engine} have had no clip for an hour and are still billed.",
        )

"""The operator's dashboard and alarms. AWS only."""

from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk.alarms import Alarms
from cdk.dashboard import Dashboard
from cdk.endpoint_metrics import endpoint_metric, engine_metric, instances_metric
from cdk.engine_endpoint import VARIANT
from cdk.functions import FUNCTIONS, function_name
from cdk.pipeline_stack import PipelineStack
from cdk.settings import DeploymentSettings
from lambdas.domain import names

_PERIOD = Duration.minutes(5)


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
        super().__init__(scope, id, description="Reelworks: dashboard and alarms", **options)
        self._pipeline = pipeline
        self._endpoints = {
            names.endpoint_name(settings.prefix, engine): engine for engine in settings.endpoint_engines
        }
        self._functions = {
            name: lambda_.Function.from_function_name(self, name, function_name(settings.prefix, name))
            for name in FUNCTIONS
        }
        self._draw(Dashboard(self, "Dashboard", name=settings.prefix))
        self._alarm(Alarms(self, "Alarms", email=settings.alarm_email))

    def _draw(self, dashboard: Dashboard) -> None:
        api, queues = self._pipeline.api.rest_api, self._pipeline.queues
        machine = self._pipeline.produce_video.machine
        dashboard.row(
            {
                "Videos": [
                    _business(names.METRIC_VIDEOS_CREATED),
                    _business(names.METRIC_VIDEOS_COMPLETED),
                    _business(names.METRIC_VIDEOS_FAILED),
                    _business(names.METRIC_VIDEOS_HEALED),
                    _business(names.METRIC_UPKEEP_FAILURES),
                ],
                "Clips": [
                    _business(names.METRIC_CLIPS_RENDERED),
                    _business(names.METRIC_CLIPS_REUSED),
                ],
            }
        )
        dashboard.row(
            {
                "API: requests": [
                    api.metric_count(period=_PERIOD),
                    api.metric_client_error(period=_PERIOD),
                    api.metric_server_error(period=_PERIOD),
                ],
                "API: latency (ms)": [
                    api.metric_latency(period=_PERIOD, statistic=statistic) for statistic in ("p50", "p99")
                ],
            }
        )
        dashboard.row(
            {
                "Requests queue": [
                    queues.requests.metric_approximate_number_of_messages_visible(),
                    queues.requests.metric_approximate_number_of_messages_not_visible(),
                    queues.requests_dead_letters.metric_approximate_number_of_messages_visible(),
                    queues.failed_events.metric_approximate_number_of_messages_visible(),
                ],
                "Requests queue: oldest message (s)": [
                    queues.requests.metric_approximate_age_of_oldest_message()
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
                "Executions: duration (ms, with waits for users)": [
                    machine.metric_time(statistic=statistic) for statistic in ("p50", "p99")
                ],
            }
        )
        functions = self._functions.items()
        dashboard.row(
            {
                "Functions: errors": [f.metric_errors(label=name) for name, f in functions],
                "Functions: throttles": [f.metric_throttles(label=name) for name, f in functions],
                "Functions: duration (ms, p99)": [
                    f.metric_duration(label=name, statistic="p99") for name, f in functions
                ],
            }
        )
        for endpoint, engine in self._endpoints.items():
            dashboard.row(
                {
                    f"{endpoint}: clips that wait and in flight": [
                        _queue_metric(metric, engine)
                        for metric in (names.METRIC_CLIPS_WAITING, names.METRIC_CLIPS_IN_FLIGHT)
                    ],
                    f"{endpoint}: oldest clip (s)": [_queue_metric(names.METRIC_OLDEST_CLIP_SECONDS, engine)],
                }
            )
            dashboard.row(
                {
                    f"{endpoint}: backlog": [endpoint_metric("ApproximateBacklogSize", endpoint)],
                    f"{endpoint}: instances": [instances_metric(endpoint, VARIANT)],
                    f"{endpoint}: invocations": [
                        endpoint_metric(metric, endpoint, statistic="Sum")
                        for metric in ("InvocationsProcessed", "InvocationFailures", "ExpiredRequests")
                    ],
                }
            )
            dashboard.row(
                {
                    f"{endpoint}: GPU (%)": [
                        engine_metric(metric, engine) for metric in ("gpu_percent", "gpu_memory_percent")
                    ],
                    f"{endpoint}: a clip (s)": [
                        engine_metric(f"{part}_seconds", engine)
                        for part in ("encode", "denoise", "decode", "mux")
                    ],
                    f"{endpoint}: peak memory (bytes)": [
                        engine_metric("peak_memory_bytes", engine, statistic="Maximum")
                    ],
                }
            )

    def _alarm(self, alarms: Alarms) -> None:
        queues, machine = self._pipeline.queues, self._pipeline.produce_video.machine
        alarms.on(
            "RequestsDeadLetters",
            queues.requests_dead_letters.metric_approximate_number_of_messages_visible(statistic="Maximum"),
            above=0,
            advice="Dispatch failed on requests five times. Read its log, then redrive the queue.",
        )
        alarms.on(
            "FailedEvents",
            queues.failed_events.metric_approximate_number_of_messages_visible(statistic="Maximum"),
            above=0,
            advice="Intake, SettleClip or Upkeep failed on events. Each message has the event and the error.",
        )
        alarms.on(
            "OldestRequest",
            queues.requests.metric_approximate_age_of_oldest_message(statistic="Maximum"),
            above=900,
            advice="A request has waited 15 minutes for its execution to start. "
            "Check whether Dispatch fails or is throttled.",
        )
        alarms.on(
            "ExecutionsFailed",
            machine.metric_failed(period=_PERIOD),
            above=0,
            advice="Videos failed. Run reel show ID to see which step and clip failed, and why. "
            "The code ReviewTimedOut only means that nobody approved the video in time.",
        )
        alarms.on(
            "ExecutionsTimedOut",
            machine.metric_timed_out(period=_PERIOD),
            above=0,
            advice="An execution reached the state machine's timeout. Check whether an engine is stuck.",
        )
        alarms.on(
            "UpkeepErrors",
            self._functions["Upkeep"].metric_errors(period=_PERIOD),
            above=0,
            periods=3,
            advice="Upkeep fails, so lost events are not repaired. Read its log.",
        )
        alarms.on(
            "UpkeepFailures",
            _business(names.METRIC_UPKEEP_FAILURES),
            above=0,
            periods=3,
            advice="Upkeep finds videos or clips that it can't repair. Search its log for `healing failed` "
            "and `call not repaired`.",
        )
        alarms.on(
            "ApiServerErrors",
            self._pipeline.api.rest_api.metric_server_error(period=_PERIOD, statistic="Sum"),
            above=0,
            advice="The API returned 5xx. The access log has the request ids; the log of Api has the errors.",
        )
        for endpoint, engine in self._endpoints.items():
            alarms.on(
                f"{endpoint}-no-capacity",
                endpoint_metric("HasBacklogWithoutCapacity", endpoint, statistic="Minimum"),
                above=0,
                periods=30,  # operators report half an hour without capacity; waking takes about ten minutes
                advice="Requests have waited half an hour without an instance. "
                "Check your quota and AWS's capacity.",
            )
            alarms.on(
                f"{endpoint}-failures",
                endpoint_metric("InvocationFailures", endpoint, statistic="Sum"),
                above=0,
                advice=f"The engine failed. Read its log group, /aws/sagemaker/Endpoints/{endpoint}.",
            )
            alarms.on(
                f"{endpoint}-lost",
                engine_metric("lost_count", engine, statistic="Sum"),
                above=0,
                advice="The engine's process ended and was restarted. The GPU may have failed, or memory run "
                f"out: see the lines `engine lost` in /aws/sagemaker/Endpoints/{endpoint}.",
            )


def _business(metric: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=names.METRICS_NAMESPACE,
        metric_name=metric,
        dimensions_map={"service": names.SERVICE},
        statistic="Sum",
        period=_PERIOD,
    )


def _queue_metric(metric: str, engine: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=names.METRICS_NAMESPACE,
        metric_name=metric,
        dimensions_map={"service": names.SERVICE, "engine": engine},
        statistic="Maximum",
        period=_PERIOD,
    )

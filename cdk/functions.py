"""The functions: one table, one loop."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration, Names, Size
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.code import RUNTIME, code
from cdk.log_groups import log_group
from cdk.permissions import acknowledge, allow
from cdk.settings import DeploymentSettings
from lambdas.domain import names
from lambdas.settings import (
    ADDED_ENGINES,
    ApiKeysSettings,
    ApiSettings,
    AssembleLongSettings,
    AuthorizerSettings,
    ClipEventsSettings,
    DeliverSettings,
    DispatchSettings,
    EventsSettings,
    IntakeSettings,
    NarrateSettings,
    OperationsSettings,
    PlanSettings,
    PricedSettings,
    PublishSettings,
    RecordFailureSettings,
    RenderClipSettings,
    Settings,
    StudioSettings,
    UpkeepSettings,
    WriterSettings,
    env_of,
)


@dataclass(frozen=True, kw_only=True)
class Spec:
    """The properties of a function. Its permissions are granted where it is used."""

    module: str  # the module that has the `handler`
    settings: type[Settings]
    timeout: int  # seconds
    memory: int = 512  # MB
    disk: int = 512  # MB for temporary files
    media: bool = False  # needs PyAV, Pillow and NumPy
    signing: bool = False  # needs the C2PA library
    studio: bool = False  # needs the studio's files, and no library
    asynchronous: bool = False  # invoked by events; no caller waits for the result
    snapshot: bool = False  # a user waits for its start: from a snapshot, if the deployment sets it


STUDIO = "Studio"
FUNCTIONS: Mapping[str, Spec] = {
    "Authorizer": Spec(
        module="lambdas.api.authorizer", settings=AuthorizerSettings, timeout=10, snapshot=True
    ),
    "Api": Spec(
        module="lambdas.api.app", settings=ApiSettings, timeout=29, memory=1024, media=True, snapshot=True
    ),
    # The same program for its routes /v1/api_keys only: no other function may write keys.
    "ApiKeys": Spec(module="lambdas.api.app", settings=ApiKeysSettings, timeout=29, memory=1024, media=True),
    # The same program for its route /v1/operations only: no other function that tenants call may read across
    # tenants.
    "Operations": Spec(
        module="lambdas.api.app", settings=OperationsSettings, timeout=29, memory=1024, media=True
    ),
    "Intake": Spec(
        module="lambdas.intake.drop_folder",
        settings=IntakeSettings,
        timeout=60,
        memory=1024,
        media=True,
        asynchronous=True,
    ),
    "Dispatch": Spec(module="lambdas.intake.dispatch", settings=DispatchSettings, timeout=30),
    "WriteStoryboard": Spec(module="lambdas.tasks.write_storyboard", settings=PlanSettings, timeout=900),
    # On a PC, Narrate and DrawStill may wait for a model to load, which takes far longer than the services.
    "Narrate": Spec(
        module="lambdas.tasks.narrate", settings=NarrateSettings, timeout=900, memory=1024, media=True
    ),
    "DrawStill": Spec(
        module="lambdas.tasks.draw_still", settings=PricedSettings, timeout=900, memory=1024, media=True
    ),
    "Review": Spec(module="lambdas.tasks.review", settings=EventsSettings, timeout=60),
    # Plan may ask the text model for one paragraph per scene of a film made from another, and look for the
    # beats of an hour of music.
    "Plan": Spec(module="lambdas.tasks.plan", settings=PlanSettings, timeout=900, memory=1024, media=True),
    # 1,769 MB equal one full vCPU (Lambda's documentation); drawing and encoding use two.
    "DrawClip": Spec(
        module="lambdas.tasks.draw_clip", settings=ClipEventsSettings, timeout=900, memory=3008, media=True
    ),
    "RenderClip": Spec(
        module="lambdas.tasks.render_clip",
        settings=RenderClipSettings,
        timeout=120,
        memory=1024,
        media=True,
    ),
    "SettleClip": Spec(
        module="lambdas.notices.settle_clip",
        settings=RenderClipSettings,
        timeout=120,
        memory=1024,
        media=True,
        asynchronous=True,
    ),
    "LookAtClips": Spec(
        module="lambdas.tasks.look_at_clips", settings=WriterSettings, timeout=900, memory=1024, media=True
    ),
    # CheckClips asks S3 for the measures of up to 1,000 clips.
    "CheckClips": Spec(module="lambdas.tasks.check_clips", settings=PricedSettings, timeout=300),
    # Assemble stores sound on disk, of which a long film has 6 GB with its stems; pictures stay in memory.
    "Assemble": Spec(
        module="lambdas.tasks.assemble",
        settings=PricedSettings,
        timeout=900,
        memory=2048,
        disk=10_240,
        media=True,
    ),
    "AssembleLong": Spec(module="lambdas.tasks.assemble_long", settings=AssembleLongSettings, timeout=60),
    # Publish signs the film on disk: it needs room for it twice. Hashing takes 0.9 GB of memory.
    "Publish": Spec(
        module="lambdas.tasks.publish",
        settings=PublishSettings,
        timeout=900,
        memory=2048,
        disk=10_240,
        signing=True,
    ),
    "RecordFailure": Spec(module="lambdas.tasks.record_failure", settings=RecordFailureSettings, timeout=60),
    # A try takes up to 15 s.
    "Deliver": Spec(module="lambdas.webhooks.deliver", settings=DeliverSettings, timeout=30),
    "Upkeep": Spec(
        module="lambdas.upkeep.heal", settings=UpkeepSettings, timeout=300, media=True, asynchronous=True
    ),
    STUDIO: Spec(module="lambdas.studio.serve", settings=StudioSettings, timeout=10, memory=256, studio=True),
}


def functions_of(settings: DeploymentSettings) -> dict[str, Spec]:
    """Return those of FUNCTIONS that a deployment has."""
    return {name: spec for name, spec in FUNCTIONS.items() if settings.studio or name != STUDIO}


# Of every function. Looking for plugins, of which pydantic has none here, takes 10 ms of a start.
ENVIRONMENT = {"POWERTOOLS_METRICS_NAMESPACE": names.METRICS_NAMESPACE, "PYDANTIC_DISABLE_PLUGINS": "__all__"}


def function_name(prefix: str, name: str) -> str:
    """Return a function's physical name.

    Because names follow a fixed rule, a log group can be created before its function, and the operations
    stack needs no reference to a function: such a reference would keep the pipeline stack from ever
    removing one.
    """
    return f"{prefix}-{name}"


class Functions(Construct):
    """The functions by name, for example `functions["Plan"]`."""

    def __init__(
        self, scope: Construct, id: str, *, settings: DeploymentSettings, added_engines: str
    ) -> None:
        """`added_engines`: JSON of the engines that the deployment adds to the catalogue, or empty."""
        super().__init__(scope, id)
        prefix, snap_start, days = settings.prefix, settings.snap_start, settings.log_retention_days
        self._specs = functions_of(settings)
        kinds = {(spec.media, spec.signing, spec.studio) for spec in self._specs.values()}
        codes = {kind: code(self, media=kind[0], signing=kind[1], studio=kind[2]) for kind in sorted(kinds)}
        self._functions: dict[str, lambda_.Function] = {}
        self._roles: dict[str, iam.Role] = {}
        for name, spec in self._specs.items():
            physical_name = function_name(prefix, name)
            logs = log_group(self, f"{name}Logs", name=f"/aws/lambda/{physical_name}", days=days)
            # An explicit role, because the default one may write to every log group of the account.
            role = iam.Role(
                self,
                f"{name}Role",
                assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            )
            logs.grant_write(role)
            acknowledge(role, "IAM5[Resource::*]", "X-Ray's PutTraceSegments takes no resource.")
            function = lambda_.Function(
                self,
                name,
                function_name=physical_name,
                runtime=RUNTIME,
                architecture=lambda_.Architecture.ARM_64,
                handler=f"{spec.module}.handler",
                code=codes[spec.media, spec.signing, spec.studio],
                timeout=Duration.seconds(spec.timeout),
                memory_size=spec.memory,
                ephemeral_storage_size=Size.mebibytes(spec.disk),
                role=role,
                log_group=logs,
                tracing=lambda_.Tracing.ACTIVE,
                environment={
                    "POWERTOOLS_SERVICE_NAME": prefix,
                    **ENVIRONMENT,
                    ADDED_ENGINES: added_engines,
                },
                snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS
                if spec.snapshot and snap_start
                else None,
            )
            acknowledge(function, "L1", "The newest runtime with which all pinned wheels are tested.")
            self._functions[name] = function
            self._roles[name] = role

        self._snap_start = snap_start
        self._media_code = codes[True, False, False]

    @property
    def media_code(self) -> s3.Location:
        """The location of the code with the media libraries; the assembly build runs it too."""
        location = self._media_code.bind(self).s3_location
        assert location is not None  # noqa: S101 - for the type checker
        return location

    def __getitem__(self, name: str) -> lambda_.Function:
        return self._functions[name]

    def entry(self, name: str) -> lambda_.IFunction:
        """Return what callers of the function call: its current version, if versions have snapshots."""
        function = self._functions[name]
        return function.add_alias("live") if self._snap_start else function

    def role(self, name: str) -> iam.Role:
        return self._roles[name]

    def on_failure(self, queue: sqs.IQueue) -> None:
        """Send events to the queue when an asynchronous function still fails after Lambda's two retries."""
        for name, spec in self._specs.items():
            if spec.asynchronous:
                # SqsDestination would also grant calls that Lambda doesn't make. The path is that of
                # `configure_async_invoke`: a second configuration of a function would be refused.
                lambda_.CfnEventInvokeConfig(
                    Construct(self._functions[name], "EventInvokeConfig"),
                    "Resource",
                    function_name=self._functions[name].function_name,
                    qualifier="$LATEST",
                    maximum_retry_attempts=2,
                    destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                        on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=queue.queue_arn)
                    ),
                )
                allow(self._roles[name], "sqs:SendMessage", on=[queue.queue_arn])

    def poll(
        self,
        name: str,
        queue: sqs.IQueue,
        *,
        batch: int = 10,
        at_once: int | None = None,
        partly: bool = False,
    ) -> None:
        """Invoke a function with the queue's messages. `batch`: at most so many in an event. `at_once`: at
        most so many events at a time. `partly`: it says on which messages it failed."""
        # SqsEventSource would also grant calls that Lambda doesn't make; these are those of the policy
        # AWSLambdaSQSQueueExecutionRole. The id is SqsEventSource's: a second mapping would be refused.
        self._functions[name].add_event_source_mapping(
            f"SqsEventSource:{Names.node_unique_id(queue.node)}",
            event_source_arn=queue.queue_arn,
            batch_size=batch,
            max_concurrency=at_once,
            report_batch_item_failures=partly or None,
        )
        calls = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
        allow(self._roles[name], *(f"sqs:{call}" for call in calls), on=[queue.queue_arn])

    def configure(self, settings: Mapping[str, Settings]) -> None:
        """Set every function's environment, written through the same type that the function reads it with."""
        for name, spec in self._specs.items():
            if type(settings[name]) is not spec.settings:
                raise TypeError(f"{name} requires {spec.settings.__name__}; got {settings[name]!r}")
            for variable, value in env_of(settings[name]).items():
                self._functions[name].add_environment(variable, value)

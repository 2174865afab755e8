"""The pipeline: everything a PC's cloud runs, deployed unchanged in both homes."""

from typing import Any

from aws_cdk import CfnOutput, CfnParameter, Duration, Stack
from aws_cdk import aws_events as events
from constructs import Construct

from cdk.access import ACCESS, grant, grant_access
from cdk.api import STAGE, Api
from cdk.assembly_build import AssemblyBuild
from cdk.buckets import Buckets, grant_objects
from cdk.clip_queue import ClipQueue
from cdk.drop_folder import DropFolder
from cdk.functions import FUNCTIONS, STUDIO, Functions, functions_of
from cdk.identity import Identity
from cdk.models import grant_ask, grant_check, grant_draw, grant_list_voices, grant_speak
from cdk.notices import Notices
from cdk.permissions import allow
from cdk.queues import Queues
from cdk.settings import DeploymentSettings
from cdk.signing import grant_sign
from cdk.state_machine import ProduceVideo
from cdk.studio import Studio
from cdk.table import ApiKeysTable, VideosTable
from cdk.upkeep import SETTLED_WITHIN, Upkeep
from cdk.webhooks import AT_ONCE, Webhooks
from lambdas.domain import keys
from lambdas.domain.engines import CATALOGUE, Renderer, added
from lambdas.domain.names import endpoint_name, signing_secret
from lambdas.settings import (
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
    StoreSettings,
    UpkeepSettings,
    WriterSettings,
)


class PipelineStack(Stack):
    def __init__(self, scope: Construct, id: str, *, settings: DeploymentSettings, **options: Any) -> None:
        super().__init__(scope, id, description="Reelworks: from a prompt to a film", **options)
        prefix = settings.prefix
        days = settings.log_retention_days
        engines = CfnParameter(
            self,
            "Engines",
            default=",".join(settings.engines),
            description="Names of the available engines, comma-separated",
        )
        added_engines = CfnParameter(
            self,
            "AddedEngines",
            default=added(settings.added_engines),
            description="Engines that this deployment adds to the catalogue, as JSON",
        )
        self._voice = CfnParameter(
            self, "Voice", default=settings.voice, description="Default narration voice"
        )
        self._voice_engine = CfnParameter(
            self, "VoiceEngine", default=settings.voice_engine, description="Engine of the default voice"
        )

        self._workflow = CfnParameter(
            self, "Workflow", default="", description="Inputs of the user's ComfyUI workflow, as JSON"
        )

        self._text_seconds = CfnParameter(
            self,
            "TextSeconds",
            default=str(settings.text_seconds),
            allowed_pattern=r"\d+",
            description="Seconds that the text model may take for an answer",
        )
        self._aliases = CfnParameter(
            self,
            "ModelAliases",
            default=",".join(f"{alias}={engine}" for alias, engine in settings.model_aliases.items()),
            description="Other names for engines, as ALIAS=ENGINE, comma-separated",
        )

        self._guardrail = CfnParameter(
            self,
            "Guardrail",
            default=str(settings.guardrail or ""),
            description="ID:VERSION of the Bedrock guardrail that checks what users write; empty: none",
        )
        self._webhooks_to_loopback = CfnParameter(
            self,
            "WebhooksToLoopback",
            default="false",
            allowed_values=["false", "true"],
            description="Whether webhooks may go to this machine: true only on a PC",
        )
        prices = CfnParameter(
            self,
            "Prices",
            default=settings.price_list.model_dump_json(),
            description="Prices for calculating what a film costs, as JSON (lambdas/domain/prices.py)",
        )
        self.buckets = Buckets(
            self,
            "Buckets",
            prefix=prefix,
            retention_days=settings.retention_days,
            log_retention_days=days,
            journal_version_days=settings.journal_version_days,
        )
        self.table = VideosTable(self, "VideosTable")
        self.api_keys = ApiKeysTable(self, "ApiKeys")
        self.clip_queue = ClipQueue(self, "Clips")
        self.queues = Queues(
            self,
            "Queues",
            consumer_timeout=Duration.seconds(FUNCTIONS["Dispatch"].timeout),
            upkeep_timeout=Duration.seconds(FUNCTIONS["Upkeep"].timeout),
            settled_within=SETTLED_WITHIN,
        )
        self.identity = Identity(self, "Identity")
        self.bus = events.EventBus(self, "Bus", event_bus_name=f"{prefix}-videos")
        self.functions = Functions(
            self, "Functions", settings=settings, added_engines=added_engines.value_as_string
        )
        stores = StoreSettings(
            videos_table=self.table.table.table_name,
            input_bucket=self.buckets.input.bucket_name,
            output_bucket=self.buckets.output.bucket_name,
        )
        self._priced = PricedSettings(**stores.model_dump(), prices=prices.value_as_string)
        self.assembly_build = AssemblyBuild(
            self,
            "AssemblyBuild",
            code=self.functions.media_code,
            settings=self._priced,
            added_engines=added_engines.value_as_string,
            prefix=prefix,
            log_retention_days=days,
        )
        self.produce_video = ProduceVideo(
            self,
            "ProduceVideo",
            functions=self.functions,
            prefix=prefix,
            review_timeout_seconds=settings.review_hours * 3600,
            at_once=settings.at_once,
            log_retention_days=days,
        )
        self.api = Api(
            self,
            "Api",
            function=self.functions.entry("Api"),
            api_keys=self.functions["ApiKeys"],
            operations=self.functions["Operations"],
            authorizer=self.functions.entry("Authorizer"),
            studio=self.functions[STUDIO] if settings.studio else None,
            allowed_cidrs=[str(cidr) for cidr in settings.allowed_cidrs],
            prefix=prefix,
            logs=settings.api_logs,
            domain=settings.api_domain,
            tenant_requests=settings.tenant_requests,
            address_requests=settings.address_requests,
            log_retention_days=days,
        )
        self.studio = (
            Studio(self, "Studio", api=self.api, buckets=self.buckets, identity=self.identity)
            if settings.studio
            else None
        )
        self.notices = Notices(
            self, "Notices", listener=self.functions["SettleClip"], failed_events=self.queues.failed_events
        )
        DropFolder(
            self,
            "DropFolder",
            bucket=self.buckets.input,
            intake=self.functions["Intake"],
            failed_events=self.queues.failed_events,
        )
        Upkeep(
            self,
            "Upkeep",
            heal=self.functions["Upkeep"],
            failed_events=self.queues.failed_events,
            outputs=self.queues.outputs,
            output_bucket=self.buckets.output.bucket_name,
            state_machine_arn=self.produce_video.machine.state_machine_arn,
            build_project=self.assembly_build.name,
        )
        self.webhooks = Webhooks(
            self,
            "Webhooks",
            bus=self.bus,
            deliver_timeout=Duration.seconds(FUNCTIONS["Deliver"].timeout),
            failed_events=self.queues.failed_events,
        )
        self.functions.on_failure(self.queues.failed_events)
        self.functions.poll("Dispatch", self.queues.requests, partly=True)
        self.functions.poll("Upkeep", self.queues.outputs)
        # One message at a time: a slow receiver holds up no other.
        self.functions.poll("Deliver", self.webhooks.queue, batch=1, at_once=AT_ONCE)
        self._configure(settings, engines.value_as_string, stores.model_dump())
        self._grant(settings)
        self._export(settings)

    def _configure(self, settings: DeploymentSettings, engines: str, stores: dict[str, str]) -> None:
        prefix = settings.prefix
        receivers = {"webhooks_to_loopback": self._webhooks_to_loopback.value_as_string}
        webhooks = {
            "webhooks_table": self.webhooks.table.table_name,
            "webhooks_queue_url": self.webhooks.queue.queue_url,
        }
        intake = {
            **receivers,
            "requests_queue_url": self.queues.requests.queue_url,
            "engines": engines,
            "default_engine": settings.default_engine,
            "workflow": self._workflow.value_as_string,
            "model_aliases": self._aliases.value_as_string,
            "retention_days": settings.retention_days,
            "api_keys_table": self.api_keys.table.table_name,
            "quotas": settings.quotas.model_dump_json(),
            "guardrail": self._guardrail.value_as_string,
        }
        priced = self._priced.model_dump()
        writer = {"text_model": settings.text_model, "text_seconds": self._text_seconds.value_as_string}
        voice = {
            "voice": self._voice.value_as_string,
            "voice_engine": self._voice_engine.value_as_string,
        }
        machine = self.produce_video.machine.state_machine_arn
        build_project = self.assembly_build.name
        event_bus = {"event_bus": self.bus.event_bus_name}
        clips = {"clips_table": self.clip_queue.table.table_name}
        client = self.identity.client.user_pool_client_id
        endpoints = {
            **clips,
            "endpoint_prefix": settings.prefix,
            "invocation_seconds": settings.invocation_seconds,
            "request_ttl_seconds": settings.request_ttl_seconds,
        }
        self.functions.configure(
            {
                **({} if self.studio is None else {STUDIO: self.studio.settings}),
                "Authorizer": AuthorizerSettings(
                    api_keys_table=self.api_keys.table.table_name,
                    user_pool_id=self.identity.pool.user_pool_id,
                    user_pool_client_ids=client if self.studio is None else self.studio.client_ids(client),
                    usage_plan=prefix if settings.tenant_requests else "",
                ),
                "Api": ApiSettings(
                    **priced,
                    **clips,
                    **intake,
                    **writer,
                    **voice,
                    **webhooks,
                    state_machine_arn=machine,
                    deliver_function=self.functions["Deliver"].function_name,
                ),
                "ApiKeys": ApiKeysSettings(
                    api_keys_table=self.api_keys.table.table_name, output_bucket=stores["output_bucket"]
                ),
                "Operations": OperationsSettings(
                    **stores, **clips, engines=engines, runbooks=settings.runbooks
                ),
                "Intake": IntakeSettings(**priced, **intake, **writer, **voice),
                "Dispatch": DispatchSettings(**stores, state_machine_arn=machine),
                "WriteStoryboard": PlanSettings(**priced, **writer),
                "Narrate": NarrateSettings(**priced, **voice),
                "DrawStill": self._priced,
                "Review": EventsSettings(**stores, **event_bus),
                "Plan": PlanSettings(**priced, **writer, workflow=self._workflow.value_as_string),
                "DrawClip": ClipEventsSettings(**priced, **event_bus),
                "RenderClip": RenderClipSettings(**priced, **endpoints, **event_bus),
                "SettleClip": RenderClipSettings(**priced, **endpoints, **event_bus),
                "LookAtClips": WriterSettings(**priced, **writer),
                "CheckClips": self._priced,
                "Assemble": self._priced,
                "AssembleLong": AssembleLongSettings(**stores, build_project=build_project),
                "Publish": PublishSettings(
                    **stores, **event_bus, signing_secret=signing_secret(settings.prefix)
                ),
                "RecordFailure": RecordFailureSettings(**stores, **event_bus, **clips),
                "Deliver": DeliverSettings(
                    **stores,
                    **receivers,
                    **webhooks,
                    webhooks_dead_letters_url=self.webhooks.dead_letters.queue_url,
                ),
                "Upkeep": UpkeepSettings(
                    **priced,
                    **endpoints,
                    **event_bus,
                    film_hours=settings.film_hours,
                    requests_queue_url=self.queues.requests.queue_url,
                    state_machine_arn=machine,
                    build_project=build_project,
                    intake_function=self.functions["Intake"].function_name,
                    dead_letter_queue_urls=",".join(queue.queue_url for queue in self.queues.dead_letters),
                ),
            }
        )

    def _grant(self, settings: DeploymentSettings) -> None:
        role = self.functions.role
        grant_access(self.functions, buckets=self.buckets, table=self.table, clip_queue=self.clip_queue)
        self.api_keys.grant_get(role("Authorizer"))
        self.api_keys.grant_manage_keys(role("ApiKeys"))
        grant_objects(
            self.buckets.output,
            role("ApiKeys"),
            write=[keys.KEY_RECORDS_PREFIX],
            delete=[keys.KEY_RECORDS_PREFIX],
        )
        for name in ("Api", "Intake"):
            self.api_keys.grant_get_quotas(role(name))
        grant(self.assembly_build.role, ACCESS["Assemble"], buckets=self.buckets, table=self.table)
        self.assembly_build.grant_start(role("AssembleLong"))
        self.assembly_build.grant_look(role("Upkeep"))
        for name in ("Api", "Intake", "Upkeep"):
            allow(role(name), "sqs:SendMessage", on=[self.queues.requests.queue_arn])
        allow(
            role("Upkeep"),
            "sqs:ReceiveMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            on=[queue.queue_arn for queue in self.queues.dead_letters],
        )
        for name in ("DrawClip", "RenderClip", "SettleClip", "Review", "Publish", "RecordFailure", "Upkeep"):
            allow(role(name), "events:PutEvents", on=[self.bus.event_bus_arn])
        grant_sign(role("Publish"), settings.prefix, settings.signing_key)
        self.webhooks.grant_deliver(role("Deliver"))
        self.webhooks.grant_manage(role("Api"))
        allow(role("Api"), "lambda:InvokeFunction", on=[self.functions["Deliver"].function_arn])
        self.produce_video.grant_start(role("Dispatch"))
        self.produce_video.grant_executions(role("Api"), "StopExecution")
        self.produce_video.grant_executions(role("Upkeep"), "DescribeExecution", "StopExecution")
        failing = [*map(role, ("RenderClip", "SettleClip", "Upkeep")), self.assembly_build.role]
        self.produce_video.grant_answer(succeed=[*failing, role("Review"), role("Api")], fail=failing)
        allow(role("Upkeep"), "lambda:InvokeFunction", on=[self.functions["Intake"].function_arn])
        for name in ("Api", "Intake"):
            grant_check(role(name), settings.guardrail)
        for name in ("Api", "Plan", "LookAtClips"):
            grant_ask(role(name), settings.text_model)
        grant_ask(role("WriteStoryboard"), settings.text_model, *settings.text_models)
        grant_speak(role("Narrate"))
        for name in ("Api", "Intake"):
            grant_list_voices(role(name))
        grant_speak(role("Api"))
        grant_draw(role("DrawStill"))
        for name in ("RenderClip", "SettleClip", "Upkeep"):
            allow(
                role(name),
                "sagemaker:InvokeEndpointAsync",
                "sagemaker:DescribeEndpoint",  # how many instances it has
                on=[
                    self.format_arn(
                        service="sagemaker",
                        resource="endpoint",
                        resource_name=endpoint_name(settings.prefix, engine.name),
                    )
                    # Each by name: `{prefix}-*` would match another deployment whose prefix starts alike.
                    for engine in (*CATALOGUE.built_in.values(), *settings.added_engines)
                    if engine.renderer is Renderer.ENDPOINT
                ],
            )

    def _export(self, settings: DeploymentSettings) -> None:
        outputs = {
            "ApiUrl": self.api.url,
            "RestApiId": self.api.rest_api.rest_api_id,
            "RestApiStage": STAGE,
            "InputBucket": self.buckets.input.bucket_name,
            "OutputBucket": self.buckets.output.bucket_name,
            "LogsBucket": self.buckets.logs.bucket_name,
            "VideosTable": self.table.table.table_name,
            "ApiKeysTable": self.api_keys.table.table_name,
            "ClipsTable": self.clip_queue.table.table_name,
            "RequestsQueueUrl": self.queues.requests.queue_url,
            "RequestsDeadLetterQueueUrl": self.queues.requests_dead_letters.queue_url,
            "OutputsQueueUrl": self.queues.outputs.queue_url,
            "WebhooksTable": self.webhooks.table.table_name,
            "WebhooksQueueUrl": self.webhooks.queue.queue_url,
            "WebhooksDeadLetterQueueUrl": self.webhooks.dead_letters.queue_url,
            "FailedEventsQueueUrl": self.queues.failed_events.queue_url,
            "StateMachineArn": self.produce_video.machine.state_machine_arn,
            "UserPoolId": self.identity.pool.user_pool_id,
            "UserPoolClientId": self.identity.client.user_pool_client_id,
            "SuccessTopicArn": self.notices.success.topic_arn,
            "ErrorTopicArn": self.notices.error.topic_arn,
            "EventBusName": self.bus.event_bus_name,
            "UpkeepFunction": self.functions["Upkeep"].function_name,
            "EndpointPrefix": settings.prefix,
            **{f"Function{name}": self.functions[name].function_name for name in functions_of(settings)},
        }
        if self.studio is not None:
            outputs["StudioUrl"] = self.api.studio_url
        if self.api.domain is not None:
            # The DNS record of the domain points here.
            outputs["ApiDomainTarget"] = self.api.domain.domain_name_alias_domain_name
        for name, value in outputs.items():
            CfnOutput(self, f"{name}Output", value=value).override_logical_id(name)

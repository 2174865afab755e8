"""The typed environment of each function. CDK writes it with `env_of` and the function reads it with
`from_env`, so a misspelt or missing name fails when the template is synthesized."""

import os
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict

from lambdas.domain.engines import CATALOGUE
from lambdas.domain.prices import Makers, Prices
from lambdas.domain.quotas import Quotas

_PREFIX = "REELWORKS_"
# Of every function: JSON of the engines that the deployment adds to the catalogue.
ADDED_ENGINES = _PREFIX + "ADDED_ENGINES"


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read REELWORKS_<FIELD> for each field, and the engines that the deployment adds. Raises
        ValidationError naming what is missing."""
        source = os.environ if environment is None else environment
        CATALOGUE.add(source.get(ADDED_ENGINES, ""))
        names = {field: _PREFIX + field.upper() for field in cls.model_fields}
        return cls.model_validate({field: source[name] for field, name in names.items() if name in source})


def env_of(settings: Settings) -> dict[str, str]:
    """Return the environment variables that `from_env` of the same type reads back."""
    return {_PREFIX + field.upper(): str(value) for field, value in settings.model_dump().items()}


class StoreSettings(Settings):
    """Where videos, their journal and their artifacts are stored."""

    videos_table: str
    input_bucket: str
    output_bucket: str


class ClipsSettings(Settings):
    """Where clips wait for their engine, and engine calls for their answer."""

    clips_table: str


class EnginesSettings(Settings):
    engines: str  # names of the engines offered, comma-separated

    @property
    def offered(self) -> frozenset[str]:
        return frozenset(name.strip() for name in self.engines.split(",") if name.strip())


class OperationsSettings(StoreSettings, ClipsSettings, EnginesSettings):
    """Settings of the function that shows operators all tenants."""

    runbooks: str  # URL of the folder with the runbooks


class ReceiversSettings(Settings):
    """Where webhooks may go."""

    webhooks_to_loopback: str = "false"  # "true": also to this machine, which only a PC's user may allow

    @property
    def to_loopback(self) -> bool:
        return self.webhooks_to_loopback == "true"


class WebhooksSettings(StoreSettings, ReceiversSettings):
    """Where webhooks are kept and wait for their delivery."""

    webhooks_table: str
    webhooks_queue_url: str


class DeliverSettings(WebhooksSettings):
    webhooks_dead_letters_url: str


class PricedSettings(StoreSettings):
    """Settings of a function that makes something and records its cost."""

    prices: str  # JSON of lambdas.domain.prices.Prices

    @property
    def price_list(self) -> Prices:
        return Prices.model_validate_json(self.prices)


class AuthorizerSettings(Settings):
    api_keys_table: str
    user_pool_id: str
    user_pool_client_ids: str  # comma-separated
    usage_plan: str = ""  # prefix of the usage plan's lanes (lambdas.domain.names.lane_of); empty: no plan

    @property
    def client_ids(self) -> frozenset[str]:
        return frozenset(self.user_pool_client_ids.split(","))


class StudioSettings(Settings):
    """How the studio is served. Its function has no pydantic, so it reads the variables by their names."""

    studio_version: str
    media_origins: (
        str  # where links to films lead and files are sent to, space-separated; empty: the API's own
    )
    sign_in: str  # cognito or link
    sign_in_domain: str  # https://…; empty without Cognito
    sign_in_client: str


class ApiKeysSettings(Settings):
    """Where API keys are stored, and their journal."""

    api_keys_table: str
    output_bucket: str


class WriterSettings(PricedSettings):
    """Settings of a function that asks the text model."""

    text_model: str  # Bedrock model id or inference profile
    text_seconds: str  # a whole number: how long the text model may take for an answer

    @property
    def answer_seconds(self) -> int:
        return int(self.text_seconds)


class VoiceSettings(Settings):
    """The default voice. The speech service lists the others."""

    voice: str
    voice_engine: str


class IntakeSettings(WriterSettings, VoiceSettings, ReceiversSettings, EnginesSettings):
    """Settings for accepting requests, through the API and the drop folder. What makes a film, and its
    prices, are for estimates."""

    api_keys_table: str  # with the quotas that tenants have of their own
    quotas: str = "{}"  # JSON of lambdas.domain.quotas.Quotas: those of all other tenants
    requests_queue_url: str
    default_engine: str
    workflow: str = ""  # JSON of the user's ComfyUI workflow, see lambdas.domain.engines.deployed
    model_aliases: str = ""  # "sora-2=cogvideox-5b,…": other names for engines
    retention_days: int
    guardrail: str = ""  # ID:VERSION of the guardrail that checks what users write; empty: none
    link_seconds: int = 3600  # lifetime of a presigned link

    @property
    def default_quotas(self) -> Quotas:
        return Quotas.model_validate_json(self.quotas)

    @property
    def aliases(self) -> dict[str, str]:
        pairs = (pair.partition("=") for pair in self.model_aliases.split(",") if pair.strip())
        return {alias.strip(): engine.strip() for alias, _, engine in pairs}

    @property
    def makers(self) -> Makers:
        return Makers(self.price_list, self.text_model, self.voice_engine)


class ApiSettings(IntakeSettings, ClipsSettings, WebhooksSettings):
    state_machine_arn: str
    deliver_function: str  # invoked to test a webhook


class DispatchSettings(StoreSettings):
    state_machine_arn: str


class PlanSettings(WriterSettings):
    workflow: str = ""  # as in IntakeSettings


class NarrateSettings(PricedSettings, VoiceSettings):
    pass


class EventsSettings(StoreSettings):
    """Settings of a function that emits events of videos."""

    event_bus: str


class ClipEventsSettings(PricedSettings, EventsSettings):
    pass


class RenderClipSettings(PricedSettings, EventsSettings, ClipsSettings):
    """Settings for handing clips to the engines' endpoints. Prices are for what a clip may cost at most."""

    endpoint_prefix: str
    invocation_seconds: int  # InvocationTimeoutSeconds, at most 3600
    request_ttl_seconds: int  # RequestTTLSeconds: how long a request may wait in the endpoint's queue


class AssembleLongSettings(StoreSettings):
    build_project: str


class AssemblyBuildSettings(PricedSettings):
    """The environment of a build: the project's variables and those that the build is started with."""

    task: str  # JSON of a VideoTask (lambdas.production.task_token)


TASK_VARIABLE = _PREFIX + "TASK"


class PublishSettings(EventsSettings):
    signing_secret: str  # the secret's name; films are not signed if there is none (adapters/signing_key.py)


class RecordFailureSettings(EventsSettings, ClipsSettings):
    pass


class UpkeepSettings(RenderClipSettings):
    requests_queue_url: str
    state_machine_arn: str
    build_project: str
    film_hours: int  # how long a film may take after its first clip has started
    intake_function: str  # invoked again for drop-folder objects whose event was lost
    dead_letter_queue_urls: str  # comma-separated

    @property
    def dead_letter_queues(self) -> list[str]:
        return self.dead_letter_queue_urls.split(",")

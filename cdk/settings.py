"""The deployment settings: "reelworks" in cdk.json's context, validated at synth."""

import json
import os
import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from cdk.instances import INSTANCES, default_instances
from lambdas.domain.engines import CATALOGUE, Engine, Renderer
from lambdas.domain.errors import Fault
from lambdas.domain.licences import LicenceName, missing, terms
from lambdas.domain.prices import AWS, PRICED, Prices
from lambdas.domain.quotas import Quotas
from lambdas.domain.relays import EngineName, RelaySettings

_CDK_JSON = Path(__file__).parent.parent / "cdk.json"
PREFIX_VARIABLE = "REELWORKS_PREFIX"  # chooses a deployment other than cdk.json's
StackKind = Literal["Pipeline", "Operations", "Image", "RelayImage", "Engines"]


class SettingsError(Exception):
    """Deployment settings are unknown, missing or invalid; the message has one line for each."""


class EndpointSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    # In order of preference: the next is used when the one before has no capacity (instance pools, at most
    # five).
    instance_types: Annotated[tuple[str, ...], Field(min_length=1, max_length=5)]
    max_instances: Annotated[int, Field(ge=1, le=100)]

    @model_validator(mode="after")
    def _instances_are_known(self) -> Self:
        for name in self.instance_types:
            if name not in INSTANCES:
                raise ValueError(
                    f"instance_types must be one of: {', '.join(INSTANCES)} (cdk/instances.py); got {name!r}"
                )
        return self


_MAX_INSTANCES = 2  # of an endpoint that has no settings


def _arn(service: str, resource: str, what: str) -> AfterValidator:
    """Return a validator of an ARN; `resource` is a pattern. Allows an empty text, for none."""
    pattern = re.compile(rf"arn:aws[a-z-]*:{service}:[a-z0-9-]*:(\d{{12}}|aws):{resource}")
    example = f"arn:aws:{service}:…"

    def check(arn: str) -> str:
        if arn and not pattern.fullmatch(arn):
            raise ValueError(f"must be the ARN of {what} ({example}) or empty; got {arn!r}")
        return arn

    return AfterValidator(check)


def _of_the_user(key: str) -> str:
    if key.lower().startswith("aws:"):
        raise ValueError(f"must not start with aws:, which AWS reserves; got {key!r}")
    return key


TagKey = Annotated[str, Field(pattern=r"^[\w .:/=+@-]{1,128}$"), AfterValidator(_of_the_user)]


class VpcSettings(BaseModel):
    """A VPC of the account. docs/deploy.md lists the endpoints that it needs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^vpc-[0-9a-f]+$")]
    # CodeBuild and SageMaker accept at most 16 subnets and 5 security groups.
    subnets: Annotated[
        tuple[Annotated[str, Field(pattern=r"^subnet-[0-9a-f]+$")], ...], Field(min_length=1, max_length=16)
    ]
    security_groups: Annotated[
        tuple[Annotated[str, Field(pattern=r"^sg-[0-9a-f]+$")], ...], Field(min_length=1, max_length=5)
    ]


class DomainSettings(BaseModel):
    """A domain name of the API, and its certificate in ACM in the region of the API."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$")]
    certificate: Annotated[str, Field(min_length=1), _arn("acm", "certificate/.+", "a certificate")]


_FEWEST_ADDRESS_REQUESTS = 10  # of WAF's rate-based rules

# Step Functions runs at most 40 iterations of a map within an execution at once.
_AtOnce = Annotated[int, Field(ge=1, le=40)]


class AtOnce(BaseModel):
    """How much of one film is worked on at once. Lower it where the account allows few concurrent functions
    (new accounts: 10)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prepare_scenes: _AtOnce = 4  # narrated, and their stills drawn
    render_scenes: _AtOnce = 40
    render_clips: _AtOnce = 6  # of each scene: enough for several instances, few enough for a PC's processes


class TenantRequests(BaseModel):
    """How many requests of any kind a tenant may send to the API: API Gateway's usage plan. Not on a PC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_second: Annotated[int, Field(ge=1, le=10_000)]
    burst: Annotated[int, Field(ge=1, le=5_000)]


class GuardrailSettings(BaseModel):
    """A guardrail of Amazon Bedrock in the account and region of the API, which checks what users write."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z0-9]{1,64}$")]
    version: Annotated[str, Field(pattern=r"^([1-9][0-9]{0,7}|DRAFT)$")]

    def __str__(self) -> str:
        return f"{self.id}:{self.version}"


class Relay(RelaySettings):
    """An engine on an endpoint whose server is the deployer's choice (docs/relay.md)."""

    # Variables of the server, for example SM_VLLM_TENSOR_PARALLEL_SIZE.
    environment: dict[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")], str] = {}


class DeploymentSettings(BaseModel):
    """The settings of one deployment. cdk.json has a value for each; docs/deploy.md explains them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Names the deployment: every physical name starts with it, from {prefix}-output-{account}-{region} (a
    # bucket, at most 63 characters) to the stacks, and it is a dimension of every metric.
    prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,18}[a-z0-9]$")]
    engines: Annotated[tuple[str, ...], Field(min_length=1)]
    default_engine: str
    model_aliases: dict[Annotated[str, Field(pattern=r"^[^=,\s]+$")], str]
    text_model: Annotated[str, Field(min_length=1)]
    # How long the text model may take for an answer. A storyboard's question and the one to repair it must
    # end within a Lambda function's 900 s.
    text_seconds: Annotated[int, Field(ge=10, le=420)]
    text_models: tuple[Annotated[str, Field(min_length=1)], ...]  # further models that a request may choose
    voice: Annotated[str, Field(min_length=1)]
    voice_engine: Literal["standard", "neural", "long-form", "generative"]
    retention_days: Annotated[int, Field(ge=1, le=3650)]
    log_retention_days: Literal[1, 3, 5, 7, 14, 30, 60, 90, 180, 365]  # those CloudWatch Logs supports
    allowed_cidrs: tuple[IPv4Network | IPv6Network, ...]
    alarm_email: Annotated[str, Field(pattern=r"^$|^[^@\s]+@[^@\s]+$")]
    alarm_topic: Annotated[str, _arn("sns", "[^:]+", "an SNS topic")]  # empty: a topic of its own
    # The role that API Gateway writes logs with belongs to the account and region: `existing-role` uses it,
    # `create-role` replaces it, and without one a stage with logs cannot be deployed.
    api_logs: Literal["off", "existing-role", "create-role"]
    api_domain: DomainSettings | None
    studio: bool  # serve the studio
    snap_start: bool  # start the API's functions from a snapshot, which costs by the hour and by start
    kms_key: Annotated[str, _arn("kms", "key/(mrk-)?[0-9a-f-]{32,36}", "a KMS key")]  # empty: AWS's own keys
    # The KMS key that signs films; empty: the secret of `reel credentials set` has the private key itself.
    signing_key: Annotated[str, _arn("kms", "key/(mrk-)?[0-9a-f-]{32,36}", "a KMS key")]
    vpc: VpcSettings | None
    permissions_boundary: Annotated[str, _arn("iam", "policy/.+", "a managed policy")]
    tags: dict[TagKey, Annotated[str, Field(max_length=256)]]
    deletion_protection: bool
    journal_version_days: Annotated[int, Field(ge=0, le=3650)]  # 0: the journal has no versions
    # Whose faults: a film that fails by one of them is told to the alarms' topic, with its reason.
    failed_film_notices: tuple[Fault, ...]
    monthly_budget: Annotated[float, Field(ge=0, allow_inf_nan=False)]  # USD of the whole account; 0: none
    guardrail: GuardrailSettings | None  # null: what users write is not checked
    quotas: Quotas  # of each tenant that has none of its own (`reel tenants set`); null: unlimited
    tenant_requests: TenantRequests | None
    # Requests of one address within five minutes, by AWS WAF, which has a monthly cost; 0: no limit. The
    # bounds are WAF's.
    address_requests: Annotated[int, Field(ge=0, le=2_000_000_000)]
    # Where operators find the runbooks: this folder's URL, for example in the team's fork of the repository.
    runbooks: Annotated[str, Field(pattern=r"^\S*[^\s/]$")]
    # The limits are those of InvokeEndpointAsync.
    invocation_seconds: Annotated[int, Field(ge=1, le=3600)]
    request_ttl_seconds: Annotated[int, Field(ge=60, le=21600)]
    review_hours: Annotated[int, Field(ge=1, le=720)]
    at_once: AtOnce
    # How long a film may take after its first clip has started; an execution lasts at most a year.
    film_hours: Annotated[int, Field(ge=1, le=4000)]
    # USD; override those in lambdas/domain/prices.py, which gives the unit of each.
    prices: dict[Annotated[str, Field(pattern=PRICED)], Annotated[float, Field(ge=0, allow_inf_nan=False)]]
    # Empty: {prefix}-models-{account}-{region}. The deployer creates and fills the bucket.
    model_bucket: str
    model_prefix: Annotated[str, Field(pattern=r"^[^/\s][^\s]*[^/\s]$")]
    accepted_licences: tuple[LicenceName, ...]  # of models
    endpoints: dict[str, EndpointSettings]  # of engines whose endpoints are not the default's
    relays: dict[EngineName, Relay]  # engines that the deployment adds, by name
    # The image that theirs are made of: a server with /v1/videos, AWS's own by default.
    relay_image: Annotated[str, Field(pattern=r"^[a-z0-9.-]+(:\d+)?/[a-z0-9._/-]+[:@][A-Za-z0-9._:-]+$")]
    # Where the engines' container image is built; "docker" is the deployer's machine.
    image_builder: Literal["codebuild", "docker"]

    @model_validator(mode="after")
    def _settings_agree(self) -> Self:
        for field, names in (
            ("engines", self.engines),
            ("default_engine", (self.default_engine,)),
            ("model_aliases", self.model_aliases.values()),
            ("endpoints", self.endpoints),
        ):
            built_in = (name for name, engine in CATALOGUE.built_in.items() if not engine.workflow)
            hosted = [*built_in, *self.relays]
            # An endpoint may be described before its engine is offered.
            allowed = hosted if field in ("engines", "endpoints") else self.engines
            for name in names:
                if name not in allowed:
                    raise ValueError(f"{field} must be one of: {', '.join(allowed)}; got {name!r}")
        if self.alarm_topic and self.alarm_email:
            raise ValueError(
                f"alarm_email must be empty with alarm_topic; got {self.alarm_email!r}. Subscribe the "
                "address to the topic instead."
            )
        if 0 < self.address_requests < _FEWEST_ADDRESS_REQUESTS:
            raise ValueError(
                f"address_requests must be 0 or at least {_FEWEST_ADDRESS_REQUESTS}; got "
                f"{self.address_requests}"
            )
        for name in self.endpoint_engines:
            if name in self.relays and name not in self.endpoints:
                raise ValueError(f"endpoints must have an entry for engine {name!r}")
            lacking = missing(CATALOGUE[name].licences, self.accepted_licences)
            if lacking:
                raise ValueError(
                    f"accepted_licences must have {' and '.join(lacking)} for engine {name!r}: accept the "
                    f"licences by adding the names ({terms(lacking)})"
                )
        return self

    def endpoint(self, engine: str) -> EndpointSettings:
        """Return the settings of the engine's endpoint: those given, else the cheapest that holds it."""
        default = EndpointSettings(instance_types=default_instances(engine), max_instances=_MAX_INSTANCES)
        return self.endpoints.get(engine, default)

    @property
    def added_engines(self) -> list[Engine]:
        """The catalogue's entries of the engines that the deployment adds."""
        return [relay.engine(name) for name, relay in self.relays.items()]

    @property
    def endpoint_engines(self) -> tuple[str, ...]:
        """The engines that run on an endpoint of the engines stack."""
        return tuple(
            name
            for name in self.engines
            if name in self.relays or CATALOGUE.built_in[name].renderer is Renderer.ENDPOINT
        )

    @property
    def price_list(self) -> Prices:
        """AWS's prices, an endpoint's by its first instance type; the deployer's own prices override them."""
        hourly = {
            engine: INSTANCES[self.endpoint(engine).instance_types[0]].usd_per_hour
            for engine in self.endpoint_engines
        }
        aws = AWS.with_instances({engine: usd for engine, usd in hourly.items() if usd is not None})
        return aws.model_copy(update={"each": {**aws.each, **self.prices}})

    def image_stack_of(self, engine: str) -> StackKind:
        """Return the stack with the image of an engine on an endpoint."""
        return "RelayImage" if engine in self.relays else "Image"

    def stack_name(self, stack: StackKind) -> str:
        return stack_name(self.prefix, stack)

    @classmethod
    def of_checkout(
        cls, environment: Mapping[str, str] = os.environ, given: Mapping[str, Any] | str = "{}"
    ) -> Self:
        """Return the settings that `make deploy` uses: cdk.json's, with the prefix in REELWORKS_PREFIX.
        `given` overrides both, as in of_context.

        Raises SettingsError if a setting is unknown, missing or invalid.
        """
        prefix = environment.get(PREFIX_VARIABLE)
        defaults = cdk_json()["reelworks"]
        return cls.of_context({**defaults, "prefix": prefix} if prefix else defaults, given)

    @classmethod
    def of_context(cls, defaults: Mapping[str, Any], given: Mapping[str, Any] | str) -> Self:
        """Return the settings of cdk.json, overridden by `given`.

        On the command line `given` is text: `-c reelworks='{"retention_days": 30}'`.
        Raises SettingsError if a setting is unknown, missing or invalid.
        """
        if isinstance(given, str):
            given = _object(given)
        try:
            return cls.model_validate({**defaults, **given})
        except ValidationError as error:
            lines = (
                f"  {'.'.join(map(str, problem['loc'])) or 'reelworks'}: {problem['msg']}"
                for problem in error.errors()
            )
            raise SettingsError("invalid deployment settings (cdk.json):\n" + "\n".join(lines)) from None


def stack_name(prefix: str, stack: StackKind) -> str:
    """Return a stack's name, for example Reelworks-Pipeline for the prefix `reelworks`."""
    return f"{prefix.capitalize()}-{stack}"


def cdk_json() -> dict[str, Any]:
    """Return the context in cdk.json."""
    context: dict[str, Any] = json.loads(_CDK_JSON.read_text(encoding="utf-8"))["context"]
    return context


def _object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise SettingsError(f"-c reelworks must be a JSON object; got {text!r}")
    return value

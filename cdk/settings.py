"""The deployment settings: "reelworks" in cdk.json's context, validated at synth."""

import json
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cdk.instances import INSTANCES
from lambdas.domain.engines import CATALOGUE, Renderer
from lambdas.domain.prices import AWS, PRICED, Prices


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


# Step Functions runs at most 40 iterations of a map within an execution at once.
_AtOnce = Annotated[int, Field(ge=1, le=40)]


class AtOnce(BaseModel):
    """How much of one film is worked on at once. Lower it where the account allows few concurrent functions
    (new accounts: 10)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prepare_scenes: _AtOnce = 4  # narrated, and their stills drawn
    render_scenes: _AtOnce = 40
    render_clips: _AtOnce = 6  # of each scene: enough for several instances, few enough for a PC's processes


class DeploymentSettings(BaseModel):
    """The settings of one deployment. cdk.json has a value for each; docs/deploy.md explains them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Starts the names of buckets ({prefix}-output-{account}-{region}, at most 63 characters) and endpoints.
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
    endpoints: dict[str, EndpointSettings]

    @model_validator(mode="after")
    def _engines_are_known(self) -> Self:
        for field, names in (
            ("engines", self.engines),
            ("default_engine", (self.default_engine,)),
            ("model_aliases", self.model_aliases.values()),
            ("endpoints", self.endpoints),
        ):
            hosted = [name for name, engine in CATALOGUE.items() if not engine.workflow]
            allowed = hosted if field == "engines" else self.engines
            for name in names:
                if name not in allowed:
                    raise ValueError(f"{field} must be one of: {', '.join(allowed)}; got {name!r}")
        for name in self.endpoint_engines:
            if name not in self.endpoints:
                raise ValueError(f"endpoints must have an entry for engine {name!r}")
        return self

    @property
    def endpoint_engines(self) -> tuple[str, ...]:
        """The engines that run on an endpoint of the engines stack."""
        return tuple(name for name in self.engines if CATALOGUE[name].renderer is Renderer.ENDPOINT)

    @property
    def price_list(self) -> Prices:
        """AWS's prices, an endpoint's by its first instance type; the deployer's own prices override them."""
        hourly = {
            engine: INSTANCES[self.endpoints[engine].instance_types[0]].usd_per_hour
            for engine in self.endpoint_engines
        }
        aws = AWS.with_instances({engine: usd for engine, usd in hourly.items() if usd is not None})
        return aws.model_copy(update={"each": {**aws.each, **self.prices}})

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


def _object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise SettingsError(f"-c reelworks must be a JSON object; got {text!r}")
    return value

"""The settings of a deployment: "reelworks" of cdk.json's context, checked when the template is made."""

import json
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cdk.instances import INSTANCES
from lambdas.domain.engines import CATALOGUE, Renderer
from lambdas.domain.prices import AWS, PRICED, Prices


class SettingsError(Exception):
    """A deployment setting is unknown, missing or wrong; the message has a line for each."""


class EndpointSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    # The first is asked for, the others when there is none to be had (instance pools, at most five).
    instance_types: Annotated[tuple[str, ...], Field(min_length=1, max_length=5)]
    max_instances: Annotated[int, Field(ge=1, le=100)]

    @model_validator(mode="after")
    def _instances_are_known(self) -> Self:
        for name in self.instance_types:
            if name not in INSTANCES:
                raise ValueError(f"{name!r} is not one of: {', '.join(INSTANCES)} (cdk/instances.py)")
        return self


class DeploymentSettings(BaseModel):
    """cdk.json holds a value for each; docs/deploy.md says what they mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Begins the names of buckets ({prefix}-output-{account}-{region}, at most 63) and endpoints.
    prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,18}[a-z0-9]$")]
    engines: Annotated[tuple[str, ...], Field(min_length=1)]
    default_engine: str
    model_aliases: dict[Annotated[str, Field(pattern=r"^[^=,\s]+$")], str]
    text_model: Annotated[str, Field(min_length=1)]
    text_models: tuple[Annotated[str, Field(min_length=1)], ...]  # others that a request may name
    voice: Annotated[str, Field(min_length=1)]
    voice_engine: Literal["standard", "neural", "long-form", "generative"]
    retention_days: Annotated[int, Field(ge=1, le=3650)]
    log_retention_days: Literal[1, 3, 5, 7, 14, 30, 60, 90, 180, 365]  # CloudWatch Logs takes no others
    allowed_cidrs: tuple[IPv4Network | IPv6Network, ...]
    alarm_email: Annotated[str, Field(pattern=r"^$|^[^@\s]+@[^@\s]+$")]
    # InvokeEndpointAsync's own limits.
    invocation_seconds: Annotated[int, Field(ge=1, le=3600)]
    request_ttl_seconds: Annotated[int, Field(ge=60, le=21600)]
    review_hours: Annotated[int, Field(ge=1, le=720)]
    # USD, over those of lambdas/domain/prices.py, which says the unit of each.
    prices: dict[Annotated[str, Field(pattern=PRICED)], Annotated[float, Field(ge=0, allow_inf_nan=False)]]
    model_bucket: str  # empty: {prefix}-models-{account}-{region}, which the deployer makes and fills
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
                    raise ValueError(f"{field}: {name!r} is not one of: {', '.join(allowed)}")
        for name in self.endpoint_engines:
            if name not in self.endpoints:
                raise ValueError(f"endpoints: no instance type for the engine {name!r}")
        return self

    @property
    def endpoint_engines(self) -> tuple[str, ...]:
        """The engines that run on an endpoint of the engines stack."""
        return tuple(name for name in self.engines if CATALOGUE[name].renderer is Renderer.ENDPOINT)

    @property
    def price_list(self) -> Prices:
        """What AWS takes, of an endpoint for the first of its instance types; the deployer's own go first."""
        hourly = {
            engine: INSTANCES[self.endpoints[engine].instance_types[0]].usd_per_hour
            for engine in self.endpoint_engines
        }
        aws = AWS.with_instances({engine: usd for engine, usd in hourly.items() if usd is not None})
        return aws.model_copy(update={"each": {**aws.each, **self.prices}})

    @classmethod
    def of_context(cls, defaults: Mapping[str, Any], given: Mapping[str, Any] | str) -> Self:
        """The settings of cdk.json with those given over them; on the command line they are text:
        `-c reelworks='{"retention_days": 30}'`. Raises SettingsError."""
        if isinstance(given, str):
            given = _object(given)
        try:
            return cls.model_validate({**defaults, **given})
        except ValidationError as error:
            lines = (
                f"  {'.'.join(map(str, problem['loc'])) or 'reelworks'}: {problem['msg']}"
                for problem in error.errors()
            )
            raise SettingsError("the deployment's settings (cdk.json):\n" + "\n".join(lines)) from None


def _object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise SettingsError(f"-c reelworks takes a JSON object, not {text!r}")
    return value

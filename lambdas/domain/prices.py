"""Estimate what a film costs, from the list prices of the services that make it.

The estimates leave out free tiers, discounts, taxes, failed attempts, requests, storage and transfer. On a PC
nothing is billed (docs/decisions/0022-what-a-film-cost.md).
"""

from collections.abc import Iterable
from typing import NamedTuple

from lambdas.domain.documents import Document

_BUILD = "build minute"
_GB_SECOND = "function GB-second"
# Regular expression of the priced units: one character or picture, 1,000 tokens read or written, a second of
# the instance that an engine runs on.
PRICED = rf"^((character|still|input|output|instance) \S+|{_GB_SECOND}|{_BUILD})$"


class Prices(Document):
    """USD per unit. `other` is the price of units not listed; None: unknown, and so is their cost."""

    each: dict[str, float] = {}
    other: float | None = None

    def narration(self, engine: str, characters: int) -> float | None:
        """Return the cost of that many characters, without markup, spoken by a Polly engine."""
        return self._cost((f"character {engine}", characters))

    def still(self, quality: str) -> float | None:
        return self._cost((f"still {quality}", 1))

    def text(self, model: str, input_tokens: int, output_tokens: int) -> float | None:
        """Return the cost of one answer of a text model; `model` is the id used in the request."""
        return self._cost(
            (f"input {model}", input_tokens / 1_000),
            (f"output {model}", output_tokens / 1_000),
        )

    def instance_second(self, engine: str) -> float | None:
        """Return the cost per second of the instance that an engine's endpoint runs on."""
        return self._cost((f"instance {engine}", 1))

    def has_instance(self, engine: str) -> bool:
        """Return whether the engine runs on an instance whose price is listed."""
        return f"instance {engine}" in self.each

    def function_second(self, memory_mb: int) -> float | None:
        """Return the cost per second of a function with that much memory."""
        return self._cost((_GB_SECOND, memory_mb / 1024))

    def build_second(self) -> float | None:
        return self._cost((_BUILD, 1 / 60))

    def with_instances(self, usd_per_hour: dict[str, float]) -> "Prices":
        """Return these prices with those of the engines' instances added."""
        seconds = {f"instance {engine}": usd / 3600 for engine, usd in usd_per_hour.items()}
        return self.model_copy(update={"each": {**self.each, **seconds}})

    def _cost(self, *used: tuple[str, float]) -> float | None:
        prices = [(self.each.get(name, self.other), amount) for name, amount in used]
        return total(None if price is None else price * amount for price, amount in prices)


class Makers(NamedTuple):
    """What makes a film besides its engine: the deployment's text model and voice, and all prices."""

    prices: Prices
    text_model: str
    voice_engine: str


def total(costs: Iterable[float | None]) -> float | None:
    """Return the sum of the costs; None if any of them is unknown."""
    known: list[float] = []
    for cost in costs:
        if cost is None:
            return None
        known.append(cost)
    return round(sum(known), 12)


def of_time(usd_per_second: float | None, started_ms: int, finished_ms: int) -> float | None:
    """Return the cost of something billed per second, between two times."""
    return None if usd_per_second is None else total([usd_per_second * (finished_ms - started_ms) / 1000])


def of_work(usd_per_second: float | None, seconds: float | None) -> float | None:
    """Return the cost of work that took `seconds`; None if the price or the time is unknown."""
    if usd_per_second == 0:
        return 0.0
    return None if usd_per_second is None or seconds is None else total([usd_per_second * seconds])


FREE = Prices(other=0.0)  # services on the user's own PC

# On-demand list prices in us-east-1, stills in us-west-2, without AWS's free tier. Each is taken from public
# pages and repositories that quoted AWS's price page in 2026; none was fetched from AWS itself. Prices differ
# by region and change: a deployment sets its own with the template's parameter `Prices`.
AWS = Prices(
    each={
        # aws.amazon.com/polly/pricing: USD 4, 16, 100 and 30 per million characters (2026-04)
        "character standard": 4e-6,
        "character neural": 16e-6,
        "character long-form": 100e-6,
        "character generative": 30e-6,
        # aws.amazon.com/bedrock/pricing, Stability AI: Stable Image Core and Ultra (2026-04)
        "still standard": 0.04,
        "still premium": 0.14,
        # aws.amazon.com/bedrock/pricing, per 1,000 tokens (2026-05); Claude's regional profiles cost a tenth
        # more than the global one
        "input global.anthropic.claude-haiku-4-5-20251001-v1:0": 0.001,
        "output global.anthropic.claude-haiku-4-5-20251001-v1:0": 0.005,
        "input us.anthropic.claude-haiku-4-5-20251001-v1:0": 0.0011,
        "output us.anthropic.claude-haiku-4-5-20251001-v1:0": 0.0055,
        "input eu.anthropic.claude-haiku-4-5-20251001-v1:0": 0.0011,
        "output eu.anthropic.claude-haiku-4-5-20251001-v1:0": 0.0055,
        "input global.anthropic.claude-sonnet-4-5-20250929-v1:0": 0.003,
        "output global.anthropic.claude-sonnet-4-5-20250929-v1:0": 0.015,
        "input amazon.nova-micro-v1:0": 0.000035,
        "output amazon.nova-micro-v1:0": 0.00014,
        "input amazon.nova-lite-v1:0": 0.00006,
        "output amazon.nova-lite-v1:0": 0.00024,
        "input amazon.nova-pro-v1:0": 0.0008,
        "output amazon.nova-pro-v1:0": 0.0032,
        # aws.amazon.com/lambda/pricing: ARM, first tier (2026-04)
        _GB_SECOND: 0.0000133334,
        # aws.amazon.com/codebuild/pricing: arm1.small (2026-04)
        _BUILD: 0.0034,
    }
)

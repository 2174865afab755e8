"""The instance types that engines run on, with GPU and price.

Prices are in USD per hour of on-demand SageMaker hosting in us-east-1, from AWS's price list of August 2026,
as quoted by several public repositories; they were not fetched again:
https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonSageMaker/current/us-east-1/index.json
Prices differ by region and change: see https://aws.amazon.com/sagemaker/ai/pricing/. For a price of None,
look it up there.
"""

from dataclasses import dataclass

PRICE_REGION = "us-east-1"
PRICE_DATE = "2026-08"


@dataclass(frozen=True)
class Instance:
    """An instance with one GPU; `gpu_gb` is its memory as stated by the manufacturer, `main_gb` that of the
    instance."""

    gpu: str
    gpu_gb: int
    main_gb: int
    usd_per_hour: float | None


# All have one GPU, because a server renders one clip at a time on one GPU. All support _HOST of
# engine_endpoint.py.
INSTANCES: dict[str, Instance] = {
    "ml.g6.2xlarge": Instance("L4", 24, 32, 1.222),
    "ml.g5.2xlarge": Instance("A10G", 24, 32, 1.515),
    "ml.g6e.2xlarge": Instance("L40S", 48, 64, 2.80),
    "ml.g6e.4xlarge": Instance("L40S", 48, 128, 3.76),
    "ml.p5.4xlarge": Instance("H100", 80, 256, None),
}

# The type on which an engine's clips cost the least, of those that hold its model (docs/engines.md), and
# another with the same GPU, if there is one, for when there is no capacity. Written by hand, because what it
# follows from needs PyTorch, which a deployment does without; tests compare it with the memory plan and with
# benchmarks/engine_clips.py.
_USUAL = ("ml.g6e.2xlarge", "ml.g6e.4xlarge")
_OTHERS: dict[str, tuple[str, ...]] = {
    # Others take longer than SageMaker allows.
    "wan2.1-i2v-14b-720p": ("ml.p5.4xlarge",),
    "wan2.1-flf2v-14b": ("ml.p5.4xlarge",),
    # Their weights need more main memory.
    **dict.fromkeys(
        (
            "wan2.2-t2v-a14b", "wan2.2-i2v-a14b",
            "ltx-2-19b", "ltx-2-19b-distilled", "ltx-2.3-22b", "ltx-2.3-22b-distilled",
        ),
        ("ml.g6e.4xlarge",),
    ),
}  # fmt: skip


def default_instances(engine: str) -> tuple[str, ...]:
    """Return the instance types for an engine whose endpoint has none set, in order of preference."""
    return _OTHERS.get(engine, _USUAL)

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
    """An instance with one GPU; `gpu_gb` is its memory as stated by the manufacturer."""

    gpu: str
    gpu_gb: int
    usd_per_hour: float | None


# All have one GPU, because a server renders one clip at a time on one GPU. All support _HOST of
# engine_endpoint.py.
INSTANCES: dict[str, Instance] = {
    "ml.g6.2xlarge": Instance("L4", 24, 1.222),
    "ml.g5.2xlarge": Instance("A10G", 24, 1.515),
    "ml.g6e.2xlarge": Instance("L40S", 48, 2.80),
    "ml.g6e.4xlarge": Instance("L40S", 48, 3.76),
    "ml.p5.4xlarge": Instance("H100", 80, None),
}

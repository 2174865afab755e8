"""The instance types that engines run on: their GPU and their price.

Prices are USD an hour of SageMaker hosting in us-east-1, on demand, as AWS's price list gave them in August
2026, quoted by several public repositories and not fetched anew:
https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonSageMaker/current/us-east-1/index.json
They differ by region and change: see https://aws.amazon.com/sagemaker/ai/pricing/. None: look it up there.
"""

from dataclasses import dataclass

PRICE_REGION = "us-east-1"
PRICE_DATE = "2026-08"


@dataclass(frozen=True)
class Instance:
    """One GPU of `gpu_gb` of memory, as its maker counts."""

    gpu: str
    gpu_gb: int
    usd_per_hour: float | None


# All with one GPU: a server renders one clip at a time on one. All run _HOST of engine_endpoint.py.
INSTANCES: dict[str, Instance] = {
    "ml.g6.2xlarge": Instance("L4", 24, 1.222),
    "ml.g5.2xlarge": Instance("A10G", 24, 1.515),
    "ml.g6e.2xlarge": Instance("L40S", 48, 2.80),
    "ml.g6e.4xlarge": Instance("L40S", 48, 3.76),
    "ml.p5.4xlarge": Instance("H100", 80, None),
}

"""Engines behind SageMaker async endpoints."""

from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.clients import error_code, translated
from lambdas.domain.errors import EngineFailed


class Endpoints:
    def __init__(
        self, sagemaker_runtime: Any, sagemaker: Any, *, invocation_seconds: int, request_ttl_seconds: int
    ) -> None:
        self._runtime = sagemaker_runtime
        self._sagemaker = sagemaker
        self._invocation_seconds = invocation_seconds
        self._request_ttl_seconds = request_ttl_seconds

    def invoke(self, endpoint: str, *, bucket: str, key: str, inference_id: str) -> None:
        """Queue the request stored at s3://bucket/key. Raises EngineFailed if the endpoint does not exist."""
        with translated(f"invoke {endpoint}"):
            try:
                self._runtime.invoke_endpoint_async(
                    EndpointName=endpoint,
                    InputLocation=f"s3://{bucket}/{key}",
                    InferenceId=inference_id,
                    ContentType="application/json",
                    Accept="video/mp4",
                    InvocationTimeoutSeconds=self._invocation_seconds,
                    RequestTTLSeconds=self._request_ttl_seconds,
                )
            except ClientError as error:
                if error_code(error) == "ValidationError":
                    raise EngineFailed(
                        f"endpoint {endpoint} did not accept the request: {error}",
                        advice=f"Check that the engines stack is deployed and {endpoint} is in service.",
                    ) from error
                raise

    def instances(self, endpoint: str) -> int:
        """Return how many instances the endpoint has; 0 if it does not exist."""
        with translated(f"describe {endpoint}"):
            try:
                found = self._sagemaker.describe_endpoint(EndpointName=endpoint)
            except ClientError as error:
                if error_code(error) == "ValidationException":
                    return 0
                raise
        variants = found.get("ProductionVariants", [])
        return sum(int(variant.get("CurrentInstanceCount", 0)) for variant in variants)

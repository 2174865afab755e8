"""A usage plan of the REST API: how many requests a tenant may send, before any function of the API runs.

A usage plan counts by API Gateway's own keys. The callers' keys are not of that kind, so the authorizer
names one for each caller (apiKeySource AUTHORIZER): one of LANES, by the tenant's name. A tenant that floods
the API slows down only those in its lane (docs/decisions/0045-quotas-are-counted-with-the-record.md).
Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-key-source.html
"""

from aws_cdk import aws_apigateway as apigateway
from constructs import Construct

from lambdas.domain.names import LANES, lane_name


class UsagePlan(Construct):
    def __init__(
        self, scope: Construct, id: str, *, api: apigateway.RestApi, prefix: str, per_second: int, burst: int
    ) -> None:
        super().__init__(scope, id)
        plan = api.add_usage_plan(
            "Tenants",
            name=f"{prefix}-tenants",
            throttle=apigateway.ThrottleSettings(rate_limit=per_second, burst_limit=burst),
            api_stages=[apigateway.UsagePlanPerApiStage(api=api, stage=api.deployment_stage)],
        )
        for number in range(LANES):
            name = lane_name(prefix, number)
            # No secret: only the authorizer can name a key, a client's x-api-key header is ignored.
            plan.add_api_key(apigateway.ApiKey(self, f"Lane{number}", api_key_name=name, value=name))

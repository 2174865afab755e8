"""The REST API: one function behind an authorizer. The gateway's own errors have OpenAI's shape too."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aws_cdk import Aws, Duration, RemovalPolicy, Size
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk.log_groups import log_group
from cdk.permissions import Pack, acknowledge
from cdk.settings import DomainSettings, TenantRequests
from cdk.usage_plan import UsagePlan
from cdk.web_acl import WebAcl
from lambdas.domain import names

STAGE = "api"


# A line for each request: API Gateway's variables, all as text, since "-" stands for one that has no value.
ACCESS_LOG = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "tenant": "$context.authorizer.tenant",
    "ip": "$context.identity.sourceIp",
    "httpMethod": "$context.httpMethod",
    "path": "$context.path",
    "protocol": "$context.protocol",
    "status": "$context.status",
    "responseLength": "$context.responseLength",
    "responseLatency": "$context.responseLatency",  # ms
    "integrationLatency": "$context.integrationLatency",  # ms, of the function alone
    "traceId": "$context.xrayTraceId",
}


@dataclass(frozen=True)
class Refusal:
    """An error response of the gateway itself, in OpenAI's shape."""

    type: str
    code: str
    status: int | None = None  # None: the gateway's own status
    message: str | None = None  # None: the gateway's own message
    retry_after: int | None = None  # seconds


_INVALID = "invalid_request_error"
_WITHOUT_LOGS = "Logs need a role that the account and region share; the setting api_logs enables them."

# By gateway response type; the two defaults cover types that are not listed.
_REFUSALS = {
    "UNAUTHORIZED": Refusal(
        _INVALID,
        "invalid_api_key",
        401,
        "Send a valid API key or token: Authorization: Bearer KEY, or below /v1beta x-goog-api-key: KEY. "
        "A user's token must name one tenant: by the claim custom:tenant, or by exactly one group.",
    ),
    "ACCESS_DENIED": Refusal(_INVALID, "access_denied", 403),
    # The gateway's type for an unknown path.
    "MISSING_AUTHENTICATION_TOKEN": Refusal(_INVALID, "not_found", 404, "There is no such path."),
    "REQUEST_TOO_LARGE": Refusal(
        _INVALID,
        "request_too_large",
        413,
        "A request may have at most 6 MB, including files as base64. "
        "Send larger files ahead of it: POST /v1/uploads.",
    ),
    "THROTTLED": Refusal("rate_limit_error", "rate_limit_exceeded", 429, retry_after=1),
    "WAF_FILTERED": Refusal(
        "rate_limit_error",
        "rate_limit_exceeded",
        429,
        "Your address has sent too many requests within five minutes; wait a minute and try again.",
        retry_after=60,
    ),
    "INTEGRATION_TIMEOUT": Refusal("server_error", "timeout", 504),
    "DEFAULT_4XX": Refusal(_INVALID, "bad_request"),
    "DEFAULT_5XX": Refusal("server_error", "server_error"),
}


class Api(Construct):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        function: lambda_.IFunction,
        api_keys: lambda_.IFunction,
        operations: lambda_.IFunction,
        authorizer: lambda_.IFunction,
        studio: lambda_.IFunction | None,
        allowed_cidrs: Sequence[str],
        prefix: str,
        logs: Literal["off", "existing-role", "create-role"],
        log_retention_days: int,
        domain: DomainSettings | None,
        tenant_requests: TenantRequests | None,
        address_requests: int,
    ) -> None:
        """`api_keys` and `operations` serve the routes of that name, `studio` its files. `logs` says whether
        the stage writes logs, and whether with a role that is created here."""
        super().__init__(scope, id)
        self.rest_api = apigateway.RestApi(
            self,
            "RestApi",
            rest_api_name=prefix,
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            # OpenAI's SDK sends a create request as multipart; decoding it as text would corrupt its file.
            binary_media_types=["multipart/form-data"],
            min_compression_size=Size.bytes(names.COMPRESSED_FROM_BYTES),
            policy=_only_from(allowed_cidrs),
            api_key_source_type=apigateway.ApiKeySourceType.AUTHORIZER if tenant_requests else None,
            # The account's role for API Gateway's logs: a stage with logs is rejected without it.
            cloud_watch_role=logs == "create-role",
            cloud_watch_role_removal_policy=RemovalPolicy.DESTROY if logs == "create-role" else None,
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE,
                **({} if logs == "off" else self._access_logs(prefix, log_retention_days)),
                tracing_enabled=True,
                throttling_rate_limit=50,
                throttling_burst_limit=500,  # so that a few hundred creates may be sent at once
            ),
        )
        self.rest_api.node.try_remove_child("Endpoint")  # an output that lacks the version's path
        if logs != "off":
            # Create the gateway's log before the gateway creates one that never expires.
            execution_logs = log_group(
                self,
                "ExecutionLogs",
                name=f"API-Gateway-Execution-Logs_{self.rest_api.rest_api_id}/{STAGE}",
                days=log_retention_days,
            )
            self.rest_api.deployment_stage.node.add_dependency(execution_logs)
        self.domain = None if domain is None else self._domain(domain)
        self._domain_name = None if domain is None else domain.name
        _acknowledge(self.rest_api, logs)
        if address_requests:
            WebAcl(
                self,
                "WebAcl",
                prefix=prefix,
                stage=self.rest_api.deployment_stage,
                requests=address_requests,
            )
        else:
            acknowledge(
                self.rest_api, "APIG3", "A web ACL has a monthly cost; the setting address_requests adds it."
            )
        if tenant_requests:
            UsagePlan(
                self,
                "UsagePlan",
                api=self.rest_api,
                prefix=prefix,
                per_second=tenant_requests.per_second,
                burst=tenant_requests.burst,
            )
        # Not "Authorizer", whose cached answers know no scopes: it was an earlier version's.
        options = self._authorized(
            "Callers", authorizer, "Authorization", with_plan=tenant_requests is not None
        )
        google = self._authorized(
            "GoogleCallers", authorizer, names.GOOGLE_KEY_HEADER, with_plan=tenant_requests is not None
        )
        integration = apigateway.LambdaIntegration(function)
        version = self.rest_api.root.add_resource("v1")
        version.add_method("ANY", integration, **options)
        version.add_resource("{proxy+}").add_method("ANY", integration, **options)
        beside = self.rest_api.root.add_resource(names.GOOGLE_PATH.strip("/"))
        beside.add_resource("{proxy+}").add_method("ANY", integration, **google)
        for path in names.PUBLIC_PATHS:
            self._show(self.rest_api.root.add_resource(path.removeprefix("/")), "GET", integration)
        if studio is not None:
            files = self.rest_api.root.add_resource(names.STUDIO_PATH.strip("/"))
            for resource in (files, files.add_resource("{proxy+}")):
                for method in ("GET", "HEAD"):
                    self._show(resource, method, apigateway.LambdaIntegration(studio))
        of_keys = apigateway.LambdaIntegration(api_keys)
        all_keys = version.add_resource("api_keys")
        for resource in (all_keys, all_keys.add_resource("{key_id}")):
            resource.add_method("ANY", of_keys, **options)
        version.add_resource("operations").add_method(
            "ANY", apigateway.LambdaIntegration(operations), **options
        )
        for name, refusal in _REFUSALS.items():
            self.rest_api.add_gateway_response(
                name.title().replace("_", ""),
                type=apigateway.ResponseType.of(name),
                status_code=str(refusal.status) if refusal.status else None,
                response_headers={
                    names.REQUEST_ID_HEADER: "context.requestId",
                    **({"retry-after": f"'{refusal.retry_after}'"} if refusal.retry_after else {}),
                },
                templates={"application/json": _body(refusal)},
            )

    def _show(
        self, resource: apigateway.Resource, method: str, integration: apigateway.LambdaIntegration
    ) -> None:
        """Add a method without an authorizer."""
        shown = resource.add_method(method, integration, authorization_type=apigateway.AuthorizationType.NONE)
        for rule in ("APIG4", "COG4"):
            acknowledge(shown, rule, "The same for everyone, without data; allowed_cidrs holds here, too.")

    def _authorized(
        self, id_: str, handler: lambda_.IFunction, header: str, *, with_plan: bool
    ) -> dict[str, Any]:
        """Return the options of methods whose callers send their key in that header."""
        authorizer = apigateway.RequestAuthorizer(
            self,
            id_,
            handler=handler,
            identity_sources=[apigateway.IdentitySource.header(header)],
            results_cache_ttl=Duration.minutes(5),
        )
        return {
            "authorization_type": apigateway.AuthorizationType.CUSTOM,
            "api_key_required": True if with_plan else None,
            "authorizer": authorizer,
        }

    @property
    def url(self) -> str:
        """The base URL for an OpenAI client."""
        if self.domain is not None:
            return f"https://{self.domain.domain_name}/v1"
        return self.rest_api.url_for_path("/v1")

    @property
    def origin(self) -> str:
        """The origin of pages that the API serves. It refers to the API alone, not to its stage, so that what
        the API's functions need may refer to it."""
        if self._domain_name is not None:
            return f"https://{self._domain_name}"
        return f"https://{self.rest_api.rest_api_id}.execute-api.{Aws.REGION}.{Aws.URL_SUFFIX}"

    @property
    def studio_url(self) -> str:
        return f"{self.origin}{'' if self._domain_name else f'/{STAGE}'}{names.STUDIO_PATH}"

    def _access_logs(self, prefix: str, days: int) -> dict[str, Any]:
        """Return the stage's options for its logs."""
        access_logs = log_group(self, "AccessLogs", name=f"/aws/apigateway/{prefix}", days=days)
        return {
            "access_log_destination": apigateway.LogGroupLogDestination(access_logs),
            "access_log_format": apigateway.AccessLogFormat.custom(json.dumps(ACCESS_LOG)),
            "logging_level": apigateway.MethodLoggingLevel.ERROR,
        }

    def _domain(self, domain: DomainSettings) -> apigateway.DomainName:
        return apigateway.DomainName(
            self,
            "Domain",
            domain_name=domain.name,
            certificate=acm.Certificate.from_certificate_arn(self, "Certificate", domain.certificate),
            endpoint_type=apigateway.EndpointType.REGIONAL,
            security_policy=apigateway.SecurityPolicy.TLS_1_2,
            mapping=self.rest_api,
        )


def _body(refusal: Refusal) -> str:
    """Return the response's template; `messageString` is the gateway's message, quotes included."""
    message = "$context.error.messageString" if refusal.message is None else json.dumps(refusal.message)
    rest = json.dumps({"type": refusal.type, "param": None, "code": refusal.code})
    return f'{{"error": {{"message": {message}, {rest[1:]}}}'


def _only_from(cidrs: Sequence[str]) -> iam.PolicyDocument | None:
    """Return a resource policy that allows only callers from these networks; None for an empty list."""
    if not cidrs:
        return None

    def statement(effect: iam.Effect, conditions: Mapping[str, object] | None) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            effect=effect,
            principals=[iam.AnyPrincipal()],
            actions=["execute-api:Invoke"],
            resources=["execute-api:/*"],
            conditions=conditions,
        )

    elsewhere = {"NotIpAddress": {"aws:SourceIp": list(cidrs)}}
    return iam.PolicyDocument(
        statements=[statement(iam.Effect.ALLOW, None), statement(iam.Effect.DENY, elsewhere)]
    )


def _acknowledge(api: apigateway.RestApi, logs: str) -> None:
    acknowledge(api, "APIG2", "The function validates: its errors name the field and the allowed values.")
    acknowledge(api, "COG4", "The Lambda authorizer accepts Cognito's tokens and API keys.")
    if logs == "off":
        for rule in ("APIG1", "APIG6"):
            acknowledge(api, rule, _WITHOUT_LOGS)
        acknowledge(api, "APIGWExecutionLoggingEnabled", _WITHOUT_LOGS, pack=Pack.NIST)
        acknowledge(api, "APIGWAccessLogging", _WITHOUT_LOGS, pack=Pack.SERVERLESS)
    if logs == "create-role":
        acknowledge(
            api,
            "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]",
            "The account-wide role that API Gateway writes its logs with, as its documentation specifies.",
        )

"""Authenticate the caller by a Reelworks API key or a Cognito user's token, and return the caller's tenant.

API Gateway caches the response for some minutes under the Authorization header, whatever the route, so the
policy covers the whole stage. It turns an exception whose message is exactly "Unauthorized" into a 401; any
other becomes a 500, which clients retry. The tenant is validated here, before it becomes part of keys.
Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
"""

from functools import cache
from typing import Any, NamedTuple

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import TypeAdapter, ValidationError

from lambdas.adapters import api_keys
from lambdas.adapters.clients import client
from lambdas.domain.errors import Unauthenticated
from lambdas.domain.video_request import Tenant
from lambdas.settings import AuthorizerSettings
from lambdas.telemetry import logger

_tenant = TypeAdapter(Tenant)


class Caller(NamedTuple):
    tenant: str
    principal: str


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    try:
        caller = authenticate(_bearer_token(event), _settings())
    except Unauthenticated as error:
        logger.info("caller refused", extra={"reason": error.message})
        raise Exception("Unauthorized") from error
    return {
        "principalId": caller.principal,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "execute-api:Invoke",
                    "Resource": _whole_stage(event["methodArn"]),
                }
            ],
        },
        "context": {"tenant": caller.tenant, "principal": caller.principal},
    }


def authenticate(token: str, settings: AuthorizerSettings) -> Caller:
    """Return the caller that a token belongs to.

    Raises Unauthenticated; its message is for the log and reveals nothing about the token.
    """
    if token.startswith(api_keys.PREFIX):
        key = api_keys.find(client("dynamodb"), settings.videos_table, token)
        if key is None:
            raise Unauthenticated("unknown API key")
        return Caller(tenant=key.tenant, principal=f"key:{key.hash[:16]}")

    from lambdas.api.tokens import Pool  # loads PyJWT and cryptography, so import only if needed

    pool = Pool(settings.user_pool_id, settings.user_pool_client_id)
    claims = pool.claims(token, _jwks_url(settings.user_pool_id))
    tenant = (claims.get("cognito:groups") or [claims["sub"]])[0]
    try:
        return Caller(tenant=_tenant.validate_python(tenant), principal=f"user:{claims['sub']}")
    except ValidationError as error:
        raise Unauthenticated(f"group {tenant!r} of {claims['sub']} is not a valid tenant") from error


@cache
def _settings() -> AuthorizerSettings:
    return AuthorizerSettings.from_env()


def _jwks_url(pool_id: str) -> str:
    """Return the key set's URL at the endpoint that the client uses, so that it is this home's pool."""
    return f"{client('cognito-idp').meta.endpoint_url}/{pool_id}/.well-known/jwks.json"


def _bearer_token(event: dict[str, Any]) -> str:
    headers = {name.lower(): str(value) for name, value in (event.get("headers") or {}).items()}
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or not token.isascii():
        raise Unauthenticated("no bearer token")
    return token


def _whole_stage(method_arn: str) -> str:
    """arn:…:{api}/{stage}/{method}/{path} → arn:…:{api}/{stage}/*"""
    return "/".join([*method_arn.split("/")[:2], "*"])

"""Authenticate the caller by a Reelworks API key or a Cognito user's token, and return the caller's tenant.

API Gateway caches the response for some minutes under one header, whatever the route, so the policy covers
the whole stage. The header is Authorization; on Google's routes, for which the gateway has an authorizer of
their own, it is x-goog-api-key. No other is read, or the answer for one key could be cached under another.
The gateway turns an exception whose message is exactly "Unauthorized" into a 401; any other becomes a 500,
which clients retry. The tenant is validated here, before it becomes part of keys.
Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
"""

from functools import cache
from typing import Any, NamedTuple

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import TypeAdapter, ValidationError

from lambdas.adapters import api_keys
from lambdas.adapters.clients import client
from lambdas.domain import names, scopes
from lambdas.domain.errors import Unauthenticated
from lambdas.domain.names import lane_of
from lambdas.domain.scopes import Scope
from lambdas.domain.video_request import Tenant
from lambdas.settings import AuthorizerSettings
from lambdas.telemetry import logger

TENANT_CLAIM = "custom:tenant"  # of an id token; of an access token only with a pre token generation trigger
_GROUPS_CLAIM = "cognito:groups"
SCOPE_GROUP = "scope:"  # begins the name of a group that gives a scope, which no tenant's name can
_tenant = TypeAdapter(Tenant)


class Caller(NamedTuple):
    tenant: str
    principal: str
    scopes: tuple[Scope, ...]


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    settings = _settings()
    try:
        caller = authenticate(_token(event), settings)
    except Unauthenticated as error:
        logger.info("caller refused", extra={"reason": error.message})
        raise Exception("Unauthorized") from error
    granted = " ".join(caller.scopes)  # a context holds no lists
    plan = {"usageIdentifierKey": lane_of(settings.usage_plan, caller.tenant)} if settings.usage_plan else {}
    return {
        **plan,
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
        "context": {"tenant": caller.tenant, "principal": caller.principal, "scopes": granted},
    }


def authenticate(token: str, settings: AuthorizerSettings) -> Caller:
    """Return the caller that a token belongs to.

    Raises Unauthenticated; its message is for the log and reveals nothing about the token.
    """
    if token.startswith(api_keys.PREFIX):
        found = api_keys.find(client("dynamodb"), settings.api_keys_table, token)
        if found is None:
            raise Unauthenticated("unknown API key")
        api_keys.note_use(client("dynamodb"), settings.api_keys_table, found)
        key = found.key
        return Caller(tenant=key.tenant, principal=f"key:{key.hash[:16]}", scopes=key.scopes)

    from lambdas.api.tokens import Pool  # loads PyJWT and cryptography, so import only if needed

    pool = Pool(settings.user_pool_id, settings.client_ids)
    claims = pool.claims(token, _jwks_url(settings.user_pool_id))
    return Caller(tenant=tenant_of(claims), principal=f"user:{claims['sub']}", scopes=scopes_of(claims))


def tenant_of(claims: dict[str, Any]) -> str:
    """Return the tenant of a user: the claim custom:tenant, otherwise the user's only group but for those of
    scopes, otherwise the user itself.

    Raises Unauthenticated: of several groups, nothing says which is the tenant.
    """
    subject, groups = claims["sub"], claims.get(_GROUPS_CLAIM)
    if isinstance(groups, list):
        groups = [group for group in groups if not _is_of_a_scope(group)]
    if TENANT_CLAIM in claims:
        claim, tenant = TENANT_CLAIM, claims[TENANT_CLAIM]
    elif groups is None or groups == []:
        claim, tenant = "sub", subject
    elif not isinstance(groups, list):
        raise Unauthenticated(f"{_GROUPS_CLAIM} of {subject} must be a list of names; got {_shown(groups)}")
    elif len(groups) > 1:
        raise Unauthenticated(
            f"{_GROUPS_CLAIM} of {subject} must have one group; got {len(groups)}: set {TENANT_CLAIM} to the "
            "tenant"
        )
    else:
        claim, tenant = _GROUPS_CLAIM, groups[0]
    try:
        return _tenant.validate_python(tenant)
    except ValidationError as error:
        raise Unauthenticated(
            f"{claim} of {subject} must be a tenant: 1 to 63 lowercase letters, digits and hyphens; "
            f"got {_shown(tenant)}"
        ) from error


def scopes_of(claims: dict[str, Any]) -> tuple[Scope, ...]:
    """Return what a user may do: the scopes of the user's groups, otherwise reading and creating.

    Groups, because id and access tokens both name them. Raises Unauthenticated: a misspelt scope must not
    give more than was meant.
    """
    groups = claims.get(_GROUPS_CLAIM)
    granted = [
        str(group).removeprefix(SCOPE_GROUP)
        for group in (groups if isinstance(groups, list) else [])
        if _is_of_a_scope(group)
    ]
    if unknown := set(granted) - set(Scope):
        raise Unauthenticated(
            f"{_GROUPS_CLAIM} of {claims['sub']} must name scopes as {SCOPE_GROUP} and one of "
            f"{', '.join(Scope)}; got {_shown(SCOPE_GROUP + min(unknown))}"
        )
    return tuple(scope for scope in Scope if scope in granted) or scopes.OF_USERS


def _is_of_a_scope(group: Any) -> bool:
    return isinstance(group, str) and group.startswith(SCOPE_GROUP)


def _shown(value: Any) -> str:
    return repr(value)[:80]


@cache
def _settings() -> AuthorizerSettings:
    return AuthorizerSettings.from_env()


def _jwks_url(pool_id: str) -> str:
    """Return the key set's URL at the endpoint that the client uses, so that it is this home's pool."""
    return f"{client('cognito-idp').meta.endpoint_url}/{pool_id}/.well-known/jwks.json"


def _token(event: dict[str, Any]) -> str:
    headers = {name.lower(): str(value).strip() for name, value in (event.get("headers") or {}).items()}
    if str(event["resource"]).startswith(names.GOOGLE_PATH):
        scheme, token = "bearer", headers.get(names.GOOGLE_KEY_HEADER, "")
    else:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        token = token.strip()
    if scheme.lower() != "bearer" or not token or not token.isascii():
        raise Unauthenticated("no key or token")
    return token


def _whole_stage(method_arn: str) -> str:
    """arn:…:{api}/{stage}/{method}/{path} → arn:…:{api}/{stage}/*"""
    return "/".join([*method_arn.split("/")[:2], "*"])

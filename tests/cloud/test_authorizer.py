"""The authorizer over a local AWS: API keys from the table, user pool tokens, and forged tokens."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from lambdas.adapters import api_keys
from lambdas.adapters.clients import client
from lambdas.api import authorizer
from lambdas.api.authorizer import scopes_of, tenant_of
from lambdas.api.tokens import Pool
from lambdas.domain import keys
from lambdas.domain.errors import ServiceUnavailable, Unauthenticated
from reelworks.deployment import Deployment as Operated
from tests.cloud.deployment import Context, Deployment, deployed, event
from tests.cloud.servers import serving

PASSWORD = "Correct-horse-7"


@pytest.fixture(scope="module")
def aws() -> Iterator[Deployment]:
    authorizer._settings.cache_clear()
    with deployed() as deployment:
        yield deployment


def authorize(token: str, header: str = "Bearer {}") -> dict[str, Any]:
    request = event("authorize")
    request["headers"]["authorization"] = header.format(token)
    answer: dict[str, Any] = authorizer.handler(request, Context())
    return answer


def refused(token: str, header: str = "Bearer {}") -> bool:
    """API Gateway turns an exception of exactly this text into a 401."""
    with pytest.raises(Exception, match=r"^Unauthorized$") as unauthorized:
        authorize(token, header)
    return type(unauthorized.value) is Exception


# --- API keys


def register(aws: Deployment, tenant: str = "acme") -> str:
    key = api_keys.new_key()
    aws.api_keys.register(key, tenant, "test")
    return key


def test_a_key_gives_its_tenant_access_to_the_whole_stage(aws: Deployment) -> None:
    key = register(aws)
    answer = authorize(key)
    statement = answer["policyDocument"]["Statement"][0]
    assert statement["Effect"] == "Allow"
    assert statement["Resource"] == "arn:aws:execute-api:us-east-1:123456789012:70ixmpl4fl/api/*"
    assert answer["context"]["tenant"] == "acme"
    assert key not in json.dumps(answer)
    assert authorize(key, "bearer  {} ")["context"] == answer["context"]


def test_a_revoked_key_is_rejected(aws: Deployment) -> None:
    key = register(aws)
    assert aws.api_keys.revoke(api_keys.hash_of(key))
    assert not aws.api_keys.revoke(api_keys.hash_of(key)), "there is none any more"
    assert refused(key)


def test_a_lost_key_is_restored_from_the_journal(aws: Deployment) -> None:
    key, revoked = register(aws), register(aws, "other")
    aws.api_keys.revoke(api_keys.hash_of(revoked))
    pk, sk = keys.api_key_item(api_keys.hash_of(key))
    table = aws.authorizer.api_keys_table
    client("dynamodb").delete_item(TableName=table, Key={"pk": {"S": pk}, "sk": {"S": sk}})
    assert refused(key)
    operator = Operated(client, {"ApiKeysTable": table, "OutputBucket": aws.settings.output_bucket})
    assert operator.restore_keys() > 0
    assert authorize(key)["context"]["tenant"] == "acme"
    assert refused(revoked)


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic rk-x", "rk-x", "Bearer rk-x", "Bearer rk-é", "Bearer a.b.c"]
)
def test_an_unknown_token_is_rejected(aws: Deployment, header: str) -> None:
    assert refused("", header)


def ask_as_google(**headers: str) -> dict[str, Any]:
    request = event("authorize") | {"resource": "/v1beta/{proxy+}", "headers": headers}
    answer: dict[str, Any] = authorizer.handler(request, Context())
    return answer


def test_a_key_in_google_s_header_counts_on_google_s_routes_only(aws: Deployment) -> None:
    """The gateway caches by the one header that must be there, so no other may decide."""
    key, other = register(aws), register(aws, "other")
    assert (
        ask_as_google(**{"X-Goog-Api-Key": f" {key} ", "Authorization": f"Bearer {other}"})["context"][
            "tenant"
        ]
        == "acme"
    )
    for headers in (
        {"Authorization": f"Bearer {key}"},
        {"x-goog-api-key": "rk-x", "Authorization": f"Bearer {key}"},
        {"x-goog-api-key": f"Bearer {key}"},
        {"x-goog-api-key": ""},
    ):
        with pytest.raises(Exception, match=r"^Unauthorized$"):
            ask_as_google(**headers)
    request = event("authorize")
    request["headers"] = {"x-goog-api-key": key}
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        authorizer.handler(request, Context())


def test_no_header_at_all(aws: Deployment) -> None:
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        authorizer.handler(event("authorize") | {"headers": None}, Context())


# --- tokens of the pool


def sign_in(aws: Deployment, user: str, *groups: str) -> dict[str, str]:
    """Create a user and return its tokens."""
    cognito, pool = client("cognito-idp"), aws.authorizer.user_pool_id
    cognito.admin_create_user(UserPoolId=pool, Username=user, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=pool, Username=user, Password=PASSWORD, Permanent=True)
    for group in groups:
        cognito.create_group(UserPoolId=pool, GroupName=group)
        cognito.admin_add_user_to_group(UserPoolId=pool, Username=user, GroupName=group)
    tokens: dict[str, str] = cognito.initiate_auth(
        ClientId=aws.authorizer.user_pool_client_ids,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": user, "PASSWORD": PASSWORD},
    )["AuthenticationResult"]
    return tokens


def test_a_users_group_is_the_tenant(aws: Deployment) -> None:
    tokens = sign_in(aws, "ada", "studio-7")
    for use in ("AccessToken", "IdToken"):
        assert authorize(tokens[use])["context"]["tenant"] == "studio-7"


def test_a_user_without_a_group_is_a_tenant(aws: Deployment) -> None:
    token = sign_in(aws, "bob")["AccessToken"]
    subject = jwt.decode(token, options={"verify_signature": False})["sub"]
    assert authorize(token)["context"]["tenant"] == subject


@pytest.mark.parametrize("group", ["Studio", "a_b", "-a"])
def test_a_group_with_an_invalid_tenant_name_is_rejected(aws: Deployment, group: str) -> None:
    assert refused(sign_in(aws, f"user-{group}", group)["AccessToken"])


def test_a_user_of_two_groups_is_rejected(aws: Deployment) -> None:
    tokens = sign_in(aws, "eve", "studio-8", "studio-9")
    assert refused(tokens["AccessToken"])
    assert refused(tokens["IdToken"])


SUBJECT = "11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    ("claims_", "tenant"),
    [
        ({}, SUBJECT),
        ({"cognito:groups": []}, SUBJECT),
        ({"cognito:groups": None}, SUBJECT),
        ({"cognito:groups": ["acme"]}, "acme"),
        ({"custom:tenant": "acme"}, "acme"),
        ({"custom:tenant": "acme", "cognito:groups": ["admins", "studio-7"]}, "acme"),
        ({"custom:tenant": "acme", "cognito:groups": 7}, "acme"),
        ({"cognito:groups": ["acme", "scope:read"]}, "acme"),
        ({"cognito:groups": ["scope:read", "scope:admin", "acme"]}, "acme"),
        ({"cognito:groups": ["scope:read"]}, SUBJECT),
    ],
)
def test_the_tenant_of_a_user(claims_: dict[str, Any], tenant: str) -> None:
    assert tenant_of({"sub": SUBJECT} | claims_) == tenant


@pytest.mark.parametrize(
    ("claims_", "reason"),
    [
        ({"cognito:groups": 7}, "must be a list of names; got 7"),
        ({"cognito:groups": 0}, "must be a list of names; got 0"),
        ({"cognito:groups": True}, "must be a list"),
        ({"cognito:groups": "acme"}, "must be a list of names; got 'acme'"),
        ({"cognito:groups": ""}, "must be a list"),
        ({"cognito:groups": {"acme": 1}}, "must be a list"),
        ({"cognito:groups": [7]}, "cognito:groups of .* must be a tenant: .*; got 7"),
        ({"cognito:groups": [["acme"]]}, "must be a tenant"),
        ({"cognito:groups": [None]}, "must be a tenant"),
        ({"cognito:groups": ["Acme"]}, "must be a tenant: 1 to 63 lowercase letters"),
        ({"cognito:groups": ["acme", "studio-7"]}, "must have one group; got 2: set custom:tenant"),
        ({"cognito:groups": ["acme", "acme"]}, "must have one group"),
        ({"custom:tenant": ""}, "custom:tenant of .* must be a tenant"),
        ({"custom:tenant": None, "cognito:groups": ["acme"]}, "custom:tenant of .* must be a tenant"),
        ({"custom:tenant": 7}, "custom:tenant of .* must be a tenant: .*; got 7"),
        ({"custom:tenant": ["acme"]}, "must be a tenant"),
        ({"custom:tenant": "a/../b", "cognito:groups": ["acme"]}, "must be a tenant"),
        ({"custom:tenant": "x" * 10_000}, "must be a tenant"),
    ],
)
def test_claims_that_name_no_tenant_are_rejected_with_the_reason(
    claims_: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Unauthenticated, match=reason) as refusal:
        tenant_of({"sub": SUBJECT} | claims_)
    assert len(refusal.value.message) < 300


@pytest.mark.parametrize(
    ("groups", "granted"),
    [
        (None, "read create"),
        (7, "read create"),
        ([], "read create"),
        (["acme"], "read create"),
        (["read"], "read create"),  # a tenant of that name
        (["acme", "scope:read"], "read"),
        (["scope:create", "acme", "scope:read"], "read create"),
        (["scope:admin"], "admin"),
        (["scope:admin", "scope:create", "scope:read"], "read create admin"),
    ],
)
def test_the_scopes_of_a_user(groups: Any, granted: str) -> None:
    assert " ".join(scopes_of({"sub": SUBJECT, "cognito:groups": groups})) == granted


@pytest.mark.parametrize("group", ["scope:", "scope:reed", "scope:READ", "scope:read create", "scope:*"])
def test_an_unknown_scope_is_refused_with_the_reason(group: str) -> None:
    with pytest.raises(Unauthenticated, match="must name scopes as scope: and one of read, create, admin"):
        scopes_of({"sub": SUBJECT, "cognito:groups": ["acme", "scope:read", group]})


def test_a_reviewer_s_tokens_only_read(aws: Deployment) -> None:
    tokens = sign_in(aws, "rae", "studio-10", "scope:read")
    for use in ("AccessToken", "IdToken"):
        context = authorize(tokens[use])["context"]
        assert (context["tenant"], context["scopes"]) == ("studio-10", "read")


# --- forged tokens: signed with a key that we hold, against its own key set

POOL, CLIENT = "eu-west-1_AbCdEf123", "app-client"
ISSUER = f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL}"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class KeySet:
    def __init__(self) -> None:
        self.kids = ["first"]
        self.reads = 0

    async def answer(self, _: Request) -> JSONResponse:
        self.reads += 1
        public = RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
        return JSONResponse({"keys": [public | {"kid": kid, "use": "sig"} for kid in self.kids]})


@pytest.fixture(scope="module")
def key_set() -> Iterator[tuple[KeySet, str]]:
    keys = KeySet()
    with serving(Starlette(routes=[Route("/{path:path}", keys.answer)])) as url:
        yield keys, f"{url}/{POOL}/.well-known/jwks.json"


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    made = {
        "sub": SUBJECT,
        "iss": ISSUER,
        "exp": now + 600,
        "iat": now,
        "token_use": "access",
        "client_id": CLIENT,
    } | changes
    return {name: value for name, value in made.items() if value is not None}


def signed(kid: str = "first", **changes: Any) -> str:
    return jwt.encode(claims(**changes), KEY, algorithm="RS256", headers={"kid": kid})


def with_secret(algorithm: str, secret: Any) -> Callable[[], str]:
    """PyJWT refuses to sign with a public key as a secret, so compute the MAC as an attacker would."""

    def make() -> str:
        def part(value: bytes) -> bytes:
            return base64.urlsafe_b64encode(value).rstrip(b"=")

        header = {"alg": algorithm, "typ": "JWT", "kid": "first"}
        body = part(json.dumps(header).encode()) + b"." + part(json.dumps(claims()).encode())
        mac = hmac.new(secret, body, hashlib.sha256).digest() if secret else b""
        return (body + b"." + part(mac)).decode()

    return make


def test_a_token_of_the_pool_and_client_is_accepted(key_set: tuple[KeySet, str]) -> None:
    pool = Pool(POOL, {CLIENT})
    assert pool.claims(signed(), key_set[1])["client_id"] == CLIENT
    id_token = signed(token_use="id", aud=CLIENT, client_id=None)
    assert pool.claims(id_token, key_set[1])["aud"] == CLIENT


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(with_secret("none", b""), id="alg none"),
        pytest.param(with_secret("HS256", PUBLIC), id="HS256 with the public key"),
        pytest.param(with_secret("RS256", PUBLIC), id="RS256 with a MAC"),
        pytest.param(lambda: signed(iss=ISSUER + "x"), id="another issuer"),
        pytest.param(lambda: signed(iss=None), id="no issuer"),
        pytest.param(lambda: signed(exp=int(time.time()) - 1), id="expired"),
        pytest.param(lambda: signed(exp=None), id="never expires"),
        pytest.param(lambda: signed(client_id="other"), id="another client"),
        pytest.param(lambda: signed(client_id=None), id="no client"),
        pytest.param(lambda: signed(token_use="id"), id="an id token without audience"),
        pytest.param(lambda: signed(token_use="id", aud="other"), id="an id token of another client"),
        pytest.param(lambda: signed(token_use="refresh"), id="another use"),
        pytest.param(lambda: signed(token_use=None), id="no use"),
        pytest.param(lambda: signed(token_use=["access"]), id="a use that is no text"),
        pytest.param(lambda: signed(sub=None), id="no subject"),
        pytest.param(lambda: signed(kid="unknown"), id="an unknown key"),
        pytest.param(lambda: signed()[:-8] + "AAAAAAAA", id="another signature"),
        pytest.param(
            lambda: jwt.encode(
                claims(), rsa.generate_private_key(65537, 2048), algorithm="RS256", headers={"kid": "first"}
            ),
            id="another key under the same id",
        ),
        pytest.param(
            lambda: jwt.encode(claims(), KEY, algorithm="RS512", headers={"kid": "first"}), id="RS512"
        ),
        pytest.param(lambda: jwt.encode(claims(), KEY, algorithm="RS256"), id="no key id"),
        pytest.param(lambda: "a.b.c", id="no token"),
    ],
)
def test_a_forged_token_is_rejected(key_set: tuple[KeySet, str], forge: Callable[[], str]) -> None:
    with pytest.raises(Unauthenticated):
        Pool(POOL, {CLIENT}).claims(forge(), key_set[1])


def test_unknown_keys_do_not_reload_the_key_set_each_time(key_set: tuple[KeySet, str]) -> None:
    keys, url = key_set
    Pool(POOL, {CLIENT}).claims(signed(), url)
    before = keys.reads
    for number in range(5):
        with pytest.raises(Unauthenticated):
            Pool(POOL, {CLIENT}).claims(signed(kid=f"unknown-{number}"), url)
    assert keys.reads <= before + 1


def test_an_unreadable_key_set_does_not_reject_the_token() -> None:
    with pytest.raises(ServiceUnavailable):
        Pool(POOL, {CLIENT}).claims(signed(), "http://127.0.0.1:9/jwks.json")

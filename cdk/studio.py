"""How the studio is served and signed in to: its origin's access to the buckets, and Cognito's managed login.

On a PC users sign in by a one-time link instead (reelworks/cloud/server/studio_links.py). The parameter
StudioSignIn chooses, so both homes have one template.
"""

import tomllib
from typing import cast

from aws_cdk import Aws, CfnCondition, CfnParameter, CfnResource, Duration, Fn, Stack
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from cdk.api import Api
from cdk.buckets import Buckets
from cdk.code import ROOT
from cdk.identity import Identity, attributes
from lambdas.settings import StudioSettings

_COGNITO = "cognito"
_LINK = "link"


class Studio(Construct):
    def __init__(self, scope: Construct, id: str, *, api: Api, buckets: Buckets, identity: Identity) -> None:
        super().__init__(scope, id)
        stack = Stack.of(self)
        self._sign_in = CfnParameter(
            stack,
            "StudioSignIn",
            default=_COGNITO,
            allowed_values=[_COGNITO, _LINK],
            description="How users sign in to the studio: link, by a one-time link, only on a PC",
        )
        self._by_cognito = CfnCondition(
            stack,
            "StudioSignsInByCognito",
            expression=Fn.condition_equals(self._sign_in.value_as_string, _COGNITO),
        )
        self._media_origins = " ".join(
            f"https://{bucket.bucket_regional_domain_name}" for bucket in (buckets.output, buckets.input)
        )
        buckets.allow_pages_of(api.origin)
        # A client of its own, made after the API whose address it names; neither the API nor its stage
        # refers to it, only the authorizer's function does.
        self._client = identity.pool.add_client(
            "Studio",
            generate_secret=False,
            # Not the default, which has ALLOW_REFRESH_TOKEN_AUTH: Cognito refuses it together with rotation.
            auth_flows=cognito.AuthFlow(user_srp=True),
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(authorization_code_grant=True),
                # With no other scope, the id token has every attribute that the client may read.
                scopes=[cognito.OAuthScope.OPENID],
                callback_urls=[api.studio_url],
                logout_urls=[api.studio_url],
            ),
            supported_identity_providers=[cognito.UserPoolClientIdentityProvider.COGNITO],
            prevent_user_existence_errors=True,
            read_attributes=attributes().with_custom_attributes("tenant"),
            write_attributes=attributes(),
            access_token_validity=Duration.hours(1),
            id_token_validity=Duration.hours(1),
            refresh_token_validity=Duration.days(1),
            # A page can't keep a secret: a refresh token that was used is worthless a minute later.
            refresh_token_rotation_grace_period=Duration.seconds(60),
        )
        self._domain = identity.pool.add_domain(
            "Domain",
            cognito_domain=cognito.CognitoDomainOptions(domain_prefix=f"reelworks-{_end_of_stack_id()}"),
            managed_login_version=cognito.ManagedLoginVersion.NEWER_MANAGED_LOGIN,
        )
        looks = cognito.CfnManagedLoginBranding(  # without one, the login page doesn't show
            self,
            "Looks",
            user_pool_id=identity.pool.user_pool_id,
            client_id=self._client.user_pool_client_id,
            use_cognito_provided_values=True,
        )
        for resource in (self._client.node.default_child, self._domain.node.default_child, looks):
            cast(CfnResource, resource).cfn_options.condition = self._by_cognito

    def client_ids(self, others: str) -> str:
        """Return the ids of the clients whose tokens are valid: `others`, and the studio's."""
        return self._if_cognito(f"{others},{self._client.user_pool_client_id}", others)

    @property
    def settings(self) -> StudioSettings:
        return StudioSettings(
            studio_version=tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
            media_origins=self._if_cognito(self._media_origins),
            sign_in=self._sign_in.value_as_string,
            sign_in_domain=self._if_cognito(self._domain.base_url()),
            sign_in_client=self._if_cognito(self._client.user_pool_client_id),
        )

    def _if_cognito(self, value: str, otherwise: str = "") -> str:
        return Fn.condition_if(self._by_cognito.logical_id, value, otherwise).to_string()


def _end_of_stack_id() -> str:
    """Return 12 hexadecimal digits: a domain's name is unique in its region, and must not have the words aws,
    amazon or cognito, which a deployment's prefix may have."""
    uuid = Fn.select(2, Fn.split("/", Aws.STACK_ID))
    return Fn.select(4, Fn.split("-", uuid))

"""Logins for the API: a Cognito user pool. A user's tenant is the attribute custom:tenant, or its only
group."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from cdk.permissions import acknowledge


def attributes() -> cognito.ClientAttributes:
    """Return the attributes that users may write: none that says whose films they see."""
    return cognito.ClientAttributes().with_standard_attributes(
        email=True, fullname=True, given_name=True, family_name=True, locale=True, timezone=True
    )


class Identity(Construct):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.pool = cognito.UserPool(
            self,
            "Users",
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(email=True),
            auto_verify=cognito.AutoVerifiedAttrs(email=True),
            mfa=cognito.Mfa.OPTIONAL,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            password_policy=cognito.PasswordPolicy(
                min_length=12,
                require_lowercase=True,
                require_uppercase=True,
                require_digits=True,
                require_symbols=True,
                temp_password_validity=Duration.days(3),
            ),
            custom_attributes={"tenant": cognito.StringAttribute(min_len=1, max_len=63, mutable=True)},
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        acknowledge(self.pool, "COG2", "Optional: most callers are programs with an API key.")
        acknowledge(self.pool, "COG8", "The Plus plan costs per user; Essentials has all features used here.")
        self.client = self.pool.add_client(
            "Client",
            auth_flows=cognito.AuthFlow(user_password=True, user_srp=True),
            disable_o_auth=True,
            prevent_user_existence_errors=True,
            # By default a user could write every attribute, and so choose another tenant.
            write_attributes=attributes(),
            access_token_validity=Duration.hours(1),
            id_token_validity=Duration.hours(1),
        )

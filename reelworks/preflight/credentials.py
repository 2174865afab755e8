"""Check the deployer's credentials and region."""

import os

import boto3

from reelworks.finding import Finding
from reelworks.preflight.account import CALLS, Account, CallFailed, calling

_NO_REGION = "export AWS_REGION=… (for example us-east-1), or aws configure set region …"
_SIGN_IN = "aws configure sso, or export AWS_PROFILE=… with a profile of ~/.aws/config"


def sign_in() -> tuple[Account | None, list[Finding]]:
    """Return the account of the shell's credentials, if there is one, and what was found about it."""
    try:
        with calling():
            # The CDK CLI reads AWS_REGION, boto3 only AWS_DEFAULT_REGION and the profile.
            other = boto3.Session().region_name
            session = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
            credentials = session.get_credentials()
            secrets = () if credentials is None else tuple(credentials.get_frozen_credentials()[1:3])
    except CallFailed as error:
        return None, [Finding("Credentials", False, True, str(error), _SIGN_IN)]
    region = session.region_name
    if region is None:
        return None, [Finding("Region", False, True, "none is set", _NO_REGION)]
    place = _place(region, other)
    if place.needed and not place.ok:
        return None, [place]
    if credentials is None:
        return None, [place, Finding("Credentials", False, True, "none found", _SIGN_IN)]
    account = Account(
        lambda service, **options: session.client(service, config=CALLS, **options),
        number="",
        region=region,
        secrets=tuple(filter(None, secrets)),
    )
    account_or_none, identity = identify(account)
    return account_or_none, [place, *identity]


def _place(region: str, other: str | None) -> Finding:
    """`region` is where the CDK CLI deploys to; `other` is the region of everything that uses boto3."""
    if other == region:
        return Finding("Region", True, True, region)
    todo = f"export AWS_DEFAULT_REGION={region}"
    if other is None:
        found = f"{region}, but only AWS_REGION says so: `reel models push` and `make destroy` don't read it"
        return Finding("Region", False, False, found, todo, warning=True)
    found = f"AWS_REGION is {region}, but AWS_DEFAULT_REGION or the profile says {other}"
    return Finding("Region", False, True, found, todo)


def identify(account: Account) -> tuple[Account | None, list[Finding]]:
    """Return the account with its number, if its credentials are valid, and what was found about it."""
    try:
        caller = account.call("sts", "get_caller_identity")
        with calling():
            number, arn = caller["Account"], caller["Arn"]
    except CallFailed as error:
        return None, [Finding("Credentials", False, True, str(error), _remedy(error))]
    account.number = number
    return account, [Finding("Credentials", True, True, f"{arn}, account {number}")]


def _remedy(error: CallFailed) -> str:
    if error.code.startswith("Expired"):
        return "aws sso login, or get new credentials in the way you got these"
    if error.code == "":
        return "check the network, the proxy and the region; run `reel preflight` again"
    return f"{_SIGN_IN}; a region that is off by default must be enabled for the account"

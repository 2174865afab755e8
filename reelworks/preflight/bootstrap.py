"""Check CDK's bootstrap of the account and region."""

from reelworks.finding import Finding
from reelworks.preflight.account import Account, CallFailed

CDK = "npx aws-cdk@2.1148.1"  # as in the Makefile
PARAMETER = "/cdk-bootstrap/hnb659fds/version"  # of CDK's default qualifier
# What CDK's DefaultStackSynthesizer requires (MIN_BOOTSTRAP_STACK_VERSION of aws-cdk-lib).
OLDEST = 6


def bootstrap(account: Account) -> Finding:
    what = "CDK bootstrap"
    todo = f"{CDK} bootstrap aws://{account.number}/{account.region}"
    try:
        answer = account.call("ssm", "get_parameter", Name=PARAMETER)
        with account.calling():
            version = int(answer["Parameter"]["Value"])
    except CallFailed as error:
        if error.code == "ParameterNotFound":
            return Finding(what, False, True, f"none in {account.region}", todo)
        return account.unknown(what, error, "ssm:GetParameter")
    if version < OLDEST:
        return Finding(what, False, True, f"version {version}; {OLDEST} is the oldest that works", todo)
    return Finding(what, True, True, f"version {version}")

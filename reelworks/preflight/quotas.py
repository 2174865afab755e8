"""Check the account's quotas: functions at once, and instances for the engines' endpoints."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cdk.settings import DeploymentSettings
from reelworks.finding import Finding
from reelworks.preflight.account import Account, CallFailed

# A film with many scenes runs this many functions at once: an inline Map's limit (Step Functions' quotas).
# The API, the dispatcher and upkeep need some beside them. The template reserves none.
ENOUGH_FUNCTIONS = 50
# CodeBuild's environments in cdk/engine_image.py and cdk/assembly_build.py.
_IMAGE_BUILDS = "Concurrently running builds for Linux/Medium environment"
_FILM_BUILDS = "Concurrently running builds for ARM/Small environment"
_FUNCTIONS_QUOTA = "L-B99A9384"  # Lambda's "Concurrent executions"
_MORE_FUNCTIONS = 1000  # Lambda's default, which new accounts don't have yet


@dataclass(frozen=True)
class Quota:
    code: str
    value: float


def function_quota(account: Account) -> Finding:
    what = "Lambda concurrency"
    try:
        answer = account.call("lambda", "get_account_settings")
        with account.calling():
            limit = answer["AccountLimit"]
            total, free = int(limit["ConcurrentExecutions"]), int(limit["UnreservedConcurrentExecutions"])
    except CallFailed as error:
        return account.unknown(what, error, "lambda:GetAccountSettings")
    found = f"{total} functions at once, {free} of them not reserved by others"
    if free >= ENOUGH_FUNCTIONS:
        return Finding(what, True, False, found)
    found += f"; a film uses up to {ENOUGH_FUNCTIONS}, and others are slowed down meanwhile"
    todo = increase(account, "lambda", _FUNCTIONS_QUOTA, _MORE_FUNCTIONS)
    return Finding(what, False, False, found, todo, warning=True)


def build_quotas(account: Account, settings: DeploymentSettings) -> list[Finding]:
    """Return a finding for each kind of build. New accounts may have none."""
    needed = {_FILM_BUILDS: False}
    if settings.endpoint_engines and settings.image_builder == "codebuild":
        needed[_IMAGE_BUILDS] = True
    try:
        quotas = find_quotas(account, "codebuild", needed)
    except CallFailed as error:
        return [account.unknown("Build quotas", error, "servicequotas:ListServiceQuotas")]
    return [_builds(account, name, quotas.get(name), needed=needed[name]) for name in needed]


def instance_quotas(account: Account, settings: DeploymentSettings) -> list[Finding]:
    """Return a finding for each instance type of the engines' endpoints.

    A deployment starts one instance of the first type for each engine. The further types only stand in for
    types without capacity: instance pools do not fall back for lack of quota.
    """
    endpoints = [settings.endpoint(engine) for engine in settings.endpoint_engines]
    types = dict.fromkeys(name for endpoint in endpoints for name in endpoint.instance_types)
    if not types:
        return []
    try:
        quotas = find_quotas(account, "sagemaker", map(quota_name, types))
    except CallFailed as error:
        return [account.unknown("Instance quotas", error, "servicequotas:ListServiceQuotas")]
    return [
        _instances(
            account,
            name,
            quotas.get(quota_name(name)),
            starting=sum(endpoint.instance_types[0] == name for endpoint in endpoints),
            most=sum(one.max_instances for one in endpoints if name in one.instance_types),
        )
        for name in types
    ]


def quota_name(instance_type: str) -> str:
    return f"{instance_type} for endpoint usage"


def find_quotas(account: Account, service: str, names: Iterable[str]) -> dict[str, Quota]:
    """Return the quotas that the account has, by name; AWS's default where none is applied.

    Raises CallFailed. Service Quotas lists only quotas with an applied value in its first list.
    """
    wanted = set(names)
    found: dict[str, Quota] = {}
    for operation in ("list_service_quotas", "list_aws_default_service_quotas"):
        for name, quota in _listed(account, service, operation):
            if name in wanted:
                found.setdefault(name, quota)
        if wanted <= found.keys():
            break
    return found


def increase(account: Account, service: str, code: str, value: float) -> str:
    """Return the command that asks for a higher quota."""
    return (
        f"aws service-quotas request-service-quota-increase --service-code {service} --quota-code {code} "
        f"--desired-value {value:g} --region {account.region}"
    )


def _listed(account: Account, service: str, operation: str) -> Iterator[tuple[str, Quota]]:
    for page in account.pages("service-quotas", operation, ServiceCode=service):
        with account.calling():
            entries = [
                (quota["QuotaName"], Quota(quota["QuotaCode"], float(quota["Value"])))
                for quota in page["Quotas"]
            ]
        yield from entries


def _builds(account: Account, name: str, quota: Quota | None, *, needed: bool) -> Finding:
    what = "Builds of the engines' image" if needed else "Builds of long films"
    if quota is None:
        todo = f"check CodeBuild's quotas in the console of {account.region}"
        return Finding(what, False, False, f"Service Quotas knows no {name!r}", todo, warning=True)
    found = f"{quota.value:g} at once"
    if quota.value >= 1:
        return Finding(what, True, needed, found)
    todo = increase(account, "codebuild", quota.code, 5)
    if needed:
        todo += ', or set image_builder to "docker" in cdk.json'
    return Finding(what, False, needed, found, todo, warning=not needed)


def _instances(account: Account, name: str, quota: Quota | None, *, starting: int, most: int) -> Finding:
    what = f"Quota {name}"
    enough = 2 * most  # an update starts the new instances beside the old ones
    if quota is None:
        todo = f"choose other instance_types in cdk.json: {account.region} may not have {name}"
        found = f"Service Quotas knows no {quota_name(name)!r}"
        return Finding(what, False, starting > 0, found, todo, warning=starting == 0)
    found = f"{quota.value:g} instances for endpoints"
    if quota.value >= enough:
        return Finding(what, True, starting > 0, found)
    fails = quota.value < starting
    if fails:
        found += f"; the deployment starts {starting}"
    elif starting == 0:
        found += "; it stands in for a type without capacity"
    found += f"; {enough} allow {most} to be replaced in an update"
    todo = increase(account, "sagemaker", quota.code, enough)
    return Finding(what, False, fails, found, todo, warning=not fails)

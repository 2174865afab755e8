"""The roles' permissions: the real template with IAM enforced, and what fails without each of them.

The work of enforced_work.py makes the calls. They are sufficient if none is refused, and each is needed if a
policy without it (a mutant) would refuse one.
"""

import json
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from cdk.permissions import flat
from lambdas.domain.prices import AWS
from tests.cloud import enforced_work
from tests.cloud.enforced_work import WORK, Cloud
from tests.cloud.model_servers import ModelServer, answer_as_director, openai_answer
from tests.cloud.policy_mutants import TEXT_SERVER, Call, Grant, Mutants, grants, listed
from tests.cloud.real_template import deployed, synthesize
from tests.cloud.servers import serving
from tests.cloud.unexercised import UNEXERCISED, Unexercised, covering
from tests.template.conftest import account, templates_of

__all__ = ["account"]  # a fixture

Piece = Callable[[Cloud], None]

_LAST_CALLS_SECONDS = 30  # for what queues deliver after the work
_LEAST_KILLED = 0.9
_ROLE = re.compile(r"(?:Functions)?(\w+?)Role[0-9A-F]{8}")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The unmodified template; each piece of work has tenants of its own."""
    folder = tmp_path_factory.mktemp("template") / "cdk.out"
    synthesize(folder)
    engines = "animatic,cogvideox-2b,cogvideox-5b,cogvideox-5b-i2v"
    prices = AWS.with_instances({"cogvideox-2b": 2.80})  # what costs nothing needs no limit
    text = ModelServer()
    text.answers["/v1/chat/completions"] = _director_that_sees
    with pytest.MonkeyPatch.context() as environment, serving(text.app) as text_url:
        environment.setenv(TEXT_SERVER, text_url)
        environment.setenv("AUTH", "true")
        environment.setenv("SFN_WAIT_SCALE", "0")  # retries come at once
        environment.setenv("LAMBDA_ASYNC_RETRY_BASE_SECONDS", "0")
        with deployed(folder, "tests.cloud.enforcing_aws:app", engines=engines, prices=prices) as (
            url,
            client,
            outputs,
        ):
            command = [sys.executable, "-m", "tests.cloud.clip_engine", "--socket", "{socket}"]
            told = {"command": command, "outputs": outputs, "missing": ["cogvideox-5b"]}
            httpx.post(f"{url}/_engine", json=told).raise_for_status()
            made = Cloud(url, client, outputs)
            # Upkeep runs when the work asks it to, so that the work knows what it finds.
            with made.disabled("EveryMinute"), made.disabled("OutputWritten"):
                yield made


def _director_that_sees(asked: dict[str, Any]) -> Response:
    """Answer as the rule-based director, and describe every picture alike."""
    if isinstance(asked["messages"][-1]["content"], list):
        return openai_answer("A small red fox.")
    return answer_as_director(asked)


class Work:
    """The pieces of work, each done once, and the calls that were refused meanwhile."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._refused: dict[Piece, set[Call]] = {}

    def done(self, piece: Piece) -> set[Call]:
        if piece not in self._refused:
            before = refusals(self._cloud)
            piece(self._cloud)
            self._refused[piece] = refusals(self._cloud) - before
        return self._refused[piece]


@pytest.fixture(scope="module")
def work(cloud: Cloud) -> Work:
    return Work(cloud)


@pytest.mark.parametrize("piece", WORK, ids=lambda piece: piece.__name__)
def test_the_roles_are_sufficient(piece: Piece, work: Work) -> None:
    assert work.done(piece) == set()


@pytest.fixture(scope="module")
def granted(cloud: Cloud, account: None) -> dict[str, list[Grant]]:
    """The grants of each role, by `Stack/Role`: those deployed of the pipeline, and those in the templates of
    the other stacks."""
    found = {role: grants(role, statements) for role, statements in _deployed_roles(cloud)}
    for stack, template in templates_of("default").items():
        if stack != "Pipeline":
            found |= {role: grants(role, statements) for role, statements in _roles(stack, template)}
    return found


@pytest.fixture(scope="module")
def mutants(cloud: Cloud, work: Work, granted: dict[str, list[Grant]]) -> Mutants:
    for piece in WORK:
        work.done(piece)
    until = time.monotonic() + _LAST_CALLS_SECONDS
    while True:
        calls = defaultdict(list)
        for call in cloud.decisions():
            if call.allowed:
                calls[_label("Pipeline", call.role)].append(call)
        judged = Mutants.judged(granted, calls)
        if all(map(covering, judged.survivors)) or time.monotonic() > until:
            return judged
        time.sleep(1)


def test_no_grant_is_unneeded(mutants: Mutants) -> None:
    """Each action on each resource is called, or its mutant is listed in unexercised.py."""
    unneeded = [
        f"{one.role}: {one.action} on {one.resource}" for one in mutants.survivors if not covering(one)
    ]
    assert not unneeded, (
        "nothing calls what these grants allow. Remove them from the template, make the call in "
        "tests/cloud/enforced_work.py, or, if this machine can't, list them in tests/cloud/unexercised.py:\n"
        + "\n".join(unneeded)
    )


def test_at_least_90_percent_of_the_statements_are_killed(
    mutants: Mutants, capsys: pytest.CaptureFixture[str]
) -> None:
    unrun = [one for one in mutants.statements - mutants.killed if all(map(covering, mutants.of(one)))]
    could_run = len(mutants.statements) - len(unrun)
    listed_grants = [one for one in mutants.survivors if covering(one)]
    with capsys.disabled():
        print(
            f"\npolicy mutants: {len(mutants.roles)} roles; "
            f"statements: {len(mutants.killed)} of {could_run} killed, {len(unrun)} listed; "
            f"grants: {len(mutants.needed)} of {len(mutants.grants)} killed, {len(listed_grants)} listed"
        )
    assert len(mutants.killed) >= _LEAST_KILLED * could_run


@pytest.mark.parametrize("entry", UNEXERCISED, ids=lambda one: f"{one.roles} {one.actions}")
def test_the_list_of_unexercised_grants_is_true(
    entry: Unexercised, mutants: Mutants, settings_only: set[Grant]
) -> None:
    covered = {one for one in mutants.grants | settings_only if entry.covers(one)}
    assert covered, "no role is granted this any longer: remove the entry"
    exercised = covered & mutants.needed
    if entry.sampled:
        missing = {(one.role, one.action) for one in covered} - {(one.role, one.action) for one in exercised}
        assert not missing, "none of these grants is exercised"
    else:
        assert not exercised, "these are exercised now: remove or narrow the entry"


def test_grants_that_settings_add_are_listed(settings_only: set[Grant]) -> None:
    assert settings_only
    assert not [one for one in settings_only if not covering(one)]


@pytest.fixture(scope="module")
def settings_only(granted: dict[str, list[Grant]], account: None) -> set[Grant]:
    """The grants that only other settings than the default ones make, such as those for a KMS key."""
    usual = {(one.role, one.action) for of_role in granted.values() for one in of_role}
    return {
        one
        for settings in ("drafts", "hardened")
        for stack, template in templates_of(settings).items()
        for role, statements in _roles(stack, template)
        for one in grants(role, statements)
        if (one.role, one.action) not in usual
    }


# --- live mutants


@pytest.mark.parametrize(
    ("role", "action", "use"),
    [
        ("Authorizer", "dynamodb:GetItem", enforced_work.list_videos),
        ("Api", "sqs:SendMessage", enforced_work.make_film),
        ("Plan", "s3:PutObject", enforced_work.make_film),
        ("Narrate", "polly:SynthesizeSpeech", enforced_work.speak),
    ],
)
def test_a_live_mutant_fails(cloud: Cloud, role: str, action: str, use: Callable[[Cloud, str], None]) -> None:
    """With the statement really taken away from the role, the work fails, and with it back it succeeds."""
    tenant = f"mutant-{role.lower()}"
    with without(cloud, role, action):
        with pytest.raises(AssertionError):
            use(cloud, tenant)
        assert any(
            one.action == action and not one.allowed
            for one in cloud.decisions()
            if _label("Pipeline", one.role) == f"Pipeline/{role}"
        )
    use(cloud, tenant)


@contextmanager
def without(cloud: Cloud, role: str, action: str) -> Iterator[None]:
    """Take the statements with an action away from a role."""
    iam = cloud.client("iam")
    [name] = [
        one["RoleName"]
        for one in iam.list_roles()["Roles"]
        if _label("Pipeline", one["RoleName"]) == f"Pipeline/{role}"
    ]
    kept = {}
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        left = [one for one in document["Statement"] if action not in listed(one["Action"])]
        if len(left) < len(document["Statement"]):
            kept[policy] = document
            mutant = json.dumps({**document, "Statement": left})
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=mutant)
    assert kept
    try:
        yield
    finally:
        for policy, document in kept.items():
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))


# --- decisions and roles


def refusals(cloud: Cloud) -> set[Call]:
    return {call for call in cloud.decisions() if not call.allowed}


def _deployed_roles(cloud: Cloud) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    iam = cloud.client("iam")
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        documents = [
            iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
        ]
        yield _label("Pipeline", name), [one for document in documents for one in document["Statement"]]


def _roles(stack: str, template: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The statements of a template's policies by role, their resources flat."""
    statements: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::IAM::Policy":
            for role in resource["Properties"]["Roles"]:
                statements[_label(stack, role["Ref"])] += resource["Properties"]["PolicyDocument"][
                    "Statement"
                ]
    for role, found in statements.items():
        yield role, [{**one, "Resource": _flat(one["Resource"])} for one in found]


def _flat(resource: Any) -> list[str]:
    return [flat(one) for one in (resource if isinstance(resource, list) else [resource])]


def _label(stack: str, role: str) -> str:
    """`Stack/Role` of a role's logical id or name, for example Pipeline/Plan."""
    found = _ROLE.search(role)
    assert found is not None, role
    return f"{stack}/{found[1]}"

"""Policy mutants: a role's policies without one statement, or without one action on one resource.

A mutant is killed if a call that was allowed under enforced IAM would be denied by it, as ministack's
evaluator decides, which the cloud enforces with too.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

from ministack.core import iam_evaluator

from reelworks.cloud.addresses import REGION
from reelworks.cloud.credentials import ACCOUNT

TEXT_SERVER = "ENFORCING_TEXT_SERVER"  # environment variable: the URL of an OpenAI-compatible text model


@dataclass(frozen=True)
class Call:
    """A decision of the enforcing cloud (tests/cloud/enforcing_aws.py)."""

    role: str
    action: str
    resource: str
    context: str  # condition keys, as JSON
    allowed: bool


@dataclass(frozen=True)
class Grant:
    """One action on one resource, the smallest part of a policy."""

    role: str
    statement: int  # its number in the role's policies
    action: str
    resource: str
    condition: str  # as JSON

    def allows(self, call: Call) -> bool:
        """Return whether the grant alone allows the call."""
        # No action of the templates has a wildcard (tests/template).
        return self.action == call.action and _allowed(self, call)


@cache  # calls are judged again while others are awaited
def _allowed(grant: Grant, call: Call) -> bool:
    parsed = iam_evaluator.parse_policy_document(
        {
            "Statement": {
                "Effect": "Allow",
                "Action": grant.action,
                "Resource": grant.resource,
                "Condition": json.loads(grant.condition),
            }
        }
    )
    asked = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/{call.role}/mutant",
        principal_type="AssumedRole",
        principal_account=ACCOUNT,
        action=call.action,
        resource_arn=call.resource,
        region=REGION,
        service_context=json.loads(call.context),
    )
    return bool(iam_evaluator.evaluate(asked, [parsed]).decision == "Allow")


def grants(role: str, statements: Iterable[Mapping[str, Any]]) -> list[Grant]:
    """The grants of a role's statements."""
    return [
        Grant(role, number, action, resource, json.dumps(statement.get("Condition", {}), sort_keys=True))
        for number, statement in enumerate(statements)
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]


@dataclass(frozen=True)
class Mutants:
    """What became of the mutants. A statement is (role, number)."""

    roles: frozenset[str]
    statements: frozenset[tuple[str, int]]
    killed: frozenset[tuple[str, int]]  # statements without which a call would be denied
    grants: frozenset[Grant]
    needed: frozenset[Grant]  # grants without which a call would be denied

    @classmethod
    def judged(cls, granted: Mapping[str, Sequence[Grant]], calls: Mapping[str, Iterable[Call]]) -> Self:
        """Judge the mutants by the calls that were allowed, both by role."""
        killed: set[tuple[str, int]] = set()
        needed: set[Grant] = set()
        for role, of_role in granted.items():
            for call in calls.get(role, ()):
                allowing = [grant for grant in of_role if grant.allows(call)]
                if len({grant.statement for grant in allowing}) == 1:
                    killed.add((role, allowing[0].statement))
                if len(allowing) == 1:
                    needed.add(allowing[0])
        every = frozenset(grant for of_role in granted.values() for grant in of_role)
        statements = frozenset((grant.role, grant.statement) for grant in every)
        return cls(frozenset(granted), statements, frozenset(killed), every, frozenset(needed))

    @property
    def survivors(self) -> list[Grant]:
        return sorted(self.grants - self.needed, key=str)

    def of(self, statement: tuple[str, int]) -> list[Grant]:
        return [grant for grant in self.grants if (grant.role, grant.statement) == statement]


def listed(value: str | list[str]) -> list[str]:
    """Return what a policy names once or several times."""
    return [value] if isinstance(value, str) else value

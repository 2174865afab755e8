"""Write several items together or none of them.

boto3 gives each transaction a ClientRequestToken and sends it again with the same one if its answer is lost,
so it takes effect once. Writers that collide fail and try again.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from lambdas.adapters.clients import error_code, translated
from lambdas.domain.errors import ServiceUnavailable

Item = dict[str, Any]  # in DynamoDB's wire format

CONDITION_FAILED = "ConditionalCheckFailed"
_OVERTAKEN = frozenset({"None", CONDITION_FAILED, "TransactionConflict"})
_THROTTLED = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError"})
_CONFLICT = "TransactionConflictException"  # a plain write of an item that a transaction is writing
_TRIES = 30  # each of them fails only because another writer succeeded
_LONGEST_PAUSE_SECONDS = 0.25

_T = TypeVar("_T")


def write_all(dynamodb: Any, what: str, actions: Sequence[Item]) -> list[str] | None:
    """Write all or nothing. Return None once all is written, or why not: a code for each action, "None" for
    those that were not at fault. `what` names the call in errors. Raises ServiceUnavailable."""
    with translated(what):
        try:
            dynamodb.transact_write_items(TransactItems=list(actions))
        except ClientError as error:
            if error_code(error) != "TransactionCanceledException":
                raise
            reasons: Any = error.response.get("CancellationReasons", [])
            codes = [str(reason.get("Code")) for reason in reasons]
            if _THROTTLED & set(codes):
                raise ServiceUnavailable(f"{what}: {error}") from error
            if not set(codes) <= _OVERTAKEN:
                raise
            return codes
    return None


def tries(what: str) -> Iterator[None]:
    """Yield before each try. Raises ServiceUnavailable when too many have failed."""
    for attempt in range(_TRIES):
        yield
        # Full jitter, so that writers that collided don't collide again.
        time.sleep(random.uniform(0, min(0.005 * 2**attempt, _LONGEST_PAUSE_SECONDS)))  # noqa: S311
    raise ServiceUnavailable(f"{what}: other writers were faster {_TRIES} times")


def undisturbed(call: Callable[[], _T]) -> _T:
    """Return what a plain write of one item answers, once no transaction is writing the item."""
    for _ in tries("write"):
        try:
            return call()
        except ClientError as error:
            if error_code(error) != _CONFLICT:
                raise
    raise AssertionError  # `tries` never ends

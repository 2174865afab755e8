"""Write several items of a table, or none.

botocore sends a transaction whose answer is lost again with the same ClientRequestToken, so it takes effect
once.
"""

from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.clients import error_code, translated
from lambdas.domain.errors import ServiceUnavailable

# What another writer's change makes of a transaction; the next try sees that change.
_OVERTAKEN = frozenset({"None", "ConditionalCheckFailed", "TransactionConflict"})
_THROTTLED = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError"})

Action = dict[str, Any]  # Put, Update or Delete in DynamoDB's wire format


def transact(dynamodb: Any, what: str, *actions: Action) -> bool:
    """Write all or nothing. Return False if a condition is false or another writer was faster."""
    with translated(what):
        try:
            dynamodb.transact_write_items(TransactItems=list(actions))
        except ClientError as error:
            if error_code(error) != "TransactionCanceledException":
                raise
            reasons: Any = error.response.get("CancellationReasons", [])
            codes = {str(reason.get("Code")) for reason in reasons}
            if codes & _THROTTLED:
                raise ServiceUnavailable(f"{what}: {error}") from error
            if not codes <= _OVERTAKEN:
                raise
            return False
    return True

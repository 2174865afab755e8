"""Invoke one Lambda function from another."""

import json
from typing import Any

from lambdas.adapters.clients import translated


class Functions:
    def __init__(self, lambda_: Any) -> None:
        self._lambda = lambda_

    def send(self, function: str, event: dict[str, Any]) -> None:
        """Invoke a function without waiting for it."""
        with translated(f"invoke {function}"):
            self._lambda.invoke(
                FunctionName=function, InvocationType="Event", Payload=json.dumps(event).encode()
            )

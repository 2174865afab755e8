"""Invoke one Lambda function from another."""

import json
from typing import Any

from lambdas.adapters.clients import translated
from lambdas.domain.errors import ServiceUnavailable


class Functions:
    def __init__(self, lambda_: Any) -> None:
        self._lambda = lambda_

    def send(self, function: str, event: dict[str, Any]) -> None:
        """Invoke a function without waiting for it."""
        with translated(f"invoke {function}"):
            self._lambda.invoke(
                FunctionName=function, InvocationType="Event", Payload=json.dumps(event).encode()
            )

    def call(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """Invoke a function and return its result. Raises ServiceUnavailable if it fails."""
        with translated(f"invoke {function}"):
            response = self._lambda.invoke(FunctionName=function, Payload=json.dumps(event).encode())
            payload = response["Payload"].read()
        if "FunctionError" in response:
            raise ServiceUnavailable(f"invoke {function}: {payload.decode(errors='replace')[:500]}")
        result: dict[str, Any] = json.loads(payload)
        return result

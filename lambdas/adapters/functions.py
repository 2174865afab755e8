"""Lambda functions that one function asks to do something."""

import json
from typing import Any

from lambdas.adapters.clients import translated


class Functions:
    def __init__(self, lambda_: Any) -> None:
        self._lambda = lambda_

    def send(self, function: str, event: dict[str, Any]) -> None:
        """Invokes a function and does not wait for it."""
        with translated(f"invoke {function}"):
            self._lambda.invoke(
                FunctionName=function, InvocationType="Event", Payload=json.dumps(event).encode()
            )

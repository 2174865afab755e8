"""The state machine's executions and the task tokens they wait on."""

import json
from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.clients import error_code, translated

# How an execution fails whose history has reached its 25,000 events; no Catch sees it.
_FULL_ERROR, _FULL_CAUSE = "States.Runtime", "The execution reached the maximum number of history events"

# A token that was answered, timed out, or belongs to an execution that ended.
_TOKEN_GONE = frozenset({"TaskTimedOut", "InvalidToken", "TaskDoesNotExist"})


class Execution(StrEnum):
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"  # or stopped or timed out
    FULL = "FULL"  # failed because its history was full
    MISSING = "MISSING"


class Machine:
    def __init__(self, stepfunctions: Any, state_machine_arn: str = "") -> None:
        """`state_machine_arn` may be empty if the machine is used only to answer tokens."""
        self._stepfunctions = stepfunctions
        self._arn = state_machine_arn

    def execution_arn(self, name: str) -> str:
        return self._arn.replace(":stateMachine:", ":execution:") + f":{name}"

    def start(self, name: str, document: dict[str, Any], *, trace: str | None = None) -> bool:
        """Start an execution. Return False if one with that name was started before. `trace` is the header of
        the X-Ray trace that it goes on with."""
        traced = {"traceHeader": trace} if trace else {}
        with translated("start execution"):
            try:
                self._stepfunctions.start_execution(
                    stateMachineArn=self._arn, name=name, input=json.dumps(document), **traced
                )
            except ClientError as error:
                if error_code(error) == "ExecutionAlreadyExists":
                    return False
                raise
        return True

    def stop(self, name: str, cause: str) -> None:
        """Stop an execution. Do nothing if it is not running."""
        with translated("stop execution"):
            try:
                self._stepfunctions.stop_execution(
                    executionArn=self.execution_arn(name), error="VideoClosed", cause=cause
                )
            except ClientError as error:
                if error_code(error) not in ("ExecutionDoesNotExist", "ValidationException"):
                    raise

    def state(self, name: str) -> tuple[Execution, dict[str, Any]]:
        """Return whether an execution is running, has ended or never existed; and for a FAILED one the
        reason, in the form of a Catch: {"Error": name, "Cause": text}."""
        with translated("describe execution"):
            try:
                found = self._stepfunctions.describe_execution(executionArn=self.execution_arn(name))
            except ClientError as error:
                if error_code(error) == "ExecutionDoesNotExist":
                    return Execution.MISSING, {}
                raise
        status = found["status"]
        if status in (Execution.RUNNING, Execution.SUCCEEDED):
            return Execution(status), {}
        if found.get("error") == _FULL_ERROR and found.get("cause", "").startswith(_FULL_CAUSE):
            return Execution.FULL, {}
        reason = f"The execution ended as {status} without a recorded failure."
        return Execution.FAILED, {
            "Error": found.get("error") or "ExecutionEnded",
            "Cause": found.get("cause") or reason,
        }

    def succeed(self, token: str, output: dict[str, Any]) -> bool:
        """Answer a task token. Return False if nothing waits for it any longer."""
        return self._answer("send_task_success", taskToken=token, output=json.dumps(output))

    def fail(self, token: str, error: str, cause: str) -> bool:
        """Fail a task. `error` is a class name of the error tree (up to 256 characters), `cause` is JSON."""
        return self._answer("send_task_failure", taskToken=token, error=error[:256], cause=cause[:32_000])

    def _answer(self, call: str, **arguments: str) -> bool:
        with translated("answer task token"):
            try:
                getattr(self._stepfunctions, call)(**arguments)
            except ClientError as error:
                if error_code(error) in _TOKEN_GONE:
                    return False
                raise
        return True

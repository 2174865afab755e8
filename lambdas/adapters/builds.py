"""CodeBuild builds that run a task of the state machine without Lambda's time limit."""

import hashlib
from typing import Any

from lambdas.adapters.clients import translated
from lambdas.settings import TASK_VARIABLE


class Builds:
    def __init__(self, codebuild: Any, project: str) -> None:
        self._codebuild = codebuild
        self._project = project

    def start(self, task: str, *, delivery: str) -> str:
        """Start a build with a task (JSON) in its environment. Return its id.

        Repeating a delivery within five minutes starts no second build.
        """
        with translated(f"start {self._project}"):
            started = self._codebuild.start_build(
                projectName=self._project,
                environmentVariablesOverride=[{"name": TASK_VARIABLE, "value": task, "type": "PLAINTEXT"}],
                idempotencyToken=hashlib.sha256(delivery.encode()).hexdigest(),
            )
        return str(started["build"]["id"])

    def ended(self, build: str) -> tuple[str, str] | None:
        """Return a finished build's CodeBuild status and task; None while it is in progress or unknown."""
        with translated(f"look at {build}"):
            found = self._codebuild.batch_get_builds(ids=[build])["builds"]
        if not found or found[0]["buildStatus"] == "IN_PROGRESS":
            return None
        variables = {one["name"]: one["value"] for one in found[0]["environment"]["environmentVariables"]}
        return found[0]["buildStatus"], variables[TASK_VARIABLE]

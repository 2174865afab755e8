"""Which engine servers this PC can run: those of the catalogue whose model, or workflow, is there."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from containers.cogvideox.manifest import MANIFEST
from containers.comfyui.workflow import BadWorkflow
from containers.comfyui.workflow import Workflow as WorkflowFile
from lambdas.domain.engines import CATALOGUE, Engine, Renderer, Workflow
from lambdas.domain.keys import ENGINE_FAILURE_PREFIX, ENGINE_OUTPUT_PREFIX
from lambdas.domain.names import endpoint_name
from reelworks.cloud.backends.clips.endpoint import Endpoint
from reelworks.cloud.deployment_record import Deployed, Output
from reelworks.cloud.errors import CloudError
from reelworks.cloud.home import CHECKOUT, Home
from reelworks.cloud.processes.watchdog import GRACE_SECONDS
from reelworks.cloud.settings import ComfyUI

# Of the watchdog's seconds: for a server whose clip was not finished to give it up, and to end.
_ENDING_SECONDS = 2


def offered_engines(home: Path, comfyui: ComfyUI) -> list[str]:
    """The engines this PC can render with: those of a Lambda task, and those whose server it can start."""
    return [
        name
        for name, engine in CATALOGUE.items()
        if engine.renderer is not Renderer.ENDPOINT or _server(engine, home, comfyui, "")
    ]


def workflow_now(home: Path, comfyui: ComfyUI) -> Workflow | None:
    """What the workflow that renders clips takes, as its file is now; None without one. Raises CloudError."""
    path = workflow_file(home, comfyui)
    if path is None:
        return None
    try:
        read = WorkflowFile.read(path)
    except BadWorkflow as error:
        raise CloudError(
            f"The workflow for clips can't be used: {error}.",
            advice="Mend it (docs/comfyui.md), or take it away; then run `reel up` again.",
        ) from error
    return Workflow(revision=read.revision, takes=tuple(sorted(read.slots)))


def local_engines(
    home: Path,
    comfyui: ComfyUI,
    *,
    revision: str,
    prefix: str,
    output_bucket: str,
    success_topic_arn: str,
    error_topic_arn: str,
) -> dict[str, Endpoint]:
    """The endpoint of each engine whose server can be started here, by engine name: there is its model,
    `{home}/models/{engine}/manifest.json`, or the workflow that ComfyUI renders it by. `revision` is that of
    the workflow that was deployed: the server renders by no other.

    Engines that render in a Lambda task (`animatic`) need no endpoint and are not among them.
    """
    return {
        name: Endpoint(
            name=endpoint_name(prefix, name),
            command=(sys.executable, "-m", *server, "--host", "127.0.0.1", "--port", "{port}"),
            cwd=CHECKOUT,
            s3_output_path=f"s3://{output_bucket}/{ENGINE_OUTPUT_PREFIX}",
            s3_failure_path=f"s3://{output_bucket}/{ENGINE_FAILURE_PREFIX}",
            success_topic_arn=success_topic_arn,
            error_topic_arn=error_topic_arn,
        )
        for name, engine in CATALOGUE.items()
        if engine.renderer is Renderer.ENDPOINT and (server := _server(engine, home, comfyui, revision))
    }


class EngineEndpoints(Mapping[str, Endpoint]):
    """The endpoints by name, of the models and the workflow that lie in the home folder now."""

    def __init__(self, home: Home, deployed: Deployed, comfyui: ComfyUI) -> None:
        self._home = home
        self._deployed = deployed
        self._comfyui = comfyui

    def __getitem__(self, name: str) -> Endpoint:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, Endpoint]:
        outputs = self._deployed.outputs()
        if not outputs:
            return {}
        engines = local_engines(
            self._home.folder,
            self._comfyui,
            revision=self._deployed.workflow(),
            prefix=outputs[Output.ENDPOINT_PREFIX],
            output_bucket=outputs[Output.OUTPUT_BUCKET],
            success_topic_arn=outputs[Output.SUCCESS_TOPIC_ARN],
            error_topic_arn=outputs[Output.ERROR_TOPIC_ARN],
        )
        return {endpoint.name: endpoint for endpoint in engines.values()}


def workflow_file(home: Path, comfyui: ComfyUI) -> Path | None:
    """The file that is set, whether it is there or not; else the home folder's, if it is."""
    usual = home / "workflows" / "comfyui.json"
    return comfyui.workflow or (usual if usual.is_file() else None)


def _server(engine: Engine, home: Path, comfyui: ComfyUI, revision: str) -> tuple[str, ...] | None:
    """The engine's server and its own options; None without what it renders with."""
    if engine.workflow:
        workflow = workflow_file(home, comfyui)
        if workflow is None:
            return None
        options = ("--workflow", str(workflow), "--revision", revision, "--comfyui", comfyui.url)
        return "containers.comfyui", *options
    model = home / "models" / engine.name
    # Without the manifest the engine loads nothing; it is written last.
    if not (model / MANIFEST).is_file():
        return None
    grace = str(int(GRACE_SECONDS) - _ENDING_SECONDS)
    return "containers.cogvideox", "--model", str(model), "--grace", grace

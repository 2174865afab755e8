"""Find the engine servers that this PC can run: those whose model or workflow is available, and those for the
user's own servers."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from containers.comfyui.workflow import BadWorkflow
from containers.comfyui.workflow import Workflow as WorkflowFile
from containers.diffusion.manifest import MANIFEST
from containers.relay.options import KEY_VARIABLE as RELAY_KEY
from lambdas.domain.engines import CATALOGUE, Engine, Renderer, Workflow
from lambdas.domain.keys import ENGINE_FAILURE_PREFIX, ENGINE_OUTPUT_PREFIX
from lambdas.domain.names import endpoint_name
from reelworks.cloud.backends.clips.endpoint import Endpoint
from reelworks.cloud.deployment_record import Deployed, Output
from reelworks.cloud.errors import CloudError
from reelworks.cloud.home import CHECKOUT, Home
from reelworks.cloud.processes.watchdog import GRACE_SECONDS
from reelworks.cloud.settings import ComfyUI, Relay

# Reserved from the watchdog's seconds: for a server to abandon an unfinished clip and exit.
_ENDING_SECONDS = 2


def offered_engines(home: Path, comfyui: ComfyUI, relays: Mapping[str, Relay]) -> list[str]:
    """Return the engines that this PC can use: those in a Lambda task and those whose server it can start."""
    return [
        *(
            name
            for name, engine in CATALOGUE.built_in.items()
            if engine.renderer is not Renderer.ENDPOINT or _server(engine, home, comfyui, "")
        ),
        *relays,
    ]


def workflow_now(home: Path, comfyui: ComfyUI) -> Workflow | None:
    """Return the inputs of the workflow that renders clips, read from its file now; None without a workflow.

    Raises CloudError if the file can't be used.
    """
    path = workflow_file(home, comfyui)
    if path is None:
        return None
    try:
        read = WorkflowFile.read(path)
    except BadWorkflow as error:
        raise CloudError(
            f"The workflow for clips can't be used: {error}.",
            advice="Fix the workflow (docs/comfyui.md) or remove it, and run `reel up` again.",
        ) from error
    return Workflow(revision=read.revision, takes=tuple(sorted(read.slots)))


def local_engines(
    home: Path,
    comfyui: ComfyUI,
    relays: Mapping[str, Relay],
    *,
    revision: str,
    prefix: str,
    output_bucket: str,
    success_topic_arn: str,
    error_topic_arn: str,
) -> dict[str, Endpoint]:
    """Return, by engine name, the endpoint of each engine whose server can be started here: its model,
    `{home}/models/{engine}/manifest.json`, or its ComfyUI workflow exists, or it is one of the user's own
    servers, `relays`. `revision` is that of the deployed workflow: the server renders with no other.

    Engines that render in a Lambda task (`animatic`) need no endpoint and are not included.
    """
    servers = {
        name: server
        for name, engine in CATALOGUE.built_in.items()
        if engine.renderer is Renderer.ENDPOINT and (server := _server(engine, home, comfyui, revision))
    } | {name: _relay(name, relay) for name, relay in relays.items()}
    return {
        name: Endpoint(
            name=endpoint_name(prefix, name),
            command=(sys.executable, "-m", *server, "--socket", "{socket}"),
            cwd=CHECKOUT,
            s3_output_path=f"s3://{output_bucket}/{ENGINE_OUTPUT_PREFIX}",
            s3_failure_path=f"s3://{output_bucket}/{ENGINE_FAILURE_PREFIX}",
            success_topic_arn=success_topic_arn,
            error_topic_arn=error_topic_arn,
            # Not an option, which other users of the machine could read.
            env={RELAY_KEY: key} if name in relays and (key := relays[name].api_key) else {},
        )
        for name, server in servers.items()
    }


class EngineEndpoints(Mapping[str, Endpoint]):
    """The endpoints, keyed by name, of the user's own servers, and of the models and the workflow that are in
    the home folder now."""

    def __init__(self, home: Home, deployed: Deployed, comfyui: ComfyUI, relays: Mapping[str, Relay]) -> None:
        self._home = home
        self._deployed = deployed
        self._comfyui = comfyui
        self._relays = relays

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
            self._relays,
            revision=self._deployed.workflow(),
            prefix=outputs[Output.ENDPOINT_PREFIX],
            output_bucket=outputs[Output.OUTPUT_BUCKET],
            success_topic_arn=outputs[Output.SUCCESS_TOPIC_ARN],
            error_topic_arn=outputs[Output.ERROR_TOPIC_ARN],
        )
        return {endpoint.name: endpoint for endpoint in engines.values()}


def workflow_file(home: Path, comfyui: ComfyUI) -> Path | None:
    """Return the configured file, even if it is missing; else the home folder's, if it exists."""
    usual = home / "workflows" / "comfyui.json"
    return comfyui.workflow or (usual if usual.is_file() else None)


def _server(engine: Engine, home: Path, comfyui: ComfyUI, revision: str) -> tuple[str, ...] | None:
    """Return the engine's server module and its options; None if its model or workflow is missing."""
    if engine.workflow:
        workflow = workflow_file(home, comfyui)
        if workflow is None:
            return None
        options = ("--workflow", str(workflow), "--revision", revision, "--comfyui", comfyui.url)
        return "containers.comfyui", *options
    model = home / "models" / engine.name
    # The engine loads nothing without the manifest, which is written last.
    if not (model / MANIFEST).is_file():
        return None
    grace = str(int(GRACE_SECONDS) - _ENDING_SECONDS)
    return "containers.diffusion", "--model", str(model), "--grace", grace


def _relay(name: str, relay: Relay) -> tuple[str, ...]:
    """Return the server module of one of the user's own servers, and its options."""
    options = {
        "--url": relay.videos_url,
        "--name": name,
        "--model": relay.model,
        "--kind": relay.kind,
        "--extra": json.dumps(relay.extra),
        "--patience": str(relay.patience_seconds),
    }
    if relay.api_key_file:
        options["--api-key-file"] = str(relay.api_key_file)
    sound = ("--sound",) if relay.sound else ()
    return "containers.relay", *(part for pair in options.items() for part in pair), *sound

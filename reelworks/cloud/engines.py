"""Which engine servers this PC can run: those of the catalogue whose model, or workflow, is there."""

import sys
from pathlib import Path

from containers.cogvideox.manifest import MANIFEST
from lambdas.domain.engines import CATALOGUE, Engine, Renderer
from lambdas.domain.keys import ENGINE_FAILURE_PREFIX, ENGINE_OUTPUT_PREFIX
from lambdas.domain.names import endpoint_name
from reelworks.cloud.endpoints import Endpoint
from reelworks.cloud.leash import GRACE_SECONDS
from reelworks.cloud.settings import ComfyUI

REPOSITORY = Path(__file__).parents[2]
# Of the leash's seconds: for a server whose clip was not finished to give it up, and to end.
_ENDING_SECONDS = 2


def offered_engines(home: Path, comfyui: ComfyUI) -> list[str]:
    """The engines this PC can render with: those of a Lambda task, and those whose server it can start."""
    return [
        name
        for name, engine in CATALOGUE.items()
        if engine.renderer is not Renderer.ENDPOINT or _server(engine, home, comfyui)
    ]


def local_engines(
    home: Path,
    comfyui: ComfyUI,
    *,
    prefix: str,
    output_bucket: str,
    success_topic_arn: str,
    error_topic_arn: str,
) -> dict[str, Endpoint]:
    """The endpoint of each engine whose server can be started here, by engine name: there is its model,
    `{home}/models/{engine}/manifest.json`, or the workflow that ComfyUI renders it by.

    Engines that render in a Lambda task (`animatic`) need no endpoint and are not among them.
    """
    return {
        name: Endpoint(
            name=endpoint_name(prefix, name),
            command=(sys.executable, "-m", *server, "--host", "127.0.0.1", "--port", "{port}"),
            cwd=REPOSITORY,
            s3_output_path=f"s3://{output_bucket}/{ENGINE_OUTPUT_PREFIX}",
            s3_failure_path=f"s3://{output_bucket}/{ENGINE_FAILURE_PREFIX}",
            success_topic_arn=success_topic_arn,
            error_topic_arn=error_topic_arn,
        )
        for name, engine in CATALOGUE.items()
        if engine.renderer is Renderer.ENDPOINT and (server := _server(engine, home, comfyui))
    }


def _server(engine: Engine, home: Path, comfyui: ComfyUI) -> tuple[str, ...] | None:
    """The engine's server and its own options; None without what it renders with."""
    if engine.workflow:
        workflow = comfyui.workflow or home / "workflows" / f"{engine.name}.json"
        # One that is set but not there is told when a clip is asked for.
        if comfyui.workflow is None and not workflow.is_file():
            return None
        return "containers.comfyui", "--workflow", str(workflow), "--comfyui", comfyui.url
    model = home / "models" / engine.name
    # Without the manifest the engine loads nothing; it is written last.
    if not (model / MANIFEST).is_file():
        return None
    grace = str(int(GRACE_SECONDS) - _ENDING_SECONDS)
    return "containers.cogvideox", "--model", str(model), "--grace", grace

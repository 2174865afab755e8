"""Which engine servers this PC can run: those of the catalogue whose model is in the state folder."""

import sys
from pathlib import Path

from containers.cogvideox.manifest import MANIFEST
from lambdas.domain.engines import CATALOGUE, Renderer
from lambdas.domain.keys import ENGINE_FAILURE_PREFIX, ENGINE_OUTPUT_PREFIX
from lambdas.domain.names import endpoint_name
from reelworks.cloud.endpoints import Endpoint
from reelworks.cloud.leash import GRACE_SECONDS

REPOSITORY = Path(__file__).parents[2]
# Of the leash's seconds: for a server whose clip was not finished to give it up, and to end.
_ENDING_SECONDS = 2


def offered_engines(home: Path) -> list[str]:
    """The engines this PC can render with: those of a Lambda task, and those whose model is here."""
    return [
        name
        for name, engine in CATALOGUE.items()
        if engine.renderer is not Renderer.ENDPOINT or _has_model(home / "models" / name)
    ]


def local_engines(
    home: Path, *, prefix: str, output_bucket: str, success_topic_arn: str, error_topic_arn: str
) -> dict[str, Endpoint]:
    """The endpoint of each engine that has `{home}/models/{engine}/manifest.json`, by engine name.

    Engines that render in a Lambda task (`animatic`) need no endpoint and are not among them.
    """
    models = {
        name: home / "models" / name
        for name, engine in CATALOGUE.items()
        if engine.renderer is Renderer.ENDPOINT
    }
    return {
        name: Endpoint(
            name=endpoint_name(prefix, name),
            command=(
                *(sys.executable, "-m", "containers.cogvideox"),
                *("--model", str(model), "--host", "127.0.0.1", "--port", "{port}"),
                *("--grace", str(int(GRACE_SECONDS) - _ENDING_SECONDS)),
            ),
            cwd=REPOSITORY,
            s3_output_path=f"s3://{output_bucket}/{ENGINE_OUTPUT_PREFIX}",
            s3_failure_path=f"s3://{output_bucket}/{ENGINE_FAILURE_PREFIX}",
            success_topic_arn=success_topic_arn,
            error_topic_arn=error_topic_arn,
        )
        for name, model in models.items()
        if _has_model(model)
    }


def _has_model(folder: Path) -> bool:
    # Without it the engine loads nothing; it is written last.
    return (folder / MANIFEST).is_file()

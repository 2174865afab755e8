"""Assemble a film that may exceed the Lambda timeout: start a build that runs lambdas.builds.assemble_film
and answers the task token."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.adapters.builds import Builds
from lambdas.adapters.clients import client
from lambdas.domain.stages import Stage
from lambdas.production.task_token import CalledBackTask, task
from lambdas.settings import AssembleLongSettings
from lambdas.telemetry import logger


class AssembleLongTask(CalledBackTask):
    retry: int  # how many times the state machine has retried this step


@task
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Raises VideoClosed, VideoNotFound."""
    request = AssembleLongTask.model_validate(event)
    settings = AssembleLongSettings.from_env()
    videos = stores.videos(settings)
    videos.advance(request.tenant, request.video_id, Stage.ASSEMBLING)
    build = Builds(client("codebuild"), settings.build_project).start(
        CalledBackTask(**request.model_dump(exclude={"retry"})).model_dump_json(),
        delivery=f"{request.token} {request.retry}",
    )
    # Lets upkeep find a build that ends without answering.
    videos.advance(request.tenant, request.video_id, Stage.ASSEMBLING, build=build)
    logger.info("build started", extra={"build": build})

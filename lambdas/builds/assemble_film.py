"""`python -m lambdas.builds.assemble_film`: do the work of the Assemble function as a program, in a build."""

from lambdas.adapters import stores
from lambdas.production.task_token import CalledBackTask, Event, answer
from lambdas.settings import AssemblyBuildSettings
from lambdas.tasks.assemble import assemble
from lambdas.telemetry import logger


def main() -> None:
    settings = AssemblyBuildSettings.from_env()
    request = CalledBackTask.model_validate_json(settings.task)
    logger.append_keys(video_id=request.video_id)

    def work() -> Event:
        videos, inputs, outputs = stores.videos(settings), stores.inputs(settings), stores.outputs(settings)
        usd_per_second = settings.price_list.build_second()
        made = assemble(request.tenant, request.video_id, usd_per_second, videos, inputs, outputs)
        return made.model_dump()

    answer(request.token, work)


if __name__ == "__main__":
    main()

from typing import Any

from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from lambdas.production.task_token import CalledBackTask
from lambdas.settings import TASK_VARIABLE
from lambdas.tasks import assemble_long
from tests.cloud.pipeline.bench import TENANT, Bench, Task


def call(task: Task, video: Video, retry: int = 0) -> None:
    task.call(assemble_long.handler, video, retry=retry)


def requests(bench: Bench) -> list[dict[str, Any]]:
    return [build["request"] for build in bench.answers.builds.values()]


def test_a_build_is_started_with_the_token_it_must_answer(bench: Bench) -> None:
    video, task = bench.video(stage=Stage.RENDERING), bench.task()
    call(task, video)
    assert task.waits
    [request] = requests(bench)
    assert request["projectName"] == "assemble"
    [variable] = request["environmentVariablesOverride"]
    assert variable["name"] == TASK_VARIABLE
    assert CalledBackTask.model_validate_json(variable["value"]) == CalledBackTask(
        token=task.token, tenant=TENANT, video_id=video.id
    )
    now = bench.now(video)
    assert (now.stage, now.build) == (Stage.ASSEMBLING, "assemble:0")


def test_a_duplicate_delivery_is_distinguished_from_a_retry(bench: Bench) -> None:
    video, task = bench.video(stage=Stage.RENDERING), bench.task()
    for retry in (0, 0, 1):
        call(task, video, retry)
    first, again, retried = (request["idempotencyToken"] for request in requests(bench))
    assert first == again != retried


def test_a_cancelled_video_starts_no_build(bench: Bench) -> None:
    video, task = bench.video(stage=Stage.CANCELLED), bench.task()
    call(task, video)
    assert task.answer()[0] == "VideoClosed"
    assert requests(bench) == []


def test_the_step_is_retried_later_if_the_build_quota_is_used_up(bench: Bench) -> None:
    bench.answers.builds_allowed = False
    video, task = bench.video(stage=Stage.RENDERING), bench.task()
    call(task, video)
    assert task.answer()[0] == "ServiceUnavailable"

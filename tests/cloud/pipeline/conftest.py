"""The functions' tests share one local AWS; each test has its own videos."""

from collections.abc import Iterator

import pytest

from lambdas.settings import (
    DeliverSettings,
    NarrateSettings,
    PlanSettings,
    PublishSettings,
    RenderClipSettings,
    env_of,
)
from tests.cloud.deployment import deployed
from tests.cloud.pipeline.bench import SIGNING_SECRET, Answers, Bench
from tests.cloud.servers import serving


@pytest.fixture(scope="package")
def deployed_bench() -> Iterator[Bench]:
    answers = Answers()
    with deployed() as deployment, serving(answers.app) as url, pytest.MonkeyPatch.context() as environment:
        for service in ("SAGEMAKER_RUNTIME", "SAGEMAKER", "BEDROCK_RUNTIME", "POLLY", "LAMBDA", "CODEBUILD"):
            environment.setenv(f"AWS_ENDPOINT_URL_{service}", url)
        bench = Bench(deployment, answers)
        stores = bench.settings.model_dump(include={"videos_table", "input_bucket", "output_bucket"})
        clips = {"clips_table": bench.settings.clips_table}
        priced = stores | {"prices": bench.settings.prices}
        for settings in (
            bench.settings,
            PlanSettings(**priced, text_model="amazon.nova-lite-v1:0", text_seconds="60"),
            PublishSettings(**stores, event_bus=bench.settings.event_bus, signing_secret=SIGNING_SECRET),
            NarrateSettings(**priced, voice="Joanna", voice_engine="neural"),
            RenderClipSettings(
                **priced,
                **clips,
                endpoint_prefix="reelworks",
                invocation_seconds=900,
                request_ttl_seconds=3600,
                event_bus=bench.settings.event_bus,
            ),
            DeliverSettings(
                **stores,
                webhooks_to_loopback="true",
                webhooks_table=bench.deployment.settings.webhooks_table,
                webhooks_queue_url=bench.deployment.settings.webhooks_queue_url,
                webhooks_dead_letters_url=bench.undelivered,
            ),
        ):
            for name, value in env_of(settings).items():
                environment.setenv(name, value)
        yield bench


@pytest.fixture
def bench(deployed_bench: Bench) -> Bench:
    deployed_bench.answers.forget()
    deployed_bench.clear_queue()
    return deployed_bench

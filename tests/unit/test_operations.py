"""What `reel ops` makes of the records and of CloudWatch; both are stubbed at the network's edge."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import boto3
import pytest
import typer
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from lambdas.domain.stages import Stage
from lambdas.domain.usage import By
from lambdas.domain.video import Video
from lambdas.domain.video_parts import Failure, StageEntry
from reelworks.cli.options import ago
from reelworks.deployment import Deployment, DeploymentError
from reelworks.operations.costs import Cost, costs_since
from reelworks.operations.failures import failures_since
from reelworks.operations.metrics import Metric, values
from tests.factories import a_video

NOW = datetime.now(UTC)
OUTPUTS = {"OutputBucket": "output", "VideosTable": "videos", "EndpointPrefix": "reelworks"}


class Stubbed:
    """A deployment whose services answer as told, in order."""

    def __init__(self, stack: ExitStack) -> None:
        self._clients: dict[str, Any] = {}
        self.stubs: dict[str, Stubber] = {}
        self._stack = stack
        self.deployment = Deployment(self._client, dict(OUTPUTS))

    def _client(self, service: str) -> Any:
        self.stub(service)
        return self._clients[service]

    def stub(self, service: str) -> Stubber:
        if service not in self.stubs:
            keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
            self._clients[service] = boto3.client(service, **keys)  # type: ignore[call-overload]
            self.stubs[service] = self._stack.enter_context(Stubber(self._clients[service]))
        return self.stubs[service]

    def records(self, *videos: Video, changed: datetime = NOW, prefix: str = "records/videos/") -> None:
        keys = [f"{prefix}{number}.json" for number in range(len(videos))]
        s3 = self.stub("s3")
        contents = [{"Key": key, "LastModified": changed, "ETag": '"e"'} for key in keys]
        s3.add_response("list_objects_v2", {"Contents": contents}, {"Bucket": "output", "Prefix": prefix})
        for video in videos:
            body = video.model_dump_json().encode()
            s3.add_response("get_object", {"Body": StreamingBody(BytesIO(body), len(body))}, ANY_OBJECT)


ANY_OBJECT = {"Bucket": "output", "Key": ANY}


@pytest.fixture
def stubbed() -> Iterator[Stubbed]:
    with ExitStack() as stack:
        made = Stubbed(stack)
        yield made
        for stub in made.stubs.values():
            stub.assert_no_pending_responses()


def ended(stage: Stage, hours: float, **fields: Any) -> Video:
    """A video that ended so many hours ago."""
    at_ms = int((NOW - timedelta(hours=hours)).timestamp() * 1000)
    return a_video(stage=stage, history=[StageEntry(stage=stage, at_ms=at_ms)], updated_ms=at_ms, **fields)


def failure(code: str, step: str = "RenderClip") -> Failure:
    return Failure(step=step, code=code, reason=f"{code}, because", advice="Do something.")


def test_failures_are_grouped_and_those_tried_again_are_counted(stubbed: Stubbed) -> None:
    again = ended(Stage.FAILED, 1).model_copy(update={"stage": Stage.RENDERING, "attempt": 2})
    stubbed.records(
        ended(Stage.FAILED, 3, failure=failure("EngineFailed")),
        ended(Stage.FAILED, 1, failure=failure("EngineFailed"), id="video_latest"),
        ended(Stage.FAILED, 2, failure=failure("VoiceUnavailable", "Narrate")),
        ended(Stage.FAILED, 30, failure=failure("EngineFailed")),
        ended(Stage.COMPLETED, 1),
        again,
    )
    found = failures_since(stubbed.deployment, NOW - timedelta(hours=24))
    assert [(code, step, len(films)) for code, step, films in found.groups] == [
        ("EngineFailed", "RenderClip", 2),
        ("VoiceUnavailable", "Narrate", 1),
    ]
    assert found.groups[0][2][0].video_id == "video_latest"
    assert found.tried_again == 1
    document = found.document()
    assert document["groups"][0]["films"][0]["failure"]["reason"] == "EngineFailed, because"


def test_only_one_tenant_s_records_are_read(stubbed: Stubbed) -> None:
    stubbed.records(ended(Stage.FAILED, 1, failure=failure("X")), prefix="records/videos/acme/")
    assert len(failures_since(stubbed.deployment, NOW - timedelta(hours=24), tenant="acme").films) == 1


def test_records_that_have_not_changed_since_are_not_read(stubbed: Stubbed) -> None:
    s3 = stubbed.stub("s3")
    old = {"Key": "records/videos/old.json", "LastModified": NOW - timedelta(days=2), "ETag": '"e"'}
    s3.add_response("list_objects_v2", {"Contents": [old]})
    assert failures_since(stubbed.deployment, NOW - timedelta(days=1)).films == []


def test_a_record_of_another_version_is_named(stubbed: Stubbed) -> None:
    s3 = stubbed.stub("s3")
    entry = {"Key": "records/videos/acme/x.json", "LastModified": NOW, "ETag": '"e"'}
    s3.add_response("list_objects_v2", {"Contents": [entry]})
    s3.add_response("get_object", {"Body": StreamingBody(BytesIO(b"{}"), 2)})
    with pytest.raises(DeploymentError, match=r"(?s)records/videos/acme/x.json.*version"):
        failures_since(stubbed.deployment, NOW - timedelta(days=1))


def test_costs_by_tenant_engine_and_day(stubbed: Stubbed) -> None:
    """From what was counted as the films ended."""
    today, before = NOW.date().isoformat(), (NOW - timedelta(days=800)).date().isoformat()

    def counted(tenant: str, day: str, engine: str, **sums: str) -> dict[str, Any]:
        names = {"pk": {"S": f"usage#{day[:7]}"}, "sk": {"S": f"{tenant}#{day}#{engine}"}}
        return {**names, **{name: {"N": value} for name, value in sums.items()}}

    def costs(by: By) -> list[Cost]:
        month = {":month": {"S": f"usage#{today[:7]}"}}
        stubbed.stub("dynamodb").add_response(
            "query",
            {
                "Items": [
                    counted("acme", before, "animatic", films="9", usd="9"),
                    counted(
                        "acme", today, "animatic", films="2", clips="2", seconds="36", usd="0.5", unknown="1"
                    ),
                    counted("zeta", today, "cogvideox-5b", failed="1", clips="1", usd="0.25"),
                ]
            },
            {
                "TableName": "videos",
                "KeyConditionExpression": "pk = :month",
                "ExpressionAttributeValues": month,
                "ConsistentRead": True,
            },
        )
        return costs_since(stubbed.deployment, NOW, by)

    acme, zeta = costs(By.TENANT)
    assert acme.document() == {
        "group": "acme", "films": 2, "failed": 0, "clips": 2, "seconds": 36, "usd": 0.5, "unknown": 1,
    }  # fmt: skip
    assert (zeta.group, zeta.films, zeta.failed, zeta.usd) == ("zeta", 0, 1, 0.25)
    assert {cost.group: cost.usd for cost in costs(By.ENGINE)} == {"animatic": 0.5, "cogvideox-5b": 0.25}
    [day] = costs(By.DAY)
    assert (day.group, day.usd) == (today, 0.75)


def test_metrics_of_all_pages_are_put_together(stubbed: Stubbed) -> None:
    cloudwatch = stubbed.stub("cloudwatch")

    def page(*results: tuple[str, list[float]], **more: str) -> dict[str, Any]:
        return {"MetricDataResults": [{"Id": id_, "Values": found} for id_, found in results], **more}

    cloudwatch.add_response("get_metric_data", page(("m0", [1.0]), ("m1", [2.0]), NextToken="more"))
    cloudwatch.add_response("get_metric_data", page(("m0", [3.0])))
    metric = Metric("AWS/Lambda", "Errors", (("FunctionName", "f"),), "Sum")
    found = values(stubbed.deployment.client("cloudwatch"), {"a": metric, "b": metric}, NOW, NOW, period=60)
    assert found == {"a": [1.0, 3.0], "b": [2.0]}


@pytest.mark.parametrize(
    ("text", "back"),
    [("30m", {"minutes": 30}), ("24h", {"hours": 24}), ("7d", {"days": 7}), ("2w", {"weeks": 2})],
)
def test_how_far_back(text: str, back: dict[str, int]) -> None:
    assert abs(ago(text) - (datetime.now(UTC) - timedelta(**back))) < timedelta(minutes=1)


def test_a_date_or_a_time() -> None:
    assert ago("2026-01-31T10:00:00+00:00") == datetime(2026, 1, 31, 10, tzinfo=UTC)
    assert ago("2026-01-31") == datetime(2026, 1, 31).astimezone(UTC)


@pytest.mark.parametrize("text", ["", "soon", "h", "-1x", "-5d", "99999999999w", "9999-01-01"])
def test_no_time(text: str) -> None:
    with pytest.raises(typer.Exit):
        ago(text)

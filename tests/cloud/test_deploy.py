import os
import signal
from typing import Any

import httpx
import pytest

from reelworks.cloud.errors import CloudError
from reelworks.cloud.home import Home
from reelworks.cloud.lifecycle import process_lock
from reelworks.cloud.lifecycle.cloud_status import Status, status
from reelworks.cloud.lifecycle.start_stop import down, up
from tests.cloud import small_stack
from tests.cloud.servers import wait_until
from tests.cloud.small_stack import BUCKET

ASSETS_BUCKET = "small-assets-000000000000-us-east-1"


def s3_of(cloud: Status) -> Any:
    return small_stack.aws(cloud, "s3")


def drop(s3: Any, key: str) -> None:
    """Put an object under drop/ and wait for the function that the bucket's event calls."""
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"1")

    def told() -> bool:
        return any(
            note["event"].get("detail", {}).get("object", {}).get("key") == key
            for note in small_stack.notes(s3)
        )

    wait_until(told)


def allowed_origins(s3: Any) -> list[str]:
    """A property of the template's bucket that ministack applies."""
    (rule,) = s3.get_bucket_cors(Bucket=BUCKET)["CORSRules"]
    return list(rule["AllowedOrigins"])


def assets(s3: Any) -> list[str]:
    return [found["Key"] for found in s3.list_objects_v2(Bucket=ASSETS_BUCKET)["Contents"]]


def test_the_template_is_deployed_unchanged(cloud: Status) -> None:
    assert cloud.outputs["OutputBucket"] == BUCKET
    assert allowed_origins(s3_of(cloud)) == ["https://a.example"]
    drop(s3_of(cloud), "drop/a")


def test_everything_is_restored_after_a_kill(home: Home) -> None:
    before = up(home)
    s3_of(before).put_object(Bucket=BUCKET, Key="films/f.mp4", Body=b"film", ContentType="video/mp4")
    process = process_lock.running(home)
    assert process
    os.kill(process.pid, signal.SIGKILL)

    after = up(home)
    s3 = s3_of(after)
    film = s3.get_object(Bucket=BUCKET, Key="films/f.mp4")
    assert (film["Body"].read(), film["ContentType"]) == (b"film", "video/mp4")
    assert allowed_origins(s3) == ["https://a.example"]
    drop(s3, "drop/b")
    assert after.outputs.keys() == before.outputs.keys()


def test_an_object_being_overwritten_during_a_kill_is_readable(home: Home) -> None:
    """ministack stores an object's data first, then its size and checksum: here the second is missing."""
    s3_of(up(home)).put_object(Bucket=BUCKET, Key="records/r", Body=b"old", ContentType="text/plain")
    down(home)
    (stored,) = home.s3.rglob("records/r")
    stored.write_bytes(b"much newer")
    record = s3_of(up(home)).get_object(Bucket=BUCKET, Key="records/r")
    assert (record["Body"].read(), record["ContentType"]) == (b"much newer", "text/plain")


def test_unchanged_after_a_stop(home: Home) -> None:
    first = up(home)
    s3_of(first).put_object(Bucket=BUCKET, Key="k", Body=b"1")
    down(home)
    second = up(home)
    assert second.base_url == first.base_url
    assert s3_of(second).head_object(Bucket=BUCKET, Key="k")["ContentLength"] == 1
    assert assets(s3_of(second)) == ["code.zip", "template.json"]


def test_changed_sources_are_deployed_and_their_old_assets_removed(home: Home) -> None:
    first = up(home)
    s3_of(first).put_object(Bucket=ASSETS_BUCKET, Key="old.zip", Body=b"")
    code = small_stack.CODE.replace('"statusCode": 200', '"statusCode": 418')
    small_stack.write_checkout(home.checkout, small_stack.template(New={"Type": "AWS::SQS::Queue"}), code)
    second = up(home)
    assert httpx.get(f"{second.base_url}/videos", timeout=30).status_code == 418
    assert assets(s3_of(second)) == ["code.zip", "template.json"]


def test_a_resource_that_fails_says_why_and_nothing_is_left_running(home: Home) -> None:
    bad = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.12",
            "Handler": "a.b",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Code": {"S3Bucket": ASSETS_BUCKET, "S3Key": "code.zip"},
            "Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:missing:1"],
        },
    }
    small_stack.write_checkout(home.checkout, small_stack.template(Bad=bad))
    with pytest.raises(CloudError, match="Bad: "):
        up(home)
    assert status(home).state == "down"
    assert process_lock.running(home) is None


def test_a_resource_that_ministack_lacks_is_rejected(home: Home) -> None:
    small_stack.write_checkout(
        home.checkout, small_stack.template(Bad={"Type": "AWS::Budgets::Budget", "Properties": {}})
    )
    with pytest.raises(CloudError, match="AWS::Budgets::Budget"):
        up(home)


def test_a_bucket_without_a_literal_name_is_rejected(home: Home) -> None:
    unnamed = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Fn::Sub": "${AWS::AccountId}-x"}}}
    small_stack.write_checkout(home.checkout, small_stack.template(Unnamed=unnamed))
    with pytest.raises(CloudError, match="Unnamed has no literal name"):
        up(home)


def test_a_failed_synth_says_why(home: Home) -> None:
    (home.checkout / "app.py").write_text("raise SystemExit('no such setting: colour')")
    with pytest.raises(CloudError, match="no such setting: colour"):
        up(home)

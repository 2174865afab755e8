"""The functions' roles have sufficient permissions: the real template with IAM enforced."""

import json
import os
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cdk.code import ROOT
from lambdas.adapters.api_keys import ApiKeys, new_key
from lambdas.adapters.deliveries_queue import DeliveriesQueue
from lambdas.adapters.objects import Objects
from lambdas.adapters.tenants import Tenants
from lambdas.adapters.upload import PART
from lambdas.adapters.videos import Videos, now_ms
from lambdas.adapters.webhooks import Webhooks
from lambdas.domain import keys
from lambdas.domain.film_plan import film_hash
from lambdas.domain.quotas import Quotas
from lambdas.domain.stages import Stage
from lambdas.domain.webhooks import WINDOW_MS, Delivery, DueTry
from lambdas.production.plans import store_plan
from lambdas.production.task_token import CalledBackTask
from lambdas.settings import TASK_VARIABLE
from reelworks.cloud.director import prompts, storyboards
from reelworks.cloud.services.bedrock import BedrockRuntime
from reelworks.cloud.services.polly import Polly
from reelworks.cloud.settings import Settings, TextServer
from tests.cloud.deployment import png
from tests.cloud.model_servers import ModelServer, openai_answer
from tests.cloud.real_template import Client, deployed, synthesize
from tests.cloud.servers import StandIn, serving, stopping, wait_until
from tests.factories import a_plan, a_request, a_video
from tests.unit.clips import clip, padded
from tests.unit.sounds import encoded, tone

# ministack (1.5.33) enforces everything except these as AWS does.
_TLS_ONLY = ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")


def allow_what_ministack_checks_differently(template: Path) -> None:
    """ministack has no TLS, which the policies of buckets, queues and topics require, and it needs
    states:SendTask* on every resource, while AWS needs it on the state machine."""
    document = json.loads(template.read_text())
    resources = document["Resources"]
    for id_ in [id_ for id_, resource in resources.items() if resource["Type"] in _TLS_ONLY]:
        policy = resources[id_]["Properties"]["PolicyDocument"]
        policy["Statement"] = [one for one in policy["Statement"] if one["Effect"] == "Allow"]
        if not policy["Statement"]:
            del resources[id_]
    for id_, resource in resources.items():
        if "AnswerTasks" in id_:
            resource["Properties"]["PolicyDocument"]["Statement"][0]["Resource"] = "*"
        if "DependsOn" in resource:
            names = resource["DependsOn"]
            names = [names] if isinstance(names, str) else names
            resource["DependsOn"] = [name for name in names if name in resources]
    template.write_text(json.dumps(document))


def refusals(client: Client) -> list[str]:
    """Return what the functions' logs say about denied calls."""
    found = []
    for page in client("logs").get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            for events in (
                client("logs").get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
            ):
                messages = [event["message"] for event in events["events"]]
                found += [message for message in messages if "not authorized" in message]
    return found


@pytest.fixture(scope="module", autouse=True)
def enforced() -> Iterator[None]:
    """IAM is enforced except where ministack differs from AWS: the text model, speech and stills, which only
    the template's tests cover."""
    with ExitStack() as stack, pytest.MonkeyPatch.context() as environment:
        server = ModelServer()
        server.answers["/v1/chat/completions"] = _director_that_sees
        text = TextServer(url=stack.enter_context(serving(server.app)), model="director")
        stand_ins: dict[str, StandIn] = {
            "BEDROCK_RUNTIME": BedrockRuntime(Settings(text=text)),
            "POLLY": Polly({}),
        }
        for service, stand_in in stand_ins.items():
            url = stack.enter_context(serving(stopping(stand_in)))
            environment.setenv(f"AWS_ENDPOINT_URL_{service}", url)
        environment.setenv("AUTH", "true")
        yield


def _director_that_sees(asked: dict[str, Any]) -> Response:
    """Answer as the rule-based director, and describe every picture alike."""
    content = asked["messages"][-1]["content"]
    if isinstance(content, list):
        return openai_answer("A small red fox.")
    if form := asked.get("response_format"):
        filled = storyboards.fill(form["json_schema"]["name"], content)
        return openai_answer(json.dumps(filled))
    task = prompts.read_task(content)
    return openai_answer(prompts.enhance(task.prompt, task.words, task.change))


Deployed = tuple[str, Client, dict[str, str]]


@pytest.fixture(scope="module")
def as_it_is(enforced: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The unmodified template, deployed once; each test has its own tenant."""
    folder = tmp_path_factory.mktemp("template") / "cdk.out"
    allow_what_ministack_checks_differently(synthesize(folder))
    with deployed(folder) as deployment:
        yield deployment


def test_the_roles_are_sufficient(as_it_is: Deployed) -> None:
    url, client, outputs = as_it_is
    journal = Objects(client("s3"), outputs["OutputBucket"])
    tenants = Tenants(client("dynamodb"), outputs["ApiKeysTable"], journal)
    tenants.set("acme", Quotas(videos_in_flight=7, clips_per_day=1000))
    with _api(url, client, outputs, "acme") as api:
        made = _create(api, seconds="8", transition="crossfade")
        cancelled = _create(api, seconds="120")
        assert api.post(f"/videos/{cancelled}/cancel").status_code == 200
        request = json.dumps({"prompt": "A bee on a flower", "size": "320x240", "fps": 8}).encode()
        client("s3").put_object(Bucket=outputs["InputBucket"], Key="drop/acme/bee.json", Body=request)
        _wait_for(api, made, "completed")
        spoken = {"topic": "A bee and its flower", "captions": True, "stills": "standard"}
        told = _create(api, **spoken, scenes=2, review=["previews"])
        _wait_at_a_gate(api, told)
        for preview in ("narration", "still"):
            assert api.get(f"/videos/{told}/scenes/0/{preview}", follow_redirects=True).status_code == 200
        assert api.post(f"/videos/{told}/approve").status_code == 200
        shown = _wait_for(api, told, "completed")
        assert [part["state"] for part in shown["narrations"] + shown["stills"]] == 4 * ["done"]
        storyboard = api.get(f"/videos/{told}/storyboard").json()
        assert api.put(f"/videos/{told}/storyboard", json={**storyboard, "title": "Bees"}).status_code == 200
        assert api.post(f"/videos/{told}/approve").status_code == 200
        _wait_at_a_gate(api, told)
        assert api.post(f"/videos/{told}/approve").status_code == 200
        _wait_for(api, told, "completed")
        assert api.get(f"/videos/{told}/content?variant=captions").status_code == 302
        assert api.get(f"/videos/{made}/content").status_code == 302
        assert _film_beside(client, outputs, "drop/acme/bee.json.mp4")
        key = _accepted(api.post("/api_keys", json={"name": "ci", "scopes": ["read"]}))
        own = {"Authorization": f"Bearer {key['value']}"}
        assert api.post("/videos", json={"prompt": "A bee"}, headers=own).status_code == 403
        assert key["id"] in {one["id"] for one in _accepted(api.get("/api_keys"))["data"]}
        assert api.delete(f"/api_keys/{key['id']}").status_code == 200
        wait_until(lambda: _accepted(api.get("/usage"))["total"]["films"] == 4)  # the dropped one ends last
        used = _accepted(api.get("/usage"))
        assert (used["total"]["failed"], used["quotas"][0]["remaining"]) == (1, 7)
        healed = client("lambda").invoke(FunctionName=outputs["UpkeepFunction"], Payload=b'{"restore": true}')
        assert "FunctionError" not in healed, healed["Payload"].read()
        assert len(api.get("/videos").json()["data"]) == 4
        assert api.delete(f"/videos/{made}").status_code == 200
        assert refusals(client) == []


def test_the_roles_are_sufficient_for_music_and_for_videos_of_videos(as_it_is: Deployed) -> None:
    url, client, outputs = as_it_is
    with _api(url, client, outputs, "musicians") as api:
        music = {"audio_url": f"data:audio/wav;base64,{b64encode(encoded(tone(2, 440)).read()).decode()}"}
        film = _create(api, topic="A bee", scenes=2, music=music, burn_captions=True, review=["previews"])
        _wait_at_a_gate(api, film)
        again = {"part": "text", "note": "Let it rain."}
        _accepted(api.post(f"/videos/{film}/scenes/0/regenerate", json=again))
        _wait_at_a_gate(api, film)
        _accepted(api.post(f"/videos/{film}/approve"))
        _wait_for(api, film, "completed")
        for variant in ("storyboard", "manifest"):
            answer = api.get(f"/videos/{film}/content", params={"variant": variant}, follow_redirects=True)
            assert answer.status_code == 200, answer.text
        file = {"prompt": "It flies on", "seconds": "1", "size": "96x64", "fps": "8"}
        of_others = [
            _accepted(api.post(f"/videos/{film}/remix", json={"prompt": "At night"})),
            _accepted(api.post("/videos/edits", json={"prompt": "In ink", "video": {"id": film}})),
            _accepted(
                api.post("/videos/extensions", json={"prompt": "On", "seconds": 4, "video": {"id": film}})
            ),
            _accepted(api.post("/videos/extensions", data=file, files={"video": ("bee.mp4", clip(8))})),
        ]
        for video in of_others:
            if video["review"]["requested"]:
                _wait_at_a_gate(api, video["id"])
                _accepted(api.post(f"/videos/{video['id']}/approve"))
            _wait_for(api, video["id"], "completed")
        assert refusals(client) == []


def test_the_roles_are_sufficient_for_webhooks(as_it_is: Deployed) -> None:
    url, client, outputs = as_it_is
    taken: list[str] = []

    async def take(request: Request) -> Response:
        taken.append(request.url.path)
        return Response(status_code={"/gone": 410, "/broken": 500}.get(request.url.path, 204))

    receiver = Starlette(routes=[Route("/{path:path}", take, methods=["POST"])])
    with _api(url, client, outputs, "listeners") as api, serving(receiver) as to:
        every = {"event_types": ["video.completed", "video.failed", "video.review", "clip.completed"]}
        endpoint = _accepted(api.post("/webhook_endpoints", json={"url": f"{to}/all", **every}))["id"]
        _accepted(api.post("/webhook_endpoints", json={"url": f"{to}/gone"}))
        path = f"/webhook_endpoints/{endpoint}"
        _accepted(api.post(f"{path}/rotate_secret"))
        tested = _accepted(api.post(f"{path}/test", json={"event_type": "video.failed"}))
        assert tested["status_code"] == 204
        film = _create(api, seconds="1", webhook_url=f"{to}/one")
        _wait_for(api, film, "completed")
        # The sample, a clip and the film; the first event also disables the endpoint that is gone.
        wait_until(lambda: sorted(taken) == ["/all", "/all", "/all", "/gone", "/one"], 120)
        _accepted(api.post(path, json={"url": f"{to}/broken"}))
        delivery = _accepted(api.get(f"{path}/deliveries"))["data"][0]["id"]
        _accepted(api.post(f"{path}/deliveries/{delivery}/redeliver"))
        wait_until(lambda: "/broken" in taken, 120)
        _give_up(client, outputs, endpoint, delivery)
        assert _accepted(api.delete(path))["deleted"]
        assert refusals(client) == []


def _give_up(client: Client, outputs: dict[str, str], endpoint: str, delivery: str) -> None:
    """Let a delivery be tried for the last time."""
    journal = Objects(client("s3"), outputs["OutputBucket"])
    webhooks = Webhooks(client("dynamodb"), outputs["WebhooksTable"], journal)

    def aged() -> Delivery | None:
        before = webhooks.delivery("listeners", endpoint, delivery)
        assert before
        after = before.begun_again(now_ms() - WINDOW_MS)
        return after if webhooks.note(after, before=before) else None  # a try may have been noted meanwhile

    while (last := aged()) is None:
        pass
    DeliveriesQueue(client("sqs"), outputs["WebhooksQueueUrl"]).send(DueTry.of(last), now_ms())
    queue = {"QueueUrl": outputs["WebhooksDeadLetterQueueUrl"]}
    wait_until(lambda: "Messages" in client("sqs").receive_message(**queue), 120)


def test_the_roles_are_sufficient_for_characters(as_it_is: Deployed) -> None:
    url, client, outputs = as_it_is
    with _api(url, client, outputs, "casting") as api:
        fox = {"image": {"image_url": f"data:image/png;base64,{b64encode(png(1)).decode()}"}}
        made = _accepted(api.post("/videos/characters", json={"name": "Mossy", **fox}))
        assert api.get("/videos/characters").json()["data"] == [made]
        film = _create(api, topic="@Mossy in the snow", scenes=1, stills="premium", captions=True)
        client("s3").put_object(
            Bucket=outputs["InputBucket"], Key="drop/casting/fox.txt", Body=b"@mossy on a hill"
        )
        shown = _wait_for(api, film, "completed")
        assert shown["characters"][0]["description"] == "A small red fox.", shown["characters"]
        drawn = _create(api, prompt="@Mossy runs", seconds="1")
        _wait_for(api, drawn, "completed")
        assert _film_beside(client, outputs, "drop/casting/fox.txt.mp4")
        assert api.get(f"/videos/characters/{made['id']}").json()["description"] == "A small red fox."
        storyboard = api.get(f"/videos/{film}/storyboard").json()
        _accepted(api.put(f"/videos/{film}/storyboard", json={**storyboard, "style": "@Mossy, in ink."}))
        _accepted(api.delete(f"/videos/characters/{made['id']}"))
        assert api.get(f"/videos/characters/{made['id']}").status_code == 404
        assert refusals(client) == []


def test_the_roles_are_sufficient_for_files_sent_ahead(as_it_is: Deployed) -> None:
    url, client, outputs = as_it_is
    with _api(url, client, outputs, "senders") as api:
        picture, bee = _sent(api, "image/png", png(1)), _sent(api, "video/mp4", clip(8))
        begun = _create(api, seconds="1", input_reference=picture)
        dropped = json.dumps({"prompt": "A bee", "seconds": "1", "input_reference": picture})
        client("s3").put_object(
            Bucket=outputs["InputBucket"], Key="drop/senders/bee.json", Body=dropped.encode()
        )
        longer = {"prompt": "It flies on", "seconds": "1", "size": "96x64", "fps": "8", "video": bee}
        extended = _accepted(api.post("/videos/extensions", json=longer))
        for video in (begun, extended["id"]):
            _wait_for(api, video, "completed")
        assert _film_beside(client, outputs, "drop/senders/bee.json.mp4")
        assert refusals(client) == []


def _sent(api: httpx.Client, mime_type: str, data: bytes) -> dict[str, str]:
    upload = _accepted(api.post("/uploads", json={"mime_type": mime_type}))
    sent = httpx.post(upload["url"], data=upload["fields"], files={"file": data}, timeout=60)
    assert sent.status_code == 204, sent.text
    shown = _accepted(api.get(f"/uploads/{upload['id']}"))
    assert (shown["status"], shown["bytes"]) == ("completed", len(data))
    return {"file_id": upload["id"]}


def test_the_build_s_role_is_sufficient(as_it_is: Deployed) -> None:
    """With only its project's environment, the program resumes a film of several parts."""
    url, client, outputs = as_it_is
    film, task = _rendered(client, outputs)
    s3, where = client("s3"), {"Bucket": outputs["OutputBucket"], "Key": film}
    begun = s3.create_multipart_upload(**where)["UploadId"]
    s3.upload_part(**where, UploadId=begun, PartNumber=1, Body=b"of another film")
    (project,) = client("codebuild").batch_get_projects(names=["reelworks-assemble"])["projects"]
    role = client("sts").assume_role(RoleArn=project["serviceRole"], RoleSessionName="build")
    environment = {one["name"]: one["value"] for one in project["environment"]["environmentVariables"]}
    done = subprocess.run(
        [sys.executable, "-m", "lambdas.builds.assemble_film"],
        env={
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": role["Credentials"]["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": role["Credentials"]["SecretAccessKey"],
            "AWS_SESSION_TOKEN": role["Credentials"]["SessionToken"],
            **environment,
            TASK_VARIABLE: task.model_dump_json(),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "film assembled" in done.stdout
    assert s3.head_object(**where)["ContentLength"] > PART


def _rendered(client: Client, outputs: dict[str, str]) -> tuple[str, CalledBackTask]:
    """Return the film's key of a video with a rendered clip, and the task to assemble it."""
    objects = Objects(client("s3"), outputs["OutputBucket"])
    videos = Videos(client("dynamodb"), outputs["VideosTable"], journal=objects)
    video = a_video(
        tenant="builders", request=a_request(seconds=1, width=96, height=64, fps=8), expires_ms=2**41
    )
    videos.create(video)
    for stage in (Stage.PLANNING, Stage.RENDERING):
        videos.advance(video.tenant, video.id, stage)
    plan = a_plan(video, ["x"])
    store_plan(objects, plan)
    (made,) = plan.clips
    objects.put(keys.clip(video.tenant, made.key_hash), padded(clip(8), 4_500_000), "video/mp4")
    task = CalledBackTask(token="nobody's", tenant=video.tenant, video_id=video.id)
    return keys.film(video.tenant, film_hash(plan)), task


def test_a_denied_call_would_be_noticed(tmp_path: Path) -> None:
    template = synthesize(tmp_path / "cdk.out")
    allow_what_ministack_checks_differently(template)
    document = json.loads(template.read_text())
    for id_, resource in document["Resources"].items():
        if resource["Type"] == "AWS::IAM::Policy" and "PlanRole" in id_:
            policy = resource["Properties"]["PolicyDocument"]
            policy["Statement"] = [one for one in policy["Statement"] if "s3:PutObject" not in one["Action"]]
    template.write_text(json.dumps(document))
    with deployed(tmp_path / "cdk.out") as (url, client, outputs), _api(url, client, outputs, "acme") as api:
        _wait_for(api, _create(api, seconds="4"), "failed")
        assert any("s3:PutObject" in message for message in refusals(client))


def _api(url: str, client: Client, outputs: dict[str, str], tenant: str) -> httpx.Client:
    key = new_key()
    journal = Objects(client("s3"), outputs["OutputBucket"])
    ApiKeys(client("dynamodb"), outputs["ApiKeysTable"], journal=journal).register(key, tenant, "test")
    base = f"{url}/_aws/execute-api/{outputs['RestApiId']}/{outputs['RestApiStage']}/v1"
    return httpx.Client(base_url=base, headers={"Authorization": f"Bearer {key}"}, timeout=180)


def _create(api: httpx.Client, **fields: Any) -> str:
    what = {} if "topic" in fields else {"prompt": "A bee on a flower"}
    return str(_accepted(api.post("/videos", json={"size": "320x240", "fps": 8, **what, **fields}))["id"])


def _accepted(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _wait_at_a_gate(api: httpx.Client, video_id: str) -> None:
    until = time.monotonic() + 300
    while not (video := api.get(f"/videos/{video_id}").json())["review"]["gate"]:
        assert video["status"] != "failed", video["failure"]
        assert time.monotonic() < until, video
        time.sleep(0.5)


def _wait_for(api: httpx.Client, video_id: str, status: str) -> dict[str, Any]:
    until = time.monotonic() + 300
    while (video := api.get(f"/videos/{video_id}").json())["status"] in ("queued", "in_progress"):
        assert time.monotonic() < until, video
        time.sleep(0.5)
    assert video["status"] == status, video.get("failure") or video
    return dict(video)


def _film_beside(client: Client, outputs: dict[str, str], key: str) -> bool:
    def there() -> bool:
        found = client("s3").list_objects_v2(Bucket=outputs["OutputBucket"], Prefix=key)
        return bool(found["KeyCount"])

    wait_until(there, seconds=300)
    return there()

"""Real work under enforced IAM, which makes each call that the roles are granted. Each function is
work of its own, with tenants of its own."""

import json
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lambdas.adapters.api_keys import ApiKeys, new_key
from lambdas.adapters.clip_queue import ClipQueue
from lambdas.adapters.deliveries_queue import DeliveriesQueue
from lambdas.adapters.objects import Objects
from lambdas.adapters.tenants import Tenants
from lambdas.adapters.upload import PART
from lambdas.adapters.videos import Videos, now_ms
from lambdas.adapters.webhooks import Webhooks
from lambdas.domain import keys
from lambdas.domain.characters import Image
from lambdas.domain.film_plan import FilmPlan, film_hash
from lambdas.domain.names import signing_secret
from lambdas.domain.quotas import Quotas
from lambdas.domain.scopes import OF_A_TENANT, Scope
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video, execution_name
from lambdas.domain.video_parts import ClipProgress, Decision
from lambdas.domain.video_request import Music, VideoRequest
from lambdas.domain.webhooks import WINDOW_MS, Delivery, DueTry
from lambdas.media.font import FONT
from lambdas.production.plans import store_plan
from reelworks.cloud.lifecycle.development_certificate import development_secret
from tests.cloud.deployment import plain_png, png
from tests.cloud.policy_mutants import Call
from tests.cloud.real_template import Client
from tests.cloud.servers import serving, wait_until
from tests.factories import a_plan, a_request, a_video
from tests.media.clips import clip, padded
from tests.media.sounds import encoded, tone

_PATIENCE = 120  # seconds
_SMALL = {"size": "96x64", "fps": 8}  # quickly drawn
_RECORDS = "*/records/videos/*"  # paths of the journal
_USERS = "*/users/*"
_MADE = "*/made"
# CodeBuild starts no other build for the token and retry of one that it knows.
_OF_FIRST_BUILD = {"token": "nobody's", "retry": 0}
_SOUND = encoded(tone(2, 440)).read()


@dataclass(frozen=True)
class Cloud:
    """The pipeline's real template, deployed on an enforcing cloud."""

    url: str
    client: Client
    outputs: Mapping[str, str]

    @contextmanager
    def api(self, tenant: str, scopes: Sequence[Scope] = OF_A_TENANT) -> Iterator["Api"]:
        """The REST API for a tenant, with a new key."""
        key = new_key()
        ApiKeys(self.client("dynamodb"), self.outputs["ApiKeysTable"], journal=self.objects).register(
            key, tenant, "test", scopes
        )
        base = f"{self.url}/_aws/execute-api/{self.outputs['RestApiId']}/{self.outputs['RestApiStage']}/v1"
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=base, headers=headers, timeout=180) as api:
            yield Api(api)

    @cached_property
    def objects(self) -> Objects:
        """The objects of the output bucket."""
        return Objects(self.client("s3"), self.outputs["OutputBucket"])

    @cached_property
    def inputs(self) -> Objects:
        """The objects of the input bucket."""
        return Objects(self.client("s3"), self.outputs["InputBucket"])

    @cached_property
    def videos(self) -> Videos:
        return Videos(self.client("dynamodb"), self.outputs["VideosTable"], journal=self.objects)

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        """Invoke a function. Return {"result"} or {"error"}."""
        answer = self.client("lambda").invoke(
            FunctionName=self.outputs[f"Function{function}"], Payload=json.dumps(event)
        )
        return {"error" if "FunctionError" in answer else "result": json.loads(answer["Payload"].read())}

    def drop(self, key: str, body: bytes | Mapping[str, Any]) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.inputs.put(key, content, "application/octet-stream")

    def result(self, dropped: str, extension: str) -> None:
        """Wait until a dropped object has a result."""
        wait_until(lambda: self.objects.exists(keys.drop_result(dropped, extension)), seconds=_PATIENCE)

    @contextmanager
    def disabled(self, rule: str) -> Iterator[None]:
        """Disable an event rule, by a part of its name."""
        events = self.client("events")
        [name] = [one["Name"] for one in events.list_rules()["Rules"] if rule in one["Name"]]
        events.disable_rule(Name=name)
        try:
            yield
        finally:
            events.enable_rule(Name=name)

    @contextmanager
    def held(self, role: str, path: str) -> Iterator[None]:
        """Hold the PUTs of a role to a path, a pattern of fnmatch, until the block ends."""
        told = {"role": f"*{role}Role????????*", "path": path}
        httpx.post(f"{self.url}/_hold", json=told).raise_for_status()
        try:
            yield
        finally:
            self._release()

    def _release(self) -> None:
        httpx.delete(f"{self.url}/_hold").raise_for_status()

    @contextmanager
    def deleted_meanwhile(self, tenant: str, role: str, path: str) -> Iterator[None]:
        """Delete a tenant's videos just before the role, which works in the block, puts to a path."""

        def delete() -> None:
            try:
                wait_until(
                    lambda: httpx.get(f"{self.url}/_hold").json() > 0,
                    f"{role} put nothing to {path}",
                    seconds=_PATIENCE,
                )
                videos, _ = self.videos.list(tenant, after=None, limit=10, newest_first=True)
                for video in videos:
                    self.videos.delete(tenant, video.id)
            finally:
                self._release()

        with self.held(role, path), ThreadPoolExecutor(1) as aside:
            deleting = aside.submit(delete)
            yield
            deleting.result()

    def decisions(self) -> set[Call]:
        return {Call(*one) for one in httpx.get(f"{self.url}/_decisions").raise_for_status().json()}

    def execution(self, video: str) -> str:
        return self.outputs["StateMachineArn"].replace(":stateMachine:", ":execution:") + ":" + video

    def ended(self, tenant: str, video: str) -> dict[str, Any]:
        """EventBridge's event that a video's execution has ended."""
        found = self.videos.outline(tenant, video)
        document = json.dumps({"tenant": tenant, "video_id": video})
        detail = {"name": execution_name(video, found.attempt), "input": document}
        return {"source": "aws.states", "detail": detail}


class Api:
    """The REST API as a user calls it."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def create(self, **fields: Any) -> str:
        what = {} if "topic" in fields else {"prompt": "A bee on a flower"}
        return str(accepted(self.http.post("/videos", json={**_SMALL, **what, **fields}))["id"])

    def engine_film(self, prompt: str, seconds: int = 2, **fields: Any) -> str:
        return self.create(**{**engine_film(prompt, seconds), **fields})

    def get(self, video: str) -> dict[str, Any]:
        return accepted(self.http.get(f"/videos/{video}"))

    def until(self, video: str, status: str) -> dict[str, Any]:
        until = time.monotonic() + _PATIENCE
        while (found := self.get(video))["status"] in ("queued", "in_progress"):
            assert time.monotonic() < until, found
            time.sleep(0.3)
        assert found["status"] == status, found.get("failure") or found
        return found

    def until_gate(self, video: str, gate: str = "") -> None:
        """Wait until a video waits for its user, at this gate or any."""
        until = time.monotonic() + _PATIENCE
        while not (at := (found := self.get(video))["review"]["gate"]) or gate not in at:
            assert found["status"] != "failed", found["failure"]
            assert time.monotonic() < until, found
            time.sleep(0.3)

    def approve(self, video: str) -> None:
        accepted(self.http.post(f"/videos/{video}/approve"))

    def download(self, path: str, **query: str) -> bytes:
        answer = self.http.get(path, params=query, follow_redirects=True)
        assert answer.status_code == 200, answer.text
        return answer.content


def engine_film(prompt: str, seconds: int) -> dict[str, Any]:
    """A request for a film by an engine, which reads the prompt as it is (tests/cloud/clip_engine.py)."""
    film = {"model": "cogvideox-2b", "size": "384x256", "fps": 8, "enhance": False}
    return {**film, "prompt": prompt, "seconds": str(seconds)}


def accepted(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


# --- users


def films(cloud: Cloud) -> None:
    with cloud.api("acme") as api:
        made = api.create(seconds="8", transition="crossfade", max_cost=10)
        cancelled = api.create(seconds="120")
        accepted(api.http.post(f"/videos/{cancelled}/cancel"))
        spoken = {
            "topic": "A bee flies to its flower. It drinks there.",
            "captions": True,
            "stills": "standard",
        }
        told = api.create(**spoken, scenes=2, review=["previews"])
        api.until_gate(told)
        for preview in ("narration", "still"):
            api.download(f"/videos/{told}/scenes/0/{preview}")
        api.approve(told)
        shown = api.until(told, "completed")
        assert [part["state"] for part in shown["narrations"] + shown["stills"]] == 4 * ["done"]
        storyboard = accepted(api.http.get(f"/videos/{told}/storyboard"))
        accepted(api.http.put(f"/videos/{told}/storyboard", json={**storyboard, "title": "Bees"}))
        api.approve(told)
        api.until_gate(told)
        api.approve(told)
        api.until(told, "completed")
        api.until(made, "completed")
        api.download(f"/videos/{told}/content", variant="captions")
        api.download(f"/videos/{made}/content")
        assert len(accepted(api.http.get("/videos"))["data"]) == 3
        accepted(api.http.delete(f"/videos/{made}"))


def _music() -> dict[str, Any]:
    """Music of the user's own, whose beats are looked for."""
    url = f"data:audio/wav;base64,{b64encode(_SOUND).decode()}"
    return {"music": {"audio_url": url}, "cut_on_beats": True}


def _font() -> dict[str, Any]:
    url = f"data:font/otf;base64,{b64encode(FONT.read_bytes()).decode()}"
    return {"burn_captions": True, "caption_font_file": {"font_url": url}}


def music_and_films_of_films(cloud: Cloud) -> None:
    with cloud.api("musicians") as api:
        film = api.create(topic="A bee", scenes=2, **_music(), stems=True, **_font(), review=["previews"])
        api.until_gate(film)
        again = {"part": "text", "note": "Let it rain."}
        accepted(api.http.post(f"/videos/{film}/scenes/0/regenerate", json=again))
        api.until_gate(film)
        api.approve(film)
        api.until(film, "completed")
        for variant in ("storyboard", "manifest"):
            api.download(f"/videos/{film}/content", variant=variant)
        api.download(f"/videos/{film}/clips/0")
        file = {"prompt": "It flies on", "seconds": "1", "size": "96x64", "fps": "8"}
        of_video = {"video": {"id": film}}
        of_others = [
            accepted(api.http.post(f"/videos/{film}/remix", json={"prompt": "At night"})),
            accepted(api.http.post("/videos/edits", json={"prompt": "In ink", **of_video})),
            accepted(api.http.post("/videos/extensions", json={"prompt": "On", "seconds": 4, **of_video})),
            accepted(api.http.post("/videos/extensions", data=file, files={"video": ("bee.mp4", clip(8))})),
        ]
        for video in of_others:
            if video["review"]["requested"]:
                api.until_gate(video["id"])
                api.approve(video["id"])
            api.until(video["id"], "completed")
        accepted(api.http.delete(f"/videos/{film}"))  # the others keep what they are made from


def dropped_files(cloud: Cloud) -> None:
    cloud.drop("drop/droppers/photo.png", png())
    cloud.drop("drop/droppers/photo.txt", b"A bee on a flower")
    cloud.drop("drop/droppers/wrong.json", b"{}")
    cloud.drop("drop/droppers/unwanted.json", {**_SMALL, "prompt": "A bee", "seconds": "120"})
    cloud.drop("drop/droppers/bee.json", {**_SMALL, "prompt": "A bee", "seconds": "1"})
    cloud.drop("drop/droppers/nobody.json", {**_SMALL, "topic": "A bee", "voice": "Nobody"})
    for dropped in ("wrong.json", "nobody.json"):
        cloud.result(f"drop/droppers/{dropped}", "error.json")
    unspoken = cloud.objects.get(keys.drop_result("drop/droppers/nobody.json", "error.json"))
    assert b"GET /v1/voices" in unspoken
    with cloud.api("droppers") as api:

        def long() -> list[str]:
            found = accepted(api.http.get("/videos"))["data"]
            return [one["id"] for one in found if one["seconds"] != "1"]

        wait_until(lambda: len(long()) == 2, seconds=_PATIENCE)
        for video in long():
            accepted(api.http.delete(f"/videos/{video}"))
    for dropped in ("unwanted.json", "photo.txt"):
        cloud.result(f"drop/droppers/{dropped}", "error.json")
    cloud.result("drop/droppers/bee.json", "mp4")


def keys_and_quotas(cloud: Cloud) -> None:
    """A tenant with quotas of its own, and what it has used; keys by the API."""
    tenants = Tenants(cloud.client("dynamodb"), cloud.outputs["ApiKeysTable"], cloud.objects)
    tenants.set("limited", Quotas(videos_in_flight=7, clips_per_day=1000))
    with cloud.api("limited") as api:
        film = api.create(seconds="1")
        cloud.drop("drop/limited/bee.json", {**_SMALL, "prompt": "A bee", "seconds": "1"})
        key = accepted(api.http.post("/api_keys", json={"name": "ci", "scopes": ["read"]}))
        own = {"Authorization": f"Bearer {key['value']}"}
        assert api.http.post("/videos", json={"prompt": "A bee"}, headers=own).status_code == 403
        assert key["id"] in {one["id"] for one in accepted(api.http.get("/api_keys"))["data"]}
        accepted(api.http.get(f"/api_keys/{key['id']}"))
        accepted(api.http.delete(f"/api_keys/{key['id']}"))
        api.until(film, "completed")
        cloud.result("drop/limited/bee.json", "mp4")
        wait_until(lambda: accepted(api.http.get("/usage"))["total"]["films"] == 2, seconds=_PATIENCE)


def webhooks(cloud: Cloud) -> None:
    """Endpoints, one of which is gone and one broken, and a delivery that is given up."""
    taken: list[str] = []

    async def take(request: Request) -> Response:
        taken.append(request.url.path)
        return Response(status_code={"/gone": 410, "/broken": 500}.get(request.url.path, 204))

    receiver = Starlette(routes=[Route("/{path:path}", take, methods=["POST"])])
    with cloud.api("listeners") as api, serving(receiver) as to:
        every = {"event_types": ["video.completed", "video.failed", "video.review", "clip.completed"]}
        asked = {"url": f"{to}/all", **every}
        endpoint = accepted(api.http.post("/webhook_endpoints", json=asked))["id"]
        accepted(api.http.post("/webhook_endpoints", json={"url": f"{to}/gone"}))
        path = f"/webhook_endpoints/{endpoint}"
        accepted(api.http.post(f"{path}/rotate_secret"))
        accepted(api.http.post(f"{path}/test", json={"event_type": "video.failed"}))
        api.until(api.create(seconds="1", webhook_url=f"{to}/one"), "completed")
        # The sample, a clip and the film; the first event also disables the endpoint that is gone.
        wait_until(lambda: sorted(taken) == ["/all", "/all", "/all", "/gone", "/one"], seconds=_PATIENCE)
        accepted(api.http.post(path, json={"url": f"{to}/broken"}))
        delivery = accepted(api.http.get(f"{path}/deliveries"))["data"][0]["id"]
        accepted(api.http.post(f"{path}/deliveries/{delivery}/redeliver"))
        wait_until(lambda: "/broken" in taken, seconds=_PATIENCE)
        _give_up(cloud, endpoint, delivery)
        accepted(api.http.delete(path))


def _give_up(cloud: Cloud, endpoint: str, delivery: str) -> None:
    """Let a delivery be tried for the last time."""
    found = Webhooks(cloud.client("dynamodb"), cloud.outputs["WebhooksTable"], cloud.objects)

    def aged() -> Delivery | None:
        before = found.delivery("listeners", endpoint, delivery)
        assert before
        after = before.begun_again(now_ms() - WINDOW_MS)
        return after if found.note(after, before=before) else None  # a try may have been noted meanwhile

    while (last := aged()) is None:
        pass
    sqs = cloud.client("sqs")
    DeliveriesQueue(sqs, cloud.outputs["WebhooksQueueUrl"]).send(DueTry.of(last), now_ms())
    queue = {"QueueUrl": cloud.outputs["WebhooksDeadLetterQueueUrl"]}
    wait_until(lambda: "Messages" in sqs.receive_message(**queue), seconds=_PATIENCE)


def characters(cloud: Cloud) -> None:
    with cloud.api("casting") as api:
        fox = {"image": {"image_url": f"data:image/png;base64,{b64encode(png(1)).decode()}"}}
        made = accepted(api.http.post("/videos/characters", json={"name": "Mossy", **fox}))
        assert accepted(api.http.get("/videos/characters"))["data"] == [made]
        film = api.create(topic="@Mossy in the snow", scenes=1, stills="premium", captions=True)
        cloud.drop("drop/casting/fox.json", {**_SMALL, "prompt": "@mossy on a hill", "seconds": "1"})
        shown = api.until(film, "completed")
        assert shown["characters"][0]["description"] == "A small red fox.", shown["characters"]
        api.until(api.create(prompt="@Mossy runs", seconds="1"), "completed")
        cloud.result("drop/casting/fox.json", "mp4")
        path = f"/videos/characters/{made['id']}"
        assert accepted(api.http.get(path))["description"] == "A small red fox."
        storyboard = accepted(api.http.get(f"/videos/{film}/storyboard"))
        accepted(api.http.put(f"/videos/{film}/storyboard", json={**storyboard, "style": "@Mossy, in ink."}))
        accepted(api.http.delete(path))
        assert api.http.get(path).status_code == 404


def files_sent_ahead(cloud: Cloud) -> None:
    with cloud.api("senders") as api:
        picture, bee = _sent(api, "image/png", png(1)), _sent(api, "video/mp4", clip(8))
        begun = api.create(seconds="1", input_reference=picture)
        dropped = {**_SMALL, "prompt": "A bee", "seconds": "1", "input_reference": picture}
        cloud.drop("drop/senders/bee.json", dropped)
        longer = {"prompt": "It flies on", "seconds": "1", "size": "96x64", "fps": "8", "video": bee}
        extended = accepted(api.http.post("/videos/extensions", json=longer))
        for video in (begun, extended["id"]):
            api.until(video, "completed")
        cloud.result("drop/senders/bee.json", "mp4")


def films_that_warn(cloud: Cloud) -> None:
    """Nothing moves in the draft of a black picture. A model is asked about one of them, too."""
    with cloud.api("warned") as api:
        black = {"image_url": f"data:image/png;base64,{b64encode(plain_png()).decode()}"}
        again, waiting = (
            api.create(seconds="1", input_reference=black, on_warning=one, vision_check=one == "retry_once")
            for one in ("retry_once", "review")
        )
        tried = api.until(again, "completed")
        assert tried["second_tries"]["clips"] == [0]
        assert tried["vision_check"]["clips"] == 1
        api.until_gate(waiting, "film")
        for variant in ("video", "quality"):
            api.download(f"/videos/{waiting}/content", variant=variant)
        api.approve(waiting)
        assert api.until(waiting, "completed")["quality_warnings"]


def _sent(api: Api, mime_type: str, data: bytes) -> dict[str, str]:
    upload = accepted(api.http.post("/uploads", json={"mime_type": mime_type}))
    sent = httpx.post(upload["url"], data=upload["fields"], files={"file": data}, timeout=60)
    assert sent.status_code == 204, sent.text
    shown = accepted(api.http.get(f"/uploads/{upload['id']}"))
    assert (shown["status"], shown["bytes"]) == ("completed", len(data))
    return {"file_id": upload["id"]}


def what_helps_to_write(cloud: Cloud) -> None:
    with cloud.api("writers") as api:
        assert accepted(api.http.post("/prompts/enhance", json={"prompt": "A bee"}))["by"]
        voice = accepted(api.http.get("/voices"))["data"][0]["id"]
        sample = accepted(api.http.post(f"/voices/{voice}/sample", json={"text": "A kite flies."}))
        assert httpx.get(sample["url"]).headers["content-type"] == "audio/mpeg"


def signed_films(cloud: Cloud) -> None:
    """From here on, films are signed."""
    secret = development_secret().model_dump_json()
    name = signing_secret(cloud.outputs["EndpointPrefix"])
    cloud.client("secretsmanager").create_secret(Name=name, SecretString=secret)
    with cloud.api("signers") as api:
        picture = {"image_url": f"data:image/png;base64,{b64encode(png(2)).decode()}"}
        shown = api.until(api.create(seconds="1", input_reference=picture), "completed")
        assert shown["signed_by"]


# Small work, which live mutants fail in.


def list_videos(cloud: Cloud, tenant: str) -> None:
    with cloud.api(tenant) as api:
        accepted(api.http.get("/videos"))


def make_film(cloud: Cloud, tenant: str) -> None:
    with cloud.api(tenant) as api:
        api.until(api.create(seconds="1"), "completed")


def speak(cloud: Cloud, tenant: str) -> None:
    with cloud.api(tenant) as api:
        video = api.create(topic="A bee", scenes=1, review=["previews"])
        api.until_gate(video)
        accepted(api.http.post(f"/videos/{video}/cancel"))


# --- engines


def engines(cloud: Cloud) -> None:
    with cloud.api("engineers") as api:
        film = api.engine_film("A bee", 20, seed=1, max_cost=10)  # more clips than may be in flight
        api.until(film, "completed")
        api.until(api.engine_film("A bee", 20, seed=1), "completed")  # of the same clips
        reference = {"image_url": f"data:image/png;base64,{b64encode(png()).decode()}"}
        shown = api.engine_film("A bee", model="cogvideox-5b-i2v", input_reference=reference)
        api.until(shown, "completed")
        cloud.drop("drop/engineers/broken.json", engine_film("fail", 2))
        cloud.result("drop/engineers/broken.json", "error.json")
        [broken] = [
            video["id"] for video in accepted(api.http.get("/videos"))["data"] if video["status"] == "failed"
        ]
        accepted(api.http.delete(f"/videos/{broken}"))  # with what its engine said
        missing = api.engine_film("A bee", model="cogvideox-5b")
        assert api.until(missing, "failed")["failure"]["code"] == "EngineFailed"
        cancelled = rendering(cloud, api, "engineers")
        accepted(api.http.post(f"/videos/{cancelled}/cancel"))
        failed = rendering(cloud, api, "engineers")
        task = {"tenant": "engineers", "video_id": failed, "execution": failed, "step": "Plan"}
        recorded = cloud.invoke("RecordFailure", {**task, "error": {"Error": "PlanFailed", "Cause": "{}"}})
        assert recorded == {"result": {"recorded": True}}


def operations(cloud: Cloud) -> None:
    """What operators see of all tenants, while one's clips wait."""
    with cloud.api("operators", [Scope.OPERATE]) as operator, cloud.api("operated") as api:
        film = rendering(cloud, api, "operated")
        shown = accepted(operator.http.get("/operations"))
        assert film in {one["id"] for one in shown["open"]["oldest"]}, shown["open"]
        waiting = {one["name"]: one["waiting_by_tenant"] for one in shown["engines"]}
        assert waiting["cogvideox-2b"] == [{"tenant": "operated", "clips": 2}]
        assert api.http.get("/operations").status_code == 403
        accepted(api.http.post(f"/videos/{film}/cancel"))


def notices(cloud: Cloud) -> None:
    """One request of an engine fails, so that those behind it are admitted, although a cancel that was
    interrupted has withdrawn them; the other expires and is asked again."""
    with cloud.api("latecomers") as api:
        video = rendering(cloud, api, "latecomers")
        for call in calls_of(cloud, video, "waiting"):
            cloud.inputs.delete(call["request"])
        failed, expired = calls_of(cloud, video, "in_flight")
        _forget_instances(cloud)
        # RenderClip, which tries the failed clip again, would admit them too.
        with cloud.held("RenderClip", "*/requests/*"):
            _tell(cloud, failed, invocationStatus="Failed", failureReason="out of memory")
            wait_until(lambda: len(calls_of(cloud, video, "settled")) >= 3, seconds=_PATIENCE)
        times = {"receivedTime": "2026-01-01T00:00:00.000Z", "eventTime": "2026-01-01T06:00:01.000Z"}
        _tell(cloud, expired, invocationStatus="Expired", **times)
        wait_until(lambda: expired in calls_of(cloud, video, "settled"), seconds=_PATIENCE)
        accepted(api.http.post(f"/videos/{video}/cancel"))


def _queue(cloud: Cloud) -> ClipQueue:
    return ClipQueue(cloud.client("dynamodb"), cloud.outputs["ClipsTable"])


def _forget_instances(cloud: Cloud) -> None:
    """Who admits clips next looks up the instances again."""
    queue = _queue(cloud)
    queue.note_instances("cogvideox-2b", queue.engine("cogvideox-2b").instances, 0)


def _tell(cloud: Cloud, call: Mapping[str, Any], **notice: str) -> None:
    """Publish SageMaker's notice about a call."""
    message = json.dumps({"inferenceId": call["id"], **notice})
    cloud.client("sns").publish(TopicArn=cloud.outputs["ErrorTopicArn"], Message=message)


def rendering(cloud: Cloud, api: Api, tenant: str) -> str:
    """A video whose first clips the engine renders without end, and whose others wait in the queue."""
    video = api.engine_film("wait", 20)
    _until_clips_wait(cloud, video)
    wait_until(
        lambda: any(clip.started_ms for clip in cloud.videos.get(tenant, video).clips), seconds=_PATIENCE
    )
    return video


def _until_clips_wait(cloud: Cloud, video: str) -> None:
    wait_until(lambda: len(calls_of(cloud, video, "in_flight")) == 2, seconds=_PATIENCE)
    wait_until(lambda: len(calls_of(cloud, video, "waiting")) == 2, seconds=_PATIENCE)


def calls_of(cloud: Cloud, video: str, state: str) -> list[dict[str, Any]]:
    """Return the documents of a video's engine calls in a state."""
    found = cloud.client("dynamodb").query(
        TableName=cloud.outputs["ClipsTable"],
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": keys.inference_partition(video)}},
        ConsistentRead=True,
    )
    return [json.loads(item["document"]["S"]) for item in found["Items"] if item["state"]["S"] == state]


# --- builds


def long_assemblies(cloud: Cloud) -> None:
    """Both ways of assembly: without the music, with all of it, an interrupted upload and several parts, and
    with a clip that can't be read. A build has only its project's environment and its role."""
    large = padded(clip(8), 2_300_000)  # its film has two parts
    of_function, of_build = (_rendered(cloud, tenant, large) for tenant in ("assemblers", "builders"))
    assert _assembled(cloud, of_function) == "ArtifactMissing"
    deleted, unscored = (_rendered(cloud, tenant, large) for tenant in ("demolishers", "unscored"))
    _built(cloud, unscored, retry=0)
    with cloud.deleted_meanwhile(deleted.tenant, "AssemblyBuild", _RECORDS):
        _built(cloud, deleted, retry=1)
    for video in (of_function, unscored, deleted):
        assert not cloud.objects.exists(video.film)
    for video in (of_function, of_build):
        cloud.inputs.put(video.music, _SOUND, "audio/wav")
    assert _assembled(cloud, of_function) == ""
    assert _built(cloud, of_build, retry=2) == "SUCCEEDED"
    for video in (of_function, of_build):
        size = cloud.objects.size(video.film)
        assert size is not None
        assert size > PART
        cloud.objects.delete(video.clip)
    task = {"tenant": of_function.tenant, "video_id": of_function.id}
    cloud.inputs.delete(of_function.music)
    _begin_upload(cloud, keys.delivered_film(of_function.tenant, of_function.id, 1))
    # The manifest says that the clip is gone, the signature names the music without its hash.
    with cloud.deleted_meanwhile(of_function.tenant, "Publish", "*/manifest.json"):
        published = cloud.invoke("Publish", task)
    assert published["error"]["errorType"] == "VideoNotFound", published
    assert not cloud.objects.exists(keys.delivered_manifest(of_function.tenant, of_function.id, 1))
    unreadable = _rendered(cloud, "unreadable", b"no clip")
    cloud.objects.delete(of_build.film)
    cloud.objects.put(of_build.clip, b"no clip", "video/mp4")
    assert _assembled(cloud, unreadable) == "ClipUnreadable"
    _built(cloud, of_build, retry=3)
    for video in (unreadable, of_build):
        assert not cloud.objects.exists(video.clip)
    build = cloud.videos.get(of_build.tenant, of_build.id).build
    event = {"source": "aws.codebuild", "detail": {"build-id": f"arn/{build}"}}
    assert cloud.invoke("Upkeep", event) == {"result": {"healed": False}}  # nobody waits


def _assembled(cloud: Cloud, video: "Rendered") -> str:
    """Have Assemble make the film; return the name of its error, if any."""
    answer = cloud.invoke("Assemble", {"tenant": video.tenant, "video_id": video.id})
    return str(answer["error"]["errorType"]) if "error" in answer else ""


def _built(cloud: Cloud, video: "Rendered", *, retry: int) -> str:
    """Have AssembleLong start a build; return how it ended."""
    task = {"tenant": video.tenant, "video_id": video.id, **_OF_FIRST_BUILD, "retry": retry}
    assert "result" in cloud.invoke("AssembleLong", task)
    build = cloud.videos.get(video.tenant, video.id).build

    def state() -> str:
        found = cloud.client("codebuild").batch_get_builds(ids=[build])["builds"]
        return str(found[0]["buildStatus"])

    wait_until(lambda: state() != "IN_PROGRESS", seconds=_PATIENCE)
    return state()


@dataclass(frozen=True)
class Rendered:
    """A video of one clip, with an interrupted upload of another film; and the keys of its clip, film and
    music, which is not there."""

    tenant: str
    id: str
    clip: str
    film: str
    music: str


def _rendered(cloud: Cloud, tenant: str, content: bytes) -> Rendered:
    music = Music(key=keys.upload(tenant, "0" * 64, "wav"), sha256="0" * 64, seconds=2)
    request = a_request(seconds=1, width=96, height=64, fps=8, music=music)
    video, plan = _planned(cloud, tenant, request)
    (made,) = plan.clips
    clip_key, film_key = keys.clip(tenant, made.key_hash), keys.film(tenant, film_hash(plan))
    cloud.objects.put(clip_key, content, "video/mp4")
    _begin_upload(cloud, film_key)
    return Rendered(tenant, video.id, clip_key, film_key, music.key)


def _begin_upload(cloud: Cloud, key: str) -> None:
    """Leave the interrupted upload of another film under a film's key."""
    where = {"Bucket": cloud.objects.bucket, "Key": key}
    s3 = cloud.client("s3")
    begun = s3.create_multipart_upload(**where)["UploadId"]
    s3.upload_part(**where, UploadId=begun, PartNumber=1, Body=b"of another film")


def _planned(cloud: Cloud, tenant: str, request: VideoRequest) -> tuple[Video, FilmPlan]:
    """Return a video of one clip at the stage of rendering, and its stored plan."""
    video = a_video(tenant=tenant, request=request, expires_ms=2**41)
    plan = a_plan(video, ["x"])
    cloud.videos.create(video)
    cloud.videos.advance(tenant, video.id, Stage.PLANNING)
    clips = [ClipProgress(seconds=seconds) for seconds in plan.clip_seconds]
    cloud.videos.advance(tenant, video.id, Stage.RENDERING, clips=clips)
    store_plan(cloud.objects, plan)
    return video, plan


# --- what is gone


def missing_objects(cloud: Cloud) -> None:
    """A missing object is told as such, not as a denied call."""
    image = Image(key=keys.upload("missing", "0" * 64, "png"), sha256="0" * 64, width=96, height=64)
    called_back = {"token": "nobody's", "retry": 0}
    for function, engine, more in (
        ("DrawClip", "animatic", {}),
        ("RenderClip", "cogvideox-5b-i2v", called_back),
    ):
        request = a_request(seconds=1, width=384, height=256, fps=8, engine=engine, image=image)
        video, _ = _planned(cloud, f"missing-{function.lower()}", request)
        task = {"tenant": video.tenant, "video_id": video.id, "clip": 0, **more}
        assert cloud.invoke(function, task)["error"]["errorType"] == "ArtifactMissing", function
    with cloud.api("missing") as api:
        fox = {"image": {"image_url": f"data:image/png;base64,{b64encode(png(3)).decode()}"}}
        accepted(api.http.post("/videos/characters", json={"name": "Mossy", "description": "A fox.", **fox}))
        drawn = api.create(topic="@Mossy", scenes=1, stills="premium", review=["storyboard"])
        api.until_gate(drawn)
        cloud.inputs.delete_all("uploads/missing/")
        api.approve(drawn)
        assert api.until(drawn, "failed")["failure"]["code"] == "ArtifactMissing"
        for uploaded in (_font(), _music()):  # Narrate needs the one, Plan the other
            lacking = api.create(topic="A bee", scenes=1, **uploaded, review=["storyboard"])
            api.until_gate(lacking)
            cloud.inputs.delete_all("uploads/missing/")
            api.approve(lacking)
            assert api.until(lacking, "failed")["failure"]["code"] == "ArtifactMissing"
        video_id = api.create(topic="A bee", scenes=1, review=["storyboard"])
        api.until_gate(video_id)
        cloud.objects.delete_all(keys.video_folder("missing", video_id))
        api.approve(video_id)
        assert api.until(video_id, "failed")["failure"]["code"] == "ArtifactMissing"


def deleted_videos(cloud: Cloud) -> None:
    """Videos that are deleted between two calls of a function, which then takes back what it wrote."""
    step = {"step": "Plan", "error": {"Error": "PlanFailed", "Cause": "{}"}}
    wait = {"gate": "storyboard", "entered": "2026-01-01T00:00:00Z", "seconds": 60, "token": "nobody's"}
    for function, stage, more in (
        ("WriteStoryboard", Stage.QUEUED, {}),
        ("Plan", Stage.QUEUED, {}),
        ("Review", Stage.PLANNING, wait),
        ("Assemble", Stage.RENDERING, {}),
        ("AssembleLong", Stage.RENDERING, _OF_FIRST_BUILD),
        ("Publish", Stage.ASSEMBLING, {}),
        ("RecordFailure", Stage.QUEUED, step),
    ):
        video = _video(cloud, f"deleted-{function.lower()}", stage)
        task = {"tenant": video.tenant, "video_id": video.id, **more}
        if function in ("Review", "RecordFailure"):
            task["execution"] = video.id
        with cloud.deleted_meanwhile(video.tenant, function, _RECORDS):
            cloud.invoke(function, task)
        assert not cloud.objects.exists(keys.video_record(video.tenant, video.id)), function
    checked, plan = _planned(cloud, "deleted-checkclips", a_request(seconds=1, width=96, height=64, fps=8))
    cloud.objects.put(keys.clip(checked.tenant, plan.clips[0].key_hash), b"a clip", "video/mp4")
    with cloud.deleted_meanwhile(checked.tenant, "CheckClips", _RECORDS):
        cloud.invoke("CheckClips", {"tenant": checked.tenant, "video_id": checked.id})
    seen, plan = _planned(cloud, "deleted-lookatclips", a_request(seconds=1, width=96, height=64, fps=8))
    cloud.objects.put(keys.clip(seen.tenant, plan.clips[0].key_hash), clip(8), "video/mp4")
    with cloud.deleted_meanwhile(seen.tenant, "LookAtClips", _RECORDS):
        cloud.invoke("LookAtClips", {"tenant": seen.tenant, "video_id": seen.id})
    unsent = _video(cloud, "deleted-upkeep", Stage.QUEUED)
    ended = cloud.ended(unsent.tenant, unsent.id)
    with cloud.deleted_meanwhile(unsent.tenant, "Upkeep", _RECORDS):
        cloud.invoke("Upkeep", ended)
    with cloud.api("deleted-api") as api, cloud.deleted_meanwhile("deleted-api", "Api", _RECORDS):
        api.create(seconds="1")
    with cloud.deleted_meanwhile("deleted-intake", "Intake", _RECORDS):
        cloud.drop("drop/deleted-intake/bee.json", {"prompt": "A bee", "seconds": "1"})
    request = a_request(seconds=1, width=384, height=256, fps=8, engine="cogvideox-2b")
    video, _ = _planned(cloud, "deleted-renderclip", request)
    task = {"tenant": video.tenant, "video_id": video.id, "clip": 0, "token": "nobody's", "retry": 0}
    with cloud.deleted_meanwhile(video.tenant, "RenderClip", "*/requests/*"):
        assert cloud.invoke("RenderClip", task)["error"]["errorType"] == "VideoNotFound"
    _deleted_makers(cloud)


def _deleted_makers(cloud: Cloud) -> None:
    """Videos that are deleted while a function makes something for them that is stored by content."""
    called_back = {"token": "nobody's", "retry": 0}
    for function, engine, more in (("DrawClip", "animatic", {}), ("RenderClip", "cogvideox-2b", called_back)):
        request = a_request(seconds=1, width=384, height=256, fps=8, engine=engine)
        video, _ = _planned(cloud, f"deleted-{function.lower()}-2", request)
        task = {"tenant": video.tenant, "video_id": video.id, "clip": 0, **more}
        with cloud.deleted_meanwhile(video.tenant, function, _USERS):
            assert cloud.invoke(function, task)["error"]["errorType"] == "VideoNotFound", function
    for function in ("Narrate", "DrawStill"):
        tenant = f"deleted-{function.lower()}"
        with cloud.api(tenant) as api, cloud.deleted_meanwhile(tenant, function, _USERS):
            api.create(topic="A bee", scenes=1, stills="standard")
    tenant = "deleted-settleclip"
    with cloud.api(tenant) as api, cloud.deleted_meanwhile(tenant, "SettleClip", _MADE):
        api.engine_film("A bee")


def _video(cloud: Cloud, tenant: str, stage: Stage) -> Video:
    """Return the only video of a tenant, which has no plan yet."""
    request = a_request(seconds=1, width=96, height=64, fps=8)
    video, _ = cloud.videos.create(a_video(tenant=tenant, stage=stage, request=request, expires_ms=2**41))
    return video


# --- upkeep


def lost_films(cloud: Cloud) -> None:
    """What Upkeep does when executions are lost, end unnoticed or take too long."""
    with cloud.api("unlucky") as api:
        unsent = a_video(
            tenant="unlucky", request=a_request(seconds=1, width=96, height=64, fps=8), expires_ms=2**41
        )
        cloud.videos.create(unsent)
        _heal(cloud, unsent.id)
        gated = api.create(topic="A bee", scenes=1, review=["storyboard", "previews"])
        api.until_gate(gated)
        waiting = cloud.videos.get("unlucky", gated)
        assert waiting.review is not None
        decided = waiting.review.model_copy(update={"decision": Decision.APPROVED})
        cloud.videos.amend(waiting, review=decided, approved=(waiting.review.gate,))
        _heal(cloud, gated)
        api.until_gate(gated, "previews")
        wait = {
            "gate": "storyboard",
            "entered": "2026-01-01T00:00:00Z",
            "seconds": 60,
        }  # again, as Lambda may
        task = {"tenant": "unlucky", "video_id": gated, "execution": gated, "token": "nobody's"}
        assert cloud.invoke("Review", {**task, **wait}) == {"result": {"decision": "approved"}}
        api.approve(gated)
        api.until(gated, "completed")
        slow = rendering(cloud, api, "unlucky")
        video = cloud.videos.get("unlucky", slow)
        (started, *_) = [index for index, one in enumerate(video.clips) if one.started_ms is not None]
        progress = video.clips[started].model_copy(update={"started_ms": 1})
        cloud.videos.write_part(video, "clips", started, progress)
        _heal(cloud, slow)
        assert api.get(slow)["status"] == "failed"
        key = "drop/unlucky/stopped.json"
        cloud.drop(key, engine_film("wait", 20))
        wait_until(lambda: bool(_waiting(api)), seconds=_PATIENCE)
        [stopped] = _waiting(api)
        _until_clips_wait(cloud, stopped)
        cloud.client("stepfunctions").stop_execution(executionArn=cloud.execution(stopped))
        cloud.invoke("Upkeep", cloud.ended("unlucky", stopped))
        cloud.result(key, "error.json")
        api.until(unsent.id, "completed")


def _heal(cloud: Cloud, video: str) -> None:
    healed = cloud.invoke("Upkeep", cloud.ended("unlucky", video))
    assert healed == {"result": {"healed": True}}


def _waiting(api: Api) -> list[str]:
    """The videos in progress whose engine renders without end."""
    found = accepted(api.http.get("/videos"))["data"]
    return [one["id"] for one in found if one["prompt"] == "wait" and one["status"] == "in_progress"]


def lost_notices(cloud: Cloud) -> None:
    """Upkeep settles the clips whose notices were lost, and admits those that wait behind them."""
    sns = cloud.client("sns")
    topics = [cloud.outputs[f"{kind}TopicArn"] for kind in ("Success", "Error")]
    subscriptions = [
        one for topic in topics for one in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    ]
    # Those of films that were stopped come late, and free the places that they hold.
    queue = _queue(cloud)

    def flights() -> Mapping[str, int]:
        return queue.engine("cogvideox-2b").flights

    wait_until(lambda: not flights(), flights, seconds=_PATIENCE)
    for one in subscriptions:
        sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])
    try:
        with cloud.api("unheard") as api:
            video = api.engine_film("A bee", 20)

            def ended() -> bool:
                _tell_upkeep(cloud, video)
                time.sleep(2)
                return api.get(video)["status"] not in ("queued", "in_progress")

            wait_until(ended, seconds=_PATIENCE)
            api.until(video, "completed")
            failing = api.engine_film("fail")
            wait_until(lambda: _tell_upkeep(cloud, failing), seconds=_PATIENCE)
            wait_until(lambda: calls_of(cloud, failing, "settled"), seconds=_PATIENCE)
            accepted(api.http.post(f"/videos/{failing}/cancel"))
        with cloud.api("deleted-unheard") as api:
            video = api.engine_film("A bee")
            with cloud.deleted_meanwhile("deleted-unheard", "Upkeep", _MADE):
                wait_until(lambda: _tell_upkeep(cloud, video) and _is_gone(cloud, video), seconds=_PATIENCE)
    finally:
        for one in subscriptions:
            sns.subscribe(TopicArn=one["TopicArn"], Protocol=one["Protocol"], Endpoint=one["Endpoint"])


def _is_gone(cloud: Cloud, video: str) -> bool:
    time.sleep(2)
    return not cloud.objects.exists(keys.video_record("deleted-unheard", video))


def _tell_upkeep(cloud: Cloud, video: str) -> list[str]:
    """Tell Upkeep at once of what engines have written for a video, by the queue of outputs. It may come
    before the call is recorded, which the queue's delay prevents elsewhere: then it must be told again."""
    _forget_instances(cloud)
    written = [key for key, _ in cloud.objects.list("engine/") if video in key]
    for key in written:
        body = json.dumps({"detail": {"object": {"key": key}}})
        queue = cloud.outputs["OutputsQueueUrl"]
        cloud.client("sqs").send_message(QueueUrl=queue, MessageBody=body, DelaySeconds=0)
    return written


def lost_records(cloud: Cloud) -> None:
    """A PC's cloud that starts again restores its records, and takes what was dropped while it was down."""
    video = a_video(tenant="restorers", stage=Stage.CANCELLED, expires_ms=2**41)
    cloud.videos.create(video)
    pk, sk = keys.video_item("restorers", video.id)
    cloud.client("dynamodb").delete_item(
        TableName=cloud.outputs["VideosTable"], Key={"pk": {"S": pk}, "sk": {"S": sk}}
    )
    with cloud.disabled("DropFolder"):
        cloud.drop("drop/restorers/unseen.json", b"{}")
        assert cloud.invoke("Upkeep", {"restore": True})["result"]["restored"] == 1
    cloud.result("drop/restorers/unseen.json", "error.json")


def dead_letters(cloud: Cloud) -> None:
    """Events that functions fail on, and dead letters, healed or not."""
    for function, event in (("Intake", {}), ("SettleClip", {}), ("Upkeep", {"Records": [{}]})):
        cloud.client("lambda").invoke(
            FunctionName=cloud.outputs[f"Function{function}"],
            InvocationType="Event",
            Payload=json.dumps(event),
        )
    sqs = cloud.client("sqs")
    failed, requests = (cloud.outputs[f"{name}QueueUrl"] for name in ("FailedEvents", "RequestsDeadLetter"))
    healed = {"tenant": "nobody", "video_id": "video_" + "f" * 32}
    for queue in (failed, requests):
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"put here": "by hand"}))
    sqs.send_message(QueueUrl=requests, MessageBody=json.dumps(healed))
    run = {"requestContext": {"functionArn": "any"}, "requestPayload": {"source": "aws.events"}}
    sqs.send_message(QueueUrl=failed, MessageBody=json.dumps(run))
    assert cloud.invoke("Upkeep", {})["result"]["dead_letters_removed"] >= 2

    def arrived() -> bool:
        found = sqs.get_queue_attributes(QueueUrl=failed, AttributeNames=["ApproximateNumberOfMessages"])
        return int(found["Attributes"]["ApproximateNumberOfMessages"]) >= 4

    wait_until(arrived, seconds=_PATIENCE)


def the_studio(cloud: Cloud) -> None:
    api = f"{cloud.url}/_aws/execute-api/{cloud.outputs['RestApiId']}/{cloud.outputs['RestApiStage']}"
    httpx.get(f"{api}/studio/").raise_for_status()


WORK = (
    films,
    music_and_films_of_films,
    dropped_files,
    keys_and_quotas,
    webhooks,
    characters,
    files_sent_ahead,
    films_that_warn,
    what_helps_to_write,
    signed_films,
    engines,
    operations,
    notices,
    long_assemblies,
    missing_objects,
    deleted_videos,
    lost_films,
    lost_notices,
    lost_records,
    dead_letters,
    the_studio,
)

"""Google's API for videos: its requests, answers and errors, in front of the rules of every create."""

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ConfigDict, TypeAdapter, with_config

from lambdas.adapters import stores
from lambdas.api import app
from lambdas.api import request as api_request
from lambdas.api.google_format import GoogleError, GoogleOperation
from lambdas.domain.quotas import Quotas
from lambdas.domain.stages import Stage
from lambdas.domain.video_parts import Failure
from tests.cloud.deployment import Context, Deployment, png, rest_event
from tests.cloud.rest import Answer, call, complete

OPERATION = TypeAdapter(with_config(ConfigDict(extra="forbid"))(GoogleOperation))
ERROR = TypeAdapter(with_config(ConfigDict(extra="forbid"))(GoogleError))
MODEL = "/v1beta/models/animatic"


def ask(method: str, path: str, **details: Any) -> Answer:
    return Answer(app.handler(rest_event(method, path, **details), Context()))


def generate(model: str = "animatic", prompt: Any = "A bee", **details: Any) -> Answer:
    instance = {"prompt": prompt} | details.pop("instance", {})
    body = {"instances": [instance]} | details
    return ask("POST", f"/v1beta/models/{model}:predictLongRunning", body=body)


def video_of(answer: Answer) -> dict[str, Any]:
    """Return the video of an operation, as /v1 shows it."""
    assert answer.status == 200, answer.text
    operation = OPERATION.validate_python(answer.json)
    assert not operation["done"]
    video: dict[str, Any] = call("GET", f"/v1/videos/{operation['metadata']['video']}").json
    return video


def refused(answer: Answer, status: int, name: str, field: str | None) -> str:
    assert answer.status == status, answer.text
    error = ERROR.validate_python(answer.json)["error"]
    assert (error["code"], error["status"]) == (status, name)
    fields = [one["field"] for detail in error.get("details", []) for one in detail["fieldViolations"]]
    assert fields == ([] if field is None else [field])
    return str(error["message"])


def test_a_prompt_alone_is_a_create_with_defaults(aws: Deployment) -> None:
    video, ours = video_of(generate()), call("POST", "/v1/videos", body={"prompt": "A bee"}).json
    same = ("model", "prompt", "seconds", "size", "fps", "enhance", "notes")
    assert [video[name] for name in same] == [ours[name] for name in same]


def test_every_parameter_that_can_be_honoured(aws: Deployment) -> None:
    video = video_of(
        generate(
            "cogvideox-2b",
            parameters={
                "aspectRatio": "9:16",
                "resolution": "720p",
                "durationSeconds": 6,
                "seed": 7,
                "fps": 24,
                "negativePrompt": "people",
                "enhancePrompt": False,
                "sampleCount": 1,
                "personGeneration": "allow_all",
                "generateAudio": False,
                "resizeMode": "CROP",
                "storageUri": None,
            },
        )
    )
    assert (video["model"], video["size"], video["seconds"]) == ("cogvideox-2b", "720x1280", "6")
    assert (video["seed"], video["fps"], video["enhance"]["requested"]) == (7, 24, False)
    stored = stores.videos(api_request.settings()).get("acme", video["id"])
    assert stored.request.negative_prompt == "people"


@pytest.mark.parametrize(
    ("parameters", "size"),
    [
        ({"aspectRatio": "16:9"}, "1280x720"),
        ({"aspectRatio": "9:16"}, "720x1280"),
        ({"resolution": "1080p"}, "1920x1080"),
        ({"resolution": "1080p", "aspectRatio": "1:1"}, "1080x1080"),
        ({"resolution": "480p", "aspectRatio": "16:9"}, "854x480"),
        ({"resolution": "64p", "aspectRatio": "3:2"}, "96x64"),
    ],
)
def test_the_film_s_size(aws: Deployment, parameters: dict[str, str], size: str) -> None:
    assert video_of(generate(parameters=parameters))["size"] == size


@pytest.mark.parametrize("altchars", [b"+/", b"-_"])
def test_an_image_is_the_first_picture(aws: Deployment, altchars: bytes) -> None:
    image = png(3)
    encoded = base64.b64encode(image, altchars).decode()
    given = {"bytesBase64Encoded": encoded, "mimeType": "image/png"}
    video = video_of(generate("cogvideox-5b-i2v", instance={"image": given}))
    stored = stores.videos(api_request.settings()).get("acme", video["id"]).request.image
    assert stored is not None
    assert stores.inputs(api_request.settings()).get(stored.key) == image


def test_an_alias_of_a_model_stays_in_the_operation_s_name(aws: Deployment) -> None:
    answer = generate("sora-2")
    assert answer.json["name"] == f"models/sora-2/operations/{answer.json['metadata']['video']}"
    assert video_of(answer)["model"] == "cogvideox-2b"


@pytest.mark.parametrize(
    ("details", "field", "says"),
    [
        ({"parameters": {"durationSeconds": 0}}, "durationSeconds", "a whole number of seconds from 1"),
        ({"parameters": {"durationSeconds": "x"}}, "durationSeconds", "got 'x'"),
        ({"parameters": {"aspectRatio": "wide"}}, "aspectRatio", "width:height"),
        ({"parameters": {"aspectRatio": "9:1"}}, "aspectRatio", "nearest is 8:1"),
        ({"parameters": {"aspectRatio": 1, "resolution": "720p"}}, "aspectRatio", "width:height"),
        ({"parameters": {"aspectRatio": "0:1", "resolution": "720p"}}, "aspectRatio", "above 0"),
        ({"parameters": {"resolution": "4k"}}, "resolution", "got 3840x2160"),
        ({"parameters": {"resolution": "big"}}, "resolution", "720p or 1080p"),
        ({"parameters": {"resolution": 720}}, "resolution", "720p or 1080p"),
        ({"parameters": {"seed": -1}}, "seed", "from 0 to"),
        ({"parameters": {"fps": 7}}, "fps", "The nearest is 8"),
        ({"parameters": {"negativePrompt": 5}}, "negativePrompt", "text of at most"),
        ({"parameters": {"enhancePrompt": "maybe"}}, "enhancePrompt", "true or false"),
        ({"parameters": {"generateAudio": True}}, "generateAudio", "does not support sound of its clips"),
        ({"parameters": {"sampleCount": 2}}, "sampleCount", "makes one film"),
        ({"parameters": {"sampleCount": True}}, "sampleCount", "makes one film"),
        ({"parameters": {"personGeneration": "dont_allow"}}, "personGeneration", "allow_all"),
        ({"parameters": {"resizeMode": "PAD"}}, "resizeMode", "cropped"),
        ({"parameters": {"storageUri": "gs://x"}}, "storageUri", "download them"),
        ({"parameters": {"size": "1280x720"}}, "size", "allowed: aspectRatio"),
        ({"parameters": []}, "parameters", "an object"),
        ({"webhookConfig": {"uris": []}}, "webhookConfig", "webhook_endpoints"),
        ({"model": "x"}, "model", "allowed: instances, parameters"),
        ({"instances": []}, "instances", "one object"),
        ({"instances": [{}, {}]}, "instances", "one object"),
        ({"instance": {"lastFrame": {}}}, "lastFrame", "lastFrame must be"),
        ({"instance": {"video": {}}}, "video", "/v1/videos/extensions"),
        ({"instance": {"referenceImages": []}}, "referenceImages", "characters"),
        ({"instance": {"image": {"gcsUri": "gs://x"}}}, "image", "nothing is fetched"),
        ({"instance": {"image": {"bytesBase64Encoded": "%"}}}, "image", "base64"),
        ({"instance": {"image": {"bytesBase64Encoded": "aaaa"}}}, "image", "PNG, JPEG or WebP"),
        ({"prompt": ""}, "prompt", "required"),
        ({"prompt": ["x"]}, "prompt", "text of 1 to"),
        ({"model_": "veo-3"}, "model", "not offered"),
        ({"model_": "cogvideox-5b-i2v"}, "image", "requires an image; send one as image"),
    ],
)
def test_what_can_t_be_honoured_is_refused_in_google_s_terms(
    aws: Deployment, details: dict[str, Any], field: str, says: str
) -> None:
    model = details.pop("model_", "animatic")
    sent = dict(details)
    if "model" in sent:
        answer = ask(
            "POST",
            f"{MODEL}:predictLongRunning",
            body={"instances": [{"prompt": "A bee"}], "model": sent["model"]},
        )
    else:
        answer = generate(model, **sent)
    assert says in refused(answer, 400, "INVALID_ARGUMENT", field)


def test_the_operation_of_a_finished_film_names_its_file(aws: Deployment) -> None:
    started = generate()
    id_ = video_of(started)["id"]
    link = f"/v1beta/files/{id_.removeprefix('video_')}:download"
    assert "not ready" in refused(ask("GET", link, query={"alt": "media"}), 409, "ABORTED", "id")
    complete(id_)
    operation = OPERATION.validate_python(ask("GET", f"/v1beta/{started.json['name']}").json)
    assert operation["done"]
    [sample] = operation["response"]["generateVideoResponse"]["generatedSamples"]
    assert link == f"/v1beta/{sample['video']['uri']}:download"
    answer = ask("GET", link, query={"alt": "media"})
    assert answer.status == 302
    assert ".mp4" in answer.headers["location"]
    assert "must be media" in refused(ask("GET", link, query={"alt": "json"}), 400, "INVALID_ARGUMENT", "alt")
    refused(ask("GET", link), 400, "INVALID_ARGUMENT", "alt")


def test_the_operation_of_a_film_that_ended_otherwise_has_an_error(aws: Deployment) -> None:
    videos = stores.videos(api_request.settings())
    failed, cancelled = generate(), generate()
    failure = Failure(step="Plan", code="X", reason="It broke.", advice="Mend it.")
    videos.advance("acme", failed.json["metadata"]["video"], Stage.FAILED, failure=failure)
    call("POST", f"/v1/videos/{cancelled.json['metadata']['video']}/cancel")
    for answer, code, message in (
        (failed, 13, "It broke. Mend it."),
        (cancelled, 1, "The video was cancelled."),
    ):
        operation = OPERATION.validate_python(ask("GET", f"/v1beta/{answer.json['name']}").json)
        assert operation["done"]
        assert operation["error"] == {"code": code, "message": message}


def test_another_tenant_s_operation_and_file_are_not_found(aws: Deployment) -> None:
    name = generate().json["name"]
    id_ = name.rpartition("video_")[2]
    for path in (name, f"files/{id_}:download", "models/x/operations/y", "files/y:download"):
        answer = ask("GET", f"/v1beta/{path}", query={"alt": "media"}, tenant="other")
        refused(answer, 404, "NOT_FOUND", "id")


def test_an_idempotency_key_gives_the_same_operation(aws: Deployment) -> None:
    def again(prompt: str) -> Answer:
        body = {"instances": [{"prompt": prompt}]}
        headers = {"Idempotency-Key": "google-1"}
        return ask("POST", f"{MODEL}:predictLongRunning", body=body, headers=headers)

    assert again("A bee").json == again("A bee").json
    refused(again("A fly"), 409, "ABORTED", "idempotency-key")


def test_a_key_needs_the_scope_that_it_needs_elsewhere(aws: Deployment) -> None:
    body = {"instances": [{"prompt": "A bee"}]}
    for method, path, scopes, name in (
        ("POST", f"{MODEL}:predictLongRunning", "read", "create"),
        ("GET", f"{MODEL}/operations/x", "create", "read"),
        ("GET", "/v1beta/files/x:download", "admin", "read"),
    ):
        answer = ask(method, path, body=body, scopes=scopes)
        assert f"scope {name}" in refused(answer, 403, "PERMISSION_DENIED", None)


def test_a_quota_counts_and_refuses(aws: Deployment) -> None:
    aws.tenants.set("limited", Quotas(videos_in_flight=1))
    body = {"instances": [{"prompt": "A bee"}]}
    answers = [ask("POST", f"{MODEL}:predictLongRunning", body=body, tenant="limited") for _ in range(2)]
    assert answers[0].headers["x-ratelimit-remaining-videos-in-flight"] == "0"
    assert "videos_in_flight" in refused(answers[1], 429, "RESOURCE_EXHAUSTED", "videos_in_flight")


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("GET", "/v1beta/models", 404, "NOT_FOUND"),
        ("POST", "/v1beta/models/animatic:generateContent", 404, "NOT_FOUND"),
        ("GET", f"{MODEL}:predictLongRunning", 405, "UNIMPLEMENTED"),
    ],
)
def test_an_unknown_url_answers_in_google_s_shape(
    aws: Deployment, method: str, path: str, status: int, name: str
) -> None:
    refused(ask(method, path), status, name, None)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_VALUES = _JSON | st.sampled_from(["720p", "16:9", "9:0", "1e400", "allow_all", "٣", "0p", "4K"])
_NAMES = st.sampled_from(
    ["aspectRatio", "resolution", "durationSeconds", "negativePrompt", "enhancePrompt", "seed", "fps"]
)
_BODIES = (
    st.fixed_dictionaries(
        {
            "instances": st.lists(
                st.fixed_dictionaries({"prompt": _VALUES}, optional={"image": _JSON}), max_size=2
            )
            | _JSON,
            "parameters": st.dictionaries(_NAMES, _VALUES, max_size=3) | _JSON,
        }
    )
    | _JSON
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(_BODIES)
def test_a_body_of_any_kind_is_answered_in_google_s_shape(aws: Deployment, body: Any) -> None:
    answer = ask("POST", f"{MODEL}:predictLongRunning", body=json.dumps(body))
    assert answer.status in (200, 400), answer.text
    (OPERATION if answer.status == 200 else ERROR).validate_python(answer.json)


@pytest.mark.parametrize("body", [None, "", "{", "[]", "\ud800", b"\xff"])
def test_a_body_that_is_no_object_is_refused(aws: Deployment, body: Any) -> None:
    refused(ask("POST", f"{MODEL}:predictLongRunning", body=body), 400, "INVALID_ARGUMENT", None)

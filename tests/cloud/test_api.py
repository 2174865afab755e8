"""The REST API's function over a local AWS, called with API Gateway's events and by OpenAI's client."""

import hashlib
import json
import re
import threading
import time
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from typing import Any

import av
import httpx
import openai
import pytest

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.engine_calls import Inference
from lambdas.adapters.storyboards import Storyboards
from lambdas.adapters.videos import now_ms
from lambdas.api import app
from lambdas.api.request import settings
from lambdas.domain import keys
from lambdas.domain.stages import Stage
from lambdas.domain.storyboard import Storyboard
from lambdas.domain.video import Source, execution_name, video_id
from lambdas.domain.video_parts import ClipProgress, ClipState, FailedTry, Failure
from lambdas.domain.video_request import Stills, VideoRequest
from lambdas.intake.accept import Intake
from lambdas.intake.fields import ALLOWED
from lambdas.media import font
from lambdas.production.plans import store_plan
from tests.api_document import api_document
from tests.cloud.deployment import Context, Deployment, png, rest_event
from tests.cloud.rest import Answer, call, complete, create, gateway
from tests.cloud.servers import serving
from tests.factories import a_plan
from tests.media import sounds

MUSIC = {
    "audio_url": "data:audio/flac;base64,"
    + b64encode(sounds.encoded(sounds.noise(1.5), "flac").getvalue()).decode()
}
FONT = {"font_url": f"data:font/otf;base64,{b64encode(font.FONT.read_bytes()).decode()}"}
KITES: dict[str, Any] = {"prompt": None, "topic": "Kites"}
SCENE = {"image": {"positive_prompt": "A kite."}, "video": {"positive_prompt": "A kite that rises."}}


# --- create


def test_a_create_is_recorded_queued_and_answered(queue: Deployment) -> None:
    video = create(prompt=" A bee on a flower ", seconds="18", size="320x180", fps=8, seed=7, steps=3)
    assert re.fullmatch("video_[0-9a-f]{32}", video["id"])
    assert video["object"] == "video"
    assert video["status"] == "queued"
    assert video["stage"] == "queued"
    assert video["prompt"] == "A bee on a flower"
    assert (video["seconds"], video["size"], video["fps"]) == ("18", "320x180", 8)
    assert video["model"] == "animatic"
    assert video["draft"] is True
    assert video["seed"] == 7
    assert video["expires_at"] - video["created_at"] == 90 * 86_400
    assert queue.messages() == [{"tenant": "acme", "video_id": video["id"]}]
    assert call("GET", f"/v1/videos/{video['id']}").json == video
    assert keys.video_record("acme", video["id"]) in queue.keys("output")


def test_rendering_options_are_recorded_and_returned(queue: Deployment) -> None:
    video = create(model="cogvideox-2b", speed="fast", loras=[{"name": "paper", "scale": 0.5}])
    assert (video["speed"], video["loras"]) == ("fast", [{"name": "paper", "scale": 0.5}])
    assert call("GET", f"/v1/videos/{video['id']}").json == video
    plain = create(model="cogvideox-2b")
    assert (plain["speed"], plain["loras"]) == (None, [])


def test_vllm_s_names_are_recorded_as_ours(queue: Deployment) -> None:
    size = {"width": "720", "height": "480"}
    options = {
        "num_inference_steps": "30",
        "guidance_scale": "5.0",
        "lora": '{"name": "paper"}',
        "user": "me",
    }
    video = create(model="cogvideox-2b", num_frames="49", fps="8", **size, **options)
    assert (video["size"], video["seconds"], video["loras"][0]["name"]) == ("720x480", "6", "paper")
    request = stored(video)
    assert (request.frames, request.steps, request.guidance) == (49, 30, 5)
    assert call("GET", f"/v1/videos/{video['id']}").json == video


# The requests of vLLM-Omni's and SGLang's documentation, and all that SGLang's own client can say of a video.
VLLM_OMNI = {
    "prompt": "A cinematic tracking shot of a mountain lake at sunrise",
    "width": "1280",
    "height": "720",
    "num_frames": "80",
    "fps": "16",
    "num_inference_steps": "40",
}
SGLANG = {
    "prompt": "A calico cat playing a piano on stage",
    "size": "1280x720",
    "seconds": 4,
    "fps": 16,
    "num_frames": 64,
    "seed": 7,
    "num_inference_steps": 30,
    "guidance_scale": 5.0,
    "negative_prompt": "a dog",
    "n": 1,
    "enable_teacache": False,
    "enable_frame_interpolation": False,
    "enable_upscaling": False,
}


@pytest.mark.parametrize("encoding", ["form", "json"])
@pytest.mark.parametrize(
    ("sent", "length", "steps"), [(VLLM_OMNI, ("5", 80), 40), (SGLANG, ("4", 64), 30)], ids=["vllm", "sglang"]
)
def test_other_servers_example_requests(
    queue: Deployment, encoding: str, sent: dict[str, Any], length: tuple[str, int], steps: int
) -> None:
    """As forms, as curl -F sends them, and as JSON."""
    more = {"model": "cogvideox-2b", "lora": {"name": "paper", "scale": 0.5}}
    fields: dict[str, Any] = {**sent, **more}
    if encoding == "form":  # in a form, everything is text
        fields = {name: one if isinstance(one, str) else json.dumps(one) for name, one in fields.items()}
        sending: dict[str, Any] = {"files": [(name, (None, value)) for name, value in fields.items()]}
    else:
        sending = {"json": fields}
    with serving(gateway("acme")) as url:
        answer = httpx.post(f"{url}/v1/videos", **sending)
    assert answer.status_code == 200, answer.text
    video = answer.json()
    assert (video["size"], video["fps"], video["seconds"]) == ("1280x720", 16, length[0])
    assert video["loras"] == [{"name": "paper", "scale": 0.5}]
    request = stored(video)
    assert (request.frames, request.steps) == (length[1], steps)


@pytest.mark.parametrize("name", ["input_reference", "image_reference", "reference_url"])
def test_other_servers_names_of_the_first_picture(queue: Deployment, name: str) -> None:
    image = png(5)
    url = "data:image/png;base64," + b64encode(image).decode()
    video = create(model="cogvideox-5b-i2v", **{name: url})
    kept = stored(video).image
    assert kept is not None
    assert kept.sha256 == hashlib.sha256(image).hexdigest()
    answer = call("POST", "/v1/videos", body={"prompt": "x", name: "https://example.com/face.png"})
    assert (answer.status, answer.error["param"]) == (400, name)


def test_an_idempotency_key_covers_the_speed(queue: Deployment) -> None:
    headers = {"Idempotency-Key": "k"}
    create(headers=headers, model="cogvideox-2b", speed="fast")
    body = {"prompt": "A bee", "model": "cogvideox-2b"}
    assert call("POST", "/v1/videos", body=body, headers=headers).status == 409


def test_omitted_fields_get_the_engine_s_defaults(queue: Deployment) -> None:
    video = create(model="sora-2")
    assert (video["model"], video["size"], video["fps"]) == ("cogvideox-2b", "720x480", 8)
    assert video["seconds"] == "4"
    assert video["enhance"]["requested"] is True


def test_creating_the_same_request_twice_makes_two_videos(queue: Deployment) -> None:
    assert create()["id"] != create()["id"]
    assert len(queue.messages()) == 2


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"prompt": None}, "prompt", "2,000"),
        ({"prompt": " \n "}, "prompt", "1 to 2,000"),
        ({"prompt": "x" * 2001}, "prompt", "2,001 characters"),
        ({"prompt": "x\x00y"}, "prompt", "control"),
        ({"prompt": "\ud800"}, "prompt", "text"),
        ({"prompt": 5}, "prompt", "text"),
        ({"model": "nope"}, "model", "animatic, cogvideox-2b, cogvideox-5b-i2v"),
        ({"model": "cogvideox-5b"}, "model", "animatic"),  # in the catalogue, but not enabled here
        ({"seconds": "0"}, "seconds", "1 to 3,600"),
        ({"seconds": 3601}, "seconds", "1 to 3,600"),
        ({"transition": "dissolve"}, "transition", "none, crossfade, fade, wipe"),
        ({"transition": "fade", "transition_seconds": 2}, "transition_seconds", "0.1 to 1"),
        ({"seconds": 4.5}, "seconds", "whole"),
        ({"seconds": "four"}, "seconds", "whole"),
        ({"seconds": True}, "seconds", "whole"),
        ({"size": "1280"}, "size", "1280x720"),
        ({"size": "33x33"}, "size", "nearest is 256x256"),
        ({"size": "3840x2160", "model": "cogvideox-2b"}, "size", "at most 2,200,000 pixels"),
        ({"aspect": "9:1"}, "aspect", "1:8 to 8:1"),
        ({"aspect": "9:16", "size": "1280x720"}, "aspect", "send aspect alone"),
        ({"fit": "stretch"}, "fit", "cover, contain, blur"),
        ({"shapes": ["9:16", "2:1"]}, "shapes", "16:9, 9:16, 1:1, 4:5, 21:9, each at most once"),
        ({"shapes": [{"aspect": "9:16", "fit": "stretch"}]}, "shapes", "cover or contain or blur"),
        ({"shapes": ["9:16", {"aspect": "9:16"}]}, "shapes", "each at most once"),
        ({"shapes": ["16:9"], "size": "1280x720"}, "shapes", "the film itself is 1280x720"),
        ({"shapes": ["9:16"], "focal_point": "middle"}, "focal_point", "left, right, top, bottom, center"),
        ({"shapes": ["9:16"], "focal_point": "0.3,1.2"}, "focal_point", "0.3,0.5"),
        ({"focal_point": "left"}, "focal_point", "omitted without shapes"),
        (
            KITES | {"storyboard": {"scenes": [{"focal_point": "there"}]}},
            "scenes[0].focal_point",
            "a corner such as top-left",
        ),
        ({"fps": 7}, "fps", "8 to 60"),
        ({"fps": 61, "model": "cogvideox-2b"}, "fps", "nearest is 60"),
        ({"fps_mode": "interpolate"}, "fps_mode", "repeat, blend"),
        ({"draft_for": "nope"}, "draft_for", "animatic, cogvideox-2b"),
        ({"draft_for": "animatic", "model": "cogvideox-2b"}, "draft_for", "omitted"),
        ({"enhance": "perhaps"}, "enhance", "true or false"),
        ({"seed": -1}, "seed", "9223372036854775807"),
        ({"seed": 2**63}, "seed", "9223372036854775807"),
        ({"steps": 201}, "steps", "1 to 200"),
        ({"guidance": 21}, "guidance", "1 to 20"),
        ({"guidance": float("nan")}, "guidance", "1 to 20"),
        ({"speed": "slow", "model": "cogvideox-2b"}, "speed", "exact, balanced, fast, turbo"),
        ({"speed": "turbo", "model": "cogvideox-2b"}, "speed", "does not support speed turbo"),
        ({"speed": "fast"}, "speed", "cogvideox-2b, cogvideox-5b-i2v"),
        ({"loras": [{"name": "paper"}]}, "loras", "cogvideox-2b, cogvideox-5b-i2v"),
        ({"loras": "paper:0.8", "model": "cogvideox-2b"}, "loras", '{"name": …, "scale": -2 to 2}'),
        ({"num_inference_steps": 201}, "num_inference_steps", "1 to 200"),
        ({"width": 640}, "height", "or send size"),
        ({"flow_shift": 3}, "flow_shift", "omitted"),
        ({"num_frames": 49, "seconds": "4", "fps": 8}, "num_frames", "about 32"),
        ({"num_frames": 1, "transition": "fade"}, "num_frames", "at least 12"),
        (KITES | {"num_frames": 49}, "num_frames", "applies only to prompt"),
        ({"colour": "red"}, "colour", ", ".join(ALLOWED)),
        ({"model": "cogvideox-5b-i2v"}, "input_reference", "image"),
        ({"input_reference": {"image_url": "http://example.com/a.png"}}, "input_reference", "data:image/png"),
        ({"input_reference": {"file_id": "file-1"}}, "input_reference.file_id", "one of your uploads"),
        ({"input_reference": {"image_url": "data:image/png;base64,@@"}}, "input_reference", "base64"),
        ({"input_reference": {"image_url": "data:image/png;base64,AAAA"}}, "input_reference", "PNG"),
        ({"input_reference": "photo.png"}, "input_reference", "data:image/png"),
        ({"music": "song.mp3"}, "music", "audio_url"),
        ({"music": {"audio_url": "data:audio/mpeg;base64,AAAA"}}, "music", "WAV, MP3"),
        ({"music_start": 3}, "music_start", "omitted without music"),
        (KITES | {"cut_on_beats": True}, "cut_on_beats", "requires music or music_mood"),
        (
            {"music_mood": "angry"},
            "music_mood",
            "calm, dreamy, uplifting, playful, tense, sad, epic, driving",
        ),
        ({"music_mood": "calm", "music": MUSIC}, "music_mood", "omitted when music is set"),
        ({"music": MUSIC, "cut_on_beats": True}, "cut_on_beats", "only with topic or storyboard"),
        ({"music": MUSIC, "music_start": 3}, "music_start", r"at most 0.5: the music is 1.5 s long"),
        ({"music": MUSIC, "music_level": 3}, "music_level", "-40 to 0"),
        ({"music": MUSIC, "music_fade_out": 31}, "music_fade_out", "0 to 30"),
        ({"burn_captions": True}, "burn_captions", "topic or storyboard"),
        ({"prompt": "word " * 390, "enhance": False, "model": "cogvideox-2b"}, "prompt", "226"),
        ({"negative_prompt": "word " * 390, "model": "cogvideox-2b"}, "negative_prompt", "226"),
        ({"topic": "Kites"}, "prompt", "omitted when topic is set"),
        ({"prompt": None, "tone": "calm"}, "prompt", "topic or storyboard"),
        ({"tone": "calm"}, "tone", "topic or storyboard"),
        ({"captions": True}, "captions", "topic or storyboard"),
        (KITES | {"scenes": 51}, "scenes", "1 to 50"),
        (KITES | {"narrate": "perhaps"}, "narrate", "true or false"),
        (KITES | {"narrate": False, "captions": True}, "captions", "narrate=true"),
        (KITES | {"captions": True, "caption_style": "disco"}, "caption_style", "plain, karaoke, pop"),
        (KITES | {"caption_style": "pop"}, "caption_style", "burn_captions=true"),
        ({"caption_style": "pop"}, "caption_style", "topic or storyboard"),
        (KITES | {"caption_size": 1.5}, "caption_size", "burn_captions=true"),
        (KITES | {"narrate": False, "caption_position": "top"}, "caption_position", "narrate=true"),
        (KITES | {"captions": True, "caption_position": "left"}, "caption_position", "bottom, middle, top"),
        (KITES | {"captions": True, "caption_size": 3}, "caption_size", "0.5 to 2"),
        (KITES | {"captions": True, "caption_colour": "yellow"}, "caption_colour", "#RRGGBB"),
        (KITES | {"captions": True, "caption_outline": "thin"}, "caption_outline", "box or a colour"),
        (KITES | {"captions": True, "caption_outline_width": 1}, "caption_outline_width", "0 to 0.25"),
        (KITES | {"captions": True, "caption_font": "Comic Lettering"}, "caption_font", "Noto Sans Thai"),
        (
            KITES
            | {"burn_captions": True, "caption_font": "Noto Sans Thai"}
            | {"storyboard": {"scenes": [{"narration": {"text": "Ein Drachen"}}]}},
            "scenes[0].narration.text",
            "the font Noto Sans Thai lacks E (U+0045)",
        ),
        ({"caption_font_file": FONT}, "caption_font_file", "burn_captions=true"),
        (KITES | {"captions": True, "caption_font_file": "kite.ttf"}, "caption_font_file", "font_url"),
        (
            KITES | {"captions": True, "caption_font_file": {"font_url": "data:font/ttf;base64,AAAA"}},
            "caption_font_file",
            "TrueType or OpenType",
        ),
        (
            KITES | {"captions": True, "caption_font_file": FONT, "caption_font": "Inter"},
            "caption_font",
            "omitted when caption_font_file",
        ),
        (
            KITES
            | {"burn_captions": True, "caption_font_file": FONT}
            | {"storyboard": {"scenes": [{"narration": {"text": "凧"}}]}},
            "scenes[0].narration.text",
            "the font Inter lacks 凧",
        ),
        (KITES | {"enhance": False}, "enhance", "omitted"),
        (KITES | {"scenes": 1, "storyboard": {"scenes": [{}, {}]}}, "scenes", "at least 2"),
        (KITES | {"storyboard": "{"}, "storyboard", "JSON text"),
        (
            {
                "prompt": None,
                "storyboard": {"title": "Kites", "scenes": [SCENE, SCENE | {"seconds": 0.5}]},
                "narrate": False,
                "transition": "fade",
                "transition_seconds": 1,
            },
            "scenes[1].seconds",
            "at least 1",
        ),
        (
            KITES | {"storyboard": {"scenes": [{}, {"video": {"positive_prompt": 5}}]}},
            "scenes[1].video.positive_prompt",
            "1 to 2,000",
        ),
        (
            KITES
            | {"burn_captions": True, "storyboard": {"scenes": [{}, {"narration": {"text": "\U00013000"}}]}},
            "scenes[1].narration.text",
            "U+13000",
        ),
        ({"prompt": None, "storyboard": {"scenes": []}}, "title", "Send topic"),
        (KITES | {"stills": "none", "model": "cogvideox-5b-i2v"}, "stills", "standard or premium"),
        (KITES | {"stills": "standard", "model": "cogvideox-2b"}, "stills", "does not accept an image"),
    ],
)
def test_an_invalid_field_is_named_with_the_allowed_values_and_nothing_is_created(
    queue: Deployment, fields: dict[str, Any], param: str, says: str
) -> None:
    before = queue.keys("input"), queue.keys("output")
    answer = call("POST", "/v1/videos", body={"prompt": "A bee"} | fields)
    assert answer.status == 400
    assert answer.error["param"] == param
    assert answer.error["type"] == "invalid_request_error"
    assert says in answer.error["message"]
    assert param in answer.error["message"]
    assert (queue.keys("input"), queue.keys("output")) == before
    assert queue.messages() == []


@pytest.mark.parametrize(
    ("body", "headers", "says"),
    [
        ("{", {}, "JSON"),
        ("[]", {}, "JSON object"),
        (None, {}, "JSON"),
        ("[" * 100_000, {}, "JSON"),
        ('{"seed": ' + "9" * 5000 + "}", {}, "JSON"),
        (b"\xff\xfe", {}, "JSON"),
        ("x=1", {"content-type": "application/x-www-form-urlencoded"}, "multipart/form-data"),
        (b"--b\r\n", {"content-type": "multipart/form-data; boundary=b"}, "closing boundary"),
        (b"nonsense", {"content-type": "multipart/form-data; boundary=b"}, "malformed"),
        (b"--b--\r\n", {"content-type": "multipart/form-data"}, "boundary"),
    ],
)
def test_a_malformed_body_is_refused(
    queue: Deployment, body: bytes | str | None, headers: dict[str, str], says: str
) -> None:
    answer = call("POST", "/v1/videos", body=body, headers=headers)
    assert answer.status == 400
    assert says in answer.error["message"]
    assert queue.messages() == []


def stored(video: dict[str, Any], tenant: str = "acme") -> VideoRequest:
    return stores.videos(settings()).get(tenant, video["id"]).request


def test_a_film_of_scenes_is_recorded_and_answered(polly: None, queue: Deployment) -> None:
    video = create(**KITES, tone="calm", scenes=3, captions=True, voice="Amy", speech_speed=1.2, top_p=0.9)
    assert (video["prompt"], video["seconds"], video["captions"]) == ("Kites", "24", True)
    assert (video["storyboard"], video["narrations"], video["stills"]) == (None, [], [])
    assert video["enhance"]["requested"] is False
    request = stored(video)
    assert request.brief is not None
    assert (request.brief.topic, request.brief.tone, request.brief.count) == ("Kites", "calm", 3)
    assert (request.voice.name, request.voice.speed, request.writing.top_p) == ("Amy", 1.2, 0.9)
    assert call("GET", f"/v1/videos/{video['id']}").json == video


def test_stills_are_drawn_for_an_engine_that_starts_from_an_image(queue: Deployment) -> None:
    assert stored(create(**KITES)).stills is None
    assert stored(create(**KITES, stills="premium")).stills == Stills(quality="premium")
    assert stored(create(**KITES, model="cogvideox-5b-i2v")).stills == Stills()
    # The only scene has an image.
    image = {"image_url": "data:image/png;base64," + b64encode(png(6)).decode()}
    one = create(**KITES, model="cogvideox-5b-i2v", scenes=1, input_reference=image, stills="none")
    assert stored(one).stills is None


def test_one_key_with_two_storyboards_is_a_conflict(queue: Deployment) -> None:
    headers = {"Idempotency-Key": "scenes-1"}
    first = create(**KITES, storyboard={"style": "Ink."}, headers=headers)
    assert create(**KITES, storyboard='{"style": "Ink."}', headers=headers)["id"] == first["id"]
    other = call("POST", "/v1/videos", body=KITES | {"storyboard": {"style": "Oil."}}, headers=headers)
    assert other.status == 409


def test_the_largest_storyboard_is_kept(queue: Deployment) -> None:
    scene = {"narration": {"text": "🐝" * 700}, **SCENE}
    video = create(prompt=None, storyboard={"title": "Bees", "scenes": [scene] * 50})
    brief = stored(video).brief
    assert brief is not None
    assert brief.whole() is not None


def test_an_image_is_stored_once_under_its_content(queue: Deployment) -> None:
    data_url = "data:image/png;base64," + b64encode(png(1)).decode()
    for _ in range(2):
        create(tenant="images", model="cogvideox-5b-i2v", input_reference={"image_url": data_url})
    uploads = [key for key in queue.keys("input", "uploads/images/") if "." in key]
    assert len(uploads) == 1
    assert client("s3").get_object(Bucket="input", Key=uploads.pop())["ContentType"] == "image/png"


def test_music_is_stored_once_under_its_content(queue: Deployment) -> None:
    content = sounds.encoded(sounds.noise(1.5), "flac").getvalue()
    data_url = "data:audio/flac;base64," + b64encode(content).decode()
    for _ in range(2):
        video = create(tenant="sounds", music={"audio_url": data_url}, music_level=-12, music_start="0.25")
    assert video["music"] == {
        "mood": None,
        "seconds": 1.5,
        "level": -12,
        "start": 0.25,
        "fade_in": 0,
        "fade_out": 3,
    }
    uploads = [key for key in queue.keys("input", "uploads/sounds/") if "." in key]
    assert len(uploads) == 1
    kept = client("s3").get_object(Bucket="input", Key=uploads.pop())
    assert kept["ContentType"] == "audio/flac"
    assert kept["Body"].read() == content


# --- retries of a create


def test_one_idempotency_key_makes_one_video(queue: Deployment) -> None:
    first, second = (create(headers={"Idempotency-Key": "order-1"}) for _ in range(2))
    assert first["id"] == second["id"] == video_id("acme", "order-1")
    # The message is sent again: the first try may have ended before sending it.
    assert [message["video_id"] for message in queue.messages()] == [first["id"]] * 2
    assert create(tenant="other", headers={"Idempotency-Key": "order-1"})["id"] != first["id"]


def test_a_video_in_progress_is_not_queued_again(queue: Deployment) -> None:
    headers = {"Idempotency-Key": "order-2"}
    id_ = create(headers=headers)["id"]
    stores.videos(settings()).advance("acme", id_, Stage.PLANNING)
    queue.messages()
    assert create(headers=headers)["status"] == "in_progress"
    assert queue.messages() == []


def test_one_idempotency_key_with_two_requests_is_a_conflict(queue: Deployment) -> None:
    headers = {"Idempotency-Key": "order-3"}
    create(headers=headers)
    image = {"image_url": "data:image/png;base64," + b64encode(png(2)).decode()}
    for other in ({"prompt": "A wasp"}, {"input_reference": image}):
        answer = call("POST", "/v1/videos", body={"prompt": "A bee"} | other, headers=headers)
        assert answer.status == 409
        assert answer.error["code"] == "idempotency_conflict"
        assert answer.headers["x-should-retry"] == "false"
    assert len(queue.messages()) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\t", "é"])
def test_an_unusable_idempotency_key_is_refused(aws: Deployment, key: str) -> None:
    answer = call("POST", "/v1/videos", body={"prompt": "A bee"}, headers={"Idempotency-Key": key})
    assert (answer.status, answer.error["param"]) == (400, "idempotency-key")


def retry(count: int) -> dict[str, str]:
    return {"x-stainless-retry-count": str(count)}


def test_a_client_s_retry_finds_the_video_of_its_first_try(queue: Deployment) -> None:
    first = create(prompt="retried", headers=retry(0))
    assert create(prompt="retried", headers=retry(1))["id"] == first["id"]
    assert create(prompt="retried", headers=retry(2))["id"] == first["id"]
    assert create(prompt="retried", headers=retry(0))["id"] != first["id"], "a new create"
    assert create(prompt="retried", tenant="other", headers=retry(1))["id"] != first["id"]


def test_a_retry_creates_the_video_that_its_first_try_only_recorded(queue: Deployment) -> None:
    first = create(prompt="noted")
    stores.videos(settings()).delete("acme", first["id"])
    assert create(prompt="noted", headers=retry(1))["id"] == first["id"]


def test_a_first_try_joins_the_retry_that_overtook_it_once(queue: Deployment) -> None:
    overtaking = create(prompt="overtaken", headers=retry(1))
    assert create(prompt="overtaken", headers=retry(0))["id"] == overtaking["id"]
    assert create(prompt="overtaken", headers=retry(0))["id"] != overtaking["id"], "a new create"


@pytest.mark.parametrize("tries", [(0, 1), (0, 1, 2), (1, 2), (2, 1, 0)])
def test_concurrent_tries_of_one_create_make_one_video(queue: Deployment, tries: tuple[int, ...]) -> None:
    for round_ in range(8):
        start = threading.Barrier(len(tries))

        def one_try(count: int, prompt: str, start: threading.Barrier = start) -> str:
            start.wait()
            return str(create(prompt=prompt, headers=retry(count))["id"])

        with ThreadPoolExecutor(len(tries)) as pool:
            ids = set(pool.map(one_try, tries, [f"at once {tries} {round_}"] * len(tries)))
        assert len(ids) == 1


# --- retrieve, list


def test_an_unfinished_video_says_when_to_poll_again(aws: Deployment) -> None:
    id_ = create()["id"]
    assert int(call("GET", f"/v1/videos/{id_}").headers["openai-poll-after-ms"]) > 0
    complete(id_)
    answer = call("GET", f"/v1/videos/{id_}")
    assert "openai-poll-after-ms" not in answer.headers
    assert answer.json["status"] == "completed"
    assert answer.json["progress"] == 100
    assert answer.json["completed_at"] >= answer.json["created_at"]


@pytest.mark.parametrize("id_", ["video_" + "0" * 32, "nope", "video_" + "0" * 5000, "a b", "%00"])
@pytest.mark.parametrize(
    ("method", "tail"),
    [("GET", ""), ("DELETE", ""), ("GET", "/content"), ("GET", "/storyboard"), ("POST", "/cancel")],
)
def test_an_unknown_video_is_not_found(aws: Deployment, method: str, tail: str, id_: str) -> None:
    answer = call(method, f"/v1/videos/{id_}{tail}")
    assert (answer.status, answer.error["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "tail"),
    [("GET", ""), ("DELETE", ""), ("GET", "/content"), ("GET", "/storyboard"), ("POST", "/cancel")],
)
def test_another_tenants_video_is_not_found(aws: Deployment, method: str, tail: str) -> None:
    id_ = create(tenant="owner")["id"]
    assert call(method, f"/v1/videos/{id_}{tail}", tenant="stranger").status == 404
    assert call("GET", f"/v1/videos/{id_}", tenant="owner").json["status"] == "queued"


def test_a_list_is_read_page_by_page(aws: Deployment) -> None:
    made = [create(tenant="lister")["id"] for _ in range(5)]

    def ids(**query: str) -> tuple[list[str], bool]:
        page = call("GET", "/v1/videos", tenant="lister", query=query).json
        found = [video["id"] for video in page["data"]]
        assert page["object"] == "list"
        assert (page["first_id"], page["last_id"]) == ((found[0], found[-1]) if found else (None, None))
        return found, page["has_more"]

    oldest_first, more = ids(order="asc")
    assert set(oldest_first) == set(made)
    assert not more
    assert ids()[0] == oldest_first[::-1]
    assert ids(limit="2", order="asc") == (oldest_first[:2], True)
    assert ids(limit="3", order="asc", after=oldest_first[1]) == (oldest_first[2:], False)
    assert ids(after=oldest_first[0]) == ([], False)


def test_videos_may_be_deleted_while_they_are_paged(aws: Deployment) -> None:
    made = {create(tenant="cleaner")["id"] for _ in range(3)}
    deleted: list[str] = []
    while page := call(
        "GET",
        "/v1/videos",
        tenant="cleaner",
        query={"limit": "1"} | ({"after": deleted[-1]} if deleted else {}),
    ).json["data"]:
        call("DELETE", f"/v1/videos/{page[0]['id']}", tenant="cleaner")
        deleted.append(page[0]["id"])
    assert (len(deleted), set(deleted)) == (3, made)
    assert call("GET", "/v1/videos", tenant="stranger", query={"after": deleted[0]}).status == 400


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"order": "up"}, "order"),
        ({"after": "nope"}, "after"),
        ({"after": "video_" + "1" * 32}, "after"),
    ],
)
def test_an_invalid_query_parameter_is_named(aws: Deployment, query: dict[str, str], param: str) -> None:
    answer = call("GET", "/v1/videos", query=query)
    assert (answer.status, answer.error["param"]) == (400, param)


def test_a_failed_video_says_what_failed(aws: Deployment) -> None:
    id_ = create()["id"]
    failure = Failure(
        step="render_clip", clip=1, code="EngineFailed", reason="Out of memory.", advice="Wait."
    )
    stores.videos(settings()).advance("acme", id_, Stage.FAILED, failure=failure)
    video = call("GET", f"/v1/videos/{id_}").json
    assert video["status"] == "failed"
    assert video["error"] == {"code": "EngineFailed", "message": "Out of memory. Wait."}
    assert video["failure"] == failure.model_dump()


@pytest.mark.parametrize("size", ["720x1280", "1280x720", "1024x1792", "1792x1024", "1080x1920"])
def test_every_size_of_openai_s_client_is_made_by_a_real_engine(aws: Deployment, size: str) -> None:
    video = create(model="sora-2", size=size, fps=24, fit="blur", fps_mode="blend")
    assert (video["model"], video["size"], video["fps"]) == ("cogvideox-2b", size, 24)
    assert (video["rendered_size"], video["rendered_fps"]) == ("720x480", 8)
    assert (video["fit"], video["fps_mode"], video["cropped"]) == ("blur", "blend", 0)
    assert "blended to make 24" in video["notes"][-1]


def test_a_portrait_film_of_a_landscape_engine_says_what_is_cut(aws: Deployment) -> None:
    video = create(model="cogvideox-2b", size="720x1280")
    assert (video["fit"], video["cropped"]) == ("cover", 0.625)
    [note] = video["notes"]
    assert "renders landscape (720x480)" in note
    assert call("GET", f"/v1/videos/{video['id']}").json["notes"] == [note]


def test_an_aspect_chooses_the_size(aws: Deployment) -> None:
    assert create(aspect="9:16")["size"] == "720x1280"
    assert create(aspect="9:16", model="cogvideox-2b")["size"] == "432x768"


def test_a_film_has_the_shapes_asked_for(aws: Deployment) -> None:
    """As JSON, and as a form sends them."""
    as_text = json.dumps([{"aspect": "9:16"}, {"aspect": "1:1", "fit": "blur"}])
    for shapes in (["9:16", {"aspect": "1:1", "fit": "blur"}], as_text):
        made = create(aspect="16:9", shapes=shapes, focal_point="0.2,0.5")
        tall, square = made["shapes"]
        assert (tall["aspect"], tall["fit"], tall["size"], tall["variant"]) == (
            "9:16",
            "cover",
            "720x1280",
            "9x16",
        )
        assert (square["fit"], square["size"], square["cropped"]) == ("blur", "960x960", 0)
        assert (tall["cropped"], tall["url"], made["focal_point"]) == (0.6836, None, "0.2,0.5")
        assert [note for note in made["notes"] if "Shape" in note] == [
            "Shape 9:16 shows 32% of the film's picture. Say with focal_point what it keeps in view, or send "
            "fit=blur or fit=contain to keep all of it."
        ]
    assert [one["aspect"] for one in create(shapes="9:16, 4:5")["shapes"]] == ["9:16", "4:5"]


def test_a_draft_may_stand_in_for_an_engine(aws: Deployment) -> None:
    video = create(size="720x1280", draft_for="sora-2")
    assert (video["model"], video["draft_for"], video["rendered_size"]) == (
        "animatic",
        "cogvideox-2b",
        "720x480",
    )
    assert video["cropped"] == 0.625
    assert "cogvideox-2b renders landscape" in video["notes"][0]


def test_the_enabled_engines_are_listed(aws: Deployment) -> None:
    models = call("GET", "/v1/models").json
    assert [model["id"] for model in models["data"]] == ["animatic", "cogvideox-2b", "cogvideox-5b-i2v"]
    assert models["data"][1]["sizes"] == "720x480"
    assert models["data"][1]["film_sizes"] == "even, 256 to 2048 pixels a side, at most 2,200,000 pixels"
    assert models["data"][1]["film_fps"] == "8 to 60"
    assert [models["data"][1][name] for name in ("longest_film", "most_clips", "steps")] == [3600, 1000, 50]


# --- the document


def test_the_document_is_served(aws: Deployment) -> None:
    answer = call("GET", "/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json == api_document()
    assert call("POST", "/openapi.json").status == 405


def test_the_reference_page_is_served_and_runs_nothing(aws: Deployment) -> None:
    answer = call("GET", "/docs")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.startswith("<!doctype html>")
    assert "default-src 'none'" in answer.headers["content-security-policy"]


# --- content


@pytest.mark.parametrize(
    ("query", "bytes_", "kind"),
    [
        ({}, b"film", "video/mp4"),
        ({"variant": "video"}, b"film", "video/mp4"),
        ({"variant": "thumbnail"}, b"thumbnail", "image/webp"),
        ({"variant": "spritesheet"}, b"spritesheet", "image/jpeg"),
        ({"variant": "manifest"}, b"{}", "application/json"),
    ],
)
def test_content_redirects_to_the_object(
    aws: Deployment, query: dict[str, str], bytes_: bytes, kind: str
) -> None:
    id_ = create()["id"]
    complete(id_)
    answer = call("GET", f"/v1/videos/{id_}/content", query=query)
    assert answer.status == 302
    with urllib.request.urlopen(answer.headers["location"]) as response:
        assert response.read() == bytes_
        assert response.headers["content-type"] == kind


def test_content_supports_head(aws: Deployment) -> None:
    id_ = create()["id"]
    assert call("HEAD", f"/v1/videos/{id_}/content").status == 409
    complete(id_)
    signed: list[str] = []  # the local S3 checks no signatures
    events = client("s3").meta.events
    events.register("provide-client-params.s3", note := lambda event_name, **_: signed.append(event_name))
    answer = call("HEAD", f"/v1/videos/{id_}/content")
    events.unregister("provide-client-params.s3", note)
    assert answer.status == 302
    assert signed == ["provide-client-params.s3.HeadObject"]
    request = urllib.request.Request(answer.headers["location"], method="HEAD")
    with urllib.request.urlopen(request) as response:
        assert (response.headers["content-type"], response.headers["content-length"]) == ("video/mp4", "4")


def test_a_link_as_json(aws: Deployment) -> None:
    id_ = create()["id"]
    query = {"link": "json"}
    assert call("GET", f"/v1/videos/{id_}/content", query=query).error["code"] == "not_ready"
    complete(id_)
    answer = call("GET", f"/v1/videos/{id_}/content", query={**query, "variant": "thumbnail"})
    link = answer.json
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert (link["object"], link["media_type"]) == ("content.link", "image/webp")
    assert 3_500 < link["expires_at"] - time.time() <= 3_600
    with urllib.request.urlopen(link["url"]) as response:
        assert response.read() == b"thumbnail"
    wrong = call("GET", f"/v1/videos/{id_}/content", query={"link": "text"})
    assert (wrong.status, wrong.error["param"]) == (400, "link")
    assert "redirect or json; got 'text'" in wrong.error["message"]


def test_the_films_of_all_attempts_are_listed_and_have_links(aws: Deployment) -> None:
    id_ = create()["id"]
    assert call("GET", f"/v1/videos/{id_}/films").json == {"object": "list", "data": [], "has_more": False}
    complete(id_)
    videos = stores.videos(settings())
    assert videos.requeue(videos.get("acme", id_))
    complete(id_)
    stores.outputs(settings()).put(keys.delivered_film("acme", id_, 1), b"the first", "video/mp4")
    listed = call("GET", f"/v1/videos/{id_}/films").json["data"]
    assert [film["attempt"] for film in listed] == [2, 1]
    assert listed[0]["completed_at"] >= listed[1]["completed_at"]
    for attempt, body in ((1, b"the first"), (2, b"film"), (None, b"film")):
        query = {"link": "json"} | ({"attempt": str(attempt)} if attempt else {})
        link = call("GET", f"/v1/videos/{id_}/content", query=query).json["url"]
        own = [film["url"] for film in listed if film["attempt"] == attempt]
        for url in (link, *own):
            with urllib.request.urlopen(url) as response:
                assert response.read() == body
                name = f"{id_}-{attempt}" if attempt else id_
                assert f'"{name}.mp4"' in response.headers["content-disposition"]
    for query, param in (({"attempt": "3"}, "attempt"), ({"attempt": "1", "variant": "captions"}, "variant")):
        answer = call("GET", f"/v1/videos/{id_}/content", query=query)
        assert (answer.status, answer.error["param"]) == (404, param)
    assert call("GET", f"/v1/videos/{id_}/content", query={"attempt": "0"}).status == 400
    assert call("GET", f"/v1/videos/{id_}/films", tenant="stranger").status == 404
    assert call("DELETE", f"/v1/videos/{id_}").status == 200
    assert not aws.keys("output", keys.video_folder("acme", id_))


def test_a_finished_video_has_a_link_to_its_film(aws: Deployment) -> None:
    id_ = create()["id"]
    made = call("GET", f"/v1/videos/{id_}").json
    assert (made["url"], made["thumbnail_url"]) == (None, None)
    complete(id_)
    listed = next(one for one in call("GET", "/v1/videos").json["data"] if one["id"] == id_)
    for video in (call("GET", f"/v1/videos/{id_}").json, listed):
        with urllib.request.urlopen(video["thumbnail_url"]) as response:
            assert response.read() == b"thumbnail"
        with urllib.request.urlopen(video["url"]) as response:
            assert response.read() == b"film"
            assert response.headers["content-type"] == "video/mp4"


@pytest.mark.parametrize(
    ("variant", "extension", "kind"),
    [
        ("captions", "vtt", "text/vtt"),
        ("captions_srt", "srt", "application/x-subrip"),
        ("captions_ass", "ass", "text/x-ssa"),
    ],
)
def test_captions_are_content(aws: Deployment, variant: str, extension: str, kind: str) -> None:
    id_ = create(**KITES, captions=True)["id"]
    key = keys.delivered_captions("acme", id_, 1, extension)
    stores.outputs(settings()).put(key, b"captions", kind)
    assert call("GET", f"/v1/videos/{id_}/content", query={"variant": variant}).status == 409
    complete(id_, **{variant: key})
    answer = call("GET", f"/v1/videos/{id_}/content", query={"variant": variant})
    assert answer.status == 302
    with urllib.request.urlopen(answer.headers["location"]) as response:
        assert response.read() == b"captions"
        assert response.headers["content-type"] == kind
        assert f"{id_}.{extension}" in response.headers["content-disposition"]


def test_captions_that_were_not_requested(aws: Deployment) -> None:
    id_ = create()["id"]
    complete(id_)
    answer = call("GET", f"/v1/videos/{id_}/content", query={"variant": "captions"})
    assert (answer.status, answer.error["param"]) == (404, "variant")


def test_a_storyboard_is_available_once_written(aws: Deployment) -> None:
    id_ = create(**KITES)["id"]
    early = call("GET", f"/v1/videos/{id_}/storyboard")
    assert (early.status, early.error["code"]) == (409, "not_ready")
    storyboard = Storyboard.model_validate({"title": "Käfer", "scenes": [SCENE]})
    videos = stores.videos(settings())
    sha256 = Storyboards(stores.outputs(settings())).put(videos.get("acme", id_), storyboard)
    videos.advance("acme", id_, Stage.PLANNING, storyboard=sha256)
    answer = call("GET", f"/v1/videos/{id_}/storyboard")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert Storyboard.model_validate(answer.json) == storyboard
    assert call("GET", f"/v1/videos/{id_}/storyboard", tenant="stranger").status == 404
    plain = call("GET", f"/v1/videos/{create()['id']}/storyboard")
    assert plain.status == 404
    assert "one prompt" in plain.error["message"]


def test_missing_content(aws: Deployment) -> None:
    id_ = create()["id"]
    answer = call("GET", f"/v1/videos/{id_}/content")
    assert (answer.status, answer.error["code"]) == (409, "not_ready")
    assert answer.headers["x-should-retry"] == "false"
    answer = call("GET", f"/v1/videos/{id_}/content", query={"variant": "poster"})
    assert (answer.status, answer.error["param"]) == (400, "variant")
    assert "video, thumbnail, spritesheet" in answer.error["message"]


def test_clips_are_links_as_they_are_made(aws: Deployment) -> None:
    id_ = create(seconds="8")["id"]
    videos, outputs = stores.videos(settings()), stores.outputs(settings())
    for path in ("clips", "clips/0"):
        refused = call("GET", f"/v1/videos/{id_}/{path}")
        assert (refused.status, refused.error["code"], refused.error["param"]) == (409, "not_ready", "id")
        assert "not planned" in refused.error["message"]
    plan = a_plan(videos.get("acme", id_), ["A bee", "A flower"])
    store_plan(outputs, plan)
    outputs.put(keys.clip("acme", plan.clips[1].key_hash), b"second", "video/mp4")
    states = (ClipState.RENDERING, ClipState.DONE)
    videos.advance("acme", id_, Stage.PLANNING)
    videos.advance("acme", id_, Stage.RENDERING, clips=[ClipProgress(state=one, seconds=4) for one in states])
    listed = call("GET", f"/v1/videos/{id_}/clips").json["data"]
    assert [(one["index"], one["scene"], one["seconds"]) for one in listed] == [(0, 0, 4), (1, 0, 4)]
    redirected = call("GET", f"/v1/videos/{id_}/clips/1")
    as_json = call("GET", f"/v1/videos/{id_}/clips/1", query={"link": "json"}).json
    for url in (redirected.headers["location"], as_json["url"]):
        with urllib.request.urlopen(url) as response:
            assert (response.read(), response.headers["content-type"]) == (b"second", "video/mp4")
    assert call("HEAD", f"/v1/videos/{id_}/clips/1").status == 302
    assert call("GET", f"/v1/videos/{id_}/clips/0").error["code"] == "not_ready"
    for wrong in ("2", "-1", "x"):
        missing = call("GET", f"/v1/videos/{id_}/clips/{wrong}")
        assert (missing.status, missing.error["param"]) == (400, "clip")
        assert "a whole number from 0 to 1" in missing.error["message"]
    assert call("GET", f"/v1/videos/{id_}/clips/1", tenant="stranger").status == 404
    longer = [plan.scenes[0].model_copy(update={"clips": [*plan.clips, plan.clips[1]]})]
    store_plan(outputs, plan.model_copy(update={"scenes": longer}))  # of another attempt
    assert call("GET", f"/v1/videos/{id_}/clips/2").error["code"] == "not_ready"


# --- events


def test_events_say_what_happened_also_in_earlier_attempts(aws: Deployment) -> None:
    id_ = create()["id"]
    videos = stores.videos(settings())
    reason = Failure(step="DrawClip", clip=0, code="EngineFailed", reason="No memory.", advice="Wait.")
    videos.advance("acme", id_, Stage.PLANNING)
    videos.note_failed_try("acme", id_, FailedTry(**reason.model_dump(), at_ms=now_ms()))
    videos.advance("acme", id_, Stage.FAILED, failure=reason)
    assert call("POST", f"/v1/videos/{id_}/retry").status == 200
    answer = call("GET", f"/v1/videos/{id_}/events")
    assert (answer.status, answer.json["object"], answer.json["has_more"]) == (200, "list", False)
    events = answer.json["data"]
    assert {event["object"] for event in events} == {"video.event"}
    assert [(event["type"], event["attempt"], event["reason"]) for event in events] == [
        ("video.queued", 1, None),
        ("video.planning", 1, None),
        ("clip.failed", 1, "No memory."),
        ("video.failed", 1, "No memory."),
        ("video.queued", 2, None),
    ]
    assert call("GET", f"/v1/videos/{id_}").json["failure"] is None
    assert call("GET", f"/v1/videos/{id_}/events", tenant="stranger").status == 404
    assert call("DELETE", f"/v1/videos/{id_}").status == 200
    assert videos.failed_tries("acme", id_) == []
    assert call("GET", f"/v1/videos/{id_}/events").status == 404


# --- cancel, delete


def start_execution(id_: str) -> str:
    machine = settings().state_machine_arn
    started = client("stepfunctions").start_execution(stateMachineArn=machine, name=execution_name(id_, 1))
    return str(started["executionArn"])


def queue_engine_request(id_: str, clip: int = 0) -> str:
    inference = keys.inference_id(id_, clip, "f" * 64)
    key = keys.engine_request(inference)
    stores.inputs(settings()).put(key, b"{}", "application/json")
    stores.clip_queue(settings()).enqueue(
        Inference(
            id=inference,
            token="t",
            tenant="acme",
            video_id=id_,
            clip=clip,
            key_hash="0",
            engine="cogvideox-2b",
            request=key,
            seconds=6,
            requested_ms=0,
        )
    )
    return key


def status_of(execution: str) -> str:
    return str(client("stepfunctions").describe_execution(executionArn=execution)["status"])


def test_a_film_of_many_clips_is_cancelled_in_few_calls(aws: Deployment) -> None:
    """API Gateway waits 29 seconds for 1,000 clips, most of them rendered."""
    id_ = create()["id"]
    requests = [queue_engine_request(id_, clip) for clip in range(12)]
    queue = stores.clip_queue(settings())
    for _ in range(10):
        rendered = queue.admit("cogvideox-2b", 100, 0)
        assert rendered
        queue.release("cogvideox-2b", rendered.id)
        stores.inferences(settings()).settle(rendered.id)
    called: list[str] = []
    services = [client(name).meta.events for name in ("s3", "dynamodb")]
    for events in services:
        events.register("before-call", lambda model, **_: called.append(model.name), unique_id="called")
    try:
        assert call("POST", f"/v1/videos/{id_}/cancel").status == 200
    finally:
        for events in services:
            events.unregister("before-call", unique_id="called")
    assert not any(stores.inputs(settings()).exists(request) for request in requests)
    assert queue.waiting("cogvideox-2b").clips == 0
    assert (called.count("DeleteObject"), called.count("DeleteObjects")) == (0, 1)
    # The record with its tenant's counters, and only the two clips that wait in the queue.
    assert called.count("TransactWriteItems") == 3
    assert called.count("GetItem") < 12


def test_a_cancelled_video_leaves_nothing_running(aws: Deployment) -> None:
    id_ = create()["id"]
    execution, request = start_execution(id_), queue_engine_request(id_)
    answer = call("POST", f"/v1/videos/{id_}/cancel")
    assert answer.status == 200
    assert answer.json["stage"] == "cancelled"
    assert answer.json["status"] == "failed"
    assert answer.json["error"]["code"] == "cancelled"
    assert status_of(execution) == "ABORTED"
    assert request not in aws.keys("input")
    assert stores.clip_queue(settings()).waiting("cogvideox-2b").clips == 0
    again = call("POST", f"/v1/videos/{id_}/cancel")
    assert (again.status, again.headers["x-should-retry"]) == (409, "false")
    assert "cancelled" in again.error["message"]


def test_a_running_video_is_deleted_with_everything_it_owns(aws: Deployment) -> None:
    id_ = create()["id"]
    execution, request = start_execution(id_), queue_engine_request(id_)
    outputs = stores.outputs(settings())
    for folder in (keys.ENGINE_OUTPUT_PREFIX, keys.ENGINE_FAILURE_PREFIX):
        outputs.put(f"{folder}{id_}.000.abc.out", b"clip", "video/mp4")
        outputs.put(f"{folder}video_other.000.abc.out", b"clip", "video/mp4")
    answer = call("DELETE", f"/v1/videos/{id_}")
    assert answer.json == {"id": id_, "object": "video.deleted", "deleted": True}
    assert status_of(execution) == "ABORTED"
    assert request not in aws.keys("input")
    assert not [key for key in aws.keys("output") if id_ in key]
    assert len([key for key in aws.keys("output") if "video_other" in key]) == 2
    assert call("GET", f"/v1/videos/{id_}").status == 404
    assert call("DELETE", f"/v1/videos/{id_}").status == 404


def test_a_deleted_video_s_key_creates_a_new_one(aws: Deployment) -> None:
    """Its execution was stopped, and an execution's name can't be reused."""
    headers = {"Idempotency-Key": "deleted-1"}
    names = []
    for _ in range(3):
        id_ = create(headers=headers)["id"]
        video = stores.videos(settings()).get("acme", id_)
        names.append(execution_name(id_, video.attempt))
        assert call("DELETE", f"/v1/videos/{id_}").status == 200
    assert names == [id_, f"{id_}-2", f"{id_}-3"]


def test_a_completed_video_is_deleted_with_its_film(aws: Deployment) -> None:
    id_ = create()["id"]
    complete(id_)
    assert call("DELETE", f"/v1/videos/{id_}").status == 200
    assert not [key for key in aws.keys("output") if id_ in key]


@pytest.mark.parametrize(
    ("method", "tail", "code"), [("POST", "/cancel", "cancelled"), ("DELETE", "", "deleted")]
)
def test_a_dropped_request_gets_an_error_file(aws: Deployment, method: str, tail: str, code: str) -> None:
    source = Source(bucket="input", key=f"drop/acme/{code}.txt", etag="1")
    outputs = stores.outputs(settings())
    video = Intake(settings()).accept("acme", {"prompt": "A bee"}, source=source)
    outputs.put(keys.drop_result(source.key, "mp4"), b"film", "video/mp4")
    assert call(method, f"/v1/videos/{video.id}{tail}").status == 200
    error = json.loads(outputs.get(keys.drop_result(source.key, "error.json")))
    assert error["code"] == code
    assert not outputs.exists(keys.drop_result(source.key, "mp4"))


# --- unknown routes and failures


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1"),
        ("GET", "/v1/nope"),
        ("POST", "/v1/videos/a/b/c"),
    ],
)
def test_an_unknown_url_is_not_found(aws: Deployment, method: str, path: str) -> None:
    answer = call(method, path)
    assert (answer.status, answer.error["code"]) == (404, "unknown_url")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/videos", "GET, POST"),
        ("DELETE", "/v1/videos", "GET, POST"),
        ("PATCH", f"/v1/videos/video_{'a' * 32}", "GET, DELETE"),
        ("POST", f"/v1/videos/video_{'a' * 32}/content", "GET, HEAD"),
        ("GET", f"/v1/videos/video_{'a' * 32}/cancel", "POST"),
        ("DELETE", f"/v1/videos/video_{'a' * 32}/storyboard", "GET, PUT"),
        ("GET", f"/v1/videos/video_{'a' * 32}/approve", "POST"),
        ("DELETE", f"/v1/videos/video_{'a' * 32}/retry", "POST"),
        ("GET", f"/v1/videos/video_{'a' * 32}/scenes/0/regenerate", "POST"),
        ("POST", f"/v1/videos/video_{'a' * 32}/scenes/0/still", "GET, HEAD"),
        ("PUT", f"/v1/videos/video_{'a' * 32}/scenes/0/narration", "GET, HEAD"),
        ("PUT", "/v1/models/animatic", "GET"),
        ("OPTIONS", "/v1/models", "GET"),
    ],
)
def test_another_method_is_not_allowed(aws: Deployment, method: str, path: str, allowed: str) -> None:
    answer = call(method, path)
    assert answer.status == 405
    assert answer.headers["allow"] == allowed
    assert allowed in answer.error["message"]


def test_an_unavailable_service_is_retryable(aws: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as down:
        down.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nothing listens there
        client.cache_clear()
        answer = call("GET", f"/v1/videos/video_{'0' * 32}")
    client.cache_clear()
    assert (answer.status, answer.error["code"]) == (503, "service_unavailable")
    assert answer.error["type"] == "server_error"
    assert int(answer.headers["retry-after"]) > 0
    assert "127.0.0.1:9" not in answer.text


def test_a_request_that_takes_too_long_is_answered_in_the_api_s_shape(
    queue: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    music = sounds.encoded(sounds.noise(1.5), "mp3").getvalue()
    data_url = "data:audio/mpeg;base64," + b64encode(music).decode()
    monkeypatch.setattr(av, "open", lambda *args, **options: time.sleep(60))
    created = rest_event("POST", "/v1/videos", body={"prompt": "A bee", "music": {"audio_url": data_url}})
    answer = Answer(app.handler(created, Context(remaining_ms=app._RESERVE_MS + 2_000)))
    assert answer.status == 504
    assert (answer.error["type"], answer.error["code"]) == ("server_error", "timeout")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"] == created["requestContext"]["requestId"]
    assert queue.messages() == []


def test_an_unexpected_failure_shows_no_internals(
    aws: Deployment, monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    with monkeypatch.context() as broken:
        broken.setenv("REELWORKS_VIDEOS_TABLE", "no-such-table")
        settings.cache_clear()
        answer = call("GET", f"/v1/videos/video_{'0' * 32}")
    settings.cache_clear()
    assert (answer.status, answer.error["code"]) == (500, "internal_error")
    assert "table" not in answer.text.lower()
    assert "ResourceNotFound" in log.getvalue()
    assert answer.headers["x-request-id"] in log.getvalue()


def test_the_log_names_the_video_and_contains_no_secret(
    aws: Deployment, log: StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "rk-" + "s" * 43
    data_url = "data:image/png;base64," + b64encode(png(3)).decode()
    headers = {"Authorization": f"Bearer {secret}"}
    video = create(input_reference={"image_url": data_url}, headers=headers)
    call(
        "POST", "/v1/videos", body={"prompt": "", "input_reference": {"image_url": data_url}}, headers=headers
    )
    lines = log.getvalue().splitlines()
    created = [json.loads(line) for line in lines if "video created" in line]
    assert [line["video_id"] for line in created] == [video["id"]]
    assert json.loads(capsys.readouterr().out)["VideosCreated"] == [1.0]
    assert secret not in "".join(lines)
    assert data_url[30:90] not in "".join(lines)


# --- OpenAI's client


@pytest.fixture
def sdk(aws: Deployment) -> Iterator[openai.OpenAI]:
    with serving(gateway()) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="rk-x", max_retries=2) as sdk:
        yield sdk


@pytest.mark.filterwarnings("ignore:.*Sora:DeprecationWarning")
def test_openais_client_makes_downloads_lists_and_deletes(sdk: openai.OpenAI) -> None:
    extra = {"fps": 12, "seed": 5, "enhance": False, "guidance": None}
    video = sdk.videos.create(
        prompt="A kite", seconds="8", size="640x360", input_reference=png(4), extra_body=extra
    )
    assert video.status == "queued"
    assert video.model_extra is not None
    assert (video.seconds, video.size, video.model_extra["fps"]) == ("8", "640x360", 12)
    assert video.model_extra["enhance"]["requested"] is False
    complete(video.id, "openai")
    assert sdk.videos.poll(video.id).progress == 100
    assert sdk.videos.download_content(video.id).read() == b"film"
    assert [found.id for found in sdk.videos.list(limit=1)] == [video.id]
    assert sdk.videos.delete(video.id).deleted
    with pytest.raises(openai.NotFoundError) as missing:
        sdk.videos.retrieve(video.id)
    assert missing.value.request_id
    assert {model.id for model in sdk.models.list()} >= {"animatic"}
    assert sdk.models.retrieve("animatic").id == "animatic"
    with pytest.raises(openai.NotFoundError):
        sdk.models.retrieve("sora-2")


@pytest.mark.filterwarnings("ignore:.*Sora:DeprecationWarning")
def test_openais_client_sends_nested_values(sdk: openai.OpenAI) -> None:
    data_url = "data:image/png;base64," + b64encode(png(5)).decode()
    video = sdk.videos.create(prompt="A kite", extra_body={"input_reference": {"image_url": data_url}})
    image = stores.videos(settings()).get("openai", video.id).request.image
    assert image is not None
    assert (image.width, image.height) == (320, 180)
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.videos.create(prompt="A kite", extra_body={"scenes": [{"text": "a"}]})
    assert refused.value.param == "scenes"
    nested = {"storyboard": {"scenes": [{"image": {"positive_prompt": "A kite."}}]}}
    with pytest.raises(openai.BadRequestError, match="send storyboard as JSON text"):
        sdk.videos.create(prompt="A kite", extra_body=nested)


@pytest.mark.filterwarnings("ignore:.*Sora:DeprecationWarning")
def test_openais_client_requests_a_film_of_scenes(sdk: openai.OpenAI) -> None:
    """The client requires a prompt, but it may be empty, which counts as omitted."""
    storyboard = {"title": "The kite", "scenes": [SCENE]}
    extra = {"storyboard": json.dumps(storyboard), "narrate": False}
    video = sdk.videos.create(prompt="", extra_body=extra)
    assert video.prompt == "The kite"
    brief = stored({"id": video.id}, "openai").brief
    assert brief is not None
    assert (brief.narrate, brief.count, brief.whole() is not None) == (False, 1, True)
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.videos.create(prompt="", extra_body={"topic": "Kites", "narrate": "perhaps"})
    assert refused.value.param == "narrate"


@pytest.mark.filterwarnings("ignore:.*Sora:DeprecationWarning")
def test_openais_client_does_not_retry_permanent_errors(sdk: openai.OpenAI) -> None:
    video = sdk.videos.create(prompt="A kite")
    with pytest.raises(openai.ConflictError) as refused:
        sdk.videos.download_content(video.id)
    assert refused.value.response.request.headers["x-stainless-retry-count"] == "0"

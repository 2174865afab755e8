"""The unmodified OpenAI clients for Python make films: the newest, and the oldest supported one."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pytest

from tests.cloud.deployment import png
from tests.cloud.servers import answering
from tests.films.clients import ENGINE, HEIGHT, NEWEST_OPENAI, OLD_OPENAI, SIZE, WIDTH, documented, run_python
from tests.films.conftest import Cloud
from tests.films.looking import look_at
from tests.media.clips import clip

BOTH = pytest.mark.parametrize("path", [NEWEST_OPENAI, OLD_OPENAI], ids=["openai-3.57", "openai-2.2"])


def test_the_clients_are_the_versions_that_are_named(cloud: Cloud) -> None:
    program = "import openai; print(openai.__version__)"
    versions = [run_python(cloud, program, path=path).strip() for path in (NEWEST_OPENAI, OLD_OPENAI)]
    assert versions == ["3.57.0", "2.2.0"]


# A program as a user would write it; it knows nothing of Reelworks but the names of its engines.
PROGRAM = """
import sys
import openai
from openai import OpenAI

engine, size, film, thumbnail = sys.argv[1:]
client = OpenAI()
video = client.videos.create(
    prompt="A red circle moves to the right", seconds="1", size=size, model=engine, extra_body={"steps": 4}
)
assert video.status in ("queued", "in_progress"), video.status
assert video.object == "video" and video.seconds == "1" and video.size == size, video
video = client.videos.poll(video.id, poll_interval_ms=300)
assert video.status == "completed" and video.progress == 100 and video.model == engine, video
assert video.error is None and video.created_at <= video.completed_at < video.expires_at, video
client.videos.download_content(video.id).write_to_file(film)
client.videos.download_content(video.id, variant="thumbnail").write_to_file(thumbnail)
assert client.videos.download_content(video.id, variant="spritesheet").read()[:2] == b"\\xff\\xd8"
assert video.id in [v.id for v in client.videos.list(limit=1)]  # page after page
assert client.videos.delete(video.id).deleted
try:
    client.videos.retrieve(video.id)
except openai.NotFoundError as error:
    assert error.status_code == 404 and error.code == "not_found" and error.request_id, error
else:
    raise SystemExit("a deleted video is still there")
"""


@BOTH
def test_a_program_creates_polls_downloads_lists_and_deletes(cloud: Cloud, tmp_path: Path, path: str) -> None:
    film, thumbnail = tmp_path / "film.mp4", tmp_path / "thumbnail.webp"
    run_python(cloud, PROGRAM, ENGINE, SIZE, film, thumbnail, path=path)
    seen = look_at(film, scale=1)
    assert (seen.width, seen.height, seen.codec, seen.pixel_format) == (WIDTH, HEIGHT, "h264", "yuv420p")
    assert (len(seen.frames), seen.duration) == (8, 1)
    assert seen.motion() > 0.1
    assert thumbnail.read_bytes()[8:12] == b"WEBP"


def test_the_documented_example(cloud: Cloud, tmp_path: Path) -> None:
    example = documented(cloud, "OpenAI for Python").replace("fox.mp4", str(tmp_path / "fox.mp4"))
    run_python(cloud, example, path=NEWEST_OPENAI)
    assert len(look_at(tmp_path / "fox.mp4").frames) == 8


# Fields of Reelworks' own, as the client sends lists, objects, numbers and booleans: the newest as a form.
EXTRA = """
import json
import sys
from base64 import b64encode
import openai
from openai import BadRequestError, OpenAI

engine, size, image = sys.argv[1:]
client = OpenAI(max_retries=0)
video = client.videos.create(
    prompt="A blue square", model=engine, size=size, seconds="1",
    extra_body={"seed": 7, "guidance": 6.5, "enhance": False, "steps": 2, "speed": None, "user": "me"},
)
assert (video.seed, video.enhance["requested"], video.fps) == (7, False, 8), video
client.videos.delete(video.id)

scene = {"image": {"positive_prompt": "A kite."}, "video": {"positive_prompt": "It flies."}}
board = {"title": "Kites", "scenes": [scene]}
video = client.videos.create(
    prompt="", model=engine,
    extra_body={"storyboard": json.dumps(board), "narrate": False, "review": ["storyboard", "previews"]},
)
assert video.review["requested"] == ["storyboard", "previews"], video
client.videos.delete(video.id)

try:  # the newest flattens it into a form, which can't say what belongs to which scene
    video = client.videos.create(prompt="", model=engine, extra_body={"storyboard": board, "narrate": False})
except BadRequestError as error:
    assert openai.__version__ >= "3" and error.param == "storyboard", error
    assert "send storyboard as JSON text" in error.message, error
else:
    assert openai.__version__ < "3", "the client sends it now: say so in docs/api.md"
    client.videos.delete(video.id)
if hasattr(client.videos, "extend"):
    for remake in (client.videos.edit, client.videos.extend):
        seconds = {"seconds": "4"} if remake == client.videos.extend else {}
        try:
            remake(prompt="x", video={"id": video.id}, **seconds)
        except RuntimeError:  # as below
            pass
        else:
            raise SystemExit("the client sends it now: say so in docs/api.md")

with open(image, "rb") as file:
    url = {"image_url": "data:image/png;base64," + b64encode(file.read()).decode()}
request = {"prompt": "A circle", "model": "cogvideox-nano-i2v", "seconds": "4", "size": size}
try:
    client.videos.create(**request, input_reference=url)
except RuntimeError:  # its own check; docs/api.md says what to send instead
    pass
else:
    raise SystemExit("the client sends it now: say so in docs/api.md")
with open(image, "rb") as file:
    for given in ({"input_reference": file}, {"extra_body": {"input_reference": url}}):
        video = client.videos.create(**request, **given)
        assert (video.seconds, video.size) == ("4", size), video
        client.videos.delete(video.id)

for field, value in (("loras", [{"name": "a", "scale": 9}]), ("seconds", "4.5"), ("even_out", "perhaps")):
    try:
        client.videos.create(prompt="x", model=engine, extra_body={field: value})
    except BadRequestError as error:
        assert (error.param, error.type) == (field, "invalid_request_error"), error
        assert field in error.message, error
    else:
        raise SystemExit(f"{field} was accepted")
"""


@BOTH
def test_extra_fields_and_images_in_the_client_s_encoding(cloud: Cloud, tmp_path: Path, path: str) -> None:
    image = tmp_path / "circle.png"
    image.write_bytes(png(1))
    run_python(cloud, EXTRA, ENGINE, SIZE, image, path=path)


# A paused film is in progress, or `poll` would return it; a cancelled one is failed, or `poll` would not.
STATES = """
import sys, time
from openai import OpenAI

client = OpenAI()
video = client.videos.create(
    prompt="", model=sys.argv[1], extra_body={"topic": "Kites", "scenes": 1, "review": "storyboard"}
)
while video.stage != "reviewing":
    assert video.status in ("queued", "in_progress"), video
    time.sleep(0.2)
    video = client.videos.retrieve(video.id)
assert video.status == "in_progress", video
client.post(f"/videos/{video.id}/cancel", cast_to=object)
video = client.videos.poll(video.id)
assert (video.status, video.stage, video.error.code) == ("failed", "cancelled", "cancelled"), video
assert video.error.message
client.videos.delete(video.id)
"""


@BOTH
def test_a_paused_film_is_in_progress_and_a_cancelled_one_failed(cloud: Cloud, path: str) -> None:
    run_python(cloud, STATES, ENGINE, path=path)


# The newest has calls for characters and sends forms; the oldest sends what its user writes.
CHARACTERS = """
import sys
import httpx
import openai
from openai import OpenAI

engine, clip, name = sys.argv[1:]
client = OpenAI()
with open(clip, "rb") as file:
    if hasattr(client.videos, "create_character"):
        made = [client.videos.create_character(name=name, video=("fox.mp4", file, "video/mp4"))]
        made.append(client.videos.get_character(made[0].id))
        character = made[0].to_dict()
        assert made[1].to_dict() == character, made
    else:
        form = {"headers": {"Content-Type": "multipart/form-data"}}
        files = {"video": ("fox.mp4", file, "video/mp4")}
        character = client.post(
            "/videos/characters", body={"name": name}, files=files, options=form, cast_to=object
        )
        assert client.get(f"/videos/characters/{character['id']}", cast_to=object) == character
assert character["name"] == name and character["created_at"] > 1_700_000_000, character
assert character["id"] in [c["id"] for c in client.get("/videos/characters", cast_to=object)["data"]]

request = {"model": "animatic", "seconds": "1", "size": "320x180"}
named = client.videos.create(prompt=f"{character['handle']} runs", **request)
given = client.videos.create(
    prompt="It runs", **request, extra_body={"characters": [{"id": character["id"]}]}
)
assert named.prompt == f"{name} runs", named
for video in (named, given):
    video = client.videos.poll(video.id, poll_interval_ms=300)
    (one,) = video.characters
    assert video.status == "completed" and (one["id"], one["scenes"]) == (character["id"], [0]), video
    assert "could not be described" in one["note"], one  # the director sees nothing
    client.videos.delete(video.id)

# A file sent ahead, straight to S3.
upload = client.post("/uploads", body={"mime_type": "video/mp4"}, cast_to=object)
with open(clip, "rb") as file:
    httpx.post(upload["url"], data=upload["fields"], files={"file": file}, timeout=60).raise_for_status()
sent = {"name": f"{name} again", "video": {"file_id": upload["id"]}}
again = client.post("/videos/characters", body=sent, cast_to=object)
assert again["name"] == sent["name"] and again["width"] == character["width"], again
client.delete(f"/videos/characters/{again['id']}", cast_to=object)

assert client.delete(f"/videos/characters/{character['id']}", cast_to=object)["deleted"] is True
try:
    client.videos.create(prompt=f"{character['handle']} runs", model=engine)
except openai.BadRequestError as error:
    assert error.param == "prompt", error
else:
    raise SystemExit("a deleted character was named")
"""


@BOTH
def test_characters(cloud: Cloud, tmp_path: Path, path: str) -> None:
    video = tmp_path / "fox.mp4"
    video.write_bytes(clip(8))
    name = "Old Fox" if path else "New Fox"
    run_python(cloud, CHARACTERS, ENGINE, video, name, path=path)


REFUSALS = """
import sys
import openai
from openai import OpenAI

client = OpenAI(max_retries=0)
try:
    OpenAI(api_key="wrong", max_retries=0).videos.list()
except openai.AuthenticationError as error:
    assert error.status_code == 401, error
else:
    raise SystemExit("a wrong key was accepted")

video = client.videos.create(prompt="A kite", model=sys.argv[1], seconds="1")
try:
    OpenAI().videos.download_content(video.id)
except openai.ConflictError as error:  # not retried
    assert error.response.request.headers["x-stainless-retry-count"] == "0", error.response.request.headers
else:
    raise SystemExit("an unfinished film was downloaded")
client.videos.delete(video.id)
try:
    client.get("/videos/characters/char_1", cast_to=object)
except openai.NotFoundError as error:
    assert (error.code, error.param) == ("not_found", "id"), error
else:
    raise SystemExit("there is a character")
"""


@BOTH
def test_refusals_are_the_client_s_exceptions(cloud: Cloud, path: str) -> None:
    run_python(cloud, REFUSALS, ENGINE, path=path)


RETRY = """
import sys
from openai import OpenAI

client = OpenAI(base_url=sys.argv[1], max_retries=2)
video = client.videos.create(prompt="A kite that was asked for twice", model=sys.argv[2], seconds="1")
others = [v.id for v in client.videos.list() if v.prompt == video.prompt]
assert others == [video.id], others
assert client.videos.delete(video.id).deleted
"""


@contextmanager
def losing_the_first_answer(base_url: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Serve the API, but answer 500 to the first POST after it was carried out. Yields the address, and each
    POST's retry count and media type."""
    posts: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
            address = base_url.removesuffix("/v1") + self.path
            answer = httpx.request(self.command, address, headers=headers, content=body, timeout=60)
            lost = False
            if self.command == "POST":
                lost = not posts
                media_type = self.headers["content-type"].partition(";")[0]
                posts.append((self.headers["x-stainless-retry-count"], media_type))
            self.send_response(500 if lost else answer.status_code)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_DELETE = forward  # noqa: N815 (http.server's names)

        def log_message(self, *_: object) -> None:
            pass

    with answering(Handler) as url:
        yield f"{url}/v1", posts


@BOTH
def test_a_create_whose_answer_was_lost_makes_one_video(cloud: Cloud, path: str) -> None:
    with losing_the_first_answer(cloud.status["base_url"]) as (address, posts):
        run_python(cloud, RETRY, address, ENGINE, path=path)
    media_type = "application/json" if path == OLD_OPENAI else "multipart/form-data"
    assert posts == [("0", media_type), ("1", media_type)]

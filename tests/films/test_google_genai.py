"""Google's unmodified client makes a film from a prompt and one from an image, and downloads them."""

from pathlib import Path

import httpx

from tests.cloud.deployment import png
from tests.films.clients import ENGINE, GOOGLE_GENAI, documented, origin, run_python
from tests.films.conftest import Cloud
from tests.films.looking import look_at

FASTEST = "animatic"

PROGRAM = """
import asyncio, sys, time
from google import genai
from google.genai import errors, types

engine, image, film, other = sys.argv[1:]
client = genai.Client()

operation = client.models.generate_videos(
    model=engine,
    source=types.GenerateVideosSource(prompt="A red circle moves to the right"),
    config=types.GenerateVideosConfig(
        aspect_ratio="3:2", resolution="64p", duration_seconds=1, number_of_videos=1, enhance_prompt=False,
        negative_prompt="a square", person_generation="allow_all",
        http_options=types.HttpOptions(extra_body={"parameters": {"seed": 7, "fps": 8}}),
    ),
)
assert operation.name.startswith(f"models/{engine}/operations/video_"), operation
assert not operation.done
while not operation.done:
    time.sleep(0.3)
    operation = client.operations.get(operation)
assert operation.error is None, operation.error
[made] = operation.response.generated_videos
content = client.files.download(file=made.video)
made.video.save(film)
assert content == made.video.video_bytes == open(film, "rb").read()

async def from_an_image():
    operation = await client.aio.models.generate_videos(
        model=engine,
        source=types.GenerateVideosSource(prompt="A circle", image=types.Image.from_file(location=image)),
        config=types.GenerateVideosConfig(duration_seconds=1, aspect_ratio="9:16", resolution="256p"),
    )
    while not operation.done:
        await asyncio.sleep(0.3)
        operation = await client.aio.operations.get(operation)
    assert operation.error is None, operation.error
    with open(other, "wb") as file:
        file.write(await client.aio.files.download(file=operation.result.generated_videos[0].video))

asyncio.run(from_an_image())

def refused(code, status, text, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except errors.ClientError as error:
        assert (error.code, error.status) == (code, status), error
        assert text in error.message, error
    else:
        raise SystemExit(f"{text} was accepted")

for field, config in (
    ("durationSeconds", {"duration_seconds": 0}), ("aspectRatio", {"aspect_ratio": "9:0"}),
    ("resolution", {"resolution": "4k"}), ("sampleCount", {"number_of_videos": 2}),
    ("personGeneration", {"person_generation": "dont_allow"}), ("lastFrame", {"last_frame": types.Image(
        image_bytes=b"x", mime_type="image/png")}),
    ("webhookConfig", {"webhook_config": {"uris": ["https://example.com"]}}),
):
    refused(400, "INVALID_ARGUMENT", field, client.models.generate_videos, model=engine,
            source={"prompt": "x"}, config=config)
refused(400, "INVALID_ARGUMENT", "veo-3", client.models.generate_videos, model="veo-3",
        source={"prompt": "x"})
gone = types.GenerateVideosOperation(name=f"models/{engine}/operations/video_{'0' * 32}")
refused(404, "NOT_FOUND", "There is no video", client.operations.get, gone)
nobody = genai.Client(api_key="rk-nobody")
refused(401, None, "Send a valid API key", nobody.operations.get, operation)
"""


def test_a_program_makes_films(cloud: Cloud, tmp_path: Path) -> None:
    image, film, other = tmp_path / "circle.png", tmp_path / "film.mp4", tmp_path / "other.mp4"
    image.write_bytes(png(2))
    run_python(cloud, PROGRAM, FASTEST, image, film, other, path=GOOGLE_GENAI)
    seen = look_at(film, scale=1)
    assert (seen.width, seen.height, len(seen.frames)) == (96, 64, 8)
    assert seen.motion() > 0
    seen = look_at(other, scale=1)
    assert (seen.width, seen.height, len(seen.frames)) == (256, 456, 24)


def test_the_documented_example(cloud: Cloud, tmp_path: Path) -> None:
    example = documented(cloud, "Google Gen AI for Python").replace(ENGINE, FASTEST)
    run_python(cloud, example.replace("fox.mp4", str(tmp_path / "fox.mp4")), path=GOOGLE_GENAI)
    assert len(look_at(tmp_path / "fox.mp4").frames) == 24


def test_no_other_header_passes_the_authorizer(cloud: Cloud) -> None:
    """Also for a body that is too large to be read from a stranger."""
    key, address = cloud.status["api_key"], f"{origin(cloud)}/v1beta/models/x:predictLongRunning"
    large = b'{"instances": "' + b"x" * 100_000 + b'"}'
    for body, headers in (
        (b"{}", {}),
        (b"{}", {"Authorization": f"Bearer {key}"}),
        (b"{}", {"x-goog-api-key": "rk-nobody", "Authorization": f"Bearer {key}"}),
        (large, {"x-goog-api-key": "rk-nobody", "Authorization": f"Bearer {key}"}),
    ):
        answer = httpx.post(address, content=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    assert httpx.post(address, content=large, headers={"x-goog-api-key": key}).status_code == 400
    address = f"{origin(cloud)}/v1/videos"
    assert httpx.get(address, headers={"x-goog-api-key": key}).status_code == 401
    assert httpx.post(address, json={}, headers={"x-goog-api-key": key}).status_code == 401

"""LiteLLM makes films, in its calls for a self-hosted server: with vLLM's field names and with OpenAI's."""

from pathlib import Path

from tests.cloud.deployment import png
from tests.films.clients import ENGINE, HEIGHT, LITELLM, SIZE, WIDTH, documented, run_python
from tests.films.conftest import Cloud
from tests.films.looking import look_at

_WAIT = """
import os, sys, time
import litellm
from litellm import video_content, video_generation, video_status

server = {"api_base": os.environ["OPENAI_BASE_URL"], "api_key": os.environ["OPENAI_API_KEY"]}

def made(video):
    while video.status in ("queued", "in_progress"):
        time.sleep(0.3)
        video = video_status(video.id, **server)
    assert video.status == "completed", video
    return video
"""

VLLM = (
    _WAIT
    + """
engine, width, height, film = sys.argv[1:]
video = video_generation(
    model=f"hosted_vllm/{engine}", prompt="A red circle moves to the right", width=int(width),
    height=int(height), num_frames=17, fps=8, num_inference_steps=2, guidance_scale=6.0, seed=7,
    negative_prompt="a square", generate_sound=False, user="somebody", **server,
)
assert (video.seconds, video.size) == ("2", f"{width}x{height}"), video
video = made(video)
with open(film, "wb") as file:
    file.write(video_content(video.id, **server))
assert video_content(video.id, variant="thumbnail", **server)[8:12] == b"WEBP"

for field, value in (
    ("num_frames", 0), ("num_inference_steps", 1000), ("guidance_scale", 0.5), ("flow_shift", 3.0),
    ("generate_sound", True), ("lora", {"name": "paper", "path": "/models/paper"}), ("width", 97),
):
    fields = {"width": int(width), "height": int(height)} | {field: value}
    try:
        video_generation(model=f"hosted_vllm/{engine}", prompt="x", **fields, **server)
    except Exception as error:
        assert getattr(error, "status_code", None) == 400, error
        ours = {"width": "size"}.get(field, field)
        assert ours in str(error), error
    else:
        raise SystemExit(f"{field} was accepted")
"""
)

OPENAI = (
    _WAIT
    + """
engine, size, film = sys.argv[1:]
model = f"openai/{engine}"
video = video_generation(
    model=model, prompt="A red circle", seconds="1", size=size, extra_body={"steps": 2}, **server
)
video = made(video)
with open(film, "wb") as file:
    file.write(video_content(video.id, **server))
other = made(litellm.video_remix(video.id, prompt="Make it blue", **server))
found = [one["id"] for one in litellm.video_list(custom_llm_provider="openai", **server)["data"]]
assert len(found) >= 2
try:
    video_generation(model=model, prompt="x", size="1x1", **server)
except litellm.BadRequestError as error:
    assert "got 1x1" in str(error), error
else:
    raise SystemExit("1x1 was accepted")
"""
)

IMAGE = (
    _WAIT
    + """
import asyncio

async def main():
    with open(sys.argv[2], "rb") as image:
        video = await litellm.avideo_generation(
            model="hosted_vllm/cogvideox-nano-i2v", prompt="A circle", input_reference=image, seconds="1",
            size=sys.argv[1], **server,
        )
    while video.status in ("queued", "in_progress"):
        await asyncio.sleep(0.3)
        video = await litellm.avideo_status(video.id, **server)
    assert video.status == "completed", video
    with open(sys.argv[3], "wb") as file:
        file.write(await litellm.avideo_content(video.id, **server))

asyncio.run(main())
"""
)


def test_vllm_s_field_names(cloud: Cloud, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    run_python(cloud, VLLM, ENGINE, WIDTH, HEIGHT, film, path=LITELLM)
    seen = look_at(film, scale=1)
    assert (seen.width, seen.height, len(seen.frames), seen.rate) == (WIDTH, HEIGHT, 17, 8)
    assert seen.motion() > 0.1


def test_openai_s_field_names(cloud: Cloud, tmp_path: Path) -> None:
    run_python(cloud, OPENAI, ENGINE, SIZE, tmp_path / "film.mp4", path=LITELLM)
    assert len(look_at(tmp_path / "film.mp4").frames) == 8


def test_an_image_and_the_asynchronous_calls(cloud: Cloud, tmp_path: Path) -> None:
    image, film = tmp_path / "circle.png", tmp_path / "film.mp4"
    image.write_bytes(png(3))
    run_python(cloud, IMAGE, SIZE, image, film, path=LITELLM)
    assert len(look_at(film).frames) == 8


def test_the_documented_example(cloud: Cloud, tmp_path: Path) -> None:
    example = documented(cloud, "LiteLLM").replace("fox.mp4", str(tmp_path / "fox.mp4"))
    run_python(cloud, example, path=LITELLM)
    assert len(look_at(tmp_path / "fox.mp4").frames) == 8

"""LiteLLM makes films, in its calls for a self-hosted server: with vLLM's field names and with OpenAI's."""

from pathlib import Path

from tests.cloud.deployment import png
from tests.films.clients import ENGINE, HEIGHT, LITELLM, WIDTH, documented, run_python
from tests.films.conftest import Cloud
from tests.films.looking import look_at

# One program, because LiteLLM takes as long to import as a film takes.
PROGRAM = """
import asyncio, os, sys, time
import litellm
from litellm import video_content, video_generation, video_status

engine, width, height, image, *films = sys.argv[1:]
size = f"{width}x{height}"
server = {"api_base": os.environ["OPENAI_BASE_URL"], "api_key": os.environ["OPENAI_API_KEY"]}

def made(video):
    while video.status in ("queued", "in_progress"):
        time.sleep(0.3)
        video = video_status(video.id, **server)
    assert video.status == "completed", video
    return video

def vllm_s_field_names(film):
    video = video_generation(
        model=f"hosted_vllm/{engine}", prompt="A red circle moves to the right", width=int(width),
        height=int(height), num_frames=17, fps=8, num_inference_steps=2, guidance_scale=6.0, seed=7,
        negative_prompt="a square", generate_sound=False, user="somebody", **server,
    )
    assert (video.seconds, video.size) == ("2", size), video
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

def openai_s_field_names(film):
    model = f"openai/{engine}"
    video = video_generation(
        model=model, prompt="A red circle", seconds="1", size=size, extra_body={"steps": 2}, **server
    )
    video = made(video)
    with open(film, "wb") as file:
        file.write(video_content(video.id, **server))
    made(litellm.video_remix(video.id, prompt="Make it blue", **server))
    found = [one["id"] for one in litellm.video_list(custom_llm_provider="openai", **server)["data"]]
    assert len(found) >= 2
    try:
        video_generation(model=model, prompt="x", size="1x1", **server)
    except litellm.BadRequestError as error:
        assert "got 1x1" in str(error), error
    else:
        raise SystemExit("1x1 was accepted")

async def an_image(film):
    with open(image, "rb") as file:
        video = await litellm.avideo_generation(
            model="hosted_vllm/cogvideox-nano-i2v", prompt="A circle", input_reference=file, seconds="1",
            size=size, **server,
        )
    while video.status in ("queued", "in_progress"):
        await asyncio.sleep(0.3)
        video = await litellm.avideo_status(video.id, **server)
    assert video.status == "completed", video
    with open(film, "wb") as file:
        file.write(await litellm.avideo_content(video.id, **server))

vllm_s_field_names(films[0])
openai_s_field_names(films[1])
asyncio.run(an_image(films[2]))
"""


def test_each_dialect_an_image_and_the_asynchronous_calls(cloud: Cloud, tmp_path: Path) -> None:
    image = tmp_path / "circle.png"
    image.write_bytes(png(3))
    films = [tmp_path / f"{name}.mp4" for name in ("vllm", "openai", "image")]
    run_python(cloud, PROGRAM, ENGINE, WIDTH, HEIGHT, image, *films, path=LITELLM)
    vllm, openai, from_image = (look_at(film, scale=1) for film in films)
    assert (vllm.width, vllm.height, len(vllm.frames), vllm.rate) == (WIDTH, HEIGHT, 17, 8)
    assert vllm.motion() > 0.1
    assert (len(openai.frames), len(from_image.frames)) == (8, 8)


def test_the_documented_example(cloud: Cloud, tmp_path: Path) -> None:
    example = documented(cloud, "LiteLLM").replace("fox.mp4", str(tmp_path / "fox.mp4"))
    run_python(cloud, example, path=LITELLM)
    assert len(look_at(tmp_path / "fox.mp4").frames) == 8

"""What ArcReel's provider for OpenAI-compatible video servers does: list the models, create with `size` and
`seconds` and the first frame as a file, poll by itself, download the whole film, read `seconds` as a number.

Source: github.com/ArcReel/ArcReel at f8c1ffd, lib/video_backends/openai.py and
lib/custom_provider/discovery.py; earlier versions sent the first frame as {"type": "image_url", …}.
"""

from base64 import b64encode
from pathlib import Path

import pytest

from tests.cloud.deployment import png
from tests.films.clients import ENGINE, HEIGHT, SIZE, WIDTH, run_python
from tests.films.conftest import Cloud
from tests.films.looking import look_at

PROGRAM = """
import asyncio, os, sys
from openai import AsyncOpenAI, OpenAI

engine, size, seconds, film = sys.argv[1:5]
connection = {"base_url": os.environ["OPENAI_BASE_URL"], "api_key": os.environ["OPENAI_API_KEY"]}
assert engine in sorted(model.id for model in OpenAI(**connection).models.list())

async def main():
    client = AsyncOpenAI(**connection)
    request = {"prompt": "A red circle moves to the right", "model": engine, "seconds": seconds, "size": size}
    if sys.argv[5:]:
        with open(sys.argv[5], "rb") as image:
            request["input_reference"] = ("first.png", image.read(), "image/png")
    video = await client.videos.create(**request)
    while (video := await client.videos.retrieve(video.id)).status not in ("completed", "failed"):
        assert video.status in ("queued", "in_progress")
        await asyncio.sleep(0.3)
    assert video.status == "completed", video.error
    content = await client.videos.download_content(video.id)
    with open(film, "wb") as file:
        file.write(content.content)
    print(int(video.seconds))

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("engine", "image"), [(ENGINE, False), ("cogvideox-nano-i2v", True)], ids=["text", "first frame"]
)
def test_a_clip_for_arcreel(cloud: Cloud, tmp_path: Path, engine: str, image: bool) -> None:
    film, first = tmp_path / "film.mp4", tmp_path / "first.png"
    first.write_bytes(png(4))
    arguments = [engine, SIZE, 1, film, *([first] if image else [])]
    assert int(run_python(cloud, PROGRAM, *arguments)) == 1
    seen = look_at(film, scale=1)
    assert (seen.width, seen.height, len(seen.frames)) == (WIDTH, HEIGHT, 8)


def test_the_first_frame_as_earlier_versions_sent_it(cloud: Cloud) -> None:
    """They sent JSON, past the client's own check of files."""
    image = {"type": "image_url", "image_url": "data:image/png;base64," + b64encode(png(5)).decode()}
    with cloud.client() as client:
        video = client.submit("A circle", model="cogvideox-nano-i2v", seconds="1", input_reference=image)
        client.delete(video.id)

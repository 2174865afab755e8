"""The unmodified OpenAI clients make films: the newest, and the oldest supported one."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.films.conftest import REPOSITORY, Cloud
from tests.films.looking import look_at

OLD_OPENAI = REPOSITORY / ".venv" / "openai-2.2.0"

# A program as a user would write it; it knows nothing of Reelworks.
PROGRAM = """
import sys
import openai
from openai import OpenAI

assert openai.__version__ == sys.argv[1], openai.__version__
client = OpenAI()
video = client.videos.create(
    prompt="A red kite over a green hill", seconds="4", size="640x360", model="animatic"
)
assert video.status in ("queued", "in_progress"), video.status
assert video.object == "video" and video.seconds == "4" and video.size == "640x360", video
video = client.videos.poll(video.id, poll_interval_ms=300)
assert video.status == "completed" and video.progress == 100, video
client.videos.download_content(video.id).write_to_file(sys.argv[2])
client.videos.download_content(video.id, variant="thumbnail").write_to_file(sys.argv[3])
assert video.id in [v.id for v in client.videos.list(limit=5)]
assert client.videos.delete(video.id).deleted
try:
    client.videos.retrieve(video.id)
except openai.NotFoundError as error:
    print(error.status_code, error.body["message"])
else:
    raise SystemExit("a deleted video is still there")
"""


@pytest.mark.parametrize(
    ("version", "path"), [("3.54.0", ""), ("2.2.0", str(OLD_OPENAI))], ids=["openai-3.54", "openai-2.2"]
)
def test_a_program_creates_retrieves_and_deletes_a_film(
    cloud: Cloud, tmp_path: Path, version: str, path: str
) -> None:
    status = cloud.status
    film, thumbnail = tmp_path / "film.mp4", tmp_path / "thumbnail.webp"
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, version, str(film), str(thumbnail)],
        env={
            "PYTHONPATH": path,
            "OPENAI_BASE_URL": status["base_url"],
            "OPENAI_API_KEY": status["api_key"],
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert result.returncode == 0, result.stderr
    seen = look_at(film)
    assert (seen.width, seen.height, seen.codec, seen.pixel_format) == (640, 360, "h264", "yuv420p")
    assert len(seen.frames) == 4 * 24
    assert seen.duration == 4
    assert seen.motion() > 0.1
    assert thumbnail.read_bytes()[8:12] == b"WEBP"

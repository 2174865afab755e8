"""The unmodified OpenAI clients remix, extend and edit films; unchanged parts are identical to the byte."""

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from tests.films.clients import NEWEST_OPENAI, OLD_OPENAI, run_python
from tests.films.conftest import Cloud
from tests.films.looking import look_at

REMIX = """
import sys
from openai import OpenAI

client = OpenAI()
video = client.videos.create(
    prompt="A red kite over a green hill", seconds="2", size="128x96", model="animatic", extra_body={"fps": 8}
)
video = client.videos.poll(video.id, poll_interval_ms=300)
assert video.status == "completed", video
other = client.videos.remix(video.id, prompt="Make it night")
assert other.id != video.id and other.remixed_from_video_id == video.id, other
assert other.prompt == "Make it night" and other.seconds == "2" and other.size == "128x96", other
assert client.videos.delete(video.id).deleted  # before it is planned, perhaps: it needs its source no more
other = client.videos.poll(other.id, poll_interval_ms=300)
assert other.status == "completed", other
client.videos.download_content(other.id).write_to_file(sys.argv[1])
"""

EXTEND = """
import sys
import openai
from openai import OpenAI

client = OpenAI()
title = "Three kites"
scenes = [
    {"image": {"positive_prompt": what}, "video": {"positive_prompt": what}, "seconds": 1}
    for what in ("A red kite rises over a hill.", "A blue kite hangs over the sea.")
]
video = client.post(
    "/videos",
    body={"storyboard": {"title": title, "scenes": scenes}, "narrate": False, "size": "128x96", "fps": 8,
          "seed": 7, "model": "animatic", "transition": "crossfade", "transition_seconds": 0.25},
    cast_to=openai.types.Video,
)
video = client.videos.poll(video.id, poll_interval_ms=300)
assert video.status == "completed", video
client.videos.download_content(video.id).write_to_file(sys.argv[1])

longer = client.videos.extend(
    prompt="A yellow kite lands on the beach.", seconds="2", video=openai.omit,
    extra_body={"video": {"id": video.id}},
)
assert longer.remixed_from_video_id == video.id and longer.seconds == "4", longer
longer = client.videos.poll(longer.id, poll_interval_ms=300)
assert longer.status == "completed", longer
assert [clip["reused"] for clip in longer.clips] == [True, True, False], longer.clips
client.videos.download_content(longer.id).write_to_file(sys.argv[2])

changed = client.videos.edit(
    prompt="In the last scene, make it night", video=openai.omit, extra_body={"video": {"id": longer.id}}
)
changed = client.videos.poll(changed.id, poll_interval_ms=300)
assert changed.status == "completed", changed
assert [clip["reused"] for clip in changed.clips] == [True, True, False], changed.clips

with open(sys.argv[1], "rb") as file:
    shown = client.videos.extend(
        prompt="A fish jumps", seconds="1", video=file,
        extra_body={"model": "animatic", "size": "128x96", "fps": "8"},
    )
assert shown.remixed_from_video_id is None and shown.origin["kind"] == "extend", shown
shown = client.videos.poll(shown.id, poll_interval_ms=300)
assert shown.status == "completed" and shown.seconds == "3", shown
client.videos.download_content(shown.id).write_to_file(sys.argv[3])
"""


@pytest.mark.parametrize("path", [NEWEST_OPENAI, OLD_OPENAI], ids=["openai-3.57", "openai-2.2"])
def test_a_remix_outlives_its_source(cloud: Cloud, tmp_path: Path, path: str) -> None:
    film = tmp_path / "film.mp4"
    run_python(cloud, REMIX, film, path=path)
    assert len(look_at(film).frames) == 2 * 8


def test_a_film_is_extended(cloud: Cloud, tmp_path: Path) -> None:
    first, longer, shown = (tmp_path / f"{name}.mp4" for name in ("first", "longer", "shown"))
    run_python(cloud, EXTEND, first, longer, shown)
    before, after = look_at(first), look_at(longer)
    assert (len(before.frames), len(after.frames)) == (16, 32)
    # The original film is unchanged, including its transition; the rest begins with its last picture.
    assert all(map(np.array_equal, before.frames, after.frames))
    new = after.frames[16]
    assert alike(new, after.frames[15]) > 0.9
    assert alike(new, after.frames[15]) > alike(new, after.frames[0])
    assert packets(first) == packets(longer)[: len(packets(first))]
    of_file = look_at(shown)
    assert len(of_file.frames) == 24
    assert np.abs(of_file.frames[5].astype(int) - before.frames[5]).mean() < 8


def alike(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> float:
    """Return 1 if the pictures are the same except for brightness and contrast."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def packets(path: Path) -> list[bytes]:
    """Return the encoded pictures."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


EDIT = """
import sys
from openai import OpenAI

client = OpenAI()
video = client.videos.create(
    prompt="A red circle moves to the right", seconds="1", model="cogvideox-nano",
    extra_body={"enhance": False, "seed": 3},
)
video = client.videos.poll(video.id, poll_interval_ms=300)
assert video.status == "completed", video
client.videos.download_content(video.id).write_to_file(sys.argv[1])
body = {"prompt": "Make it blue", "video": {"id": video.id}}
for strength, path in zip((0.2, 0.9), sys.argv[2:]):
    edit = client.post("/videos/edits", body={**body, "strength": strength}, cast_to=type(video))
    edit = client.videos.poll(edit.id, poll_interval_ms=300)
    assert edit.status == "completed", edit
    client.videos.download_content(edit.id).write_to_file(path)
"""


def test_an_edit_keeps_more_of_the_pictures_at_lower_strength(cloud: Cloud, tmp_path: Path) -> None:
    before, little, much = (tmp_path / f"{name}.mp4" for name in ("before", "little", "much"))
    run_python(cloud, EDIT, before, little, much)
    frames = [look_at(film, scale=1).frames for film in (before, little, much)]
    assert [len(one) for one in frames] == [8, 8, 8]
    apart = [np.mean([alike(*pair) for pair in zip(frames[0], one, strict=True)]) for one in frames[1:]]
    assert apart[0] > 0.6 > 0.3 > apart[1]

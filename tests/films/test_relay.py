"""A film rendered by a server with /v1/videos."""

from itertools import pairwise
from pathlib import Path

from tests.films.conftest import WAN_KEY, Cloud
from tests.films.looking import look_at
from tests.videos_server import VideosServer


def test_a_film_rendered_by_a_server_of_one_s_own(cloud: Cloud, videos_server: VideosServer) -> None:
    refused = cloud.reel("make", "A ship", "--engine", "wan", "--image", "bee.png", check=False)
    assert refused.returncode != 0
    assert videos_server.orders == []

    videos_server.restarts = 1  # the first job is lost
    arguments = ("--engine", "wan", "--seconds", "3", "--size", "256x256", "--fps", "16", "--seed", "7")
    video = cloud.json("make", "A lighthouse in the fog", *arguments)
    film = look_at(Path(video["path"]), scale=1)
    assert (film.width, film.height, film.rate, len(film.frames)) == (256, 256, 16, 48)
    assert film.codec == "h264"
    # Each clip brightens, from 20 to 220, as the server's do: its frames are the film's, each shown twice.
    levels = [float(frame.mean()) for frame in film.frames]
    assert max(levels) > 180
    assert min(levels) < 40
    assert sum(after > before + 3 for before, after in pairwise(levels)) > 15
    assert len(video["clips"]) == 2
    assert len(videos_server.orders) == 3, "two clips, and the one that was lost"
    assert {(one["size"], one["fps"], one["num_frames"]) for one in videos_server.orders} == {
        ("96x64", 8, 13)
    }
    assert len({one["seed"] for one in videos_server.orders}) == 2

    offered = {one["name"]: one for one in cloud.json("engines", "list")}
    assert offered["wan"]["summary"].startswith(videos_server.model)
    log = (cloud.home / "cloud.log").read_text()
    for logs in cloud.home.glob("**/*.log"):
        log += logs.read_text(errors="replace")
    assert "job lost" in log or "job started" in log
    assert WAN_KEY not in log

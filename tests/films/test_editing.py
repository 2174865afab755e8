"""Films that are reviewed, edited and resumed: what waits, and what is rendered again."""

from base64 import b64encode
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from tests.films.conftest import Cloud
from tests.films.looking import look_at
from tests.films.requests import Api, board, finish, scene, wait_for
from tests.media.sounds import encoded, tone

ANIMALS = ("bee", "fox", "owl", "whale", "horse", "frog", "cat", "crab")


def anew(video: dict[str, Any], part: str) -> list[int]:
    """Return which entries of a list in the record were not reused."""
    assert all(entry["state"] == "done" for entry in video[part])
    return [index for index, entry in enumerate(video[part]) if not entry["reused"]]


def test_only_the_edited_scene_of_eight_is_re_rendered(cloud: Cloud, tmp_path: Path) -> None:
    api = Api(cloud, "editors")
    id_ = api.create(storyboard=board(*ANIMALS), stills="standard", captions=True)
    first = finish(api.client, id_)
    for part in ("narrations", "stills", "clips"):
        assert anew(first, part) == list(range(8)), part
    before, old = api.made(), look_at(api.film(id_, tmp_path / "old.mp4"), scale=1)

    answer = api.call("GET", f"/{id_}/storyboard")
    storyboard = answer.json()
    storyboard["scenes"][4] = scene("shark")
    api.call("PUT", f"/{id_}/storyboard", json=storyboard, headers={"If-Match": answer.headers["etag"]})
    edited = api.client.status(id_)
    assert edited.status == "completed"
    assert edited.storyboard
    assert not edited.storyboard.filmed
    assert api.film(id_, tmp_path / "same.mp4").read_bytes() == (tmp_path / "old.mp4").read_bytes()

    api.call("POST", f"/{id_}/approve")
    second = finish(api.client, id_)
    for part in ("narrations", "stills", "clips"):
        assert anew(second, part) == [4], part
    assert second["attempt"] == 2
    films = api.client.films(id_)
    assert [(film.attempt, film.new_scenes) for film in films] == [(2, [4]), (1, None)]
    api.client.download(id_, tmp_path / "first.mp4", attempt=1)
    assert (tmp_path / "first.mp4").read_bytes() == (tmp_path / "old.mp4").read_bytes()
    made = api.made() - before
    assert (made["narrations.json"], made["stills.png"], made["clips.mp4"]) == (1, 1, 1)

    new = look_at(api.film(id_, tmp_path / "new.mp4"), scale=1)
    starts = np.cumsum([0, *(round(clip["seconds"] * 12) for clip in first["clips"])])
    for index in range(4):
        for frame in range(starts[index], starts[index + 1]):
            assert np.array_equal(old.frames[frame], new.frames[frame]), (index, frame)
    assert not np.array_equal(old.frames[starts[4] + 6], new.frames[starts[4] + 6])
    assert new.chapters[4] == "This is the shark."
    assert len(new.frames) == sum(round(clip["seconds"] * 12) for clip in second["clips"])


def test_a_film_waits_for_its_user_at_both_gates(cloud: Cloud, tmp_path: Path) -> None:
    api = Api(cloud, "reviewers")
    id_ = api.create(storyboard=board("bee", "fox"), stills="standard", review=["storyboard", "previews"])
    video = api.waits(id_, "storyboard")
    assert (video["status"], video["stage"]) == ("in_progress", "reviewing")
    assert not api.made(), "nothing is made before the storyboard is approved"
    storyboard = api.call("GET", f"/{id_}/storyboard").json()
    storyboard["scenes"][1] = scene("owl")
    api.call("PUT", f"/{id_}/storyboard", json=storyboard)
    assert api.client.status(id_).review.gate == "storyboard"
    api.call("POST", f"/{id_}/approve")

    video = api.waits(id_, "previews")
    made = api.made()
    assert (made["narrations.json"], made["stills.png"], made["clips.mp4"]) == (2, 2, 0)
    sound = api.call("GET", f"/{id_}/scenes/1/narration", follow_redirects=True).content
    with av.open(BytesIO(sound)) as container:
        seconds = float(container.streams.audio[0].duration * container.streams.audio[0].time_base)
    assert 0.8 < seconds < 6
    still = api.call("GET", f"/{id_}/scenes/1/still", follow_redirects=True).content
    with Image.open(BytesIO(still)) as picture:
        picture.load()

    api.call("POST", f"/{id_}/scenes/1/regenerate", json={"part": "still"})
    again = api.waits(id_, "previews")
    assert (api.made() - made) == Counter({"stills.png": 1})
    assert again["narrations"] == video["narrations"]
    assert [again["stills"][index] == video["stills"][index] for index in range(2)] == [True, False]
    other = api.call("GET", f"/{id_}/scenes/1/still", follow_redirects=True).content
    assert other != still

    api.call("POST", f"/{id_}/approve")
    video = finish(api.client, id_)
    assert (video["attempt"], video["storyboard"]["filmed"]) == (1, True)
    film = look_at(api.film(id_, tmp_path / "film.mp4"))
    assert film.chapters == ["This is the bee.", "This is the owl."]


def test_a_failed_film_is_fixed_and_resumed(cloud: Cloud) -> None:
    api = Api(cloud, "menders")
    storyboard = board("bee", "fox")
    storyboard["scenes"][1]["seconds"] = 0.5  # too short for its narration
    id_ = api.create(storyboard=storyboard, narration_fit="refuse")
    failed = wait_for(api.client, id_, lambda v: v["status"] == "failed")
    assert failed["failure"]["code"] == "NarrationTooLong"
    api.call("POST", f"/{id_}/retry")
    failed = wait_for(api.client, id_, lambda v: v["status"] == "failed" and v["attempt"] == 2)
    assert anew(failed, "narrations") == [], "a retry repeats nothing"
    del storyboard["scenes"][1]["seconds"]
    api.call("PUT", f"/{id_}/storyboard", json=storyboard)
    api.call("POST", f"/{id_}/retry")
    video = finish(api.client, id_)
    assert (video["attempt"], video["failure"]) == (3, None)
    assert anew(video, "narrations") == []


def test_a_deletion_deletes_what_no_other_film_uses(cloud: Cloud, tmp_path: Path) -> None:
    api = Api(cloud, "deleters")
    sound = f"data:audio/mpeg;base64,{b64encode(encoded(tone(2, 440), 'mp3').read()).decode()}"
    fields = {"stills": "standard", "captions": True, "music": {"audio_url": sound}}
    first = api.create(storyboard=board("bee", "fox"), **fields)
    second = api.create(storyboard=board("bee", "owl"), **fields)
    for id_ in (first, second):
        finish(api.client, id_)
    made = api.made()
    api.call("DELETE", f"/{first}")
    gone = made - api.made()
    assert (gone["narrations.json"], gone["stills.png"], gone["clips.mp4"], gone["films.mp4"]) == (1, 1, 1, 1)

    look_at(api.film(second, tmp_path / "film.mp4"), scale=1)
    storyboard = api.call("GET", f"/{second}/storyboard").json()
    api.call("PUT", f"/{second}/storyboard", json={**storyboard, "title": "Of animals"})
    api.call("POST", f"/{second}/approve")
    again = finish(api.client, second)
    assert again["attempt"] == 2
    for part in ("narrations", "stills", "clips"):
        assert not anew(again, part), part

    api.call("DELETE", f"/{second}")
    s3 = cloud.aws("s3")
    for bucket, folder in (("Output", "artifacts"), ("Output", "videos"), ("Input", "uploads")):
        found = s3.list_objects_v2(Bucket=cloud.outputs[f"{bucket}Bucket"], Prefix=f"{folder}/{api.tenant}/")
        assert not found["KeyCount"], found["Contents"]

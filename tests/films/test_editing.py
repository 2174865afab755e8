"""Films that are reviewed, edited and taken up again: what waits, and what is made anew."""

import os
import signal
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
from PIL import Image

from reelworks.client import Client
from tests.films.conftest import Cloud
from tests.films.looking import look_at
from tests.films.test_resume import finish, wait_for

ANIMALS = ("bee", "fox", "owl", "whale", "horse", "frog", "cat", "crab")


def scene(animal: str) -> dict[str, Any]:
    return {
        "narration": {"text": f"This is the {animal}."},
        "image": {"positive_prompt": f"A {animal} sits in a green meadow"},
        "video": {"positive_prompt": f"A {animal} walks through a green meadow"},
    }


def board(*animals: str) -> dict[str, Any]:
    return {"title": "Animals", "style": "Warm light.", "scenes": [scene(animal) for animal in animals]}


class Api:
    """The REST API as curl sees it, with a key of a tenant of its own."""

    def __init__(self, cloud: Cloud, tenant: str) -> None:
        self.tenant = tenant
        self._cloud = cloud
        self._key = cloud.json("keys", "create", tenant)["api_key"]

    @property
    def client(self) -> Client:
        return self._cloud.client(self._key)

    def call(self, method: str, path: str, expect: int = 200, **options: Any) -> httpx.Response:
        answer = httpx.request(
            method,
            f"{self._cloud.status['base_url']}/videos{path}",
            headers={"Authorization": f"Bearer {self._key}", **options.pop("headers", {})},
            timeout=60,
            **options,
        )
        assert answer.status_code == expect, answer.text
        return answer

    def create(self, **fields: Any) -> str:
        request = {"size": "320x180", "fps": 12, "seed": 3, "model": "animatic", **fields}
        return str(self.call("POST", "", json=request).json()["id"])

    def waits(self, id_: str, gate: str) -> dict[str, Any]:
        return wait_for(self.client, id_, lambda v: v["review"]["gate"] == gate or v["status"] == "failed")

    def made(self) -> Counter[str]:
        """How many artifacts of each kind the tenant has."""
        pages = self._cloud.aws("s3").get_paginator("list_objects_v2")
        found = pages.paginate(
            Bucket=self._cloud.outputs["OutputBucket"], Prefix=f"artifacts/{self.tenant}/"
        ).search("Contents[].Key")
        kinds = (Path(key) for key in found if key)
        return Counter(f"{path.parent.name}{path.suffix}" for path in kinds)

    def film(self, id_: str, path: Path) -> Path:
        self.client.download(id_, path)
        return path


def anew(video: dict[str, Any], part: str) -> list[int]:
    """Which entries of a list of the record were not reused."""
    assert all(entry["state"] == "done" for entry in video[part])
    return [index for index, entry in enumerate(video[part]) if not entry["reused"]]


def test_of_eight_scenes_only_the_edited_one_is_made_anew(cloud: Cloud, tmp_path: Path) -> None:
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
    edited = api.client.get(id_)
    assert (edited["status"], edited["storyboard"]["filmed"]) == ("completed", False)
    assert api.film(id_, tmp_path / "same.mp4").read_bytes() == (tmp_path / "old.mp4").read_bytes()

    api.call("POST", f"/{id_}/approve")
    second = finish(api.client, id_)
    for part in ("narrations", "stills", "clips"):
        assert anew(second, part) == [4], part
    assert second["attempt"] == 2
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
    assert api.client.get(id_)["review"]["gate"] == "storyboard"
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


def test_a_waiting_film_survives_a_kill(cloud: Cloud) -> None:
    api = Api(cloud, "patients")
    id_ = api.create(storyboard=board("bee"), review=["storyboard"])
    api.waits(id_, "storyboard")
    os.kill(cloud.pid(), signal.SIGKILL)
    cloud.reel("up")
    video = api.waits(id_, "storyboard")
    assert video["attempt"] == 2
    api.call("POST", f"/{id_}/approve")
    finish(api.client, id_)


def test_a_failed_film_is_mended_and_taken_up_again(cloud: Cloud) -> None:
    api = Api(cloud, "menders")
    storyboard = board("bee", "fox")
    storyboard["scenes"][1]["seconds"] = 0.5  # too short for what is said in it
    id_ = api.create(storyboard=storyboard)
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

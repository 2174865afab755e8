"""Requests for films, and waiting for them."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from reelworks.client import Client
from tests.films.conftest import Cloud


def wait_for(client: Client, video_id: str, reached: Any, seconds: float = 200) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while not reached(video := client.status(video_id).to_dict()):
        assert time.monotonic() < deadline, video
        time.sleep(0.4)  # each call runs the API's function, on the cores that make the film
    return video


def finish(client: Client, video_id: str, seconds: float = 200) -> dict[str, Any]:
    video = wait_for(client, video_id, lambda v: v["status"] in ("completed", "failed"), seconds)
    assert video["status"] == "completed", video
    return video


def scene(animal: str) -> dict[str, Any]:
    return {
        "narration": {"text": f"This is the {animal}."},
        "image": {"positive_prompt": f"A {animal} sits in a green meadow"},
        "video": {"positive_prompt": f"A {animal} walks through a green meadow"},
    }


def board(*animals: str) -> dict[str, Any]:
    return {"title": "Animals", "style": "Warm light.", "scenes": [scene(animal) for animal in animals]}


class Api:
    """The REST API as curl sees it, with its own tenant's key."""

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
        """Return the number of the tenant's artifacts of each kind."""
        pages = self._cloud.aws("s3").get_paginator("list_objects_v2")
        found = pages.paginate(
            Bucket=self._cloud.outputs["OutputBucket"], Prefix=f"artifacts/{self.tenant}/"
        ).search("Contents[].Key")
        kinds = (Path(key) for key in found if key and not {"uses", "users"} & set(Path(key).parts))
        return Counter(f"{path.parent.name}{path.suffix}" for path in kinds)

    def film(self, id_: str, path: Path) -> Path:
        self.client.download(id_, path)
        return path

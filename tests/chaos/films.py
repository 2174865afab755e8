"""Films of every kind, asked for by clients that repeat what was not answered, as the docs tell them to."""

import json
import random
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.backends import VOICE
from tests.chaos.site import TENANTS, Site

ENDED = ("completed", "failed", "cancelled")
SMALL = {"model": "animatic", "size": "256x256", "fps": 12}
# The engines that are servers: the model that runs on a CPU, a server with /v1/videos, ComfyUI.
OF_ENGINES: dict[str, dict[str, Any]] = {
    "nano": {"model": "cogvideox-nano", "steps": 2, "enhance": False},
    "relay": {"model": "wan", "size": "96x64", "fps": 8},
    "comfyui": {"model": "comfyui", "size": "96x64", "fps": 8},
}
KINDS = (
    *("prompt", "prompt", "scenes", "scenes", "narrated", "review", "edit", "remix", "extend", "drop"),
    *("topic", "voice", *OF_ENGINES),
)
SUBJECTS = ("fox", "owl", "kite", "river", "train", "whale", "tower", "market", "garden", "storm")


@dataclass
class Film:
    """A film that was asked for. `id` None: not acknowledged yet."""

    kind: str
    tenant: str
    path: str
    body: dict[str, Any]
    nonce: str
    id: str | None = None
    stage: str = ""
    wish: str | None = None  # what happens to it next: cancel, delete, edit, or none
    deleted: bool = False
    edited: bool = False
    code: str | None = None  # of its failure
    done: bool = field(default=False)


class Films:
    def __init__(self, site: Site, drawing: random.Random) -> None:
        self._site = site
        self._random = drawing
        self._made = 0
        self.all: list[Film] = []
        self.dropped: dict[str, str] = {}  # keys of the drop folder, and their tenants

    @property
    def open(self) -> list[Film]:
        return [film for film in self.all if not film.done]

    def step(self, at_once: int) -> None:
        """Ask for new films up to so many at once, and follow the others a step."""
        while len(self.open) < at_once:
            self._new()
        with ThreadPoolExecutor(max(1, len(self.open))) as clients:
            list(clients.map(lambda film: self._follow(film) if film.id else self._ask(film), self.open))

    def report(self) -> dict[str, Any]:
        known = [film for film in self.all if film.id]
        return {
            "acknowledged": len(known),
            "dropped": len(self.dropped),
            "kinds": dict(sorted(Counter(film.kind for film in known).items())),
            "stages": dict(
                sorted(Counter("deleted" if film.deleted else film.stage for film in known).items())
            ),
            "failures": dict(sorted(Counter(film.code for film in known if film.code).items())),
        }

    # --- asking

    def _new(self) -> None:
        self._made += 1
        tenant, subject = self._random.choice(TENANTS), self._random.choice(SUBJECTS)
        kind = self._random.choice(KINDS)
        told = f"A {subject} in the morning, number {self._made}"
        body: dict[str, Any] = {**SMALL, "webhook_url": self._site.receiver.url}
        path = "/videos"
        ready = [
            one for one in self.all if one.stage == "completed" and one.tenant == tenant and not one.deleted
        ]
        if kind in ("remix", "extend") and not ready:
            kind = "prompt"
        if kind == "drop":
            self._drop(tenant, {**SMALL, "prompt": told, "seconds": "1"})
            return
        if kind == "prompt":
            body |= {"prompt": told, "seconds": "1"}
        elif kind in OF_ENGINES:
            told = f"A red circle moves to the right, number {self._made}"
            own = {"prompt": told, "seconds": "1", "webhook_url": self._site.receiver.url}
            body = OF_ENGINES[kind] | own
        elif kind == "topic":
            body |= {"topic": told, "scenes": 1, "narrate": False}
        elif kind == "remix":
            path, body = f"/videos/{self._random.choice(ready).id}/remix", {"prompt": f"At night. {told}"}
        elif kind == "extend":
            source = self._random.choice(ready).id
            path, body = "/videos/extensions", {"video": {"id": source}, "prompt": told, "seconds": "1"}
        else:
            said = "This is it." if kind in ("narrated", "voice") else None
            body |= {"storyboard": _board(subject, self._made, said), "narrate": said is not None}
            if kind == "voice":
                body["voice"] = VOICE
            if kind == "review":
                body["review"] = ["storyboard"]
        wish = self._random.choices([None, "cancel", "delete"], [8, 1, 1])[0]
        if kind == "edit":
            wish = "edit"
        self.all.append(
            Film(kind, tenant, path, body, uuid.UUID(int=self._random.getrandbits(128)).hex, wish=wish)
        )

    def _drop(self, tenant: str, request: dict[str, Any]) -> None:
        key = f"drop/{tenant}/chaos-{self._made}.json"
        try:
            self._site.aws("s3").put_object(
                Bucket=self._site.status["outputs"]["InputBucket"], Key=key, Body=json.dumps(request).encode()
            )
        except Exception as error:  # noqa: BLE001 - not acknowledged, so nothing is owed
            self._site.log("drop refused", key=key, error=str(error)[:200])
            return
        self.dropped[key] = tenant

    def _ask(self, film: Film) -> None:
        answer = self._site.call(
            film.tenant, "POST", film.path, json=film.body, headers={"Idempotency-Key": film.nonce}
        )
        if answer is None or answer.status_code >= 500 or answer.status_code == 429:
            return  # asked again at the next step
        if answer.status_code != 200:
            # A source may have been deleted meanwhile.
            self._site.log("refused", kind=film.kind, status=answer.status_code, error=answer.text[:300])
            film.done, film.stage = True, "refused"
            return
        film.id = answer.json()["id"]
        self._site.log("acknowledged", kind=film.kind, id=film.id)

    # --- following

    def _follow(self, film: Film) -> None:
        answer = self._site.call(film.tenant, "GET", f"/videos/{film.id}")
        if answer is None or answer.status_code >= 500 or answer.status_code == 429:
            return
        if answer.status_code == 404:
            film.done = True
            film.stage = "deleted" if film.deleted else "LOST"
            return
        video = answer.json()
        film.stage = video["stage"]
        film.code = (video.get("failure") or {}).get("code")
        if video["review"]["gate"]:
            self._site.call(film.tenant, "POST", f"/videos/{film.id}/approve")
        elif film.wish == "cancel" and film.stage not in ENDED:
            self._wished(film, "POST", "/cancel")
        elif film.stage in ENDED:
            self._ended(film, video)

    def _ended(self, film: Film, video: dict[str, Any]) -> None:
        if film.wish == "delete":
            if self._wished(film, "DELETE", ""):
                film.deleted = True
            return
        if film.wish == "edit" and film.stage == "completed":
            if not film.edited:
                board = self._site.call(film.tenant, "GET", f"/videos/{film.id}/storyboard")
                if board is None or board.status_code != 200:
                    return
                document = board.json()
                document["scenes"][0]["video"]["positive_prompt"] += " A bird flies by."
                put = self._site.call(film.tenant, "PUT", f"/videos/{film.id}/storyboard", json=document)
                film.edited = put is not None and put.status_code == 200
            elif self._wished(film, "POST", "/approve"):
                self._site.log("edited", id=film.id)
            return
        film.done = True
        self._site.log(
            "ended",
            id=film.id,
            stage=film.stage,
            code=film.code,
            reason=(video.get("failure") or {}).get("reason"),
        )

    def _wished(self, film: Film, method: str, action: str) -> bool:
        """Return whether the call was answered; then it is not repeated."""
        answer = self._site.call(film.tenant, method, f"/videos/{film.id}{action}")
        if answer is None or answer.status_code >= 500 or answer.status_code == 429:
            return False
        film.wish = None
        return answer.status_code == 200


def _board(subject: str, number: int, said: str | None) -> dict[str, Any]:
    def scene(what: str) -> dict[str, Any]:
        prompts = {"positive_prompt": f"A {subject} {what}, number {number}."}
        own = {"narration": {"text": f"{said} Number {number}."}} if said else {"seconds": 1}
        return {"image": prompts, "video": prompts, **own}

    return {"title": f"{subject} {number}", "scenes": [scene("wakes"), scene("moves on")]}

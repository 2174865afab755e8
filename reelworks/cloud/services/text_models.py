"""Which text model answers in place of Bedrock's: the one that is set, else one that this PC has."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from reelworks.cloud.backends.text.catalogue import TextKind
from reelworks.cloud.backends.text.discovery import PLACES, Place, find_servers
from reelworks.cloud.backends.text.interface import TextBackend
from reelworks.cloud.backends.text.writers import how_to_get_one, pulled
from reelworks.cloud.home import Home
from reelworks.cloud.settings import Settings, TextServer


@dataclass(frozen=True)
class TextInUse:
    """A text model and why it is used, for example "found: Ollama at http://127.0.0.1:11434"."""

    server: TextServer
    why: str


async def text_in_use(
    settings: Settings, models: Path | None, http: httpx.AsyncClient, places: Sequence[Place] = PLACES
) -> TextInUse:
    """Return the text model that is set, and only that one, even if it is down. Without one, return a writer
    in the folder `models`, which the user pulled for this; else the first server that answers at one of the
    places; else the rule-based director."""
    if settings.text:
        return TextInUse(settings.text, "set in [text]")
    if models and (file := pulled(models)):
        return TextInUse(TextServer(kind=TextKind.GGUF, model=str(file)), f"pulled: {file}")
    for found in await find_servers(http, without_video_servers(places, settings)):
        if found.model:
            server = TextServer(kind=found.kind, url=found.url, model=found.model)
            return TextInUse(server, f"found: {found.program} at {found.url}")
    return TextInUse(TextServer(kind=TextKind.RULES), f"no text model; to get one: {how_to_get_one()}")


def without_video_servers(places: Sequence[Place], settings: Settings) -> list[Place]:
    """Return the places where no engine of the user's own is set."""
    taken = {relay.videos_url.removesuffix("/v1") for relay in settings.engines.relays.values()}
    return [place for place in places if place.url not in taken]


async def describe_text_model(home: Home) -> str:
    """Return which text model writes on this PC and why, in words. Raises CloudError if a setting is
    invalid."""
    settings = Settings.load(home, os.environ)
    async with httpx.AsyncClient(trust_env=False) as http:
        used = await text_in_use(settings, home.models, http)
        return f"{connect(used.server, http).name} ({used.why})"


def connect(server: TextServer, http: httpx.AsyncClient) -> TextBackend:
    """Return the backend of a text model."""
    return server.kind.backend(
        http,
        server.url,
        server.model,
        api_key=server.api_key,
        context_tokens=server.context_tokens,
        seconds=server.timeout_seconds,
    )

"""Check the user's own servers with /v1/videos."""

import asyncio

from containers.diffusion.errors import EngineError
from containers.relay.client import PING_SECONDS, Unreachable, Videos
from reelworks.cloud.settings import Relay, Settings
from reelworks.finding import Finding


def relays(settings: Settings) -> list[Finding]:
    """Check that each server answers and serves the engine's model."""
    return [asyncio.run(_relay(name, relay)) for name, relay in settings.engines.relays.items()]


async def _relay(name: str, relay: Relay) -> Finding:
    what, setting = f"Engine {name}", f"[engines.{name}]"
    videos = Videos(relay.videos_url, relay.api_key, relay.api_key_file)
    try:
        served = await videos.served(PING_SECONDS)
        await videos.jobs()  # as a server without the route or with another key would tell
    except Unreachable as error:
        todo = f"start the server, or correct videos_url of {setting}"
        return Finding(what, False, True, str(error), todo)
    except EngineError as error:
        return Finding(what, False, True, str(error), f"correct {setting} (docs/relay.md)")
    finally:
        await videos.close()
    where = f"{relay.model} at {relay.videos_url}"
    if served is None:
        return Finding(what, True, True, f"{where}; the server lists no models, so that was not checked")
    if relay.model not in served:
        found = f"the server at {relay.videos_url} serves {', '.join(served) or 'no model'}"
        return Finding(what, False, True, found, f"set model of {setting} to one of these")
    return Finding(what, True, True, where)

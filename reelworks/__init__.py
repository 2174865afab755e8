"""Reelworks' user package: the API clients, the `reel` command and the PC's cloud.

from reelworks import Client

with Client() as client:
    video = client.subscribe("A fox in the snow", seconds=6, on_update=print)
    client.download(video.id, Path("fox.mp4"))
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reelworks.client import ApiError, AsyncClient, Client

__all__ = ["ApiError", "AsyncClient", "Client"]


def __getattr__(name: str) -> Any:
    """Import the clients when they are asked for: most of this package does without HTTP."""
    if name in __all__:
        from reelworks import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""The interface of an image backend, which draws an image in place of Bedrock's image models.

Every backend raises ServiceError with the code that Bedrock uses for the case.
"""

from dataclasses import asdict, dataclass
from typing import Any, Protocol

from reelworks.cloud.errors import ServiceError

LONGEST_DRAWING_SECONDS = 280.0  # less than the functions wait for an answer


@dataclass(frozen=True)
class Order:
    """An image to draw; sizes in pixels. `reference`: an image file of that size to start from, for a backend
    that takes one."""

    prompt: str
    negative_prompt: str
    width: int
    height: int
    seed: int
    reference: bytes | None = None

    def words(self) -> dict[str, Any]:
        """Return the fields that are text or numbers."""
        return {name: value for name, value in asdict(self).items() if name != "reference"}


class ImageBackend(Protocol):
    @property
    def name(self) -> str:
        """The backend's name, for the record."""

    async def draw(self, order: Order) -> bytes:
        """Return an image file; its size may differ from the requested one."""

    async def free(self) -> None:
        """Unload the model from the GPU."""

    async def stop(self) -> None: ...


def model_failed(message: str) -> ServiceError:
    """Return a ServiceError with status 424, which no client retries."""
    return ServiceError(424, "ModelErrorException", message)

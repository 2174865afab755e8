"""What an image backend is: it draws a picture, in the place of Bedrock's image models.

Every backend raises ServiceError with the code that Bedrock has for the case.
"""

from dataclasses import dataclass
from typing import Protocol

from reelworks.cloud.errors import ServiceError

LONGEST_DRAWING_SECONDS = 280.0  # within what the functions wait for an answer


@dataclass(frozen=True)
class Order:
    """A picture to be drawn; sizes in pixels."""

    prompt: str
    negative_prompt: str
    width: int
    height: int
    seed: int


class ImageBackend(Protocol):
    @property
    def name(self) -> str:
        """For the record: who drew."""

    async def draw(self, order: Order) -> bytes:
        """An image file; it may have another size than was asked for."""

    async def free(self) -> None:
        """Has the model leave the GPU."""

    async def stop(self) -> None: ...


def model_failed(message: str) -> ServiceError:
    """424, which no client tries again."""
    return ServiceError(424, "ModelErrorException", message)

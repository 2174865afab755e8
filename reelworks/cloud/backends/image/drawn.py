"""Draw stills with the animatic's artwork, which needs no model. A reference is shown as it is."""

import asyncio

from reelworks.cloud.backends.image.interface import Order


class DrawnCard:
    """The animatic's artwork."""

    name = "drawn card"

    async def draw(self, order: Order) -> bytes:
        if order.reference is not None:
            return order.reference
        from lambdas.animatic.still import draw_still  # takes a while to import, and few clouds need it

        return await asyncio.to_thread(
            draw_still, order.prompt, width=order.width, height=order.height, seed=order.seed
        )

    async def free(self) -> None:
        """Do nothing: there is no model to unload."""

    async def stop(self) -> None:
        """Do nothing: there is nothing to stop."""

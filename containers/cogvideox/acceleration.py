"""What a speed does to a pipeline, for one clip."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from diffusers import CogVideoXDPMScheduler
from diffusers.hooks import TaylorSeerCacheConfig

from containers.cogvideox.speed import FIRST_STEPS, LAST_STEPS, ONE_STEP_OF, Speed


class Accelerator:
    """The ways to make one transformer faster. They are applied for a clip and taken off after it, so that
    nothing of a clip, even of one that was broken off, reaches the next."""

    def __init__(self, transformer: Any, *, compiled: bool, backend: str = "inductor") -> None:
        """`compiled` has torch's `backend` compile the blocks, when they are first used."""
        self._transformer = transformer
        # Each block by itself: compile_repeated_blocks() raises for this model, and the whole would be
        # compiled anew wherever a step is left out.
        self._compiled = [
            torch.compile(block.forward, backend=backend)
            for block in (transformer.transformer_blocks if compiled else ())
        ]

    @contextmanager
    def at(self, speed: Speed, scheduler: Any, steps: int) -> Iterator[None]:
        """The transformer at this speed, for one clip of `steps` steps of `scheduler`."""
        with ExitStack() as undo:
            # A compiled block rounds differently: `exact` would not be what diffusers renders.
            if speed is not Speed.EXACT:
                undo.enter_context(self._blocks_compiled())
                undo.enter_context(cached(self._transformer, _taylorseer(speed, scheduler, steps)))
            yield

    @contextmanager
    def _blocks_compiled(self) -> Iterator[None]:
        blocks = self._transformer.transformer_blocks[: len(self._compiled)]
        before = [block.forward for block in blocks]
        try:
            for block, forward in zip(blocks, self._compiled, strict=True):
                block.forward = forward
            yield
        finally:
            for block, forward in zip(blocks, before, strict=True):
                block.forward = forward


@contextmanager
def cached(transformer: Any, config: Any) -> Iterator[None]:
    """`transformer` with one of diffusers' caches, which is empty at first and gone afterwards."""
    transformer.enable_cache(config)
    try:
        yield
    finally:
        transformer.disable_cache()


def _taylorseer(speed: Speed, scheduler: Any, steps: int) -> TaylorSeerCacheConfig:
    return TaylorSeerCacheConfig(
        cache_interval=ONE_STEP_OF[speed],
        disable_cache_before_step=FIRST_STEPS,
        disable_cache_after_step=steps - LAST_STEPS,
        # From step to step the output goes on in a line, unless the scheduler adds new noise at each, as
        # DPM's does: a line through two outputs would go on with the difference of their noises.
        max_order=0 if isinstance(scheduler, CogVideoXDPMScheduler) else 1,
        taylor_factors_dtype=torch.float32,
        # Blocks are skipped and proj_out is predicted. Otherwise it is the layers named in cache_identifiers,
        # whose default names none of this model's (and nothing says so).
        use_lite_mode=True,
    )

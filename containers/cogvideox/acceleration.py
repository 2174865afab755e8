"""Apply a speed to a pipeline for one clip."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from diffusers import CogVideoXDPMScheduler
from diffusers.hooks import TaylorSeerCacheConfig

from containers.cogvideox.speed import FIRST_STEPS, LAST_STEPS, ONE_STEP_OF, Speed


class Accelerator:
    """Speeds up one transformer. Accelerations are applied for one clip and removed after it, so that nothing
    from a clip, even from an aborted one, leaks into the next."""

    def __init__(self, transformer: Any, *, compiled: bool, backend: str = "inductor") -> None:
        """If `compiled`, torch compiles the blocks with `backend` on first use."""
        self._transformer = transformer
        # Block by block: compile_repeated_blocks() raises for this model, and the whole transformer would be
        # recompiled wherever a step is skipped.
        self._compiled = [
            torch.compile(block.forward, backend=backend)
            for block in (transformer.transformer_blocks if compiled else ())
        ]

    @contextmanager
    def at(self, speed: Speed, scheduler: Any, steps: int) -> Iterator[None]:
        """Run the transformer at this speed for one clip of `steps` steps of `scheduler`."""
        with ExitStack() as undo:
            # Compiled blocks round differently, so `exact` would not match what diffusers renders.
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
    """Enable one of diffusers' caches on `transformer`; it starts empty and is removed afterwards."""
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
        # The output changes linearly from step to step, unless the scheduler adds new noise at each step, as
        # DPM's does: a line through two outputs would extrapolate the difference of their noise.
        max_order=0 if isinstance(scheduler, CogVideoXDPMScheduler) else 1,
        taylor_factors_dtype=torch.float32,
        # Skip the blocks and predict proj_out. Otherwise diffusers predicts the layers in cache_identifiers,
        # whose default silently matches none of this model's.
        use_lite_mode=True,
    )

"""Apply a speed to a transformer for one clip."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from diffusers.hooks import TaylorSeerCacheConfig

from containers.diffusion.speed import FIRST_STEPS, LAST_STEPS, ONE_STEP_OF, Speed


class Accelerator:
    """Speeds up one transformer. Accelerations are applied for one clip and removed after it, so that nothing
    from a clip, even from an aborted one, leaks into the next."""

    def __init__(
        self, transformer: Any, blocks: Sequence[Any], *, compiled: bool, backend: str = "inductor"
    ) -> None:
        """If `compiled`, torch compiles the transformer's `blocks` with `backend` on first use."""
        self._transformer = transformer
        self._blocks = blocks if compiled else ()
        # Block by block: compile_repeated_blocks() raises for some models, and the whole transformer would be
        # recompiled wherever a step is skipped.
        self._compiled = [torch.compile(block.forward, backend=backend) for block in self._blocks]

    @contextmanager
    def at(self, speed: Speed, cache: Any) -> Iterator[None]:
        """Run the transformer at this speed for one clip; `cache` is diffusers' config for a speed of
        SKIPPING."""
        with ExitStack() as undo:
            # Compiled blocks round differently, so `exact` would not match what diffusers renders.
            if speed is not Speed.EXACT:
                undo.enter_context(self._blocks_compiled())
            if cache is not None:
                undo.enter_context(cached(self._transformer, cache))
            yield

    @contextmanager
    def _blocks_compiled(self) -> Iterator[None]:
        before = [block.forward for block in self._blocks]
        try:
            for block, forward in zip(self._blocks, self._compiled, strict=True):
                block.forward = forward
            yield
        finally:
            for block, forward in zip(self._blocks, before, strict=True):
                block.forward = forward


@contextmanager
def cached(transformer: Any, config: Any) -> Iterator[None]:
    """Enable one of diffusers' caches on `transformer`; it starts empty and is removed afterwards."""
    transformer.enable_cache(config)
    try:
        yield
    finally:
        transformer.disable_cache()


def taylorseer(speed: Speed, steps: int, *, order: int) -> TaylorSeerCacheConfig:
    """Return the cache that skips what `speed` skips of `steps` steps, and predicts the output there as the
    last one (`order` 0) or by a line through the last two (1)."""
    return TaylorSeerCacheConfig(
        cache_interval=ONE_STEP_OF[speed],
        disable_cache_before_step=FIRST_STEPS,
        disable_cache_after_step=steps - LAST_STEPS,
        max_order=order,
        taylor_factors_dtype=torch.float32,
        # Skip the blocks and predict proj_out. Otherwise diffusers predicts the layers in cache_identifiers,
        # whose default silently matches none of some models'.
        use_lite_mode=True,
    )

"""Log a clip that was refused or failed, and turn a fault of ours into the contract's error."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from containers.diffusion.errors import EngineError, EngineFailed, InvalidRequest, NotReady


@contextmanager
def logged(logger: logging.Logger) -> Iterator[None]:
    """Log an EngineError raised inside. Raises EngineFailed for any other exception."""
    try:
        yield
    except (InvalidRequest, NotReady) as refusal:
        logger.info("clip refused", extra={"param": refusal.param, "reason": str(refusal)})
        raise
    except EngineError as failure:
        logger.error("clip failed", extra={"code": failure.code, "reason": str(failure)})
        raise
    except Exception as fault:
        logger.exception("clip failed", extra={"code": EngineFailed.code})
        raise EngineFailed(f"{type(fault).__name__}: {fault}") from fault

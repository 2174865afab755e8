"""Read this machine's GPU usage from NVIDIA's management library, which comes with the driver.

https://docs.nvidia.com/deploy/nvml-api/ Not through torch: that would load torch into the server, which would
then use GPU memory itself.
"""

import asyncio
import ctypes
import logging
from collections.abc import Callable
from typing import Any, Self

from containers.diffusion.metrics import metrics

LIBRARY = "libnvidia-ml.so.1"
EVERY_SECONDS = 60.0

logger = logging.getLogger(__name__)


class Utilization(ctypes.Structure):
    """nvmlUtilization_t: percent of the last sample period in which the GPU computed, and moved memory."""

    _fields_ = [("gpu", ctypes.c_uint), ("memory", ctypes.c_uint)]


class Memory(ctypes.Structure):
    """nvmlMemory_t, in bytes."""

    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


class GpuFailed(Exception):
    """A library call failed; the message has the function's name and the error code."""


class Gpus:
    def __init__(self, library: Any) -> None:
        self._library = library
        self._call("nvmlInit_v2")
        count = ctypes.c_uint()
        self._call("nvmlDeviceGetCount_v2", ctypes.byref(count))
        self._devices = [ctypes.c_void_p() for _ in range(count.value)]
        for index, device in enumerate(self._devices):
            self._call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(device))

    @classmethod
    def find(cls) -> Self | None:
        """Return the machine's GPUs, or None without a working NVIDIA driver."""
        try:
            library = ctypes.CDLL(LIBRARY)
        except OSError:
            return None
        try:
            return cls(library)
        except GpuFailed as failure:
            # A CPU serves without it, and a model that needs the GPU reports a better error.
            logger.warning("gpu cannot be read", extra={"reason": str(failure)})
            return None

    def read(self) -> dict[str, list[float]]:
        """Return gpu_percent (of the time), and gpu_memory_percent and _bytes in use; one value per GPU."""
        readings: dict[str, list[float]] = {
            "gpu_percent": [],
            "gpu_memory_percent": [],
            "gpu_memory_bytes": [],
        }
        for device in self._devices:
            utilization, memory = Utilization(), Memory()
            self._call("nvmlDeviceGetUtilizationRates", device, ctypes.byref(utilization))
            self._call("nvmlDeviceGetMemoryInfo", device, ctypes.byref(memory))
            readings["gpu_percent"].append(utilization.gpu)
            readings["gpu_memory_percent"].append(round(100 * memory.used / memory.total, 1))
            readings["gpu_memory_bytes"].append(memory.used)
        return readings

    def _call(self, function: str, *arguments: Any) -> None:
        if code := getattr(self._library, function)(*arguments):
            raise GpuFailed(f"{function}: {code}")


async def watch(gpus: Gpus, dimensions: Callable[[], dict[str, str]]) -> None:
    """Log the GPUs' metrics every minute until cancelled or until the library fails."""
    try:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            logger.info("gpu", extra=metrics(gpus.read(), dimensions()))
    except GpuFailed:
        # A lost GPU fails the engine too, and /ping reports that.
        logger.exception("gpu cannot be read")

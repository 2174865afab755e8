"""GPU readings, with a fake of NVIDIA's library that implements its documented calls."""

import asyncio
import ctypes
import json
import logging
from typing import Any

import pytest

from containers.diffusion import gpu
from containers.diffusion.gpu import GpuFailed, Gpus, watch
from containers.diffusion.log import JsonFormatter

GIB = 2**30


class Library:
    """A fake NVML with two GPUs; every call returns 0 (NVML_SUCCESS) or `code`."""

    def __init__(self) -> None:
        self.code = 0
        self.use = [(97, 12 * GIB), (3, 1 * GIB)]

    def nvmlInit_v2(self) -> int:  # noqa: N802
        return self.code

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:  # noqa: N802
        count._obj.value = len(self.use)
        return self.code

    def nvmlDeviceGetHandleByIndex_v2(self, index: ctypes.c_uint, device: Any) -> int:  # noqa: N802
        device._obj.value = 1000 + index.value
        return self.code

    def nvmlDeviceGetUtilizationRates(self, device: ctypes.c_void_p, utilization: Any) -> int:  # noqa: N802
        utilization._obj.gpu = self.use[(device.value or 0) - 1000][0]
        return self.code

    def nvmlDeviceGetMemoryInfo(self, device: ctypes.c_void_p, memory: Any) -> int:  # noqa: N802
        memory._obj.total, memory._obj.used = 24 * GIB, self.use[(device.value or 0) - 1000][1]
        return self.code


def test_each_gpu_is_read() -> None:
    assert Gpus(Library()).read() == {
        "gpu_percent": [97, 3],
        "gpu_memory_percent": [50.0, 4.2],
        "gpu_memory_bytes": [12 * GIB, GIB],
    }


def test_the_structures_have_the_sizes_of_nvml_h() -> None:
    assert (ctypes.sizeof(gpu.Utilization), ctypes.sizeof(gpu.Memory)) == (8, 24)


def test_a_failed_call_is_reported() -> None:
    library = Library()
    gpus = Gpus(library)
    library.code = 15  # NVML_ERROR_GPU_IS_LOST
    with pytest.raises(GpuFailed, match="nvmlDeviceGetUtilizationRates: 15"):
        gpus.read()


def test_a_broken_driver_does_not_keep_a_server_from_starting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    library = Library()
    library.code = 18  # NVML_ERROR_LIB_RM_VERSION_MISMATCH, for example after a driver update
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    assert Gpus.find() is None
    assert "nvmlInit_v2: 18" in caplog.records[0].__dict__["reason"]


def test_the_log_line_has_cloudwatch_s_metric_format(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "EVERY_SECONDS", 0.0)
    monkeypatch.setenv("DIFFUSION_DEPLOYMENT", "two")
    caplog.set_level(logging.INFO, "containers.diffusion")

    async def watch_a_moment() -> None:
        watching = asyncio.create_task(watch(Gpus(Library()), lambda: {"model": "cogvideox-5b"}))
        while not caplog.records:
            await asyncio.sleep(0)
        watching.cancel()

    asyncio.run(watch_a_moment())
    line = json.loads(JsonFormatter().format(caplog.records[0]))
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Reelworks/Engines"
    assert directive["Dimensions"] == [["deployment", "model"]]
    assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]} == {
        "gpu_percent": "Percent",
        "gpu_memory_percent": "Percent",
        "gpu_memory_bytes": "Bytes",
    }
    assert (line["deployment"], line["model"]) == ("two", "cogvideox-5b")
    assert all(line[metric["Name"]] for metric in directive["Metrics"])
    assert isinstance(line["_aws"]["Timestamp"], int)

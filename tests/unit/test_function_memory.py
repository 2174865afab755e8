"""Free memory, where the system can't say how much there is."""

from pathlib import Path

import psutil
import pytest

from reelworks.cloud.server.functions.runtime import FunctionRuntime


@pytest.fixture
def no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise OSError(24, "Too many open files", "/proc/meminfo")

    monkeypatch.setattr(psutil, "virtual_memory", fails)


@pytest.mark.usefixtures("no_files")
def test_unknown_memory_is_none(tmp_path: Path) -> None:
    assert FunctionRuntime(tmp_path / "reserve")._available() == 0
